--- A parameter of each type from any text: what parses is written as a text that parses to the same value again.
local c = require "adt.c.secret"
local json = require "adt.json"
local param = require "adt.param"

local defs = {
  param.int {}, param.int { min = -5, max = 100 }, param.number {}, param.number { min = 0, max = 1 }, param.bool {},
  param.string {}, param.string { pattern = "^[%w.+]+$" }, param.enum { "small", "large", "x-large" },
  param.list {}, param.list { of = param.number {} }, param.list { of = param.int { min = 1 } }, param.list { of = param.duration {}, max = 3 },
  param.duration {}, param.duration { min = "1s", max = "2h" }, param.size {}, param.size { max = "64GiB" },
  param.path {}, param.hostlist {}, param.secret {},
}

local function same(a, b)
  if type(a) ~= "table" then return a == b end
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return false end
  end
  return true
end

return function(bytes)
  local def, text = defs[1 + (bytes:byte() or 0) % #defs], bytes:sub(2)
  local value = param.parse("fuzz", def, text)
  if def.type == "secret" then
    assert(value:reveal() == text and tostring(value) == "<secret>", "a secret that is not what was given")
    c.forget()
    return
  end
  local again = param.parse("fuzz", def, param.text(def, value))
  assert(same(again, value), "its text parses to another value")
  json.encode(json.array { type(value) == "string" and #value or value })
end
