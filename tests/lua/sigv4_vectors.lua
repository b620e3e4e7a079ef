--- Runs the public signing suite: adtlua tests/lua/sigv4_vectors.lua DIR, where DIR holds a folder for each case.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path

local fs = require "adt.fs"
local suite = require "sigv4_suite"

local dir = arg[1]
if not dir or #arg > 1 then
  io.stderr:write "usage: adtlua tests/lua/sigv4_vectors.lua DIR\n"
  os.exit(2)
end

local folders = {}
for _, entry in ipairs(fs.list(dir)) do
  if fs.is_dir(dir .. "/" .. entry) then folders[#folders + 1] = entry end
end

local count = { passed = 0, failed = 0, skipped = 0 }
for _, name in ipairs(folders) do
  for _, form in ipairs(suite.FORMS) do
    local verdict, what = suite.check(suite.reader(dir .. "/" .. name), form)
    count[verdict] = count[verdict] + 1
    if verdict ~= "passed" then
      print(("%s %s (%s): %s"):format(verdict, name, form, what))
    end
  end
end
if count.skipped > 0 then
  print(("%d skipped"):format(count.skipped))
end
print(("%d passed, %d failed"):format(count.passed, count.failed))
os.exit(count.failed == 0 and count.passed > 0)
