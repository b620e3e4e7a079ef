/* bare_guard.h - keeps the bare state's libraries from running for ever inside C */
#ifndef ADT_BARE_GUARD_H
#define ADT_BARE_GUARD_H

#include <lauxlib.h>

void adt_bare_guard(lua_State *L);
/* Wraps functions of string, table and the base library, which are open in [L], so that a call that would be too much
 * work raises instead. */

#endif
