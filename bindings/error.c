/* error.c - the class adt.Error: a table with a cause, printed as one paragraph */
#include "adtL.h"
#include "modules.h"

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

/* is(value) -> boolean */
static int error_is(lua_State *L)
{
    int same = 0;
    if (lua_istable(L, 1) && lua_getmetatable(L, 1)) {
        luaL_getmetatable(L, "adt.Error");
        same = lua_rawequal(L, -1, -2);
    }
    lua_pushboolean(L, same);
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
    static const luaL_Reg functions[] = {{"new", error_new}, {"is", error_is}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
