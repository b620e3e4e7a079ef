/* request_xml.c - parameters as XML */
#include "aws/request_private.h"

#include <string.h>

/* --- text --------------------------------------------------------------------------------------------------------- */

static const char *escape_of(char c, bool attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\r': /* a parser would take it for a line's end */
        return "&#13;";
    case '"':
        return attribute ? "&quot;" : NULL;
    case '\n':
        return attribute ? "&#10;" : NULL;
    case '\t':
        return attribute ? "&#09;" : NULL;
    default:
        return NULL;
    }
}

static int put_text(struct adt_aws_maker *m, struct adt_buf *b, const char *p, size_t n, bool attribute)
{
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        const char *escape = escape_of(p[i], attribute);
        if ((unsigned char)p[i] < ' ' && p[i] != '\t' && p[i] != '\n' && p[i] != '\r')
            return adt_error_set(m->err, ADT_USAGE, "BadText", "%s: XML cannot carry the control character 0x%02x",
                                 m->op->name, (unsigned)p[i]);
        if (!escape)
            continue;
        if (adt_aws_put(m, b, p + from, i - from) < 0 || adt_aws_puts(m, b, escape) < 0)
            return -1;
        from = i + 1;
    }
    return adt_aws_put(m, b, p + from, n - from);
}

/* --- tags: "<name" stays open for attributes until something is put into the element ------------------------------ */

static int put_attribute(struct adt_aws_maker *m, struct adt_buf *b, const char *prefix, const char *name,
                         const char *p, size_t n)
{
    if (adt_aws_puts(m, b, prefix) < 0 || adt_aws_puts(m, b, name) < 0 || adt_aws_put(m, b, "=\"", 2) < 0 ||
        put_text(m, b, p, n, true) < 0)
        return -1;
    return adt_aws_put(m, b, "\"", 1);
}

static int open_tag(struct adt_aws_maker *m, struct adt_buf *b, const char *name, const struct adt_aws_member *ref)
{
    if (adt_aws_put(m, b, "<", 1) < 0 || adt_aws_puts(m, b, name) < 0)
        return -1;
    if (!ref || !ref->xml_uri)
        return 0;
    bool prefix = ref->xml_prefix && *ref->xml_prefix;
    return put_attribute(m, b, prefix ? " xmlns:" : " xmlns", prefix ? ref->xml_prefix : "", ref->xml_uri,
                         strlen(ref->xml_uri));
}

/* Ends the opening tag; the place behind it tells close_tag() whether anything followed. */
static int end_tag(struct adt_aws_maker *m, struct adt_buf *b, size_t *inside)
{
    if (adt_aws_put(m, b, ">", 1) < 0)
        return -1;
    *inside = b->len;
    return 0;
}

static int close_tag(struct adt_aws_maker *m, struct adt_buf *b, const char *name, size_t inside)
{
    if (b->len == inside) {
        b->len--;
        return adt_aws_put(m, b, " />", 3);
    }
    if (adt_aws_put(m, b, "</", 2) < 0 || adt_aws_puts(m, b, name) < 0)
        return -1;
    return adt_aws_put(m, b, ">", 1);
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static int put_content(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                       struct adt_buf *b, bool attribute)
{
    struct adt_aws_text text;
    if (ref->shape->type == ADT_AWS_BLOB)
        return adt_aws_put_base64(m, b, v->string.p, v->string.n);
    adt_aws_scalar(ref, v, ADT_AWS_TIME_ISO8601, &text);
    return put_text(m, b, text.p, text.n, attribute);
}

static int put_attributes(struct adt_aws_maker *m, const struct adt_aws_shape *s, const struct adt_value *v,
                          struct adt_buf *b)
{
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_aws_member *member = &s->members[i];
        const struct adt_value *given = member->xml_attribute ? adt_aws_given(v, member) : NULL;
        if (!given)
            continue;
        if (adt_aws_put(m, b, " ", 1) < 0 ||
            adt_aws_puts(m, b, member->wire_name ? member->wire_name : member->name) < 0 ||
            adt_aws_put(m, b, "=\"", 2) < 0 || put_content(m, member, given, b, true) < 0 ||
            adt_aws_put(m, b, "\"", 1) < 0)
            return -1;
    }
    return 0;
}

static int put_structure(struct adt_aws_maker *m, const struct adt_aws_member *ref, const char *name,
                         const struct adt_value *v, struct adt_buf *b)
{
    const struct adt_aws_shape *s = ref->shape;
    size_t inside;
    if (open_tag(m, b, name, ref) < 0 || put_attributes(m, s, v, b) < 0 || end_tag(m, b, &inside) < 0)
        return -1;
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_aws_member *member = &s->members[i];
        const struct adt_value *given = adt_aws_given(v, member);
        bool elsewhere = v == m->params && member->location != ADT_AWS_BODY;
        if (!given || elsewhere || member->xml_attribute)
            continue;
        if (adt_aws_xml_value(m, member, member->wire_name ? member->wire_name : member->name, given, b) < 0)
            return -1;
    }
    return close_tag(m, b, name, inside);
}

static int put_elements(struct adt_aws_maker *m, const struct adt_aws_member *ref, const char *name,
                        const struct adt_value *v, struct adt_buf *b)
{
    for (size_t i = 0; i < v->list.n; i++)
        if (v->list.items[i].type != ADT_VALUE_NULL &&
            adt_aws_xml_value(m, ref->shape->element, name, &v->list.items[i], b) < 0)
            return -1;
    return 0;
}

static int put_list(struct adt_aws_maker *m, const struct adt_aws_member *ref, const char *name,
                    const struct adt_value *v, struct adt_buf *b)
{
    const char *element = ref->shape->element->wire_name;
    size_t inside;
    if (ref->flattened)
        return put_elements(m, ref, name, v, b);
    if (open_tag(m, b, name, ref) < 0 || end_tag(m, b, &inside) < 0 ||
        put_elements(m, ref, element ? element : "member", v, b) < 0)
        return -1;
    return close_tag(m, b, name, inside);
}

static int put_entry(struct adt_aws_maker *m, const struct adt_aws_shape *s, const char *name,
                     const struct adt_value *key, const struct adt_value *value, struct adt_buf *b)
{
    size_t inside;
    if (open_tag(m, b, name, NULL) < 0 || end_tag(m, b, &inside) < 0 ||
        adt_aws_xml_value(m, s->key, s->key->wire_name ? s->key->wire_name : "key", key, b) < 0 ||
        adt_aws_xml_value(m, s->element, s->element->wire_name ? s->element->wire_name : "value", value, b) < 0)
        return -1;
    return close_tag(m, b, name, inside);
}

static int put_entries(struct adt_aws_maker *m, const struct adt_aws_member *ref, const char *name,
                       const struct adt_value *v, struct adt_buf *b)
{
    const size_t *order = adt_aws_sorted_keys(m, v);
    if (!order)
        return -1;
    for (size_t i = 0; i < v->list.n; i++) {
        const struct adt_value *value = &v->list.items[order[i]];
        if (value->type != ADT_VALUE_NULL && put_entry(m, ref->shape, name, &v->list.keys[order[i]], value, b) < 0)
            return -1;
    }
    return 0;
}

static int put_map(struct adt_aws_maker *m, const struct adt_aws_member *ref, const char *name,
                   const struct adt_value *v, struct adt_buf *b)
{
    size_t inside;
    if (ref->flattened)
        return put_entries(m, ref, name, v, b);
    if (open_tag(m, b, name, ref) < 0 || end_tag(m, b, &inside) < 0 || put_entries(m, ref, "entry", v, b) < 0)
        return -1;
    return close_tag(m, b, name, inside);
}

int adt_aws_xml_value(struct adt_aws_maker *m, const struct adt_aws_member *ref, const char *name,
                      const struct adt_value *v, struct adt_buf *b)
{
    size_t inside;
    switch (ref->shape->type) {
    case ADT_AWS_STRUCTURE:
        return put_structure(m, ref, name, v, b);
    case ADT_AWS_LIST:
        return put_list(m, ref, name, v, b);
    case ADT_AWS_MAP:
        return put_map(m, ref, name, v, b);
    case ADT_AWS_DOCUMENT:
        return adt_error_set(m->err, ADT_USAGE, "WrongType", "%s: XML cannot carry '%s', which is plain data",
                             m->op->name, name);
    default:
        if (open_tag(m, b, name, ref) < 0 || end_tag(m, b, &inside) < 0 || put_content(m, ref, v, b, false) < 0)
            return -1;
        return close_tag(m, b, name, inside);
    }
}
