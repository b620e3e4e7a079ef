/* response_json.c - JSON by shape: the parser's events turned into those of the model, with a stack of shapes */
#include "aws/response_private.h"

#include "data/json.h"
#include "data/number.h"

#include <limits.h>
#include <math.h>
#include <string.h>

struct frame {
    const struct adt_aws_shape *shape;
    const struct adt_aws_member *member; /* structures: of the value that comes next; NULL: not known */
    size_t count;                        /* unions: members that are not null */
};

struct by_shape {
    struct adt_aws_reader *rd;
    const struct adt_aws_member *root;
    const char *root_key; /* NULL: the members of the root go into an object that is open */
    struct frame frames[ADT_AWS_DEPTH];
    size_t depth;
    unsigned passed; /* arrays and objects open in a value that is passed over */
    unsigned whole;  /* or in plain data, which is passed on as it is */
};

static struct frame *top(struct by_shape *j)
{
    return j->depth ? &j->frames[j->depth - 1] : NULL;
}

/* What the value that comes is; NULL: to be passed over. */
static const struct adt_aws_member *expected(struct by_shape *j)
{
    struct frame *f = top(j);
    if (!f)
        return j->root;
    return f->shape->type == ADT_AWS_STRUCTURE ? f->member : f->shape->element;
}

static int emit_key(struct by_shape *j)
{
    struct adt_aws_reader *rd = j->rd;
    struct frame *f = top(j);
    const char *key = f ? f->member ? f->member->name : NULL : j->root_key;
    if (f && f->shape->type == ADT_AWS_MAP)
        return ADT_AWS_EMIT(rd, key, rd->key.p ? rd->key.p : "", rd->key.len);
    return key ? ADT_AWS_EMIT(rd, key, key, strlen(key)) : 0;
}

/* Before a value that is not null: 1, with [ref] what it is; 0: pass over; -1. */
static int admit(struct by_shape *j, const struct adt_aws_member **ref)
{
    struct adt_aws_reader *rd = j->rd;
    struct frame *f = top(j);
    if (j->passed)
        return 0;
    *ref = expected(j);
    if (f && f->shape->is_union) {
        bool type = !*ref && adt_aws_name_is("__type", rd->key.p ? rd->key.p : "", rd->key.len);
        f->count += !type;
        if (!*ref && !type && adt_aws_emit_unknown(rd, rd->key.p ? rd->key.p : "", rd->key.len) < 0)
            return -1;
    }
    return *ref != NULL;
}

static bool is_plain(const struct adt_aws_member *ref)
{
    return ref->shape->type == ADT_AWS_DOCUMENT;
}

static int on_null(void *ctx)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    struct frame *f = top(j);
    if (j->whole)
        return ADT_AWS_EMIT(rd, null);
    if (j->passed || !f || f->shape->type == ADT_AWS_STRUCTURE)
        return 0;
    if (f->shape->type == ADT_AWS_MAP && !f->shape->sparse)
        return 0;
    return emit_key(j) < 0 ? -1 : ADT_AWS_EMIT(rd, null);
}

static int on_boolean(void *ctx, bool value)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    const struct adt_aws_member *ref;
    if (j->whole)
        return ADT_AWS_EMIT(rd, boolean, value);
    int rc = admit(j, &ref);
    if (rc <= 0)
        return rc;
    if (ref->shape->type == ADT_AWS_STRING)
        return emit_key(j) < 0 ? -1 : ADT_AWS_EMIT(rd, string, value ? "true" : "false", value ? 4 : 5);
    if (ref->shape->type != ADT_AWS_BOOLEAN && !is_plain(ref))
        return adt_aws_wrong_type(rd, ref);
    return emit_key(j) < 0 ? -1 : ADT_AWS_EMIT(rd, boolean, value);
}

static int on_integer(void *ctx, int64_t value)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    const struct adt_aws_member *ref;
    char text[ADT_NUMBER_TEXT];
    if (j->whole)
        return ADT_AWS_EMIT(rd, integer, value);
    int rc = admit(j, &ref);
    if (rc <= 0)
        return rc;
    switch (ref->shape->type) {
    case ADT_AWS_INTEGER:
    case ADT_AWS_TIMESTAMP:
    case ADT_AWS_DOCUMENT:
        return emit_key(j) < 0 ? -1 : ADT_AWS_EMIT(rd, integer, value);
    case ADT_AWS_FLOAT:
        return emit_key(j) < 0 ? -1 : ADT_AWS_EMIT(rd, number, (double)value);
    case ADT_AWS_STRING:
        return emit_key(j) < 0 ? -1 : ADT_AWS_EMIT(rd, string, text, adt_number_write_integer(value, text));
    default:
        return adt_aws_wrong_type(rd, ref);
    }
}

static int on_number(void *ctx, double value)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    const struct adt_aws_member *ref;
    char text[ADT_NUMBER_TEXT];
    if (j->whole)
        return ADT_AWS_EMIT(rd, number, value);
    int rc = admit(j, &ref);
    if (rc <= 0)
        return rc;
    enum adt_aws_type type = ref->shape->type;
    bool whole = fabs(value) < 9e15 && floor(value) == value;
    if (type == ADT_AWS_STRING)
        return emit_key(j) < 0 ? -1 : ADT_AWS_EMIT(rd, string, text, adt_number_write_double(value, text));
    if (type != ADT_AWS_INTEGER && type != ADT_AWS_FLOAT && type != ADT_AWS_TIMESTAMP && !is_plain(ref))
        return adt_aws_wrong_type(rd, ref);
    if (emit_key(j) < 0)
        return -1;
    if (whole && (type == ADT_AWS_INTEGER || type == ADT_AWS_TIMESTAMP))
        return ADT_AWS_EMIT(rd, integer, (int64_t)value);
    return ADT_AWS_EMIT(rd, number, value);
}

static int on_big(void *ctx, const char *digits, size_t n)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    const struct adt_aws_member *ref;
    double value;
    if (j->whole)
        return adt_aws_emit_big(rd, digits, n);
    int rc = admit(j, &ref);
    if (rc <= 0)
        return rc;
    switch (ref->shape->type) {
    case ADT_AWS_INTEGER:
    case ADT_AWS_DOCUMENT:
        return emit_key(j) < 0 ? -1 : adt_aws_emit_big(rd, digits, n);
    case ADT_AWS_STRING:
        return emit_key(j) < 0 ? -1 : ADT_AWS_EMIT(rd, string, digits, n);
    case ADT_AWS_FLOAT:
    case ADT_AWS_TIMESTAMP:
        if (adt_number_double(digits, n, &value) < 0)
            return adt_aws_wrong_type(rd, ref);
        return emit_key(j) < 0 ? -1 : ADT_AWS_EMIT(rd, number, value);
    default:
        return adt_aws_wrong_type(rd, ref);
    }
}

static int on_string(void *ctx, const char *text, size_t n)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    const struct adt_aws_member *ref;
    if (j->whole)
        return ADT_AWS_EMIT(rd, string, text, n);
    int rc = admit(j, &ref);
    if (rc <= 0)
        return rc;
    return emit_key(j) < 0 ? -1 : adt_aws_emit_text(rd, ref, text, n);
}

/* An array or object begins: 1 when a frame is wanted for [ref]. */
static int begin(struct by_shape *j, bool array, const struct adt_aws_member **ref)
{
    struct adt_aws_reader *rd = j->rd;
    if (j->whole) {
        j->whole++;
        return array ? ADT_AWS_EMIT(rd, begin_array) : ADT_AWS_EMIT(rd, begin_object);
    }
    int rc = admit(j, ref);
    if (rc == 0)
        j->passed++;
    if (rc <= 0)
        return rc;
    if (is_plain(*ref)) {
        j->whole = 1;
        return emit_key(j) < 0 ? -1 : array ? ADT_AWS_EMIT(rd, begin_array) : ADT_AWS_EMIT(rd, begin_object);
    }
    enum adt_aws_type type = (*ref)->shape->type;
    if (array ? type != ADT_AWS_LIST : type != ADT_AWS_STRUCTURE && type != ADT_AWS_MAP)
        return adt_aws_wrong_type(rd, *ref);
    if (j->depth == ADT_AWS_DEPTH)
        return adt_error_set(rd->err, ADT_SERVICE, "TooDeep", "more than %d levels deep", ADT_AWS_DEPTH);
    return 1;
}

static bool is_bare_root(const struct by_shape *j)
{
    return !j->depth && !j->root_key;
}

static void push(struct by_shape *j, const struct adt_aws_shape *s)
{
    j->frames[j->depth++] = (struct frame){.shape = s};
}

static int on_begin_array(void *ctx)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    const struct adt_aws_member *ref = NULL;
    int rc = begin(j, true, &ref);
    if (rc <= 0 || !ref)
        return rc;
    if (emit_key(j) < 0)
        return -1;
    push(j, ref->shape);
    return ADT_AWS_EMIT(rd, begin_array);
}

static int on_begin_object(void *ctx)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    const struct adt_aws_member *ref = NULL;
    bool bare = is_bare_root(j);
    int rc = begin(j, false, &ref);
    if (rc <= 0 || !ref)
        return rc;
    if (emit_key(j) < 0)
        return -1;
    push(j, ref->shape);
    return bare ? 0 : ADT_AWS_EMIT(rd, begin_object);
}

/* Whether the array or object that ends had a frame. */
static bool ends(struct by_shape *j)
{
    if (j->passed) {
        j->passed--;
        return false;
    }
    if (j->whole)
        j->whole--;
    else
        j->depth--;
    return true;
}

static int on_end_array(void *ctx)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    return ends(j) ? ADT_AWS_EMIT(rd, end_array) : 0;
}

static int on_end_object(void *ctx)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    const struct frame *f = j->passed || j->whole ? NULL : top(j);
    if (f && f->shape->is_union && f->count != 1)
        return adt_aws_no_union(rd, f->shape, f->count);
    bool framed = ends(j);
    return framed && !(is_bare_root(j) && !j->whole && f) ? ADT_AWS_EMIT(rd, end_object) : 0;
}

static int on_key(void *ctx, const char *text, size_t n)
{
    struct by_shape *j = ctx;
    struct adt_aws_reader *rd = j->rd;
    struct frame *f = top(j);
    if (j->whole)
        return ADT_AWS_EMIT(rd, key, text, n);
    if (j->passed)
        return 0;
    f->member = f->shape->type == ADT_AWS_MAP ? NULL : adt_aws_find_member(rd, f->shape, text, n);
    if (f->member)
        return 0;
    if (f->shape->type != ADT_AWS_MAP && !f->shape->is_union)
        return 0;
    rd->key.len = 0; /* wanted when the value comes */
    return adt_buf_add(&rd->key, text, n) < 0 ? adt_error_nomem(rd->err) : 0;
}

static const struct adt_events by_shape_events = {
    .null = on_null,
    .boolean = on_boolean,
    .integer = on_integer,
    .number = on_number,
    .big = on_big,
    .string = on_string,
    .begin_array = on_begin_array,
    .end_array = on_end_array,
    .begin_object = on_begin_object,
    .key = on_key,
    .end_object = on_end_object,
};

int adt_aws_read_json_shape(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *key,
                            const char *text, size_t n)
{
    /* Plain data may be deeper than shapes, and so may be what nobody asked for. */
    static const struct adt_json_options opt = {.max_depth = 2 * ADT_AWS_DEPTH, .cause = ADT_SERVICE};
    struct by_shape j = {.rd = rd, .root = ref, .root_key = key};
    return adt_json_parse(text, n, &opt, &by_shape_events, &j, rd->err);
}

int adt_aws_read_json(struct adt_aws_reader *rd, const struct adt_aws_member *output)
{
    return adt_aws_read_json_shape(rd, output, NULL, rd->body, rd->body_n);
}
