---@meta adt.c.hash

local M = {}

---@param name adt.HashName
---@param text string
---@param raw? boolean bytes instead of hex
---@return string? digest, adt.Error? err
function M.digest(name, text, raw) end

---@param name "sha256"|"sha1"|"md5"
---@param key string
---@param text string
---@param raw? boolean
---@return string? digest, adt.Error? err
function M.hmac(name, key, text, raw) end

--- On a thread; waits.
---@param name adt.HashName
---@param path string
---@param raw? boolean
---@return string? digest, adt.Error? err
function M.file(name, path, raw) end

---@class adt.c.Tally : userdata
local Tally = {}

---@param bytes string
function Tally:add(bytes) end

--- Begins anew.
---@param raw? boolean
---@return string digest
function Tally:finish(raw) end

function Tally:close() end

---@param name adt.HashName
---@return adt.c.Tally? tally, adt.Error? err
function M.new(name) end

---@param bytes string
---@param url? boolean
---@return string
function M.base64_encode(bytes, url) end

---@param text string
---@return string? bytes, adt.Error? err
function M.base64_decode(text) end

return M
