--- Writes docs/reference/ from the annotations in lua/adt: `adtlua docs/reference.lua [--check]`.
---
--- With --check nothing is written; a page that differs, lacks or is too many is named, and the exit status is 1.
local adt = require "adt"
local fs, path = adt.fs, adt.path

local here = path.dir(path.absolute(arg[0]))
local source, out = path.join(here, "..", "lua", "adt"), path.join(here, "reference")

-- What recipes and scripts require; the rest is the library's own.
local PUBLIC = {
  adt = true, ["aws.sign"] = true, base64 = true, context = true, error = true, fs = true, hash = true, hostlist = true, http = true, job = true,
  jobstep = true, json = true, log = true, metrics = true, ["metrics.grammars"] = true, ["metrics.series"] = true,
  ["metrics.store"] = true,
  node = true, ["node.check"] = true, ["node.facts"] = true, ["node.fleet"] = true, ["node.judge"] = true,
  ["node.klog"] = true, ["node.profiles"] = true, ["node.severity"] = true, ["node.xid"] = true, param = true,
  path = true, pending = true, process = true, quote = true, random = true,
  recipe = true, report = true, script = true, secret = true, target = true, task = true, template = true, term = true,
  test = true, time = true, tool = true, units = true, yaml = true,
}

-- --- reading ---------------------------------------------------------------------------------------------------------

-- A type ends at the first blank that stands in no bracket and after no '|' or ':'.
local function split_type(text)
  local depth, i = 0, 1
  while i <= #text do
    local ch = text:sub(i, i)
    if ch:find("[%(%{%[<]") then
      depth = depth + 1
    elseif ch:find("[%)%}%]>]") then
      depth = depth - 1
    elseif ch == " " and depth == 0 and not text:sub(1, i - 1):find("[|:,]$") and text:sub(i + 1, i + 1) ~= "|" then
      break
    end
    i = i + 1
  end
  return text:sub(1, i - 1), text:sub(i + 1)
end

local TAG = {}

function TAG.param(doc, text)
  local name, rest = text:match("^([%w_.]+%??)%s*(.*)$")
  local kind, about = split_type(rest)
  table.insert(doc.params, { name = name, type = kind, about = about })
end

function TAG.field(doc, text)
  local name, rest = text:match("^(%b[])%s+(.*)$")
  if not name then
    name, rest = text:match("^([%w_]+%??)%s+(.*)$")
  end
  local kind, about = split_type(rest)
  table.insert(doc.fields, { name = name, type = kind, about = about })
end

TAG["return"] = function(doc, text)
  local kind, rest = split_type(text)
  table.insert(doc.returns, { type = kind, about = rest })
end

function TAG.class(doc, text) doc.class, doc.parent = text:match("^([%w_.]+):?%s*(.*)$") end
function TAG.alias(doc, text) doc.alias, doc.type = text:match("^([%w_.]+)%s*(.*)$") end
function TAG.type(doc, text) doc.type = text end
function TAG.generic() end
function TAG.package(doc) doc.private = true end
TAG.private = TAG.package

local function new_doc()
  return { about = {}, params = {}, fields = {}, returns = {} }
end

local function take_line(doc, text, at)
  local tag, rest = text:match("^@(%w+)%s*(.*)$")
  if tag then
    if not TAG[tag] then error(("%s: the generator does not know @%s"):format(at, tag), 0) end
    TAG[tag](doc, rest)
  elseif text:find("^|") then
    doc.type = doc.type .. " " .. text
  else
    table.insert(doc.about, (text:gsub("^ ", "", 1)))
  end
end

-- What the line behind a comment defines: a function of the module or of a class, or a value of the module.
local function take_code(page, doc, line)
  local owner, sep, name, params = line:match("^function ([%w_]+)([.:])([%w_]+)(%b())")
  if not owner then
    owner, name, params = line:match("^([%w_]+)%.([%w_]+) = function(%b())")
    sep = "."
  end
  local variable = line:match("^local ([%w_]+) = ")
  if doc.class then
    table.insert(page.classes, doc)
    doc.methods = {}
    if variable then page.tables[variable] = doc end
    return
  elseif doc.alias then
    table.insert(page.aliases, doc)
    return
  elseif doc.private then
    return
  end
  if owner then
    doc.name, doc.sep, doc.args = name, sep, params
    table.insert(owner == "M" and page.functions or page.tables[owner] and page.tables[owner].methods or {}, doc)
  else
    name = line:match("^M%.([%w_]+) = ")
    if name then
      doc.name = name
      table.insert(page.values, doc)
    end
  end
end

local function read_page(file, name)
  local page = { name = name, about = {}, functions = {}, classes = {}, aliases = {}, values = {}, tables = {} }
  local doc, n, head = nil, 0, true
  for line in (fs.read(file) .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    local text = line:match("^%-%-%-(.*)$")
    if text and head then
      table.insert(page.about, (text:gsub("^ ", "", 1)))
    elseif text then
      doc = doc or new_doc()
      take_line(doc, text, file .. ":" .. n)
    elseif doc then
      take_code(page, doc, line)
      doc = nil
    end
    head = head and text ~= nil
  end
  return page
end

-- --- writing ---------------------------------------------------------------------------------------------------------

local function add(lines, text)
  lines[#lines + 1] = text
end

-- '<' would begin HTML, but not in `code`.
local function escape(line)
  return (("`" .. line .. "`"):gsub("`(.-)`", function(outside) return "`" .. outside:gsub("<", "\\<") .. "`" end):sub(2, -2))
end

-- The first sentence of a comment, on one line.
local function sentence(about)
  local first = {}
  for _, line in ipairs(about) do
    if line == "" or line:find("^ ") then break end
    first[#first + 1] = line
  end
  local text = table.concat(first, " ")
  return escape(text:match("^(.-[.:]) %f[%u]") or text)
end

-- What is indented in a comment is shown as it is.
local function prose(lines, about)
  local code = false
  for _, line in ipairs(about) do
    local indented = line:find("^  ") ~= nil
    if indented ~= code and line ~= "" then
      if lines[#lines] ~= "" then add(lines, "") end
      code = indented
    end
    add(lines, indented and "  " .. line or escape(line))
  end
  add(lines, "")
end

local function code(text)
  return "`" .. text:gsub("`", "'") .. "`"
end

local function item(lines, name, entry)
  add(lines, "- " .. (name and code(name) .. ": " or "") .. code(entry.type) .. (entry.about ~= "" and " " .. entry.about or ""))
end

local function write_function(lines, level, prefix, doc)
  local optional = {}
  for _, p in ipairs(doc.params) do
    if p.name:find("?", 1, true) then optional[p.name:gsub("%?", "")] = true end
  end
  local args = doc.args:gsub("[%w_]+", function(name) return optional[name] and name .. "?" or name end)
  add(lines, level .. " " .. code(prefix .. doc.name .. args))
  add(lines, "")
  prose(lines, doc.about)
  for _, p in ipairs(doc.params) do item(lines, p.name, p) end
  for _, r in ipairs(doc.returns) do
    add(lines, "- returns " .. code(r.type) .. (r.about ~= "" and " " .. r.about or ""))
  end
  if #doc.params + #doc.returns > 0 then add(lines, "") end
end

local function write_class(lines, doc)
  if #doc.about + #doc.fields + #doc.methods == 0 then return end
  add(lines, "## " .. code(doc.class) .. (doc.parent ~= "" and ": " .. code(doc.parent) or ""))
  add(lines, "")
  prose(lines, doc.about)
  for _, field in ipairs(doc.fields) do item(lines, field.name, field) end
  if #doc.fields > 0 then add(lines, "") end
  local short = doc.class:match("([%w_]+)$"):lower()
  for _, method in ipairs(doc.methods) do
    if not method.name:find("^_") then write_function(lines, "###", short .. method.sep, method) end
  end
end

-- adt's own names are fields of other modules; its table FIELDS says of which.
local function write_names(lines)
  add(lines, "| name | is |")
  add(lines, "|---|---|")
  local text = fs.read(path.join(source, "init.lua")):match("local FIELDS = (%b{})")
  local rows = {}
  for name, module, field in text:gmatch('([%w_]+) = { "([%w_]+)",? ?"?([%w_]*)"? }') do
    rows[#rows + 1] = ("| `adt.%s` | [`adt.%s`](%s.md)`.%s` |"):format(name, module, module, field ~= "" and field or name)
  end
  table.sort(rows)
  table.move(rows, 1, #rows, #lines + 1, lines)
  add(lines, "")
  add(lines, "Every other name `adt.NAME` is the module itself.")
  add(lines, "")
end

local function render(page)
  local lines = {}
  add(lines, "# " .. code(page.name == "adt" and "adt" or "adt." .. page.name))
  add(lines, "")
  prose(lines, page.about)
  if page.name == "adt" then write_names(lines) end
  local prefix = (page.name:match("([%w_]+)$")) .. "."
  for _, doc in ipairs(page.functions) do write_function(lines, "##", prefix, doc) end
  for _, doc in ipairs(page.values) do
    add(lines, "## " .. code(prefix .. doc.name) .. (doc.type and ": " .. code(doc.type) or ""))
    add(lines, "")
    prose(lines, doc.about)
  end
  for _, doc in ipairs(page.classes) do write_class(lines, doc) end
  for _, doc in ipairs(page.aliases) do
    add(lines, "## " .. code(doc.alias))
    add(lines, "")
    prose(lines, doc.about)
    add(lines, "- " .. code((doc.type:gsub("^ *| *", ""))))
    add(lines, "")
  end
  while lines[#lines] == "" do lines[#lines] = nil end
  local text = table.concat(lines, "\n"):gsub(" +\n", "\n"):gsub("\n\n\n+", "\n\n")
  return text .. "\n"
end

local function render_index(pages)
  local lines = { "# Reference", "", "Made by `adtlua docs/reference.lua` from the annotations in `lua/adt`; do not edit.", "" }
  for _, part in ipairs { { "For recipes and scripts", true }, { "The library's own", false } } do
    add(lines, "## " .. part[1])
    add(lines, "")
    for _, page in ipairs(pages) do
      if (PUBLIC[page.name] or false) == part[2] then
        local name = page.name == "adt" and "adt" or "adt." .. page.name
        add(lines, ("- [`%s`](%s.md) %s"):format(name, page.name, sentence(page.about)))
      end
    end
    add(lines, "")
  end
  lines[#lines] = nil
  return table.concat(lines, "\n") .. "\n"
end

-- --- all of it -------------------------------------------------------------------------------------------------------

local function pages_of()
  local pages = {}
  for file, kind in fs.walk(source) do
    local name = kind == "file" and path.relative(file, source):match("^(.*)%.lua$")
    if name then
      name = name:gsub("/", ".")
      pages[#pages + 1] = read_page(file, name == "init" and "adt" or name)
    end
  end
  table.sort(pages, function(a, b) return a.name < b.name end)
  return pages
end

local function files_of(pages)
  local files = { ["README.md"] = render_index(pages) }
  for _, page in ipairs(pages) do
    files[page.name .. ".md"] = render(page)
  end
  return files
end

local function there()
  local names = {}
  for _, name in ipairs(fs.exists(out) and fs.list(out) or {}) do names[name] = true end
  return names
end

local function check(files)
  local wrong = {}
  local old = there()
  for name, text in pairs(files) do
    if not old[name] or fs.read(path.join(out, name)) ~= text then wrong[#wrong + 1] = name end
  end
  for name in pairs(old) do
    if not files[name] then wrong[#wrong + 1] = name end
  end
  table.sort(wrong)
  if #wrong > 0 then
    io.stderr:write("docs/reference is not what the annotations say: ", table.concat(wrong, " "),
      "\nrun: adtlua docs/reference.lua\n")
    os.exit(1)
  end
end

local function write(files)
  fs.mkdir(out, { parents = true })
  for name in pairs(there()) do
    if not files[name] then fs.remove(path.join(out, name)) end
  end
  for name, text in pairs(files) do
    fs.write(path.join(out, name), text)
  end
end

local files = files_of(pages_of())
if arg[1] == "--check" then
  check(files)
else
  write(files)
end
