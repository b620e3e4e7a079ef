--- A recipe's head, as `list` and `--help` read it: plain data, "no recipe", or a reason that can be told.
local bare = require "adt.c.bare"
local errors = require "adt.error"
local usage = require "adt.usage"

return function(path)
  local head, err = bare.read(path, { memory = 4 << 20, instructions = 200000 })
  if head then
    usage.schema(head)
  elseif head == nil then
    assert(errors.is(err), "an error that is not structured")
    local told = errors.new { cause = "usage", code = err.code, where = err.where, message = err.message, hint = err.hint }
    assert(#tostring(told) > 0 and errors.exit_code(told) == 2, "an error that cannot be told")
  end
end
