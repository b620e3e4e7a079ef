--- `adtlua logs [-f] [--rank N] [RUN [JOB]]`: what the ranks of a run's jobs have written.
local errors = require "adt.error"
local lines = require "adt.lines"
local run = require "adt.run"
local runs = require "adt.runs"
local target_of = require "adt.runtarget"
local value = require "adt.output.value"
local ctask = require "adt.c.task"

local M = { summary = "output of a run's jobs, -f follows", args = "[RUN [JOB]]", most = 2 }

M.flags = {
  follow = { short = "f", help = "go on until the job has ended" },
  rank = { value = true, help = "one rank alone" },
  raw = { help = "the bytes as they are, without the rank in front" },
}

-- Prints whole lines; the last one of a rank waits for its end. What names a log is "attempt/rank".
local function printer(job, raw)
  local split = lines.new(function(name, text)
    io.write(("[%s.%s] %s\n"):format(job.name, name:match("/(.*)$") or name, value.safe(text)))
  end)
  return {
    piece = function(piece)
      if raw then
        io.write(piece.text)
      else
        split:feed(piece.name, piece.text)
      end
    end,
    finish = function() split:finish() end,
  }
end

local function show(target, job, given)
  local out = printer(job, given.raw)
  local cursor, pieces
  local nap = 0.05
  while true do
    local state = given.follow and target:status({ job.id })[job.id].state
    repeat
      pieces, cursor = target:logs(job.id, { cursor = cursor, rank = given.rank })
      for _, piece in ipairs(pieces) do out.piece(piece) end
      if #pieces > 0 then nap = 0.05 end
    until #pieces == 0
    io.stdout:flush()
    if not given.follow or state ~= "running" then
      break
    end
    ctask.sleep(nap)
    nap = math.min(nap * 1.5, 1)
  end
  out.finish()
end

--- Prints them.
---@param given table<string, string|true> flags
---@param rest string[]
---@return integer exit status
function M.run(given, rest)
  local r = run.read(rest[1] or "last")
  local target, shown, names = target_of.of(r), 0, {}
  for _, job in ipairs(runs.jobs(r)) do
    names[#names + 1] = job.name
    if not rest[2] or rest[2] == job.name then
      show(target, job, given)
      shown = shown + 1
    end
  end
  if rest[2] and shown == 0 then
    local near = errors.nearest(rest[2], names)
    errors.raise { cause = "usage", message = ("run %s has no job '%s'"):format(r.id, rest[2]),
      hint = near and ("did you mean '%s'?"):format(near) or #names > 0 and "jobs: " .. table.concat(names, ", ") or "it has no jobs" }
  end
  return 0
end

return M
