/* startup.h - what the program takes out of its environment at its start */
#ifndef ADT_STARTUP_H
#define ADT_STARTUP_H

#include <lua.h>

void adt_startup_take_params(lua_State *L);
/* Moves ADTLUA_PARAM_* from the environment into the state, where adt.c.startup shows them. */

#endif
