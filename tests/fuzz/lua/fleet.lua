--- Any bytes as what nodes answer, a part for each: a report, silence or garbage; what is told of them is text and JSON.
local fleet = require "adt.node.fleet"
local json = require "adt.json"
local severity = require "adt.node.severity"
local value = require "adt.output.value"

return function(bytes)
  local answers = {}
  for part in (bytes .. "\1"):gmatch "([^\1]*)\1" do
    answers[#answers + 1] = { node = "n" .. #answers + 1, ok = true, code = 0, stdout = part, stderr = "" }
  end
  local read = fleet.read(answers)
  for _, answer in ipairs(read) do
    assert(answer.report or answer.silent or answer.garbage, "an answer that is nothing")
    if answer.report then
      assert(answer.report.ok == not severity.fails(answer.report.severity), "a verdict on trust")
      assert(not answer.report.reason:find "[^\32-\126]", "a reason that is no line")
    end
  end
  local compared = fleet.compare(read)
  for _, difference in ipairs(compared.differences) do
    assert(not difference.text:find "%c", "a sentence with control characters")
  end
  json.encode(value.plain(compared))
end
