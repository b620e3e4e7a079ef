--- Peers that are a folder with `up` and `down` (tests/peers/README.md), for the modules that specs use: rgwpeer, motopeer.
local lfs = require "lfs"
local support = require "support"

local M = {}

local PEERS = lfs.currentdir() .. "/tests/peers/"

---@class folderpeer.Peer
---@field dir string its folder
---@field env table<string, string> as in DIR/env
local Peer = {}
Peer.__index = Peer

local function this_process()
  local file <close> = assert(io.popen "echo $PPID")
  return file:read "n"
end

--- Why it cannot be started here, for pending(); nil when it can.
---@param name string folder in tests/peers
---@param settings table<string, string>? for its `up`
---@return string?
function M.missing(name, settings)
  local result = support.run { PEERS .. name .. "/up", "--check", env = settings }
  return result.code ~= 0 and result.stderr:gsub("%s+$", "") or nil
end

--- Returns when it answers.
---@param name string
---@param settings table<string, string>?
---@return folderpeer.Peer
function M.start(name, settings)
  local file <close> = assert(io.popen("mktemp -d /tmp/adtlua-" .. name .. ".XXXXXX"))
  local p = setmetatable({ name = name, dir = assert(file:read "l"), env = {} }, Peer)
  local env = { OWNER = tostring(this_process()), PORT = false }
  for key, value in pairs(settings or {}) do env[key] = value end
  local result = support.run { PEERS .. name .. "/up", p.dir, env = env }
  if result.code ~= 0 then
    p:close()
    os.remove(p.dir)
    error(("%s ended with %d: %s%s"):format(name .. "/up", result.code, result.stdout, result.stderr), 3)
  end
  for key, value in support.read(p.dir .. "/env"):gmatch "export ([%w_]+)=([^\n]*)" do
    p.env[key] = value
  end
  return p
end

--- Ends it and removes the folder.
function Peer:close()
  local result = support.run { PEERS .. self.name .. "/down", self.dir, "--wipe" }
  if result.code ~= 0 then
    error(("%s ended with %d: %s"):format(self.name .. "/down", result.code, result.stderr), 2)
  end
end

Peer.__close = Peer.close

--- The processes that carry the peer's mark, and its keeper; for the specs that prove that nothing stays.
---@param mark string such as "ADT_RGW"
---@param dir string
---@return string
function M.processes(mark, dir)
  local found = {}
  for pid in lfs.dir "/proc" do
    if pid:find "^%d+$" then
      local function words(file)
        local handle <close> = io.open("/proc/" .. pid .. "/" .. file, "rb")
        return handle and handle:read "a" or ""
      end
      local line = words "cmdline"
      if ("\0" .. words "environ"):find("\0" .. mark .. "=" .. dir .. "\0", 1, true) or line:find("/keeper\0" .. dir .. "\0", 1, true) then
        found[#found + 1] = pid .. " " .. line:gsub("%z", " ")
      end
    end
  end
  return table.concat(found, "\n")
end

return M
