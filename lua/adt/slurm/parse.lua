--- What Slurm says, in one form for all of its versions: JSON of slurmrestd and the commands, and the commands' text.
---
--- Fields that were not said are absent. Times are seconds since the epoch, limits are seconds, `math.huge` without end.
local c = require "adt.c.slurm"
local errors = require "adt.error"

local M = {}

---@class adt.slurm.Step
---@field id? string "5737.batch"
---@field name? string "batch", "extern", or the command's name
---@field state? string as a job's
---@field flags table<string, true>
---@field ended boolean
---@field exit? integer
---@field signal? integer
---@field nodes? string
---@field node_count? integer
---@field start? integer
---@field finish? integer

---@class adt.slurm.Job
---@field id? integer absent in a row that names a task or component only as "12_3" or "12+1"
---@field array_id? integer
---@field array_task? integer
---@field array_tasks? string tasks that are not split off yet: "5-9%2"
---@field het_id? integer
---@field het_offset? integer
---@field step? string of a row of sacct that is a step: "batch", "0"
---@field name? string
---@field user? string
---@field uid? integer
---@field account? string
---@field partition? string
---@field qos? string
---@field cluster? string
---@field state? string the base state ("RUNNING"); what Slurm said instead where it gave none ("COMPLETING")
---@field flags table<string, true> what is true besides: { COMPLETING = true }
---@field ended boolean whether it is over: a final state, and neither being cleaned up nor queued again
---@field cancelled_by? integer a user's number
---@field reason? string
---@field exit? integer 0 to 255
---@field signal? integer 125 is Slurm's mark for out of memory
---@field nodes? string a host list
---@field hosts? string[] the same as names, where the answer has them
---@field node_count? integer
---@field submit? integer
---@field eligible? integer
---@field start? integer expected, while the job is pending
---@field finish? integer expected, while the job is running
---@field limit? number
---@field restarts? integer
---@field comment? string
---@field dir? string
---@field stdout? string
---@field command? string
---@field container? string
---@field steps? adt.slurm.Step[]
---@field steps_left_out? integer beyond 16384

---@class adt.slurm.Node
---@field name? string
---@field nodes? string of a row that stands for several: a host list
---@field hostname? string
---@field address? string
---@field state? string the base state ("IDLE"), or what was said instead ("DRAINED")
---@field flags table<string, true> { DRAIN = true, NOT_RESPONDING = true }
---@field reason? string
---@field reason_user? string
---@field reason_time? integer
---@field node_count? integer of a row that stands for several
---@field cpus? integer
---@field cpus_allocated? integer
---@field memory? integer MiB, as the next two
---@field memory_allocated? integer
---@field memory_free? integer
---@field boot? integer
---@field gres? string
---@field gres_used? string
---@field features? string
---@field partitions? string[]
---@field version? string
---@field comment? string

---@class adt.slurm.Partition
---@field name string
---@field state? string "UP", "DOWN", "DRAIN", "INACTIVE"
---@field node_state? string of a row of sinfo
---@field nodes? string a host list
---@field node_count? integer of a row of sinfo
---@field total_nodes? integer
---@field total_cpus? integer
---@field max_nodes? integer
---@field max_time? number
---@field default_time? number
---@field default? boolean
---@field qos? string
---@field tres? string
---@field cluster? string

---@class adt.slurm.Reservation
---@field name string
---@field state? string
---@field nodes? string
---@field node_count? integer
---@field start? integer
---@field finish? integer
---@field flags? string[]
---@field users? string[]
---@field accounts? string[]
---@field partition? string
---@field tres? string

---@class adt.slurm.Ping
---@field hostname? string
---@field mode? string "primary", "backup1"
---@field pinged? string
---@field up? boolean
---@field latency? number seconds

---@class adt.slurm.Note
---@field code? integer Slurm's error number
---@field text? string
---@field detail? string what was being done
---@field source? string

---@class adt.slurm.Answer
---@field version? string of Slurm: "24.05.3"
---@field parser? string "v0.0.41"
---@field cluster? string
---@field jobs? adt.slurm.Job[] there, maybe empty, when the answer has such a list; so are the next four
---@field nodes? adt.slurm.Node[]
---@field partitions? adt.slurm.Partition[]
---@field reservations? adt.slurm.Reservation[]
---@field pings? adt.slurm.Ping[]
---@field job_id? integer of a submission
---@field step_id? string of a submission
---@field message? string what a plugin of the site told who submitted
---@field errors adt.slurm.Note[]
---@field warnings adt.slurm.Note[]

---@class adt.slurm.TableOptions
---@field columns? string[] what the columns are, named as in the commands' options or headers; "" is passed over. Without it the first row names them
---@field separator? string "|"; of blanks there may be several in a row
---@field record? string what ends a row: a newline
---@field header? boolean skip the first row although columns are given; one that repeats their names is always skipped

--- An answer in JSON. That it holds `errors` is no failure of this function.
---@param text string
---@return adt.slurm.Answer # raises: service "BadAnswer"
function M.json(text)
  return errors.check(c.answer(text))
end

--- The records of `scontrol show KIND`, with -o or without.
---@param kind "job"|"node"|"partition"|"reservation"
---@param text string
---@return table[] records adt.slurm.Job and so on; raises: service "BadAnswer"
function M.scontrol(kind, text)
  return errors.check(c.records(kind, text))
end

--- The rows of `sacct --parsable2`, `squeue -o`, `squeue -O`, `sinfo -o`.
---@param kind "job"|"node"|"partition"
---@param text string
---@param options? adt.slurm.TableOptions
---@return table[] records raises: service "BadAnswer", usage
function M.table(kind, text, options)
  if options ~= nil then
    errors.check_options("parse.table", options, { "columns", "separator", "record", "header" })
  end
  return errors.check(c.rows(kind, text, options))
end

--- What sbatch printed, with --parsable or without.
---@param text string
---@return integer id # raises: service "BadAnswer"
---@return string? cluster
function M.submitted(text)
  local id, more = c.submitted(text)
  if id == nil then
    error(more, 0)
  end
  return id, more
end

--- An exit code as Slurm writes it, "0:15", or a wait status.
---@param text string
---@return integer exit # raises: service "BadAnswer"
---@return integer signal
function M.exit(text)
  local code, signal = c.exit(text)
  if code == nil then
    errors.raise { cause = "service", code = "BadAnswer", message = ("'%s' is no exit code of Slurm's"):format(text) }
  end
  return code, signal
end

return M
