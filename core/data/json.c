/* json.c - the JSON parser: yajl's tokens, behind the checks that yajl leaves to us
 *
 * yajl does not look at what its allocator returns, takes \v and \f for blanks, does not see overlong UTF-8, turns half
 * a surrogate pair into "?", and forgets an unfinished token behind a whole value. So its memory comes from a pool
 * whose failure leaves yajl by longjmp; each piece of text is scanned before yajl sees it; and yajl is stopped at the
 * end of the value. */
#include "data/json.h"

#include "base/list.h"
#include "base/mem.h"
#include "data/number.h"
#include "data/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_parse.h>

enum escape { PLAIN, BACKSLASH, HEX1, HEX2, HEX3, HEX4, LOW_BACKSLASH, LOW_U };

struct adt_json_parser {
    struct adt_json_options opt;
    const struct adt_events *events;
    void *ctx;
    struct adt_error *err;
    yajl_handle yajl;
    struct adt_list pool; /* every block that yajl holds */
    jmp_buf nomem;
    const char *text;         /* the piece being parsed */
    size_t len, base;         /* its length; bytes of the pieces before it */
    size_t lines, line_start; /* before this piece: newlines, and the offset behind the last one */
    size_t depth;
    bool done, failed, last; /* last: the text has ended, yajl is working off what it still held */
    struct adt_utf8 utf8;
    enum escape escape;
    unsigned unit; /* the \u escape being read */
    bool high;     /* the escape before was the first half of a pair */
};

/* Errors and positions */

static void where(struct adt_error *err, const char *name, size_t line, size_t column)
{
    if (err && name)
        snprintf(err->where, sizeof err->where, "%.90s:%zu:%zu", name, line, column);
    else if (err)
        snprintf(err->where, sizeof err->where, "line %zu, column %zu", line, column);
}

static size_t count_lines(const char *text, size_t n, size_t *last)
{
    size_t lines = 0;
    const char *at = text, *end = text + n;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        *last = (size_t)(++at - text);
        lines++;
    }
    return lines;
}

void adt_json_where(const char *name, const char *text, size_t n, size_t offset, struct adt_error *err)
{
    size_t start = 0, at = offset < n ? offset : n;
    size_t line = 1 + count_lines(text, at, &start);
    where(err, name, line, at - start + 1);
}

static void put_where(struct adt_json_parser *p, size_t offset)
{
    size_t last = 0, lines = count_lines(p->text, offset, &last);
    size_t start = lines ? p->base + last : p->line_start;
    where(p->err, p->opt.name, 1 + p->lines + lines, p->base + offset - start + 1);
}

/* What stands around the place, printable, for the message. */
static const char *excerpt(const struct adt_json_parser *p, size_t offset, char out[static 64])
{
    size_t from = offset > 20 ? offset - 20 : 0, to = p->len - offset > 12 ? offset + 12 : p->len, n = 0;
    for (size_t i = from; i < to; i++) {
        unsigned char c = (unsigned char)p->text[i];
        if (c > ' ' && c < 0x7F)
            out[n++] = (char)c;
        else if (c >= 0x80)
            out[n++] = '?';
        else if (n && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    out[n] = '\0';
    return out;
}

static int fail_at(struct adt_json_parser *p, size_t offset, const char *code, const char *what)
{
    char near[64];
    p->failed = true;
    adt_error_set(p->err, p->opt.cause, code, "bad JSON: %s, near '%s'", what, excerpt(p, offset, near));
    put_where(p, offset);
    return -1;
}

/* Memory for yajl */

struct block {
    struct adt_list link;
    alignas(max_align_t) char bytes[];
};

static void *pool_realloc(void *ctx, void *ptr, size_t n)
{
    struct adt_json_parser *p = ctx;
    struct block *b = ptr ? adt_container(ptr, struct block, bytes) : NULL;
    if (b)
        adt_list_remove(&b->link);
    struct block *grown = adt_realloc(b, sizeof *b + n);
    if (grown || b)
        adt_list_push(&p->pool, grown ? &grown->link : &b->link);
    if (!grown)
        longjmp(p->nomem, 1);
    return grown->bytes;
}

static void *pool_alloc(void *ctx, size_t n)
{
    return pool_realloc(ctx, NULL, n);
}

static void pool_free(void *ctx, void *ptr)
{
    (void)ctx;
    if (!ptr)
        return;
    struct block *b = adt_container(ptr, struct block, bytes);
    adt_list_remove(&b->link);
    adt_free(b);
}

/* What yajl reports */

static size_t here(const struct adt_json_parser *p)
{
    size_t at = yajl_get_bytes_consumed(p->yajl);
    return p->last || at > p->len ? p->len : at;
}

/* yajl stands behind the token that it reports or does not like. */
static size_t token(const struct adt_json_parser *p)
{
    size_t at = here(p);
    return at && !p->last ? at - 1 : at;
}

static int too_deep(struct adt_json_parser *p)
{
    char what[64];
    snprintf(what, sizeof what, "more than %u levels deep", p->opt.max_depth);
    return fail_at(p, token(p), "TooDeep", what);
}

/* A callback of the consumer has answered [rc]; yajl goes on when this is not 0. */
static int went(struct adt_json_parser *p, int rc)
{
    if (rc < 0) {
        p->failed = true;
        if (p->err && !p->err->where[0])
            put_where(p, token(p));
        return 0;
    }
    p->done = p->depth == 0;
    return !p->done;
}

#define EMIT(p, event, ...) went(p, (p)->events->event ? (p)->events->event(__VA_ARGS__) : 0)

static int on_null(void *ctx)
{
    struct adt_json_parser *p = ctx;
    return EMIT(p, null, p->ctx);
}

static int on_boolean(void *ctx, int value)
{
    struct adt_json_parser *p = ctx;
    return EMIT(p, boolean, p->ctx, value != 0);
}

static int on_number(void *ctx, const char *text, size_t n)
{
    struct adt_json_parser *p = ctx;
    int64_t integer;
    double number;
    bool whole = true;
    for (size_t i = 0; i < n && whole; i++)
        whole = text[i] == '-' || (text[i] >= '0' && text[i] <= '9');
    if (whole && adt_number_integer(text, n, &integer) == 0)
        return EMIT(p, integer, p->ctx, integer);
    if (whole && p->events->big)
        return EMIT(p, big, p->ctx, text, n);
    if (adt_number_double(text, n, &number) == 0)
        return EMIT(p, number, p->ctx, number);
    if (errno == ENOMEM)
        longjmp(p->nomem, 1);
    return fail_at(p, token(p), "BadJson", "a number too big for a double"), 0;
}

static int on_string(void *ctx, const unsigned char *text, size_t n)
{
    struct adt_json_parser *p = ctx;
    return EMIT(p, string, p->ctx, (const char *)text, n);
}

static int on_key(void *ctx, const unsigned char *text, size_t n)
{
    struct adt_json_parser *p = ctx;
    return EMIT(p, key, p->ctx, (const char *)text, n);
}

static int on_begin_array(void *ctx)
{
    struct adt_json_parser *p = ctx;
    if (++p->depth > p->opt.max_depth)
        return too_deep(p), 0;
    return EMIT(p, begin_array, p->ctx);
}

static int on_end_array(void *ctx)
{
    struct adt_json_parser *p = ctx;
    p->depth--;
    return EMIT(p, end_array, p->ctx);
}

static int on_begin_object(void *ctx)
{
    struct adt_json_parser *p = ctx;
    if (++p->depth > p->opt.max_depth)
        return too_deep(p), 0;
    return EMIT(p, begin_object, p->ctx);
}

static int on_end_object(void *ctx)
{
    struct adt_json_parser *p = ctx;
    p->depth--;
    return EMIT(p, end_object, p->ctx);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_begin_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end_object,
    .yajl_start_array = on_begin_array,
    .yajl_end_array = on_end_array,
};

/* The scan before yajl: UTF-8 and surrogate pairs */

static int hex(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A byte that is wrong in an escape is left to yajl, which stops there. */
static const char *step_escape(struct adt_json_parser *p, unsigned char c)
{
    switch (p->escape) {
    case PLAIN:
        p->escape = c == '\\' ? BACKSLASH : PLAIN;
        break;
    case BACKSLASH:
        p->escape = c == 'u' ? HEX1 : PLAIN;
        p->unit = 0;
        break;
    case HEX1:
    case HEX2:
    case HEX3:
    case HEX4:
        if (hex(c) < 0) {
            p->escape = PLAIN;
            p->high = false;
            break;
        }
        p->unit = p->unit << 4 | (unsigned)hex(c);
        if (p->escape++ != HEX4)
            break;
        bool low = p->unit >= 0xDC00 && p->unit <= 0xDFFF, first = p->high;
        if (low != first)
            return low ? "the second half of a surrogate pair without the first" : "half a surrogate pair";
        p->high = p->unit >= 0xD800 && p->unit <= 0xDBFF;
        p->escape = p->high ? LOW_BACKSLASH : PLAIN;
        break;
    case LOW_BACKSLASH:
        if (c != '\\')
            return "half a surrogate pair";
        p->escape = LOW_U;
        break;
    case LOW_U:
        if (c != 'u')
            return "half a surrogate pair";
        p->escape = HEX1;
        p->unit = 0;
        break;
    }
    return NULL;
}

/* How much of the piece yajl may see; [what] tells why not all of it. */
static size_t scan(struct adt_json_parser *p, const char **what)
{
    size_t i = 0;
    for (; i < p->len; i++) {
        if (p->escape == PLAIN && !p->utf8.need) {
            i += adt_utf8_plain(p->text + i, p->len - i);
            if (i == p->len)
                break;
        }
        unsigned char c = (unsigned char)p->text[i];
        if (adt_utf8_next(&p->utf8, c) < 0) {
            *what = "not UTF-8";
            break;
        }
        if ((p->escape != PLAIN || c == '\\') && (*what = step_escape(p, c)))
            break;
    }
    /* Blanks to yajl, but not to JSON. */
    for (const char *c = "\v\f"; *c; c++) {
        const char *at = memchr(p->text, *c, i);
        if (at) {
            i = (size_t)(at - p->text);
            *what = "a control character";
        }
    }
    return i;
}

/* Feeding */

static int guarded(struct adt_json_parser *p, size_t n)
{
    if (setjmp(p->nomem)) {
        p->failed = true;
        return adt_error_nomem(p->err);
    }
    yajl_status rc = p->last ? yajl_complete_parse(p->yajl) : yajl_parse(p->yajl, (const unsigned char *)p->text, n);
    if (p->failed)
        return -1;
    if (rc != yajl_status_error)
        return 0;
    size_t at = token(p);
    unsigned char *text = yajl_get_error(p->yajl, 0, NULL, 0);
    const char *colon = strstr((char *)text, ": ");
    char what[96];
    snprintf(what, sizeof what, "%s", colon ? colon + 2 : (char *)text);
    yajl_free_error(p->yajl, text);
    what[strcspn(what, "\n")] = '\0';
    return fail_at(p, at, "BadJson", p->last ? "the text ends too early" : what);
}

static int blanks_only(struct adt_json_parser *p, size_t from)
{
    for (size_t i = from; i < p->len; i++)
        if (p->text[i] != ' ' && p->text[i] != '\n' && p->text[i] != '\r' && p->text[i] != '\t')
            return fail_at(p, i, "BadJson", "more text after the value");
    return 0;
}

static int feed(struct adt_json_parser *p, const char *text, size_t n)
{
    p->text = text;
    p->len = n;
    if (n > p->opt.max_size || p->base > p->opt.max_size - n) {
        p->failed = true;
        return adt_error_set(p->err, p->opt.cause, "TooBig", "JSON text of more than %zu bytes", p->opt.max_size);
    }
    const char *what = NULL;
    size_t good = scan(p, &what), from = 0;
    if (!p->done) {
        if (guarded(p, good) < 0)
            return -1;
        from = here(p);
    }
    if (p->done && blanks_only(p, from) < 0)
        return -1;
    return what ? fail_at(p, good, "BadJson", what) : 0;
}

int adt_json_feed(struct adt_json_parser *p, const char *text, size_t n)
{
    if (feed(p, text, n) < 0)
        return -1;
    size_t last = 0, lines = count_lines(text, n, &last);
    if (lines)
        p->line_start = p->base + last;
    p->lines += lines;
    p->base += n;
    p->len = 0;
    return 0;
}

int adt_json_finish(struct adt_json_parser *p)
{
    if (p->failed)
        return -1;
    p->last = true;
    if (!p->done && guarded(p, 0) < 0)
        return -1;
    return p->done ? 0 : fail_at(p, p->len, "BadJson", "the text ends too early");
}

size_t adt_json_offset(const struct adt_json_parser *p)
{
    return p->base + here(p);
}

struct adt_json_parser *adt_json_new(const struct adt_json_options *opt, const struct adt_events *events, void *ctx,
                                     struct adt_error *err)
{
    struct adt_json_parser *p = adt_zalloc(sizeof *p);
    if (!p)
        return adt_error_nomem(err), NULL;
    if (opt)
        p->opt = *opt;
    p->opt.max_depth = p->opt.max_depth ? p->opt.max_depth : ADT_JSON_DEPTH;
    p->opt.max_size = p->opt.max_size ? p->opt.max_size : ADT_JSON_SIZE;
    p->opt.cause = p->opt.cause ? p->opt.cause : ADT_CONFIG;
    p->events = events;
    p->ctx = ctx;
    p->err = err;
    p->text = "";
    adt_list_init(&p->pool);
    if (setjmp(p->nomem)) {
        adt_json_free(p);
        return adt_error_nomem(err), NULL;
    }
    yajl_alloc_funcs memory = {pool_alloc, pool_realloc, pool_free, p};
    p->yajl = yajl_alloc(&callbacks, &memory, p);
    yajl_config(p->yajl, yajl_dont_validate_strings, 1);
    return p;
}

void adt_json_free(struct adt_json_parser *p)
{
    if (!p)
        return;
    /* Not yajl_free(): after running out of memory yajl's own books may be half written. */
    while (!adt_list_empty(&p->pool))
        adt_free(adt_container(adt_list_pop(&p->pool), struct block, link));
    adt_free(p);
}

int adt_json_parse(const char *text, size_t n, const struct adt_json_options *opt, const struct adt_events *events,
                   void *ctx, struct adt_error *err)
{
    struct adt_error local;
    struct adt_json_parser *p = adt_json_new(opt, events, ctx, err ? err : &local);
    if (!p)
        return -1;
    int rc = feed(p, text, n);
    if (rc == 0)
        rc = adt_json_finish(p);
    adt_json_free(p);
    return rc;
}
