/* json.c - module adt.c.json: JSON text to Lua values and back */
#include "values.h"

#include "data/json.h"
#include "modules.h"

enum { MAX_DEPTH = 4096 /* what the C stack carries, ASan builds included */ };

/* The event at which a repeated key came, found again to tell its place. */
struct twin {
    size_t left;
    struct adt_error *err;
};

static int twin_key(void *ctx, const char *text, size_t n)
{
    struct twin *t = ctx;
    if (--t->left)
        return 0;
    return adt_error_set(t->err, ADT_CONFIG, "DuplicateKey", "the key '%.*s' comes twice in one object",
                         (int)(n < 100 ? n : 100), text);
}

static int twin_value(void *ctx)
{
    ((struct twin *)ctx)->left--;
    return 0;
}

static int twin_boolean(void *ctx, bool value)
{
    (void)value;
    return twin_value(ctx);
}

static int twin_integer(void *ctx, int64_t value)
{
    (void)value;
    return twin_value(ctx);
}

static int twin_number(void *ctx, double value)
{
    (void)value;
    return twin_value(ctx);
}

static int twin_string(void *ctx, const char *text, size_t n)
{
    (void)text;
    (void)n;
    return twin_value(ctx);
}

static int fail_twin(lua_State *L, const char *text, size_t n, const struct adt_json_options *opt, size_t event)
{
    static const struct adt_events events = {
        .null = twin_value,
        .boolean = twin_boolean,
        .integer = twin_integer,
        .number = twin_number,
        .string = twin_string,
        .begin_array = twin_value,
        .begin_object = twin_value,
        .key = twin_key,
    };
    struct adt_error err = {0};
    struct twin t = {.left = event, .err = &err};
    adt_json_parse(text, n, opt, &events, &t, &err);
    return adtL_fail(L, &err);
}

/* decode(text, opts?) -> value | nil, err */
static int json_decode(lua_State *L)
{
    static const char *const known[] = {"max_depth", "max_size", "unique", "big", "name", NULL};
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    struct adt_json_options opt = {0};
    struct adt_error err = {0};
    bool unique = false;
    enum adtL_big big = ADTL_BIG_FLOAT;
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        adtL_checkfields(L, 2, "json.decode", known);
        opt.max_depth = (unsigned)adtL_checkrange(L, 2, "max_depth", ADT_JSON_DEPTH, MAX_DEPTH);
        opt.max_size = (size_t)adtL_checkrange(L, 2, "max_size", ADT_JSON_SIZE, 1 << 30);
        unique = adtL_optboolean(L, 2, "unique", false);
        big = adtL_checkbig(L, 2);
        opt.name = adtL_optstring(L, 2, "name", NULL);
    }
    struct ltape *tape = adtL_newtape(L, text, n, big, &err);
    if (adt_json_parse(text, n, &opt, adtL_tape_events(tape), tape, &err) < 0)
        return adtL_fail(L, &err);
    if (!adtL_tape_push(L, tape, unique))
        return fail_twin(L, text, n, &opt, adtL_tape_twin(tape));
    return 1;
}

/* encode(value, opts?) -> text | nil, err */
static int json_encode(lua_State *L)
{
    static const char *const known[] = {"indent", NULL};
    unsigned indent = 0;
    luaL_checkany(L, 1);
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        adtL_checkfields(L, 2, "json.encode", known);
        lua_Integer n = adtL_optinteger(L, 2, "indent", 0);
        if (n < 0 || n > 16)
            luaL_error(L, "option 'indent' must be 0 to 16");
        indent = (unsigned)n;
    }
    struct lwriter *w = adtL_newwriter(L, ADT_BUF_JSON);
    struct adt_json_writer json = {.out = &w->buf, .err = &w->err, .indent = indent};
    if (adtL_walk(L, 1, w, ADT_JSON_DEPTH, &adt_json_write, &json) < 0)
        return adtL_fail(L, &w->err);
    lua_pushlstring(L, w->buf.p, w->buf.len);
    return 1;
}

int luaopen_adt_c_json(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"decode", json_decode}, {"encode", json_encode}, {"array", adtL_values_array}, {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    adtL_pusharraymt(L);
    lua_setfield(L, -2, "array_mt");
    return 1;
}
