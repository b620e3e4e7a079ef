-- .luacheckrc - luacheck's options
std = "lua54"
max_line_length = 150
self = false
-- A target's or a hook's function names what it is given, also what it does not need.
unused_args = false
files["tests/**/*_spec.lua"] = { std = "+busted" }
-- Declarations for editors: their locals are filled and never read.
files["lua/meta/*.lua"] = { ignore = { "241" } }
files["tests/lua/busted.lua"] = { globals = { "arg" } }
