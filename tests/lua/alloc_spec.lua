--- Each allocation of the core failing in turn: an error that says so, nothing left behind, and the next try works.
local body = require "adt.aws.body"
local c = require "adt.c.task"
local cfault = require "adt.c.fault"
local csecret = require "adt.c.secret"
local errors = require "adt.error"
local fs = require "adt.fs"
local hash = require "adt.hash"
local hostlist = require "adt.hostlist"
local json = require "adt.json"
local process = require "adt.process"
local sign = require "adt.aws.sign"
local slurm = require "adt.slurm.parse"
local support = require "support"
local task = require "adt.task"
local yaml = require "adt.yaml"

local MOST = 500 -- allocations of one operation

-- The live blocks once nothing is under way; what was killed may need a moment to be reaped.
local function settled()
  for _ = 1, 500 do
    collectgarbage()
    collectgarbage()
    c.yield()
    local busy = false
    for _, n in pairs(c.live()) do busy = busy or n > 0 end
    if not busy then break end
    task.sleep(0.01)
  end
  support.no_leaks()
  return (cfault.alloc_after(-1))
end

local function says_out_of_memory(err)
  local text = tostring(err)
  return text:find("memory", 1, true) ~= nil or errors.is(err) and err.code == "ENOMEM"
end

-- Runs `operation` with its 1st, 2nd ... allocation failing, until none is left to fail.
local function each_allocation_fails(operation)
  operation()
  operation()
  local before = settled()
  for n = 0, MOST do
    cfault.alloc_after(n)
    local ok, err = pcall(operation)
    local _, failed = cfault.alloc_after(-1)
    if not ok then
      assert.is_true(failed, tostring(err))
      assert.is_true(says_out_of_memory(err), ("allocation %d: %s"):format(n + 1, tostring(err)))
    end
    err = nil -- luacheck: ignore
    -- Fewer is fine: what is kept for the next time may have been let go.
    local live = settled()
    assert.is_true(live <= before, ("%d blocks instead of %d live on after allocation %d failed"):format(live, before, n + 1))
    if not failed then
      assert.is_true(n > 0, "nothing was allocated")
      return
    end
  end
  error("more than " .. MOST .. " allocations")
end

describe("an allocation that fails", function()
  after_each(function() cfault.alloc_after(-1) end)

  it("while a program is run leaves no process, pipe or block", function()
    each_allocation_fails(function()
      assert(process.run({ "cat", input = "in\n" }).stdout == "in\n")
    end)
  end)

  it("while an answer of Slurm's is read, or a host list is folded, leaves nothing", function()
    local text = '{"jobs":[{"job_id":1,"name":"' .. ("n"):rep(20000) .. '","steps":[{"step":{"name":"0"}}],"job_resources":{"nodes":{"allocation":'
      .. '[{"name":"n1"},{"name":"n2"}]}}}],"errors":[]}'
    each_allocation_fails(function()
      assert(#slurm.json(text).jobs[1].hosts == 2)
    end)
    each_allocation_fails(function()
      assert(assert(hostlist.fold { "n1", "n2" }) == "n[1-2]")
    end)
  end)

  it("while a body is signed in pieces leaves no stream", function()
    each_allocation_fails(function()
      local o = { method = "PUT", url = "https://bucket.s3.amazonaws.com/key?a=b", service = "s3", region = "us-east-1", length = 9000,
        chunk = 8192, trailers = { "x-amz-checksum-crc32" }, credentials = { access_key = "AKIDEXAMPLE", secret = "of a test" } }
      local stream <close> = sign.stream(o)
      local pieces = stream:chunk(("x"):rep(9000)) .. stream:finish { ["x-amz-checksum-crc32"] = "AAAAAA==" }
      assert(#pieces == stream.length)
      o.length, o.chunk, o.trailers = nil, nil, nil
      assert(sign.presign(o):find("&X-Amz-Signature=", 1, true))
    end)
  end)

  it("while a file becomes an upload leaves neither file nor stream", function()
    local dir <close> = fs.tempdir()
    fs.write(dir.path .. "/big", ("x"):rep(2 << 20))
    each_allocation_fails(function()
      local prepared = body.prepare { source = body.source("put", { file = dir.path .. "/big" }), scheme = "https", supported = true,
        sign = { url = "https://s3.us-east-1.amazonaws.com/b/k", method = "PUT", service = "s3", region = "us-east-1",
          credentials = { access_key = "AKIDEXAMPLE", secret = "wJalrXUtnFEMI/K7MDENG" } } }
      prepared.body.upload:close()
    end)
  end)

  it("while lines of both streams are read leaves nothing", function()
    each_allocation_fails(function()
      local child <close> = process.spawn { "sh", "-c", "echo one; echo two >&2; echo three", stdout = "pipe", stderr = "pipe" }
      local n = 0
      for _ in child:lines "both" do n = n + 1 end
      assert(n == 3)
      assert(child:wait().ok)
    end)
  end)

  it("while a child waits at its gate ends the child", function()
    each_allocation_fails(function()
      local child <close> = process.spawn { "sh", "-c", "cat >/dev/null", gated = true, stdin = "pipe" }
      child:go()
      child:write "x"
      child:close_stdin()
      assert(child:wait().ok)
    end)
  end)

  it("while tasks sleep, are joined and cancelled leaves no timer and no task", function()
    each_allocation_fails(function()
      task.all { function() task.sleep(0) end, function() task.sleep(0.001) end, function() task.yield() end }
      assert(task.race { function() return 1 end, function() task.sleep(60) end } == 1)
      local late, err = errors.try(task.timeout, 0.001, task.sleep, 60)
      if late == nil and err.cause ~= "timeout" then error(err, 0) end
    end)
  end)

  it("while a signal is waited for leaves no watch", function()
    each_allocation_fails(function()
      task.race { function() c.signal(10) end, function() task.sleep(0) end }
    end)
  end)

  it("while files are written, read, copied, walked and removed leaves no file", function()
    local dir <close> = support.tempdir()
    local base = dir / "base"
    local ok, err
    each_allocation_fails(function()
      ok, err = pcall(function()
        fs.mkdir(base .. "/deep/er")
        fs.write(base .. "/deep/a", "text", { sync = true })
        fs.write(base .. "/deep/b", "text", { atomic = false })
        assert(fs.read(base .. "/deep/a") == "text")
        fs.copy(base, base .. "2")
        local n = 0
        for _ in fs.walk(base) do n = n + 1 end
        assert(n == 4)
        assert(#fs.glob(base .. "/**/[ab]") == 2)
        do
          local file <close> = fs.open(base .. "/deep/a", "r+")
          file:lock()
          file:write "more"
          file:sync()
          assert(file:pread(0, 4) == "more")
        end
        fs.remove(base .. "2", { recursive = true })
        fs.remove(base, { recursive = true })
      end)
      if not ok then
        -- The failure has happened; what was there may be removed now.
        fs.remove(base .. "2", { recursive = true })
        fs.remove(base, { recursive = true })
        error(err, 0)
      end
    end)
    assert.same({}, (fs.list(tostring(dir))))
  end)

  it("while JSON is read and written leaves no block", function()
    local value = { list = json.array { 1, 2.5, "text\n\u{e9}", true, json.null }, deep = { { { { a = ("x"):rep(5000) } } } } }
    local text = json.encode(value)
    each_allocation_fails(function()
      assert(json.encode(json.decode(text)) == text)
    end)
  end)

  it("while YAML is read and written leaves no block", function()
    local text = "a: &x [1, 2.5, 'text']\nb: *x\nc: |\n  lines\n  more\nd: {e: null, f: true}\n"
    each_allocation_fails(function()
      assert(yaml.decode(yaml.encode(yaml.decode(text))).b[1] == 1)
    end)
  end)

  it("while digests are made leaves no context", function()
    local dir <close> = support.tempdir()
    support.write(dir / "file", ("x"):rep(100000))
    each_allocation_fails(function()
      assert(#hash.sha256_file(dir / "file") == 64)
      assert(#hash.hmac_sha256("key", "text") == 64)
    end)
  end)

  it("while a secret is noted and redacted never lets it through", function()
    each_allocation_fails(function()
      local ok, err = pcall(function()
        csecret.add "hush\"hush-hush"
        assert(csecret.redact "it is hush\"hush-hush!" == "it is <secret>!")
      end)
      csecret.forget()
      if not ok then error(err, 0) end
    end)
  end)

  it("while a run is made, gone on with and journalled leaves no lock", function()
    local dir <close> = support.tempdir()
    local state = process.env "XDG_STATE_HOME"
    process.setenv("XDG_STATE_HOME", tostring(dir))
    local ok, err = pcall(each_allocation_fails, function()
      local run = require "adt.run"
      local id
      do
        local r <close> = run.create { recipe = "x" }
        r:record({ type = "begin" }, true)
        id = r.id
      end
      local again <close> = run.open(id)
      again:record({ type = "end", state = "ok" }, true)
    end)
    process.setenv("XDG_STATE_HOME", state)
    if not ok then error(err, 0) end
  end)
end)
