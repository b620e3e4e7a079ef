--- Signatures a second of CPU from Lua: adtlua tests/bench/sigv4/sign.lua [seconds] prints the signature, then the rate.
local sign = require "adt.aws.sign"

local limit = tonumber(arg[1]) or 1
local credentials = { access_key = "AKIDEXAMPLE", secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" }
local headers

-- The tables that say what to sign are made anew, as for requests that differ.
local function once()
  headers = sign.headers {
    method = "POST", url = "https://ec2.us-east-1.amazonaws.com/",
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8" },
    body = "Action=DescribeInstances&Version=2016-11-15", service = "ec2", region = "us-east-1", time = 1440938160,
    credentials = credentials,
  }
end

once()
local count, began, took = 0, os.clock(), 0
while took < limit do
  for _ = 1, 1000 do once() end
  count = count + 1000
  took = os.clock() - began
end
print(("%s %.0f"):format(headers[#headers].value:match "Signature=(%x+)", count / took))
