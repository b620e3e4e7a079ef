--- The log grammars: each makes a function from a cleaned line to a record, with its state, and one for what is left.
---
--- Lines come from programs that may print anything, so no pattern has two wildcards in a row: a plain find tells where
--- to look, anchored patterns read there, and reading a line stays linear in its length.
local metrics = require "adt.metrics"

local M = {}

local number = metrics.number
local NUM = "([-+%w.]+)"

local function integer(text)
  return math.tointeger(number(text))
end

-- The number behind the first `key` of a line.
local function after(line, key)
  local _, stop = line:find(key, 1, true)
  return stop and number(line:match("^%s*" .. NUM, stop + 1))
end

-- Calls f(part) for the parts between a separator.
local function split(line, separator, f)
  local at = 1
  while true do
    local start, stop = line:find(separator, at, true)
    f(line:sub(at, (start or 0) - 1))
    if not start then
      return
    end
    at = stop + 1
  end
end

-- Fields of a line as "key: value" parts, under their names here; others under their own name, 256 at most. Some
-- programs have colons in keys, so the caller says whether a part's last one counts.
local function keyed(record, line, separator, last, names)
  local count = 0
  split(line, separator, function(part)
    if #part > 256 then
      return
    end
    local colon = part:find(last and ":[^:]*$" or ":")
    local key = colon and part:sub(1, colon - 1):match("^%s*(.-)%s*$")
    local value = key and part:sub(colon + 1):match("^%s*(.-)[%s|]*$")
    -- Newer NumPy prints np.float64(0.5).
    value = value and number((value:gsub("^np%.%w+%((.*)%)$", "%1")))
    if value and count < 256 then
      count = count + 1
      record[names[key] or key] = value
    end
  end)
  return record
end

local function milliseconds(record, from)
  record.step_time, record[from] = record[from] and record[from] / 1000, nil
end

--- Lines of templates/cpu_ddp/train.py.
---   step 3/60 loss 5.512 tokens/s 900 lr 0.003 step_time 0.57
---@return fun(line: string): adt.metrics.Record?
function M.cpu_ddp()
  return function(line)
    local step, total, loss, rate, lr, time = line:match("step (%d+)/(%d+) loss " .. NUM .. " tokens/s " .. NUM
      .. " lr " .. NUM .. " step_time " .. NUM)
    if integer(step) and number(loss) then
      return { step = integer(step), total = integer(total), loss = number(loss), ["tokens/s"] = number(rate),
        lr = number(lr), step_time = number(time) }
    end
  end
end

--- Lines of the FSDP case.
---   Batch 3 Loss: 5.512, Speed: 1.20 samples/sec, lr: 0.000100
---@return fun(line: string): adt.metrics.Record?
function M.fsdp()
  return function(line)
    local step, loss, rate, lr = line:match("Batch (%d+) Loss: " .. NUM .. ", Speed: " .. NUM .. " samples/sec, lr: "
      .. NUM)
    if integer(step) and number(loss) then
      return { step = integer(step), loss = number(loss), ["samples/s"] = number(rate), lr = number(lr) }
    end
  end
end

local MEGATRON = {
  ["lm loss"] = "loss", ["learning rate"] = "lr", ["grad norm"] = "grad_norm", ["consumed samples"] = "samples",
  ["global batch size"] = "batch", ["throughput per GPU (TFLOP/s/GPU)"] = "TFLOP/s/GPU", ["loss scale"] = "loss_scale",
  ["number of skipped iterations"] = "skipped", ["number of nan iterations"] = "nan_iterations",
  ["params norm"] = "params_norm", ["elapsed time per iteration (ms)"] = "ms",
}

--- Megatron-LM's line per iteration.
---    iteration 3/ 60 | consumed samples: 96 | lm loss: 5.512E+00 | ...
---@return fun(line: string): adt.metrics.Record?
function M.megatron_iter()
  return function(line)
    local step, total, at = line:match("iteration +(%d+)/ *(%d+) |()")
    if integer(step) then
      local record = keyed({}, line:sub(at), " | ", true, MEGATRON)
      milliseconds(record, "ms")
      record.step, record.total = integer(step), integer(total)
      return record
    end
  end
end

--- PyTorch Lightning's progress bar, as NeMo 1 prints it.
---   | 3/60 [00:12<03:10, reduced_train_loss=5.512, global_step=3.000, ...
---@return fun(line: string): adt.metrics.Record?
function M.lightning_bar()
  return function(line)
    local n, total = line:match("| *(%d+)/(%d+) %[")
    local loss = n and after(line, "reduced_train_loss=")
    local step = math.tointeger(after(line, "global_step=")) or integer(n)
    if not loss or not step then
      return nil
    end
    total = integer(total)
    -- The bar counts within an epoch, global_step does not.
    return { step = step, total = total and total >= step and total or nil, loss = loss,
      samples = after(line, "consumed_samples="), step_time = after(line, "train_step_timing in s="),
      val_loss = after(line, "val_loss=") }
  end
end

local NEMO2 = {
  reduced_train_loss = "loss", ["train_step_timing in s"] = "step_time", consumed_samples = "samples",
  global_batch_size = "batch", TFLOPS_per_GPU = "TFLOP/s/GPU",
}

--- NeMo 2's line per iteration.
---   Training epoch 0, iteration 3/59 | lr: 0.0003 | reduced_train_loss: 5.512 | ...
---@return fun(line: string): adt.metrics.Record?
function M.nemo2_pipe()
  return function(line)
    local epoch, n, total, at = line:match("Training epoch (%d+), iteration (%d+)/(%d+) | ()")
    if not integer(n) then
      return nil
    end
    local record = keyed({}, line:sub(at), " | ", false, NEMO2)
    record.step, record.global_step = math.tointeger(record.global_step) or integer(n), nil
    total = integer(total)
    record.total, record.epoch = total and total >= record.step and total or nil, integer(epoch)
    return record
  end
end

--- Lines per step of training on Neuron devices.
---   step 3 step_time 0.57s throughput 14.2 seq/s loss 5.512 grad norm 1.2
---@return fun(line: string): adt.metrics.Record?
function M.neuron_step()
  return function(line)
    local step, time, rate, loss, norm = line:match("step (%d+) step_time " .. NUM .. "s throughput " .. NUM
      .. " seq/s loss " .. NUM .. " grad norm " .. NUM)
    -- The class of numbers takes the unit's letter too.
    if integer(step) and number(loss) then
      return { step = integer(step), step_time = number(time), ["seq/s"] = number(rate), loss = number(loss),
        grad_norm = number(norm) }
    end
  end
end

--- Log lines of NeMo on Neuron devices.
---   LOG ... - (0, 3) step_loss : 5.512 learning_rate : 3.00e-04 throughput : 14.2
---@return fun(line: string): adt.metrics.Record?
function M.neuron_log()
  return function(line)
    local at = line:find(" step_loss : ", 1, true)
    local epoch, step = line:sub(math.max(1, (at or 1) - 48), (at or 1) - 1):match(" %- %((%d+), (%d+)%)$")
    local loss = at and after(line, "step_loss : ")
    if integer(step) and loss and line:find("LOG ", 1, true) then
      return { epoch = integer(epoch), step = integer(step), loss = loss, lr = after(line, "learning_rate : "),
        ["seq/s"] = after(line, "throughput : ") }
    end
  end
end

local COMPOSER = {
  ["Train loss/train/total"] = "loss", ["Train throughput/samples_per_sec"] = "samples/s",
  ["Train throughput/tokens_per_sec"] = "tokens/s", ["Train lr-DecoupledAdamW/group0"] = "lr",
  ["Train throughput/batches_per_sec"] = "batches/s",
}

--- Composer's block of lines per batch; a block counts when the next one begins or the log ends.
---   [batch=3/60]: and then lines such as "Train loss/train/total: 5.512"
---@return fun(line: string): adt.metrics.Record?
---@return fun(): adt.metrics.Record? rest
function M.composer_block()
  local open, count = nil, 0
  local function take(next_record)
    local record = open
    open, count = next_record, 0
    return record
  end
  return function(line)
    local step, total = line:match("%[batch=(%d+)/(%d+)%]:")
    if integer(step) then
      return take { step = integer(step), total = integer(total) }
    end
    local part, key, text = line:match("^%s*(%a+) ([^:]+): " .. NUM)
    if open and (part == "Train" or part == "Eval") and #key <= 64 and number(text) and count < 256 then
      local name = part .. " " .. key
      open[COMPOSER[name] or name], count = number(text), count + 1
    end
  end, take
end

--- Composer's progress bar.
---   Epoch 0: 5%| | 3/60 [00:12<03:10, 1.20ba/s, loss/train/total=5.512]
---@return fun(line: string): adt.metrics.Record?
function M.composer_bar()
  return function(line)
    local at = line:find(", loss/train/total=", 1, true)
    local epoch = at and line:match("Epoch +(%d+): +%d+%%")
    local head = line:sub(1, (at or 1) - 1)
    local rate, unit = head:sub(-32):match(" ([%d.]+)([sba]+/[sba]+)$")
    local batch, batches = head:match(" (%d+)/(%d+) %[")
    local loss = at and after(line, ", loss/train/total=")
    if not integer(epoch) or not integer(batch) or not integer(batches) or not number(rate) or not loss then
      return nil
    end
    -- The bar starts anew in each epoch; steps do not.
    return { epoch = integer(epoch), step = integer(epoch) * integer(batches) + integer(batch), loss = loss,
      step_time = unit == "s/ba" and number(rate) or 1 / number(rate) }
  end
end

--- Picotron's line per step.
---   [rank 0] Step: 3 | Loss: 5.5120 | Tokens/s: 1.2K | ...
---@return fun(line: string): adt.metrics.Record?
function M.picotron()
  local fields = { ["Loss"] = "loss", ["Global batch size"] = "batch_tokens", ["Tokens/s"] = "tokens/s",
    ["Tokens/s/GPU"] = "tokens/s/GPU" }
  return function(line)
    local step, at = line:match("%[rank %d+%] Step: (%d+) +| ()")
    if not integer(step) then
      return nil
    end
    local record = {}
    split(line:sub(at), " | ", function(part)
      local key, text = part:match("^%s*([%a/ ]+):%s*(%S+)%s*$")
      if key == "Tokens" then
        record.tokens = number(text:match("^([^/]+)"))
      elseif key == "MFU" then
        record.mfu = number(text:match("^(.-)%%$"))
      elseif key == "Memory usage" then
        record.memory_gb = number(text:match("^(.-)GB$"))
      elseif fields[key] then
        record[fields[key]] = number(text)
      end
    end)
    record.step = integer(step)
    return record.loss and record
  end
end

--- TorchTitan's line per step.
---   step: 3 loss: 5.5120 grad_norm: 1.2 memory: 10.50GiB(13.20%) tps: 1,200 ...
---@return fun(line: string): adt.metrics.Record?
function M.torchtitan()
  return function(line)
    local step, loss, at = line:match("step: +(%d+) +loss: +" .. NUM .. "()")
    if not integer(step) or not number(loss) then
      return nil
    end
    local rest = line:sub(at)
    local memory, percent = rest:match("memory: +([%d.]+)GiB%(([%d.]+)%%%)")
    return { step = integer(step), loss = number(loss), grad_norm = after(rest, "grad_norm:"),
      memory_gib = number(memory), memory_percent = number(percent),
      ["tokens/s/GPU"] = number(rest:match("tps: +([%d,]+)")), ["TFLOP/s/GPU"] = number(rest:match("tflops: +([%d.,]+)")),
      mfu = number(rest:match("mfu: +([%d.]+)%%")) }
  end
end

--- The DDP tutorial's line per epoch and rank.
---   [RANK 0] Epoch 3 | Batchsize: 32 | Steps: 10
---@return fun(line: string): adt.metrics.Record?
function M.ddp_epoch()
  return function(line)
    local rank, epoch, batch, steps, at = line:match("%[RANK (%d+)%] Epoch (%d+) | Batchsize: (%d+) | Steps: (%d+)()")
    -- One line an epoch: the epoch is the step.
    if integer(epoch) then
      return { rank = integer(rank), step = integer(epoch), epoch = integer(epoch), batch = integer(batch),
        steps_per_epoch = integer(steps), loss = number(line:match("^ | Loss: " .. NUM, at)) }
    end
  end
end

--- Pax's absl log: the step, its rate and the loss stand on lines of their own.
---   Metrics values at step 3: ... loss=5.512 ... steps/sec: 1.2
---@return fun(line: string): adt.metrics.Record?
function M.pax_absl()
  local step, rate
  return function(line)
    rate = after(line, "steps/sec: ") or rate
    step = integer(line:match("Metrics values at step (%d+):")) or step
    local loss = step and number(line:match("%f[%w_]loss=" .. NUM))
    if loss then
      local record = { step = step, loss = loss, ["steps/s"] = rate, step_time = rate and rate > 0 and 1 / rate or nil }
      step = nil
      return record
    end
  end
end

-- The lines have no step: with logging_steps they are counted, else the last progress bar tells it.
--- The dictionaries that Hugging Face's Trainer prints.
---   {'loss': 5.512, 'learning_rate': 0.0003, 'epoch': 0.05}
---@param options { logging_steps: integer? } how many steps lie between two dictionaries
---@return fun(line: string): adt.metrics.Record?
function M.hf_trainer_dict(options)
  local every, step, bar, total = options.logging_steps, 0, nil, nil
  return function(line)
    local n, of = line:match("%f[%d](%d+)/(%d+) %[")
    if integer(n) then
      bar, total = integer(n), integer(of)
    end
    local start = line:find("{'loss': ", 1, true)
    local stop = start and line:find("}", start, true)
    if stop then
      local record = {}
      for key, text in line:sub(start, stop):gmatch("'([%w_/.-]+)': '?" .. NUM) do
        record[key == "learning_rate" and "lr" or key] = number(text)
      end
      step = every and step + every or math.max(bar or 0, step + 1)
      record.step, record.total = step, total
      return record.loss and record
    end
    local rate = line:match("train_samples_per_second += +" .. NUM)
    if number(rate) and step > 0 then
      return { step = step, ["samples/s"] = number(rate) }
    end
  end
end

local VERL = {
  ["actor/pg_loss"] = "loss", ["actor/lr"] = "lr", ["actor/grad_norm"] = "grad_norm",
  ["perf/throughput"] = "tokens/s/GPU", ["perf/time_per_step"] = "step_time", ["training/epoch"] = "epoch",
}

--- verl's line per step.
---   step:3 - actor/pg_loss:0.012 - perf/throughput:812.5 - ...
---@return fun(line: string): adt.metrics.Record?
function M.verl_step()
  return function(line)
    local step, at = line:match("step:(%d+) %- ()")
    if integer(step) then
      local record = keyed({}, line:sub(at), " - ", true, VERL)
      record.step = integer(step)
      return record
    end
  end
end

return M
