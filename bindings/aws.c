/* aws.c - adt.c.aws: Signature Version 4 */
#include "adtL.h"
#include "aws/sigv4.h"
#include "modules.h"
#include "signrequest.h"
#include "upload.h"

#include <string.h>

#define SIGNER "adt.aws.signer"
#define STREAM "adt.aws.stream"

struct lsigner {
    struct adt_sigv4 *s; /* NULL: closed */
};

struct lstream {
    struct adt_sigv4_stream *st; /* NULL: closed */
    struct adt_buf out;
    struct adt_sigv4_trailer trailers[ADT_SIGV4_TRAILERS];
    size_t trailer_count;
};

static char signer_key; /* registry: the state's signer */

static int signer_close(lua_State *L)
{
    struct lsigner *u = luaL_checkudata(L, 1, SIGNER);
    adt_sigv4_free(u->s);
    u->s = NULL;
    return 0;
}

/* The state's signer, made at the first signature; raises when there is none. It is pushed. */
static struct adt_sigv4 *push_signer(lua_State *L)
{
    struct adt_error err;
    struct lsigner *u;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &signer_key) == LUA_TUSERDATA) {
        u = lua_touserdata(L, -1);
        if (u->s)
            return u->s;
    }
    lua_pop(L, 1);
    u = adtL_newhandle(L, sizeof *u, SIGNER, 0);
    if (!(u->s = adt_sigv4_new(&err)))
        adtL_raise(L, &err);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &signer_key);
    return u->s;
}

/* --- signing ------------------------------------------------------------------------------------------------------ */

static void push_header(lua_State *L, const char *name, const char *value)
{
    lua_createtable(L, 0, 2);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, value);
    lua_setfield(L, -2, "value");
}

static int push_headers(lua_State *L, const struct lrequest *q, const struct adt_sigv4_signed *out)
{
    lua_Integer n = 0;
    lua_createtable(L, (int)out->count + 1, 0);
    if (q->own_host) {
        push_header(L, "Host", q->url.host);
        lua_rawseti(L, -2, ++n);
    }
    for (size_t i = 0; i < out->count; i++) {
        push_header(L, out->headers[i].name, out->headers[i].value);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* headers(options) -> list of { name, value }; empty for anonymous requests */
static int aws_headers(lua_State *L)
{
    struct lrequest q;
    struct adt_sigv4_signed out;
    struct adt_error err;
    adtL_readrequest(L, &q, ADTL_SIGN);
    if (q.anonymous) {
        lua_newtable(L);
        return 1;
    }
    struct adt_sigv4 *s = push_signer(L);
    if (adt_sigv4_sign_headers(s, &q.r, &q.cred, &out, &err) < 0)
        return adtL_fail(L, &err);
    return push_headers(L, &q, &out);
}

/* presign(options) -> url */
static int aws_presign(lua_State *L)
{
    struct lrequest q;
    const char *query;
    struct adt_error err;
    adtL_readrequest(L, &q, ADTL_PRESIGN);
    if (q.anonymous) {
        lua_pushstring(L, q.text);
        return 1;
    }
    struct adt_sigv4 *s = push_signer(L);
    lua_Integer expires = adtL_optinteger(L, ADTL_OPTIONS, "expires", 3600);
    if (adt_sigv4_presign(s, &q.r, &q.cred, expires, &query, &err) < 0)
        return adtL_fail(L, &err);
    lua_pushlstring(L, q.text, (size_t)(q.url.path - q.text) + q.url.path_n);
    lua_pushfstring(L, "%s%s?%s", lua_tostring(L, -1), q.url.path_n ? "" : "/", query);
    return 1;
}

/* explain() -> canonical request, string to sign; of the last signature */
static int aws_explain(lua_State *L)
{
    const struct adt_sigv4 *s = push_signer(L);
    lua_pushstring(L, adt_sigv4_canonical_request(s));
    lua_pushstring(L, adt_sigv4_string_to_sign(s));
    return 2;
}

/* forget(access_key?): wipes derived keys */
static int aws_forget(lua_State *L)
{
    const char *access_key = luaL_optstring(L, 1, NULL);
    adt_sigv4_forget(push_signer(L), access_key);
    return 0;
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static int stream_close(lua_State *L)
{
    struct lstream *u = luaL_checkudata(L, 1, STREAM);
    adt_sigv4_stream_free(u->st);
    adt_buf_free(&u->out);
    u->st = NULL;
    return 0;
}

static struct lstream *check_stream(lua_State *L)
{
    struct lstream *u = luaL_checkudata(L, 1, STREAM);
    luaL_argcheck(L, u->st, 1, "the stream has ended");
    return u;
}

struct adt_sigv4_stream *adtL_takestream(lua_State *L, int arg)
{
    struct lstream *u = luaL_checkudata(L, arg, STREAM);
    luaL_argcheck(L, u->st, arg, "the stream has ended");
    struct adt_sigv4_stream *st = u->st;
    u->st = NULL;
    return st;
}

/* trailers = { { name, length of its value } ... } */
static void read_trailers(lua_State *L, struct lstream *u)
{
    if (lua_getfield(L, ADTL_OPTIONS, "trailers") == LUA_TTABLE) {
        size_t n = lua_rawlen(L, -1);
        if (n > ADT_SIGV4_TRAILERS)
            luaL_error(L, "a body has at most %d trailers", ADT_SIGV4_TRAILERS);
        for (size_t i = 0; i < n; i++) {
            lua_rawgeti(L, -1, (lua_Integer)i + 1);
            luaL_argexpected(L, lua_istable(L, -1), ADTL_OPTIONS, "trailers as { name, length }");
            lua_rawgeti(L, -1, 1);
            lua_rawgeti(L, -2, 2);
            u->trailers[i].name = luaL_checkstring(L, -2);
            u->trailers[i].value_n = (size_t)luaL_checkinteger(L, -1);
            lua_pop(L, 3);
        }
        u->trailer_count = n;
    }
    lua_pop(L, 1);
}

/* stream(options) -> stream, headers */
static int aws_stream(lua_State *L)
{
    struct lrequest q;
    struct adt_sigv4_signed out;
    struct adt_error err;
    adtL_readrequest(L, &q, ADTL_STREAMED);
    if (q.anonymous)
        return luaL_error(L, "a body in pieces is signed, so it needs credentials");
    struct adt_sigv4 *s = push_signer(L);
    struct lstream *u = adtL_newhandle(L, sizeof *u, STREAM, 0);
    read_trailers(L, u);
    lua_Integer length = adtL_optinteger(L, ADTL_OPTIONS, "length", -1);
    lua_Integer chunk = adtL_optinteger(L, ADTL_OPTIONS, "chunk", 0);
    if (length < 0 || chunk < 0)
        return luaL_error(L, "option '%s' must be a number of bytes", length < 0 ? "length" : "chunk");
    struct adt_sigv4_stream_options opt = {.length = (uint64_t)length,
                                           .chunk = (size_t)chunk,
                                           .unsigned_chunks = q.r.payload != NULL,
                                           .open_length = !adtL_optboolean(L, ADTL_OPTIONS, "content_length", true),
                                           .trailers = u->trailers,
                                           .trailer_count = u->trailer_count};
    /* What one call adds is its own bytes and what was kept of earlier ones, framed. */
    adt_buf_init(&u->out, (size_t)1 << 31);
    if (!(u->st = adt_sigv4_stream_new(s, &q.r, &q.cred, &opt, &out, &err)))
        return adtL_fail(L, &err);
    push_headers(L, &q, &out);
    return 2;
}

static int push_out(lua_State *L, struct lstream *u)
{
    lua_pushlstring(L, u->out.p ? u->out.p : "", u->out.len);
    u->out.len = 0;
    return 1;
}

/* chunk(bytes) -> bytes to be sent, perhaps none yet */
static int stream_chunk(lua_State *L)
{
    struct lstream *u = check_stream(L);
    struct adt_error err;
    size_t n;
    const char *p = luaL_checklstring(L, 2, &n);
    luaL_argcheck(L, n <= 1 << 30, 2, "at most 1 GiB");
    if (adt_sigv4_stream_add(u->st, p, n, &u->out, &err) < 0)
        return adtL_fail(L, &err);
    return push_out(L, u);
}

/* finish(values...) -> bytes to be sent; values of the trailers in their order */
static int stream_finish(lua_State *L)
{
    struct lstream *u = check_stream(L);
    struct adt_error err;
    const char *values[ADT_SIGV4_TRAILERS];
    for (size_t i = 0; i < u->trailer_count; i++)
        values[i] = adtL_checktext(L, (int)i + 2, NULL);
    if (adt_sigv4_stream_end(u->st, values, &u->out, &err) < 0)
        return adtL_fail(L, &err);
    push_out(L, u);
    adt_sigv4_stream_free(u->st);
    u->st = NULL;
    adt_buf_free(&u->out);
    return 1;
}

/* length() -> bytes of the whole encoded body */
static int stream_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)adt_sigv4_stream_length(check_stream(L)->st));
    return 1;
}

int luaopen_adt_c_aws(lua_State *L)
{
    static const luaL_Reg signer_meta[] = {{"__gc", signer_close}, {"__close", signer_close}, {NULL, NULL}};
    static const luaL_Reg stream_meta[] = {{"__gc", stream_close}, {"__close", stream_close}, {NULL, NULL}};
    static const luaL_Reg stream_methods[] = {{"chunk", stream_chunk},
                                              {"finish", stream_finish},
                                              {"length", stream_length},
                                              {"close", stream_close},
                                              {NULL, NULL}};
    static const luaL_Reg functions[] = {{"headers", aws_headers}, {"presign", aws_presign}, {"explain", aws_explain},
                                         {"forget", aws_forget},   {"stream", aws_stream},   {NULL, NULL}};
    adtL_newclass(L, SIGNER, signer_meta, NULL);
    adtL_newclass(L, STREAM, stream_meta, stream_methods);
    luaL_newlibtable(L, functions);
    adtL_pushoptions(L);
    luaL_setfuncs(L, functions, 1);
    return 1;
}
