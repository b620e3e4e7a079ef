--- A recipe's head, read where nothing can happen; told apart from plain scripts.
local bare = require "adt.c.bare"
local errors = require "adt.error"
local fs = require "adt.fs"

local M = {}

--- Reads the head of a file. A script that does something at once is no broken recipe: one that fails here and makes no
--- recipe is a plain script, too.
---@param file string
---@return table|false|nil head false: a plain script
---@return adt.Error? err what is wrong with a recipe
function M.read(file)
  local head, err = bare.read(file)
  if head ~= nil then
    return head
  end
  -- What is no plain file, such as a pipe, is not opened: that could wait for ever.
  local source = fs.is_file(file) and errors.try(fs.read, file, { max = 1 << 20 })
  if source and not source:find "recipe%s*[{(]" then
    return false
  end
  return nil, err
end

return M
