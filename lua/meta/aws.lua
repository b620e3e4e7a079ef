---@meta adt.c.aws

local M = {}

---@class adt.c.aws.Stream
local Stream = {}

---@param bytes string
---@return string? encoded, adt.Error? err
function Stream:chunk(bytes) end

---@param ... string values of the trailers, in their order
---@return string? encoded, adt.Error? err
function Stream:finish(...) end

---@return integer bytes of the encoded body
function Stream:length() end

function Stream:close() end

---@param options table
---@return adt.http.Header[]? headers, adt.Error? err
function M.headers(options) end

---@param options table
---@return string? url, adt.Error? err
function M.presign(options) end

---@param options table  trailers as { { name, length of its value } ... }
---@return adt.c.aws.Stream? stream, adt.http.Header[]|adt.Error headers_or_err
function M.stream(options) end

--- Of the last signature.
---@return string canonical_request, string string_to_sign
function M.explain() end

---@param access_key? string
function M.forget(access_key) end

return M
