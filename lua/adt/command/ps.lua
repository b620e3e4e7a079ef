--- `adtlua ps`: runs that go on: somebody follows them, or their jobs still run.
local json = require "adt.json"
local runs = require "adt.runs"
local target_of = require "adt.runtarget"
local term = require "adt.term"

local M = { summary = "runs that go on", args = "", most = 0 }

M.flags = { output = { value = true, short = "o", help = "text or json" } }

local function live_jobs(r)
  local live = {}
  for _, job in ipairs(runs.jobs(r)) do
    if not job.ended then
      local now = target_of.status(r, job)
      if now.state == "running" or now.state == "unknown" then
        live[#live + 1] = job.name .. " " .. now.state
      end
    end
  end
  return live
end

--- Prints them.
---@param given table<string, string|true> flags
---@return integer exit status
function M.run(given)
  local rows, described = {}, json.array {}
  for _, r in ipairs(runs.all()) do
    if not r.broken then
      local live = live_jobs(r)
      if r:state() == "running" or #live > 0 then
        local row = runs.row(r)
        row[7] = table.concat(live, ", ")
        rows[#rows + 1] = row
        described[#described + 1] = runs.describe(r)
      end
    end
  end
  if given.output == "json" then
    io.write(json.encode { v = 1, runs = described }, "\n")
  elseif #rows > 0 then
    io.write(term.table(rows, { header = { "RUN", "STATE", "RECIPE", "TARGET", "BEGAN", "TOOK", "JOBS" } }) .. "\n")
  else
    io.write("nothing runs\n")
  end
  return 0
end

return M
