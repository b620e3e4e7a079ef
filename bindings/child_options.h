/* child_options.h - what a program is started with, read from Lua tables */
#ifndef ADT_CHILD_OPTIONS_H
#define ADT_CHILD_OPTIONS_H

#include "loop/child.h"

#include <lua.h>

enum { ADT_SPAWN_LIMITS = 8 };

/* A file that is opened for one of the standard streams. */
struct adt_redirect {
    const char *path;
    int flags;
};

struct adt_spawn {
    struct adt_child_options opt;
    struct adt_rlimit limits[ADT_SPAWN_LIMITS];
    struct adt_redirect files[3];
    int opened[3];
};

int adtL_read_spawn(lua_State *L, struct adt_spawn *s, struct adt_error *err);
/* Reads argv at index 1 and the options at 2. What [s] points to lies on the stack, or is kept by those tables, as long
 * as the frame. -1 with [err] filled for a bad argument of the program; raises for a bad option. Opens nothing. */

int adt_spawn_open(struct adt_spawn *s, struct adt_error *err);
/* Opens the files that the streams go to. */

void adt_spawn_close(struct adt_spawn *s);
/* Closes them; to be called whether opening succeeded or not. */

#endif
