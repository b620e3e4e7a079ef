--- Reads hyperfine's JSON files, each holding two commands: prints the medians in ms and the ratio with its spread.
local json = require "adt.json"

local ratios, ours, theirs = {}, {}, {}
for i = 1, #arg do
  local file <close> = assert(io.open(arg[i], "rb"))
  local results = json.decode(file:read "a").results
  ours[i], theirs[i] = results[1].median * 1000, results[2].median * 1000
  ratios[i] = ours[i] / theirs[i]
end
local function middle(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end
local mid = middle(ratios)
print(("%.2f\t%.2f\t%.3f\t%.3f\t%.3f"):format(middle(ours), middle(theirs), mid, ratios[1], ratios[#ratios]))
