/* aws.c - adt.c.aws: Signature Version 4 */
#include "adtL.h"
#include "aws/sigv4.h"
#include "base/clock.h"
#include "modules.h"
#include "upload.h"

#include <math.h>
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

/* --- what is to be signed ----------------------------------------------------------------------------------------- */

enum { OPTIONS = 1 };

struct request {
    struct adt_sigv4_request r;
    struct adt_sigv4_credentials cred;
    struct adt_sigv4_url url;
    struct adt_sigv4_header headers[ADT_SIGV4_HEADERS];
    size_t count;
    bool own_host; /* the Host header is of ours */
};

static const char *text_at(lua_State *L, int idx, const char *name)
{
    size_t n;
    if (lua_type(L, idx) != LUA_TSTRING)
        luaL_error(L, "header '%s' must be a string or a list of strings, not a %s", name, luaL_typename(L, idx));
    const char *text = lua_tolstring(L, idx, &n);
    if (strlen(text) != n)
        luaL_error(L, "header '%s' holds a NUL byte", name);
    return text;
}

static void add_header(lua_State *L, struct request *q, const char *name, const char *value)
{
    if (q->count == ADT_SIGV4_HEADERS)
        luaL_error(L, "a request has at most %d headers", ADT_SIGV4_HEADERS);
    q->headers[q->count++] = (struct adt_sigv4_header){name, value};
}

/* The strings stay alive in the caller's tables. */
static void read_headers(lua_State *L, struct request *q)
{
    int t = lua_getfield(L, OPTIONS, "headers");
    if (t == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    luaL_argexpected(L, t == LUA_TTABLE, OPTIONS, "headers in a table");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "headers maps names to values");
        const char *name = text_at(L, -2, "?");
        if (lua_type(L, -1) != LUA_TTABLE) {
            add_header(L, q, name, text_at(L, -1, name));
        } else {
            size_t n = lua_rawlen(L, -1);
            for (size_t i = 1; i <= n; i++) {
                lua_rawgeti(L, -1, (lua_Integer)i);
                add_header(L, q, name, text_at(L, -1, name));
                lua_pop(L, 1);
            }
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static int64_t seconds(lua_State *L, const char *field, double otherwise)
{
    double v = floor(adtL_optnumber(L, OPTIONS, field, otherwise));
    if (!(v > -1e12 && v < 1e12))
        luaL_error(L, "option '%s' must be a number of seconds", field);
    return (int64_t)v;
}

static void read_url(lua_State *L, struct request *q)
{
    struct adt_error err;
    if (adt_sigv4_url_split(adtL_optstring(L, OPTIONS, "url", ""), &q->url, &err) < 0)
        adtL_raise(L, &err);
    q->r.path = lua_pushlstring(L, q->url.path, q->url.path_n);
    q->r.query = q->url.query;
}

static bool has_host(const struct request *q)
{
    for (size_t i = 0; i < q->count; i++) {
        const char *n = q->headers[i].name;
        if ((n[0] | 0x20) == 'h' && (n[1] | 0x20) == 'o' && (n[2] | 0x20) == 's' && (n[3] | 0x20) == 't' && !n[4])
            return true;
    }
    return false;
}

static void read_credentials(lua_State *L, struct request *q)
{
    if (lua_getfield(L, OPTIONS, "credentials") != LUA_TTABLE)
        luaL_error(L, "option 'credentials' must be a table");
    int idx = lua_gettop(L);
    q->cred.access_key = adtL_optstring(L, idx, "access_key", NULL);
    q->cred.secret = adtL_optstring(L, idx, "secret", NULL);
    q->cred.session_token = adtL_optstring(L, idx, "token", NULL);
}

/* What [q] points to are strings on the stack and in the caller's tables. */
static void read_request(lua_State *L, struct request *q)
{
    size_t n = 0;
    luaL_checkstack(L, 24, "request");
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    memset(&q->r, 0, sizeof q->r);
    q->count = 0;
    read_headers(L, q);
    read_url(L, q);
    q->own_host = !has_host(q);
    if (q->own_host)
        add_header(L, q, "Host", q->url.host);
    q->r.headers = q->headers;
    q->r.header_count = q->count;
    q->r.method = adtL_optstring(L, OPTIONS, "method", "GET");
    q->r.service = adtL_optstring(L, OPTIONS, "service", NULL);
    q->r.region = adtL_optstring(L, OPTIONS, "region", NULL);
    q->r.payload = adtL_optstring(L, OPTIONS, "payload", NULL);
    if (q->r.payload && strcmp(q->r.payload, "unsigned") == 0)
        q->r.payload = ADT_SIGV4_UNSIGNED;
    if (lua_getfield(L, OPTIONS, "body") == LUA_TSTRING)
        q->r.body = lua_tolstring(L, -1, &n);
    else if (!lua_isnil(L, -1))
        luaL_error(L, "option 'body' must be a string, not a %s", luaL_typename(L, -1));
    q->r.body_n = n;
    q->r.time = seconds(L, "time", adt_wall());
    q->r.clock_offset = seconds(L, "clock_offset", 0);
    q->r.s3 = adtL_optboolean(L, OPTIONS, "s3", q->r.service && strncmp(q->r.service, "s3", 2) == 0);
    q->r.keep_path = !adtL_optboolean(L, OPTIONS, "normalize", true);
    q->r.content_sha256 = adtL_optboolean(L, OPTIONS, "content_sha256", false);
    q->r.token_after = adtL_optboolean(L, OPTIONS, "token_after", false);
    read_credentials(L, q);
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

static int push_headers(lua_State *L, const struct request *q, const struct adt_sigv4_signed *out)
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

/* headers(options) -> list of { name, value } */
static int aws_headers(lua_State *L)
{
    struct request q;
    struct adt_sigv4_signed out;
    struct adt_error err;
    struct adt_sigv4 *s = push_signer(L);
    read_request(L, &q);
    if (adt_sigv4_sign_headers(s, &q.r, &q.cred, &out, &err) < 0)
        return adtL_fail(L, &err);
    return push_headers(L, &q, &out);
}

/* presign(options) -> url */
static int aws_presign(lua_State *L)
{
    struct request q;
    const char *query;
    struct adt_error err;
    struct adt_sigv4 *s = push_signer(L);
    read_request(L, &q);
    lua_Integer expires = adtL_optinteger(L, OPTIONS, "expires", 3600);
    if (adt_sigv4_presign(s, &q.r, &q.cred, expires, &query, &err) < 0)
        return adtL_fail(L, &err);
    lua_getfield(L, OPTIONS, "url");
    const char *url = lua_tostring(L, -1);
    lua_pushlstring(L, url, (size_t)(q.url.path - url) + q.url.path_n);
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
    if (lua_getfield(L, OPTIONS, "trailers") == LUA_TTABLE) {
        size_t n = lua_rawlen(L, -1);
        if (n > ADT_SIGV4_TRAILERS)
            luaL_error(L, "a body has at most %d trailers", ADT_SIGV4_TRAILERS);
        for (size_t i = 0; i < n; i++) {
            lua_rawgeti(L, -1, (lua_Integer)i + 1);
            luaL_argexpected(L, lua_istable(L, -1), OPTIONS, "trailers as { name, length }");
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
    struct request q;
    struct adt_sigv4_signed out;
    struct adt_error err;
    struct adt_sigv4 *s = push_signer(L);
    read_request(L, &q);
    struct lstream *u = adtL_newhandle(L, sizeof *u, STREAM, 0);
    read_trailers(L, u);
    lua_Integer length = adtL_optinteger(L, OPTIONS, "length", -1);
    lua_Integer chunk = adtL_optinteger(L, OPTIONS, "chunk", 0);
    if (length < 0 || chunk < 0)
        return luaL_error(L, "option '%s' must be a number of bytes", length < 0 ? "length" : "chunk");
    struct adt_sigv4_stream_options opt = {.length = (uint64_t)length,
                                           .chunk = (size_t)chunk,
                                           .unsigned_chunks = q.r.payload != NULL,
                                           .open_length = !adtL_optboolean(L, OPTIONS, "content_length", true),
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
    luaL_newlib(L, functions);
    return 1;
}
