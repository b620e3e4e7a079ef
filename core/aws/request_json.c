/* request_json.c - parameters as JSON, byte for byte as botocore writes it */
#include "aws/request_private.h"

#include "data/number.h"
#include "data/utf8.h"

#include <math.h>
#include <string.h>

/* --- scalars ------------------------------------------------------------------------------------------------------ */

/* The code point at [p], which is valid UTF-8, and how many bytes it takes. */
static unsigned decode(const unsigned char *p, size_t *n)
{
    *n = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    unsigned c = p[0] & (0xFFu >> (*n + 1));
    for (size_t i = 1; i < *n; i++)
        c = c << 6 | (p[i] & 0x3F);
    return c;
}

static int put_unit(struct adt_aws_maker *m, struct adt_buf *b, unsigned unit)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', hex[unit >> 12], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15]};
    return adt_aws_put(m, b, text, sizeof text);
}

/* One character that does not stand for itself; [n] becomes its length. */
static int put_escape(struct adt_aws_maker *m, struct adt_buf *b, const char *p, size_t *n)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = *p ? strchr(plain, *p) : NULL;
    *n = 1;
    if (at) {
        char text[2] = {'\\', letters[at - plain]};
        return adt_aws_put(m, b, text, 2);
    }
    if (!(*p & 0x80))
        return put_unit(m, b, (unsigned char)*p);
    unsigned c = decode((const unsigned char *)p, n);
    if (c < 0x10000)
        return put_unit(m, b, c);
    return put_unit(m, b, 0xD800 + ((c - 0x10000) >> 10)) < 0 ? -1 : put_unit(m, b, 0xDC00 + ((c - 0x10000) & 0x3FF));
}

static int put_string(struct adt_aws_maker *m, struct adt_buf *b, const char *p, size_t n)
{
    size_t from = 0, taken;
    if (adt_aws_put(m, b, "\"", 1) < 0)
        return -1;
    for (size_t i = 0; i < n; i += taken) {
        taken = 1;
        if (p[i] >= ' ' && p[i] != '"' && p[i] != '\\' && !(p[i] & 0x80))
            continue;
        if (adt_aws_put(m, b, p + from, i - from) < 0 || put_escape(m, b, p + i, &taken) < 0)
            return -1;
        from = i + taken;
    }
    return adt_aws_put(m, b, p + from, n - from) < 0 ? -1 : adt_aws_put(m, b, "\"", 1);
}

static int put_scalar(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                      struct adt_buf *b)
{
    struct adt_aws_text text;
    adt_aws_scalar(ref, v, ADT_AWS_TIME_UNIX, &text);
    bool quoted = v->type == ADT_VALUE_STRING || (v->type == ADT_VALUE_NUMBER && !isfinite(v->number));
    if (ref->shape->type == ADT_AWS_TIMESTAMP)
        quoted = ref->time == ADT_AWS_TIME_ISO8601 || ref->time == ADT_AWS_TIME_RFC822;
    return quoted ? put_string(m, b, text.p, text.n) : adt_aws_put(m, b, text.p, text.n);
}

static int put_blob(struct adt_aws_maker *m, const struct adt_value *v, struct adt_buf *b)
{
    if (adt_aws_put(m, b, "\"", 1) < 0 || adt_aws_put_base64(m, b, v->string.p, v->string.n) < 0)
        return -1;
    return adt_aws_put(m, b, "\"", 1);
}

/* --- by shape ----------------------------------------------------------------------------------------------------- */

static int put_key(struct adt_aws_maker *m, bool *first, const char *key, size_t n, struct adt_buf *b)
{
    if (!*first && adt_aws_put(m, b, ", ", 2) < 0)
        return -1;
    *first = false;
    return put_string(m, b, key, n) < 0 ? -1 : adt_aws_put(m, b, ": ", 2);
}

static int put_structure(struct adt_aws_maker *m, const struct adt_aws_shape *s, const struct adt_value *v,
                         struct adt_buf *b)
{
    bool first = true;
    if (adt_aws_put(m, b, "{", 1) < 0)
        return -1;
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_aws_member *member = &s->members[i];
        const struct adt_value *given = adt_aws_given(v, member);
        const char *name = member->wire_name ? member->wire_name : member->name;
        bool elsewhere = m->model->protocol == ADT_AWS_REST_JSON && s == m->op->input->shape && v == m->params &&
                         member->location != ADT_AWS_BODY;
        if (!given || elsewhere)
            continue;
        if (put_key(m, &first, name, strlen(name), b) < 0 || adt_aws_json_value(m, member, given, b) < 0)
            return -1;
    }
    return adt_aws_put(m, b, "}", 1);
}

static int put_list(struct adt_aws_maker *m, const struct adt_aws_shape *s, const struct adt_value *v,
                    struct adt_buf *b)
{
    if (adt_aws_put(m, b, "[", 1) < 0)
        return -1;
    for (size_t i = 0; i < v->list.n; i++)
        if ((i && adt_aws_put(m, b, ", ", 2) < 0) || adt_aws_json_value(m, s->element, &v->list.items[i], b) < 0)
            return -1;
    return adt_aws_put(m, b, "]", 1);
}

static int put_map(struct adt_aws_maker *m, const struct adt_aws_shape *s, const struct adt_value *v, struct adt_buf *b)
{
    bool first = true;
    const size_t *order = adt_aws_sorted_keys(m, v);
    if (!order || adt_aws_put(m, b, "{", 1) < 0)
        return -1;
    for (size_t i = 0; i < v->list.n; i++) {
        const struct adt_value *key = &v->list.keys[order[i]];
        if (put_key(m, &first, key->string.p, key->string.n, b) < 0 ||
            adt_aws_json_value(m, s->element, &v->list.items[order[i]], b) < 0)
            return -1;
    }
    return adt_aws_put(m, b, "}", 1);
}

int adt_aws_json_value(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                       struct adt_buf *b)
{
    if (v->type == ADT_VALUE_NULL)
        return adt_aws_put(m, b, "null", 4);
    switch (ref->shape->type) {
    case ADT_AWS_STRUCTURE:
        return put_structure(m, ref->shape, v, b);
    case ADT_AWS_LIST:
        return put_list(m, ref->shape, v, b);
    case ADT_AWS_MAP:
        return put_map(m, ref->shape, v, b);
    case ADT_AWS_BLOB:
        return put_blob(m, v, b);
    case ADT_AWS_DOCUMENT:
        return adt_aws_json_plain(m, v, false, b);
    default:
        return put_scalar(m, ref, v, b);
    }
}

/* --- as it is ----------------------------------------------------------------------------------------------------- */

static int put_plain_list(struct adt_aws_maker *m, const struct adt_value *v, bool compact, struct adt_buf *b)
{
    bool object = v->type == ADT_VALUE_OBJECT;
    const size_t *order = object ? adt_aws_sorted_keys(m, v) : NULL;
    if ((object && !order) || adt_aws_put(m, b, object ? "{" : "[", 1) < 0)
        return -1;
    for (size_t i = 0; i < v->list.n; i++) {
        size_t at = order ? order[i] : i;
        if (i && adt_aws_put(m, b, ", ", compact ? 1 : 2) < 0)
            return -1;
        if (object && (put_string(m, b, v->list.keys[at].string.p, v->list.keys[at].string.n) < 0 ||
                       adt_aws_put(m, b, ": ", compact ? 1 : 2) < 0))
            return -1;
        if (adt_aws_json_plain(m, &v->list.items[at], compact, b) < 0)
            return -1;
    }
    return adt_aws_put(m, b, object ? "}" : "]", 1);
}

int adt_aws_json_plain(struct adt_aws_maker *m, const struct adt_value *v, bool compact, struct adt_buf *b)
{
    char text[ADT_NUMBER_TEXT];
    switch (v->type) {
    case ADT_VALUE_NULL:
        return adt_aws_put(m, b, "null", 4);
    case ADT_VALUE_BOOLEAN:
        return adt_aws_puts(m, b, v->boolean ? "true" : "false");
    case ADT_VALUE_INTEGER:
        return adt_aws_put(m, b, text, adt_number_write_integer(v->integer, text));
    case ADT_VALUE_NUMBER:
        return adt_aws_put(m, b, text, adt_number_write_double(v->number, text));
    case ADT_VALUE_STRING:
        return put_string(m, b, v->string.p, v->string.n);
    default:
        return put_plain_list(m, v, compact, b);
    }
}

/* --- the request of json 1.0 and 1.1 ------------------------------------------------------------------------------ */

static int put_headers(struct adt_aws_maker *m, struct adt_buf *text)
{
    if (adt_aws_puts(m, text, m->model->target_prefix) < 0 || adt_aws_puts(m, text, ".") < 0 ||
        adt_aws_puts(m, text, m->op->name) < 0 || adt_aws_header(m, "X-Amz-Target", 12, text->p, text->len) < 0)
        return -1;
    text->len = 0;
    if (adt_aws_puts(m, text, "application/x-amz-json-") < 0 || adt_aws_puts(m, text, m->model->json_version) < 0 ||
        adt_aws_header(m, "Content-Type", 12, text->p, text->len) < 0)
        return -1;
    return m->model->query_compatible ? adt_aws_header(m, "x-amzn-query-mode", 17, "true", 4) : 0;
}

int adt_aws_request_json(struct adt_aws_maker *m)
{
    struct adt_buf text;
    adt_buf_init(&text, 4096);
    m->out->has_body = true;
    int rc = put_headers(m, &text);
    adt_buf_free(&text);
    if (rc < 0 || adt_aws_put(m, &m->out->path, "/", 1) < 0)
        return -1;
    if (!m->op->input)
        return adt_aws_put(m, &m->out->body, "{}", 2);
    return put_structure(m, m->op->input->shape, m->params, &m->out->body);
}
