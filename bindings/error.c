/* error.c - the class adt.Error: a table with a cause, printed as one paragraph */
#include "adtL.h"
#include "engine.h"
#include "modules.h"

#include <string.h>

/* "where: message. hint" - the message a person sees, whoever prints the error. */
static int error_tostring(lua_State *L)
{
    luaL_Buffer b;
    lua_settop(L, 1);
    lua_getfield(L, 1, "where");
    lua_getfield(L, 1, "message");
    lua_getfield(L, 1, "hint");
    const char *where = lua_tostring(L, 2), *message = lua_tostring(L, 3), *hint = lua_tostring(L, 4);
    luaL_buffinit(L, &b);
    if (where && *where) {
        luaL_addstring(&b, where);
        luaL_addstring(&b, ": ");
    }
    luaL_addstring(&b, message && *message ? message : "unspecified error");
    if (hint && *hint) {
        luaL_addstring(&b, "; ");
        luaL_addstring(&b, hint);
    }
    luaL_pushresult(&b);
    return 1;
}

/* new(fields) -> error: gives the table the class */
static int error_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_setmetatable(L, "adt.Error");
    return 1;
}

bool adt_error_is(lua_State *L, int idx)
{
    bool same = false;
    if (lua_istable(L, idx) && lua_getmetatable(L, idx)) {
        luaL_getmetatable(L, "adt.Error");
        same = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    return same;
}

/* is(value) -> boolean */
static int error_is(lua_State *L)
{
    lua_pushboolean(L, adt_error_is(L, 1));
    return 1;
}

/* The program's own modules: embedded ones are called @adt/..., those of --lua-dir @DIR/adt/... */
static bool is_ours(const char *source, const char *lua_dir)
{
    size_t n = lua_dir ? strlen(lua_dir) : 0;
    if (n && !strncmp(source + 1, lua_dir, n) && source[n + 1] == '/')
        source += n + 1;
    return !strncmp(source + 1, "adt/", 4);
}

void adt_error_locate(lua_State *L, int idx, const char *lua_dir)
{
    lua_Debug ar;
    if (!adt_error_is(L, idx))
        return;
    idx = lua_absindex(L, idx);
    lua_pushliteral(L, "where");
    int kind = lua_rawget(L, idx);
    lua_pop(L, 1);
    if (kind != LUA_TNIL)
        return;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        if (!lua_getinfo(L, "Sl", &ar) || *ar.source != '@' || ar.currentline < 1 || is_ours(ar.source, lua_dir))
            continue;
        lua_pushliteral(L, "where");
        lua_pushfstring(L, "%s:%d", ar.source + 1, ar.currentline);
        lua_rawset(L, idx);
        return;
    }
}

/* locate(error) -> error: with the line of the author's code that led to it as `where`, unless it has a place */
static int error_locate(lua_State *L)
{
    lua_settop(L, 1);
    adt_error_locate(L, 1, adtL_engine(L)->lua_dir);
    return 1;
}

void adt_error_open(lua_State *L)
{
    luaL_newmetatable(L, "adt.Error");
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "adt.Error");
    lua_setfield(L, -2, "__name");
    lua_pop(L, 1);
}

int luaopen_adt_c_error(lua_State *L)
{
    static const luaL_Reg functions[] = {{"new", error_new}, {"is", error_is}, {"locate", error_locate}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
