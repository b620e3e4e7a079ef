--- Any lines as the kernel's log: what is found has a class and can be told as JSON, and each Xid and SXid has a verdict.
local json = require "adt.json"
local klog = require "adt.node.klog"
local severity = require "adt.node.severity"
local value = require "adt.output.value"
local xid = require "adt.node.xid"

local function judge(entry)
  local verdict
  if entry.class == "xid" then
    verdict = xid.classify(entry.code, { variant = entry.variant, alone = entry.alone })
  elseif entry.class == "sxid" then
    verdict = xid.classify_switch(entry.code, entry.variant)
  end
  assert(not verdict or severity.is(verdict.severity), "a verdict without a severity")
end

return function(bytes)
  local collector, lines = klog.collector(), 0
  for line in bytes:gmatch "[^\n]+" do
    lines = lines + 1
    collector:line(line)
    local event = klog.classify(line)
    assert(not event or type(event.class) == "string", "an event without a class")
  end
  local summary = collector:finish()
  assert(summary.lines == lines and #summary.entries <= 512, "a summary without bounds")
  for _, entry in ipairs(summary.entries) do
    assert(entry.count >= 1 and entry.first and entry.last and #entry.lines <= 3, "an entry that was never seen")
    judge(entry)
  end
  json.encode(value.plain(summary))
end
