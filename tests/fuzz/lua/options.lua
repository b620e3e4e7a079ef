--- Any words as the command line of a recipe: each is a flag, a parameter, a value or left over, or it is refused.
local options = require "adt.options"
local param = require "adt.param"

local params = { steps = param.int {}, fast = param.bool {}, no_op = param.bool {}, data_dir = param.path {}, x = param.string {} }

return function(bytes)
  local words = {}
  for word in (bytes .. "\n"):gmatch("(.-)\n") do
    words[#words + 1] = word
  end
  local given, values, rest = options.parse(words, options.RUN, params)
  for name in pairs(given) do
    assert(options.RUN[name], "an unknown flag")
  end
  for name, value in pairs(values) do
    assert(params[name], "an unknown parameter")
    assert(type(value) == "string" or params[name].type == "bool", "a parameter without a value")
  end
  assert(#rest <= #words, "more words than there were")
end
