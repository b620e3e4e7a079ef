--- Durations and sizes as people write them: "1h30m", "250ms", "64GiB".
local M = {}

local PARTS = { { 86400, "d" }, { 3600, "h" }, { 60, "m" }, { 1, "s" } }
local SECONDS = { ms = 1e-3, s = 1, m = 60, h = 3600, d = 86400, w = 604800 }

--- Seconds of a duration: a number, or a text such as "90", "2h", "1h30m", "250ms".
---@param text string|number
---@return number? seconds nil when it is no duration
function M.seconds(text)
  if type(text) == "number" then
    return text
  end
  local plain = tonumber(text:match("^%d+%.?%d*$"))
  if plain then
    return plain
  end
  local rest, total = text:lower(), 0
  while rest ~= "" do
    local number, unit, after = rest:match("^(%d+%.?%d*)(%a+)(.*)$")
    if not number or not SECONDS[unit] then
      return nil
    end
    total, rest = total + tonumber(number) * SECONDS[unit], after
  end
  return text ~= "" and total or nil
end

--- A duration for people: "1h30m", "12.3s".
---@param seconds number
---@return string
function M.duration(seconds)
  if seconds < 60 then
    return (seconds < 10 and "%.1fs" or "%.0fs"):format(seconds)
  end
  local whole = math.floor(seconds + 0.5)
  local parts = {}
  for _, unit in ipairs(PARTS) do
    local n = whole // unit[1]
    if n > 0 then
      parts[#parts + 1] = n .. unit[2]
      whole = whole - n * unit[1]
    end
    if #parts == 2 then break end
  end
  return table.concat(parts)
end

--- A number as the shortest of the usual texts that read as the same number again.
---@param value number
---@return string
function M.number(value)
  if value == math.tointeger(value) then
    return ("%d"):format(value)
  end
  local text = ("%.15g"):format(value)
  return tonumber(text) == value and text or ("%.17g"):format(value)
end

--- A duration as a text that seconds() reads back as the same number: "1h30m", "0.25s".
---@param seconds number
---@return string
function M.exact_duration(seconds)
  local whole = math.tointeger(seconds)
  if not whole then
    -- seconds() knows no exponents.
    local text, digits = M.number(seconds), 17
    while text:find("e", 1, true) or digits < 99 and tonumber(text) ~= seconds do
      text, digits = ("%." .. digits .. "f"):format(seconds), digits + 1
    end
    return text .. "s"
  end
  local parts = {}
  for _, unit in ipairs(PARTS) do
    if whole >= unit[1] then
      parts[#parts + 1] = whole // unit[1] .. unit[2]
      whole = whole % unit[1]
    end
  end
  return #parts > 0 and table.concat(parts) or "0s"
end

--- A size as a text that bytes() reads back as the same number: "64GiB", "1000".
---@param bytes integer
---@return string
function M.exact_size(bytes)
  local names, i = { "", "KiB", "MiB", "GiB", "TiB", "PiB" }, 1
  while i < #names and bytes ~= 0 and bytes % 1024 == 0 do
    bytes, i = bytes // 1024, i + 1
  end
  return bytes .. names[i]
end

local BYTES = { [""] = 1, b = 1 }
for i, letter in ipairs { "k", "m", "g", "t", "p" } do
  BYTES[letter .. "ib"] = 1024 ^ i
  BYTES[letter .. "i"] = 1024 ^ i
  BYTES[letter .. "b"] = 1000 ^ i
  BYTES[letter] = 1024 ^ i -- as sbatch and Kubernetes users write memory
end

--- Bytes of a size: a number, or a text such as "512", "16MiB", "2GB" (10^9), "4G" (2^30).
---@param text string|number
---@return integer? bytes nil when it is no size
function M.bytes(text)
  if type(text) == "number" then
    return math.tointeger(text)
  end
  local number, unit = text:lower():match("^(%d+%.?%d*)%s*(%a*)$")
  local factor = unit and BYTES[unit]
  return factor and math.tointeger(math.floor(tonumber(number) * factor))
end

--- A size for people: "1.5 MiB".
---@param bytes number
---@return string
function M.size(bytes)
  local names, i = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" }, 1
  while bytes >= 1024 and i < #names do
    bytes, i = bytes / 1024, i + 1
  end
  return (i == 1 and "%d %s" or "%.1f %s"):format(bytes, names[i])
end

return M
