/* http.c - adt.c.http: a request as a handle whose head, bytes and end can be waited for */
#include "net/http.h"

#include "adtL.h"
#include "file.h"
#include "hash.h"
#include "modules.h"
#include "upload.h"

#include <string.h>
#include <strings.h>

#define CLIENT "adt.http.client"
#define TRANSFER "adt.http"

struct lclient {
    struct adt_http *h; /* NULL: closed */
};

enum { TALLIES = 8, HEADER_N = 40 };

/* Counts in the body if the response has the header; "": in any case. */
struct tally {
    char header[HEADER_N];
    struct ltally *tally;
};

struct ltransfer {
    struct adt_transfer *t; /* NULL: closed */
    struct tally tallies[TALLIES];
    size_t count;
    bool chosen;
    struct ltally *tally; /* the first that counts, once [chosen] */
};

enum { UV_CLIENT = 1, UV_BODY, UV_SINK, UV_TALLIES, UV_COUNT = 4 };

static char client_key; /* registry: the engine's client */

/* --- the client --------------------------------------------------------------------------------------------------- */

static int client_close(lua_State *L)
{
    struct lclient *c = luaL_checkudata(L, 1, CLIENT);
    adt_http_free(c->h);
    c->h = NULL;
    return 0;
}

/* Pushes the engine's client, made at the first request; NULL with [err] filled, and nothing pushed. */
static struct adt_http *push_client(lua_State *L, struct adt_error *err)
{
    struct lclient *c;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &client_key) == LUA_TUSERDATA) {
        c = lua_touserdata(L, -1);
        if (!c->h)
            adt_error_set(err, ADT_USAGE, "Closed", "the engine is being closed");
    } else {
        lua_pop(L, 1);
        struct adt_loop *loop = adtL_loop(L);
        c = adtL_newhandle(L, sizeof *c, CLIENT, 0);
        if ((c->h = adt_http_new(loop, err))) {
            lua_pushvalue(L, -1);
            lua_rawsetp(L, LUA_REGISTRYINDEX, &client_key);
        }
    }
    if (!c->h)
        lua_pop(L, 1);
    return c->h;
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

static void read_strings(lua_State *L, struct adt_http_request *r)
{
    r->url = adtL_optstring(L, 1, "url", "");
    r->method = adtL_optstring(L, 1, "method", "GET");
    r->unix_socket = adtL_optstring(L, 1, "unix", NULL);
    r->proxy = adtL_optstring(L, 1, "proxy", NULL);
    r->ca_file = adtL_optstring(L, 1, "ca", NULL);
    r->agent = "adtlua/" ADT_VERSION;
    const char *version = adtL_optstring(L, 1, "http", NULL);
    if (version && strcmp(version, "1.1") != 0 && strcmp(version, "2") != 0)
        luaL_error(L, "option 'http' must be \"1.1\" or \"2\"");
    r->version = !version ? ADT_HTTP_ANY : *version == '2' ? ADT_HTTP_2 : ADT_HTTP_1_1;
}

static double read_limit(lua_State *L, const char *name)
{
    double v = adtL_optnumber(L, 1, name, 0);
    if (!(v >= 0))
        luaL_error(L, "option '%s' must be a number of seconds", name);
    return v;
}

static void read_headers(lua_State *L, struct adt_http_request *r)
{
    if (lua_getfield(L, 1, "headers") == LUA_TNIL)
        return;
    luaL_checktype(L, -1, LUA_TTABLE);
    int list = lua_gettop(L);
    size_t n = (size_t)luaL_len(L, list);
    const char **lines = adtL_scratch(L, (n + 1) * sizeof *lines);
    luaL_checkstack(L, (int)n, "headers");
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        lines[i] = adtL_checktext(L, -1, NULL); /* stays on the stack */
    }
    lines[n] = NULL;
    r->headers = lines;
}

static ssize_t read_upload(void *arg, char *p, size_t n, struct adt_error *err)
{
    struct lupload *u = arg;
    if (u->up)
        return adt_upload_read(u->up, p, n, err);
    return adt_error_set(err, ADT_USAGE, "Closed", "the upload was closed while it was being sent");
}

static bool has_header(const struct adt_http_response *r, const char *name)
{
    size_t n = strlen(name);
    const char *p = r->head, *end = p + r->head_n;
    while (p && p < end) {
        if ((size_t)(end - p) > n && p[n] == ':' && !strncasecmp(p, name, n))
            return true;
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    return n == 0;
}

static int add_to_tally(void *arg, const void *p, size_t n)
{
    struct ltransfer *u = arg;
    if (!u->chosen) {
        struct adt_http_response r;
        adt_transfer_response(u->t, &r);
        for (size_t i = 0; i < u->count && !u->tally; i++)
            u->tally = has_header(&r, u->tallies[i].header) ? u->tallies[i].tally : NULL;
        u->chosen = true;
    }
    if (!u->tally)
        return 0;
    return u->tally->d ? adt_digest_add(u->tally->d, p, n) : -1;
}

/* Leaves the body on the stack: a string, a file, an upload, true (it is pushed) or nil. */
static void read_body(lua_State *L, struct adt_http_request *r)
{
    size_t n;
    int kind = lua_getfield(L, 1, "body");
    r->size = -1;
    if (kind == LUA_TSTRING) {
        r->source = ADT_HTTP_MEMORY;
        r->body = lua_tolstring(L, -1, &n);
        r->size = (int64_t)n;
    } else if (kind == LUA_TBOOLEAN) {
        r->source = ADT_HTTP_PUSHED;
        r->size = adtL_optinteger(L, 1, "size", -1);
    } else if (luaL_testudata(L, -1, ADTL_UPLOAD)) {
        struct lupload *u = adtL_checkupload(L, -1);
        r->source = ADT_HTTP_CALLED;
        r->size = (int64_t)adt_upload_length(u->up);
        r->read = read_upload;
        r->read_arg = u;
    } else if (kind != LUA_TNIL) {
        r->source = ADT_HTTP_FROM_FILE;
        r->body_fd = adtL_tofd(L, -1);
        r->size = adtL_optinteger(L, 1, "size", -1);
        if (r->body_fd < 0 || r->size < 0)
            luaL_error(L, "option 'body' must be a string, true, an upload, or an open file and 'size'");
    }
}

/* Leaves the sink on the stack: a file, true (it is pulled) or nil. */
static void read_sink(lua_State *L, struct adt_http_request *r)
{
    int kind = lua_getfield(L, 1, "to");
    if (kind == LUA_TBOOLEAN) {
        r->sink = ADT_HTTP_PULLED;
    } else if (kind != LUA_TNIL) {
        r->sink = ADT_HTTP_TO_FILE;
        if ((r->sink_fd = adtL_tofd(L, -1)) < 0)
            luaL_error(L, "option 'to' must be true or an open file");
    }
}

/* Leaves a list of { header, tally }, which keeps the tallies alive, or nil on the stack. */
static size_t read_tallies(lua_State *L, const struct adt_http_request *r, struct tally *out)
{
    if (lua_getfield(L, 1, "tallies") == LUA_TNIL)
        return 0;
    luaL_checktype(L, -1, LUA_TTABLE);
    size_t count = lua_rawlen(L, -1);
    if (r->sink != ADT_HTTP_TO_FILE || count > TALLIES)
        luaL_error(L, "option 'tallies' is for a body that goes to a file, and has at most %d", TALLIES);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        size_t n;
        const char *header = adtL_checktext(L, -2, &n);
        if (n >= HEADER_N)
            luaL_error(L, "option 'tallies' has a header that is too long");
        memcpy(out[i].header, header, n + 1);
        out[i].tally = adtL_checktally(L, -1);
        lua_pop(L, 3);
    }
    return count;
}

/* start{ url, method, headers = { "Name: value" }, body = string|file|upload|true, size, to = file|true,
 * tallies = { { header, tally } }, max_body, unix, proxy, ca, insecure, compressed, idempotent, http, connect, first,
 * idle, total } -> handle */
static int http_start(lua_State *L)
{
    static const char *const known[] = {"url",      "method",     "headers",    "body",  "size",    "to",    "max_body",
                                        "unix",     "proxy",      "ca",         "http",  "connect", "first", "idle",
                                        "insecure", "compressed", "idempotent", "total", "tallies", NULL};
    struct adt_http_request r = {0};
    struct adt_error err;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_checkstack(L, 20, "a request");
    adtL_checkfields(L, 1, "http", known);
    read_strings(L, &r);
    read_headers(L, &r);
    lua_Integer most = adtL_optinteger(L, 1, "max_body", 0);
    r.max_body = most > 0 ? (uint64_t)most : 0;
    r.insecure = adtL_optboolean(L, 1, "insecure", false);
    r.compressed = adtL_optboolean(L, 1, "compressed", false);
    r.idempotent = adtL_optboolean(L, 1, "idempotent", false);
    r.connect = read_limit(L, "connect");
    r.first = read_limit(L, "first");
    r.idle = read_limit(L, "idle");
    r.total = read_limit(L, "total");
    read_body(L, &r);
    read_sink(L, &r);
    struct tally tallies[TALLIES];
    size_t count = read_tallies(L, &r, tallies);
    int list = lua_gettop(L), sink = list - 1, body = list - 2;
    struct adt_http *h = push_client(L, &err);
    if (!h)
        return adtL_fail(L, &err);
    struct ltransfer *u = adtL_newhandle(L, sizeof *u, TRANSFER, UV_COUNT);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, UV_CLIENT);
    lua_pushvalue(L, body);
    lua_setiuservalue(L, -2, UV_BODY);
    lua_pushvalue(L, sink);
    lua_setiuservalue(L, -2, UV_SINK);
    lua_pushvalue(L, list);
    lua_setiuservalue(L, -2, UV_TALLIES);
    if ((u->count = count)) {
        memcpy(u->tallies, tallies, count * sizeof *tallies);
        r.written = add_to_tally;
        r.written_arg = u;
    }
    u->t = adt_http_start(h, &r, &err);
    return u->t ? 1 : adtL_fail(L, &err);
}

/* --- the handle --------------------------------------------------------------------------------------------------- */

static struct adt_transfer *check_transfer(lua_State *L)
{
    struct ltransfer *u = luaL_checkudata(L, 1, TRANSFER);
    luaL_argcheck(L, u->t, 1, "the request is closed");
    return u->t;
}

/* What there is to do first: bytes in either direction, then what was waited for. */
static int push_event(lua_State *L, const struct adt_transfer *t, int until)
{
    int is = adt_transfer_ready(t, ~0);
    if (is & ADT_TRANSFER_SEND)
        lua_pushliteral(L, "send");
    else if ((is & ADT_TRANSFER_BODY) && until == ADT_TRANSFER_END)
        lua_pushliteral(L, "body");
    else if ((is & ADT_TRANSFER_HEAD) && until == ADT_TRANSFER_HEAD)
        lua_pushliteral(L, "head");
    else if (!(is & ADT_TRANSFER_END))
        return 0;
    else if (adt_transfer_error(t)->cause)
        return adtL_fail(L, adt_transfer_error(t));
    else
        lua_pushliteral(L, "end");
    return 1;
}

/* The stack: handle, what was waited for as bits. */
static int finish_wait(lua_State *L, struct lop *o)
{
    const struct ltransfer *u = lua_touserdata(L, 1);
    if (o->op->err.cause)
        return adtL_fail(L, &o->op->err);
    if (!u->t)
        return luaL_error(L, "the request was closed while it was waited for");
    int n = push_event(L, u->t, (int)lua_tointeger(L, 2));
    return n ? n : luaL_error(L, "two tasks work on one request at the same time");
}

/* t:wait("head"|"end") -> "send": bytes of the body are wanted | "body" (before the end only) | "head" | "end" */
static int transfer_wait(lua_State *L)
{
    static const char *const names[] = {"head", "end", NULL};
    struct adt_transfer *t = check_transfer(L);
    struct adt_error err;
    int until = luaL_checkoption(L, 2, "end", names) ? ADT_TRANSFER_END : ADT_TRANSFER_HEAD;
    lua_settop(L, 1);
    lua_pushinteger(L, until);
    int n = push_event(L, t, until);
    if (n)
        return n;
    adtL_checkwait(L, "http");
    int what =
        until == ADT_TRANSFER_END ? ADT_TRANSFER_SEND | ADT_TRANSFER_BODY : ADT_TRANSFER_SEND | ADT_TRANSFER_HEAD;
    struct lop *o = adtL_newop(L, 1);
    if (!(o->op = adt_transfer_wait(t, what, &err)))
        return adtL_fail(L, &err);
    return adtL_park(L, o, finish_wait);
}

/* t:send(bytes) -> true: the next bytes of the body; none or "": that was all */
static int transfer_send(lua_State *L)
{
    struct adt_transfer *t = check_transfer(L);
    struct adt_error err;
    size_t n;
    const char *p = luaL_optlstring(L, 2, "", &n);
    if (adt_transfer_send(t, p, n, &err) < 0)
        return adtL_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* t:take() -> the bytes of the body that are there; they are its no more */
static int transfer_take(lua_State *L)
{
    struct adt_transfer *t = check_transfer(L);
    size_t n;
    const char *p = adt_transfer_body(t, &n);
    lua_pushlstring(L, p, n);
    adt_transfer_drop(t);
    return 1;
}

static bool blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\r';
}

/* Adds one line to the list on top. A continuation line belongs to the header before. */
static void push_header(lua_State *L, const char *p, size_t n)
{
    lua_Integer count = luaL_len(L, -1);
    const char *colon = memchr(p, ':', n);
    bool more = n > 0 && blank(*p);
    if (more ? count == 0 : !colon)
        return;
    size_t name = more ? 0 : (size_t)(colon - p), from = more ? 0 : name + 1;
    while (from < n && blank(p[from]))
        from++;
    while (n > from && blank(p[n - 1]))
        n--;
    if (more) {
        lua_rawgeti(L, -1, count);
        lua_getfield(L, -1, "value");
        lua_pushliteral(L, " ");
        lua_pushlstring(L, p + from, n - from);
        lua_concat(L, 3);
    } else {
        lua_createtable(L, 0, 2);
        lua_pushlstring(L, p, name);
        lua_setfield(L, -2, "name");
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, count + 1);
        lua_pushlstring(L, p + from, n - from);
    }
    lua_setfield(L, -2, "value");
    lua_pop(L, 1);
}

/* One { name =, value = } for each header, in order. */
static void push_headers(lua_State *L, const char *p, size_t n)
{
    lua_newtable(L);
    while (n > 0) {
        const char *end = memchr(p, '\n', n);
        size_t line = end ? (size_t)(end - p) : n;
        push_header(L, p, line);
        line += end != NULL;
        p += line;
        n -= line;
    }
}

static void set_number(lua_State *L, const char *name, double v)
{
    lua_pushnumber(L, v);
    lua_setfield(L, -2, name);
}

/* t:response() -> { status, reason, headers, version, address, reused, received, sent, timing } */
static int transfer_response(lua_State *L)
{
    struct adt_http_response r;
    adt_transfer_response(check_transfer(L), &r);
    lua_createtable(L, 0, 10);
    lua_pushinteger(L, r.status);
    lua_setfield(L, -2, "status");
    lua_pushstring(L, r.reason);
    lua_setfield(L, -2, "reason");
    push_headers(L, r.head, r.head_n);
    lua_setfield(L, -2, "headers");
    lua_pushstring(L, r.version);
    lua_setfield(L, -2, "version");
    lua_pushstring(L, r.address);
    lua_setfield(L, -2, "address");
    lua_pushboolean(L, r.reused);
    lua_setfield(L, -2, "reused");
    lua_pushinteger(L, (lua_Integer)r.received);
    lua_setfield(L, -2, "received");
    lua_pushinteger(L, (lua_Integer)r.sent);
    lua_setfield(L, -2, "sent");
    lua_createtable(L, 0, 5);
    set_number(L, "dns", r.dns);
    set_number(L, "connect", r.connected);
    set_number(L, "tls", r.tls);
    set_number(L, "first", r.first);
    set_number(L, "total", r.total);
    lua_setfield(L, -2, "timing");
    return 1;
}

static int transfer_close(lua_State *L)
{
    struct ltransfer *u = luaL_checkudata(L, 1, TRANSFER);
    adt_transfer_free(u->t);
    u->t = NULL;
    return 0;
}

static int transfer_tostring(lua_State *L)
{
    const struct ltransfer *u = luaL_checkudata(L, 1, TRANSFER);
    lua_pushfstring(L, u->t ? "http request: %p" : "http request: closed", (void *)u->t);
    return 1;
}

/* --- URLs --------------------------------------------------------------------------------------------------------- */

static int url_close(lua_State *L)
{
    adt_http_url_free(lua_touserdata(L, 1));
    return 0;
}

/* url(text, base) -> { url, scheme, host, port, where }: absolute; where is fit for messages */
static int http_url(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", url_close}, {"__close", url_close}, {NULL, NULL}};
    struct adt_error err;
    const char *text = adtL_checktext(L, 1, NULL);
    const char *base = lua_isnoneornil(L, 2) ? NULL : adtL_checktext(L, 2, NULL);
    adtL_newclass(L, "adt.http.url", meta, NULL);
    struct adt_http_url *u = adtL_newhandle(L, sizeof *u, "adt.http.url", 0);
    lua_toclose(L, -1);
    if (adt_http_url_parse(text, base, u, &err) < 0)
        return adtL_fail(L, &err);
    const char *const fields[][2] = {
        {"url", u->url}, {"scheme", u->scheme}, {"host", u->host}, {"port", u->port}, {"where", u->where}};
    lua_createtable(L, 0, 5);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        lua_pushstring(L, fields[i][1]);
        lua_setfield(L, -2, fields[i][0]);
    }
    return 1;
}

int luaopen_adt_c_http(lua_State *L)
{
    static const luaL_Reg client_meta[] = {{"__gc", client_close}, {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__gc", transfer_close}, {"__close", transfer_close}, {"__tostring", transfer_tostring}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"wait", transfer_wait},         {"send", transfer_send},
                                       {"take", transfer_take},         {"close", transfer_close},
                                       {"response", transfer_response}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"start", http_start}, {"url", http_url}, {NULL, NULL}};
    adtL_newclass(L, CLIENT, client_meta, NULL);
    adtL_newclass(L, TRANSFER, meta, methods);
    luaL_newlib(L, functions);
    return 1;
}
