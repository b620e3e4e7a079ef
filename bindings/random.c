/* random.c - adt.c.random: bytes that nobody can guess */
#include "adtL.h"
#include "modules.h"

#include <errno.h>
#include <sys/random.h>

/* bytes(n) */
static int random_bytes(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 0 && n <= 1 << 20, 1, "must lie between 0 and 1 MiB");
    luaL_Buffer b;
    char *p = luaL_buffinitsize(L, &b, (size_t)n);
    for (lua_Integer done = 0; done < n;) {
        ssize_t got = getrandom(p + done, (size_t)(n - done), 0);
        if (got < 0 && errno != EINTR)
            return luaL_error(L, "the kernel gives no random bytes");
        done += got > 0 ? got : 0;
    }
    luaL_pushresultsize(&b, (size_t)n);
    return 1;
}

int luaopen_adt_c_random(lua_State *L)
{
    static const luaL_Reg functions[] = {{"bytes", random_bytes}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
