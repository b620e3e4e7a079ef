--- Signatures a second of CPU beside other signers: adtlua tests/bench/sigv4.lua [rounds], rows of a Markdown table; turn by
--- turn in one run. With --fetch it only makes ready what it compares with, in build/bench: from PyPI, crates.io and the
--- Go modules, by python3, cargo and go. What is missing then has a row that says so.
local fs = require "adt.fs"
local process = require "adt.process"

local SOURCES, WORK = "tests/bench/sigv4", "build/bench/sigv4"
local SECONDS = "0.5"
local program = process.self().exe
local python = WORK .. "/python/bin/python"

-- what: as in the table; aim: for the ratio; program: what must be there; command: prints a signature and a rate;
-- fetch: commands that make it; version: command that prints it.
local PEERS = {
  { what = "botocore", aim = "at least 10", program = python, command = { python, SOURCES .. "/sign.py", "botocore" },
    fetch = {
      { "python3", "-m", "venv", WORK .. "/python" },
      { python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "botocore", "awscrt" },
    },
    version = { python, "-c", "import botocore; print('botocore', botocore.__version__)" } },
  { what = "the AWS CRT (`awscrt`)", aim = "above 1", program = python, command = { python, SOURCES .. "/sign.py", "awscrt" },
    version = { python, "-c", "from importlib.metadata import version as v; print('awscrt', v('awscrt'))" } },
  { what = "Rust's `aws-sigv4`", aim = "above 1", program = WORK .. "/rust/target/release/sign",
    command = { WORK .. "/rust/target/release/sign" },
    fetch = {
      { "cp", "-r", SOURCES .. "/rust", WORK .. "/" },
      { "cargo", "build", "--quiet", "--release", "--manifest-path", WORK .. "/rust/Cargo.toml" },
    },
    version = { "sh", "-c", "sed -n '/^name = \"aws-sigv4\"/{n;s/version = /aws-sigv4 /p}' " .. WORK .. "/rust/Cargo.lock | tr -d '\"'" } },
  { what = "the signer of Go's SDK", aim = "above 1", program = WORK .. "/go/sign", command = { WORK .. "/go/sign" },
    fetch = {
      { "cp", "-r", SOURCES .. "/go", WORK .. "/" },
      { "sh", "-c", ("cd %s/go && go mod tidy && go build -o sign ."):format(WORK) },
    },
    version = { "sh", "-c", "sed -n 's/^require .*\\(aws-sdk-go-v2 .*\\)/\\1/p' " .. WORK .. "/go/go.mod" } },
}

local OURS = {
  { what = "Lua", command = { program, SOURCES .. "/sign.lua" } },
  { what = "C", command = { (program:gsub("[^/]*$", "tests/bench_sign")) } },
}

local function fetch(peer)
  fs.mkdir(WORK, { parents = true })
  for _, command in ipairs(peer.fetch or {}) do
    local ok, result = pcall(process.run, { check = false, timeout = 900, table.unpack(command) })
    if not ok or not result.ok then
      local why = ok and result.stderr:match "[^\n]+" or tostring(result)
      io.stderr:write(("%s: not fetched: %s\n"):format(peer.what, why or "it failed"))
      return
    end
  end
end

local function fetch_all()
  for _, peer in ipairs(PEERS) do
    if not fs.exists(peer.program) then fetch(peer) end
  end
end

-- The rate of one turn. What is faster by signing something else is no peer.
local expected
local function rate(side)
  local command = { check = false, env = { GOMAXPROCS = "1" }, table.unpack(side.command) }
  command[#command + 1] = SECONDS
  local result = process.run(command)
  local signature, value = result.stdout:match "^(%x+) (%d+)\n$"
  if not result.ok or not signature then
    return nil, result.stderr:match "([^\n]+)\n*$" or "it printed no rate"
  end
  expected = expected or signature
  assert(signature == expected, side.what .. " signs something else: " .. signature)
  return tonumber(value)
end

local function middle(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

local function kilo(list)
  return ("%.0f k/s"):format(middle(list) / 1000)
end

local function measure(rounds)
  for _ = 1, rounds do
    for _, side in ipairs(OURS) do
      side.rates = side.rates or {}
      table.insert(side.rates, assert(rate(side)))
    end
    for _, peer in ipairs(PEERS) do
      peer.rates = peer.rates or {}
      if fs.exists(peer.program) and not peer.why then
        local value, why = rate(peer)
        peer.why = why
        table.insert(peer.rates, value)
      end
    end
  end
end

local function row(...)
  print("| " .. table.concat({ ... }, " | ") .. " |")
end

local function rows(side, rates)
  for _, peer in ipairs(PEERS) do
    local what = ("signatures from %s against %s"):format(side.what, peer.what)
    if #peer.rates < #rates then
      row(what, "not measured", peer.why or "not here", "-", peer.aim)
    else
      local ratios = {}
      for i, value in ipairs(rates) do ratios[i] = value / peer.rates[i] end
      local mid = middle(ratios)
      row(what, kilo { table.unpack(rates) }, kilo { table.unpack(peer.rates) },
        ("%.1f (%.1f to %.1f)"):format(mid, ratios[1], ratios[#ratios]), peer.aim)
    end
  end
end

local function versions()
  local list = {}
  for _, peer in ipairs(PEERS) do
    local result = fs.exists(peer.program) and process.run { check = false, table.unpack(peer.version) }
    if result and result.ok then list[#list + 1] = result.stdout:match "^[^\n]*" end
  end
  return table.concat(list, ", ")
end

fetch_all()
if arg[1] ~= "--fetch" then
  measure(tonumber(arg[1]) or 5)
  for _, side in ipairs(OURS) do rows(side, side.rates) end
  io.stderr:write(versions(), "\n")
end
