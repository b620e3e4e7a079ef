---@meta adt.c.upload

---@class adt.c.Upload : userdata a body for adt.c.http.start()
local Upload = {}

---@return integer bytes of the encoded body
function Upload:length() end

function Upload:close() end

local M = {}

M.PIECE = 262144 -- the size of chunks that are framed without a copy

--- The first `size` bytes of a file in the encoding of `stream`, which has ended for everybody else.
---@param file adt.c.File|file*
---@param size integer
---@param stream adt.c.aws.Stream
---@param hash? adt.HashName whose value is the stream's only trailer; nil when it has none
---@return adt.c.Upload? upload, adt.Error? err
function M.new(file, size, stream, hash) end

return M
