--- YAML: plain data in, the same data out, and nothing else.
local json = require "adt.json"
local yaml = require "adt.yaml"

local function refusal(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok, "it was accepted")
  return err
end

describe("decoding", function()
  it("reads a kubeconfig", function()
    local config = yaml.decode [[
apiVersion: v1
kind: Config
current-context: train
clusters:
- name: train
  cluster: {server: "https://127.0.0.1:6443", insecure-skip-tls-verify: false}
users:
- name: me
  user:
    exec:
      command: aws
      args: [eks, get-token, --cluster-name, train]
      env: null
preferences: {}
]]
    assert.equal("https://127.0.0.1:6443", config.clusters[1].cluster.server)
    assert.is_false(config.clusters[1].cluster["insecure-skip-tls-verify"])
    assert.same({ "eks", "get-token", "--cluster-name", "train" }, config.users[1].user.exec.args)
    assert.equal(yaml.null, config.users[1].user.exec.env)
    assert.same({}, config.preferences)
  end)

  it("gives each scalar its type, and keeps quoted ones strings", function()
    local v = yaml.decode 'a: 1\nb: 1.0\nc: "1"\nd: yes\ne: 012345678901\nf: .inf\ng: -7\nh: 0x10\ni: ~\n1: one\n'
    assert.equal("integer", math.type(v.a))
    assert.equal("float", math.type(v.b))
    assert.same({ "1", "yes", "012345678901", math.huge, -7, 16, json.null, "one" },
      { v.c, v.d, v.e, v.f, v.g, v.h, v.i, v["1"] })
  end)

  it("gives scalars at the top, false and null among them", function()
    assert.equal(false, yaml.decode "false")
    assert.equal(yaml.null, yaml.decode "")
    assert.equal("text", yaml.decode "text")
  end)

  it("makes a table of its own out of each alias, and follows merge keys", function()
    local v = yaml.decode "base: &b {gpus: [8], x: 1}\na: *b\nc:\n  <<: *b\n  x: 2\n"
    assert.same({ gpus = { 8 }, x = 1 }, v.a)
    assert.same({ gpus = { 8 }, x = 2 }, v.c)
    v.a.gpus[1] = 4
    assert.equal(8, v.base.gpus[1])
  end)

  it("reads a stream of documents", function()
    assert.same({ { a = 1 }, "two", { 3 } }, yaml.decode_all "a: 1\n---\ntwo\n--- [3]\n")
    assert.same({}, yaml.decode_all "")
    local err = refusal(yaml.decode, "a: 1\n---\nb: 2\n")
    assert.matches("more than one document", err.message, 1, true)
  end)

  it("names place and cause of a mistake", function()
    local err = refusal(yaml.decode, "a: 1\na: 2\n", { name = "x.yaml" })
    assert.same({ "DuplicateKey", "config", "x.yaml:2:1" }, { err.code, err.cause, err.where })
    err = refusal(yaml.decode, "a:\n  b: !!python/name:os.system x\n")
    assert.same({ "UnknownTag", "line 2, column 6" }, { err.code, err.where })
    assert.matches("!!str", err.hint, 1, true)
    assert.equal("BadYaml", refusal(yaml.decode, "a: [1").code)
  end)

  it("refuses a bomb of aliases quickly", function()
    local parts = { "a0: &a0 [x,x,x,x,x,x,x,x,x,x]" }
    for i = 1, 12 do
      parts[#parts + 1] = ("a%d: &a%d [%s]"):format(i, i, (("*a%d, "):format(i - 1)):rep(10))
    end
    local start = os.clock()
    local err = refusal(yaml.decode, table.concat(parts, "\n"))
    assert.equal("TooBig", err.code)
    assert.matches("200000", err.message, 1, true)
    assert.is_true(os.clock() - start < 2)
  end)

  it("raises on misuse, naming the option", function()
    assert.has_error(function() yaml.decode(1 == 1) end)
    assert.matches("did you mean 'max_size'", tostring(refusal(yaml.decode, "1", { maxsize = 1 })), 1, true)
    assert.equal("TooBig", refusal(yaml.decode, "12345", { max_size = 4 }).code)
    assert.equal("TooBig", refusal(yaml.decode, "[1,2,3]", { max_nodes = 3 }).code)
    assert.equal("9223372036854775808", yaml.decode("9223372036854775808", { big = "string" }))
    assert.equal("TooBig", refusal(yaml.decode, "9223372036854775808", { big = "error" }).code)
  end)
end)

describe("encoding", function()
  it("writes a manifest as people write it", function()
    assert.equal([[
apiVersion: batch/v1
kind: Job
metadata:
  labels:
    enabled: "yes"
    port: "8080"
  name: train
spec:
  args: []
  command:
  - bash
  - "-c"
  - |
    set -e
    train --nodes 2
  env:
  - name: NCCL_DEBUG
    value: INFO
  nothing: null
  parallelism: 2
  ratio: 1.0
  tolerations: {}
]], yaml.encode {
      apiVersion = "batch/v1", kind = "Job",
      metadata = { name = "train", labels = { enabled = "yes", port = "8080" } },
      spec = {
        args = json.array(), command = { "bash", "-c", "set -e\ntrain --nodes 2\n" },
        env = { { name = "NCCL_DEBUG", value = "INFO" } },
        nothing = json.null, parallelism = 2, ratio = 1.0, tolerations = {},
      },
    })
  end)

  it("refuses what is no plain data, with the path", function()
    local err = refusal(yaml.encode, { a = { print } })
    assert.same({ "BadType", "usage", "$.a[1]" }, { err.code, err.cause, err.where })
    local t = {}
    t.t = t
    assert.equal("Cycle", refusal(yaml.encode, t).code)
    assert.equal("NotUtf8", refusal(yaml.encode, { "\xFF" }).code)
  end)

  it("reads back what it wrote, for generated values", function()
    local random = math.random
    math.randomseed(11)
    local letters = { "a", "B", "0", "7", ":", " ", "#", "-", "\n", "\n", "\t", "'", '"', "\\", "{", "]", ",", "&", "*",
      "!", "%", "~", "é", "\u{2028}", "\0", "\r", ".", "e", "x", "=", "<", "|", ">", "?", "\u{1F639}", "\u{FEFF}" }
    local function text()
      local t = {}
      for i = 1, random(0, 12) do t[i] = letters[random(#letters)] end
      return table.concat(t)
    end
    local function value(depth)
      local kind = random(depth > 4 and 5 or 7)
      if kind == 1 then return random(0) end
      if kind == 2 then return (random() - 0.5) * 10 ^ random(-30, 30) end
      if kind == 3 then return random(2) == 1 end
      if kind == 4 then return json.null end
      if kind == 5 then return text() end
      local t = {}
      for i = 1, random(0, 5) do t[kind == 6 and i or text()] = value(depth + 1) end
      return kind == 6 and json.array(t) or t
    end
    for _ = 1, 2000 do
      local v = value(0)
      local written = yaml.encode(v)
      local ok, back = pcall(yaml.decode, written)
      assert.is_true(ok, ok or tostring(back) .. "\n" .. written)
      assert.equal(json.encode(v), json.encode(back), written)
      assert.equal(written, yaml.encode(back))
    end
  end)

  it("survives each allocation that fails, and keeps nothing", function()
    local fault = require "adt.c.fault"
    local text = "base: &b {a: 1, t: 'x'}\nlist: [1, 2.5, *b]\nm: {<<: *b, c: 999999999999999999999}\n"
    local value = yaml.decode(text)
    local function work()
      yaml.decode_all(text)
      yaml.encode(value)
    end
    work()
    local live, failures = fault.alloc_after(-1), 0
    for n = 0, 1000 do
      fault.alloc_after(n)
      local ok, err = pcall(work)
      assert.equal(live, fault.alloc_after(-1))
      if ok then break end
      failures = failures + 1
      assert.matches("memory", tostring(err))
    end
    assert.is_true(failures > 5, failures)
  end)
end)
