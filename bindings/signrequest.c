/* signrequest.c - what adt.c.aws is asked to sign, read from a table of options
 *
 * In one walk over the table, since signing is asked for often. */
#include "signrequest.h"

#include "adtL.h"
#include "base/clock.h"

#include <math.h>
#include <string.h>

/* The second slot: a table for strings that are in none of the caller's; nil: none yet. */
enum { OPTIONS = ADTL_OPTIONS, ANCHORS };

enum { SIGN = ADTL_SIGN, PRESIGN = ADTL_PRESIGN, STREAMED = ADTL_STREAMED, ALL = SIGN | PRESIGN | STREAMED };
enum { SECRETS = 8 /* one of the credentials */ };

enum option {
    URL,
    METHOD,
    HEADERS,
    BODY,
    PAYLOAD,
    SERVICE,
    REGION,
    CREDENTIALS,
    TIME,
    CLOCK_OFFSET,
    S3,
    NORMALIZE,
    CONTENT_SHA256,
    TOKEN_AFTER,
    LATER, /* read by who asks for it */
    ACCESS_KEY,
    SECRET,
    TOKEN,
    EXPIRES,
};

static const struct {
    const char *name;
    enum option option;
    int forms; /* that know it */
} options[] = {
    {"url", URL, ALL},
    {"method", METHOD, ALL},
    {"headers", HEADERS, ALL},
    {"body", BODY, SIGN | PRESIGN},
    {"payload", PAYLOAD, ALL},
    {"service", SERVICE, ALL},
    {"region", REGION, ALL},
    {"credentials", CREDENTIALS, ALL},
    {"time", TIME, ALL},
    {"clock_offset", CLOCK_OFFSET, ALL},
    {"s3", S3, ALL},
    {"normalize", NORMALIZE, ALL},
    {"content_sha256", CONTENT_SHA256, ALL},
    {"token_after", TOKEN_AFTER, ALL},
    {"expires", EXPIRES, PRESIGN | SECRETS},
    {"length", LATER, STREAMED},
    {"chunk", LATER, STREAMED},
    {"trailers", LATER, STREAMED},
    {"content_length", LATER, STREAMED},
    {"access_key", ACCESS_KEY, SECRETS},
    {"secret", SECRET, SECRETS},
    {"token", TOKEN, SECRETS},
};

/* The option of the key below the top, by the table of names that is the function's upvalue. */
static enum option option_at(lua_State *L, int idx, int form)
{
    lua_pushvalue(L, idx);
    lua_rawget(L, lua_upvalueindex(1));
    size_t i = (size_t)lua_tointeger(L, -1);
    if (i == 0 || !(options[i - 1].forms & form))
        luaL_error(L, "an option of that name is not known");
    lua_pop(L, 1);
    return options[i - 1].option;
}

static int bad_option(lua_State *L, const char *want)
{
    return luaL_error(L, "option '%s' must be a %s, not a %s", lua_tostring(L, -2), want, luaL_typename(L, -1));
}

/* Keeps the string on the top alive, and pops it. */
static const char *anchor(lua_State *L, struct lrequest *q, size_t *n)
{
    const char *text = lua_tolstring(L, -1, n);
    if (q->anchors++ == 0) {
        lua_newtable(L);
        lua_replace(L, ANCHORS);
    }
    lua_rawseti(L, ANCHORS, (lua_Integer)q->anchors);
    return text;
}

/* The text of an adt.Secret, or NULL: it is something else. */
static const char *reveal(lua_State *L, struct lrequest *q, size_t *n)
{
    if (lua_type(L, -1) != LUA_TUSERDATA || !luaL_getmetafield(L, -1, "reveal"))
        return NULL;
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    if (lua_type(L, -1) == LUA_TSTRING)
        return anchor(L, q, n);
    lua_pop(L, 1);
    return NULL;
}

/* A string, or a number or secret as one; it lives on in its table or among the anchors. */
static const char *text_at(lua_State *L, struct lrequest *q, const char *name)
{
    size_t n = 0;
    int t = lua_type(L, -1);
    const char *text = NULL;
    if (t == LUA_TSTRING) {
        text = lua_tolstring(L, -1, &n);
    } else if (t == LUA_TNUMBER) {
        lua_pushvalue(L, -1);
        text = anchor(L, q, &n);
    } else {
        text = reveal(L, q, &n);
    }
    if (!text)
        luaL_error(L, "header '%s' must be a string or a list of strings, not a %s", name, luaL_typename(L, -1));
    else if (strlen(text) != n)
        luaL_error(L, "header '%s' holds a NUL byte", name);
    return text;
}

static void add_header(lua_State *L, struct lrequest *q, const char *name, const char *value)
{
    if (q->count == ADT_SIGV4_HEADERS)
        luaL_error(L, "a request has at most %d headers", ADT_SIGV4_HEADERS);
    q->headers[q->count++] = (struct adt_sigv4_header){name, value};
}

static bool is_host(const char *n)
{
    return (n[0] | 0x20) == 'h' && (n[1] | 0x20) == 'o' && (n[2] | 0x20) == 's' && (n[3] | 0x20) == 't' && !n[4];
}

static void read_headers(lua_State *L, struct lrequest *q)
{
    if (!lua_istable(L, -1))
        bad_option(L, "table");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        size_t n;
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "headers maps names to values");
        const char *name = lua_tolstring(L, -2, &n);
        if (strlen(name) != n)
            luaL_error(L, "a header's name holds a NUL byte");
        q->own_host &= !is_host(name);
        if (lua_type(L, -1) != LUA_TTABLE) {
            add_header(L, q, name, text_at(L, q, name));
        } else {
            size_t values = lua_rawlen(L, -1);
            for (size_t i = 1; i <= values; i++) {
                lua_rawgeti(L, -1, (lua_Integer)i);
                add_header(L, q, name, text_at(L, q, name));
                lua_pop(L, 1);
            }
        }
        lua_pop(L, 1);
    }
}

static const char *string_option(lua_State *L, size_t *n)
{
    if (lua_type(L, -1) != LUA_TSTRING)
        bad_option(L, "string");
    return lua_tolstring(L, -1, n);
}

static const char *text_option(lua_State *L)
{
    size_t n;
    const char *text = string_option(L, &n);
    if (strlen(text) != n)
        luaL_error(L, "option '%s' holds a NUL byte", lua_tostring(L, -2));
    return text;
}

static bool boolean_option(lua_State *L)
{
    if (!lua_isboolean(L, -1))
        bad_option(L, "boolean");
    return lua_toboolean(L, -1);
}

static double seconds_option(lua_State *L)
{
    if (lua_type(L, -1) != LUA_TNUMBER)
        bad_option(L, "number");
    double v = lua_tonumber(L, -1);
    if (!(v > -1e12 && v < 1e12))
        luaL_error(L, "option '%s' must be a number of seconds", lua_tostring(L, -2));
    return v;
}

static const char *secret_option(lua_State *L, struct lrequest *q)
{
    size_t n = 0;
    const char *text = reveal(L, q, &n);
    if (!text)
        return text_option(L);
    if (strlen(text) != n)
        luaL_error(L, "option '%s' holds a NUL byte", lua_tostring(L, -2));
    return text;
}

static void read_credentials(lua_State *L, struct lrequest *q)
{
    if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "anonymous") == 0) {
        q->anonymous = true;
        return;
    }
    if (!lua_istable(L, -1))
        bad_option(L, "table");
    lua_pushnil(L);
    for (; lua_next(L, -2); lua_pop(L, 1)) {
        switch (option_at(L, -2, SECRETS)) {
        case ACCESS_KEY:
            q->cred.access_key = text_option(L);
            break;
        case SECRET:
            q->cred.secret = secret_option(L, q);
            break;
        case TOKEN:
            q->cred.session_token = secret_option(L, q);
            break;
        default:
            q->until = seconds_option(L);
        }
    }
}

static void read_option(lua_State *L, struct lrequest *q)
{
    switch (option_at(L, -2, q->form)) {
    case URL:
        q->text = text_option(L);
        break;
    case METHOD:
        q->r.method = text_option(L);
        break;
    case HEADERS:
        read_headers(L, q);
        break;
    case BODY:
        q->r.body = string_option(L, &q->r.body_n);
        break;
    case PAYLOAD:
        q->r.payload = text_option(L);
        break;
    case SERVICE:
        q->r.service = text_option(L);
        break;
    case REGION:
        q->r.region = text_option(L);
        break;
    case CREDENTIALS:
        read_credentials(L, q);
        break;
    case TIME:
        q->time = seconds_option(L);
        q->timed = true;
        break;
    case CLOCK_OFFSET:
        q->clock_offset = seconds_option(L);
        break;
    case S3:
        q->r.s3 = boolean_option(L);
        q->s3_given = true;
        break;
    case NORMALIZE:
        q->r.keep_path = !boolean_option(L);
        break;
    case CONTENT_SHA256:
        q->r.content_sha256 = boolean_option(L);
        break;
    case TOKEN_AFTER:
        q->r.token_after = boolean_option(L);
        break;
    default:;
    }
}

static void read_url(lua_State *L, struct lrequest *q)
{
    struct adt_error err;
    if (adt_sigv4_url_split(q->text ? q->text : "", &q->url, &err) < 0)
        adtL_raise(L, &err);
    q->r.path = q->url.query ? lua_pushlstring(L, q->url.path, q->url.path_n) : q->url.path;
    q->r.query = q->url.query;
    if (q->own_host)
        add_header(L, q, "Host", q->url.host);
    q->r.headers = q->headers;
    q->r.header_count = q->count;
}

static void check_expiry(lua_State *L, const struct lrequest *q)
{
    struct adt_error err;
    if (q->time + q->clock_offset < q->until)
        return;
    adt_error_set(&err, ADT_AUTH, "ExpiredCredentials", "the credentials have expired");
    adt_error_hint(&err, "renew them: sign in again, or assume the role again");
    adtL_raise(L, &err);
}

void adtL_readrequest(lua_State *L, struct lrequest *q, int form)
{
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    lua_settop(L, OPTIONS);
    lua_pushnil(L); /* ANCHORS */
    memset(&q->r, 0, sizeof q->r);
    memset(&q->cred, 0, sizeof q->cred);
    q->r.method = "GET";
    q->text = NULL;
    q->clock_offset = 0;
    q->until = HUGE_VAL;
    q->count = q->anchors = 0;
    q->form = form;
    q->own_host = true;
    q->timed = q->s3_given = q->anonymous = false;
    lua_pushnil(L);
    for (; lua_next(L, OPTIONS); lua_pop(L, 1))
        read_option(L, q);
    if (q->anonymous)
        return;
    if (!q->timed)
        q->time = adt_wall();
    check_expiry(L, q);
    read_url(L, q);
    q->r.time = (int64_t)floor(q->time);
    q->r.clock_offset = (int64_t)floor(q->clock_offset);
    if (q->r.payload && strcmp(q->r.payload, "unsigned") == 0)
        q->r.payload = ADT_SIGV4_UNSIGNED;
    if (!q->s3_given)
        q->r.s3 = q->r.service && strncmp(q->r.service, "s3", 2) == 0;
}

void adtL_pushoptions(lua_State *L)
{
    lua_createtable(L, 0, (int)(sizeof options / sizeof *options));
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_setfield(L, -2, options[i].name);
    }
}
