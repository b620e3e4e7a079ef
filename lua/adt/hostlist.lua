--- Host lists as Slurm writes them: "n[01-03,7],head" and the list of names.
local M = {}

local MOST, LONGEST = 65536, 253 -- hosts; bytes of one name, as the DNS has it

local function expand_one(text, out)
  local before, inside, after = text:match("^([^%[%]]*)%[([^%[%]]*)%](.*)$")
  if not before then
    if #text > LONGEST then
      return "a host's name has at most " .. LONGEST .. " bytes"
    elseif text == "" or text:find("[%[%]%s]") then
      return "'" .. text .. "' is no host"
    end
    out[#out + 1] = text
    return #out > MOST and "more than " .. MOST .. " hosts" or nil
  end
  if #before + #after > 4 * LONGEST then
    return "a host's name has at most " .. LONGEST .. " bytes"
  end
  for part in (inside .. ","):gmatch("(.-),") do
    local first, last = part:match("^(%d+)%-(%d+)$")
    first = first or part:match("^%d+$")
    last = last or first
    if not first or #first > 9 or #last > 9 or tonumber(first) > tonumber(last) then
      return ("'[%s]' is no range"):format(inside)
    end
    if tonumber(last) - tonumber(first) >= MOST then
      return "more than " .. MOST .. " hosts"
    end
    for i = tonumber(first), tonumber(last) do
      local err = expand_one(before .. ("%0" .. #first .. "d"):format(i) .. after, out)
      if err then return err end
    end
  end
end

--- The names that a host list stands for, at most 65536.
---@param text string
---@return string[]? hosts
---@return string? reason when it is no host list
function M.expand(text)
  local out, depth, from = {}, 0, 1
  for i = 1, #text + 1 do
    local ch = text:sub(i, i)
    if ch == "[" then depth = depth + 1 elseif ch == "]" then depth = depth - 1 end
    if depth < 0 or depth > 1 then
      return nil, "brackets do not match"
    end
    if (ch == "," and depth == 0) or i == #text + 1 then
      local err = expand_one(text:sub(from, i - 1), out)
      if err then return nil, err end
      from = i + 1
    end
  end
  return depth == 0 and out or nil, depth ~= 0 and "brackets do not match" or nil
end

return M
