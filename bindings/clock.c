/* clock.c - adt.c.clock: what time it is */
#include "base/clock.h"

#include "adtL.h"
#include "modules.h"

#include <errno.h>

/* now() -> seconds since the epoch */
static int clock_now(lua_State *L)
{
    lua_pushnumber(L, adt_wall());
    return 1;
}

/* monotonic() -> seconds since some fixed moment */
static int clock_monotonic(lua_State *L)
{
    lua_pushnumber(L, adt_now());
    return 1;
}

/* turn(seconds): moves now(), for tests */
static int clock_turn(lua_State *L)
{
    adt_clock_turn(luaL_checknumber(L, 1));
    return 0;
}

/* sync() -> synchronised, offset and max_error in seconds; nil, err where the kernel does not say */
static int clock_sync(lua_State *L)
{
    struct adt_clock_sync sync;
    if (adt_clock_sync(&sync) < 0) {
        struct adt_error err;
        adt_error_errno(&err, ADT_NODE, errno, "asking the kernel for the state of its clock");
        return adtL_fail(L, &err);
    }
    lua_pushboolean(L, sync.synchronised);
    lua_pushnumber(L, sync.offset);
    lua_pushnumber(L, sync.max_error);
    return 3;
}

int luaopen_adt_c_clock(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"now", clock_now}, {"monotonic", clock_monotonic}, {"turn", clock_turn}, {"sync", clock_sync}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
