---@meta adt.c.data

local M = {}

--- A file that is part of the program: "adt/aws/data/ec2/service-2.json".
---@param name string its path below lua/
---@return string? text nil when there is none
---@return adt.Error? err
function M.read(name) end

---@return string[] names of all such files, sorted
function M.names() end

--- What a gzip file holds.
---@param bytes string
---@param max integer bytes at most
---@return string? text, adt.Error? err BadGzip, TooBig
function M.gunzip(bytes, max) end

return M
