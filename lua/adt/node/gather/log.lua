--- The kernel's log as a fact: read without waiting for more, within bounds, summed up by adt.node.klog.
local cfs = require "adt.c.fs"
local errors = require "adt.error"
local klog = require "adt.node.klog"
local process = require "adt.process"
local read = require "adt.node.read"

local M = {}

local MOST = 64 << 20 -- bytes; the kernel's own buffer has less
local TAIL = 16 << 20 -- of a file that holds a log

local function from_program(argv, collector)
  argv.stdout, argv.stderr, argv.read_only, argv.dies_with_parent = "pipe", "null", true, true
  local child <close> = process.spawn(argv)
  local bytes = 0
  for line in child:lines() do
    bytes = bytes + #line
    if bytes > MOST then
      child:kill "KILL"
      return nil, ("the log is longer than %d bytes"):format(MOST)
    end
    collector:line(line)
  end
  return child:wait(), nil
end

-- dd is what reads the device without waiting at its end: there it fails with EAGAIN, which is how it must end.
local function from_device(name, collector)
  local probe, err = errors.try(require("adt.file").open, name)
  if not probe then
    return nil, err.code == "EPERM" and "/dev/kmsg may not be read" or err.message
  end
  probe:close()
  local ended, why = from_program({ "dd", "if=" .. name, "iflag=nonblock", "bs=8192", "status=none", env = { LC_ALL = "C" } }, collector)
  if ended and collector.lines == 0 then
    return nil, "the kernel's log gave nothing"
  end
  return ended ~= nil, why
end

local function from_file(name, size, collector)
  local file <close> = require("adt.file").open(name)
  local text = file:pread(math.max(0, size - TAIL), TAIL) or ""
  -- The first of a cut text is half a line.
  if size > TAIL then text = text:gsub("^[^\n]*\n", "", 1) end
  for line in text:gmatch "[^\n]+" do
    collector:line(line)
  end
  return true
end

local function from_any(r, collector)
  local name = r:path "/dev/kmsg"
  local stat = cfs.stat(name, true)
  if stat and stat.type == "device" then
    return from_device(name, collector)
  elseif stat and stat.type == "file" then
    return from_file(name, stat.size, collector)
  elseif stat then
    return nil, "/dev/kmsg is a " .. stat.type
  elseif r.root == "" and process.find "dmesg" then
    -- A container without the device may still ask the kernel.
    local ended, why = from_program({ "dmesg", "-r" }, collector)
    return ended and ended.ok, why or "dmesg may not read the log"
  end
  return nil, "/dev/kmsg is not there"
end

--- What the kernel's log tells since a moment.
---@param r adt.node.Reader
---@param options { since: number?, now: number } seconds since 1970; default since boot
function M.kernel_log(r, options)
  local from, uptime = 0, r:text "/proc/uptime"
  uptime = uptime and tonumber(uptime:match "^[%d.]+")
  if options.since then
    if not uptime then
      return read.missing "the time of the boot is not known, which the log counts from"
    end
    from = options.since - (options.now - uptime)
  end
  local collector = klog.collector { from = math.max(0, from) }
  local ok, why = from_any(r, collector)
  if not ok then
    return read.missing(why or "the log cannot be read")
  end
  local summary = collector:finish()
  summary.from, summary.uptime = math.max(0, from), uptime
  return summary
end

return M
