--- moto for specs: many AWS services' shapes and flows in one private server; gone with the variable or with this process.
local folderpeer = require "folderpeer"

local M = {}

local OPTIONS = { auth_after = true }

--- Why none can be started here, for pending(); nil when one can.
---@return string?
function M.missing()
  return folderpeer.missing "moto"
end

---@class motopeer.Peer
---@field url string the endpoint of every service
---@field region string
---@field keys awspeer.Keys any pair does until auth_after calls were made
---@field dir string
---@field env table<string, string> as in DIR/env
local Peer = {}
Peer.__index = Peer

--- `local p <close> = motopeer.start { auth_after = 3 }`: signatures and policies are checked from the fourth call on.
---@param options? { auth_after: integer? }
---@return motopeer.Peer
function M.start(options)
  options = options or {}
  for option in pairs(options) do
    assert(OPTIONS[option], "motopeer.start has no option '" .. tostring(option) .. "'")
  end
  local folder = folderpeer.start("moto", { AUTH_AFTER = options.auth_after and tostring(options.auth_after) or "" })
  local env = folder.env
  return setmetatable({ folder = folder, dir = folder.dir, env = env, url = env.AWS_ENDPOINT_URL, region = env.AWS_DEFAULT_REGION,
    keys = { access_key = env.AWS_ACCESS_KEY_ID, secret = env.AWS_SECRET_ACCESS_KEY } }, Peer)
end

function Peer:close()
  self.folder:close()
end

Peer.__close = Peer.close

return M
