/* file.h - open files as other bindings see them */
#ifndef ADT_FILE_H
#define ADT_FILE_H

#include <lua.h>

int adtL_tofd(lua_State *L, int idx);
/* The descriptor of an open file at [idx], of Lua's io or of adt.fs; -1 for anything else. */

#endif
