/* bare.c - adt.c.bare: reads a recipe's head in a state of its own, without io, os, processes or network
 *
 * list, --help and completion must not run what a stranger wrote. The bare state has the pure libraries, limits on
 * memory and instructions, and a require that knows the pure modules of ours alone; whatever else a recipe asks for is
 * an inert value that fails when it is called. The head comes back as plain data. */
#include "bare_guard.h"
#include "engine.h"
#include "modules.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH = 16, HOOK_EVERY = 10000, MOST_TEXT = 1 << 20 };

struct bare {
    lua_State *L;
    size_t used, most;
    long long instructions;
};

static void *bare_memory(void *ud, void *p, size_t osize, size_t nsize)
{
    struct bare *b = ud;
    size_t old = p ? osize : 0;
    if (nsize == 0) {
        b->used -= old;
        free(p);
        return NULL;
    }
    if (nsize > old && b->used + (nsize - old) > b->most)
        return NULL;
    void *q = realloc(p, nsize);
    if (q)
        b->used += nsize - old;
    return q;
}

static struct bare *bare_of(lua_State *L)
{
    return *(struct bare **)lua_getextraspace(L);
}

static void count_hook(lua_State *L, lua_Debug *ar)
{
    struct bare *b = bare_of(L);
    b->instructions -= HOOK_EVERY;
    if (b->instructions >= 0)
        return;
    /* From now on every instruction raises, so that no pcall in a loop goes on. */
    lua_sethook(L, count_hook, LUA_MASKCOUNT, 1);
    lua_getinfo(L, "Sl", ar);
    lua_pushfstring(L, "%s:%d: the head takes too long; a head only describes, work belongs into a stage",
                    ar->short_src, ar->currentline);
    lua_error(L);
}

/* --- inert values: indexing gives another one, calling says what is wrong --------------------------------------------
 */

static int inert_call(lua_State *L)
{
    lua_getiuservalue(L, 1, 1);
    return luaL_error(L, "'%s' cannot be used while a recipe's head is read; move it into a stage",
                      lua_tostring(L, -1));
}

static void push_inert(lua_State *L, const char *name);

static int inert_index(lua_State *L)
{
    lua_getiuservalue(L, 1, 1);
    lua_pushliteral(L, ".");
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 3);
    push_inert(L, lua_tostring(L, -1));
    return 1;
}

static void push_inert(lua_State *L, const char *name)
{
    static const luaL_Reg meta[] = {
        {"__call", inert_call}, {"__index", inert_index}, {"__newindex", inert_call}, {NULL, NULL}};
    lua_newuserdatauv(L, 1, 1);
    lua_pushstring(L, name);
    lua_setiuservalue(L, -2, 1);
    if (luaL_newmetatable(L, "adt.inert"))
        luaL_setfuncs(L, meta, 0);
    lua_setmetatable(L, -2);
}

static bool is_pure(const char *name)
{
    static const char *const pure[] = {"adt",       "adt.error",    "adt.c.error", "adt.param",   "adt.recipe",
                                       "adt.units", "adt.hostlist", "adt.secret",  "adt.options", "adt.c.slurm",
                                       NULL};
    for (const char *const *p = pure; *p; p++)
        if (!strcmp(*p, name))
            return true;
    return false;
}

static int bare_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, 2, name) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    const char *lua_dir = lua_tostring(L, lua_upvalueindex(1));
    if (!is_pure(name) || adt_modules_load(L, lua_dir, name) == 0) {
        push_inert(L, name);
    } else {
        lua_pushvalue(L, 1);
        lua_insert(L, -2);
        lua_call(L, 2, 1);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    return 1;
}

static int ignore(lua_State *L)
{
    (void)L;
    return 0;
}

static int open_bare(lua_State *L)
{
    const char *lua_dir = lua_touserdata(L, 1);
    static const luaL_Reg libs[] = {{LUA_GNAME, luaopen_base},        {LUA_TABLIBNAME, luaopen_table},
                                    {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
                                    {LUA_UTF8LIBNAME, luaopen_utf8},  {NULL, NULL}};
    for (const luaL_Reg *lib = libs; lib->name; lib++) {
        luaL_requiref(L, lib->name, lib->func, 1);
        lua_pop(L, 1);
    }
    /* A coroutine would have a hook, and a count, of its own. */
    static const char *const inert[] = {"io",       "os",   "debug",          "package",   "dofile",
                                        "loadfile", "load", "collectgarbage", "coroutine", NULL};
    for (const char *const *name = inert; *name; name++) {
        push_inert(L, *name);
        lua_setglobal(L, *name);
    }
    lua_register(L, "print", ignore);
    lua_register(L, "warn", ignore);
    lua_pushstring(L, lua_dir);
    lua_pushcclosure(L, bare_require, 1);
    lua_setglobal(L, "require");
    adt_error_open(L);
    adt_bare_guard(L);
    return 0;
}

/* In the bare state: runs the file, returns what recipe.describe() makes of its result; false for a plain script. */
static int run_head(lua_State *L)
{
    const char *path = lua_touserdata(L, 1);
    lua_settop(L, 0);
    if (luaL_loadfilex(L, path, "t") != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "adt.recipe");
    lua_call(L, 1, 1);
    lua_getfield(L, 2, "is");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (!lua_toboolean(L, -1))
        return 1;
    lua_getfield(L, 2, "describe");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* --- in the caller's state -------------------------------------------------------------------------------------------
 */

static int bare_close(lua_State *L)
{
    struct bare *b = lua_touserdata(L, 1);
    if (b->L)
        lua_close(b->L);
    b->L = NULL;
    return 0;
}

/* Copies the plain value at [idx] of [from] onto [to]; functions and deeper tables are left out. */
static void copy_value(lua_State *from, int idx, lua_State *to, int depth)
{
    size_t n;
    luaL_checkstack(to, 4, "a recipe's head");
    switch (lua_type(from, idx)) {
    case LUA_TBOOLEAN:
        lua_pushboolean(to, lua_toboolean(from, idx));
        return;
    case LUA_TNUMBER:
        if (lua_isinteger(from, idx))
            lua_pushinteger(to, lua_tointeger(from, idx));
        else
            lua_pushnumber(to, lua_tonumber(from, idx));
        return;
    case LUA_TSTRING: {
        const char *s = lua_tolstring(from, idx, &n);
        lua_pushlstring(to, s, n);
        return;
    }
    case LUA_TTABLE:
        break;
    default:
        lua_pushnil(to);
        return;
    }
    lua_newtable(to);
    if (depth >= DEPTH || !lua_checkstack(from, 4))
        return;
    idx = lua_absindex(from, idx);
    lua_pushnil(from);
    while (lua_next(from, idx)) {
        int kind = lua_type(from, -2);
        if (kind == LUA_TSTRING || kind == LUA_TNUMBER) {
            copy_value(from, -2, to, DEPTH);
            copy_value(from, -1, to, depth + 1);
            lua_rawset(to, -3);
        }
        lua_pop(from, 1);
    }
}

/* The head may have raised anything: only texts are taken, and it is the head's fault whatever it says. */
static int push_failure(lua_State *L, lua_State *from, const char *path)
{
    static const char *const fields[] = {"message", "code", "where", "hint", NULL};
    lua_pushnil(L);
    lua_createtable(L, 0, 6);
    int table = lua_gettop(L);
    for (const char *const *field = fields; lua_istable(from, -1) && *field; field++) {
        lua_pushstring(from, *field);
        if (lua_rawget(from, -2) == LUA_TSTRING) {
            copy_value(from, -1, L, DEPTH);
            lua_setfield(L, -2, *field);
        }
        lua_pop(from, 1);
    }
    /* Lua's own messages begin with the place. */
    if (lua_istable(from, -1) && lua_getfield(L, -1, "where") == LUA_TNIL) {
        lua_pushstring(L, path);
        lua_setfield(L, -3, "where");
    }
    lua_settop(L, table);
    if (lua_getfield(L, -1, "message") == LUA_TNIL) {
        const char *message = lua_tostring(from, -1);
        lua_pushstring(L, message ? message : "the head failed without a message");
        lua_setfield(L, -3, "message");
        lua_pushliteral(L, "BadRecipe");
        lua_setfield(L, -3, "code");
    }
    lua_pop(L, 1);
    lua_pushliteral(L, "usage");
    lua_setfield(L, -2, "cause");
    lua_pushstring(L, path);
    lua_setfield(L, -2, "file");
    luaL_setmetatable(L, "adt.Error");
    return 2;
}

static int locate(lua_State *L)
{
    adt_error_locate(L, 1, lua_tostring(L, lua_upvalueindex(1)));
    return 1;
}

static int read_head(struct bare *b, const char *path, const char *lua_dir)
{
    lua_pushcfunction(b->L, open_bare);
    lua_pushlightuserdata(b->L, (void *)lua_dir);
    int status = lua_pcall(b->L, 1, 0, 0);
    if (status != LUA_OK)
        return status;
    lua_pushstring(b->L, lua_dir);
    lua_pushcclosure(b->L, locate, 1);
    lua_sethook(b->L, count_hook, LUA_MASKCOUNT, HOOK_EVERY);
    lua_pushcfunction(b->L, run_head);
    lua_pushlightuserdata(b->L, (void *)path);
    status = lua_pcall(b->L, 1, 1, 1);
    if (status == LUA_ERRMEM)
        lua_pushfstring(b->L, "%s: the head needs too much memory; a head only describes, work belongs into a stage",
                        path);
    return status;
}

/* Why [path] cannot be a recipe; a pipe would be waited for. */
static const char *no_text(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return NULL; /* the loader says it better */
    if (!S_ISREG(st.st_mode))
        return "this is no file";
    return st.st_size > MOST_TEXT ? "a recipe has at most 1 MiB" : NULL;
}

/* read(path [, { memory = bytes, instructions = count }]) -> head | false (a plain script) | nil, error */
static int bare_read(lua_State *L)
{
    static const char *const known[] = {"memory", "instructions", NULL};
    const char *path = adtL_checktext(L, 1, NULL);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    adtL_checkfields(L, 2, "bare.read", known);
    lua_Integer memory = adtL_optinteger(L, 2, "memory", 32 << 20);
    lua_Integer instructions = adtL_optinteger(L, 2, "instructions", 20000000);
    struct bare *b = adtL_newhandle(L, sizeof *b, "adt.bare", 0);
    lua_toclose(L, -1);
    b->most = (size_t)memory;
    b->instructions = instructions;
    if (!(b->L = lua_newstate(bare_memory, b)))
        return luaL_error(L, "out of memory");
    *(struct bare **)lua_getextraspace(b->L) = b;
    const char *reason = no_text(path);
    if (reason)
        lua_pushfstring(b->L, "%s: %s", path, reason);
    if (reason || read_head(b, path, adtL_engine(L)->lua_dir) != LUA_OK)
        return push_failure(L, b->L, path);
    copy_value(b->L, -1, L, 0);
    return 1;
}

int luaopen_adt_c_bare(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", bare_close}, {"__close", bare_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"read", bare_read}, {NULL, NULL}};
    adtL_newclass(L, "adt.bare", meta, NULL);
    luaL_newlib(L, functions);
    return 1;
}
