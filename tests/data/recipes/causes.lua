--- Ends in each way that an exit code is promised for.
local adt = require "adt"

return adt.recipe {
  name = "causes", kind = "test-case", api = 1, summary = "fails by the cause that it is told",
  params = {
    cause = adt.string { help = "a cause, or lua, job, detach, partial, check, require, nothing" },
    file = adt.path { optional = true },
  },

  run = function(ctx, p)
    local ways = {
      lua = function() local missing = nil; return missing.field end,
      job = function() ctx:job { "exits", cmd = adt.sh [[echo last words; exit 77]] }:wait() end,
      partial = function()
        local outcomes = adt.map({ 1, 2, 3 }, { keep_going = true }, function(n)
          if n == 2 then error "the second fails" end
          return n
        end)
        ctx:check("the others went on", #outcomes.ok == 2 and #outcomes.failed == 1)
      end,
      program = function() adt.process.run { "false" } end,
      missing = function() adt.process.run { "no-such-program-at-all" } end,
      tool = function() adt.tool { "no-such-program-at-all", hint = "it is in the package of dreams" } end,
      timeout = function() adt.timeout(0.01, adt.sleep, 60) end,
      nothing = function() end,
    }
    if ways[p.cause] then
      ways[p.cause]()
    elseif p.cause ~= "check" and p.cause ~= "require" then
      adt.error.raise { cause = p.cause, message = "raised on purpose" }
    end
  end,

  validate = function(ctx, p)
    if p.cause == "require" then
      ctx:require("two and two make five", 2 + 2 == 5, 4)
      ctx:check("never reached", true)
    elseif p.cause ~= "nothing" then
      ctx:check("one holds", true)
      ctx:check("two and two make five", p.cause ~= "check", 4)
    end
  end,
}
