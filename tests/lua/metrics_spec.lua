--- Numbers from log lines: grammars, series, stores.
local metrics = require "adt.metrics"
local support = require "support"

local NAN = 0 / 0

-- Everything that a grammar makes of lines as they stand in a log.
local function read(spec, lines)
  local grammar, records = metrics.grammar(spec), {}
  for _, line in ipairs(lines) do
    for _, clean in ipairs(metrics.clean(line)) do
      records[#records + 1] = grammar:feed(clean)
    end
  end
  records[#records + 1] = grammar:finish()
  return records
end

describe("a log grammar", function()
  after_each(support.no_leaks)

  -- name, lines as published, records
  local SAMPLES = {
    { "cpu_ddp", { "step 12/60 loss 3.2145 tokens/s 15234 lr 0.000300 step_time 0.1234" },
      { { step = 12, total = 60, loss = 3.2145, ["tokens/s"] = 15234, lr = 0.0003, step_time = 0.1234 } } },
    { "fsdp",
      { "0: 2026-03-02 09:14:07,512 [INFO] __main__: Batch 12 Loss: 9.87321, Speed: 10.42 samples/sec, lr: 0.000087",
        "0: 2026-03-02 09:14:07 I [train.py:103] Batch 13 Loss: nan, Speed: 10.42 samples/sec, lr: 0.000087",
        "Batch 13 Validation loss: 9.1" },
      { { step = 12, loss = 9.87321, ["samples/s"] = 10.42, lr = 0.000087 },
        { step = 13, loss = NAN, ["samples/s"] = 10.42, lr = 0.000087 } } },
    { "megatron_iter",
      { " [2026-03-02 09:14:07] iteration        7/  508626 | consumed samples:         2016 | elapsed time per iteration "
        .. "(ms): 24310.4 | throughput per GPU (TFLOP/s/GPU): 371.2 | learning rate: 6.600000E-07 | global batch size:   288 "
        .. "| lm loss: 1.093211E+01 | loss scale: 4294967296.0 | grad norm: 7.412 | number of skipped iterations:   0 "
        .. "| number of nan iterations:   0 |",
        " iteration        1/      50 | consumed samples:          288 | elapsed time per iteration (ms): 1000.0 |" },
      { { step = 7, total = 508626, samples = 2016, step_time = 24.3104, ["TFLOP/s/GPU"] = 371.2, lr = 6.6e-7, batch = 288,
          loss = 10.93211, loss_scale = 4294967296.0, grad_norm = 7.412, skipped = 0, nan_iterations = 0 },
        { step = 1, total = 50, samples = 288, step_time = 1.0 } } },
    { "lightning_bar",
      { "Epoch 0:  98%|###| 39/40 [00:30<00:00,  1.27it/s, loss=10.9, v_num=, reduced_train_loss=10.95, global_step=38.00, "
        .. "consumed_samples=9728.0]\rEpoch 0: 100%|####| 40/40 [00:31<00:00,  1.27it/s, loss=10.9, v_num=, "
        .. "reduced_train_loss=10.90, global_step=39.00, consumed_samples=2e+3, train_step_timing in s=1.900, val_loss=2.800]" },
      { { step = 38, total = 40, loss = 10.95, samples = 9728.0 },
        { step = 39, total = 40, loss = 10.90, samples = 2000, step_time = 1.9, val_loss = 2.8 } } },
    { "nemo2_pipe",
      { "0: Training epoch 0, iteration 14/199 | lr: 2.249e-06 | global_batch_size: 512 | global_step: 14 | "
        .. "reduced_train_loss: 10.97 | train_step_timing in s: 5.213 | consumed_samples: 7680",
        "(pretraining, pid=4112) Training epoch 0, iteration 15/199 | lr: 2.3e-06 | global_step: 15 | "
        .. "reduced_train_loss: 10.9 | val_loss: 3.1 | val_ppl: 22.2" },
      { { step = 14, total = 199, epoch = 0, lr = 2.249e-06, batch = 512, loss = 10.97, step_time = 5.213, samples = 7680 },
        { step = 15, total = 199, epoch = 0, lr = 2.3e-06, loss = 10.9, val_loss = 3.1, val_ppl = 22.2 } } },
    { "neuron_step",
      { "step 3 step_time 251.3301s throughput 3.9711 seq/s loss 12.9034 grad norm 2.0173",
        "step 4 step_time 250.0s throughput 3.9 seq/s loss inf grad norm None" },
      { { step = 3, step_time = 251.3301, ["seq/s"] = 3.9711, loss = 12.9034, grad_norm = 2.0173 },
        { step = 4, step_time = 250.0, ["seq/s"] = 3.9, loss = math.huge } } },
    { "neuron_log",
      { "LOG Mon Mar  2 09:14:07 2026 - (0, 20) step_loss : 10.4312 learning_rate : 3.00e-05 throughput : 6.41 seq/s " },
      { { epoch = 0, step = 20, loss = 10.4312, lr = 3e-5, ["seq/s"] = 6.41 } } },
    { "composer_block",
      { "[batch=1/3]:", "\t Train loss/train/total: 12.0", "[batch=2/3]:", "\t Train loss/train/total: 11.9131",
        "\t Train throughput/samples_per_sec: 7.5", "\t Eval metrics/eval/LanguageCrossEntropy: 9.5", "other text: 1" },
      { { step = 1, total = 3, loss = 12.0 },
        { step = 2, total = 3, loss = 11.9131, ["samples/s"] = 7.5, ["Eval metrics/eval/LanguageCrossEntropy"] = 9.5 } } },
    { "composer_bar",
      { "train          Epoch   0:   38%|###| 18/48 [03:28<05:29, 10.99s/ba, loss/train/total=0.1463]",
        "train          Epoch   1:   38%|###| 18/48 [03:28<05:29,  2.00ba/s, loss/train/total=0.1400]" },
      { { epoch = 0, step = 18, step_time = 10.99, loss = 0.1463 }, { epoch = 1, step = 66, step_time = 0.5, loss = 0.14 } } },
    { "picotron",
      { "[rank 2] Step: 12    | Loss: 7.8125 | Global batch size:   2.05K | Tokens/s:  10.44K | Tokens/s/GPU:   1.31K | "
        .. "Tokens:  24.58K/1.00B | MFU:  0.42% | Memory usage:   1.75GB" },
      { { step = 12, loss = 7.8125, batch_tokens = 2050, ["tokens/s"] = 10440, ["tokens/s/GPU"] = 1310, tokens = 24580,
          mfu = 0.42, memory_gb = 1.75 } } },
    { "torchtitan",
      { "1: 2026-03-02 09:14:07,512 - root - INFO - \27[31mstep: 20  \27[32mloss:  9.1021  \27[33mmemory: 61.20GiB(77.39%)  "
        .. "\27[34mtps: 6,512  \27[35mmfu: 38.13%\27[0m",
        "step: 21  loss:  9.0  grad_norm:  1.5  memory: 61.20GiB(77.39%)  tps: 6,512  tflops: 377.01  mfu: 38.13%" },
      { { step = 20, loss = 9.1021, memory_gib = 61.20, memory_percent = 77.39, ["tokens/s/GPU"] = 6512, mfu = 38.13 },
        { step = 21, loss = 9.0, grad_norm = 1.5, memory_gib = 61.20, memory_percent = 77.39, ["tokens/s/GPU"] = 6512,
          ["TFLOP/s/GPU"] = 377.01, mfu = 38.13 } } },
    { "ddp_epoch",
      { "[RANK 3] Epoch 17 | Batchsize: 32 | Steps: 8", "[RANK 0] Epoch 18 | Batchsize: 32 | Steps: 8 | Loss: 2.3e-1" },
      { { rank = 3, step = 17, epoch = 17, batch = 32, steps_per_epoch = 8 },
        { rank = 0, step = 18, epoch = 18, batch = 32, steps_per_epoch = 8, loss = 0.23 } } },
    { "pax_absl",
      { "I0302 09:14:07.512345 140233 programs.py:312] steps/sec: 0.500000",
        "I0302 09:14:07.512345 140233 summary_utils.py:349] Metrics values at step 100:",
        "I0302 09:14:07.512345 140233 summary_utils.py:362]   loss=7.412345", "I0302 x]   loss=1.0" },
      { { step = 100, loss = 7.412345, ["steps/s"] = 0.5, step_time = 2.0 } } },
    { { "hf_trainer_dict", logging_steps = 10 },
      { "{'loss': 2.5, 'grad_norm': 1.25, 'learning_rate': 2e-05, 'epoch': 0.1}",
        "{'loss': '2.25', 'learning_rate': '1e-05', 'epoch': '0.2'}", "  train_samples_per_second =      3.5" },
      { { step = 10, loss = 2.5, grad_norm = 1.25, lr = 2e-5, epoch = 0.1 },
        { step = 20, loss = 2.25, lr = 1e-5, epoch = 0.2 }, { step = 20, ["samples/s"] = 3.5 } } },
    { "hf_trainer_dict",
      { " 16%|#6  | 16/97 [00:31<02:00,  1.27it/s]\r{'loss': 2.5, 'epoch': 0.1}", "{'loss': 2.25, 'epoch': 0.2}" },
      { { step = 16, total = 97, loss = 2.5, epoch = 0.1 }, { step = 17, total = 97, loss = 2.25, epoch = 0.2 } } },
    { "verl_step",
      { "(TaskRunner pid=123) step:7 - actor/pg_loss:-0.25 - actor/lr:1e-06 - perf/throughput:np.float64(512.5) - "
        .. "perf/time_per_step:30.5 - critic/score/mean:0.5" },
      { { step = 7, loss = -0.25, lr = 1e-6, ["tokens/s/GPU"] = 512.5, step_time = 30.5, ["critic/score/mean"] = 0.5 } } },
  }

  -- nan is not equal to itself; its text is.
  local function comparable(records)
    local out = {}
    for i, record in ipairs(records) do
      out[i] = {}
      for k, v in pairs(record) do out[i][k] = v ~= v and "nan" or v end
    end
    return out
  end

  for _, sample in ipairs(SAMPLES) do
    local name = type(sample[1]) == "table" and sample[1][1] .. " with options" or sample[1]
    it(name .. " reads its published lines", function()
      assert.same(comparable(sample[3]), comparable(read(sample[1], sample[2])))
    end)

    it(name .. " finds nothing in other text", function()
      assert.same({}, read(sample[1], { "", "hello", "loss", "step", "a | b | c", "NCCL INFO Using network AWS Libfabric" }))
    end)
  end

  it("is shipped for each format of the spec", function()
    assert.same({ "composer_bar", "composer_block", "cpu_ddp", "ddp_epoch", "fsdp", "hf_trainer_dict", "lightning_bar",
      "megatron_iter", "nemo2_pipe", "neuron_log", "neuron_step", "pax_absl", "picotron", "torchtitan", "verl_step" },
      metrics.grammars())
  end)

  it("may be a pattern with names for its captures", function()
    local spec = { pattern = "it=(%d+) l=(%S+)", fields = { "step", "loss" } }
    assert.same({ { step = 3, loss = 0.5 } }, read(spec, { "it=3 l=0.5" }))
    assert.same({ { step = 1, loss = 7 }, { step = 2, loss = 6 } },
      read({ pattern = "l=(%S+)", fields = { "loss" } }, { "l=7", "x", "l=6" }))
  end)

  it("may be a function of the line", function()
    assert.same({ { step = 1, loss = 2 } }, read(function(line) return line == "x" and { step = 1, loss = 2 } or nil end,
      { "x", "y" }))
  end)

  it("that is unknown or broken is named with what is near", function()
    local _, err = pcall(metrics.grammar, "megatron_itr")
    assert.equal("usage", err.cause)
    assert.matches("megatron_iter", err.hint)
    _, err = pcall(metrics.grammar, { pattern = "(", fields = { "step" } })
    assert.equal("BadGrammar", err.code)
    _, err = pcall(metrics.grammar, { "fsdp", logging_steps = 3 })
    assert.equal("UnknownOption", err.code)
  end)

  it("ignores lines of more than 64 KiB", function()
    local long = "step 1/2 loss 1 tokens/s 1 lr 1 step_time 1" .. (" "):rep(65536)
    assert.same({}, metrics.clean(long))
    assert.is_nil(metrics.grammar("cpu_ddp"):feed(long))
  end)

  it("takes linear time for lines made to be slow", function()
    local hostile = {
      ("1"):rep(65000), ("1/"):rep(32000), ("LOG "):rep(16000), ("{'loss': "):rep(7000), (" "):rep(65000),
      ("iteration 1/1 | "):rep(4000), "iteration 1/1 | a:" .. (" "):rep(64000) .. "x", ("a:"):rep(32000),
      ("step: 1 loss: "):rep(4500), "step:1 - " .. ("a: "):rep(21000), ("| "):rep(32000), ("[batch="):rep(9000),
      "[rank 1] Step: 1 | " .. ("x"):rep(65000), ("Epoch 1: 1% "):rep(5000) .. ", loss/train/total=1",
      (" 1/1 "):rep(13000) .. ", loss/train/total=1", ("step 1 step_time 1s throughput "):rep(2000), ("\27["):rep(32000),
      ("(pid="):rep(13000),
    }
    for _, name in ipairs(metrics.grammars()) do
      for i, line in ipairs(hostile) do
        local start = os.clock()
        read(name, { line })
        assert.is_true(os.clock() - start < 0.5, ("%s, line %d: %.1f s"):format(name, i, os.clock() - start))
      end
    end
  end)

  it("survives bytes at random, each record with a whole step", function()
    local state = 20240601
    local function random(n)
      state = (state * 6364136223846793005 + 1442695040888963407)
      return (state >> 33) % n
    end
    local words = { "step ", "step: ", "step:", "loss ", "loss: ", "'loss': ", "{", "}", "1", "99999999999999999999", "1/2", " | ",
      " - ", ": ", "nan", "-inf", "Batch ", "iteration ", "[batch=1/2]:", "Train a: 1", "\27[31m", "\r", "0: ", "1e999", "%", "\255",
      "Training epoch 0, iteration ", "Metrics values at step 1:", "loss=", "[rank 1] Step: ", "[RANK 1] Epoch ", "," }
    local stop = os.clock() + 1
    local lines = 0
    repeat
      local parts = {}
      for i = 1, random(24) do
        parts[i] = random(4) == 0 and string.char(random(256)) or words[random(#words) + 1]
      end
      local line = table.concat(parts)
      for _, name in ipairs(metrics.grammars()) do
        for _, record in ipairs(read(name, { line })) do
          assert.equal("integer", math.type(record.step))
        end
      end
      lines = lines + 1
    until os.clock() > stop or lines == 4000
    assert.is_true(lines > 100)
  end)
end)

describe("a cleaned line", function()
  it("loses prefixes and escapes and is split at carriage returns", function()
    assert.same({ "a" }, metrics.clean(" 12: a"))
    assert.same({ "a" }, metrics.clean("(worker, pid=77) 0: a\n"))
    assert.same({ "a" }, metrics.clean("\27[36m(worker pid=77)\27[0m a"))
    assert.same({ "1%", "2%" }, metrics.clean("\r1%\r2%\r\n"))
    assert.same({}, metrics.clean(""))
  end)
end)

describe("a number", function()
  it("is read as programs print it", function()
    assert.equal(1234567, metrics.number("1,234,567"))
    assert.equal(2.5e9, metrics.number("2.5B"))
    assert.equal(-math.huge, metrics.number("-Inf"))
    assert.equal(math.huge, metrics.number("1e999"))
    assert.is_true(metrics.number("NaN") ~= metrics.number("NaN"))
    for _, text in ipairs { "", "None", "0x10", "1.2.3", "e", "-", "K", ("1"):rep(65) } do
      assert.is_nil(metrics.number(text), text)
    end
  end)
end)

describe("a series", function()
  local s = metrics.series { 5, 4, 3, 2, 1, 1, 1, 1, 1, 0 }

  it("is a list with the questions that checks ask", function()
    assert.equal(10, #s)
    assert.equal(4, s[2])
    assert.same({ 5, 0, 0, 5, 1.9, 1.0 }, { s:first(), s:last(), s:min(), s:max(), s:mean(), s:median() })
    assert.is_true(s:finite())
    assert.equal("10 values, 5 -> 0", tostring(s))
  end)

  it("gives its ends, never less than one value", function()
    assert.equal(5, s:head(0.1):mean())
    assert.equal(0.5, s:tail(0.2):mean())
    assert.equal(1, #metrics.series({ 7, 8, 9 }):tail(0.1))
    assert.equal(29, #metrics.series(setmetatable({}, { __len = function() return 100 end,
      __index = function() return 1 end })):head(0.29))
    assert.has_error(function() s:head(0) end)
    assert.has_error(function() s:tail(2) end)
  end)

  it("shows what is not finite", function()
    local odd = metrics.series { 1, NAN, 3, math.huge }
    assert.is_false(odd:finite())
    assert.same({ 1, math.huge, 3 }, { odd:min(), odd:max(), odd:median() })
    assert.is_true(odd:mean() ~= odd:mean())
    assert.is_true(metrics.series({ NAN, 1 }):max() == 1)
  end)

  it("that is empty compares false and raises nothing", function()
    local empty = metrics.series {}
    assert.is_false(empty:finite())
    assert.is_false(empty:tail(0.1):mean() < empty:head(0.1):mean())
    assert.is_false(empty:first() > 0)
    assert.is_false(empty:min() <= empty:max())
    assert.equal("no values", tostring(empty))
  end)

  it("refuses what is no number", function()
    local _, err = pcall(metrics.series, { 1, "2" })
    assert.equal("NotANumber", err.code)
  end)
end)

describe("a store", function()
  it("keeps one record a step, the last one, in the order of steps", function()
    local store = metrics.store()
    for step = 1, 5 do assert.is_true(store:add { step = step, loss = 10 - step, lr = 1 }) end
    for step = 4, 7 do store:add { step = step, loss = 20 - step } end
    store:add { step = 2, loss = 0 }
    assert.same({ 1, 2, 3, 4, 5, 6, 7 }, { table.unpack(store:steps()) })
    assert.same({ 9, 0, 7, 16, 15, 14, 13 }, { table.unpack(store.loss) })
    assert.same({ 1, 1, 1, 1, 1 }, { table.unpack(store.lr) })
    assert.is_true(store:steps():increasing())
    assert.same({ step = 7, loss = 13 }, store:latest())
    assert.same({ "loss", "lr" }, store:names())
  end)

  it("gives an empty series for a metric that nobody printed", function()
    assert.equal(0, #metrics.store().loss)
    assert.equal("0 steps of nothing", tostring(metrics.store()))
  end)

  it("sorts steps that came out of order", function()
    local store = metrics.store()
    for _, step in ipairs { 30, 10, 20 } do store:add { step = step, loss = step / 10 } end
    assert.same({ 1.0, 2.0, 3.0 }, { table.unpack(store.loss) })
    assert.equal(30, store:latest().step)
  end)

  it("may hold metrics with the names of its own parts", function()
    local store = metrics.store()
    store:add { step = 1, rows = 4, count = 5, dropped = 6 }
    assert.same({ 4, 5 }, { store.rows[1], store.count[1] })
    assert.equal(6, store:series("dropped")[1])
  end)

  it("takes records that went through JSON", function()
    local json, store = require "adt.json", metrics.store()
    for step, loss in ipairs { NAN, math.huge, -math.huge, 2.5 } do
      store:add(json.decode(json.encode(metrics.plain { step = step, loss = loss })))
    end
    assert.is_true(store.loss[1] ~= store.loss[1])
    assert.same({ math.huge, -math.huge, 2.5 }, { table.unpack(store.loss, 2) })
  end)

  it("counts what a broken log prints beyond 256 names", function()
    local store = metrics.store()
    for i = 1, 300 do store:add { step = 1, ["m" .. i] = i } end
    assert.equal(255, #store:names())
    assert.equal(45, store:dropped())
    assert.is_false(store:add { loss = 1 })
  end)
end)
