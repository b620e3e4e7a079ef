--- The moto of tests/peers/moto: that it answers, checks keys when asked to, and that nothing of it stays.
local folderpeer = require "folderpeer"
local http = require "adt.http"
local lfs = require "lfs"
local motopeer = require "motopeer"
local sign = require "adt.aws.sign"
local support = require "support"
local system = require "system"

local why = motopeer.missing()
before_each(function() if why then pending(why) end end)
after_each(support.no_leaks)

local function call(p, service, body, keys)
  local headers = { ["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8" }
  for _, header in ipairs(sign.headers { url = p.url .. "/", method = "POST", body = body, headers = headers, service = service,
    region = p.region, credentials = keys or p.keys }) do
    headers[header.name] = header.value
  end
  return http.request { url = p.url .. "/", method = "POST", headers = headers, body = body, timeout = { total = 60 } }
end

local function nothing_left(dir)
  for _ = 1, 200 do
    if folderpeer.processes("ADT_MOTO", dir) == "" and not lfs.attributes(dir) then return true end
    system.sleep(0.05)
  end
  return false, folderpeer.processes("ADT_MOTO", dir)
end

local WHO = "Action=GetCallerIdentity&Version=2011-06-15"

describe("a private moto", function()
  it("takes any key, and stands beside one that checks them", function()
    local a, b
    do
      local first <close> = motopeer.start()
      local second <close> = motopeer.start { auth_after = 3 }
      a, b = first.dir, second.dir
      assert.matches("<Account>123456789012</Account>", call(first, "sts", WHO).body)
      assert.equal(200, call(second, "iam", "Action=CreateUser&Version=2010-05-08&UserName=u").status)
      local body = call(second, "iam", "Action=CreateAccessKey&Version=2010-05-08&UserName=u").body
      local key, secret = body:match "<AccessKeyId>(.-)<", body:match("<SecretAccessKey>(.-)<")
      assert.equal(200, call(second, "sts", WHO).status)
      assert.equal(403, call(second, "sts", WHO).status)
      assert.equal(200, call(second, "sts", WHO, { access_key = key, secret = secret }).status)
      local wrong = call(second, "sts", WHO, { access_key = key, secret = "wrong" })
      assert.equal(403, wrong.status)
      assert.matches("SignatureDoesNotMatch", wrong.body)
    end
    assert.is_true(nothing_left(a))
    assert.is_true(nothing_left(b))
  end)

  it("ends with its owner, however that goes", function()
    local script = [[
      package.path = "tests/lua/?.lua;" .. package.path
      print(require("motopeer").start().dir)
      io.stdout:flush()
      os.execute("kill -KILL $PPID")
    ]]
    local result = support.adtlua { "-e", script }
    local dir = assert(result.stdout:match "%S+", result.stderr)
    assert.is_true(nothing_left(dir))
  end)
end)
