/* request_rest.c - rest-json and rest-xml: which parameter goes where, and what the body is */
#include "aws/request_private.h"

#include <string.h>

/* --- the path ----------------------------------------------------------------------------------------------------- */

/* The member that fills a label, by its name on the wire. */
static const struct adt_aws_member *label_member(const struct adt_aws_maker *m, const char *name, size_t n)
{
    const struct adt_aws_shape *s = m->op->input ? m->op->input->shape : NULL;
    for (size_t i = 0; s && i < s->member_count; i++) {
        const struct adt_aws_member *member = &s->members[i];
        const char *wire = member->wire_name ? member->wire_name : member->name;
        if (member->location == ADT_AWS_URI && strlen(wire) == n && !memcmp(wire, name, n))
            return member;
    }
    return NULL;
}

static int put_label(struct adt_aws_maker *m, const char *name, size_t n, struct adt_buf *b)
{
    bool greedy = n && name[n - 1] == '+';
    const struct adt_aws_member *member = label_member(m, name, n - greedy);
    const struct adt_value *v = member ? adt_aws_given(m->params, member) : NULL;
    struct adt_aws_text text;
    if (!v || v->type == ADT_VALUE_ARRAY || v->type == ADT_VALUE_OBJECT)
        return adt_error_set(m->err, ADT_CONFIG, "BadModel", "%s: no plain member fills '%.*s' of its path",
                             m->op->name, (int)(n < 80 ? n : 80), name);
    adt_aws_scalar(member, v, ADT_AWS_TIME_ISO8601, &text);
    if (!text.n) {
        adt_error_set(m->err, ADT_USAGE, "EmptyLabel", "%s: '%s' is part of the path and may not be empty", m->op->name,
                      member->name);
        if (m->err) {
            strcpy(m->err->where, "$.");
            strncat(m->err->where, member->name, sizeof m->err->where - 3);
        }
        return -1;
    }
    return adt_aws_put_percent(m, b, text.p, text.n, greedy ? "/" : "");
}

static int put_template(struct adt_aws_maker *m, const char *p, size_t n, struct adt_buf *b)
{
    for (const char *end = p + n; p < end;) {
        const char *open = memchr(p, '{', (size_t)(end - p)),
                   *close = open ? memchr(open, '}', (size_t)(end - open)) : NULL;
        if (!close)
            return adt_aws_put(m, b, p, (size_t)(end - p));
        if (adt_aws_put(m, b, p, (size_t)(open - p)) < 0 || put_label(m, open + 1, (size_t)(close - open) - 1, b) < 0)
            return -1;
        p = close + 1;
    }
    return 0;
}

static int put_uri(struct adt_aws_maker *m)
{
    const char *uri = m->op->uri;
    size_t path = strcspn(uri, "?");
    if (*uri != '/' && adt_aws_put(m, &m->out->path, "/", 1) < 0)
        return -1;
    if (put_template(m, uri, path, &m->out->path) < 0)
        return -1;
    return uri[path] ? put_template(m, uri + path + 1, strlen(uri + path + 1), &m->out->query) : 0;
}

/* --- the query ---------------------------------------------------------------------------------------------------- */

static int put_pair(struct adt_aws_maker *m, const char *name, size_t name_n, const char *value, size_t n)
{
    struct adt_buf *q = &m->out->query;
    if ((q->len && adt_aws_put(m, q, "&", 1) < 0) || adt_aws_put_percent(m, q, name, name_n, "") < 0 ||
        adt_aws_put(m, q, "=", 1) < 0)
        return -1;
    return adt_aws_put_percent(m, q, value, n, "");
}

static int put_query_values(struct adt_aws_maker *m, const struct adt_aws_member *ref, const char *name, size_t n,
                            const struct adt_value *v)
{
    struct adt_aws_text text;
    if (v->type == ADT_VALUE_NULL)
        return 0;
    if (ref->shape->type == ADT_AWS_LIST) {
        for (size_t i = 0; i < v->list.n; i++)
            if (put_query_values(m, ref->shape->element, name, n, &v->list.items[i]) < 0)
                return -1;
        return 0;
    }
    if (v->type == ADT_VALUE_ARRAY || v->type == ADT_VALUE_OBJECT)
        return adt_error_set(m->err, ADT_USAGE, "WrongType", "%s: a query cannot carry a table as '%.*s'", m->op->name,
                             (int)(n < 80 ? n : 80), name);
    adt_aws_scalar(ref, v, ADT_AWS_TIME_ISO8601, &text);
    return put_pair(m, name, n, text.p, text.n);
}

/* A parameter with a name of its own goes before one of the same name in a map. */
static bool is_named(const struct adt_aws_maker *m, const struct adt_value *key)
{
    const struct adt_aws_shape *s = m->op->input->shape;
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_aws_member *member = &s->members[i];
        const char *wire = member->wire_name ? member->wire_name : member->name;
        if (member->location == ADT_AWS_QUERYSTRING && member->shape->type != ADT_AWS_MAP &&
            strlen(wire) == key->string.n && !memcmp(wire, key->string.p, key->string.n) &&
            adt_aws_given(m->params, member))
            return true;
    }
    return false;
}

static int put_query_map(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v)
{
    const size_t *order = adt_aws_sorted_keys(m, v);
    if (!order)
        return -1;
    for (size_t i = 0; i < v->list.n; i++) {
        const struct adt_value *key = &v->list.keys[order[i]];
        if (is_named(m, key))
            continue;
        if (put_query_values(m, ref->shape->element, key->string.p, key->string.n, &v->list.items[order[i]]) < 0)
            return -1;
    }
    return 0;
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

static int put_header_text(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                           struct adt_buf *b)
{
    struct adt_aws_text text;
    if (ref->json_value) {
        struct adt_buf json;
        adt_buf_init(&json, ADT_AWS_REQUEST_MAX);
        /* A string is taken to be JSON already. */
        int rc = v->type == ADT_VALUE_STRING ? adt_aws_put(m, &json, v->string.p, v->string.n)
                                             : adt_aws_json_plain(m, v, true, &json);
        if (rc == 0)
            rc = adt_aws_put_base64(m, b, json.p, json.len);
        adt_aws_buf_wipe(&json);
        return rc;
    }
    if (ref->shape->type == ADT_AWS_BLOB)
        return adt_aws_put_base64(m, b, v->string.p, v->string.n);
    if (v->type == ADT_VALUE_ARRAY || v->type == ADT_VALUE_OBJECT)
        return adt_error_set(m->err, ADT_USAGE, "WrongType", "%s: a header cannot carry a table", m->op->name);
    adt_aws_scalar(ref, v, ADT_AWS_TIME_RFC822, &text);
    if (ref->shape->type == ADT_AWS_TIMESTAMP && ref->time == ADT_AWS_TIME_ISO8601 && text.n > 20) {
        text.own[19] = 'Z'; /* whole seconds in headers */
        text.n = 20;
    }
    return adt_aws_put(m, b, text.p, text.n);
}

/* A text of a list that holds what separates them is quoted. */
static int put_list_text(struct adt_aws_maker *m, const struct adt_value *v, struct adt_buf *b)
{
    const char *p = v->string.p, *end = p + v->string.n;
    if (!memchr(p, '"', v->string.n) && !memchr(p, ',', v->string.n))
        return adt_aws_put(m, b, p, v->string.n);
    if (adt_aws_put(m, b, "\"", 1) < 0)
        return -1;
    for (; p < end; p++)
        if ((*p == '"' && adt_aws_put(m, b, "\\", 1) < 0) || adt_aws_put(m, b, p, 1) < 0)
            return -1;
    return adt_aws_put(m, b, "\"", 1);
}

static int put_header_list(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                           struct adt_buf *b)
{
    const struct adt_aws_member *element = ref->shape->element;
    bool first = true;
    for (size_t i = 0; i < v->list.n; i++) {
        const struct adt_value *item = &v->list.items[i];
        if (item->type == ADT_VALUE_NULL)
            continue;
        if (!first && adt_aws_put(m, b, ",", 1) < 0)
            return -1;
        first = false;
        bool text = element->shape->type == ADT_AWS_STRING && !element->json_value;
        if ((text ? put_list_text(m, item, b) : put_header_text(m, element, item, b)) < 0)
            return -1;
    }
    return 0;
}

static int put_header(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v)
{
    const char *name = ref->wire_name ? ref->wire_name : ref->name;
    bool list = ref->shape->type == ADT_AWS_LIST && !ref->json_value;
    struct adt_buf text;
    if (list && !v->list.n)
        return 0;
    adt_buf_init(&text, 1 << 20);
    int rc = list ? put_header_list(m, ref, v, &text) : put_header_text(m, ref, v, &text);
    if (rc == 0)
        rc = adt_aws_header(m, name, strlen(name), text.p ? text.p : "", text.len);
    adt_aws_buf_wipe(&text);
    return rc;
}

static int put_header_map(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v)
{
    const size_t *order = adt_aws_sorted_keys(m, v);
    struct adt_buf name, text;
    int rc = order ? 0 : -1;
    adt_buf_init(&name, 1 << 16);
    adt_buf_init(&text, 1 << 20);
    for (size_t i = 0; rc == 0 && i < v->list.n; i++) {
        const struct adt_value *key = &v->list.keys[order[i]], *value = &v->list.items[order[i]];
        if (value->type == ADT_VALUE_NULL)
            continue;
        name.len = text.len = 0;
        rc = adt_aws_puts(m, &name, ref->wire_name ? ref->wire_name : "");
        if (rc == 0)
            rc = adt_aws_put(m, &name, key->string.p, key->string.n);
        if (rc == 0)
            rc = put_header_text(m, ref->shape->element, value, &text);
        if (rc == 0)
            rc = adt_aws_header(m, name.p ? name.p : "", name.len, text.p ? text.p : "", text.len);
    }
    adt_buf_free(&name);
    adt_aws_buf_wipe(&text);
    return rc;
}

static int put_places(struct adt_aws_maker *m)
{
    const struct adt_aws_shape *s = m->op->input->shape;
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_aws_member *ref = &s->members[i];
        const struct adt_value *v = adt_aws_given(m->params, ref);
        const char *name = ref->wire_name ? ref->wire_name : ref->name;
        int rc = 0;
        if (!v)
            continue;
        if (ref->location == ADT_AWS_QUERYSTRING)
            rc = ref->shape->type == ADT_AWS_MAP ? put_query_map(m, ref, v)
                                                 : put_query_values(m, ref, name, strlen(name), v);
        else if (ref->location == ADT_AWS_HEADER)
            rc = put_header(m, ref, v);
        else if (ref->location == ADT_AWS_HEADERS)
            rc = put_header_map(m, ref, v);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* --- the body ----------------------------------------------------------------------------------------------------- */

static int put_type(struct adt_aws_maker *m, const char *type)
{
    m->out->has_body = true;
    return adt_aws_has_header(m, "Content-Type") ? 0 : adt_aws_header(m, "Content-Type", 12, type, strlen(type));
}

static int put_body(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v)
{
    if (m->model->protocol == ADT_AWS_REST_JSON)
        return put_type(m, "application/json") < 0 ? -1 : adt_aws_json_value(m, ref, v, &m->out->body);
    const char *name = ref->root ? ref->root : ref->wire_name ? ref->wire_name : ref->name;
    return put_type(m, "application/xml") < 0 ? -1 : adt_aws_xml_value(m, ref, name, v, &m->out->body);
}

static int put_nothing(struct adt_aws_maker *m)
{
    if (m->model->protocol != ADT_AWS_REST_JSON)
        return 0;
    return put_type(m, "application/json") < 0 ? -1 : adt_aws_put(m, &m->out->body, "{}", 2);
}

static int put_payload(struct adt_aws_maker *m, const struct adt_aws_member *ref)
{
    const struct adt_value *v = adt_aws_given(m->params, ref);
    bool blob = ref->shape->type == ADT_AWS_BLOB;
    m->out->streaming = !v && ref == m->op->streaming_input;
    if (!v)
        return ref->shape->type == ADT_AWS_STRUCTURE && !ref->shape->is_union ? put_nothing(m) : 0;
    if (!blob && ref->shape->type != ADT_AWS_STRING)
        return put_body(m, ref, v);
    if (put_type(m, blob ? "application/octet-stream" : "text/plain") < 0)
        return -1;
    return adt_aws_put(m, &m->out->body, v->string.p, v->string.n);
}

static int put_members(struct adt_aws_maker *m)
{
    const struct adt_aws_shape *s = m->op->input->shape;
    bool any = false, given = false;
    for (size_t i = 0; i < s->member_count; i++) {
        if (s->members[i].location != ADT_AWS_BODY)
            continue;
        any = true;
        given |= adt_aws_given(m->params, &s->members[i]) != NULL;
    }
    if (given)
        return put_body(m, m->op->input, m->params);
    return any ? put_nothing(m) : 0;
}

int adt_aws_request_rest(struct adt_aws_maker *m)
{
    if (put_uri(m) < 0)
        return -1;
    if (!m->op->input)
        return 0;
    if (put_places(m) < 0)
        return -1;
    return m->op->input->shape->payload ? put_payload(m, m->op->input->shape->payload) : put_members(m);
}
