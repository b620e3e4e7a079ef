/* json_write.c - events as JSON text */
#include "base/mem.h"
#include "data/json.h"
#include "data/number.h"
#include "data/utf8.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static int added(struct adt_json_writer *w, int rc)
{
    if (rc == 0)
        return 0;
    if (errno == ENOMEM)
        return adt_error_nomem(w->err);
    return adt_error_set(w->err, ADT_USAGE, "TooBig", "JSON text of more than %zu bytes", w->out->max);
}

static int new_line(struct adt_json_writer *w)
{
    size_t n = w->indent ? 1 + (size_t)w->indent * w->depth : 0;
    char *p = adt_buf_grow(w->out, n);
    if (!p)
        return -1;
    if (n) {
        *p = '\n';
        memset(p + 1, ' ', n - 1);
        w->out->len += n;
    }
    return 0;
}

/* What stands before a value or a key: nothing after a key, else a comma where something came before. */
static int lead(struct adt_json_writer *w)
{
    if (w->value) {
        w->value = false;
        w->comma = true;
        return 0;
    }
    if (w->comma && adt_buf_addc(w->out, ',') < 0)
        return -1;
    w->comma = true;
    return w->depth ? new_line(w) : 0;
}

static int put(struct adt_json_writer *w, const char *text, size_t n)
{
    return added(w, lead(w) < 0 ? -1 : adt_buf_add(w->out, text, n));
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

static int put_string(struct adt_buf *out, const char *text, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    if (adt_buf_addc(out, '"') < 0)
        return -1;
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!escapes[c])
            continue;
        char escape[6] = {'\\', escapes[c], '0', '0', hex[c >> 4], hex[c & 15]};
        if (adt_buf_add(out, text + from, i - from) < 0 || adt_buf_add(out, escape, escapes[c] == 'u' ? 6 : 2) < 0)
            return -1;
        from = i + 1;
    }
    return adt_buf_add(out, text + from, n - from) < 0 ? -1 : adt_buf_addc(out, '"');
}

static int write_string(void *ctx, const char *text, size_t n)
{
    struct adt_json_writer *w = ctx;
    size_t good = adt_utf8_valid(text, n);
    if (good != n) {
        adt_error_set(w->err, ADT_USAGE, "NotUtf8", "a string that is not UTF-8 (byte %zu)", good + 1);
        adt_error_hint(w->err, "JSON holds text only; write bytes as hexadecimal or base64");
        return -1;
    }
    return added(w, lead(w) < 0 ? -1 : put_string(w->out, text, n));
}

static int write_key(void *ctx, const char *text, size_t n)
{
    struct adt_json_writer *w = ctx;
    if (write_string(w, text, n) < 0)
        return -1;
    w->value = true;
    return added(w, adt_buf_add(w->out, ": ", w->indent ? 2 : 1));
}

static int begin(struct adt_json_writer *w, const char *bracket)
{
    if (put(w, bracket, 1) < 0)
        return -1;
    w->depth++;
    w->comma = false;
    return 0;
}

static int end(struct adt_json_writer *w, const char *bracket)
{
    w->depth--;
    int rc = w->comma ? new_line(w) : 0;
    w->comma = true;
    return added(w, rc < 0 ? -1 : adt_buf_add(w->out, bracket, 1));
}

static int begin_array(void *ctx)
{
    return begin(ctx, "[");
}

static int end_array(void *ctx)
{
    return end(ctx, "]");
}

static int begin_object(void *ctx)
{
    return begin(ctx, "{");
}

static int end_object(void *ctx)
{
    return end(ctx, "}");
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
