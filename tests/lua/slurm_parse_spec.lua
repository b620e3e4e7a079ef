--- Slurm's answers: small cases of each shape, then every recorded file of the public vectors against what it says.
local lfs = require "lfs"
local hostlist = require "adt.hostlist"
local json = require "adt.json"
local parse = require "adt.slurm.parse"
local support = require "tests.lua.support"

local function bad(f, ...)
  local err = support.refusal(f, ...)
  assert.same({ "service", "BadAnswer" }, { err.cause, err.code })
  return err.message
end

local function only(list)
  assert.equal(1, #list)
  return list[1]
end

local function job(text)
  return only(parse.json(('{"meta":{},"jobs":[%s]}'):format(text)).jobs)
end

describe("a job in JSON", function()
  it("has the same form whatever version wrote it", function()
    local wanted = { id = 7, state = "FAILED", flags = {}, ended = true, exit = 3, limit = 600, submit = 1700000000, restarts = 0 }
    for _, text in ipairs {
      [[{"job_id":7,"job_state":"FAILED","exit_code":768,"time_limit":10,"submit_time":1700000000,"array_task_id":null,"restart_cnt":0}]],
      [[{"job_id":7,"job_state":"FAILED","exit_code":{"set":true,"infinite":false,"number":768},"time_limit":{"set":true,"infinite":false,
         "number":10},"submit_time":1700000000,"array_task_id":{"set":false,"infinite":false,"number":0},"restart_cnt":0}]],
      [[{"job_id":7,"job_state":["FAILED"],"exit_code":{"status":["ERROR"],"return_code":{"infinite":false,"number":3,"set":true},
         "signal":{"id":{"set":false,"infinite":false,"number":0},"name":""}},"time_limit":{"number":10,"infinite":false,"set":true},
         "submit_time":{"set":true,"infinite":false,"number":1700000000},"restart_cnt":0,"new_in_27":{"x":[{"job_id":9}]}}]],
      [[{"job_id":7,"state":{"current":"FAILED","reason":"None"},"exit_code":{"status":"ERROR","return_code":3},"restart_cnt":0,
         "time":{"submission":1700000000,"start":0,"end":0,"limit":10},"nodes":"None assigned","array":{"job_id":0,"task_id":null}}]],
    } do
      assert.same(wanted, job(text))
    end
  end)

  it("has states as texts and lists, flags apart, and knows when it is over", function()
    local function states(state)
      local j = job('{"job_id":1,"job_state":' .. state .. "}")
      return { j.state, next(j.flags), j.ended }
    end
    assert.same({ "RUNNING", nil, false }, states '"RUNNING"')
    assert.same({ "COMPLETED", nil, true }, states '["COMPLETED"]')
    assert.same({ "COMPLETED", "COMPLETING", false }, states '["COMPLETED","COMPLETING"]')
    assert.same({ "COMPLETED", "COMPLETING", false }, states '["COMPLETING","COMPLETED"]')
    assert.same({ "COMPLETING", "COMPLETING", false }, states '"COMPLETING"')
    assert.same({ "NODE_FAIL", "REQUEUED", false }, states '["NODE_FAIL","REQUEUED"]')
    assert.same({ "TIMEOUT", nil, true }, states '"timeout"')
    assert.same({ "BRAND_NEW", nil, false }, states '["BRAND_NEW"]')
  end)

  it("that a signal ended reads as the text form of it does", function()
    for _, code in ipairs { "9", '{"status":"SIGNALED","return_code":0,"signal":{"signal_id":9,"name":"KILL"}}',
      '{"status":["SIGNALED"],"return_code":{"set":false,"infinite":false,"number":0},"signal":{"id":{"set":true,"infinite":false,"number":9}}}' } do
      local j = job('{"job_id":1,"exit_code":' .. code .. "}")
      assert.same({ 0, 9 }, { j.exit, j.signal })
    end
    assert.same({ 0, 9 }, { parse.exit "0:9" })
  end)

  it("names arrays, groups and limits without end", function()
    local j = job [[{"job_id":9,"array_job_id":{"set":true,"number":8},"array_task_id":{"set":true,"number":0},
      "time_limit":{"set":false,"infinite":true,"number":0}}]]
    assert.same({ 9, 8, 0, math.huge }, { j.id, j.array_id, j.array_task, j.limit })
    j = job [[{"job_id":6,"het_job_id":5,"het_job_offset":1,"array_task_id":4294967294}]]
    assert.same({ 5, 1, nil }, { j.het_id, j.het_offset, j.array_task })
    assert.equal("2-5%2", job [[{"job_id":3,"array_job_id":3,"array_task_string":"2-5%2"}]].array_tasks)
  end)

  it("brings its steps from the accounting", function()
    local j = job [[{"job_id":5,"steps":[{"step":{"id":"5.batch","name":"batch"},"state":["CANCELLED"],"nodes":{"range":"n[1-2]","count":2},
      "exit_code":{"return_code":{"set":false},"signal":{"id":{"set":true,"infinite":false,"number":15}}},"time":{"start":{"set":true,
        "number":3}}}],"name":"x"}]]
    assert.equal("x", j.name)
    assert.same({ id = "5.batch", name = "batch", state = "CANCELLED", flags = {}, ended = true, exit = 0, signal = 15, nodes = "n[1-2]",
      node_count = 2, start = 3 }, only(j.steps))
  end)

  it("is read although a name in it is not UTF-8", function()
    assert.equal("a\u{FFFD}b", job '{"job_id":1,"name":"a\xFFb"}'.name)
  end)
end)

describe("an answer in JSON", function()
  it("says its version, its errors and what was submitted", function()
    local a = parse.json [[{"meta":{"plugin":{"type":"openapi/slurmctld","data_parser":"data_parser/v0.0.41"},"slurm":{"release":"24.05.3",
      "cluster":"hpc"}},
      "job_id":"42","step_id":"batch","job_submit_user_msg":"hi","errors":[{"error_number":2017,
      "error":"Invalid job id specified","description":"d","source":"s"},"plain"],
      "warnings":[{"description":"old"}]}]]
    assert.same({ version = "24.05.3", parser = "v0.0.41", cluster = "hpc", job_id = 42, step_id = "batch", message = "hi",
      errors = { { code = 2017, text = "Invalid job id specified", detail = "d", source = "s" }, { text = "plain" } },
        warnings = { { text = "old" } } }, a)
    local refused = parse.json '{"result":{"job_id":0,"error_code":2015,"error":"Invalid partition"},"errors":[]}'
    assert.same({ { code = 2015, text = "Invalid partition" } }, refused.errors)
  end)

  it("tells a list without members from none", function()
    assert.same({}, parse.json '{"meta":{},"jobs":[]}'.jobs)
    assert.is_nil(parse.json '{"meta":{},"nodes":[]}'.jobs)
  end)

  it("is refused when it is none of Slurm's, with what it is", function()
    assert.matches("Authentication failure", bad(parse.json, "Authentication failure\n"), 1, true)
    for _, text in ipairs { "", " ", "{}", "[]", '{"a":1}', '{"jobs":[', '{"jobs":[]}x', "null" } do
      bad(parse.json, text)
    end
  end)

  it("is not misled by what records hold", function()
    local a = parse.json '{"jobs":[{"set":true,"number":1,"job_id":1},{"job_id":2,"jobs":[{"job_id":3}]},{"name":"no id"}],"errors":[]}'
    assert.same({ 1, 2 }, { a.jobs[1].id, a.jobs[2].id })
    assert.equal(2, #a.jobs)
    bad(parse.json, ('{"jobs":%s'):format(("["):rep(600)))
  end)
end)

describe("a node in JSON", function()
  it("has one state and flags in every version", function()
    for _, text in ipairs { '"state":"idle","state_flags":["DRAIN"]', '"state":["IDLE","DRAIN"]' } do
      local n = only(parse.json('{"nodes":[{"name":"n1","reason":"x",' .. text .. "}]}").nodes)
      assert.same({ "n1", "IDLE", true, "x" }, { n.name, n.state, n.flags.DRAIN, n.reason })
    end
  end)

  it("may be one of several in sinfo's own answer", function()
    local n = only(parse.json [[{"sinfo":[{"node":{"state":["IDLE","DRAIN"]},"nodes":{"total":2,"nodes":["n1","n2"]},"cpus":{"total":8,"allocated":1},
      "partition":{"name":"main"}}],"meta":{}}]].nodes)
    assert.same({ nodes = "n1,n2", node_count = 2, state = "IDLE", flags = { DRAIN = true }, cpus = 8, cpus_allocated = 1,
      partitions = { "main" } }, n)
  end)
end)

describe("scontrol's records", function()
  it("are read on one line and on many", function()
    local lines = "JobId=4 JobName=my job=x\n   UserId=adt1(1001) GroupId=x(1)\n   JobState=RUNNING Reason=None ExitCode=0:0\n"
      .. "   TimeLimit=1-00:00:10 NumNodes=2-2\n   NodeList=n[1-2]\n   Command=(null)\n   Comment=a JobState=FAILED\n\n"
      .. "JobId=5 JobName=y\n   JobState=PENDING\n"
    local j = parse.scontrol("job", lines)
    assert.equal(2, #j)
    assert.same({ id = 4, name = "my job=x", user = "adt1", uid = 1001, state = "RUNNING", flags = {}, ended = false, exit = 0, limit = 86410,
      node_count = 2, nodes = "n[1-2]", comment = "a JobState=FAILED" }, j[1])
    local one = "JobId=4 JobName=my job HetJobIdSet=4-5 UserId=adt1(1001) JobState=FAILED ExitCode=0:15 WorkDir=/a b Comment=x JobState=RUNNING \n"
    j = only(parse.scontrol("job", one))
    assert.same({ "my job", "FAILED", 15, "/a b" }, { j.name, j.state, j.signal, j.dir })
  end)

  it("of nodes, partitions and reservations have their own fields", function()
    local n = only(parse.scontrol("node",
      "NodeName=n2 OS=Linux 6.1 #1 SMP State=DOWN*+DRAIN CPUTot=4 Reason=ECC bad [root@2026-11-24T17:41:07]\n"))
    assert.same({ "DOWN", true, true, "ECC bad", "root", 4 }, { n.state, n.flags.DRAIN, n.flags.NOT_RESPONDING, n.reason, n.reason_user, n.cpus })
    local p = only(parse.scontrol("partition",
      "PartitionName=main Default=YES MaxTime=UNLIMITED DefaultTime=NONE Nodes=n[1-2] State=UP TotalCPUs=8 TotalNodes=2"))
    assert.same({ name = "main", default = true, max_time = math.huge, nodes = "n[1-2]", state = "UP", total_cpus = 8, total_nodes = 2 }, p)
    local r = only(parse.scontrol("reservation",
      "ReservationName=rr StartTime=2026-11-24T18:41:07\n   Nodes=n1 NodeCnt=1 PartitionName=(null)\n   Users=a,b State=ACTIVE\n"))
    assert.same({ "rr", "n1", "ACTIVE", "b" }, { r.name, r.nodes, r.state, r.users[2] })
  end)

  it("may be none, but not anything", function()
    assert.same({}, parse.scontrol("job", "No jobs in the system\n"))
    assert.same({}, parse.scontrol("job", ""))
    assert.matches("Invalid job id", bad(parse.scontrol, "job", "slurm_load_jobs error: Invalid job id specified\n"))
    bad(parse.scontrol, "job", "JobId=x JobName=y\n")
  end)
end)

describe("a table of sacct's or squeue's", function()
  local columns = { "JobID", "JobIDRaw", "JobName", "State", "ExitCode", "TimelimitRaw", "NodeList" }

  it("has jobs, tasks, components and steps", function()
    local rows = parse.table("job", table.concat({
      "12|12|a|CANCELLED by 1000|0:0|10|None assigned", "12.batch|12.batch|batch|OUT_OF_MEMORY|0:125||n1", "13_4|15|b|RUNNING|0:0|UNLIMITED|n[1-2]",
      "13_[5-9%2]|13|b|PENDING|0:0|Partition_Limit|", "20+1|21|c|COMPLETED|2:0|1|n1", "" }, "\n"), { columns = columns })
    assert.same({ id = 12, name = "a", state = "CANCELLED", cancelled_by = 1000, flags = {}, ended = true, exit = 0, limit = 600 }, rows[1])
    assert.same({ 12, "batch", "OUT_OF_MEMORY", 125 }, { rows[2].id, rows[2].step, rows[2].state, rows[2].signal })
    assert.same({ 15, 13, 4, math.huge }, { rows[3].id, rows[3].array_id, rows[3].array_task, rows[3].limit })
    assert.same({ 13, 13, "5-9%2" }, { rows[4].id, rows[4].array_id, rows[4].array_tasks })
    assert.same({ 21, 20, 1, 2 }, { rows[5].id, rows[5].het_id, rows[5].het_offset, rows[5].exit })
  end)

  it("is named by its first row, or by the caller, who may skip one", function()
    local text = "JOBID|NAME|ST|NODELIST(REASON)|\n3_1|x|R|n1|\n4|y|PD|(Priority)|\n"
    local rows = parse.table("job", text)
    assert.same({ 3, 1, "RUNNING", "n1" }, { rows[1].array_id, rows[1].array_task, rows[1].state, rows[1].nodes })
    assert.same({ 4, "PENDING", "Priority", nil }, { rows[2].id, rows[2].state, rows[2].reason, rows[2].nodes })
    assert.same(rows, parse.table("job", text, { columns = { "JobID:|", "Name%30", "ST", "NODELIST(REASON)" } }))
    assert.same(rows, parse.table("job", "junk\n" .. text:match("\n(.*)"), { columns = { "jobid", "name", "st", "ReasonList" }, header = true }))
    assert.same({ 1, 2 }, { only(parse.table("job", "1^^x", { columns = { "jobid", "" }, separator = "^^" })).id,
      parse.table("job", "1;x\0301\n2;y", { columns = { "jobid", "name" }, separator = ";", record = "\n" })[2].id })
  end)

  it("may be set apart by blanks, as many as there are", function()
    local j = only(parse.table("job", "    JOBID PARTITION ST  NODELIST(REASON)\n     3_0      main  R  n1\n", { separator = " " }))
    assert.same({ 3, 0, "main", "RUNNING", "n1" }, { j.array_id, j.array_task, j.partition, j.state, j.nodes })
  end)

  it("gives what is too much in a row to the column of free text", function()
    local j = only(parse.table("job", "1|a|b|c|RUNNING", { columns = { "jobid", "jobname", "state" } }))
    assert.same({ "a|b|c", "RUNNING" }, { j.name, j.state })
    assert.matches("row 1 has 3 cells", bad(parse.table, "job", "1|2|3", { columns = { "jobid", "state" } }))
    assert.matches("row 2 has 1 cells", bad(parse.table, "job", "1|R\n2", { columns = { "jobid", "state" } }))
    bad(parse.table, "job", "x|R\n", { columns = { "jobid", "state" } })
    bad(parse.table, "job", "one|two\n")
  end)

  it("of sinfo has nodes with their marks, or partitions", function()
    local rows = parse.table("node", "NODELIST|STATE|CPUS(A/I/O/T)\nn[1-2]|idle*|0/4/0/4\nn3|mix-|1/3/0/4\nn4|drained~|0/0/4/4\n")
    assert.same({ "n[1-2]", "IDLE", true, 4, 0 }, { rows[1].nodes, rows[1].state, rows[1].flags.NOT_RESPONDING, rows[1].cpus,
      rows[1].cpus_allocated })
    assert.same({ "n3", "MIXED", true }, { rows[2].name, rows[2].state, rows[2].flags.PLANNED })
    assert.same({ "DRAINED", true, true }, { rows[3].state, rows[3].flags.DRAIN, rows[3].flags.POWERED_DOWN })
    local p = only(parse.table("partition", "PARTITION|AVAIL|TIMELIMIT|NODES|STATE|NODELIST\nmain*|up|infinite|2|idle|n[1-2]\n"))
    assert.same({ name = "main", default = true, state = "UP", max_time = math.huge, node_count = 2, node_state = "idle", nodes = "n[1-2]" }, p)
  end)

  it("refuses options that it does not know", function()
    local err = support.refusal(parse.table, "job", "", { seperator = "," })
    assert.matches("separator", err.hint or err.message)
  end)

  it("of 1,000 jobs takes milliseconds", function()
    local row = "%d|job-%d|alice|physics|RUNNING|0:0|main|n[001-128]|2026-11-24T17:00:00|Unknown|1-00:00:00"
    local lines = {}
    for i = 1, 1000 do lines[i] = row:format(i, i) end
    local text = table.concat(lines, "\n")
    local options = { columns = { "JobID", "Name", "User", "Account", "State", "ExitCode", "Partition", "NodeList", "Start", "End", "Timelimit" } }
    local best = math.huge
    for _ = 1, 5 do
      local start = os.clock()
      assert.equal(1000, #parse.table("job", text, options))
      best = math.min(best, os.clock() - start)
    end
    -- The asan build is some ten times slower; this bound is for finding what grows with the square.
    assert.is_true(best < 0.25, best .. " s")
  end)
end)

describe("what sbatch prints", function()
  it("is an id, perhaps with a cluster", function()
    assert.equal(12, (parse.submitted "12\n"))
    assert.same({ 12, "hpc" }, { parse.submitted "12;hpc\n" })
    assert.equal(12, (parse.submitted "a plugin's word\nSubmitted batch job 12\n"))
    assert.same({ 12, "hpc" }, { parse.submitted "Submitted batch job 12 on cluster hpc" })
    for _, text in ipairs { "", "x", "Submitted batch job x", "0", "12x" } do
      bad(parse.submitted, text)
    end
    assert.same({ 0, 53 }, { parse.exit "0:53" })
    bad(parse.exit, "x")
  end)
end)

-- --- the public vectors ----------------------------------------------------------------------------------------------

local root = os.getenv "ADT_VECTORS"
root = root and root .. "/slurm"

local function read(path)
  local file = assert(io.open(root .. "/" .. path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- { file, command, facts } of each line of the README's table of files.
local function table_of_files()
  local rows, inside = {}, false
  for line in io.lines(root .. "/README.md") do
    inside = (inside or line:find "^## Files") and not line:find "^## Commits"
    if inside and line:find "^| [^|]-%.?[^|]-/" then
      local cells = {}
      for cell in (line:sub(3):gsub("\\|", "\1") .. " "):gmatch("(.-) |%s") do
        cells[#cells + 1] = (cell:gsub("\1", "|"))
      end
      rows[#rows + 1] = { file = cells[1], command = cells[2], slurm = cells[3], parser = cells[4], facts = cells[8] }
    end
  end
  return rows
end

-- The number that a fact stands for: "5", "obj(set)=5"; nil for obj(unset), null.
local function number(text)
  return text and math.tointeger(tonumber(text:match("^obj%(set%)=(%-?%d+)") or text:match("^(%-?%d+)")))
end

local function words(text)
  local list = {}
  for word in (text or ""):gmatch('"([^"]+)"') do list[#list + 1] = word:upper() end
  return list
end

local function check_state(record, said)
  if #said == 0 then return end
  local found = record.state == said[1] or record.flags[said[1]]
  assert.is_true(not not found, ("state %s for %s"):format(record.state, said[1]))
  for i = 2, #said do
    assert.is_true(record.flags[said[i]], said[i])
  end
end

local function nonzero(n)
  return n ~= 0 and n or nil
end

local function check_job(j, facts)
  assert.equal(number(facts:match "job_id=(%d+)"), j.id)
  check_state(j, words(facts:match "job_state=(%b[])" or facts:match 'job_state=("[^"]*")' or facts:match "state%.current=(%b[])"
    or facts:match 'state%.current=("[^"]*")'))
  local reason = facts:match 'reason="([^"]*)"'
  assert.equal(reason ~= "None" and reason or nil, j.reason)
  local code = number(facts:match "return_code=([^,}%s]+)")
  local plain = number(facts:match "exit_code=(%d+)")
  if plain then code = plain >> 8 end
  assert.equal(code, j.exit)
  assert.equal(number(facts:match "signal=([^,}%s]+)"), j.signal)
  local nodes = facts:match '; nodes="([^"]*)"'
  assert.equal(nodes ~= "" and nodes ~= "None assigned" and nodes or nil, j.nodes)
  assert.equal(nonzero(number(facts:match "start_time=(%S+)" or facts:match "time%.start=(%S+)")), j.start)
  assert.equal(nonzero(number(facts:match "end_time=(%S+)" or facts:match " %.end=(%S+)")), j.finish)
  if facts:find "submit_time" then
    assert.equal(number(facts:match "submit_time=(%S+)"), j.submit)
  end
  local limit = facts:match "time_limit=([^;%s]+)" or facts:match " %.limit=([^;%s]+)"
  if limit and limit:find "inf" then
    assert.equal(math.huge, j.limit)
  elseif number(limit) then
    assert.equal(number(limit) * 60, j.limit)
  end
  local task = number(facts:match "array_task_id=([^;%s]+)" or facts:match "array%.task_id=([^;%s]+)")
  assert.equal(task, j.array_task)
  local list, expanded = facts:match "hostlist (%S+) = ([^%s;]+)"
  if list then
    assert.equal(expanded, table.concat(assert(hostlist.expand(list)), ","))
    assert.equal(expanded, table.concat(j.hosts, ","))
    assert.equal(list, hostlist.fold(hostlist.expand(list)))
  end
end

local function check_jobs(answer, facts)
  assert.equal(number(facts:match "^(%d+) job"), #answer.jobs)
  check_job(answer.jobs[1], (facts:gsub(" … .*", "")))
  local states = words(facts:match "… states (%b[])")
  for i, state in ipairs(states) do
    check_state(answer.jobs[i], { state })
  end
end

local function check_nodes(answer, facts)
  assert.equal(number(facts:match "^(%d+) node"), #answer.nodes)
  local at = 0
  for name, rest in facts:gsub("^.-: ", ""):gmatch "([^;%s]+) (state=[^;]*)" do
    at = at + 1
    local n = answer.nodes[at]
    assert.equal(name, n.name)
    check_state(n, words(rest:match "state=(%b[])" or rest:match 'state=("[^"]*")'))
    for _, flag in ipairs(words(rest:match "flags=(%b[])")) do
      assert.is_true(n.flags[flag], flag)
    end
    local reason = rest:match 'reason="([^"]*)"'
    assert.equal(reason ~= "" and reason or nil, n.reason)
  end
  assert.is_true(at > 0)
  assert.equal(nonzero(number(facts:match "boot_time=([^;%s]+)")), answer.nodes[1].boot)
end

local function check_partitions(list, facts)
  local by_name = {}
  for _, p in ipairs(list) do by_name[p.name] = p end
  local seen = 0
  for name, nodes, total in facts:gmatch '([^;%s]+) nodes="([^"]*)" total=(%d+)' do
    local p = by_name[name]
    assert.same({ nodes, number(total) }, { p.nodes, p.total_nodes })
    assert.equal(p.total_nodes, #hostlist.expand(nodes))
    seen = seen + 1
  end
  assert.is_true(seen > 0)
end

local function check_json(row, answer)
  local facts = row.facts
  -- The README's names for parsers and ours are the same; a file without meta has none.
  if row.parser:find "^d?b?v0" and answer.parser then
    assert.equal(row.parser, answer.parser)
    assert.equal(row.slurm, answer.version)
  end
  local code, text = facts:match '^errors %[%[(%-?%d+),"([^"]*)"'
  if code then
    assert.same({ number(code), text }, { answer.errors[1].code, answer.errors[1].text })
  else
    assert.same({}, answer.errors)
  end
  if facts:find "no jobs" then
    assert.same({}, answer.jobs or {})
  elseif facts:find "^%d+ job" then
    check_jobs(answer, facts)
  elseif facts:find "^job_id=%d" then
    check_job(only(answer.jobs), facts)
  elseif facts:find '^job_id="' then
    assert.same({ 42, "BATCH" }, { answer.job_id, answer.step_id })
  elseif facts:find "^%d+ node" then
    check_nodes(answer, facts)
  elseif facts:find 'nodes="' then
    check_partitions(answer.partitions, facts)
  elseif facts:find "^{" then
    local ping = json.decode((facts:gsub("%s*…$", "")))
    assert.same({ ping.hostname, ping.mode, ping.pinged == "UP" }, { answer.pings[1].hostname, answer.pings[1].mode, answer.pings[1].up })
  elseif facts:find "reservations" then
    for _, r in ipairs(assert(answer.reservations)) do
      assert.equal(r.node_count, #hostlist.expand(r.nodes))
    end
  else
    assert.truthy(code, "facts that this spec does not know: " .. facts)
  end
end

-- Files that are not JSON of Slurm's own: what reads them, and what is known of them.
local SACCT = { "JobID", "AllocNodes", "Cluster", "ExitCode", "Group", "Account", "JobName", "NodeList", "Partition", "Priority", "State", "Reason",
  "ElapsedRaw", "Submit", "Start", "End", "Suspended", "TimelimitRaw", "User", "WorkDir" }
-- squeue's Cluster and EndTime were asked for with two separators behind them.
local SQUEUE = { "JobID", "NumNodes", "Cluster", "", "GroupName", "Account", "Name", "NodeList", "Partition", "PriorityLong", "State", "Reason",
  "TimeUsed", "SubmitTime", "StartTime", "EndTime", "", "TimeLimit", "UserName", "WorkDir" }

local function stdout(text)
  return json.decode(text).stdout
end

local function jobs_by_id(jobs, facts)
  for id, state, reason, exit in facts:gmatch "(%d+)/([A-Z_]+)/([^;]-)/(%d+:%d+)/" do
    local j = table.remove(jobs, 1)
    assert.same({ number(id), state, reason, (parse.exit(exit)) }, { j.id, j.state, j.reason, j.exit })
    assert.is_nil(j.nodes)
  end
  assert.same({}, jobs)
end

local function sonar_rows(text, count)
  local first = text:match "^[^\n]*"
  local columns, wide = { "JobID", "JobIDRaw", "User", "Account", "State", "Start", "End" }, 1
  for _ in first:gmatch "|" do wide = wide + 1 end
  for i = #columns + 1, wide do columns[i] = "column " .. i end
  columns[14] = "ExitCode"
  columns[wide] = "JobName"
  local rows = parse.table("job", text, { columns = columns })
  assert.equal(count, #rows)
  return rows
end

local OTHER = {
  ["ssh_sbatch_command%.json"] = function(text)
    assert.equal(1, (parse.submitted(stdout(text))))
  end,
  ["ssh_sbatch_command_out_of_quota"] = function(text)
    bad(parse.submitted, stdout(text))
  end,
  ["ssh_sacct_command"] = function(text)
    local j = only(parse.table("job", stdout(text), { columns = SACCT }))
    assert.same({ 1, "COMPLETED", 0, "localhost", 1750232859, 7200 * 60 }, { j.id, j.state, j.exit, j.nodes, j.start, j.limit })
  end,
  ["ssh_squeue_command"] = function(text)
    local j = only(parse.table("job", stdout(text), { columns = SQUEUE }))
    assert.same({ 1, "RUNNING", "localhost", 1787124673, 1787556673, 5 * 86400, "fireuser" },
      { j.id, j.state, j.nodes, j.start, j.finish, j.limit, j.user })
  end,
  ["ssh_sacct_name_dont_exist"] = function(text)
    assert.same({}, parse.table("job", stdout(text)))
    assert.same({}, parse.table("job", stdout(text), { columns = SACCT }))
  end,
  ["ssh_sinfo_command"] = function(text)
    local rows = parse.table("node", stdout(text), { columns = { "", "", "", "", "features", "nodeaddr", "nodehost", "nodelist", "state",
      "partition", "", "version", "memory", "cpusstate" } })
    assert.equal(3, #rows)
    assert.same({ "localhost", "IDLE", "22.05.5", 1000, 2, 0 }, { rows[1].name, rows[1].state, rows[1].version, rows[1].memory,
      rows[1].cpus, rows[1].cpus_allocated })
  end,
  ["ssh_scontrol_partitions"] = function(text)
    local list = parse.scontrol("partition", stdout(text))
    assert.same({ "part01", true, 432000, 1 }, { list[1].name, list[1].default, list[1].max_time, list[1].total_nodes })
    for _, p in ipairs(list) do assert.equal(p.total_nodes, #hostlist.expand(p.nodes)) end
  end,
  ["owens_partitions"] = function(text)
    local list = parse.scontrol("partition", text)
    assert.equal(15, #list)
    for _, p in ipairs(list) do
      assert.truthy(p.state)
      if p.nodes then assert.equal(p.total_nodes, #hostlist.expand(p.nodes)) end
    end
  end,
  ["non_utf8_job_name"] = function(text)
    local j = only(parse.table("job", text, { separator = "\31" }))
    assert.same({ 123, 29471683, 9, "COMPLETED", 1800, 1 }, { j.id, j.array_id, j.array_task, j.state, j.limit, j.node_count })
    assert.equal("\u{FFFD} non-utf8", j.name)
  end,
  ["squeue_fallback"] = function(text)
    bad(parse.json, text) -- a site's own form, JSON a line, some of it broken on purpose
  end,
  ["scontrol_job_2"] = function(text, facts)
    jobs_by_id(parse.scontrol("job", text), facts)
  end,
  ["scontrol_resource1"] = function(text, facts)
    jobs_by_id(parse.scontrol("job", text), facts)
  end,
  ["scontrol_node_2"] = function(text)
    local list = parse.scontrol("node", text)
    assert.same({ "test-node", "MIXED", "test-node-2", "MIXED" }, { list[1].name, list[1].state, list[2].name, list[2].state })
  end,
  ["sacct%-output"] = function(text)
    local states, exits, steps = {}, {}, 0
    for _, j in ipairs(sonar_rows(text, 96)) do
      states[j.state] = true
      exits[("%d:%d"):format(j.exit, j.signal or 0)] = true
      steps = steps + (j.step and 1 or 0)
      assert.is_true(j.ended)
      assert.is_true(j.cancelled_by == nil or j.cancelled_by == 2101477)
    end
    assert.same({ CANCELLED = true, COMPLETED = true, FAILED = true, OUT_OF_MEMORY = true, TIMEOUT = true }, states)
    for _, code in ipairs { "0:0", "0:125", "0:15", "1:0", "2:0" } do assert.is_true(exits[code], code) end
    assert.is_true(steps > 30)
  end,
  ["sacct_resource"] = function(text)
    local rows = sonar_rows(text, 3)
    assert.same({ "RUNNING", "PENDING", "RUNNING" }, { rows[1].state, rows[2].state, rows[3].state })
  end,
  ["node_output"] = function(text, facts)
    local rows = parse.table("node", text, { columns = { "NodeList", "StateComplete" } })
    for list, state, flag in facts:gmatch "([%w][^%s]-%S*) ([a-z]+)%+?([a-z]*)  ;" do
      local n = table.remove(rows, 1)
      assert.same({ list, state:upper() }, { n.name or n.nodes, n.state })
      assert.is_true(flag == "" or n.flags[flag:upper()])
      assert.truthy(hostlist.expand(list))
    end
    assert.is_true(#rows <= 1)
  end,
  ["partition_output"] = function(text)
    local rows = parse.table("partition", text, { columns = { "Partition", "NodeList" } })
    assert.equal(13, #rows)
    for _, p in ipairs(rows) do assert.equal(p.nodes, hostlist.fold(hostlist.expand(p.nodes))) end
  end,
}

local function other_for(file)
  for pattern, check in pairs(OTHER) do
    if file:find(pattern) then return check end
  end
end

describe("the public vectors", function()
  if not root or lfs.attributes(root .. "/README.md", "mode") ~= "file" then
    pending "needs ADT_VECTORS, the folder of recorded answers"
    return
  end

  local rows = table_of_files()

  it("are all in the list", function()
    local listed = {}
    for _, row in ipairs(rows) do listed[row.file] = true end
    for set in lfs.dir(root) do
      if not set:find "%." or set:find "^slurm%-web" then
        for file in lfs.dir(root .. "/" .. set) do
          local path = set .. "/" .. file
          if set ~= "licences" and lfs.attributes(root .. "/" .. path, "mode") == "file" then
            assert.is_true(listed[path], path)
          end
        end
      end
    end
  end)

  for _, row in ipairs(rows) do
    it(("give of %s what it says"):format(row.file), function()
      local text, check = read(row.file), other_for(row.file)
      if check then
        check(text, row.facts)
      elseif row.facts:find "^plain text" then
        local said = row.facts:match "'(.*)'$" or row.facts:match '"(.*)"$'
        said = said:gsub("\\n$", ""):gsub("%s+$", "")
        assert.matches(said, bad(parse.json, text), 1, true)
      else
        check_json(row, parse.json(text))
      end
    end)
  end
end)
