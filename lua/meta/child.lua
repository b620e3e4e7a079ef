---@meta adt.c.child

--- A child process. <close> and the collector end its group unless it is detached.
---@class adt.c.Child : userdata
local Child = {}

---@return integer pid, integer start_time clock ticks since boot
function Child:pid() end

--- Opens the gate of a gated child.
---@return boolean? done, adt.Error? err
function Child:go() end

--- Waits for its end.
---@return boolean? ended, integer|adt.Error|nil code, string? signal
function Child:wait() end

--- Without waiting.
---@return boolean ended, integer? code, string? signal
function Child:ended() end

--- Signals its group.
---@param signal? string|integer default TERM
---@return boolean? done, adt.Error? err
function Child:kill(signal) end

--- Waits for bytes; nil alone: the end.
---@param which? "stdout"|"stderr"|"both"
---@return string? bytes, string|adt.Error|nil stream
function Child:read(which) end

--- Waits for a line; nil alone: the end.
---@param which? "stdout"|"stderr"|"both"
---@param cr? "strip"|"split"|"keep"
---@return string? line, string|adt.Error|nil stream
function Child:line(which, cr) end

--- Waits until all is written.
---@param text string at most 1 GiB
---@return boolean? done, adt.Error? err
function Child:write(text) end

function Child:close_stdin() end

function Child:close() end

local M = {}

---@param argv string[]
---@param options table as adt.SpawnOptions
---@return adt.c.Child? child, adt.Error? err
function M.spawn(argv, options) end

return M
