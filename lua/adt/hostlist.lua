--- Host lists as Slurm writes them: "n[01-03,7],head" and the list of names.
local M = {}

local MOST, LONGEST = 65536, 253 -- hosts; bytes of one name, as the DNS has it

--- Why a name is no host, or nil. One that begins with a dash would be an option to the programs that get it.
---@param name string
---@return string? reason
function M.check(name)
  if name:sub(1, 1) == "-" then
    return "'" .. name .. "' begins with a dash"
  elseif #name > LONGEST then
    return "a host's name has at most " .. LONGEST .. " bytes"
  elseif name == "" or name:find("[%[%]%s%c]") then
    return "'" .. name .. "' is no host"
  end
end

local function expand_one(text, out)
  local before, inside, after = text:match("^([^%[%]]*)%[([^%[%]]*)%](.*)$")
  if not before then
    local why = M.check(text)
    if why then return why end
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
    if depth < 0 or depth > 1 or depth > 0 and i > #text then
      return nil, "brackets do not match"
    end
    if (ch == "," and depth == 0) or i == #text + 1 then
      local err = expand_one(text:sub(from, i - 1), out)
      if err then return nil, err end
      from = i + 1
    end
  end
  return out
end

return M
