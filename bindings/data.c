/* data.c - adt.c.data: files that are part of the program, and gzip */
#include "adtL.h"
#include "data/gzip.h"
#include "embedded.h"
#include "modules.h"

#include <string.h>

/* read(name): nil when there is none */
static int data_read(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    size_t low = 0, high = adt_embedded_data_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        const struct adt_embedded_data *d = &adt_embedded_data[mid];
        int c = strcmp(name, d->name);
        if (c == 0) {
            struct adt_error err;
            luaL_Buffer b;
            char *dst = luaL_buffinitsize(L, &b, d->size);
            if (adt_inflate(d->packed, d->packed_size, dst, d->size, &err) < 0)
                return adtL_fail(L, &err);
            luaL_pushresultsize(&b, d->size);
            return 1;
        }
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    lua_pushnil(L);
    return 1;
}

/* names(): a sorted list */
static int data_names(lua_State *L)
{
    lua_createtable(L, (int)adt_embedded_data_count, 0);
    for (size_t i = 0; i < adt_embedded_data_count; i++) {
        lua_pushstring(L, adt_embedded_data[i].name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int buf_close(lua_State *L)
{
    adt_buf_free(lua_touserdata(L, 1));
    return 0;
}

/* gunzip(bytes, max) */
static int data_gunzip(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", buf_close}, {"__close", buf_close}, {NULL, NULL}};
    struct adt_error err;
    size_t n;
    const char *p = luaL_checklstring(L, 1, &n);
    lua_Integer max = luaL_checkinteger(L, 2);
    luaL_argcheck(L, max > 0 && max <= 1 << 30, 2, "1 to 1 GiB");
    adtL_newclass(L, "adt.data.buffer", meta, NULL);
    struct adt_buf *b = adtL_newhandle(L, sizeof *b, "adt.data.buffer", 0);
    lua_toclose(L, -1);
    adt_buf_init(b, (size_t)max);
    if (adt_gunzip(p, n, b, &err) < 0)
        return adtL_fail(L, &err);
    lua_pushlstring(L, b->p, b->len);
    return 1;
}

int luaopen_adt_c_data(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"read", data_read}, {"names", data_names}, {"gunzip", data_gunzip}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
