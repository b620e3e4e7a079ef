---@meta adt.c.fs

local M = {}

---@param path string
---@param max integer bytes
---@return string? text, adt.Error? err
function M.read(path, max) end

--- Waits when `sync` is set.
---@param path string
---@param text string
---@param options { mode?: integer, atomic?: boolean, append?: boolean, sync?: boolean, parents?: boolean }
---@return boolean|integer|nil done, adt.Error? err
function M.write(path, text, options) end

--- false: something is there already.
---@param path string
---@param text string
---@param mode? integer
---@return boolean? made, adt.Error? err
function M.create(path, text, mode) end

--- false: nothing is there.
---@param path string
---@param follow boolean
---@return adt.Stat|false|nil stat, adt.Error? err
function M.stat(path, follow) end

--- Names in no order, and the type of each.
---@param path string
---@return string[]? names, table<string, adt.FileType>|adt.Error types
function M.list(path) end

---@param pattern string
---@param name string without a slash
---@return boolean
function M.match_name(pattern, name) end

---@param pattern string
---@param path string
---@return boolean
function M.match_path(pattern, path) end

--- Whether text holds anything that a pattern gives a meaning.
---@param text string
---@return boolean
function M.magic(text) end

---@param path string
---@return integer? free, integer|adt.Error total bytes
function M.space(path) end

---@param path string
---@param mode integer
---@param parents boolean
---@return boolean? done, adt.Error? err
function M.mkdir(path, mode, parents) end

--- false: something is there already.
---@param path string
---@param mode integer
---@return boolean? made, adt.Error? err
function M.create_dir(path, mode) end

--- A file or an empty folder. 0: nothing was there.
---@param path string
---@return integer? removed, adt.Error? err
function M.remove(path) end

--- With all below it, on a thread; waits.
---@param path string
---@return integer? removed, adt.Error? err
function M.remove_tree(path) end

--- The same in place, for finalisers.
---@param path string
---@return integer? removed, adt.Error? err
function M.remove_now(path) end

--- On a thread; waits.
---@param from string
---@param to string
---@return integer? zero, adt.Error? err
function M.copy(from, to) end

---@param from string
---@param to string
---@return boolean? done, adt.Error? err
function M.rename(from, to) end

---@param from string
---@param to string
---@return boolean? done, adt.Error? err
function M.link(from, to) end

---@param target string
---@param at string
---@return boolean? done, adt.Error? err
function M.symlink(target, at) end

---@param path string
---@return string? target, adt.Error? err
function M.readlink(path) end

---@param path string
---@return string? path, adt.Error? err
function M.realpath(path) end

---@param path string
---@param mode integer
---@return boolean? done, adt.Error? err
function M.chmod(path, mode) end

---@param path string
---@param size integer
---@return boolean? done, adt.Error? err
function M.truncate(path, size) end

--- A new folder whose path begins with `prefix`.
---@param prefix string
---@return string? path, adt.Error? err
function M.tempdir(prefix) end

---@return string? path, adt.Error? err
function M.cwd() end

return M
