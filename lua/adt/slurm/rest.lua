--- Slurm by slurmrestd: HTTP over a UNIX socket or TCP on a kept connection, with a token where one is needed.
local csecret = require "adt.c.secret"
local errors = require "adt.error"
local fs = require "adt.fs"
local http = require "adt.http"
local json = require "adt.json"
local parse = require "adt.slurm.parse"
local process = require "adt.process"
local restbody = require "adt.slurm.restbody"
local state = require "adt.slurm.state"
local time = require "adt.time"

local M = {}

---@class adt.slurm.RestOptions
---@field url? string "http://head:6820", best through a tunnel: slurmrestd has no TLS of its own
---@field socket? string path of its UNIX socket
---@field user? string for the token (this user)
---@field token_file? string a file that only its owner may read; otherwise $SLURM_JWT, or `scontrol token`
---@field version? string "v0.0.40", instead of the highest that both sides know

---@class adt.slurm.Rest
---@field kind "rest"
local Rest = {}
Rest.__index = Rest

local FIELDS = { "url", "socket", "user", "token_file", "version" }

-- The forms of answers are known for these, from 21.08 to 26.05.
local OLDEST, NEWEST = 37, 45

local TIMEOUT = { connect = 10, total = 60 }

-- A token of ours is asked for anew before it ends.
local LIFESPAN, RENEW_BEFORE = 1800, 120

-- How far back the accounts of a user are looked through when nobody says.
local WHILE = 30 * 86400

-- Asked one by one, a few jobs cost less than a list of all.
local FEW = 8

---@param options adt.slurm.RestOptions
---@return adt.slurm.Rest
function M.new(options)
  errors.check_options("rest", options, FIELDS)
  if (options.url == nil) == (options.socket == nil) then
    errors.raise { cause = "usage", message = "rest needs either url or socket", hint = 'write rest: { socket: /run/slurmrestd.sock }' }
  elseif options.url and not options.url:match "^https?://[^/]+$" then
    errors.raise { cause = "usage", message = ("rest.url '%s' is no http://host:port"):format(options.url) }
  elseif options.version and not options.version:match "^v0%.0%.%d+$" then
    errors.raise { cause = "usage", message = ("rest.version '%s' is no version such as v0.0.40"):format(options.version) }
  end
  return setmetatable({ kind = "rest", base = options.url or "http://localhost", socket = options.socket, token_file = options.token_file,
    user = options.user or process.self().user, wanted = options.version }, Rest)
end

-- --- the token -------------------------------------------------------------------------------------------------------

local function from_file(file)
  local st = fs.stat(file)
  if not st then
    errors.raise { cause = "auth", code = "NoToken", message = ("the token file %s is not there"):format(file),
      hint = "scontrol token lifespan=3600 > FILE; chmod 600 FILE" }
  elseif st.mode & 63 ~= 0 then
    errors.raise { cause = "auth", code = "TokenIsOpen", message = ("others may read the token file %s"):format(file), hint = "chmod 600 " .. file }
  end
  return fs.read(file, { max = 64 * 1024 }):match "^%s*SLURM_JWT=(%S+)" or fs.read(file, { max = 64 * 1024 }):match "^%s*(%S+)%s*$"
end

local function from_scontrol()
  local result = process.run { "scontrol", "token", ("lifespan=%d"):format(LIFESPAN), check = false, timeout = 30, read_only = true }
  local token = result.ok and result.stdout:match "SLURM_JWT=(%S+)"
  if not token then
    errors.raise { cause = "auth", code = "NoToken",
      message = "there is no token for slurmrestd, and scontrol gives none: " .. result.stderr:sub(1, 300),
      hint = "set SLURM_JWT, or token_file in the target's description" }
  end
  return token, time.monotonic() + LIFESPAN - RENEW_BEFORE
end

-- A UNIX socket knows its peer by itself.
function Rest:headers()
  if self.socket and not self.token_file and not process.env "SLURM_JWT" then
    return {}
  end
  -- A file is read each time: whoever writes tokens there replaces them before they end.
  if self.token_file or not self.token or self.renew and time.monotonic() > self.renew then
    if self.token_file then
      self.token = from_file(self.token_file)
    elseif process.env "SLURM_JWT" then
      self.token = process.env "SLURM_JWT"
    else
      self.token, self.renew = from_scontrol()
    end
    if not self.token then
      errors.raise { cause = "auth", code = "NoToken", message = ("the token file %s holds no token"):format(self.token_file),
        hint = "scontrol token lifespan=3600 > FILE" }
    end
    csecret.add(self.token)
  end
  return { ["X-SLURM-USER-NAME"] = self.user, ["X-SLURM-USER-TOKEN"] = self.token }
end

-- --- requests --------------------------------------------------------------------------------------------------------

local function unknown(message, hint)
  errors.raise { cause = "unknown", code = "SlurmSilent", retryable = true, message = message, hint = hint }
end

function Rest:send(method, path, body, read_only)
  local headers = self:headers()
  if body then headers["Content-Type"] = "application/json" end
  local response, err = errors.try(http.request, { url = self.base .. path, method = method, headers = headers, body = body,
    unix = self.socket, timeout = TIMEOUT, read_only = read_only or method == "GET" or nil })
  if not response then
    if err.cause == "config" or err.cause == "usage" then error(err, 0) end
    unknown(("slurmrestd: %s"):format(err.message), "is slurmrestd running at " .. (self.socket or self.base) .. "?")
  end
  return response
end

local REFUSED = "scontrol token makes a new token; its user and ours must be the same, and clocks must agree"

local NO_JOB, NO_RESULT, UNSPECIFIED, NO_BYTES, BAD_TOKEN = 2017, 9003, -1, 5005, 1007

-- A number that no job may have.
local NOWHERE = 4294967290

-- 22.05 calls it an unspecified error of each question alike when slurmctld is away and when it has refused the token. What
-- it says of ending a job that cannot be there is exact: then slurmctld hangs up on a token that it does not take.
local function specified(self, note)
  if not note or note.code ~= UNSPECIFIED or not self.version then return note end
  local response = self:send("DELETE", ("/slurm/v0.0.%d/job/%d"):format(self.version, NOWHERE), nil, true)
  local answer = errors.try(parse.json, response.body or "")
  local exact = answer and answer.errors[1]
  if exact and exact.code == NO_BYTES then
    return { code = BAD_TOKEN, text = ("slurmctld has hung up (%s)"):format(exact.text) }
  end
  return exact and exact.code ~= NO_JOB and exact or note
end

local function is_auth(response, note)
  return response.status == 401 or note and (note.code == BAD_TOKEN or note.text:find("uthentication", 1, true))
end

local function raise_error(self, response, note, what)
  note = specified(self, note)
  local text = note and note.text or ("HTTP status %d: %s"):format(response.status, (response.body or ""):sub(1, 200))
  if is_auth(response, note) then
    errors.raise { cause = "auth", code = "SlurmRefused", message = ("slurmrestd does not accept us: %s"):format(text), hint = REFUSED }
  elseif state.unreached(text) or response.status >= 502 then
    unknown(("slurmrestd: %s: %s"):format(what, text), "slurmrestd is up, but slurmctld does not answer it")
  end
  local cause, hint = state.refusal(text)
  errors.raise { cause = cause, code = "SlurmRefused", message = ("slurmrestd: %s: %s"):format(what, text), hint = hint }
end

-- A job that cannot start now is taken with a number and a complaint: "Required node not available".
local function was_taken(answer)
  return answer and (answer.job_id or 0) > 0
end

--- One request; nil where it says that there is no such job.
function Rest:ask(method, path, body)
  local response = self:send(method, path, body)
  if response.status == 404 then
    return nil, response
  end
  local answer, bad = errors.try(parse.json, response.body or "")
  local note = answer and answer.errors[1]
  if note and (note.code == NO_JOB or note.code == NO_RESULT) then
    return nil, response
  elseif (not response.ok or note and note.code ~= 0) and not was_taken(answer) then
    raise_error(self, response, note, method .. " " .. path)
  elseif not answer then
    error(bad, 0)
  end
  return answer, response
end

-- --- versions --------------------------------------------------------------------------------------------------------

local function offered(text)
  local slurm, slurmdb = {}, {}
  for name, version in text:gmatch '"\\?/(slurm[db]*)\\?/v0%.0%.(%d+)\\?/' do
    (name == "slurm" and slurm or slurmdb)[math.tointeger(tonumber(version))] = true
  end
  return slurm, slurmdb
end

local function highest(versions)
  local best
  for version in pairs(versions) do
    if version >= OLDEST and version <= NEWEST and (not best or version > best) then best = version end
  end
  return best
end

local function list(versions)
  local all = {}
  for version in pairs(versions) do all[#all + 1] = "v0.0." .. version end
  table.sort(all)
  return #all > 0 and table.concat(all, ", ") or "none"
end

-- Which version to speak: the highest that both sides know.
function Rest:discover()
  if self.version then return end
  local response = self:send("GET", "/openapi/v3")
  if not response.ok then
    local answer = errors.try(parse.json, response.body or "")
    raise_error(self, response, answer and answer.errors[1], "GET /openapi/v3")
  end
  local slurm, slurmdb = offered(response.body)
  if self.wanted then
    local version = math.tointeger(tonumber(self.wanted:match "(%d+)$"))
    slurm = slurm[version] and { [version] = true } or {}
  end
  self.version, self.db = highest(slurm), highest(slurmdb)
  if not self.version then
    errors.raise { cause = "config", code = "UnknownVersion",
      message = ("slurmrestd offers %s; this program knows v0.0.%d to v0.0.%d%s"):format(list(offered(response.body)), OLDEST, NEWEST,
        self.wanted and ", and " .. self.wanted .. " was asked for" or ""),
      hint = "start slurmrestd with an older plugin (-s openapi/slurmctld -d v0.0.40), or use a newer adtlua" }
  end
end

function Rest:path(rest)
  self:discover()
  return ("/slurm/v0.0.%d/%s"):format(self.version, rest)
end

-- --- what adt.slurm.cli can do, too ----------------------------------------------------------------------------------

local function chosen(jobs, filter)
  if filter.user == nil and filter.ids == nil then return jobs end
  local ids, found = {}, {}
  for _, id in ipairs(filter.ids or {}) do ids[id] = true end
  for _, job in ipairs(jobs) do
    local by_id = not filter.ids or ids[job.id] or ids[job.array_id] or ids[job.het_id]
    if by_id and (not filter.user or job.user == filter.user) then found[#found + 1] = job end
  end
  return found
end

---@param filter { ids: integer[]?, user: string? }
---@return adt.slurm.Job[]
function Rest:jobs(filter)
  if not filter.ids or #filter.ids > FEW then
    local answer = self:ask("GET", self:path "jobs")
    return chosen(answer and answer.jobs or {}, filter)
  end
  local jobs = {}
  for _, id in ipairs(filter.ids) do
    local answer = self:ask("GET", self:path("job/" .. id))
    for _, job in ipairs(answer and answer.jobs or {}) do jobs[#jobs + 1] = job end
  end
  return chosen(jobs, filter)
end

---@param id integer
---@return adt.slurm.Job?
function Rest:job(id)
  return self:jobs({ ids = { id } })[1]
end

---@param filter { ids: integer[]?, user: string?, since: integer? }
---@return adt.slurm.Job[]? nil where slurmrestd has no plugin for the database
function Rest:accounts(filter)
  self:discover()
  if not self.db then return nil end
  local base = ("/slurmdb/v0.0.%d/"):format(self.db)
  if filter.ids then
    local jobs = {}
    for _, id in ipairs(filter.ids) do
      local answer = self:ask("GET", base .. "job/" .. id)
      for _, job in ipairs(answer and answer.jobs or {}) do jobs[#jobs + 1] = job end
    end
    return jobs
  end
  -- A day is the one form of a time that all versions take as it is; the rest is sorted out here.
  local answer = self:ask("GET", base .. "jobs?start_time=" .. os.date("%Y-%m-%d", math.floor(filter.since or time.now() - WHILE) - 86400))
  return chosen(answer and answer.jobs or {}, { user = filter.user })
end

--- Submits a script; slurmrestd does not read its `#SBATCH` lines, so what they ask for goes beside it.
---@param submission adt.slurm.Submission
---@return integer id
function Rest:submit(submission)
  self:discover()
  local environment = require("adt.slurm.cli").environment()
  environment.SLURM_CONF, environment.SLURM_JWT = nil, nil
  local body = restbody.encode(submission.parts, fs.read(submission.script), environment, self.version)
  if submission.asked then submission.asked() end
  local answer = self:ask("POST", self:path "job/submit", body)
  if not was_taken(answer) then
    errors.raise { cause = "service", code = "BadAnswer", message = "slurmrestd took the job and gave no number for it" }
  end
  fs.write(submission.answer, ("%d\n"):format(answer.job_id))
  return answer.job_id
end

--- There is no child whose answer could be in a file.
---@param answer string
---@return integer?
function Rest:submitted(answer)
  return fs.exists(answer) and math.tointeger(tonumber((fs.read(answer):match "^%d+"))) or nil
end

--- slurmrestd has no question for whether it would take a job, so a plan by it knows what partitions say and no more.
function Rest.test()
end

---@param ids integer[]
function Rest:cancel(ids)
  for _, id in ipairs(ids) do self:ask("DELETE", self:path("job/" .. id)) end
end

---@return adt.slurm.Node[]
function Rest:nodes()
  local answer = self:ask("GET", self:path "nodes")
  return answer and answer.nodes or {}
end

---@return adt.slurm.Partition[]
function Rest:partitions()
  local answer = self:ask("GET", self:path "partitions")
  return answer and answer.partitions or {}
end

---@return adt.slurm.Reservation[]
function Rest:reservations()
  local answer = self:ask("GET", self:path "reservations")
  return answer and answer.reservations or {}
end

-- The first version in which a node can be changed.
local NODE_UPDATE = 39

---@param name string
---@param to "drain"|"resume"
---@param reason? string
function Rest:set_node(name, to, reason)
  self:discover()
  if self.version < NODE_UPDATE then
    errors.raise { cause = "usage", code = "TargetCannot", message = ("slurmrestd v0.0.%d cannot change nodes"):format(self.version),
      hint = "use a target without rest, on the head node" }
  end
  self:ask("POST", self:path("node/" .. name), json.encode { state = json.array { to:upper() }, reason = reason })
end

function Rest:reboot()
  errors.raise { cause = "usage", code = "TargetCannot", message = "slurmrestd cannot reboot nodes",
    hint = "use a target without rest, on the head node" }
end

-- It does not tell MinJobAge. Slurm's own default; what ran has left its claim in any case.
local MEMORY = 300

--- How long the controller remembers.
---@return { memory: number }
function Rest:config()
  return { memory = MEMORY }
end

return M
