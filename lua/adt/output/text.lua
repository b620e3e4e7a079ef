--- Events as text for people: permanent lines, and live lines below them on a terminal.
local term = require "adt.term"
local value = require "adt.output.value"
local live = require "adt.output.live"

local M = {}

local LINE_MAX = 16384 -- bytes of a job's line that are shown; the log has all of it
local TAIL = 20        -- last lines of a job that are shown when it failed and only a live line showed them

---@class adt.output.Text
local Text = {}
Text.__index = Text

local function is_live(out, options)
  if options.live ~= nil then
    return options.live
  end
  return io.type(out.stream) == "file" and term.isatty(out.stream) and term.moves()
end

---@param out adt.Output
---@param options adt.output.Options
function M.new(out, options)
  local on_file = io.type(out.stream) == "file"
  local self = setmetatable({
    out = out, verbose = options.verbose or false, jobs = {}, told = {},
    colour = on_file and term.colour(nil, out.stream) or false,
    error_colour = io.type(out.errors) == "file" and term.colour(nil, out.errors) or false,
    error_width = io.type(out.errors) == "file" and term.isatty(out.errors) and term.width() or nil,
  }, Text)
  if is_live(out, options) then
    self.live = live.new(function(text) out:write(text) end, self.colour)
  end
  return self
end

function Text:print(line)
  if self.live then
    self.live:above(line .. "\n")
  else
    self.out:write(line .. "\n")
  end
end

-- Both streams are often one terminal: the live lines make room first.
function Text:complain(text)
  if self.live then
    self.live:clear()
  end
  self.out:complain(text .. "\n")
end

function Text:paint(style, text)
  return term.paint(style, text, self.colour)
end

local function lines_of(text)
  return (text:gsub("\n$", "") .. "\n"):gmatch("(.-)\n")
end

function Text:error(err)
  if self.told[err] then
    return
  end
  self.told[err] = true
  local text = value.paragraph(err)
  local title = "error: "
  if self.error_width then
    text = term.wrap(title .. text, self.error_width - 1, "  "):sub(#title + 1)
  end
  self:complain(term.paint("red", title, self.error_colour) .. text)
end

local MODES = { ["do"] = "run", resume = "resume", plan = "plan", down = "down" }

local function sorted(names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = tostring(name) end
  table.sort(list)
  return list
end

function Text:on_run(e)
  local what = { MODES[e.mode or "do"] or tostring(e.mode) }
  if e.run then
    what[#what + 1] = e.run
  end
  self:print(self:paint("bold", table.concat(what, " ")) .. ": " .. value.safe(tostring(e.recipe or "script"))
    .. (e.kind and " (" .. value.safe(tostring(e.kind)) .. ")" or ""))
  for _, name in ipairs(e.params and sorted(e.params) or {}) do
    self:print(("  %s = %s"):format(value.safe(name), value.short(e.params[name])))
  end
  if e.folder then
    self:print("  folder " .. value.safe(e.folder))
  end
end

local function took(seconds)
  return seconds and " (" .. value.seconds(seconds) .. ")" or ""
end

-- What is known of a job that prints: its last lines, and whether its numbers are on its live line.
function Text:job(e)
  local job = self.jobs[e.job]
  if not job then
    job = { name = e.job, stage = e.stage, tail = {} }
    self.jobs[e.job] = job
    if self.live then
      self.live:begin("job:" .. e.job, "  " .. value.safe(e.job), e.t)
    end
  end
  return job
end

-- Only a live line showed what the job printed, so its end is shown when it failed.
function Text:end_job(job, ok)
  self.jobs[job.name] = nil
  if self.live then
    self.live:stop("job:" .. job.name)
  end
  if not ok and #job.tail > 0 then
    self:print(("  last lines of %s:"):format(value.safe(job.name)))
    for _, line in ipairs(job.tail) do
      self:print("  | " .. line)
    end
  end
end

function Text:on_stage(e)
  local name = value.safe(e.stage)
  if e.state == "begin" then
    self:print(self:paint("bold", "stage " .. name))
    if self.live then
      self.live:begin("stage:" .. name, name, e.t)
    end
    return
  end
  for _, job in ipairs(self:jobs_of(e.stage)) do
    self:end_job(job, e.ok)
  end
  if self.live then
    self.live:stop("stage:" .. name)
  end
  local verdict = e.ok and self:paint("green", "done") or self:paint("red", "FAILED")
  self:print(self:paint("bold", "stage " .. name .. " ") .. verdict .. took(e.seconds))
  if e.error then
    self:error(e.error)
  end
end

function Text:jobs_of(stage)
  local list = {}
  for _, job in pairs(self.jobs) do
    if job.stage == nil or job.stage == stage then list[#list + 1] = job end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local STEP_WORDS = {
  doing = { "doing" }, done = { "done", "green" }, resumed = { "found", "green" }, planned = { "would do", "yellow" },
  kept = { "kept", "cyan" }, undone = { "undone", "cyan" }, failed = { "FAILED", "red" },
  pending = { "pending", "yellow" },
}

function Text:on_step(e)
  local id = "step:" .. e.step
  local words = STEP_WORDS[e.state] or { tostring(e.state) }
  local name, detail = value.safe(e.step), e.detail and ": " .. value.safe(e.detail) or ""
  if e.state == "doing" then
    if self.live then
      self.live:begin(id, "  " .. name, e.t)
      self.live:text(id, e.detail and value.safe(e.detail) or "")
      return
    end
  elseif self.live then
    self.live:stop(id)
  end
  if e.state == "failed" and self.jobs[e.step] then
    self:end_job(self.jobs[e.step], false)
  end
  -- The step of a job is its submission; the job itself goes on.
  local word = ("%-8s"):format(e.kind == "job" and e.state == "done" and "started" or words[1])
  self:print("  " .. (words[2] and self:paint(words[2], word) or word) .. " " .. name .. took(e.seconds) .. detail)
  if e.error then
    self:error(e.error)
  end
end

function Text:on_job(e)
  local job = self:job(e)
  if e.state ~= "end" then
    return
  end
  self:end_job(job, e.ok)
  local word = e.ok and self:paint("green", "ended   ") or self:paint("red", "FAILED  ")
  self:print(("  %s %s%s%s"):format(word, value.safe(e.job), took(e.seconds), e.detail and ": " .. value.safe(e.detail) or ""))
end

function Text:on_line(e)
  local text = e.text
  if #text > LINE_MAX then
    text = ("%s... (%d bytes more)"):format(text:sub(1, LINE_MAX), #text - LINE_MAX)
  end
  text = value.safe(term.strip(text))
  local line = ("[%s] %s"):format(value.safe(e.rank and ("%s.%s"):format(e.job, e.rank) or e.job), text)
  if not self.live then
    self:print(line)
    return
  end
  local job = self:job(e)
  if self.verbose then
    self:print(line)
    return
  end
  job.tail[#job.tail + 1] = line
  if #job.tail > TAIL then
    table.remove(job.tail, 1)
  end
  if not job.metrics then
    self.live:text("job:" .. e.job, text:gsub("\t", " "))
  end
end

local FIRST = { loss = 1, ["tokens/s"] = 2, lr = 3 }

local function metrics_text(e)
  local names = sorted(e.values or {})
  table.sort(names, function(a, b)
    local x, y = FIRST[a] or 9, FIRST[b] or 9
    return x < y or x == y and a < b
  end)
  local parts = { "step " .. tostring(e.step or "?") .. (e.total and "/" .. tostring(e.total) or "") }
  for _, name in ipairs(names) do
    parts[#parts + 1] = name .. " " .. value.short(e.values[name])
  end
  return value.safe(table.concat(parts, "  "))
end

function Text:on_metrics(e)
  if self.live then
    self:job(e).metrics = true
    self.live:text("job:" .. e.job, metrics_text(e), e.total and e.step and e.step / e.total)
  end
  if self.verbose then
    self:print(("[%s] %s"):format(value.safe(e.job), metrics_text(e)))
  end
end

local LEVELS = { warn = { "warning: ", "yellow" }, error = { "error: ", "red" } }

function Text:on_note(e)
  local text = value.safe(e.text, true) .. (e.hint and "; " .. value.safe(e.hint) or "")
  local level = LEVELS[e.level]
  if level then
    self:complain(term.paint(level[2], level[1], self.error_colour) .. text)
  else
    self:print(text)
  end
end

function Text:on_check(e)
  local word = e.ok and self:paint("green", "ok    ") or self:paint("red", "FAILED")
  local evidence = e.evidence ~= nil and ": " .. value.short(e.evidence) or ""
  self:print(("  %s   %s%s"):format(word, value.safe(e.name), evidence))
end

function Text:on_plan_end(e)
  self:print(self:paint("bold", "the plan ends here: ") .. value.safe(e.text))
end

local RESOURCE_COLOUR = { COMPLETE = "green", FAILED = "red", SKIPPED = "yellow" }

-- Of a stack in a stack: "Inner/Vpc".
local function resource_of(e)
  return value.safe((e.within and e.within .. "/" or "") .. e.resource)
end

-- What is under way is told only where somebody wants every line.
function Text:on_resource(e)
  local finished = not e.state:match "_IN_PROGRESS$"
  if self.live and not finished and not self.verbose then
    self.live:text("step:" .. e.step, ("%s %s"):format(value.safe(e.state), resource_of(e)))
    return
  end
  local colour = RESOURCE_COLOUR[e.state:match "_(%u+)$" or ""]
  local state = ("%-18s"):format(e.state)
  self:print(("  | %s %s (%s)%s"):format(colour and finished and self:paint(colour, state) or state, resource_of(e), value.safe(e.kind or ""),
    e.reason and ": " .. value.safe(e.reason) or ""))
end

local ACTIONS = { add = { "+", "green" }, modify = { "~", "yellow" }, remove = { "-", "red" }, import = { "<", "cyan" } }

function Text:on_change(e)
  local mark = ACTIONS[e.action] or { "?", "yellow" }
  local words = {}
  if e.replacement then words[#words + 1] = e.replacement == "yes" and "is REPLACED" or "may be replaced" end
  if e.data_loss then words[#words + 1] = "its DATA IS LOST" end
  if e.perhaps then words[#words + 1] = "only if what is pending says so" end
  self:print(("    %s %s (%s)%s"):format(self:paint(mark[2], mark[1]), resource_of(e), value.safe(e.kind),
    #words > 0 and ": " .. self:paint("red", table.concat(words, ", ")) or ""))
  for _, p in ipairs(e.properties or {}) do
    self:print(("        %s: %s -> %s"):format(value.safe(p.name), p.before and value.short(p.before) or "(was not known)",
      p.after and value.short(p.after) or "(known later)"))
  end
end

function Text:on_rendered(e)
  self:print(("  --- %s of %s"):format(value.safe(e.name or "text"), value.safe(e.step)))
  for line in lines_of(e.text) do
    self:print("  | " .. value.safe(line))
  end
end

function Text:on_summary(e)
  for line in lines_of(e.text) do
    self:print(value.safe(line))
  end
end

function Text:on_end(e)
  self:finish()
  if e.error then
    self:error(e.error)
  end
  local word = e.ok and self:paint("green", "success") or self:paint("red", "FAILED")
  self:print(("%s%s%s%s"):format(word, took(e.seconds), e.verdict and ": " .. value.safe(e.verdict) or "",
    e.ok and "" or (" [exit %d]"):format(e.exit or 1)))
end

function Text:event(e)
  self["on_" .. e.type](self, e)
end

function Text:tick()
  if self.live then
    self.live:tick()
  end
end

function Text:finish()
  if self.live then
    self.live:finish()
  end
end

return M
