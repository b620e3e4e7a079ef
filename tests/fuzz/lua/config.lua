--- Any bytes as a configuration file: refused with a reason, or a table whose names and kinds hold.
local config = require "adt.config"
local yaml = require "adt.yaml"

return function(bytes)
  local data = config.check(yaml.decode(bytes), "adtlua.yaml")
  for name, spec in pairs(config.targets { layers = { { file = "adtlua.yaml", data = data } } }) do
    assert(type(name) == "string" and type(spec.kind) == "string", "a target without a kind")
  end
end
