/* startup.c - adt.c.startup: what the program was given at its start and must not pass on */
#include "startup.h"

#include "adt.h"
#include "engine.h"
#include "modules.h"

#include <stdlib.h>
#include <string.h>

static const char PREFIX[] = "ADTLUA_PARAM_";
static char params_key;

extern char **environ;

/* Parameters may be secrets: children, those of os.execute included, do not get the variables. */
void adt_startup_take_params(lua_State *L)
{
    lua_newtable(L);
    for (char **e = environ; e && *e;) {
        const char *eq = strchr(*e, '=');
        if (!eq || strncmp(*e, PREFIX, sizeof PREFIX - 1) != 0) {
            e++;
            continue;
        }
        lua_pushlstring(L, *e, (size_t)(eq - *e));
        lua_pushstring(L, eq + 1);
        const char *name = lua_tostring(L, -2);
        unsetenv(name); /* moves the rest of environ up */
        lua_rawset(L, -3);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &params_key);
}

int luaopen_adt_c_startup(lua_State *L)
{
    lua_createtable(L, 0, 2);
    lua_pushstring(L, adt_version());
    lua_setfield(L, -2, "version");
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &params_key) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    lua_setfield(L, -2, "params");
    return 1;
}
