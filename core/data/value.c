/* value.c - events gathered into a tree: finished values wait on a stack until their container ends */
#include "data/value.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/secret.h"

#include <errno.h>
#include <string.h>

struct open {
    size_t first; /* where its values begin on the stack; an object's come as key, value, key, value */
    bool object;
};

struct adt_value_builder {
    struct adt_arena arena;
    struct adt_error *err;
    struct adt_value *stack;
    struct open *opens;
    size_t count, cap, depth, depth_cap, max;
    bool whole;
};

struct adt_value_builder *adt_value_builder_new(size_t max, struct adt_error *err)
{
    struct adt_value_builder *b = adt_zalloc(sizeof *b);
    if (!b) {
        adt_error_nomem(err);
        return NULL;
    }
    adt_arena_init(&b->arena, max);
    b->max = max;
    b->err = err;
    return b;
}

static int fail(struct adt_value_builder *b)
{
    if (errno != EOVERFLOW)
        return adt_error_nomem(b->err);
    return adt_error_set(b->err, ADT_USAGE, "TooBig", "the data takes more than %zu bytes", b->max);
}

/* The stack grows by doubling; the old one may hold secrets. */
static int grow(struct adt_value_builder *b, void *stack, size_t *cap, size_t size)
{
    void *old = *(void **)stack;
    size_t more = *cap ? 2 * *cap : 32;
    if (more > (b->max - b->arena.used) / size) {
        errno = EOVERFLOW;
        return fail(b);
    }
    void *p = adt_alloc(more * size);
    if (!p)
        return adt_error_nomem(b->err);
    if (old) {
        memcpy(p, old, *cap * size);
        adt_wipe(old, *cap * size);
        adt_free(old);
    }
    *(void **)stack = p;
    *cap = more;
    return 0;
}

static int push(struct adt_value_builder *b, struct adt_value v)
{
    if (b->count == b->cap && grow(b, &b->stack, &b->cap, sizeof *b->stack) < 0)
        return -1;
    b->stack[b->count++] = v;
    b->whole = !b->depth;
    return 0;
}

static int on_null(void *ctx)
{
    return push(ctx, (struct adt_value){.type = ADT_VALUE_NULL});
}

static int on_boolean(void *ctx, bool value)
{
    return push(ctx, (struct adt_value){.type = ADT_VALUE_BOOLEAN, .boolean = value});
}

static int on_integer(void *ctx, int64_t value)
{
    return push(ctx, (struct adt_value){.type = ADT_VALUE_INTEGER, .integer = value});
}

static int on_number(void *ctx, double value)
{
    return push(ctx, (struct adt_value){.type = ADT_VALUE_NUMBER, .number = value});
}

static int on_string(void *ctx, const char *text, size_t n)
{
    struct adt_value_builder *b = ctx;
    char *p = adt_arena_text(&b->arena, text, n);
    return p ? push(b, (struct adt_value){.type = ADT_VALUE_STRING, .string = {p, n}}) : fail(b);
}

static int on_begin(struct adt_value_builder *b, bool object)
{
    if (b->depth == b->depth_cap && grow(b, &b->opens, &b->depth_cap, sizeof *b->opens) < 0)
        return -1;
    b->opens[b->depth++] = (struct open){.first = b->count, .object = object};
    return 0;
}

static int on_begin_array(void *ctx)
{
    return on_begin(ctx, false);
}

static int on_begin_object(void *ctx)
{
    return on_begin(ctx, true);
}

static int on_end(void *ctx)
{
    struct adt_value_builder *b = ctx;
    struct open o = b->opens[--b->depth];
    size_t n = (b->count - o.first) / (o.object ? 2 : 1);
    struct adt_value *items = adt_arena_alloc(&b->arena, n, sizeof *items), *keys = NULL;
    if (!items || (o.object && !(keys = adt_arena_alloc(&b->arena, n, sizeof *keys))))
        return fail(b);
    const struct adt_value *from = n ? b->stack + o.first : NULL;
    for (size_t i = 0; i < n; i++) {
        if (keys)
            keys[i] = *from++;
        items[i] = *from++;
    }
    b->count = o.first;
    return push(b, (struct adt_value){.type = keys ? ADT_VALUE_OBJECT : ADT_VALUE_ARRAY, .list = {items, keys, n}});
}

const struct adt_events adt_value_events = {
    .null = on_null,
    .boolean = on_boolean,
    .integer = on_integer,
    .number = on_number,
    .string = on_string,
    .begin_array = on_begin_array,
    .end_array = on_end,
    .begin_object = on_begin_object,
    .key = on_string,
    .end_object = on_end,
};

const struct adt_value *adt_value_built(const struct adt_value_builder *b)
{
    return b->whole ? b->stack : NULL;
}

void adt_value_builder_free(struct adt_value_builder *b)
{
    if (!b)
        return;
    if (b->stack)
        adt_wipe(b->stack, b->cap * sizeof *b->stack);
    adt_free(b->stack);
    adt_free(b->opens);
    adt_arena_free(&b->arena);
    adt_free(b);
}

const struct adt_value *adt_value_field(const struct adt_value *object, const char *key)
{
    if (!object || object->type != ADT_VALUE_OBJECT)
        return NULL;
    size_t n = strlen(key);
    for (size_t i = object->list.n; i-- > 0;)
        if (object->list.keys[i].string.n == n && !memcmp(object->list.keys[i].string.p, key, n))
            return &object->list.items[i];
    return NULL;
}
