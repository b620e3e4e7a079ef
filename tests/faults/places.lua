--- Where the crash test's jobs run: this machine, or a private Slurm cluster with or without accounts.
local errors = require "adt.error"
local path = require "adt.path"
local process = require "adt.process"

local M = {}

--- This machine.
function M.here()
  return { name = "local", words = {}, env = {}, at_once = 1, faults = { "local.forked", "local.journalled", "local.opened", "local.told" },
    supervised = true, pause = 0.2, close = function() end }
end

local function peer(place, ...)
  local words = { path.absolute("tests/peers/slurm/" .. (...)), table.unpack({ ... }, 2) }
  words.env = place.settings
  return process.run(words).stdout
end

-- Jobs of a subject that have not ended: their working folder lies below its own.
local function jobs_left(place)
  return function(subject)
    local left = {}
    local result = errors.try(process.run, { "squeue", "--noheader", "--format=%i %T %Z", env = place.env, timeout = 30 })
    for id, state, dir in (result and result.stdout or ""):gmatch "(%S+) (%S+) ([^\n]+)" do
      if dir:find(subject.dir.path, 1, true) then
        left[("job %s %s"):format(id, state)] = function() process.run { "scancel", id, env = place.env } end
      end
    end
    return left
  end
end

--- A private cluster; its controller can be stopped and started.
---@param accounts boolean
function M.slurm(accounts)
  local dir = process.run({ "mktemp", "-d", "/tmp/adtlua-kills.XXXXXX" }).stdout:match "%S+"
  local place = { name = accounts and "slurm with accounts" or "slurm", words = { "--target", "cluster" }, at_once = 4, pause = 3,
    faults = { "slurm.written", "slurm.asked", "slurm.answered" },
    settings = { OWNER = tostring(process.self().pid), ACCT = accounts and "dbd" or "none", CPUS = "32", MEM = "16384", REST = "0" },
    config = "targets:\n  cluster: { kind: slurm, patience: 60s, mem: 100M }\n" }
  local env = peer(place, "up", dir, "2") and require("adt.fs").read(dir .. "/env")
  place.env = { SLURM_CONF = env:match "export SLURM_CONF=([^\n]+)" }
  place.left = jobs_left(place)
  function place.controller(what) peer(place, "ctl", dir, what .. "-controller") end
  function place.close() peer(place, "down", dir, "--wipe", "--clients") end
  return place
end

-- What a subject has left in its own cloud.
local function stands(place)
  local aws = require "adt.aws"
  local where = { region = place.region, endpoint = place.env.AWS_ENDPOINT_URL, credentials = { access_key = "test", secret = "test" } }
  local left = {}
  for _, stack in ipairs(aws.client("cloudformation", where):DescribeStacks({}).Stacks or {}) do left[#left + 1] = "stack " .. stack.StackName end
  for _, vpc in ipairs(aws.client("ec2", where):DescribeVpcs({}).Vpcs or {}) do
    if not vpc.IsDefault then left[#left + 1] = "VPC " .. vpc.VpcId end
  end
  return left
end

--- An AWS whose CloudFormation works: one subject at a time, with nothing in it when that begins.
function M.cloud()
  package.path = "tests/lua/?.lua;" .. package.path
  local cloud = require("cloudpeer").start { control = { pace = 5 } }
  local place = { name = "aws", words = {}, env = cloud.environ, at_once = 1, region = cloud.region, pause = 2.2, cloud = cloud }
  place.stands = stands
  function place.fresh()
    cloud:reset()
    cloud:control { pace = 5 }
  end
  -- How many stacks were begun: one change set is executed, whatever was interrupted.
  function place.starts()
    local n = 0
    for _, entry in ipairs(cloud:log()) do
      if entry.service == "cloudformation" and entry.operation == "ExecuteChangeSet" and entry.status == 200 then n = n + 1 end
    end
    return n
  end
  function place.close() cloud:__close() end
  return place
end

return M
