/* target.c - one Lua state, one driver, any bytes: only structured errors may come back */
#include "target.h"
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct adt_engine engine;

static void give_up(lua_State *L, const char *what)
{
    const char *text = luaL_tolstring(L, -1, NULL);
    fprintf(stderr, "%s: %s\n", what, text);
    abort();
}

static int with_traceback(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING)
        luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

static void load(const char *driver)
{
    const struct adt_engine_options opt = {.no_env = true};
    lua_State *L = adt_state_new(&engine, &opt);
    if (!L)
        abort();
    lua_pushcfunction(L, with_traceback);
    lua_pushfstring(L, "%s/%s.lua", ADT_FUZZ_DRIVERS, driver);
    if (luaL_loadfile(L, lua_tostring(L, -1)) != LUA_OK || lua_pcall(L, 0, 1, 1) != LUA_OK)
        give_up(L, driver);
    lua_remove(L, 2);
}

static bool is_structured(lua_State *L)
{
    if (!lua_istable(L, -1) || !lua_getmetatable(L, -1))
        return false;
    luaL_getmetatable(L, "adt.Error");
    bool ours = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (!ours)
        return false;
    lua_getfield(L, -1, "message");
    lua_getfield(L, -2, "cause");
    const char *cause = lua_tostring(L, -1);
    bool good = lua_type(L, -2) == LUA_TSTRING && cause && strcmp(cause, "internal") != 0;
    lua_pop(L, 2);
    return good;
}

void fuzz_lua(const char *driver, const void *bytes, size_t n)
{
    lua_State *L = engine.L;
    if (!L) {
        load(driver);
        L = engine.L;
    }
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    lua_pushlstring(L, bytes, n);
    if (lua_pcall(L, 1, 0, 1) != LUA_OK && !is_structured(L))
        give_up(L, driver);
    lua_settop(L, 2);
}
