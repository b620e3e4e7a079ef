/* response_header.c - members that travel in a response's headers and status */
#include "aws/response_private.h"

#include "data/digest.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

const char *adt_aws_response_header(const struct adt_aws_response *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (strcasecmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The end of the item that begins at [p]: a comma outside quotes, or the end. A date's own comma, behind its weekday,
 * ends nothing. */
static const char *item_end(const char *p, enum adt_aws_type type)
{
    bool quoted = false, letters = true;
    const char *from = p;
    for (; *p && (*p != ',' || quoted || (type == ADT_AWS_TIMESTAMP && letters && p > from)); p++) {
        if (type == ADT_AWS_STRING && *p == '"' && (p == from || quoted))
            quoted = !quoted;
        else if (quoted && *p == '\\' && p[1])
            p++;
        letters &= isalpha((unsigned char)*p) != 0;
    }
    return p;
}

/* An item of texts may stand in quotes, with backslashes before what would end it. */
static int emit_item(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *p, size_t n)
{
    while (n && is_blank(p[n - 1]))
        n--;
    if (adt_aws_text_absent(ref->shape->type, p, n))
        return 0;
    if (ref->shape->type != ADT_AWS_STRING || n < 2 || *p != '"' || p[n - 1] != '"')
        return adt_aws_emit_text(rd, ref, p, n);
    rd->scratch.len = 0;
    for (size_t i = 1; i < n - 1; i++) {
        i += p[i] == '\\' && i + 2 < n;
        if (adt_buf_addc(&rd->scratch, p[i]) < 0)
            return adt_error_nomem(rd->err);
    }
    return ADT_AWS_EMIT(rd, string, rd->scratch.p ? rd->scratch.p : "", rd->scratch.len);
}

static int emit_list(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *value)
{
    if (ADT_AWS_EMIT(rd, begin_array) < 0)
        return -1;
    for (const char *p = value;; p++) {
        while (is_blank(*p))
            p++;
        const char *end = item_end(p, ref->shape->type);
        if (emit_item(rd, ref, p, (size_t)(end - p)) < 0)
            return -1;
        if (!*(p = end))
            break;
    }
    return ADT_AWS_EMIT(rd, end_array);
}

/* JSON in base64, as one value of whatever form. */
static int emit_json(struct adt_aws_reader *rd, const struct adt_aws_member *m, const char *value)
{
    static const struct adt_aws_shape any = {.name = "JSON", .type = ADT_AWS_DOCUMENT};
    const struct adt_aws_member plain = {.name = m->name, .shape = &any};
    struct adt_error err;
    struct adt_buf text;
    adt_buf_init(&text, strlen(value) + 1);
    int rc = adt_base64_decode(value, strlen(value), &text, &err);
    if (rc < 0)
        rc = err.cause == ADT_INTERNAL ? adt_error_nomem(rd->err) : adt_aws_wrong_type(rd, m);
    else
        rc = adt_aws_read_json_shape(rd, &plain, m->name, text.p ? text.p : "", text.len);
    adt_buf_free(&text);
    return rc;
}

static int read_header(struct adt_aws_reader *rd, const struct adt_aws_member *m)
{
    const char *value = adt_aws_response_header(rd->r, m->wire_name ? m->wire_name : m->name);
    if (!value || adt_aws_text_absent(m->shape->type, value, strlen(value)))
        return 0;
    if (m->json_value)
        return emit_json(rd, m, value);
    if (ADT_AWS_EMIT(rd, key, m->name, strlen(m->name)) < 0)
        return -1;
    if (m->shape->type == ADT_AWS_LIST)
        return emit_list(rd, m->shape->element, value);
    return adt_aws_emit_text(rd, m, value, strlen(value));
}

static int read_prefixed(struct adt_aws_reader *rd, const struct adt_aws_member *m)
{
    const char *prefix = m->wire_name ? m->wire_name : "";
    size_t n = strlen(prefix);
    if (m->shape->type != ADT_AWS_MAP)
        return adt_aws_wrong_type(rd, m);
    if (ADT_AWS_EMIT(rd, key, m->name, strlen(m->name)) < 0 || ADT_AWS_EMIT(rd, begin_object) < 0)
        return -1;
    for (size_t i = 0; i < rd->r->header_count; i++) {
        const struct adt_aws_header *h = &rd->r->headers[i];
        if (strncasecmp(h->name, prefix, n) != 0)
            continue;
        if (ADT_AWS_EMIT(rd, key, h->name + n, strlen(h->name + n)) < 0 ||
            adt_aws_emit_text(rd, m->shape->element, h->value, strlen(h->value)) < 0)
            return -1;
    }
    return ADT_AWS_EMIT(rd, end_object);
}

int adt_aws_read_headers(struct adt_aws_reader *rd, const struct adt_aws_shape *s)
{
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_aws_member *m = &s->members[i];
        int rc = 0;
        if (m->location == ADT_AWS_STATUS)
            rc = ADT_AWS_EMIT(rd, key, m->name, strlen(m->name)) < 0 ? -1 : ADT_AWS_EMIT(rd, integer, rd->r->status);
        else if (m->location == ADT_AWS_HEADER)
            rc = read_header(rd, m);
        else if (m->location == ADT_AWS_HEADERS)
            rc = read_prefixed(rd, m);
        if (rc < 0)
            return -1;
    }
    return 0;
}
