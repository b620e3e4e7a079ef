--- `adtlua list [FOLDER...]`: the recipes there are, grouped by kind, read from their heads without running them.
local bare = require "adt.c.bare"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local path = require "adt.path"
local process = require "adt.process"
local term = require "adt.term"

local M = { summary = "list recipes, grouped by kind", args = "[FOLDER...]" }

M.flags = { output = { value = true, short = "o", help = "text or json" } }

local function heads_of(dir, heads)
  for _, name in ipairs(fs.list(dir)) do
    if name:match("%.lua$") and not name:match("_test%.lua$") then
      local file = path.join(dir, name)
      local head, err = bare.read(file)
      if head then
        head.file = file
        heads[#heads + 1] = head
      elseif err then
        heads[#heads + 1] = { file = file, kind = "broken", name = name, summary = err.message, params = {} }
      end
    end
  end
end

local function default_folders()
  local found = {}
  -- Where `cmake --install` puts those that come with the program.
  local installed = path.normalize(path.join(path.dir(process.self().exe), "..", "share", "adtlua", "recipes"))
  for _, dir in ipairs { "recipes", ".", installed } do
    if fs.exists(dir) then found[#found + 1] = dir end
  end
  return found
end

--- Prints the recipes.
---@param given table<string, string|true> flags
---@param folders string[]
---@return integer exit status
function M.run(given, folders)
  local heads = {}
  for _, dir in ipairs(#folders > 0 and folders or default_folders()) do
    if not fs.exists(dir) then
      errors.raise { cause = "usage", message = ("there is no folder '%s'"):format(dir) }
    end
    heads_of(dir, heads)
  end
  table.sort(heads, function(a, b)
    if a.kind ~= b.kind then return a.kind < b.kind end
    return a.file < b.file
  end)
  if given.output == "json" then
    io.write(json.encode({ v = 1, recipes = json.array(heads) }), "\n")
    return 0
  end
  local rows = {}
  for _, head in ipairs(heads) do
    rows[#rows + 1] = { head.kind, head.name, head.file, head.summary }
  end
  io.write(#rows > 0 and term.table(rows, { header = { "KIND", "NAME", "FILE", "SUMMARY" } }) .. "\n" or "no recipes here\n")
  return 0
end

return M
