--- `adtlua history [-n COUNT]`: the runs of this state folder, newest first.
local json = require "adt.json"
local param = require "adt.param"
local runs = require "adt.runs"
local term = require "adt.term"

local M = { summary = "all runs, newest first", args = "", most = 0 }

M.flags = {
  output = { value = true, short = "o", help = "text or json" },
  count = { value = true, short = "n", help = "at most this many (20)" },
}

--- Prints them.
---@param given table<string, string|true> flags
---@return integer exit status
function M.run(given)
  local count = param.parse("count", param.int { min = 1 }, given.count or 20)
  local rows, described = {}, json.array {}
  for i, r in ipairs(runs.all(count)) do
    rows[i], described[i] = runs.row(r), given.output == "json" and runs.describe(r) or nil
  end
  if given.output == "json" then
    io.write(json.encode { v = 1, runs = described }, "\n")
  else
    io.write(#rows > 0 and term.table(rows, { header = runs.HEADER }) .. "\n" or "no runs yet\n")
  end
  return 0
end

return M
