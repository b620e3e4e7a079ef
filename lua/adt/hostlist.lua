--- Host lists as Slurm writes them: "n[01-03,7],head" and the list of names.
local c = require "adt.c.slurm"

local M = {}

local function only(value, err)
  if value == nil then
    return nil, err.message
  end
  return value
end

--- Why a name is no host, or nil. One that begins with a dash would be an option to the programs that get it.
---@param name string
---@return string? reason
function M.check(name)
  local _, reason = only(c.check(name))
  return reason
end

--- The names that a host list stands for, at most 65536.
---@param text string
---@return string[]? hosts
---@return string? reason when it is no host list
function M.expand(text)
  return only(c.expand(text))
end

--- The host list for names, in their order: "n[01-03]". Expanding it gives the same names again.
---@param hosts string[]
---@return string? text
---@return string? reason when one of them is no host
function M.fold(hosts)
  return only(c.fold(hosts))
end

-- Digits count as numbers: n2 comes before n10.
local function sort_key(name)
  return (name:gsub("%d+", function(digits) return ("0"):rep(20 - #digits) .. digits end))
end

--- Sorts names as people count: n1, n2, n10.
---@param hosts string[] sorted in place
---@return string[] hosts
function M.sort(hosts)
  local keys = {}
  for _, name in ipairs(hosts) do keys[name] = sort_key(name) end
  table.sort(hosts, function(a, b) return keys[a] < keys[b] end)
  return hosts
end

return M
