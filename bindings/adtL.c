/* adtL.c - helpers of the bindings that need no engine: handles, errors, options */
#include "adtL.h"

#include "base/mem.h"
#include "base/nearest.h"

#include <string.h>

void adtL_newclass(lua_State *L, const char *tname, const luaL_Reg *meta, const luaL_Reg *methods)
{
    if (luaL_newmetatable(L, tname)) {
        luaL_setfuncs(L, meta, 0);
        if (methods) {
            lua_newtable(L);
            luaL_setfuncs(L, methods, 0);
            lua_setfield(L, -2, "__index");
        }
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
}

void *adtL_newhandle(lua_State *L, size_t size, const char *tname, int uservalues)
{
    void *u = lua_newuserdatauv(L, size, uservalues);
    memset(u, 0, size);
    luaL_setmetatable(L, tname);
    return u;
}

void *adtL_scratch(lua_State *L, size_t n)
{
    return lua_newuserdatauv(L, n ? n : 1, 0);
}

static void set_text(lua_State *L, const char *field, const char *text)
{
    if (!*text)
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

int adtL_pusherror(lua_State *L, const struct adt_error *err)
{
    lua_createtable(L, 0, 6);
    set_text(L, "cause", adt_cause_name(err->cause));
    set_text(L, "code", err->code);
    set_text(L, "message", err->message);
    set_text(L, "where", err->where);
    set_text(L, "hint", err->hint);
    lua_pushboolean(L, err->retryable);
    lua_setfield(L, -2, "retryable");
    luaL_setmetatable(L, "adt.Error");
    return 1;
}

int adtL_fail(lua_State *L, const struct adt_error *err)
{
    lua_pushnil(L);
    adtL_pusherror(L, err);
    return 2;
}

int adtL_raise(lua_State *L, const struct adt_error *err)
{
    adtL_pusherror(L, err);
    return lua_error(L);
}

const char *adtL_checktext(lua_State *L, int arg, size_t *n)
{
    size_t len;
    const char *s = luaL_checklstring(L, arg, &len);
    if (memchr(s, '\0', len))
        luaL_argerror(L, arg, "the text holds a NUL byte");
    if (n)
        *n = len;
    return s;
}

static int bad_field(lua_State *L, const char *field, const char *want)
{
    return luaL_error(L, "option '%s' must be a %s, not a %s", field, want, luaL_typename(L, -1));
}

bool adtL_optboolean(lua_State *L, int idx, const char *field, bool otherwise)
{
    int t = lua_getfield(L, idx, field);
    if (t != LUA_TNIL && t != LUA_TBOOLEAN)
        bad_field(L, field, "boolean");
    bool v = t == LUA_TNIL ? otherwise : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return v;
}

double adtL_optnumber(lua_State *L, int idx, const char *field, double otherwise)
{
    int t = lua_getfield(L, idx, field);
    if (t != LUA_TNIL && t != LUA_TNUMBER)
        bad_field(L, field, "number");
    double v = t == LUA_TNIL ? otherwise : lua_tonumber(L, -1);
    lua_pop(L, 1);
    return v;
}

lua_Integer adtL_optinteger(lua_State *L, int idx, const char *field, lua_Integer otherwise)
{
    int t = lua_getfield(L, idx, field);
    int is = 1;
    lua_Integer v = t == LUA_TNIL ? otherwise : lua_tointegerx(L, -1, &is);
    if (!is || (t != LUA_TNIL && t != LUA_TNUMBER))
        bad_field(L, field, "whole number");
    lua_pop(L, 1);
    return v;
}

const char *adtL_optstring(lua_State *L, int idx, const char *field, const char *otherwise)
{
    int t = lua_getfield(L, idx, field);
    if (t == LUA_TNIL)
        return otherwise;
    if (t != LUA_TSTRING)
        bad_field(L, field, "string");
    size_t n;
    const char *s = lua_tolstring(L, -1, &n);
    if (memchr(s, '\0', n))
        luaL_error(L, "option '%s' holds a NUL byte", field);
    return s;
}

static int unknown_field(lua_State *L, const char *what, const char *key, const char *const *known)
{
    struct adt_nearest near;
    adt_nearest_begin(&near, key, strlen(key));
    for (; *known; known++)
        adt_nearest_try(&near, *known);
    if (near.found)
        return luaL_error(L, "%s: unknown option '%s' (did you mean '%s'?)", what, key, near.found);
    return luaL_error(L, "%s: unknown option '%s'", what, key);
}

void adtL_checkfields(lua_State *L, int idx, const char *what, const char *const *known)
{
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            continue;
        const char *key = lua_tostring(L, -1);
        const char *const *k = known;
        while (*k && strcmp(*k, key) != 0)
            k++;
        if (!*k)
            unknown_field(L, what, key, known);
    }
}
