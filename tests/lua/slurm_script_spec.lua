--- Batch scripts: what each form looks like, and the sentences that hold for every script.
local forms = require "slurm_forms"
local json = require "adt.json"
local lfs = require "lfs"
local support = require "support"

local DATA = "tests/data/slurm/"

local all = forms.all()

local function each(f)
  for name, form in pairs(all) do f(form, name) end
end

-- ADT_GOLDEN=write takes what is rendered now for what should be; the difference is for git to show.
local function golden(name, text)
  if os.getenv "ADT_GOLDEN" == "write" then
    lfs.mkdir "tests/data/slurm"
    support.write(DATA .. name, text)
  end
  assert.equal(support.read(DATA .. name), text)
end

local function directive(form, option, part)
  for _, pair in ipairs(form.parts[part or 1]) do
    if pair[1] == option then return pair[2] or true end
  end
end

local function sruns(batch)
  local found, text = {}, batch:gsub("\\\n%s*", "")
  for line in text:gmatch "[^\n]+" do
    if line:match "^%s*srun " then found[#found + 1] = line end
  end
  return found
end

local function agent(line)
  return line:find("torch.distributed.run", 1, true) ~= nil
end

-- Text without what stands in single quotes, which no shell looks into, and without comments.
local function expanded(text)
  return (text:gsub("\n%s*#[^\n]*", "\n"):gsub("\\'", ""):gsub("'[^']*'", "''"))
end

describe("a batch script", function()
  it("of each form is the one that stands in tests/data/slurm", function()
    local count = 0
    each(function(form, name)
      golden(name .. ".sh", form.batch)
      golden(name .. ".rank.sh", form.rank)
      count = count + 2
    end)
    for name in lfs.dir(DATA) do count = count - (name:find "%.sh$" and 1 or 0) end
    assert.equal(0, count)
  end)

  it("has a body for slurmrestd in the form of its version", function()
    for name, form in pairs { torchrun = all.torchrun, roles = all.roles } do
      for _, version in ipairs { 38, 41 } do
        local text = forms.body(form, version)
        local body = json.decode(text)
        local job = body.job or body.jobs[1]
        local holder = version < 39 and body or job
        assert.equal(form.batch, holder.script)
        holder.script = "..."
        golden(("%s.v0.0.%d.json"):format(name, version), json.encode(body, { indent = 2 }) .. "\n")
        assert.equal(form.dir, job.current_working_directory)
      end
    end
  end)

  it("S1: is taken by bash, begins with its name, and asks before it does anything", function()
    local dir <close> = support.tempdir()
    each(function(form, name)
      for kind, text in pairs { batch = form.batch, rank = form.rank } do
        support.write(dir / "script", text)
        local r = support.run { "bash", "-n", dir / "script" }
        assert.equal(0, r.code, name .. kind .. r.stderr)
        assert.equal("#!/bin/bash\n", text:sub(1, 12))
      end
      local began
      for line in form.batch:gmatch "[^\n]+" do
        if line:find "^#SBATCH" then
          assert.is_nil(began, name)
        elseif not line:find "^#" then
          began = line
        end
      end
      assert.is_string(began)
    end)
  end)

  it("S2: asks for its nodes, for whole ones where it has several GPUs of each, and writes where its folder is", function()
    each(function(form, name)
      for i, role in ipairs(form.job.roles) do
        assert.equal(tostring(role.nodes), directive(form, "nodes", i), name)
        local exclusive = directive(form, "exclusive", i)
        assert.equal((form.job.per_node.gpu or 0) > 1, exclusive ~= nil, name)
      end
      local output = directive(form, "output")
      assert.matches("%j", output, 1, true)
      assert.equal(form.dir, output:match "^(.*)/[^/]+$")
      assert.equal(form.dir, directive(form, "chdir"))
      assert.is_nil(directive(form, "error"))
      for _, part in ipairs(form.parts) do
        for _, pair in ipairs(part) do
          assert.matches("#SBATCH --" .. pair[1] .. (pair[2] and "=" .. pair[2] or "") .. "\n", form.batch .. "\n", 1, true)
        end
      end
    end)
  end)

  it("S3: uses only variables that it sets, that Slurm sets, or that it looks at with care", function()
    local given = { HOME = true, PATH = true, RANK = true, ADT_ATTEMPT_DIR = true }
    each(function(form, name)
      for kind, text in pairs { batch = form.batch, rank = form.rank } do
        local set, code = {}, expanded(text)
        for variable in code:gmatch "([%a_][%w_]*)=" do set[variable] = true end
        for variable in code:gmatch "for ([%a_][%w_]*) in" do set[variable] = true end
        for list in code:gmatch "local ([%l%d_= ]+)" do
          for variable in list:gmatch "[%l_]+" do set[variable] = true end
        end
        local seen = 0
        for before, variable in code:gmatch "%$({?[!#]?)([%a_][%w_]*)" do
          seen = seen + 1
          local careful = before == "{" and code:find("${" .. variable .. ":", 1, true) or before == "{!"
          assert.is_true(set[variable] or given[variable] or careful ~= nil and careful ~= false or variable:find "^SLURM" ~= nil,
            ("%s, %s: $%s"):format(name, kind, variable))
        end
        assert.is_true(seen > 5)
        assert.is_nil(code:find("$NODES", 1, true))
        assert.matches("\nset -u\n", text, 1, true)
      end
    end)
  end)

  it("S4: has one way in which ranks get their places", function()
    each(function(form, name)
      local lines = sruns(form.batch)
      assert.equal(#form.job.roles, #lines, name)
      for i, role in ipairs(form.job.roles) do
        local uses_agent = form.job.launch == "torchrun" and role.nodes * role.procs > 1
        assert.equal(uses_agent, agent(lines[i]), name)
        local tasks = uses_agent and 1 or role.procs
        assert.matches((" --nodes=%d --ntasks=%d --ntasks-per-node=%d "):format(role.nodes, role.nodes * tasks, tasks), lines[i], 1, true)
        if form.job.launch ~= "torchrun" then assert.equal(tostring(tasks), directive(form, "ntasks-per-node", i)) end
      end
    end)
  end)

  it("S5: an agent meets by c10d at the first node under the job's number, with a process per accelerator", function()
    local agents = 0
    each(function(form, name)
      for i, line in ipairs(sruns(form.batch)) do
        if agent(line) then
          agents = agents + 1
          local role = form.job.roles[i]
          local many = #form.job.roles > 1
          local at = many and ('"$ADT_ROLE_%s_HOST:$ADT_ROLE_%s_PORT"'):format(role.name:upper(), role.name:upper()) or '"$MASTER_ADDR:$MASTER_PORT"'
          for _, word in ipairs { "--nnodes=" .. (many and role.nodes or '"$SLURM_JOB_NUM_NODES"'), "--nproc_per_node=" .. form.job.per_node.gpu,
            '--rdzv_id="$SLURM_JOB_ID"', "--rdzv_backend=c10d", "--rdzv_endpoint=" .. at } do
            assert.matches(word, line, 1, true, name)
          end
          assert.matches('MASTER_ADDR=$(address "$SLURMD_NODENAME")', form.batch, 1, true)
          assert.equal(many, form.batch:find('scontrol show hostnames "$SLURM_JOB_NODELIST_HET_GROUP_', 1, true) ~= nil)
        end
      end
    end)
    assert.equal(4, agents)
  end)

  it("S6: asks for HyperPod's auto-resume on the step alone, where the folder is there, if it can resume", function()
    each(function(form, name)
      local resumes = form.job.resume == "checkpoint"
      assert.equal(resumes, form.batch:find("--auto-resume=1", 1, true) ~= nil, name)
      assert.is_nil(form.batch:find "#SBATCH[^\n]*auto%-resume")
      assert.equal(resumes, form.batch:find("[ -d /opt/sagemaker_cluster ] && auto_resume=(--auto-resume=1)", 1, true) ~= nil, name)
      for _, line in ipairs(sruns(form.batch)) do
        assert.equal(resumes, line:find('"${auto_resume[@]}"', 1, true) ~= nil, name)
      end
    end)
    assert.equal("checkpoint", all.venv.job.resume)
  end)

  it("S7: a container has an image file, and every result lies below a mount", function()
    local containers = 0
    each(function(form, name)
      for _, line in ipairs(sruns(form.batch)) do
        local image, mounts = line:match "%-%-container%-image=(%S+) %-%-container%-mounts=(%S+)"
        assert.equal(form.job.image, image, name)
        if image then
          containers = containers + 1
          assert.matches("^/.*%.sqsh$", image)
          assert.matches('"$dir:$dir"', mounts, 1, true)
          for _, result in ipairs(form.job.artefacts) do
            local found = false
            for to in mounts:gmatch ":(/[^:,]+)" do found = found or result:sub(1, #to + 1) == to .. "/" end
            assert.is_true(found, result)
          end
        end
      end
      assert.is_nil(form.batch:find("LD_PRELOAD", 1, true))
    end)
    assert.equal(1, containers)
  end)

  it("S8: holds no secret, nobody's name and nothing that moves", function()
    each(function(form, name)
      for _, text in ipairs { form.batch, form.rank, forms.body(form, 38), forms.body(form, 41) } do
        for _, word in ipairs { forms.SECRET, "/home/", "/fsxl/", ":latest", "git clone" } do
          assert.is_nil(text:find(word, 1, true), name .. ": " .. word)
        end
      end
    end)
    assert.matches('. "$dir/secrets" || exit 75', all.hidden.batch, 1, true)
  end)

  it("S9: waits for everything that it starts beside itself, and passes on the worst end", function()
    each(function(form, name)
      local started, code = {}, expanded(form.batch)
      for pid in code:gmatch "&\n%s*local (pid_[%w_]+)=%$!" do started[#started + 1] = pid end
      local _, background = code:gsub("[^&>]&\n", "")
      assert.equal(#started, background, name)
      assert.equal(#form.job.roles > 1 and #form.job.roles or 0, #started, name)
      local watched, served = code:match '    watch "([^"\n]*)" "([^"\n]*)"\n'
      for i, pid in ipairs(started) do
        local role = form.job.roles[i]
        assert.matches("$" .. pid, role.service and served or watched, 1, true)
        if role.service then assert.matches(('    stop %s "$%s"\n'):format(role.name, pid), code, 1, true) end
      end
      assert.matches("run\nstatus=$?\n", form.batch, 1, true)
      assert.matches('\nfinish "$status"\n$', form.batch)
    end)
    -- The function itself, with real processes in place of steps.
    local watch = all.roles.batch:match "\nwatch%(%) {\n.-\n}\n"
    local function status(commands, service)
      local starts, pids = {}, {}
      for i, command in ipairs(commands) do
        starts[i] = ("(%s) &\np%d=$!"):format(command, i)
        pids[i] = "$p" .. i
      end
      local script = ('%s%s\n(%s) &\nsleep 0.3\nwatch "%s" $!; status=$?; kill $! 2>/dev/null; exit $status'):format(watch,
        table.concat(starts, "\n"), service or "exec sleep 600", table.concat(pids, " "))
      return support.run({ "timeout", "20", "bash", "-uc", script }).code
    end
    assert.equal(0, status { "exit 0", "sleep 0.5" })
    assert.equal(7, status { "exit 3", "exit 7", "exit 0" })
    assert.equal(3, status { "sleep 0.5; exit 3", "exec sleep 600" })
    assert.equal(3, status { "exec sleep 600", "exit 3" })
    assert.equal(5, status({ "exec sleep 600" }, "exit 5"))
    assert.equal(0, status({ "sleep 0.5" }, "exit 0"))
  end)

  it("is what shellcheck calls clean", function()
    if os.execute "command -v shellcheck >/dev/null 2>&1" ~= true then
      pending "shellcheck is not installed"
    end
    local dir <close> = support.tempdir()
    local command = { "shellcheck" }
    each(function(form, name)
      for kind, text in pairs { batch = form.batch, rank = form.rank } do
        command[#command + 1] = dir / ("%s.%s.sh"):format(name, kind)
        support.write(command[#command], text)
      end
    end)
    local r = support.run(command)
    assert.equal(0, r.code, r.stdout)
  end)

  it("carries a carriage return as bash writes it, since sbatch takes no script that holds one", function()
    local job = require("adt.job").check { "j", cmd = { "printf", "%s", "a\r\nb'\r" }, env = { V = "\r" } }
    local text = require("adt.slurm.script").batch(job, {}, "K", "/tmp")
    assert.is_nil(text:find("\r", 1, true))
    assert.equal("a\r\nb'\r", support.run({ "bash", "-c", text:match "rank.sh\" main ([^}]*)\n}" }).stdout)
  end)
end)
