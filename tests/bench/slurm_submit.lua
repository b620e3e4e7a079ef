--- Submits N jobs as steps of one run, and prints wall seconds and this program's own CPU seconds for all of them.
local adt = require "adt"

local n, url, begin = math.tointeger(tonumber(arg[1])), arg[2], arg[3]

local target = adt.target { kind = "slurm", begin = begin, rest = url ~= "" and { url = url, user = "root" } or nil }
local list = {}
for i = 1, n do list[i] = i end

local ctx <close> = adt.run "submit"
local wall, cpu = adt.time.monotonic(), os.clock()
adt.map(list, { at_once = 8 }, function(i)
  ctx:job { "j" .. i, cmd = { "true" }, on = target, slurm = { mem = "10M" } }
end)
print(("seconds %.4f %.4f"):format(adt.time.monotonic() - wall, os.clock() - cpu))
