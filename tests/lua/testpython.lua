--- The Python of the tests: the environment that bootstrap.sh made for them, or one of the machine that has what is needed.
local lfs = require "lfs"
local support = require "support"

local M = {}

-- The first is bootstrap.sh's.
local PLACES = { lfs.currentdir() .. "/build/python/bin/python3", "python3", "/usr/bin/python3" }

local found = {}

--- An interpreter that can import the modules.
---@param ... string such as "botocore"
---@return string? python nil: there is none
---@return string? why for pending()
function M.find(...)
  local names = table.concat({ ... }, ", ")
  if found[names] == nil then
    found[names] = false
    for _, python in ipairs(PLACES) do
      if support.run({ python, "-c", "import " .. names }).code == 0 then
        found[names] = python
        break
      end
    end
  end
  if found[names] then
    return found[names]
  end
  return nil, ("needs a python3 with %s: ./bootstrap.sh test makes one"):format(names)
end

return M
