---@meta adt.c.file

--- An open file. Closed by <close> and the collector.
---@class adt.c.File : userdata
local File = {}

--- nil alone: the end.
---@param n? integer bytes, default 64 KiB
---@return string? bytes, adt.Error? err
function File:read(n) end

---@param offset integer
---@param n? integer
---@return string? bytes, adt.Error? err
function File:pread(offset, n) end

---@param text string
---@return boolean? done, adt.Error? err
function File:write(text) end

---@param offset integer from the start
---@return boolean? done, adt.Error? err
function File:seek(offset) end

---@return integer? bytes, adt.Error? err
function File:size() end

--- On a thread; waits.
---@return boolean? done, adt.Error? err
function File:sync() end

---@param size integer
---@return boolean? done, adt.Error? err
function File:truncate(size) end

--- Of the open file (fcntl); false: another holds it. Never blocks.
---@param kind? "exclusive"|"shared"|"none"
---@return boolean? got, adt.Error? err
function File:lock(kind) end

--- flock(2); false: another holds it. Never blocks.
---@param kind? "exclusive"|"shared"|"none"
---@return boolean? got, adt.Error? err
function File:flock(kind) end

---@return integer
function File:fileno() end

---@return boolean? done, adt.Error? err
function File:close() end

local M = {}

---@param path string
---@param mode? "r"|"r+"|"w"|"w+"|"a"|"a+"|"x"|"x+"
---@param permissions? integer of a new file, default 0600
---@return adt.c.File? file, adt.Error? err
function M.open(path, mode, permissions) end

return M
