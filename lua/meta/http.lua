---@meta adt.c.http

--- A request under way. <close> and the collector end it.
---@class adt.c.Http : userdata
local Http = {}

--- Waits until the head or the end is there, or there is something to do before: "send" (bytes of the body are wanted),
--- "body" (bytes of a pulled body are there; only before the end).
---@param what? "head"|"end"
---@return "send"|"body"|"head"|"end"|nil event, adt.Error? err
function Http:wait(what) end

--- The next bytes of a pushed body, after "send"; none: that was all.
---@param bytes? string at most 1 MiB
---@return boolean? done, adt.Error? err
function Http:send(bytes) end

--- The bytes of the response's body that are there: of a pulled one those since the last call, else all, after the end.
---@return string
function Http:take() end

--- What is known of the response; address, version and times after the end.
---@return { status: integer, reason: string, headers: adt.http.Header[], version: string, address: string, reused: boolean, received: integer, sent: integer, timing: adt.http.Timing }
function Http:response() end

function Http:close() end

---@class adt.c.http
local M = {}

--- Starts a request over the engine's connections. `headers` are lines; a `body` that is true is pushed, a `to` that is
--- true pulled; both take an open file (adt.c.File). Limits of time are seconds, 0 is none.
---@param options { url: string, method?: string, headers?: string[], body?: string|adt.c.File|true, size?: integer, to?: adt.c.File|true, max_body?: integer, unix?: string, proxy?: string, ca?: string, insecure?: boolean, compressed?: boolean, idempotent?: boolean, http?: "1.1"|"2", connect?: number, first?: number, idle?: number, total?: number }
---@return adt.c.Http? request, adt.Error? err
function M.start(options) end

--- A URL taken apart, relative to `base` if there is one. `where` holds neither query nor password.
---@param text string
---@param base? string
---@return { url: string, scheme: string, host: string, port: string, where: string }? parts, adt.Error? err
function M.url(text, base) end

return M
