/* clock.c - adt.c.clock: what time it is */
#include "base/clock.h"

#include "adtL.h"
#include "modules.h"

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

int luaopen_adt_c_clock(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"now", clock_now}, {"monotonic", clock_monotonic}, {"turn", clock_turn}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
