--- HTTP requests that end early: cancelled, dropped, left by the engine's end, out of memory. Also in the sanitizers' build.
local chttp = require "adt.c.http"
local cfault = require "adt.c.fault"
local ctask = require "adt.c.task"
local errors = require "adt.error"
local fs = require "adt.fs"
local hash = require "adt.hash"
local http = require "adt.http"
local httppeer = require "httppeer"
local support = require "support"
local task = require "adt.task"

local refusal = support.refusal
local peer

setup(function() peer = httppeer.start { tls = true } end)
teardown(function() getmetatable(peer).__close(peer) end)
after_each(httppeer.no_leaks)

local function ways()
  return {
    { url = peer.url .. "/slow?first=5" },
    { url = peer.url .. "/slow?gap=1&count=100" },
    { url = peer.url .. "/big?size=100000000", to = function() task.sleep(5) end },
    { url = peer.url .. "/stall", body = ("x"):rep(10000000) },
    { url = peer.url .. "/echo", body = function() task.sleep(5) end },
    { url = peer.deaf .. "/", insecure = true },
    { url = "http://localhost/slow?first=5", unix = peer.unix },
    { url = peer.tls .. "/slow?first=5", ca = peer.ca },
  }
end

describe("a request that is cancelled", function()
  it("ends at once wherever it stands, and the next one works", function()
    for i, way in ipairs(ways()) do
      for _, pause in ipairs { 0, 0.1 } do
        local ended = task.race {
          function() http.request(way) return i end,
          function() task.sleep(pause) return "cancelled" end,
        }
        assert.equal("cancelled", ended)
        assert.equal(200, http.get(peer.url .. "/echo").status)
      end
    end
    local late, err = errors.try(task.timeout, 0.05, http.get, peer.url .. "/slow?first=5")
    assert.same({ nil, "timeout" }, { late, err.cause })
  end)

  it("is forgotten with the handle that nobody refers to", function()
    for _ = 1, 20 do
      chttp.start { url = peer.url .. "/slow?first=5" }
      chttp.start { url = peer.url .. "/big?size=100000", to = true }:wait "head"
    end
    httppeer.no_leaks()
  end)

  it("wakes who waits for it, when its handle is closed", function()
    local handle = chttp.start { url = peer.url .. "/slow?first=5" }
    local got = task.all {
      function() return { handle:wait "end" } end,
      function()
        task.sleep(0.05)
        local busy, why = handle:wait "end"
        assert.same({ nil, "Busy" }, { busy, why.code })
        handle:close()
      end,
    }
    assert.same({ nil, "Closed" }, { got[1], got[2].code })
    assert.has_error(function() handle:wait "end" end)
    assert.equal("http request: closed", tostring(handle))
    handle:close()
  end)
end)

describe("an engine that ends", function()
  it("leaves nothing of the requests under way", function()
    local text = [[
      local url, deaf, unix, how = ...
      local http, task, c = require "adt.http", require "adt.task", require "adt.c.http"
      http.get(url .. "/echo")
      kept = c.start { url = url .. "/slow?first=5" }
      c.start { url = url .. "/big?size=10000000", to = true }:wait "head"
      task.group(function()
        for _, request in ipairs {
          { url = url .. "/slow?first=5" }, { url = url .. "/slow?gap=1&count=9" }, { url = deaf .. "/" },
          { url = "http://localhost/slow?first=5", unix = unix }, { url = url .. "/stall", body = ("x"):rep(9000000) },
          { url = url .. "/big?size=100000000", to = function() task.sleep(9) end },
        } do
          task.spawn(http.request, request)
        end
        task.sleep(0.2)
        if how == "error" then error "the script fails" end
        os.exit(how == "ok", true)
      end)]]
    for how, code in pairs { ok = 0, bad = 1, error = 1 } do
      local r = support.adtlua { "-", stdin = text, peer.url, peer.deaf, peer.unix, how }
      assert.equal(code, r.code, r.stderr)
      assert.is_nil(r.stderr:find "Sanitizer", r.stderr)
    end
  end)
end)

describe("an allocation that fails", function()
  after_each(function() cfault.alloc_after(-1) end)

  it("in a request is an error that says so, and the client goes on", function()
    local function operation()
      assert(#http.get(peer.url .. "/interim").body == 2)
      assert(http.request({ url = "http://localhost/echo", unix = peer.unix, body = "x" }).status == 200)
      local n = 0
      local r = http.request { url = peer.url .. "/redirect?to=/echo", follow = 1, body = function()
        n = n + 1
        return n < 3 and "piece" or nil
      end, to = function() n = n + 1 end }
      assert(r.status == 200 and n > 3)
    end
    operation()
    local failures = 0
    for n = 0, 500 do
      cfault.alloc_after(n)
      local ok, err = pcall(operation)
      local _, failed = cfault.alloc_after(-1)
      if not ok then
        failures = failures + 1
        assert.is_true(failed and errors.is(err) and err.code == "ENOMEM" or tostring(err):find "memory" ~= nil,
          ("allocation %d: %s"):format(n + 1, tostring(err)))
      end
      httppeer.no_leaks()
      if not failed then break end
    end
    assert.is_true(failures > 20, failures .. " allocations failed")
    operation()
    assert.equal(0, ctask.live().op)
  end)
end)

describe("an open file that takes a body", function()
  it("is written on, counted in as its head says, and stays as far as it came", function()
    local dir <close> = support.tempdir()
    local file <close> = fs.open(dir / "out", "w")
    local seen
    local function to(tallies)
      return { open = file, tallies = tallies, head = function(response) seen = response.headers["content-length"] end }
    end
    local never, first, second = hash.new "crc32", hash.new "crc32", hash.new "crc32"
    local r = http.request { url = peer.url .. "/big?size=300000", to = to { { "x-none", never }, { "CONTENT-LENGTH", first }, { "", second } } }
    assert.same({ 200, nil, 300000, 300000 }, { r.status, r.body, file:size(), r.received })
    assert.equal(hash.file(dir / "out", "crc32"), first:finish())
    assert.same({ "00000000", "00000000" }, { never:finish(), second:finish() })
    assert.is_string(seen)
    seen = nil
    local before = file:size()
    refusal(http.request, { url = peer.other .. "/cut?how=length", to = to { { "", second } } })
    assert.is_truthy(seen)
    assert.is_true(file:size() > before)
    seen = nil
    assert.equal("no such page", http.request({ url = peer.url .. "/nothing", to = to() }).body)
    assert.is_nil(seen)
    for _, wrong in ipairs { { open = file, file = dir / "x" }, {}, { file = dir / "x", tallies = {} }, { open = "x" } } do
      assert.equal("BadArgument", refusal(http.request, { url = peer.url .. "/echo", to = wrong }).code)
    end
  end)
end)
