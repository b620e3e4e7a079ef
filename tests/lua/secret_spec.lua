--- Secrets: opaque, revealed on purpose, redacted by value.
local adt = require "adt"
local csecret = require "adt.c.secret"
local errors = require "adt.error"
local secret = require "adt.secret"

describe("a secret", function()
  after_each(csecret.forget)

  it("prints as <secret> and shows nothing to whoever looks inside", function()
    local s = secret.new("token", "hush-hush-hush")
    assert.equal("<secret>", tostring(s))
    assert.equal("<secret>", ("%s"):format(s))
    assert.is_true(secret.is(s))
    assert.is_false(secret.is "<secret>")
    assert.is_false(pcall(function() for _ in pairs(s) do print "never" end end))
    assert.is_false(pcall(rawget, s, "value"))
    assert.equal("<secret>", require("adt.output.value").short(s))
    assert.equal("hush-hush-hush", s:reveal())
  end)

  it("raises where it would be stored, joined to a text, or be a word of a program", function()
    local s = secret.new("token", "hush-hush-hush")
    for _, f in ipairs {
      function() return "x" .. s end, function() return s .. "x" end, function() adt.json.encode { s } end,
      function() adt.json.encode(s) end, function() adt.yaml.encode { s } end, function() adt.template.fill("@{t}", { t = s }) end,
      function() adt.template.fill("@{t|json}", { t = { s } }) end, function() adt.process.run { "echo", s } end,
      function() adt.fs.write("/nowhere/x", s) end, function() s.x = 1 end, function() return #s end, function() return s < s end,
    } do
      local ok, err = pcall(f)
      assert.is_false(ok)
      assert.no.matches("hush", tostring(err))
    end
    local _, err = errors.try(function() return "x" .. s end)
    assert.matches("the secret 'token' cannot be part of a text; pass it to the job", (tostring(err):gsub("^.-: ", "")))
  end)

  it("of 8 bytes or more is redacted by value, also where JSON escapes it", function()
    local value = 'hu"sh\nhush'
    secret.new("token", value)
    assert.equal("it is <secret>!", csecret.redact("it is " .. value .. "!"))
    assert.equal('["<secret>"]', csecret.redact(adt.json.encode { value }))
    secret.new("short", "1234567")
    assert.equal("1234567", csecret.redact "1234567")
  end)

  it("is the signature of a presigned URL, each time and without being known before", function()
    local signature = ("0123456789abcdef"):rep(4)
    local url = "https://h/k?X-Amz-Expires=60&X-Amz-Signature="
    assert.equal(url .. "<secret>&x=1", csecret.redact(url .. signature .. "&x=1"))
    assert.equal((url .. "<secret> "):rep(3), csecret.redact((url .. signature .. " "):rep(3)))
    secret.new("token", "hush-hush-hush")
    assert.equal("<secret> " .. url .. "<secret> <secret>", csecret.redact("hush-hush-hush " .. url .. signature .. " hush-hush-hush"))
    for _, text in ipairs { url, url .. "1234567", url .. "<secret>", "X-Amz-Signatur" } do
      assert.equal(text, csecret.redact(text))
    end
  end)
end)
