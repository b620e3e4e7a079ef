--- Pieces of output made lines again, whatever the pieces: a line that does not end is cut, never kept.
local M = {}

--- Bytes of a line that are kept; what follows up to its end is dropped.
M.LONGEST = 64 * 1024

--- What stands at the end of a line that was cut.
M.CUT = " [... cut]"

---@class adt.Lines
---@field partial table<string, string> by stream: what waits for the end of its line
---@field cutting table<string, boolean> streams in whose line enough has been seen
local Lines = {}
Lines.__index = Lines

--- Makes a splitter that calls `line(stream, text)` for each line, without its line end.
---@param line fun(stream: any, text: string)
---@return adt.Lines
function M.new(line)
  return setmetatable({ line = line, partial = {}, cutting = {} }, Lines)
end

function Lines:keep(stream, text)
  if self.cutting[stream] then
    return
  end
  local whole = (self.partial[stream] or "") .. text
  if #whole > M.LONGEST then
    self.line(stream, whole:sub(1, M.LONGEST) .. M.CUT)
    self.cutting[stream], whole = true, nil
  end
  self.partial[stream] = whole
end

--- Takes the next bytes of a stream.
---@param stream any
---@param text string
function Lines:feed(stream, text)
  local from = 1
  while true do
    local stop = text:find("\n", from, true)
    if not stop then break end
    if self.cutting[stream] then
      self.cutting[stream] = nil
    else
      local first = self.partial[stream]
      local rest = text:sub(from, math.min(stop - 1, from + M.LONGEST))
      local whole = first and first .. rest or rest
      self.partial[stream] = nil
      self.line(stream, #whole > M.LONGEST and whole:sub(1, M.LONGEST) .. M.CUT or whole)
    end
    from = stop + 1
  end
  if from <= #text then
    self:keep(stream, text:sub(from, from + M.LONGEST))
  end
end

--- How many bytes of a stream wait for the end of their line.
---@param stream any
---@return integer
function Lines:waiting(stream)
  return #(self.partial[stream] or "")
end

--- The streams have ended: their last lines lack a line end.
function Lines:finish()
  local streams = {}
  for stream in pairs(self.partial) do streams[#streams + 1] = stream end
  table.sort(streams)
  for _, stream in ipairs(streams) do
    local text = self.partial[stream]
    self.partial[stream] = nil
    if text ~= "" then self.line(stream, text) end
  end
end

return M
