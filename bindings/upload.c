/* upload.c - adt.c.upload: a file in the form in which S3 wants it, for the body of adt.c.http */
#include "upload.h"

#include "adtL.h"
#include "file.h"
#include "hash.h"
#include "modules.h"

struct lupload *adtL_checkupload(lua_State *L, int arg)
{
    struct lupload *u = luaL_checkudata(L, arg, ADTL_UPLOAD);
    luaL_argcheck(L, u->up, arg, "the upload is closed");
    return u;
}

/* new(file, size, stream, hash|nil) -> upload; the stream is its from then on */
static int upload_new(lua_State *L)
{
    struct adt_error err;
    int fd = adtL_tofd(L, 1);
    lua_Integer size = luaL_checkinteger(L, 2);
    int hash = lua_isnoneornil(L, 4) ? -1 : (int)adtL_checkhash(L, 4);
    luaL_argcheck(L, fd >= 0, 1, "an open file is needed");
    luaL_argcheck(L, size >= 0, 2, "a number of bytes is needed");
    if (hash >= 0 && adt_digest_ready((enum adt_hash)hash, &err) < 0)
        return adtL_fail(L, &err);
    struct lupload *u = adtL_newhandle(L, sizeof *u, ADTL_UPLOAD, 0);
    u->up = adt_upload_new(fd, (uint64_t)size, adtL_takestream(L, 3), hash, &err);
    return u->up ? 1 : adtL_fail(L, &err);
}

/* length() -> bytes of the whole encoded body */
static int upload_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)adt_upload_length(adtL_checkupload(L, 1)->up));
    return 1;
}

static int upload_close(lua_State *L)
{
    struct lupload *u = luaL_checkudata(L, 1, ADTL_UPLOAD);
    adt_upload_free(u->up);
    u->up = NULL;
    return 0;
}

int luaopen_adt_c_upload(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", upload_close}, {"__close", upload_close}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"length", upload_length}, {"close", upload_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", upload_new}, {NULL, NULL}};
    adtL_newclass(L, ADTL_UPLOAD, meta, methods);
    luaL_newlib(L, functions);
    lua_pushinteger(L, ADT_UPLOAD_PIECE);
    lua_setfield(L, -2, "PIECE");
    return 1;
}
