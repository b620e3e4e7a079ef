--- Runs the public protocol-compliance suites: adtlua tests/lua/aws_protocol_vectors.lua DIR [input|output], where DIR
--- holds input/*.json, output/*.json and the older form of both in legacy/.
package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path

local suite = require "aws_protocol_suite"

local dir, only = arg[1], arg[2]
if not dir or #arg > 2 or (only and only ~= "input" and only ~= "output") then
  io.stderr:write "usage: adtlua tests/lua/aws_protocol_vectors.lua DIR [input|output]\n"
  os.exit(2)
end

local passed, failed = 0, 0
for _, case in ipairs(suite.cases(dir, only)) do
  local what = suite.check(case)
  if what then
    failed = failed + 1
    print(("failed %s: %s"):format(case.title, (what:gsub("\n", "\\n"))))
  else
    passed = passed + 1
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0)
