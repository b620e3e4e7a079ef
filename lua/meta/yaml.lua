---@meta adt.c.yaml
-- luacheck: no unused args

local M = {}

---@param text string
---@param opts? adt.yaml.DecodeOptions
---@return any value nil on failure
---@return adt.Error? err
function M.decode(text, opts) end

---@param text string
---@param opts? adt.yaml.DecodeOptions
---@return any[]? values
---@return adt.Error? err
function M.decode_all(text, opts) end

---@param value any
---@return string? text
---@return adt.Error? err
function M.encode(value) end

return M
