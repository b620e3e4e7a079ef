--- Private Slurm clusters for specs: real daemons in a folder of their own, gone with the variable or with this process.
local support = require "support"
local lfs = require "lfs"

local M = {}

local PEER = lfs.currentdir() .. "/tests/peers/slurm"

--- cluster.start()'s options, and the settings of tests/peers/slurm/up that they are.
---@class cluster.Options
---@field nodes integer? n1 to nN (4)
---@field acct string? "none" or "dbd": accounting with slurmdbd, the account `default` and the QOS `tiny`
---@field rest boolean? slurmrestd, by unix socket and by token
---@field cpus integer? of each node (4)
---@field mem integer? MiB of each node (2048)
---@field gpus integer? of each node (2)
---@field conf table<string|integer, string|integer>? for slurm.conf: key to value, or whole lines
---@field node_extra table<string|integer, string>? words for the lines of all nodes ([1]) or of one (n2 = "Feature=x")
---@field user string? an existing user, who gets an account and runs slurmrestd
---@field owner integer? the process with which the cluster ends (this one)
local SETTINGS = {
  acct = "ACCT", rest = "REST", cpus = "CPUS", mem = "MEM", gpus = "GPUS", user = "TEST_USER", owner = "OWNER",
  nodes = false, conf = false, node_extra = false,
}

-- What would make a cluster of the machine, or of another test, answer instead of this one.
local function foreign_variables()
  local names = {}
  for name in support.read("/proc/self/environ"):gmatch "([^=%z]+)=[^%z]*" do
    if name:find "^SLURM" or name:find "^SBATCH_" or name:find "^SALLOC_" or name:find "^PEER_" then
      names[name] = false
    end
  end
  return names
end

local function this_process()
  local file <close> = assert(io.popen "echo $PPID")
  return file:read "n"
end

-- Everything set, so that the caller's own variables of these names decide nothing.
local function settings_of(options)
  local env = foreign_variables()
  env.CONF_EXTRA, env.NODE_EXTRA, env.PORT = "", "", false
  for option in pairs(options) do
    assert(SETTINGS[option] ~= nil, "cluster.start has no option '" .. tostring(option) .. "'")
  end
  for option, name in pairs(SETTINGS) do
    if name then
      env[name] = options[option] ~= nil and tostring(options[option]) or false
    end
  end
  env.REST = options.rest and "1" or "0"
  env.OWNER = tostring(options.owner or this_process())
  local lines = {}
  for key, value in pairs(options.conf or {}) do
    lines[#lines + 1] = type(key) == "number" and value or key .. "=" .. value
  end
  env.CONF_EXTRA = table.concat(lines, "\n")
  for node, words in pairs(options.node_extra or {}) do
    env[node == 1 and "NODE_EXTRA" or "NODE_EXTRA_" .. node] = words
  end
  return env
end

local function peer(script, ...)
  return { PEER .. "/" .. script, ... }
end

--- Why no cluster can be started here, for pending(); nil when one can.
---@param options cluster.Options?
---@return string?
function M.missing(options)
  local command = peer("up", "--check")
  command.env = settings_of(options or {})
  local result = support.run(command)
  return result.code ~= 0 and "Slurm: " .. result.stderr:gsub("^up: ", ""):gsub("%s+$", "") or nil
end

---@class cluster.Cluster
---@field dir string its folder
---@field env table<string, string> SLURM_CONF, PEER_DIR, PEER_LOG, PEER_REST_SOCKET, PEER_REST_URL ... as in DIR/env
local Cluster = {}
Cluster.__index = Cluster

local function must(result, what)
  if result.code ~= 0 then
    error(("%s ended with %d: %s%s"):format(what, result.code, result.stdout, result.stderr), 3)
  end
  return result
end

--- Returns when all nodes are ready: `local c <close> = cluster.start { nodes = 2, acct = "dbd", rest = true }`.
---@param options cluster.Options?
---@return cluster.Cluster
function M.start(options)
  options = options or {}
  local env = settings_of(options)
  -- Below /tmp itself, since jobs and slurmrestd are other users, to whom a test's own folder is closed.
  local file <close> = assert(io.popen "mktemp -d /tmp/adtlua-slurm.XXXXXX")
  local c = setmetatable({ dir = assert(file:read "l"), env = {} }, Cluster)
  local command = peer("up", c.dir, tostring(options.nodes or 4))
  command.env = env
  local result = support.run(command)
  if result.code ~= 0 then
    c:close()
    os.remove(c.dir)
    must(result, "up")
  end
  for name, value in support.read(c.dir .. "/env"):gmatch "export ([%w_]+)=([^\n]*)" do
    c.env[name] = value
  end
  return c
end

--- What a program needs to see this cluster and no other.
---@return table<string, string|boolean> as support.run() takes it
function Cluster:environment()
  local env = foreign_variables()
  for name, value in pairs(self.env) do
    env[name] = value
  end
  return env
end

--- Runs a program to its end as a client of this cluster: c:run { "sinfo", "-h" }.
---@param command table as for support.run()
---@return support.Result
function Cluster:run(command)
  local all = { env = self:environment() }
  for k, v in pairs(command) do
    if k ~= "env" then
      all[k] = v
    end
  end
  for name, value in pairs(command.env or {}) do
    all.env[name] = value
  end
  return support.run(all)
end

--- Runs a program that must succeed: its standard output, without the last line's end.
---@param ... string
---@return string
function Cluster:output(...)
  return (must(self:run { ... }, ...).stdout:gsub("\n$", ""))
end

--- Stops, freezes, kills and starts single daemons: c:ctl("stop-controller"), c:ctl("kill-node", "n2").
---@param verb string see tests/peers/slurm/ctl
---@param node string?
function Cluster:ctl(verb, node)
  must(support.run(peer("ctl", self.dir, verb, node)), "ctl " .. verb)
end

---@class cluster.Job
---@field id string
---@field state string "RUNNING", "PENDING" ...
---@field name string
---@field partition string
---@field user string
---@field nodes string a host list, empty while there are none
---@field reason string

local FIELDS = { "id", "state", "name", "partition", "user", "nodes", "reason" }

--- The jobs that squeue lists: c:jobs("-t", "all").
---@param ... string further words for squeue
---@return cluster.Job[]
function Cluster:jobs(...)
  local jobs = {}
  for line in self:output("squeue", "-h", "-o", "%i|%T|%j|%P|%u|%N|%r", ...):gmatch "[^\n]+" do
    local job, n = {}, 0
    for value in line:gmatch "[^|]*" do
      n = n + 1
      job[FIELDS[n]] = value
    end
    jobs[#jobs + 1] = job
  end
  return jobs
end

--- Ends everything and removes the folder.
function Cluster:close()
  must(support.run(peer("down", self.dir, "--wipe", "--clients")), "down")
end

Cluster.__close = Cluster.close

return M
