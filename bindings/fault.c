/* fault.c - adt.c.fault: the named places in Lua where a crash test may strike */
#include "base/fault.h"

#include "adtL.h"
#include "base/mem.h"
#include "modules.h"

/* hit(name) -> true when the place is to fail now; may not return at all */
static int fault_hit(lua_State *L)
{
    lua_pushboolean(L, adt_fault(luaL_checkstring(L, 1)));
    return 1;
}

/* arm(spec): "name:kill|fail[:count]", or nil to disarm */
static int fault_arm(lua_State *L)
{
    const char *spec = luaL_optstring(L, 1, NULL);
    luaL_argcheck(L, adt_fault_arm(spec) == 0, 1, "expected NAME:kill|fail[:COUNT]");
    return 0;
}

/* alloc_after(n): the core's allocation after n more fails, once; negative: none. Returns the blocks that are live, and
 * whether the failure that was asked for last has happened. */
static int fault_alloc_after(lua_State *L)
{
    long n = (long)luaL_checkinteger(L, 1), left = adt_mem_fail_left();
    adt_mem_fail_after(n);
    lua_pushinteger(L, adt_mem_live());
    lua_pushboolean(L, left < 0);
    return 2;
}

int luaopen_adt_c_fault(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"hit", fault_hit}, {"arm", fault_arm}, {"alloc_after", fault_alloc_after}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
