--- A Slurm cluster for recipe authors: its nodes, partitions, jobs and reservations, in one form for all of Slurm's
--- versions, by its commands or by slurmrestd.
---
---   for _, node in ipairs(adt.slurm.nodes()) do print(node.name, node.state, node.reason) end
---   local remote = adt.slurm.cluster { rest = { url = "http://127.0.0.1:6820", token_file = "/run/slurm/token" } }
---   remote:jobs { user = "ada" }
local errors = require "adt.error"

local M = {}

---@class adt.slurm.Client
---@field kind "cli"|"rest"
---@field jobs fun(self, filter?: { ids: integer[]?, user: string? }): adt.slurm.Job[] that the controller knows; ended ones for minutes
---@field accounts fun(self, filter: { ids: integer[]?, user: string?, since: integer? }): adt.slurm.Job[]? of the database; nil without one
---@field job fun(self, id: integer): adt.slurm.Job? with all that the controller knows of it
---@field nodes fun(self): adt.slurm.Node[]
---@field partitions fun(self): adt.slurm.Partition[]
---@field reservations fun(self): adt.slurm.Reservation[]
---@field cancel fun(self, ids: integer[])
---@field set_node fun(self, name: string, to: "drain"|"resume", reason: string?)

local here

-- The cluster that the commands on PATH belong to.
local function default()
  here = here or M.cluster {}
  return here
end

--- A cluster by its commands (the default), or by slurmrestd.
---@param spec { rest: adt.slurm.RestOptions? }
---@return adt.slurm.Client
function M.cluster(spec)
  errors.check_options("slurm.cluster", spec, { "rest" })
  return spec.rest and require("adt.slurm.rest").new(spec.rest) or require("adt.slurm.cli").new()
end

--- Jobs that the controller of this machine's cluster knows.
---@param filter? { ids: integer[]?, user: string? }
---@return adt.slurm.Job[] # raises: unknown (nobody answers), config (no Slurm here), auth
function M.jobs(filter)
  return default():jobs(filter or {})
end

--- What its accounts know of jobs; nil where it keeps none.
---@param filter { ids: integer[]?, user: string?, since: integer? } since: epoch seconds
---@return adt.slurm.Job[]?
function M.accounts(filter)
  return default():accounts(filter)
end

--- Its nodes.
---@return adt.slurm.Node[]
function M.nodes()
  return default():nodes()
end

--- Its partitions.
---@return adt.slurm.Partition[]
function M.partitions()
  return default():partitions()
end

--- Its reservations.
---@return adt.slurm.Reservation[]
function M.reservations()
  return default():reservations()
end

return M
