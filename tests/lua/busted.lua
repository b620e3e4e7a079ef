--- Runs busted specs inside this very program: adtlua tests/lua/busted.lua FILE...
local here = arg[0]:match("^(.*)/[^/]*$") or "."

-- Debian keeps the pure Lua parts in 5.1's folder, too; C parts (lfs, system, term) come from package.cpath.
-- Ours come last, since this file is named like busted itself.
local debian = "/usr/share/lua/5.1/"
package.path = table.concat({ package.path, debian .. "?.lua", debian .. "?/init.lua", here .. "/?.lua" }, ";")

local files = table.move(arg, 1, #arg, 1, {})
if #files == 0 then
  io.stderr:write("usage: adtlua tests/lua/busted.lua FILE...\n")
  os.exit(2)
end

-- busted reads its command line from arg; the specs see arg[0] and nothing else.
arg = { [0] = arg[0], "--output", here .. "/output.lua", "--pattern", "%.lua$", table.unpack(files) }
require "busted.runner" { standalone = false }
