--- Each log grammar over any lines: what it finds has a step, is kept by a store, and comes back from a journal.
local json = require "adt.json"
local metrics = require "adt.metrics"

local names = metrics.grammars()

local function keep(store, record)
  if record == nil then return end
  assert(math.type(record.step) == "integer", "a record without a step")
  store:add(record)
  for name, value in pairs(record) do
    assert(type(name) == "string" and type(value) == "number", "a field that is no number")
  end
  json.encode(metrics.plain(record))
end

return function(bytes)
  local name = names[1 + (bytes:byte() or 0) % #names]
  local grammar, store = metrics.grammar(name), metrics.store()
  for line in bytes:sub(2):gmatch("[^\n]*") do
    for _, clean in ipairs(metrics.clean(line)) do
      keep(store, grammar:feed(clean))
    end
  end
  keep(store, grammar:finish())
  local loss = store.loss
  assert(#loss <= #store:steps(), "more losses than steps")
  assert(#tostring(loss) > 0 and (not loss:finite() or #loss == 0 or loss:mean() == loss:mean()), "a finite series without a mean")
end
