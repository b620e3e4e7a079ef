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

--- What is known of the response: the fields of adt.http.Response from status to sent, and timing; address, version and
--- times after the end.
---@return table
function Http:response() end

function Http:close() end

---@class adt.c.http.Options
---@field url string
---@field method? string
---@field headers? string[]
---@field body? string|adt.c.File|adt.c.Upload|true
---@field size? integer of the body; needed for a file
---@field to? adt.c.File|true
---@field tallies? { [1]: string, [2]: adt.c.Tally }[] the first whose header the response has ("": any) counts in what is written to the file
---@field max_body? integer
---@field unix? string
---@field proxy? string "": none
---@field ca? string
---@field insecure? boolean
---@field compressed? boolean
---@field idempotent? boolean
---@field http? "1.1"|"2"
---@field connect? number
---@field first? number
---@field idle? number
---@field total? number

---@class adt.c.http
local M = {}

--- Starts a request over the engine's connections. `headers` are lines; a `body` that is true is pushed, a `to` that is
--- true pulled; both take an open file (adt.c.File). Limits of time are seconds, 0 is none.
---@param options adt.c.http.Options
---@return adt.c.Http? request, adt.Error? err
function M.start(options) end

--- A URL taken apart, relative to `base` if there is one. `where` holds neither query nor password.
---@param text string
---@param base? string
---@return { url: string, scheme: string, host: string, port: string, where: string }? parts, adt.Error? err
function M.url(text, base) end

return M
