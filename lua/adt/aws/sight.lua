--- What an answer of a service tells about a resource's state, for people: bounded in words and in how far it looks.
local M = {}

local MAX_TABLES, MAX_DEPTH, MAX_TEXT, MAX_LISTED = 2000, 8, 300, 5

-- The members in which services say why, most telling first.
local REASONS = {
  "StatusReason", "statusReason", "StackStatusReason", "ResourceStatusReason", "StateReason", "stateReason",
  "FailureMessage", "FailureReason", "failureReason", "FailureDetails", "StateTransitionReason", "StatusMessage", "StatusDetails",
  "reason", "Reason", "errorInfo", "message", "Message", "errorMessage",
}

local function cut(text)
  if #text <= MAX_TEXT then
    return text
  end
  return text:sub(1, (utf8.offset(text, 0, MAX_TEXT + 1) or MAX_TEXT + 1) - 1) .. "..."
end

-- A reason as text; some services wrap it: { Code, Message }.
local function said(value)
  if type(value) == "table" then
    value = value.Message or value.message or value.errorMessage
  end
  return type(value) == "string" and value ~= "" and cut(value) or nil
end

local function reason_in(node)
  for _, name in ipairs(REASONS) do
    local reason = node[name] ~= nil and said(node[name])
    if reason then
      return reason
    end
  end
end

-- Whether a table, or one right in it, holds the state.
local function holds(node, state)
  for _, value in pairs(node) do
    if value == state then
      return true
    elseif type(value) == "table" then
      for _, inner in pairs(value) do
        if inner == state then
          return true
        end
      end
    end
  end
  return false
end

--- Why a resource has the state, where the answer says so: the reason beside that state, else the first one.
---@param response table
---@param state any
---@return string?
function M.reason(response, state)
  local queue, depths, other = { response }, { 0 }, nil
  for i = 1, MAX_TABLES do
    local node = queue[i]
    if not node then
      break
    end
    local reason = reason_in(node)
    if reason and holds(node, state) then
      return reason
    end
    other = other or reason
    for _, value in pairs(depths[i] < MAX_DEPTH and node or {}) do
      if type(value) == "table" and #queue < MAX_TABLES then
        queue[#queue + 1], depths[#depths + 1] = value, depths[i] + 1
      end
    end
  end
  return other
end

--- A state in a few words; of a list the different ones.
---@param value any
---@return string
function M.text(value)
  if type(value) ~= "table" then
    return cut(tostring(value))
  end
  local out, seen = {}, {}
  for _, one in ipairs(value) do
    local word = type(one) == "table" and "..." or cut(tostring(one))
    if not seen[word] then
      seen[word] = true
      out[#out + 1] = word
    end
  end
  if #out > MAX_LISTED then
    out = table.move(out, 1, MAX_LISTED, 1, {})
    out[#out + 1] = "..."
  end
  return out[1] and table.concat(out, ", ") or "empty"
end

return M
