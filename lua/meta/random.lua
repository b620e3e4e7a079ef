---@meta adt.c.random

local M = {}

---@param n integer at most 1 MiB
---@return string
function M.bytes(n) end

return M
