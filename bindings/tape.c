/* tape.c - a row of events recorded, then made into Lua values in one go */
#include "values.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

#define TAPE "adt.tape"

enum kind { NIL, FALSE, TRUE, INTEGER, NUMBER, TEXT, SIDE_TEXT, KNOWN_KEY, ARRAY, OBJECT };

enum { KEYS = 1024, SLOTS = 2 * KEYS, NO_KEY = KEYS, NO_MEMORY, KEY_LENGTH = 64 };

struct item {
    union {
        int64_t integer;
        double number;
        const char *text; /* in the source */
        size_t at;        /* SIDE_TEXT: offset in the side buffer; ARRAY, OBJECT while open: the item around it */
    } u;
    uint32_t n; /* bytes of text; members of an array or object; number of a known key */
    uint32_t kind;
};

/* Objects of one list have the same keys in the same order, so each key remembers which one followed it. */
struct known {
    const char *text;
    uint32_t n, next;
};

struct ltape {
    struct item *items;
    size_t count, cap;
    const char *text;
    size_t len;
    struct adt_buf side;
    size_t open; /* the innermost open array or object; SIZE_MAX outside */
    struct known *keys;
    uint32_t key_count, last;
    char *copies;    /* of keys that are not in the source, KEY_LENGTH bytes for each number */
    uint32_t *slots; /* hash table of key numbers + 1 */
    enum adtL_big big;
    struct adt_error *err;
    const struct item *next; /* while building */
    size_t twin;
};

static int tape_close(lua_State *L)
{
    struct ltape *t = lua_touserdata(L, 1);
    adt_free(t->items);
    adt_free(t->keys);
    adt_free(t->slots);
    adt_free(t->copies);
    adt_buf_free(&t->side);
    t->items = NULL;
    t->keys = NULL;
    t->slots = NULL;
    t->copies = NULL;
    return 0;
}

static struct item *grow(struct ltape *t)
{
    size_t cap = t->cap ? t->cap * 2 : 64;
    struct item *items = adt_realloc(t->items, cap * sizeof *items);
    if (!items)
        return adt_error_nomem(t->err), NULL;
    t->items = items;
    t->cap = cap;
    return items + t->count++;
}

static struct item *add(struct ltape *t, enum kind kind)
{
    struct item *item = t->count < t->cap ? t->items + t->count++ : grow(t);
    if (item) {
        item->kind = kind;
        item->n = 0;
    }
    return item;
}

/* A value counts as a member of the array around it; in an object the key has counted. */
static struct item *add_value(struct ltape *t, enum kind kind)
{
    if (t->open != SIZE_MAX && t->items[t->open].kind == ARRAY)
        t->items[t->open].n++;
    return add(t, kind);
}

static int on_null(void *ctx)
{
    return add_value(ctx, NIL) ? 0 : -1;
}

static int on_boolean(void *ctx, bool value)
{
    return add_value(ctx, value ? TRUE : FALSE) ? 0 : -1;
}

static int on_integer(void *ctx, int64_t value)
{
    struct item *item = add_value(ctx, INTEGER);
    if (!item)
        return -1;
    item->u.integer = value;
    return 0;
}

static int on_number(void *ctx, double value)
{
    struct item *item = add_value(ctx, NUMBER);
    if (!item)
        return -1;
    item->u.number = value;
    return 0;
}

static bool in_source(const struct ltape *t, const char *text)
{
    return text >= t->text && text < t->text + t->len;
}

static int set_text(struct ltape *t, struct item *item, const char *text, size_t n)
{
    if (!item)
        return -1;
    item->n = (uint32_t)n;
    item->u.text = text;
    if (in_source(t, text))
        return 0;
    item->kind = SIDE_TEXT;
    item->u.at = t->side.len;
    return adt_buf_add(&t->side, text, n) < 0 ? adt_error_nomem(t->err) : 0;
}

static int on_string(void *ctx, const char *text, size_t n)
{
    return set_text(ctx, add_value(ctx, TEXT), text, n);
}

static int on_big(void *ctx, const char *digits, size_t n)
{
    struct ltape *t = ctx;
    if (t->big == ADTL_BIG_STRING)
        return on_string(ctx, digits, n);
    return adt_error_set(t->err, ADT_CONFIG, "TooBig", "the integer %.40s%s is beyond 64 bits", digits,
                         n > 40 ? "..." : "");
}

static uint32_t hash(const char *text, size_t n)
{
    uint32_t h = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * 16777619U;
    return h ^ h >> 15;
}

static bool is_key(const struct known *k, const char *text, size_t n)
{
    return k->n == n && !memcmp(k->text, text, n);
}

/* A key's text at a place where it stays; NULL when out of memory. */
static const char *keep_key(struct ltape *t, const char *text, size_t n)
{
    if (in_source(t, text))
        return text;
    if (!t->copies && !(t->copies = adt_alloc((size_t)KEYS * KEY_LENGTH)))
        return NULL;
    return memcpy(t->copies + (size_t)t->key_count * KEY_LENGTH, text, n);
}

/* The number of a key, NO_KEY when the list is full, NO_MEMORY. */
static uint32_t find_key(struct ltape *t, const char *text, size_t n)
{
    uint32_t at = hash(text, n) % SLOTS;
    for (; t->slots[at]; at = (at + 1) % SLOTS)
        if (is_key(&t->keys[t->slots[at] - 1], text, n))
            return t->slots[at] - 1;
    if (t->key_count == KEYS)
        return NO_KEY;
    const char *kept = keep_key(t, text, n);
    if (!kept)
        return NO_MEMORY;
    t->keys[t->key_count] = (struct known){.text = kept, .n = (uint32_t)n};
    t->slots[at] = ++t->key_count;
    return t->key_count - 1;
}

static int on_key(void *ctx, const char *text, size_t n)
{
    struct ltape *t = ctx;
    t->items[t->open].n++;
    struct item *item = add(t, TEXT);
    if (!item || n > KEY_LENGTH) /* long keys are not worth remembering */
        return set_text(t, item, text, n);
    uint32_t key = t->keys[t->last].next;
    if (key >= t->key_count || !is_key(&t->keys[key], text, n)) {
        key = find_key(t, text, n);
        if (key == NO_MEMORY)
            return adt_error_nomem(t->err);
        if (key == NO_KEY)
            return set_text(t, item, text, n);
        t->keys[t->last].next = key;
    }
    t->last = key;
    item->kind = KNOWN_KEY;
    item->n = key;
    return 0;
}

static int begin(struct ltape *t, enum kind kind)
{
    struct item *item = add_value(t, kind);
    if (!item)
        return -1;
    item->u.at = t->open;
    t->open = t->count - 1;
    return 0;
}

static int on_begin_array(void *ctx)
{
    return begin(ctx, ARRAY);
}

static int on_begin_object(void *ctx)
{
    return begin(ctx, OBJECT);
}

static int on_end(void *ctx)
{
    struct ltape *t = ctx;
    t->open = t->items[t->open].u.at;
    return 0;
}

#define COMMON \
    .null = on_null, .boolean = on_boolean, .integer = on_integer, .number = on_number, .string = on_string, \
    .begin_array = on_begin_array, .end_array = on_end, .begin_object = on_begin_object, .key = on_key, \
    .end_object = on_end

const struct adt_events *adtL_tape_events(const struct ltape *tape)
{
    static const struct adt_events rounding = {COMMON}, exact = {COMMON, .big = on_big};
    return tape->big == ADTL_BIG_FLOAT ? &rounding : &exact;
}

enum adtL_big adtL_checkbig(lua_State *L, int idx)
{
    const char *big = adtL_optstring(L, idx, "big", "float");
    if (!strcmp(big, "string"))
        return ADTL_BIG_STRING;
    if (!strcmp(big, "error"))
        return ADTL_BIG_ERROR;
    if (strcmp(big, "float") != 0)
        luaL_error(L, "option 'big' must be 'float', 'string' or 'error', not '%s'", big);
    return ADTL_BIG_FLOAT;
}

lua_Integer adtL_checkrange(lua_State *L, int idx, const char *field, lua_Integer otherwise, lua_Integer max)
{
    lua_Integer n = adtL_optinteger(L, idx, field, otherwise);
    if (n < 1 || n > max)
        luaL_error(L, "option '%s' must be 1 to %I", field, (LUAI_UACINT)max);
    return n;
}

struct ltape *adtL_newtape(lua_State *L, const char *text, size_t n, enum adtL_big big, struct adt_error *err)
{
    static const luaL_Reg meta[] = {{"__gc", tape_close}, {"__close", tape_close}, {NULL, NULL}};
    adtL_newclass(L, TAPE, meta, NULL);
    struct ltape *t = adtL_newhandle(L, sizeof *t, TAPE, 0);
    lua_toclose(L, -1);
    t->text = text;
    t->len = n;
    t->big = big;
    t->err = err;
    t->open = SIZE_MAX;
    adt_buf_init(&t->side, SIZE_MAX / 2);
    t->keys = adt_zalloc(KEYS * sizeof *t->keys);
    t->slots = adt_zalloc(SLOTS * sizeof *t->slots);
    if (!t->keys || !t->slots) {
        adt_error_nomem(err);
        adtL_raise(L, err);
    }
    return t;
}

/* Building. Stack: 1 tape, 2 known keys, 3 metatable of arrays, then the values. */

static void push_text(lua_State *L, const struct ltape *t, const struct item *item)
{
    lua_pushlstring(L, item->kind == TEXT ? item->u.text : t->side.p + item->u.at, item->n);
}

static bool push_value(lua_State *L, struct ltape *t, bool unique);

static bool push_object(lua_State *L, struct ltape *t, uint32_t n, bool unique)
{
    luaL_checkstack(L, 6, "too deep");
    lua_createtable(L, 0, (int)n);
    for (; n; n--) {
        const struct item *key = t->next++;
        if (key->kind == KNOWN_KEY)
            lua_rawgeti(L, 2, (lua_Integer)key->n + 1);
        else
            push_text(L, t, key);
        if (unique) {
            lua_pushvalue(L, -1);
            if (lua_rawget(L, -3) != LUA_TNIL) {
                t->twin = (size_t)(key - t->items);
                return false;
            }
            lua_pop(L, 1);
        }
        if (!push_value(L, t, unique))
            return false;
        lua_rawset(L, -3);
    }
    return true;
}

static bool push_array(lua_State *L, struct ltape *t, uint32_t n, bool unique)
{
    luaL_checkstack(L, 4, "too deep");
    lua_createtable(L, (int)n, 0);
    lua_pushvalue(L, 3);
    lua_setmetatable(L, -2);
    for (uint32_t i = 1; i <= n; i++) {
        if (!push_value(L, t, unique))
            return false;
        lua_rawseti(L, -2, i);
    }
    return true;
}

static bool push_value(lua_State *L, struct ltape *t, bool unique)
{
    const struct item *item = t->next++;
    switch ((enum kind)item->kind) {
    case NIL:
        lua_pushlightuserdata(L, NULL);
        return true;
    case FALSE:
    case TRUE:
        lua_pushboolean(L, item->kind == TRUE);
        return true;
    case INTEGER:
        lua_pushinteger(L, item->u.integer);
        return true;
    case NUMBER:
        lua_pushnumber(L, item->u.number);
        return true;
    case ARRAY:
        return push_array(L, t, item->n, unique);
    case OBJECT:
        return push_object(L, t, item->n, unique);
    case TEXT:
    case SIDE_TEXT:
    case KNOWN_KEY:
        break;
    }
    push_text(L, t, item);
    return true;
}

static int build(lua_State *L)
{
    struct ltape *t = lua_touserdata(L, 1);
    bool unique = lua_toboolean(L, 2);
    lua_settop(L, 1);
    lua_createtable(L, (int)t->key_count, 0);
    for (uint32_t i = 0; i < t->key_count; i++) {
        lua_pushlstring(L, t->keys[i].text, t->keys[i].n);
        lua_rawseti(L, 2, (lua_Integer)i + 1);
    }
    adtL_pusharraymt(L);
    t->next = t->items;
    lua_pushboolean(L, push_value(L, t, unique));
    lua_insert(L, -2);
    return 2;
}

bool adtL_tape_push(lua_State *L, struct ltape *tape, bool unique)
{
    lua_pushcfunction(L, build);
    lua_pushlightuserdata(L, tape);
    lua_pushboolean(L, unique);
    /* All that is made stays reachable: a collector at work meanwhile would walk it again and again for nothing. When
     * memory runs out Lua collects all the same. */
    bool running = lua_gc(L, LUA_GCISRUNNING);
    lua_gc(L, LUA_GCSTOP);
    int rc = lua_pcall(L, 2, 2, 0);
    if (running)
        lua_gc(L, LUA_GCRESTART);
    if (rc != LUA_OK)
        lua_error(L);
    bool good = lua_toboolean(L, -2);
    lua_remove(L, -2);
    if (!good)
        lua_pop(L, 1);
    return good;
}

size_t adtL_tape_twin(const struct ltape *tape)
{
    return tape->twin + 1;
}
