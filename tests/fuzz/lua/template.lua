--- Any template and any value: what is filled in stays one value of its language, whatever it holds.
local json = require "adt.json"
local template = require "adt.template"
local yaml = require "adt.yaml"
local errors = require "adt.error"

-- A POSIX shell's reading of one quoted word: bare bytes, '...' and \x.
local function shell_word(text)
  local out, i = {}, 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == "'" then
      local stop = assert(text:find("'", i + 1, true), "an open quote")
      out[#out + 1], i = text:sub(i + 1, stop - 1), stop + 1
    elseif c == "\\" then
      out[#out + 1], i = text:sub(i + 1, i + 1), i + 2
    else
      assert(c:match("[%w_@%%+=:,./-]"), "a byte that a shell may read as more than itself")
      out[#out + 1], i = c, i + 1
    end
  end
  return table.concat(out)
end

return function(bytes)
  local text, value = bytes:match("^([^\0]*)%z?(.*)$")
  for filter, read in pairs { sh = shell_word, json = json.decode, yaml = yaml.decode } do
    local filled = errors.try(template.fill, "@{a|" .. filter .. "}", { a = value })
    assert(not filled or read(filled) == value, "another value after " .. filter)
  end
  local values = {}
  for name in text:gmatch("@{([%a_][%w_]*)") do
    values[name] = value
  end
  template.fill(text, values)
end
