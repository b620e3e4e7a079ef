--- Paths that begin with "s3://" where files work, in a program that knows its account by its environment alone.
local awspeer = require "awspeer"
local support = require "support"

local why = awspeer.missing()
local peer, dir

setup(function() peer = not why and awspeer.start() end)
teardown(function() if peer then peer:__close() end end)
before_each(function()
  if why then
    pending(why)
    return
  end
  peer:reset()
  peer:control { buckets = { bkt = {} } }
  dir = support.tempdir()
end)
after_each(function()
  if dir then getmetatable(dir).__close(dir) end
  dir = nil
  if peer then awspeer.no_leaks() end
end)

-- What the program says whose text this is; `before` are words in front of it.
local function program(text, before)
  support.write(dir / "program.lua", [[
    local fs, s3, adt = require "adt.fs", require "adt.s3", require "adt"
    local dir = arg[1]
    local function refused(f, ...)
      local _, err = adt.try(f, ...)
      return err and err.code or "done"
    end
  ]] .. text)
  local ran = support.adtlua { dir / "program.lua", tostring(dir), before = before, env = {
    AWS_ENDPOINT_URL_S3 = peer.url, AWS_ACCESS_KEY_ID = peer.keys.access_key, AWS_SECRET_ACCESS_KEY = peer.keys.secret,
    AWS_REGION = "us-east-1", AWS_CONFIG_FILE = "/dev/null", AWS_SHARED_CREDENTIALS_FILE = "/dev/null", AWS_EC2_METADATA_DISABLED = "true",
    AWS_PROFILE = false, AWS_SESSION_TOKEN = false, AWS_DEFAULT_REGION = false, AWS_ENDPOINT_URL = false, HOME = tostring(dir),
  } }
  assert.equal("", ran.stderr)
  assert.equal(0, ran.code)
  return ran.stdout
end

describe("an object's name as a path", function()
  it("is read, written, made once, looked at and removed", function()
    assert.equal("hello\ntrue false\nfile 5 true\nnil\nfalse true false\ntrue false\n", program [[
      fs.write("s3://bkt/a/b", "hello")
      print(fs.read "s3://bkt/a/b")
      print(fs.create("s3://bkt/once", "1"), fs.create("s3://bkt/once", "2"))
      local st = fs.stat "s3://bkt/a/b"
      print(st.type, st.size, math.abs(st.mtime - os.time()) < 100)
      print(fs.stat "s3://bkt/none")
      print(fs.exists "s3://bkt/none", fs.is_dir "s3://bkt/a", fs.is_file "s3://bkt/a")
      print(fs.remove "s3://bkt/a/b", fs.remove "s3://bkt/a/b")
    ]]:gsub("\t", " "))
  end)

  it("is listed and walked as a folder", function()
    assert.equal("b directory,c file\nENOENT\ns3://bkt/a/b,s3://bkt/a/b/d,s3://bkt/a/c\nENOTEMPTY\ntrue\nbkt2\n", program [[
      for _, key in ipairs { "a/b/d", "a/c", "a/", "a//e", "ab" } do fs.write("s3://bkt/" .. key, "") end
      local names, types = fs.list "s3://bkt/a"
      for i, name in ipairs(names) do names[i] = name .. " " .. types[name] end
      print(table.concat(names, ","))
      print(refused(fs.list, "s3://bkt/none"))
      local found = {}
      for name in fs.walk "s3://bkt/a" do found[#found + 1] = name end
      print(table.concat(found, ","))
      print(refused(fs.remove, "s3://bkt/a/b"))
      print(fs.remove("s3://bkt/a", { recursive = true }))
      print(fs.exists "s3://bkt/ab" and not fs.exists "s3://bkt/a" and "bkt2")
    ]])
  end)

  it("is copied both ways, one object or all below it", function()
    assert.equal("one two\none\nd/x y,one\none\n", program [[
      fs.mkdir(dir .. "/tree/d")
      fs.write(dir .. "/tree/one", "one")
      fs.write(dir .. "/tree/d/x y", "two")
      fs.copy(dir .. "/tree", "s3://bkt/up")
      print(fs.read "s3://bkt/up/one" .. " " .. fs.read "s3://bkt/up/d/x y")
      fs.copy("s3://bkt/up/one", dir .. "/single")
      print(fs.read(dir .. "/single"))
      fs.copy("s3://bkt/up", dir .. "/back")
      local found = {}
      for name, kind in fs.walk(dir .. "/back") do
        if kind == "file" then found[#found + 1] = name:sub(#dir + 7) end
      end
      print(table.concat(found, ","))
      fs.copy(dir .. "/single", "s3://bkt/single")
      print(fs.read "s3://bkt/single")
    ]])
  end)

  it("never leads out of the folder that it is copied into", function()
    assert.equal("BadKey\nBadKey\nfalse\n", program [[
      fs.write("s3://bkt/evil/../../out", "x")
      print(refused(fs.copy, "s3://bkt/evil", dir .. "/in"))
      fs.write("s3://bkt/odd/a//b", "x")
      print(refused(fs.copy, "s3://bkt/odd", dir .. "/in"))
      print(fs.exists(dir .. "/in"))
    ]])
  end)

  it("is refused by what objects have not", function()
    assert.equal(("NotForObjects\n"):rep(13) .. "BadArgument\n", program [[
      local o = "s3://bkt/k"
      for _, one in ipairs { { fs.append, o, "" }, { fs.mkdir, o }, { fs.create_dir, o }, { fs.rename, o, "x" }, { fs.rename, "x", o },
        { fs.link, "x", o }, { fs.symlink, "x", o }, { fs.readlink, o }, { fs.realpath, o }, { fs.chmod, o, 0 }, { fs.truncate, o, 0 },
        { fs.open, o }, { fs.glob, o .. "*" } } do
        print(refused(table.unpack(one)))
      end
      print(refused(fs.write, o, "", { mode = 384 }))
    ]])
  end)

  it("leaves no part of a file that became larger than the disk takes", function()
    local out = program([[
      local text = ("0123456789abcdef"):rep(1 << 17)
      fs.write("s3://bkt/big", text)
      print(refused(fs.copy, "s3://bkt/big", dir .. "/big"))
      print(table.concat(fs.list(dir), ","))
    ]], "sh -c 'trap \"\" XFSZ; ulimit -f 1024; exec \"$@\"' sh")
    assert.equal("EFBIG\nprogram.lua\n", out)
  end)
end)
