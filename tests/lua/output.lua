--- The output handler of tests/run: failures in full, pendings by name, and the totals in a file.
return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()

  local function say(kind, entry)
    local trace = entry.trace or {}
    local message = entry.message
    if type(message) ~= "string" then
      message = require("pl.pretty").write(message)
    end
    print(("%s: %s"):format(kind, entry.name))
    print(("  at %s:%s"):format(trace.short_src or "?", trace.currentline or "?"))
    print("  " .. message:gsub("\n", "\n  "))
    if trace.traceback and trace.traceback ~= "" then
      print("  " .. trace.traceback:gsub("^\n", ""):gsub("\n", "\n  "))
    end
  end

  local function write_totals(passed, failed, skipped)
    local path = os.getenv "ADTLUA_TEST_RESULT"
    if path then
      local file = assert(io.open(path, "w"))
      file:write(("%d %d %d\n"):format(passed, failed, skipped))
      file:close()
    end
  end

  function handler.suiteEnd()
    for _, entry in ipairs(handler.failures) do
      say("failed", entry)
    end
    for _, entry in ipairs(handler.errors) do
      say("error", entry)
    end
    for _, entry in ipairs(handler.pendings) do
      local why = entry.message
      print(("pending: %s%s"):format(entry.name, type(why) == "string" and ": " .. why or ""))
    end
    local failed = handler.failuresCount + handler.errorsCount
    print(("%d passed, %d failed, %d skipped"):format(handler.successesCount, failed, handler.pendingsCount))
    io.stdout:flush()
    write_totals(handler.successesCount, failed, handler.pendingsCount)
    return nil, true
  end

  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  handler.options = options
  return handler
end
