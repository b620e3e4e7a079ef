--- Looking for a job whose number nobody has kept: in the controller, in the accounts, and in how long either remembers.
local errors = require "adt.error"
local process = require "adt.process"
local time = require "adt.time"

local M = {}

-- Clocks of the head node and of the controller may differ, and a database may lag behind.
local MARGIN = 30

local function leader(jobs, key, dir)
  local best
  for _, job in ipairs(jobs) do
    if job.comment == "adtlua:" .. key or job.dir == dir then
      local number = job.array_id or job.het_id or job.id
      -- The first one has the claim, should there ever be two.
      if not best or number < best then best = number end
    end
  end
  return best
end

--- Slurm's number of the job that was submitted with a key from a folder; nil when it was certainly not submitted.
--- Raises cause "unknown" when that cannot be told: nobody answers, or Slurm has forgotten jobs of that time.
---@param client table
---@param key string
---@param dir string the job's folder, which is its working directory
---@param written number when its script was written, epoch seconds
---@param name string of the job, for the message
---@return integer? number
function M.search(client, key, dir, written, name)
  local me = process.self()
  local user = me.user or tostring(me.uid)
  local found = leader(client:jobs { user = user }, key, dir)
  if found then return found end
  local known = client:accounts { user = user, since = math.floor(written) - MARGIN }
  found = known and leader(known, key, dir)
  if found then return found end
  local memory, age = client:config().memory, time.now() - written
  if known or age + MARGIN < memory then
    return nil
  end
  errors.raise { cause = "unknown", code = "JobForgotten",
    message = ("whether job '%s' was submitted cannot be told: it was about to be, %s ago, and Slurm remembers ended jobs for %d s")
      :format(name, time.format(age), memory),
    hint = ("if it never ran (nothing in %s), remove its job.sh there and resume"):format(dir) }
end

return M
