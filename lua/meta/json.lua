---@meta adt.c.json
-- luacheck: no unused args

local M = {}

--- A light userdata of NULL.
---@type lightuserdata
M.null = nil

---@type table
M.array_mt = nil

---@param text string
---@param opts? adt.json.DecodeOptions
---@return any value nil on failure
---@return adt.Error? err
function M.decode(text, opts) end

---@param value any
---@param opts? { indent?: integer }
---@return string? text
---@return adt.Error? err
function M.encode(value, opts) end

---@param t? table
---@return table t
function M.array(t) end

return M
