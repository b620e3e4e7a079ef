--- Task switches per second: `adtlua tests/bench/switch.lua`; a line for each way: name, millions a second.
local c = require "adt.c.task"

local SWITCHES = 2000000

-- The best of three, since anything else that runs only slows it.
local function best(name, f)
  local fastest = 0
  for _ = 1, 3 do
    collectgarbage()
    collectgarbage()
    local start = os.clock()
    local n = f()
    fastest = math.max(fastest, n / (os.clock() - start) / 1e6)
  end
  print(("%s\t%.2f"):format(name, fastest))
end

local function tasks(count, body)
  return function()
    local list = {}
    local each = SWITCHES // count
    for i = 1, count do
      list[i] = c.spawn(body, each)
    end
    for i = 1, count do
      list[i]:join()
    end
    return each * count
  end
end

local function yields(n)
  for _ = 1, n do
    c.yield()
  end
end

best("2 tasks take turns", tasks(2, yields))
best("10,000 tasks take turns", tasks(10000, yields))
best("2 tasks, each in a coroutine of the author's", tasks(2, function(n) coroutine.wrap(yields)(n) end))
best("spawn and join", function()
  for _ = 1, 200000 do
    c.spawn(function() end):join()
  end
  return 200000
end)
best("coroutine.resume, for comparison", function()
  local co = coroutine.wrap(function()
    while true do
      coroutine.yield()
    end
  end)
  for _ = 1, SWITCHES do
    co()
  end
  return SWITCHES
end)
