--- Lines at the bottom of a terminal that are redrawn in place, one for each thing under way.
local clock = require "adt.c.clock"
local term = require "adt.term"
local value = require "adt.output.value"

local M = {}

local INTERVAL = 0.1 -- seconds between two drawings
local ERASE = "\r\27[2K"

---@class adt.output.Live
local Live = {}
Live.__index = Live

---@param write fun(text: string)
---@param colour boolean
---@return adt.output.Live
function M.new(write, colour)
  return setmetatable({ write = write, colour = colour, items = {}, by_id = {}, drawn = 0, last = -math.huge }, Live)
end

local function bar(fraction)
  local cells = 20
  local full = math.floor(math.max(0, math.min(1, fraction)) * cells)
  return "[" .. ("#"):rep(full) .. ("."):rep(cells - full) .. "]"
end

function Live:line(item, time, width)
  local text = item.label .. "  " .. value.seconds(math.max(0, time - item.since))
  if item.fraction then
    text = text .. "  " .. bar(item.fraction)
  end
  if item.text ~= "" then
    text = text .. "  " .. item.text
  end
  return term.paint("dim", term.cut(text, width), self.colour)
end

local function erasing(drawn)
  if drawn == 0 then
    return ""
  end
  return (ERASE .. "\27[1A"):rep(drawn - 1) .. ERASE
end

-- The last column stays free: a terminal that wraps there would need another line erased.
function Live:drawing(time)
  local width, rows = term.width() - 1, math.max(1, term.height() - 2)
  local first = math.max(1, #self.items - rows + 1)
  local lines = {}
  for i = first, #self.items do
    lines[#lines + 1] = self:line(self.items[i], time, width)
  end
  return table.concat(lines, "\n"), #lines
end

function Live:draw(force)
  local time = clock.now()
  if not force and time - self.last < INTERVAL and time >= self.last then
    return
  end
  local drawing, count = self:drawing(time)
  if count > 0 or self.drawn > 0 then
    self.write(erasing(self.drawn) .. drawing)
  end
  self.drawn, self.last = count, time
end

--- Adds a line for something that begins.
---@param id string
---@param label string
---@param since number seconds since the epoch
function Live:begin(id, label, since)
  self:stop(id)
  local item = { id = id, label = label, since = since, text = "" }
  self.items[#self.items + 1] = item
  self.by_id[id] = item
  self:draw(true)
end

--- What is to be read on a line; nothing happens when there is no such line.
---@param id string
---@param text string
---@param fraction? number 0 to 1, drawn as a bar
function Live:text(id, text, fraction)
  local item = self.by_id[id]
  if item then
    item.text, item.fraction = text, fraction or item.fraction
    self:draw(false)
  end
end

--- Takes a line away.
---@param id string
function Live:stop(id)
  local item = self.by_id[id]
  if not item then
    return
  end
  self.by_id[id] = nil
  for i, other in ipairs(self.items) do
    if other == item then
      table.remove(self.items, i)
      break
    end
  end
end

--- Writes permanent text, whole lines, above the live ones.
---@param text string
function Live:above(text)
  local drawing, count = self:drawing(clock.now())
  self.write(erasing(self.drawn) .. text .. drawing)
  self.drawn = count
end

--- Erases the lines until the next drawing.
function Live:clear()
  if self.drawn > 0 then
    self.write(erasing(self.drawn))
    self.drawn = 0
  end
end

function Live:tick()
  self:draw(false)
end

--- Removes everything.
function Live:finish()
  self:clear()
  self.items, self.by_id = {}, {}
end

return M
