---@meta adt.c.secret

local M = {}

--- Values under 8 bytes are accepted and not redacted.
---@param value string
function M.add(value) end

---@param text string
---@return string text with every value as "<secret>"
function M.redact(text) end

---@return boolean
function M.any() end

function M.forget() end

return M
