/* file.c - adt.c.file: open files, whose slow calls wait on a thread */
#include "file.h"

#include <lauxlib.h>
#include <stdio.h>

struct lfile {
    int fd; /* one more than the descriptor; 0: closed */
};

int adtL_tofd(lua_State *L, int idx)
{
    luaL_Stream *f = luaL_testudata(L, idx, LUA_FILEHANDLE);
    if (f)
        return f->closef ? fileno(f->f) : -1;
    struct lfile *ours = luaL_testudata(L, idx, "adt.file");
    return ours ? ours->fd - 1 : -1;
}
