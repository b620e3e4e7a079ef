/* request_text.c - bytes into a request's buffers, and scalars as text */
#include "aws/request_private.h"

#include "base/mem.h"
#include "base/secret.h"
#include "data/digest.h"
#include "data/number.h"

#include <errno.h>
#include <math.h>
#include <string.h>

int adt_aws_failed(struct adt_aws_maker *m)
{
    if (errno != EOVERFLOW)
        return adt_error_nomem(m->err);
    return adt_error_set(m->err, ADT_USAGE, "TooBig", "the request %s takes more than %d bytes", m->op->name,
                         ADT_AWS_REQUEST_MAX);
}

/* Buffers double, so this is rare; realloc would leave what it moved behind. */
static int reserve(struct adt_aws_maker *m, struct adt_buf *b, size_t n)
{
    if (n > b->max || b->len > b->max - n) {
        errno = EOVERFLOW;
        return adt_aws_failed(m);
    }
    size_t need = b->len + n + 1, cap = b->cap ? b->cap : 256;
    if (need <= b->cap)
        return 0;
    while (cap < need)
        cap *= 2;
    char *p = adt_alloc(cap);
    if (!p)
        return adt_error_nomem(m->err);
    if (b->p) {
        memcpy(p, b->p, b->len + 1);
        adt_wipe(b->p, b->len);
        adt_free(b->p);
    }
    b->p = p;
    b->cap = cap;
    return 0;
}

int adt_aws_put(struct adt_aws_maker *m, struct adt_buf *b, const char *p, size_t n)
{
    if (reserve(m, b, n) < 0)
        return -1;
    if (n)
        memcpy(b->p + b->len, p, n);
    b->len += n;
    b->p[b->len] = '\0';
    return 0;
}

int adt_aws_puts(struct adt_aws_maker *m, struct adt_buf *b, const char *s)
{
    return adt_aws_put(m, b, s, strlen(s));
}

void adt_aws_buf_wipe(struct adt_buf *b)
{
    if (b->p)
        adt_wipe(b->p, b->cap);
    adt_buf_free(b);
}

int adt_aws_put_base64(struct adt_aws_maker *m, struct adt_buf *b, const char *p, size_t n)
{
    if (n > ADT_AWS_REQUEST_MAX) {
        errno = EOVERFLOW;
        return adt_aws_failed(m);
    }
    if (reserve(m, b, (n + 2) / 3 * 4) < 0)
        return -1;
    return adt_base64_encode(p, n, false, b) < 0 ? adt_aws_failed(m) : 0;
}

static bool is_plain(unsigned char c, const char *safe)
{
    unsigned char letter = c | 32;
    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c)) ||
           (c && strchr(safe, c));
}

int adt_aws_put_percent(struct adt_aws_maker *m, struct adt_buf *b, const char *p, size_t n, const char *safe)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0, from = 0; i <= n; i++) {
        if (i < n && is_plain((unsigned char)p[i], safe))
            continue;
        if (adt_aws_put(m, b, p + from, i - from) < 0)
            return -1;
        from = i + 1;
        if (i == n)
            break;
        char escape[3] = {'%', hex[(unsigned char)p[i] >> 4], hex[p[i] & 15]};
        if (adt_aws_put(m, b, escape, 3) < 0)
            return -1;
    }
    return 0;
}

static void number(double v, struct adt_aws_text *out)
{
    out->p = isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity";
    out->n = strlen(out->p);
    if (!isfinite(v))
        return;
    out->p = out->own;
    out->n = adt_number_write_double(v, out->own);
}

static void moment(const struct adt_aws_member *ref, const struct adt_value *v, enum adt_aws_time otherwise,
                   struct adt_aws_text *out)
{
    double seconds = v->type == ADT_VALUE_INTEGER ? (double)v->integer : v->number;
    if (v->type == ADT_VALUE_STRING)
        adt_aws_time_iso8601(v->string.p, v->string.n, &seconds);
    out->p = out->own;
    out->n = adt_aws_time_write(seconds, ref->time ? ref->time : otherwise, out->own);
}

void adt_aws_scalar(const struct adt_aws_member *ref, const struct adt_value *v, enum adt_aws_time otherwise,
                    struct adt_aws_text *out)
{
    if (ref->shape->type == ADT_AWS_TIMESTAMP) {
        moment(ref, v, otherwise, out);
        return;
    }
    switch (v->type) {
    case ADT_VALUE_STRING:
        out->p = v->string.p;
        out->n = v->string.n;
        break;
    case ADT_VALUE_BOOLEAN:
        out->p = v->boolean ? "true" : "false";
        out->n = strlen(out->p);
        break;
    case ADT_VALUE_INTEGER:
        out->p = out->own;
        out->n = adt_number_write_integer(v->integer, out->own);
        break;
    default: /* a number: nothing else is a scalar, and null was left out */
        if (ref->shape->type != ADT_AWS_INTEGER) {
            number(v->number, out);
            break;
        }
        out->p = out->own;
        out->n = adt_number_write_integer((int64_t)v->number, out->own);
    }
}
