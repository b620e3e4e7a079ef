--- Whether the AWS that kills are made against can start here: says why not, and ends with 1.
package.path = "tests/lua/?.lua;" .. package.path
local why = require("cloudpeer").missing()
if why then
  print(why)
  os.exit(1)
end
