--- Decoding and encoding beside lua-cjson: `adtlua tests/bench/json.lua [pods] [rounds]`, one process, turn by turn.
local json = require "adt.json"
local cjson = require "cjson"

local pods, rounds = tonumber(arg and arg[1]) or 5000, tonumber(arg and arg[2]) or 5

-- A list as the API server answers it: about 5 kB a pod, the same keys in each, values that differ.
local function pod(i)
  local name = ("train-llama-%05d"):format(i)
  local containers = {}
  for k = 1, 3 do
    containers[k] = {
      name = "worker-" .. k,
      image = "123456789012.dkr.ecr.us-west-2.amazonaws.com/train@sha256:" .. ("%064x"):format(i * 31 + k),
      args = { "--nnodes=64", "--nproc-per-node=8", "--rdzv-endpoint=" .. name .. ":29500", "train.py" },
      env = {
        { name = "NCCL_DEBUG", value = "INFO" }, { name = "FI_PROVIDER", value = "efa" },
        { name = "NODE_RANK", value = tostring(i) },
        { name = "NOTE", value = "line one\nline \"two\" of pod " .. i },
      },
      resources = {
        limits = { ["nvidia.com/gpu"] = "8", ["vpc.amazonaws.com/efa"] = "4", memory = "1024Gi" },
        requests = { ["nvidia.com/gpu"] = "8", ["vpc.amazonaws.com/efa"] = "4", cpu = "96" },
      },
      ports = { { containerPort = 29500 + k, protocol = "TCP" } },
      volumeMounts = {
        { name = "fsx", mountPath = "/fsx" }, { name = "shm", mountPath = "/dev/shm", readOnly = false },
      },
    }
  end
  local statuses = {}
  for k = 1, 3 do
    statuses[k] = {
      name = "worker-" .. k, ready = true, restartCount = i % 7, started = true,
      containerID = "containerd://" .. ("%064x"):format(i * 17 + k),
      state = { running = { startedAt = ("2025-01-%02dT10:%02d:00Z"):format(i % 28 + 1, i % 60) } },
    }
  end
  local conditions = {}
  for k, kind in ipairs { "Initialized", "Ready", "ContainersReady", "PodScheduled" } do
    conditions[k] = {
      type = kind, status = "True", lastProbeTime = json.null,
      lastTransitionTime = ("2025-01-%02dT10:%02d:%02dZ"):format(i % 28 + 1, i % 60, k),
    }
  end
  return {
    apiVersion = "v1", kind = "Pod",
    metadata = {
      name = name, namespace = "training", uid = ("%08x-0000-4000-8000-%012x"):format(i, i * 7919),
      resourceVersion = tostring(100000 + i), creationTimestamp = "2025-01-02T03:04:05Z", generation = i,
      labels = { app = "train", ["job-name"] = name, ["pod-index"] = tostring(i), queue = "p5" },
      annotations = { ["kubernetes.io/psp"] = "eks.privileged", ["note"] = ("x"):rep(200) },
      ownerReferences = {
        { apiVersion = "batch/v1", kind = "Job", name = name, controller = true, blockOwnerDeletion = true },
      },
    },
    spec = {
      containers = containers, nodeName = ("ip-10-1-%d-%d.us-west-2.compute.internal"):format(i // 250, i % 250),
      restartPolicy = "Never", priority = 0, terminationGracePeriodSeconds = 30, hostNetwork = true,
      tolerations = { { key = "nvidia.com/gpu", operator = "Exists", effect = "NoSchedule" } },
    },
    status = {
      phase = "Running", podIP = ("10.1.%d.%d"):format(i // 250, i % 250), conditions = conditions,
      containerStatuses = statuses, load = i / 3,
    },
  }
end

local function document()
  local items = {}
  for i = 1, pods do items[i] = pod(i) end
  return json.encode { apiVersion = "v1", kind = "PodList", items = items }
end

local text = document()

local function seconds(f, ...)
  collectgarbage() collectgarbage()
  local start = os.clock()
  local value = f(...)
  return os.clock() - start, value
end

local function median(t)
  table.sort(t)
  return t[(#t + 1) // 2]
end

local function compare(what, bytes, ours, theirs, a, b)
  local times, others, ratios = {}, {}, {}
  for round = 0, rounds do
    local x = seconds(ours, a)
    local y = seconds(theirs, b)
    if round > 0 then -- the first one warms up
      times[round], others[round], ratios[round] = x, y, y / x
    end
  end
  local mid = median(ratios)
  print(("%s: adt.json %.0f MB/s, lua-cjson %.0f MB/s, ratio %.2f (%.2f to %.2f over %d rounds)"):format(
    what, bytes / median(times) / 1e6, bytes / median(others) / 1e6, mid, ratios[1], ratios[#ratios], rounds))
end

print(("%d pods, %.1f MB"):format(pods, #text / 1e6))
compare("decode", #text, json.decode, cjson.decode, text, text)
compare("encode", #text, json.encode, cjson.encode, json.decode(text), cjson.decode(text))
