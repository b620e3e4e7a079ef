--- What starting a child costs beside a Lua heap of 20 MiB: `adtlua tests/bench/spawn.lua`; a line for each way: name,
--- then microseconds a child of our own CPU, of everybody's CPU, and of wall time.
local fs = require "adt.fs"
local process = require "adt.process"
local task = require "adt.task"
local time = require "adt.time"

local CHILDREN, AT_ONCE, HEAP = 504, 8, 20 * 1024 * 1024

local ballast = {}
while collectgarbage "count" * 1024 < HEAP do
  ballast[#ballast + 1] = { #ballast }
end

-- Seconds of the children that have ended; the kernel counts them in hundredths.
local function childrens_cpu()
  local user, system = fs.read("/proc/self/stat"):match("%) " .. ("%S+ "):rep(13) .. "(%d+) (%d+)")
  return (tonumber(user) + tonumber(system)) / 100
end

local function several(gated)
  for _ = 1, CHILDREN // AT_ONCE do
    local p <close> = process.spawn { "true", gated = gated }
    if gated then
      p:go()
    end
    assert(p:wait().ok)
  end
end

-- The least of five rounds, since anything else that runs only slows it.
local function best(name, gated)
  local own, all, wall = math.huge, math.huge, math.huge
  for _ = 1, 5 do
    collectgarbage()
    local began, ours, theirs = time.monotonic(), os.clock(), childrens_cpu()
    local jobs = {}
    for i = 1, AT_ONCE do
      jobs[i] = function() several(gated) end
    end
    task.all(jobs)
    began, ours, theirs = time.monotonic() - began, os.clock() - ours, childrens_cpu() - theirs
    own, all, wall = math.min(own, ours), math.min(all, ours + theirs), math.min(wall, began)
  end
  print(("%s\t%.0f\t%.0f\t%.0f"):format(name, own / CHILDREN * 1e6, all / CHILDREN * 1e6, wall / CHILDREN * 1e6))
end

best("children", false)
best("gated children", true)
assert(#ballast > 0)
