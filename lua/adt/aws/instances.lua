--- What an instance type has: accelerators, EFA interfaces, network cards. AWS is asked; a table serves where it may not be.
local errors = require "adt.error"
local failure = require "adt.aws.failure"

local M = {}

---@class adt.aws.Instance
---@field type string
---@field vcpus? integer
---@field memory? integer bytes
---@field accelerator? string "H100"
---@field accelerators integer GPUs or Neuron devices
---@field efa integer EFA interfaces at most
---@field cards integer network cards
---@field card_interfaces? integer[] interfaces at most of each card
---@field placement? string[] strategies of placement groups
---@field source "DescribeInstanceTypes"|"table"

--- Where the table is from, for whoever relies on it.
M.SOURCE = "DescribeInstanceTypes as recorded in moto 5.2.1, read 2026-11-24; p6e-gb200 as in the reference's manifest of its NCCL tests"

local function type_of(vcpus, gib, accelerator, accelerators, efa, cards)
  return { vcpus = vcpus, memory = gib << 30, accelerator = accelerator, accelerators = accelerators, efa = efa, cards = cards or efa }
end

local TYPES = {
  ["p4d.24xlarge"] = type_of(96, 1152, "A100", 8, 4),
  ["p4de.24xlarge"] = type_of(96, 1152, "A100", 8, 4),
  ["p5.48xlarge"] = type_of(192, 2048, "H100", 8, 32),
  ["p5e.48xlarge"] = type_of(192, 2048, "H200", 8, 32),
  ["p5en.48xlarge"] = type_of(192, 2048, "H200", 8, 16),
  ["p6-b200.48xlarge"] = type_of(192, 2048, "B200", 8, 8),
  ["p6e-gb200.36xlarge"] = { accelerator = "GB200", accelerators = 4, efa = 4, cards = 4 },
  ["trn1.32xlarge"] = type_of(128, 512, "Trainium", 16, 8),
  ["trn2.48xlarge"] = type_of(192, 2048, "Trainium2", 16, 16),
  ["g4dn.8xlarge"] = type_of(32, 128, "T4", 1, 1),
  ["g5.xlarge"] = type_of(4, 16, "A10G", 1, 0, 1),
  ["g5.8xlarge"] = type_of(32, 128, "A10G", 1, 1),
  ["g5.12xlarge"] = type_of(48, 192, "A10G", 4, 1),
  ["g5.24xlarge"] = type_of(96, 384, "A10G", 4, 1),
  ["g6e.24xlarge"] = type_of(96, 768, "L40S", 4, 2),
}

--- The names of the types in the table, sorted.
---@return string[]
function M.names()
  local names = {}
  for name in pairs(TYPES) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- What the table knows of a type.
---@param name string
---@return adt.aws.Instance?
function M.known(name)
  local known = TYPES[name]
  if not known then return nil end
  local copy = { type = name, source = "table" }
  for key, value in pairs(known) do copy[key] = value end
  return copy
end

local function count(devices)
  local n, name = 0, nil
  for _, device in ipairs(devices or {}) do
    n, name = n + (device.Count or 0), name or device.Name
  end
  return n, name
end

local function of_answer(answer)
  local net = answer.NetworkInfo or {}
  local gpus, gpu = count((answer.GpuInfo or {}).Gpus)
  local neurons, neuron = count((answer.NeuronInfo or {}).NeuronDevices)
  local interfaces = {}
  for i, card in ipairs(net.NetworkCards or {}) do interfaces[i] = card.MaximumNetworkInterfaces end
  return {
    type = answer.InstanceType, source = "DescribeInstanceTypes", vcpus = (answer.VCpuInfo or {}).DefaultVCpus,
    memory = ((answer.MemoryInfo or {}).SizeInMiB or 0) << 20, accelerator = gpu or neuron, accelerators = gpus + neurons,
    efa = net.EfaSupported and (net.EfaInfo or {}).MaximumEfaInterfaces or 0, cards = net.MaximumNetworkCards or 1,
    card_interfaces = interfaces, placement = (answer.PlacementGroupInfo or {}).SupportedStrategies or {},
  }
end

--- What AWS says of a type; what the table says where AWS may not be asked.
---@param ec2 adt.aws.Client
---@param name string
---@return adt.aws.Instance
--- Raises usage "NoInstanceType" when the region has none of that name, with the nearest; what calls raise.
function M.get(ec2, name)
  local answer, err = errors.try(ec2.DescribeInstanceTypes, ec2, { InstanceTypes = { name } })
  if answer and answer.InstanceTypes[1] then return of_answer(answer.InstanceTypes[1]) end
  local missing = answer ~= nil or err.code == "InvalidInstanceType"
  if not missing then
    local known = failure.is_denied(err) and M.known(name)
    if known then return known end
    error(err, 0)
  end
  local near = not TYPES[name] and errors.nearest(name, M.names())
  errors.raise { cause = "usage", code = "NoInstanceType", message = ("%s has no instance type '%s'"):format(ec2.region or "the region", name),
    hint = near and ("did you mean '%s'?"):format(near) or "choose another region, or another type" }
end

return M
