--- slurmrestd that refuses, is away, does not know us, or answers what makes no sense: cause, next step, exit code.
local process = require "adt.process"
local scenes = require "slurmscene"
local support = require "support"

local c, up, down, needed = scenes.shared { nodes = 2, rest = true, conf = { MessageTimeout = 3 } }

local function said(r)
  return r.stdout .. r.stderr
end

local function rest(s, settings, more)
  s:target(("%srest: { %s }"):format(more or "", settings))
end

local function token(s, name, ...)
  local text = c:output("scontrol", "token", ...)
  support.write(s:path_of(name), text .. "\n")
  os.execute("chmod 600 " .. support.quote(s:path_of(name)))
  return s:path_of(name)
end

local function go(s, code, ...)
  local r = s:run { "./one.lua", before = "timeout 60" }
  assert.equal(code, r.code, said(r))
  for _, text in ipairs { ... } do
    assert.is_truthy(r.stderr:find(text, 1, true), ("not said: %s\nbut: %s"):format(text, r.stderr))
  end
  return r.stderr
end

-- A server beside the test that answers oddly; its URL.
local function odd(way)
  local p = process.spawn { "/usr/bin/python3", "-IS", "tests/peers/slurmrestd_odd.py", way,
    stdin = "pipe", stdout = "pipe", dies_with_parent = true }
  local port = p:lines()()
  return setmetatable({ url = "http://127.0.0.1:" .. port }, { __close = function() p:close_stdin() p:wait() p:close() end })
end

describe("slurmrestd", function()
  setup(up)
  teardown(down)
  before_each(function() needed(pending) end)
  after_each(function() assert.same({}, c:jobs()) end)

  it("takes a job with a token from a file, and tells its end", function()
    local s <close> = scenes.new(c)
    rest(s, ('url: "%s", user: root, token_file: %s'):format(c.env.PEER_REST_URL, token(s, "token")))
    s:job "true"
    go(s, 0)
    assert.equal(1, s:starts())
  end)

  it("does not take a token whose time is over; with a new one the run is resumed", function()
    local s <close> = scenes.new(c)
    local file = token(s, "token", "lifespan=1")
    rest(s, ('url: "%s", user: root, token_file: %s'):format(c.env.PEER_REST_URL, file))
    s:job "true"
    require("system").sleep(2.1)
    local text = go(s, 3, "slurmrestd does not accept us", "scontrol token makes a new token")
    assert.is_nil(text:find(support.read(file):match "=(%S+)", 1, true))
    token(s, "token")
    local r = s:run { "resume", "last", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
  end)

  it("does not take somebody else's token, or none", function()
    local s <close> = scenes.new(c)
    local file = token(s, "token", "username=nobody")
    rest(s, ('url: "%s", user: root, token_file: %s'):format(c.env.PEER_REST_URL, file))
    s:job "true"
    go(s, 3, "slurmrestd does not accept us", "its user and ours must be the same")
    support.write(file, "")
    go(s, 3, "holds no token")
  end)

  it("is not asked with a token that others may read, or that is not there", function()
    local s <close> = scenes.new(c)
    local file = token(s, "token")
    rest(s, ('url: "%s", user: root, token_file: %s'):format(c.env.PEER_REST_URL, file))
    s:job "true"
    os.execute("chmod 644 " .. support.quote(file))
    go(s, 3, "others may read the token file " .. file, "chmod 600 " .. file)
    os.remove(file)
    go(s, 3, "the token file " .. file .. " is not there", "scontrol token lifespan=3600")
  end)

  it("that is not there leaves the job unknown, nothing submitted, and says where it was looked for", function()
    local s <close> = scenes.new(c)
    rest(s, 'url: "http://127.0.0.1:1", user: root, token_file: ' .. token(s, "token"), "patience: 1s, ")
    s:job "true"
    go(s, 9, "slurmrestd", "is slurmrestd running at http://127.0.0.1:1?")
    rest(s, "socket: " .. s:path_of "no.sock", "patience: 1s, ")
    go(s, 9, "is slurmrestd running at " .. s:path_of "no.sock")
  end)

  it("takes a job whose nodes are all drained, as sbatch does, and the job waits", function()
    local s <close> = scenes.new(c)
    rest(s, ('url: "%s", user: root, token_file: %s'):format(c.env.PEER_REST_URL, token(s, "token")))
    s:job "true"
    c:output("scontrol", "update", "nodename=n1,n2", "state=drain", "reason=mended")
    local p = s:start { "./one.lua" }
    p:says("job 'train' waits: nodes that it needs are down, drained or reserved", 20)
    c:output("scontrol", "update", "nodename=n1,n2", "state=resume")
    local r = p:wait()
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
  end)

  it("whose slurmctld goes away while a job runs is only noted, and a new token in the file is read", function()
    local s <close> = scenes.new(c)
    local file = token(s, "token", "lifespan=10")
    rest(s, ('url: "%s", user: root, token_file: %s'):format(c.env.PEER_REST_URL, file))
    s:job(("while [ ! -e %s ]; do sleep 0.1; done"):format(s:path_of "go"))
    local p = s:start { "./one.lua" }
    scenes.eventually(20, "it runs", function() return s:starts() == 1 end)
    c:ctl "stop-controller"
    p:says("Unable to contact slurm controller.*asking again", 30)
    c:ctl "start-controller"
    token(s, "token")
    require("system").sleep(8)
    support.write(s:path_of "go", "")
    local r = p:wait()
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
  end)

  it("without slurmctld behind it is silence, too: the job is submitted once it is back", function()
    local s <close> = scenes.new(c)
    rest(s, ('url: "%s", user: root, token_file: %s'):format(c.env.PEER_REST_URL, token(s, "token")), "patience: 1s, ")
    s:job "true"
    c:ctl "stop-controller"
    local r = s:run { "./one.lua", before = "timeout 90" }
    c:ctl "start-controller"
    assert.equal(9, r.code, said(r))
    r = s:run { "resume", "last", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
  end)

  it("of a version that is not known is refused by naming both sides' versions", function()
    local s <close> = scenes.new(c)
    local server <close> = odd "future"
    rest(s, ('url: "%s", user: root, token_file: %s'):format(server.url, token(s, "token")))
    s:job "true"
    go(s, 3, "slurmrestd offers v0.0.99; this program knows v0.0.37 to v0.0.", "start slurmrestd with an older plugin")
    rest(s, ('url: "%s", user: root, token_file: %s, version: v0.0.44'):format(c.env.PEER_REST_URL, token(s, "token")))
    go(s, 3, "v0.0.44 was asked for", "v0.0.38")
  end)

  it("that answers a page, garbage, half an answer, an empty one or one without end is a service error, and nothing is submitted", function()
    local s <close> = scenes.new(c)
    s:job "true"
    local file = token(s, "token")
    for way, words in pairs {
      html = "slurmrestd", garbage = "JSON", cut = "JSON", errors = "the moon is in the way", huge = "slurmrestd",
    } do
      local server <close> = odd(way)
      rest(s, ('url: "%s", user: root, token_file: %s'):format(server.url, file), "patience: 1s, ")
      local r = s:run { "./one.lua", before = "timeout 60" }
      assert.is_true(r.code == 4 or r.code == 3 and way == "html" or r.code == 9 and way == "huge", way .. ": " .. r.code .. said(r))
      assert.is_truthy(r.stderr:find(words, 1, true), way .. ": " .. r.stderr)
      assert.is_true(#r.stderr < 2000, way .. ": " .. #r.stderr)
      assert.not_matches("traceback", said(r))
    end
    assert.equal(0, s:starts())
  end)
end)
