--- A describe of all instances: adtlua tests/bench/aws/describe.lua ENDPOINT prints how many there are.
local client = require("adt.aws").client("ec2", { region = "us-east-1", endpoint = arg[1] })

local n = 0
for page in client:pages("DescribeInstances", { MaxResults = 1000 }) do
  for _, reservation in ipairs(page.Reservations) do
    for _, instance in ipairs(reservation.Instances) do
      if instance.InstanceId then n = n + 1 end
    end
  end
end
print(n)
