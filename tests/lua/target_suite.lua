--- What every target must do, as one suite: a file per target calls it with the place where that target's jobs run.
local assert = require "luassert"
local busted = require "busted"
local json = require "adt.json"
local lfs = require "lfs"
local support = require "support"
local system = require "system"
local target_tools = require "target_tools"

local describe, it = busted.describe, busted.it

local M = {}

-- Ranks meet at the address that they were given, and the first tells who came.
local MEET = [[
import os, socket, time
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
at = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if rank == 0:
    server, came = socket.create_server(at), [0]
    while len(came) < world:
        came.append(int(server.accept()[0].makefile().readline()))
    print("met", *sorted(came))
else:
    for _ in range(200):
        try:
            socket.create_connection(at).sendall(b"%d\n" % rank)
            break
        except OSError:
            time.sleep(0.05)
]]

local function files_below(dir, found)
  for name in lfs.dir(dir) do
    local file = dir .. "/" .. name
    local mode = name ~= "." and name ~= ".." and lfs.symlinkattributes(file, "mode")
    if mode == "directory" then
      files_below(file, found)
    elseif mode == "file" then
      found[#found + 1] = file
    end
  end
  return found
end

local function sha256(text)
  return require("adt.hash").sha256(text)
end

--- Declares the tests of a place.
---@param name string of the target, for the titles
---@param place suite.Place
function M.suite(name, place)
  local tools = target_tools.new(place)
  local go, well, ask, nothing_left = tools.go, tools.well, tools.ask, tools.nothing_left

  describe("target " .. name .. ":", function()
    it("ranks get their places in the world, and meet at the address that they are told", function()
      local s <close> = tools.scene()
      support.write(s:path_of "meet.py", MEET)
      local out = well(go(s, ([[launch = "ranks", nodes = 2, per_node = { procs = 2 }, limit = "60s",
        cmd = adt.sh [=[
          echo env $RANK $LOCAL_RANK $WORLD_SIZE $LOCAL_WORLD_SIZE $NODE_RANK $ADT_JOB $ADT_ROLE $ADT_ATTEMPT $OMP_NUM_THREADS
          exec python3 %s/meet.py]=] ]]):format(s.path)))
      for rank, places in ipairs { "0 0 4 2 0", "1 1 4 2 0", "2 0 4 2 1", "3 1 4 2 1" } do
        assert.matches(("[train.%d] env %s train main 1 1\n"):format(rank - 1, places), out, 1, true)
      end
      assert.matches("[train.0] met 0 1 2 3\n", out, 1, true)
      nothing_left(s)
    end)

    it("a job of one plain process has a job's variables and no world", function()
      local s <close> = tools.scene()
      local out = well(go(s, [[cmd = adt.sh 'pwd; echo "in $ADT_JOB_DIR as $ADT_KEY of ${WORLD_SIZE:-one}"']]))
      local dir = out:match "in (%S+) as R%w+%-train%-1 of %w+\n"
      assert.equal(s:folder() .. "/jobs/train-1", dir)
      assert.matches("[train.0] " .. dir .. "\n", out, 1, true)
    end)

    it("a parameter's bytes arrive as they are, in words and in the environment", function()
      local s <close> = tools.scene()
      local word = "a'b\"c\n$(touch pwned) `touch pwned` \\ \\n é \t;|& %s ${HOME} #!\r\n" .. ("z"):rep(60000) .. "\n"
      local out = well(go(s, [[cmd = { "sh", "-c", 'printf %s "$1" | sha256sum; printf %s "$WORD" | sha256sum', "x", p.word },
        env = { WORD = p.word, EMPTY = "" }]], { "--word", word }))
      local _, times = out:gsub(sha256(word), "")
      assert.equal(2, times, out:sub(1, 1000))
      for _, file in ipairs(files_below(s.path, {})) do assert.is_nil(file:find("pwned", 1, true)) end
    end)

    it("the job's own variables win over what the target sets", function()
      local s <close> = tools.scene()
      assert.matches("env 29507 3 late\n", well(go(s, [[launch = "ranks", per_node = { procs = 2 },
        env = { MASTER_PORT = 29507, OMP_NUM_THREADS = 3, ADT_ATTEMPT_NOTE = "late" },
        cmd = adt.sh "echo env $MASTER_PORT $OMP_NUM_THREADS $ADT_ATTEMPT_NOTE"]])))
    end)

    it("the first rank that fails ends the job, and is named with its status", function()
      local s <close> = tools.scene()
      local r = go(s, [[launch = "ranks", nodes = 2, per_node = { procs = 2 },
        cmd = adt.sh 'if [ $RANK = 2 ]; then sleep 0.3; echo last words; exit 37; fi; exec sleep 600']])
      assert.equal(6, r.code, r.stdout .. r.stderr)
      assert.matches("rank 2 exited with status 37", r.stderr, 1, true)
      assert.matches("last words", r.stdout, 1, true)
      nothing_left(s)
    end)

    it("--propagate passes the program's own status on", function()
      local s <close> = tools.scene()
      assert.equal(37, go(s, "cmd = { 'sh', '-c', 'exit 37' }", { "--propagate" }).code)
    end)

    it("a rank that a signal ended is named with the signal", function()
      local s <close> = tools.scene()
      local r = go(s, [[launch = "ranks", per_node = { procs = 2 }, cmd = adt.sh 'if [ $RANK = 1 ]; then kill -SEGV $$; fi; exec sleep 600']])
      assert.equal(6, r.code, r.stdout .. r.stderr)
      assert.matches("rank 1 was ended by [sS][iI][gG]", r.stderr)
      nothing_left(s)
    end)

    it("a program that is not there is missed by its name", function()
      local s <close> = tools.scene()
      local r = go(s, "cmd = { 'no-such-program' }")
      assert.equal(6, r.code)
      assert.matches("no-such-program", r.stdout .. r.stderr, 1, true)
    end)

    it("logs come by rank, by byte offset and by their end, and nothing comes twice", function()
      local s <close> = tools.scene()
      local a = ask(s, [[
        local id = submit { launch = "ranks", per_node = { procs = 2 }, cmd = { "sh", "-c", "printf 'rank %s: abcdefghij\n' $RANK" } }
        local a = { state = ended(id).state, one = said(id, { rank = 1 }), tail = said(id, { rank = 0, tail = 4 }), pieces = {}, names = {} }
        local cursor, pieces
        repeat
          pieces, cursor = target:logs(id, { cursor = cursor, max = 5, rank = 0 })
          for _, piece in ipairs(pieces) do
            table.insert(a.pieces, piece.text)
            a.names[piece.name] = { piece.rank, piece.attempt }
          end
        until #pieces == 0
        a.again = said(id, { cursor = cursor, rank = 0 })
        a.nobody = said(id, { rank = 7 })
        return a]])
      assert.equal("done", a.state)
      assert.equal("rank 1: abcdefghij\n", a.one)
      assert.equal("hij\n", a.tail)
      assert.equal("rank 0: abcdefghij\n", table.concat(a.pieces))
      assert.equal(4, #a.pieces)
      assert.same({ ["1/0"] = { 0, 1 } }, a.names)
      assert.same({ "", "" }, { a.again, a.nobody })
    end)

    it("a log that is rotated or cut while it is read goes on where it was", function()
      local s <close> = tools.scene()
      local a = ask(s, [=[
        local id, dir = submit { cmd = { "bash", "-c", [[
          log=$ADT_JOB_DIR/attempt-1/rank-0.log
          echo one
          until [ -e rotate ]; do sleep 0.05; done
          echo two; mv "$log" "$log.1"; exec >>"$log" 2>&1; echo three >&2
          until [ -e cut ]; do sleep 0.05; done
          : >"$log"; echo 4; touch was_cut
          until [ -e finish ]; do sleep 0.05; done
          echo five]] } }
        local cursor, seen = nil, {}
        local function hear(what)
          eventually(what .. " is heard", function()
            local pieces
            pieces, cursor = target:logs(id, { cursor = cursor })
            for _, piece in ipairs(pieces) do table.insert(seen, piece.text) end
            return table.concat(seen):find(what, 1, true)
          end)
        end
        hear "one"
        fs.write(path.join(dir, "rotate"), "")
        hear "three"
        fs.write(path.join(dir, "cut"), "")
        eventually("the log was cut", function() return fs.exists(path.join(dir, "was_cut")) end)
        hear "4"
        fs.write(path.join(dir, "finish"), "")
        hear "five"
        return { seen = table.concat(seen), state = ended(id).state }]=])
      assert.same({ seen = "one\ntwo\nthree\n4\nfive\n", state = "done" }, a)
    end)

    it("a failed program is started again where asked, each attempt in a folder of its own", function()
      local s <close> = tools.scene()
      local out = well(go(s, [[retry = { on = { "program" }, max = 2 }, launch = "ranks", per_node = { procs = 2 },
        cmd = adt.sh 'echo attempt $ADT_ATTEMPT; touch left-$ADT_ATTEMPT-$RANK; [ $ADT_ATTEMPT = 3 ]']]))
      assert.matches("attempt 1.*attempt 2.*attempt 3", out)
      for attempt = 1, 3 do
        assert.equal(("attempt %d\n"):format(attempt), support.read(("%s/jobs/train-1/attempt-%d/rank-1.log"):format(s:folder(), attempt)))
      end
      nothing_left(s)
    end)

    it("a program that fails every time is given up, and one of another cause is not started again", function()
      local s <close> = tools.scene()
      local r = go(s, [[retry = { on = { "program" }, max = 1 }, cmd = adt.sh 'echo attempt $ADT_ATTEMPT; exit 5']])
      assert.equal(6, r.code)
      assert.matches("status 5", r.stderr, 1, true)
      assert.matches("attempt 2", r.stdout, 1, true)
      assert.is_nil(r.stdout:find("attempt 3", 1, true))
      r = go(s, [[retry = { on = { "node" }, max = 1 }, cmd = adt.sh 'echo attempt $ADT_ATTEMPT; exit 5']])
      assert.equal(6, r.code)
      assert.is_nil(r.stdout:find("attempt 2", 1, true))
    end)

    it("a job goes on when its program leaves, and wait follows it to its end", function()
      local s <close> = tools.scene()
      well(go(s, [[cmd = adt.sh 'until [ -e go ]; do sleep 0.05; done; echo went']], { "--detach" }))
      local id = s:ids()[1]
      assert.matches(id, s:run({ "ps" }).stdout)
      support.write(s:folder() .. "/jobs/train-1/go", "")
      assert.matches("%[train.0%] went", well(s:run { "wait", id }))
      assert.matches("nothing runs", s:run({ "ps" }).stdout)
      nothing_left(s)
    end)

    it("a cancelled job has ended with all of its processes, and stays cancelled", function()
      local s <close> = tools.scene()
      well(go(s, [[launch = "ranks", nodes = 2, cmd = adt.sh 'sleep 600 & echo up >up-$RANK; wait']], { "--detach" }))
      local up = s:folder() .. "/jobs/train-1/up-"
      for _ = 1, 400 do
        if lfs.attributes(up .. "0") and lfs.attributes(up .. "1") then break end
        system.sleep(0.05)
      end
      assert.matches("job train: cancelled", well(s:run { "cancel", "last" }))
      nothing_left(s)
      assert.equal(13, s:run({ "wait", "last" }).code)
      assert.matches("no job of run R%w+ runs", well(s:run { "cancel", "last" }))
    end)

    it("a secret reaches the rank and is in no file, no output and nowhere that others look", function()
      local s <close> = tools.scene()
      local value = "s3cr3t\"value\\with'quotes $(id)"
      local r = go(s, [[secrets = { TOKEN = p.token }, cmd = adt.sh [=[printf %s "$TOKEN" | sha256sum; echo "token=$TOKEN"
        ls -l "$ADT_JOB_DIR" | grep -v "^-rw-------.* secrets$" | grep secrets; squeue -o %all 2>/dev/null; scontrol show job 2>/dev/null
        for p in /proc/[0-9]*/cmdline; do tr '\0' ' ' <$p; echo; done; until [ -e go ]; do sleep 0.05; done]=] ]],
        { "--detach", env = { SUITE_TOKEN = value } })
      well(r)
      local folder = s:folder()
      local secrets = folder .. "/jobs/train-1/secrets"
      if lfs.attributes(secrets) then
        assert.equal("rw-------", lfs.attributes(secrets, "permissions"))
      end
      support.write(folder .. "/jobs/train-1/go", "")
      r = s:run { "wait", "last", env = { SUITE_TOKEN = value } }
      local out = well(r)
      assert.matches(sha256(value), out, 1, true)
      assert.matches("token=[<*]", out)
      assert.is_nil(out:find("secrets\n", 1, true), out)
      local checked = 0
      for _, file in ipairs(files_below(s.path, {})) do
        local text = support.read(file)
        checked = checked + 1
        for _, form in ipairs { value, json.encode(value):sub(2, -2), require("adt.quote").sh(value), require("adt.base64").encode(value) } do
          assert.is_nil(text:find(form, 1, true), file)
        end
      end
      assert.is_true(checked >= 6)
      assert.is_nil(lfs.attributes(secrets))
      assert.is_nil((out .. r.stderr):find(value, 1, true))
      assert.is_nil(s:run({ "plan" , "./suite.lua", env = { SUITE_TOKEN = value } }).stdout:find(value, 1, true))
    end)

    it("a service ends when its trainers have ended", function()
      local s <close> = tools.scene()
      local out = well(go(s, [[roles = {
        server = { service = true, cmd = adt.sh [=[
          trap "echo told to end; exit 0" TERM
          echo serving at $ADT_ROLE_SERVER_HOST; touch up
          while :; do sleep 0.1; done]=] },
        trainer = { procs = 2, cmd = adt.sh [=[
          until [ -e up ]; do sleep 0.05; done
          echo rank $RANK of $WORLD_SIZE, server $ADT_ROLE_SERVER_HOST:$ADT_ROLE_SERVER_PORT]=] } } ]]))
      assert.matches("%[train.server%-0%] serving at (%S+)", out)
      assert.matches("%[train.trainer%-0%] rank 0 of 2, server [%w.-]+:%d+\n", out)
      assert.matches("%[train.trainer%-1%] rank 1 of 2, server [%w.-]+:%d+\n", out)
      assert.matches("told to end", out, 1, true)
      nothing_left(s)
    end)

    it("the worst of the roles' ends is the job's", function()
      local s <close> = tools.scene()
      local r = go(s, [[roles = { good = { cmd = adt.sh 'exit 0' }, server = { service = true, cmd = { "sleep", "600" } },
        trainer = { cmd = adt.sh 'sleep 0.3; exit 4' } }]])
      assert.equal(6, r.code, r.stdout .. r.stderr)
      assert.matches("rank trainer-0 exited with status 4", r.stderr, 1, true)
      nothing_left(s)
    end)

    it("a program is wrapped on the ranks that were chosen", function()
      local s <close> = tools.scene()
      local out = well(go(s, [[launch = "ranks", per_node = { procs = 3 }, wrap = { cmd = { "env", "WRAPPED=it is" }, ranks = { 0, 2 } },
        cmd = adt.sh 'echo "$RANK: ${WRAPPED:-not}"']]))
      assert.matches("0: it is\n", out, 1, true)
      assert.matches("1: not\n", out, 1, true)
      assert.matches("2: it is\n", out, 1, true)
    end)

    it("artefacts must be there, and what is to be collected is copied into the run", function()
      local s <close> = tools.scene()
      well(go(s, [[artefacts = { "ckpt/*/.metadata" }, collect = { "out/*.json" },
        cmd = adt.sh 'mkdir -p ckpt/1 out; echo x >ckpt/1/.metadata; echo "{}" >out/a.json']]))
      assert.equal("{}\n", support.read(s:folder() .. "/collected/train/out/a.json"))
      local r = go(s, [[artefacts = { "ckpt/*/.metadata" }, cmd = { "true" }]])
      assert.equal(6, r.code)
      assert.matches("left nothing at ckpt/*/.metadata", r.stderr, 1, true)
    end)

    it("files of a job are put, listed, asked for and fetched, and none outside of its folder", function()
      local s <close> = tools.scene()
      support.write(s:path_of "in.txt", "bytes\0of a file")
      local a = ask(s, [[
        local id = submit { cmd = { "sh", "-c", "until [ -e in.txt ]; do sleep 0.05; done; mkdir sub; cp in.txt sub/out.txt" } }
        local files = target:files(id)
        files.put("in.txt", "in.txt")
        local state = ended(id).state
        files.get("sub/out.txt", "back.txt")
        local _, err = errors.try(files.get, "../../../outside", "x")
        return { state = state, list = files.list "sub", size = files.stat("sub/out.txt").size, cause = err.cause,
          none = files.stat "sub/none" == nil }]])
      assert.same({ state = "done", list = { "out.txt" }, size = 15, cause = "usage", none = true }, a)
      assert.equal("bytes\0of a file", support.read(s:path_of "back.txt"))
    end)

    it("nodes are listed, and a program runs on each that is asked, an answer for each, silence and strangers included", function()
      local s <close> = tools.scene()
      local a = ask(s, [=[
        local hash = require "adt.hash"
        local names, all = {}, target:nodes()
        for i, node in ipairs(all) do names[i] = node.name end
        local a = { n = #names, state = all[1].state }
        a.whole = {}
        for i, got in ipairs(target:exec(names, { "sh", "-c", "head -c 1000000 /dev/zero; printf end; echo 'to stderr $0' >&2; exit 3" })) do
          a.whole[i] = { got.node == names[i], got.ok, got.code, #got.stdout, hash.sha256(got.stdout), got.stderr }
        end
        local strange = target:exec({ names[1], "no-such-node" }, { "printf", "%s", "a'b \"c\" $(id)" })
        a.said, a.stranger = strange[1].stdout, { strange[2].node, strange[2].ok, strange[2].error.cause }
        local began = time.monotonic()
        local silent = target:exec({ names[1] }, { "sh", "-c", "echo before; exec sleep 600" }, { timeout = 2 })[1]
        a.silent = { silent.ok, silent.code == nil, silent.error ~= nil, time.monotonic() - began < 20 }
        return a]=])
      assert.equal(place.nodes, a.n)
      local bytes = ("\0"):rep(1000000) .. "end"
      for i = 1, a.n do
        assert.same({ true, false, 3, 1000003, sha256(bytes), "to stderr $0\n" }, a.whole[i])
      end
      assert.equal("a'b \"c\" $(id)", a.said)
      assert.same({ "no-such-node", false, "usage" }, a.stranger)
      assert.same({ false, true, true, true }, a.silent)
    end)

    it("a job is found by its key after its submission, and only then", function()
      local s <close> = tools.scene()
      local a = ask(s, [[
        local spec = { cmd = { "sleep", "600" } }
        local before = target:find(key, job(spec), dir)
        local id = submit(spec)
        local found = target:find(key, job(spec), dir)
        local other = target:find("R0000000000AA-train-2", job(spec), (dir:gsub("1$", "2")))
        return { none = before == nil, same = found == id, other = other == nil, state = target:cancel(id).state }]])
      assert.same({ none = true, same = true, other = true, state = "cancelled" }, a)
      nothing_left(s)
    end)

    it("the states of many jobs come at once, a job that is not known among them", function()
      local s <close> = tools.scene()
      local a = ask(s, [[
        local ids, states = {}, {}
        for i, script in ipairs { "exit 0", "exit 3", "sleep 600" } do
          ids[i] = target:submit(job { cmd = { "sh", "-c", script } }, ("R0000000000AA-train-%d"):format(i), (dir:gsub("1$", tostring(i))))
        end
        ids[4] = ids[1]:gsub("^%d+@", "999999@"):gsub("train%-1$", "train-9")
        eventually("two have ended", function()
          local now = target:status(ids)
          for i, id in ipairs(ids) do states[i] = now[id].state end
          return states[1] ~= "running" and states[2] ~= "running"
        end)
        target:cancel(ids[3])
        states[5] = target:status(ids)[ids[3] ].state
        local _, err = errors.try(target.status, target, { "no id" })
        states[6] = err.cause
        return states]])
      assert.same({ "done", "failed", "running" }, { a[1], a[2], a[3] })
      assert.is_true(a[4] == "absent" or a[4] == "unknown", a[4])
      assert.same({ "cancelled", "usage" }, { a[5], a[6] })
      nothing_left(s)
    end)

    it("a job that was started before is taken over by its id, and a stranger is not", function()
      local s <close> = tools.scene()
      local a = ask(s, [[
        local id = submit { cmd = { "sh", "-c", "echo hello" } }
        local adopted = target:adopt(id)
        local _, err = errors.try(target.adopt, target, (id:gsub("^%d+@", "999999@"):gsub("train%-1$", "train-9")))
        return { state = ended(adopted).state, cause = err and err.cause }]])
      assert.same({ state = "done", cause = "usage" }, a)
    end)

    for fields, text in pairs(place.refuses) do
      it("refuses " .. fields .. " before anything is created", function()
        local s <close> = tools.scene()
        local r = go(s, fields)
        assert.is_true(r.code == 2 or r.code == 3 or r.code == 5, r.code .. r.stdout .. r.stderr)
        assert.matches(text, r.stderr, 1, true)
        for _, file in ipairs(files_below(s:folder(), {})) do
          assert.is_nil(file:find("/jobs/train-1/job", 1, true), file)
        end
        nothing_left(s)
      end)
    end

    it("a plan shows the text that runs, to the letter, and does nothing", function()
      local s <close> = tools.scene()
      local fields = [[env = { A = "1 '2'" }, limit = "1m", cmd = { "printf", "%s, %s\n", "it's", "b" }]]
      local function planned(words)
        local r = go(s, fields, words)
        well(r)
        for line in r.stdout:gmatch "[^\n]+" do
          local event = json.decode(line)
          if event.type == "rendered" then return event.text end
        end
      end
      local before = planned { "plan", "-o", "ndjson" }
      assert.same({}, s:ids())
      assert.matches("it's, b\n", well(go(s, fields)), 1, true)
      local text = planned { "plan", "--run", "last", "-o", "ndjson" }
      assert.equal(place.texts and place.texts(s:folder() .. "/jobs/train-1") or text, text)
      local id = s:ids()[1]
      local mended = text:gsub(id, "RUN"):gsub(s:folder():gsub(id, "RUN"):gsub("%p", "%%%0"), "<run>")
      assert.equal(before:gsub("'(<run>[^']*)'", "%1"), (mended:gsub("'(<run>[^']*)'", "%1")))
      if not place.texts then
        assert.equal("it's, b\n", support.run({ "sh", "-c", text }).stdout)
      end
    end)

    it("rendering has no side effect and says the same each time", function()
      local s <close> = tools.scene()
      local a = ask(s, [[
        local spec = { launch = "ranks", per_node = { procs = 2 }, cmd = { "echo", "x" }, env = { B = "2", A = "1", C = "3" } }
        local text = target:render(job(spec), key, dir)
        local same = true
        for _ = 1, 5 do same = same and target:render(job(spec), key, dir) == text end
        return { same = same, size = #text > 20, made = fs.exists(dir) }]])
      assert.same({ same = true, size = true, made = false }, a)
      assert.same({}, s:ids())
    end)
  end)
end

return M
