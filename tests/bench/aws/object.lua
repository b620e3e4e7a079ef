--- One object put or got: adtlua tests/bench/aws/object.lua put|get FILE ENDPOINT.
local s3 = require "adt.s3"

local verb, file, endpoint = table.unpack(arg)
local options = { region = "us-east-1", endpoint = endpoint }
if verb == "put" then
  s3.put(file, "s3://bucket/key", options)
else
  s3.get("s3://bucket/key", file, options)
end
