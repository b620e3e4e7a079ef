/* walk.c - Lua values as a row of events */
#include "values.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITER "adt.writer"
#define ARRAY_MT "adt.array"

enum { KEYS_ON_STACK = 10000 /* an object with more keys keeps them in a table: the Lua stack ends at a million */ };

struct lkey {
    uint64_t head; /* the first bytes, most significant first: decides nearly every comparison */
    const char *text;
    size_t n;
    int slot; /* where the key lies: on the stack, or in the table of keys when there are many */
};

/* The way down to the value at hand, for error messages and cycles. */
struct frame {
    const struct frame *up;
    const void *table;
    const char *key; /* NULL: an array's member, number [index] */
    size_t n;
    lua_Integer index;
    unsigned depth;
};

struct walk {
    lua_State *L;
    struct lwriter *w;
    const struct adt_events *events;
    void *ctx;
    const void *array_mt;
    unsigned max_depth;
};

/* Paths */

static bool is_name(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(text[i] == '_' || (text[i] >= '0' && text[i] <= '9') || ((text[i] | 32) >= 'a' && (text[i] | 32) <= 'z')))
            return false;
    return n > 0;
}

static size_t write_step(const struct frame *f, char out[static 64])
{
    int n;
    if (!f->key)
        n = snprintf(out, 64, "[" LUA_INTEGER_FMT "]", (LUAI_UACINT)f->index);
    else if (is_name(f->key, f->n))
        n = snprintf(out, 64, ".%.*s", (int)(f->n < 60 ? f->n : 60), f->key);
    else
        n = snprintf(out, 64, "[\"%.*s\"]", (int)(f->n < 56 ? f->n : 56), f->key);
    return n < 63 ? (size_t)n : 63;
}

/* Written from its end, since that is the part to keep when the whole does not fit. */
static void put_path(struct adt_error *err, const struct frame *f)
{
    char path[sizeof err->where], step[64];
    size_t at = sizeof path - 1;
    path[at] = '\0';
    for (; f->up; f = f->up) {
        size_t n = write_step(f, step);
        if (n + 4 > at)
            break;
        at -= n;
        memcpy(path + at, step, n);
    }
    snprintf(err->where, sizeof err->where, "%s%s", f->up ? "..." : "$", path + at);
}

static int fail(struct walk *k, const struct frame *f, const char *code, const char *what)
{
    adt_error_set(&k->w->err, ADT_USAGE, code, "%s", what);
    put_path(&k->w->err, f);
    return -1;
}

#define EMIT(k, f, event, ...) went(k, f, (k)->events->event ? (k)->events->event(__VA_ARGS__) : 0)

static int went(struct walk *k, const struct frame *f, int rc)
{
    if (rc < 0 && !k->w->err.where[0])
        put_path(&k->w->err, f);
    return rc;
}

/* Tables */

/* A table inside itself is looked for only here: every one of them comes to this depth. */
static int too_deep(struct walk *k, const struct frame *f)
{
    char text[96];
    for (const struct frame *a = f; a; a = a->up)
        for (const struct frame *b = a->up; b; b = b->up) {
            if (a->table != b->table)
                continue;
            while (b->up && a->up->table == b->up->table) {
                a = a->up;
                b = b->up;
            }
            snprintf(text, sizeof text, "a table inside itself: it is the one %u levels up", a->depth - b->depth);
            return fail(k, a, "Cycle", text);
        }
    snprintf(text, sizeof text, "tables more than %u levels deep", k->max_depth);
    return fail(k, f, "TooDeep", text);
}

static int by_key(const void *a, const void *b)
{
    const struct lkey *x = a, *y = b;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    int order = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static void sort_keys(struct lkey *keys, size_t n)
{
    if (n > 32) {
        qsort(keys, n, sizeof *keys, by_key);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct lkey key = keys[i];
        size_t j = i;
        for (; j && by_key(&key, &keys[j - 1]) < 0; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

static struct lkey *new_key(struct lwriter *w)
{
    if (w->count == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        struct lkey *keys = adt_realloc(w->keys, cap * sizeof *keys);
        if (!keys)
            return NULL;
        w->keys = keys;
        w->cap = cap;
    }
    return &w->keys[w->count++];
}

static int add_key(struct walk *k, const struct frame *f, int slot)
{
    if (lua_type(k->L, -1) != LUA_TSTRING) {
        adt_error_set(&k->w->err, ADT_USAGE, "MixedKeys", "a table with a key that is a %s and no place in a list",
                      luaL_typename(k->L, -1));
        adt_error_hint(&k->w->err, "a table is written when its keys are all strings, or 1 to n without a gap");
        put_path(&k->w->err, f);
        return -1;
    }
    struct lkey *key = new_key(k->w);
    if (!key)
        return adt_error_nomem(&k->w->err);
    key->text = lua_tolstring(k->L, -1, &key->n);
    key->slot = slot;
    key->head = 0;
    for (size_t i = 0; i < 8; i++)
        key->head = key->head << 8 | (i < key->n ? (unsigned char)key->text[i] : 0);
    return 0;
}

static int walk_value(struct walk *k, int idx, const struct frame *f);

/* The keys of the table at [idx], which stay on the stack (or in a table at [idx] + 1) so that nothing frees them. */
static int collect_keys(struct walk *k, int idx, const struct frame *f, bool *on_stack)
{
    lua_State *L = k->L;
    int n = 0;
    *on_stack = true;
    lua_pushnil(L);
    for (; *on_stack && lua_next(L, idx); n++) {
        lua_pop(L, 1);
        luaL_checkstack(L, 6, "too many keys");
        if (add_key(k, f, lua_gettop(L)) < 0)
            return -1;
        lua_pushvalue(L, -1);
        *on_stack = n < KEYS_ON_STACK;
    }
    if (*on_stack)
        return 0;
    k->w->count -= (size_t)n;
    lua_settop(L, idx);
    lua_newtable(L);
    lua_pushnil(L);
    for (n = 1; lua_next(L, idx); n++) {
        lua_pop(L, 1);
        if (add_key(k, f, n) < 0)
            return -1;
        lua_pushvalue(L, -1);
        lua_rawseti(L, idx + 1, n);
    }
    return 0;
}

static int walk_object(struct walk *k, int idx, const struct frame *f)
{
    lua_State *L = k->L;
    bool on_stack;
    size_t first = k->w->count;
    if (collect_keys(k, idx, f, &on_stack) < 0 || EMIT(k, f, begin_object, k->ctx) < 0)
        return -1;
    size_t n = k->w->count - first;
    if (n)
        sort_keys(k->w->keys + first, n);
    int top = lua_gettop(L);
    for (size_t i = 0; i < n; i++) {
        struct lkey key = k->w->keys[first + i];
        struct frame member = {.up = f, .key = key.text, .n = key.n, .depth = f->depth + 1};
        if (on_stack)
            lua_pushvalue(L, key.slot);
        else
            lua_rawgeti(L, idx + 1, key.slot);
        lua_rawget(L, idx);
        if (EMIT(k, &member, key, k->ctx, key.text, key.n) < 0 || walk_value(k, top + 1, &member) < 0)
            return -1;
        lua_settop(L, top);
    }
    k->w->count = first;
    lua_settop(L, idx);
    return EMIT(k, f, end_object, k->ctx);
}

/* True when the keys of the table at [idx] are 1 to n; an empty table is one too. */
static bool is_sequence(lua_State *L, int idx, lua_Integer n)
{
    lua_Integer count = 0;
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_pop(L, 1);
        if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1 || lua_tointeger(L, -1) > n) {
            lua_pop(L, 1);
            return false;
        }
        count++;
    }
    return count == n;
}

static int walk_array(struct walk *k, int idx, lua_Integer n, const struct frame *f)
{
    lua_State *L = k->L;
    if (EMIT(k, f, begin_array, k->ctx) < 0)
        return -1;
    for (lua_Integer i = 1; i <= n; i++) {
        struct frame member = {.up = f, .index = i, .depth = f->depth + 1};
        lua_rawgeti(L, idx, i);
        if (walk_value(k, idx + 1, &member) < 0)
            return -1;
        lua_settop(L, idx);
    }
    return EMIT(k, f, end_array, k->ctx);
}

static int walk_table(struct walk *k, int idx, struct frame *f)
{
    lua_State *L = k->L;
    f->table = lua_topointer(L, idx);
    if (f->depth >= k->max_depth)
        return too_deep(k, f);
    luaL_checkstack(L, 8, "tables nested too deeply");
    bool marked = lua_getmetatable(L, idx) && lua_topointer(L, -1) == k->array_mt;
    lua_settop(L, idx);
    lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
    if (!n && !marked)
        return walk_object(k, idx, f);
    if (is_sequence(L, idx, n))
        return walk_array(k, idx, n, f);
    if (!marked)
        return walk_object(k, idx, f); /* which names the key that does not belong */
    return fail(k, f, "MixedKeys", "an array with a gap, or with keys that are no positions");
}

/* The value of the secret at [idx] takes its place; anything else stays. */
static void reveal(lua_State *L, int idx)
{
    luaL_checkstack(L, 4, "secret");
    if (luaL_getmetafield(L, idx, "__name") != LUA_TSTRING || strcmp(lua_tostring(L, -1), "adt.Secret") != 0 ||
        luaL_getmetafield(L, idx, "reveal") != LUA_TFUNCTION) {
        lua_settop(L, idx);
        return;
    }
    lua_pushvalue(L, idx);
    lua_call(L, 1, 1);
    lua_replace(L, idx);
    lua_settop(L, idx);
}

static int walk_value(struct walk *k, int idx, const struct frame *f)
{
    lua_State *L = k->L;
    size_t n;
    if (k->w->reveal && lua_type(L, idx) == LUA_TUSERDATA)
        reveal(L, idx);
    switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN:
        return EMIT(k, f, boolean, k->ctx, lua_toboolean(L, idx));
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx))
            return EMIT(k, f, integer, k->ctx, lua_tointeger(L, idx));
        return EMIT(k, f, number, k->ctx, lua_tonumber(L, idx));
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, idx, &n);
        return EMIT(k, f, string, k->ctx, text, n);
    }
    case LUA_TTABLE: {
        struct frame here = *f;
        return walk_table(k, idx, &here);
    }
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, idx))
            return EMIT(k, f, null, k->ctx);
        break;
    default:
        break;
    }
    adt_error_set(&k->w->err, ADT_USAGE, "BadType", "a %s cannot be written as data", luaL_typename(L, idx));
    put_path(&k->w->err, f);
    return -1;
}

int adtL_walk(lua_State *L, int idx, struct lwriter *w, unsigned max_depth, const struct adt_events *events, void *ctx)
{
    struct walk k = {.L = L, .w = w, .events = events, .ctx = ctx, .max_depth = max_depth};
    struct frame root = {0};
    adtL_pusharraymt(L);
    k.array_mt = lua_topointer(L, -1);
    lua_pop(L, 1);
    lua_pushvalue(L, idx);
    int rc = walk_value(&k, lua_gettop(L), &root);
    return rc;
}

/* What the encoders share */

static int writer_close(lua_State *L)
{
    struct lwriter *w = lua_touserdata(L, 1);
    adt_buf_free(&w->buf);
    adt_free(w->keys);
    w->keys = NULL;
    return 0;
}

struct lwriter *adtL_newwriter(lua_State *L, size_t max)
{
    static const luaL_Reg meta[] = {{"__gc", writer_close}, {"__close", writer_close}, {NULL, NULL}};
    adtL_newclass(L, WRITER, meta, NULL);
    struct lwriter *w = adtL_newhandle(L, sizeof *w, WRITER, 0);
    adt_buf_init(&w->buf, max);
    lua_toclose(L, -1);
    return w;
}

void adtL_pusharraymt(lua_State *L)
{
    luaL_newmetatable(L, ARRAY_MT);
}

int adtL_values_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    adtL_pusharraymt(L);
    lua_setmetatable(L, 1);
    return 1;
}
