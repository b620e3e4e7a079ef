/* json_write.c - events as JSON text */
#include "base/mem.h"
#include "data/json.h"
#include "data/number.h"
#include "data/utf8.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int no_room(struct adt_json_writer *w)
{
    if (errno == ENOMEM)
        return adt_error_nomem(w->err);
    return adt_error_set(w->err, ADT_USAGE, "TooBig", "JSON text of more than %zu bytes", w->out->max);
}

static char *new_line(const struct adt_json_writer *w, char *p)
{
    if (!w->indent)
        return p;
    size_t n = (size_t)w->indent * w->depth;
    *p++ = '\n';
    memset(p, ' ', n);
    return p + n;
}

/* Room for [n] bytes, behind what stands before a value or a key: nothing after a key, else a comma where something
 * came before. One growth a value, since most are short. NULL when there is none. */
static char *lead(struct adt_json_writer *w, size_t n)
{
    char *p = adt_buf_grow(w->out, n + 2 + (size_t)w->indent * w->depth);
    if (!p)
        return no_room(w), NULL;
    if (!w->value) {
        if (w->comma)
            *p++ = ',';
        if (w->depth)
            p = new_line(w, p);
    }
    w->value = false;
    w->comma = true;
    return p;
}

static int done(struct adt_json_writer *w, char *end)
{
    w->out->len = (size_t)(end - w->out->p);
    *end = '\0';
    return 0;
}

static int put(struct adt_json_writer *w, const char *text, size_t n)
{
    char *p = lead(w, n);
    if (!p)
        return -1;
    memcpy(p, text, n);
    return done(w, p + n);
}

static int write_null(void *ctx)
{
    return put(ctx, "null", 4);
}

static int write_boolean(void *ctx, bool value)
{
    return value ? put(ctx, "true", 4) : put(ctx, "false", 5);
}

static int write_integer(void *ctx, int64_t value)
{
    char text[ADT_NUMBER_TEXT];
    return put(ctx, text, adt_number_write_integer(value, text));
}

static int write_number(void *ctx, double value)
{
    struct adt_json_writer *w = ctx;
    char text[ADT_NUMBER_TEXT];
    if (!isfinite(value))
        return adt_error_set(w->err, ADT_USAGE, "NotFinite", "JSON has no %s", isnan(value) ? "NaN" : "infinity");
    return put(w, text, adt_number_write_double(value, text));
}

static int write_big(void *ctx, const char *digits, size_t n)
{
    return put(ctx, digits, n);
}

/* The letter behind the backslash; 'u' for those that have none of their own; 0 for what needs no escape. */
static const char escapes[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',         'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\',
};

/* How much of the start of [text] is ASCII without need of an escape. */
static size_t plain(const char *text, size_t n)
{
    const uint64_t ones = ~(uint64_t)0 / 255, high = ones << 7;
    size_t i = 0;
    for (; n - i >= 8; i += 8) {
        uint64_t v;
        memcpy(&v, text + i, 8);
        uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');
        if ((v | (v - ones * ' ') | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & high)
            break;
    }
    while (i < n && !((unsigned char)text[i] & 0x80) && !escapes[(unsigned char)text[i]])
        i++;
    return i;
}

static char *put_escaped(char *p, const char *text, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!escapes[c]) {
            *p++ = (char)c;
            continue;
        }
        char escape[6] = {'\\', escapes[c], '0', '0', hex[c >> 4], hex[c & 15]};
        size_t length = escapes[c] == 'u' ? 6 : 2;
        memcpy(p, escape, length);
        p += length;
    }
    return p;
}

static size_t escaped_size(const char *text, size_t n)
{
    size_t size = n;
    for (size_t i = 0; i < n; i++)
        size += escapes[(unsigned char)text[i]] ? 5 : 0;
    return size;
}

static int not_utf8(struct adt_json_writer *w, size_t at)
{
    adt_error_set(w->err, ADT_USAGE, "NotUtf8", "a string that is not UTF-8 (byte %zu)", at + 1);
    adt_error_hint(w->err, "JSON holds text only; write bytes as hexadecimal or base64");
    return -1;
}

/* [after]: what follows the closing quote. */
static int put_string(struct adt_json_writer *w, const char *text, size_t n, const char *after, size_t after_n)
{
    size_t easy = plain(text, n), rest = n - easy;
    size_t good = rest ? adt_utf8_valid(text + easy, rest) : 0;
    if (good != rest)
        return not_utf8(w, easy + good);
    char *p = lead(w, easy + escaped_size(text + easy, rest) + 2 + after_n);
    if (!p)
        return -1;
    *p++ = '"';
    if (easy)
        memcpy(p, text, easy);
    p = put_escaped(p + easy, text + easy, rest);
    *p++ = '"';
    memcpy(p, after, after_n);
    return done(w, p + after_n);
}

static int write_string(void *ctx, const char *text, size_t n)
{
    return put_string(ctx, text, n, "", 0);
}

static int write_key(void *ctx, const char *text, size_t n)
{
    struct adt_json_writer *w = ctx;
    if (put_string(w, text, n, ": ", w->indent ? 2 : 1) < 0)
        return -1;
    w->value = true;
    return 0;
}

static int begin(struct adt_json_writer *w, const char *bracket)
{
    if (put(w, bracket, 1) < 0)
        return -1;
    w->depth++;
    w->comma = false;
    return 0;
}

static int end(struct adt_json_writer *w, char bracket)
{
    w->depth--;
    char *p = adt_buf_grow(w->out, 2 + (size_t)w->indent * w->depth);
    if (!p)
        return no_room(w);
    if (w->comma)
        p = new_line(w, p);
    w->comma = true;
    *p = bracket;
    return done(w, p + 1);
}

static int begin_array(void *ctx)
{
    return begin(ctx, "[");
}

static int end_array(void *ctx)
{
    return end(ctx, ']');
}

static int begin_object(void *ctx)
{
    return begin(ctx, "{");
}

static int end_object(void *ctx)
{
    return end(ctx, '}');
}

const struct adt_events adt_json_write = {
    .null = write_null,
    .boolean = write_boolean,
    .integer = write_integer,
    .number = write_number,
    .big = write_big,
    .string = write_string,
    .begin_array = begin_array,
    .end_array = end_array,
    .begin_object = begin_object,
    .key = write_key,
    .end_object = end_object,
};
