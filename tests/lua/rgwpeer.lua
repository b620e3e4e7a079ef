--- A real S3 server for specs: Ceph's RADOS Gateway, private, its data in memory; gone with the variable or with this process.
local folderpeer = require "folderpeer"

local M = {}

--- Why none can be started here, for pending(); nil when one can.
---@return string?
function M.missing()
  return folderpeer.missing "rgw"
end

---@class rgwpeer.Peer
---@field url string http://127.0.0.1:PORT; http://BUCKET.localhost:PORT is a bucket of it
---@field tls string https://localhost:PORT
---@field ca string the certificate to trust
---@field region string
---@field keys awspeer.Keys of the first user
---@field other_keys awspeer.Keys of the second, who owns nothing of the first's
---@field dir string
---@field env table<string, string> as in DIR/env
local Peer = {}
Peer.__index = Peer

--- `local p <close> = rgwpeer.start()`, in about two seconds.
---@return rgwpeer.Peer
function M.start()
  local folder = folderpeer.start "rgw"
  local env = folder.env
  return setmetatable({
    folder = folder, dir = folder.dir, env = env, url = env.S3_ENDPOINT, tls = env.S3_ENDPOINT_TLS, ca = env.S3_CA,
    region = env.AWS_DEFAULT_REGION, keys = { access_key = env.AWS_ACCESS_KEY_ID, secret = env.AWS_SECRET_ACCESS_KEY },
    other_keys = { access_key = env.S3_SECOND_ACCESS_KEY_ID, secret = env.S3_SECOND_SECRET_ACCESS_KEY },
  }, Peer)
end

function Peer:close()
  self.folder:close()
end

Peer.__close = Peer.close

return M
