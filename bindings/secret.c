/* secret.c - adt.c.secret: which values must not be printed */
#include "base/secret.h"

#include "adtL.h"
#include "modules.h"

/* add(value) */
static int secret_add(lua_State *L)
{
    size_t n;
    const char *value = luaL_checklstring(L, 1, &n);
    if (adt_secret_add(value, n) < 0)
        return luaL_error(L, "out of memory");
    return 0;
}

static int redact_close(lua_State *L)
{
    struct adt_buf *b = lua_touserdata(L, 1);
    adt_buf_free(b);
    return 0;
}

/* redact(text) -> text with every value replaced */
static int secret_redact(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", redact_close}, {"__close", redact_close}, {NULL, NULL}};
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    lua_settop(L, 1);
    adtL_newclass(L, "adt.redacted", meta, NULL);
    struct adt_buf *b = adtL_newhandle(L, sizeof *b, "adt.redacted", 0);
    lua_toclose(L, -1);
    /* The replacement has as many bytes as the shortest value that is replaced. */
    adt_buf_init(b, n + 1);
    if (adt_secret_redact(text, n, b) < 0)
        return luaL_error(L, "out of memory");
    lua_pushlstring(L, b->p ? b->p : "", b->len);
    return 1;
}

/* object(metatable) -> a value of that class that holds nothing: no encoder, dump or copy finds anything in it */
static int secret_object(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_newuserdatauv(L, 0, 0);
    lua_pushvalue(L, 1);
    lua_setmetatable(L, -2);
    return 1;
}

/* any() -> boolean */
static int secret_any(lua_State *L)
{
    lua_pushboolean(L, adt_secret_any());
    return 1;
}

/* forget() */
static int secret_forget(lua_State *L)
{
    (void)L;
    adt_secret_forget();
    return 0;
}

int luaopen_adt_c_secret(lua_State *L)
{
    static const luaL_Reg functions[] = {{"add", secret_add}, {"object", secret_object}, {"redact", secret_redact},
                                         {"any", secret_any}, {"forget", secret_forget}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
