/* term.c - adt.c.term: what kind of terminal is on a descriptor, and how large it is */
#include "adtL.h"
#include "modules.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A descriptor's number or a Lua file; a closed file gives -1, which is no terminal. */
static int check_fd(lua_State *L, int arg)
{
    const luaL_Stream *file = luaL_testudata(L, arg, LUA_FILEHANDLE);
    if (file)
        return file->closef ? fileno(file->f) : -1;
    lua_Integer fd = luaL_checkinteger(L, arg);
    luaL_argcheck(L, fd >= -1 && fd <= 1 << 30, arg, "not a descriptor");
    return (int)fd;
}

/* isatty(fd or file) -> boolean */
static int term_isatty(lua_State *L)
{
    lua_pushboolean(L, isatty(check_fd(L, 1)));
    return 1;
}

/* size(fd or file) -> columns, rows, or nil and the error */
static int term_size(lua_State *L)
{
    int fd = check_fd(L, 1);
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) < 0) {
        struct adt_error err;
        adt_error_errno(&err, ADT_USAGE, errno, "window size of descriptor %d", fd);
        return adtL_fail(L, &err);
    }
    lua_pushinteger(L, size.ws_col);
    lua_pushinteger(L, size.ws_row);
    return 2;
}

int luaopen_adt_c_term(lua_State *L)
{
    static const luaL_Reg functions[] = {{"isatty", term_isatty}, {"size", term_size}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
