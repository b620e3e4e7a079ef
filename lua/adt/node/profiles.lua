--- What a healthy machine of each instance type has.
local errors = require "adt.error"

local M = {}

---@class adt.node.Profile
---@field type string
---@field accelerator? string the GPU's or Neuron device's model
---@field gpus? integer NVIDIA GPUs on the PCI bus
---@field gpu_bus? string[] where they are, where that is known
---@field nvswitch? integer NVSwitches on the PCI bus
---@field nvlink? boolean its GPUs need the fabric manager
---@field neuron? integer Neuron devices on the PCI bus
---@field efa? integer EFA devices on the PCI bus
---@field efa_gbps? integer line rate of each

-- GPUs and EFA devices are the reference's (health check profiles; the Batch templates agree where they have the type).
-- The bus ids are those of aws-k8s-tester's golden topologies. NVSwitches are those of NVIDIA's HGX boards with eight
-- GPUs: six on A100 boards, four on H100 and H200 boards; with Blackwell they are no PCI functions of the host.
local P4_BUS = { "0000:10:1c.0", "0000:10:1d.0", "0000:20:1c.0", "0000:20:1d.0", "0000:90:1c.0", "0000:90:1d.0",
  "0000:a0:1c.0", "0000:a0:1d.0" }
local P5_BUS = { "0000:53:00.0", "0000:64:00.0", "0000:75:00.0", "0000:86:00.0", "0000:97:00.0", "0000:a8:00.0",
  "0000:b9:00.0", "0000:ca:00.0" }

local PROFILES = {
  ["p4d.24xlarge"] = { accelerator = "A100", gpus = 8, gpu_bus = P4_BUS, nvswitch = 6, nvlink = true, efa = 4, efa_gbps = 100 },
  ["p4de.24xlarge"] = { accelerator = "A100", gpus = 8, gpu_bus = P4_BUS, nvswitch = 6, nvlink = true, efa = 4, efa_gbps = 100 },
  ["p5.48xlarge"] = { accelerator = "H100", gpus = 8, gpu_bus = P5_BUS, nvswitch = 4, nvlink = true, efa = 32, efa_gbps = 100 },
  ["p5e.48xlarge"] = { accelerator = "H200", gpus = 8, nvswitch = 4, nvlink = true, efa = 32, efa_gbps = 100 },
  ["p5en.48xlarge"] = { accelerator = "H200", gpus = 8, nvswitch = 4, nvlink = true, efa = 16, efa_gbps = 200 },
  ["p6-b200.48xlarge"] = { accelerator = "B200", gpus = 8, nvlink = true, efa = 8, efa_gbps = 400 },
  -- Four of each per node in the reference's manifest of the NCCL tests. The fabric manager runs on the switch trays.
  ["p6e-gb200.36xlarge"] = { accelerator = "GB200", gpus = 4, efa = 4 },
  -- 16 Trainium devices; EFA_PER_NODE of the reference's Neuron job generators.
  ["trn1.32xlarge"] = { accelerator = "Trainium", neuron = 16, efa = 8 },
  -- The fabtests map has 16 EFA devices; 16 Trainium2 devices as the type's public description has them.
  ["trn2.48xlarge"] = { accelerator = "Trainium2", neuron = 16, efa = 16 },
  -- One GPU, and one EFA device where it was asked for (efaEnabled in the EKS manifests): its number is not judged.
  ["g5.8xlarge"] = { accelerator = "A10G", gpus = 1 },
  ["g4dn.8xlarge"] = { accelerator = "T4", gpus = 1 },
  -- The table of instances of the reference's test cases.
  ["g5.xlarge"] = { accelerator = "A10G", gpus = 1, efa = 0 },
  ["g5.12xlarge"] = { accelerator = "A10G", gpus = 4, efa = 0 },
  ["g5.24xlarge"] = { accelerator = "A10G", gpus = 4 },
  ["g6e.24xlarge"] = { accelerator = "L40S", gpus = 4 },
}

--- The names of all types that are known, sorted.
---@return string[]
function M.names()
  local names = {}
  for name in pairs(PROFILES) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The profile of a type, or nil when there is none: that is no answer, and never one of zeros.
---@param type_name string
---@return adt.node.Profile?
function M.find(type_name)
  local known = PROFILES[type_name]
  if not known then
    return nil
  end
  local profile = { type = type_name }
  for key, value in pairs(known) do profile[key] = value end
  return profile
end

--- The profile of a type that somebody names. Raises usage "NoProfile" with the nearest name when there is none.
---@param type_name string
---@return adt.node.Profile
function M.get(type_name)
  local profile = M.find(type_name)
  if not profile then
    local near = errors.nearest(type_name, M.names())
    errors.raise { cause = "usage", code = "NoProfile", message = ("there is no profile for instance type '%s'"):format(type_name),
      hint = near and ("did you mean '%s'?"):format(near) or "known: " .. table.concat(M.names(), ", ") }
  end
  return profile
end

return M
