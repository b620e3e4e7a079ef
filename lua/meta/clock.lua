---@meta adt.c.clock

local M = {}

--- Seconds since 1970 UTC, plus what turn() added.
---@return number
function M.now() end

---@return number
function M.monotonic() end

--- Moves now(), for tests.
---@param seconds number
function M.turn(seconds) end

--- What the kernel knows of this machine's clock.
---@return boolean? synchronised, number|adt.Error offset, number? max_error seconds
function M.sync() end

return M
