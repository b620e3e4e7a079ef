---@meta adt.c.process

local M = {}

---@param program string
---@return string? path
function M.find(program) end

---@param pid integer
---@return integer? ticks nil: no such process, or a zombie
function M.start_time(pid) end

---@param pid integer
---@param signal? string|integer default TERM
---@param start_time? integer only if it started then
---@param group? boolean its whole group
---@return boolean? done, adt.Error? err
function M.kill(pid, signal, start_time, group) end

---@return adt.ProcessEntry[]? processes, adt.Error? err
function M.list() end

---@return adt.Self
function M.self() end

---@return boolean? done, adt.Error? err
function M.reaper() end

---@param name? string
---@return string|table<string, string>|nil
function M.env(name) end

---@param name string
---@param value? string
function M.setenv(name, value) end

---@param number integer
---@return string
function M.signal_name(number) end

---@param name string
---@return integer?
function M.signal_number(name) end

return M
