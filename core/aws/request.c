/* request.c - from parameters to the parts of a request: what all protocols have in common */
#include "aws/request_private.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEADERS_MAX = 4096, TEXT_MAX = 1 << 20 };

/* --- looking ------------------------------------------------------------------------------------------------------ */

const struct adt_value *adt_aws_given(const struct adt_value *object, const struct adt_aws_member *member)
{
    size_t n = strlen(member->name);
    if (object->type != ADT_VALUE_OBJECT)
        return NULL;
    for (size_t i = object->list.n; i-- > 0;) {
        const struct adt_value *key = &object->list.keys[i];
        if (key->string.n == n && !memcmp(key->string.p, member->name, n))
            return object->list.items[i].type == ADT_VALUE_NULL ? NULL : &object->list.items[i];
    }
    return NULL;
}

struct place {
    const struct adt_value *key;
    size_t at;
};

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    size_t n = x->key->string.n < y->key->string.n ? x->key->string.n : y->key->string.n;
    int order = memcmp(x->key->string.p, y->key->string.p, n);
    if (order)
        return order;
    if (x->key->string.n != y->key->string.n)
        return x->key->string.n < y->key->string.n ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

const size_t *adt_aws_sorted_keys(struct adt_aws_maker *m, const struct adt_value *map)
{
    size_t n = map->list.n;
    size_t *order = adt_arena_alloc(&m->scratch, n, sizeof *order);
    struct place *places = adt_arena_alloc(&m->scratch, n, sizeof *places);
    if (!order || !places) {
        adt_aws_failed(m);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        places[i] = (struct place){&map->list.keys[i], i};
    if (n)
        qsort(places, n, sizeof *places, by_key);
    for (size_t i = 0; i < n; i++)
        order[i] = places[i].at;
    return order;
}

/* --- headers: offsets into the text until it stands still --------------------------------------------------------- */

static bool is_header_name(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] > '~' || strchr("()<>@,;:\\\"/[]?={}", p[i]))
            return false;
    return n > 0;
}

static bool is_header_value(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)p[i] < ' ' && p[i] != '\t') || p[i] == 127)
            return false;
    return true;
}

static int bad_header(struct adt_aws_maker *m, const char *name, size_t n, const char *what)
{
    return adt_error_set(m->err, ADT_USAGE, "BadHeader", "%s: the header '%.*s' %s", m->op->name,
                         (int)(n < 80 ? n : 80), name, what);
}

static int add_header(struct adt_aws_maker *m)
{
    struct adt_aws_request *r = m->out;
    if (r->header_count == HEADERS_MAX)
        return adt_error_set(m->err, ADT_USAGE, "TooBig", "%s: more than %d headers", m->op->name, HEADERS_MAX);
    if (r->header_count % 16 == 0) {
        void *p = adt_realloc(r->headers, (r->header_count + 16) * sizeof *r->headers);
        if (!p)
            return adt_error_nomem(m->err);
        r->headers = p;
    }
    r->headers[r->header_count++] = (struct adt_aws_header){NULL, NULL};
    return 0;
}

int adt_aws_header(struct adt_aws_maker *m, const char *name, size_t name_n, const char *value, size_t value_n)
{
    if (!is_header_name(name, name_n))
        return bad_header(m, "", 0, "has a name that no header can have");
    if (!is_header_value(value, value_n))
        return bad_header(m, name, name_n, "cannot carry a line break or another control character");
    if (add_header(m) < 0 || adt_aws_put(m, &m->out->text, name, name_n) < 0 ||
        adt_aws_put(m, &m->out->text, "", 1) < 0 || adt_aws_put(m, &m->out->text, value, value_n) < 0)
        return -1;
    return adt_aws_put(m, &m->out->text, "", 1);
}

bool adt_aws_has_header(const struct adt_aws_maker *m, const char *name)
{
    const char *p = m->out->text.p;
    for (size_t i = 0; i < m->out->header_count; i++) {
        if (!strcasecmp(p, name))
            return true;
        p += strlen(p) + 1;
        p += strlen(p) + 1;
    }
    return false;
}

static void point_headers(struct adt_aws_request *r)
{
    const char *p = r->text.p;
    for (size_t i = 0; i < r->header_count; i++) {
        r->headers[i].name = p;
        p += strlen(p) + 1;
        r->headers[i].value = p;
        p += strlen(p) + 1;
    }
}

/* --- the host's prefix -------------------------------------------------------------------------------------------- */

static bool is_host_label(const struct adt_value *v)
{
    for (size_t i = 0; i < v->string.n; i++) {
        char c = v->string.p[i], letter = c | 32;
        if (!((letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
            return false;
    }
    return v->string.n > 0;
}

static int put_host_label(struct adt_aws_maker *m, const char *name, size_t n)
{
    const struct adt_aws_member *member = m->op->input ? adt_aws_shape_member(m->op->input->shape, name, n) : NULL;
    const struct adt_value *v = member ? adt_aws_given(m->params, member) : NULL;
    if (!v || v->type != ADT_VALUE_STRING)
        return adt_error_set(m->err, ADT_USAGE, "MissingMember", "%s needs '%.*s', which is part of the host's name",
                             m->op->name, (int)(n < 80 ? n : 80), name);
    if (!is_host_label(v))
        return adt_error_set(m->err, ADT_USAGE, "BadHostLabel",
                             "%s: '%s' becomes part of a host's name: letters, digits, '-' and '.' only", m->op->name,
                             member->name);
    return adt_aws_put(m, &m->out->host_prefix, v->string.p, v->string.n);
}

static int put_host_prefix(struct adt_aws_maker *m)
{
    for (const char *p = m->op->host_prefix; p && *p;) {
        size_t plain = strcspn(p, "{");
        if (adt_aws_put(m, &m->out->host_prefix, p, plain) < 0)
            return -1;
        if (!p[plain])
            break;
        const char *label = p + plain + 1;
        size_t n = strcspn(label, "}");
        if (put_host_label(m, label, n) < 0)
            return -1;
        p = label + n + (label[n] == '}');
    }
    return 0;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static bool wants_token(const struct adt_value *params, const struct adt_aws_member *member, const char *token)
{
    return token && member->idempotency_token && member->shape->type == ADT_AWS_STRING &&
           !adt_aws_given(params, member);
}

/* The parameters with the token at every top member that takes one and is not given. */
static const struct adt_value *with_token(struct adt_aws_maker *m, const struct adt_value *params, const char *token)
{
    const struct adt_aws_shape *s = m->op->input ? m->op->input->shape : NULL;
    size_t more = 0, n = params->list.n;
    for (size_t i = 0; s && i < s->member_count; i++)
        more += wants_token(params, &s->members[i], token);
    if (!more)
        return params;
    struct adt_value *made = adt_arena_alloc(&m->scratch, 1 + 2 * (n + more), sizeof *made);
    if (!made) {
        adt_aws_failed(m);
        return NULL;
    }
    struct adt_value *items = made + 1, *keys = items + n + more;
    *made = (struct adt_value){.type = ADT_VALUE_OBJECT, .list = {items, keys, n + more}};
    if (n) {
        memcpy(items, params->list.items, n * sizeof *items);
        memcpy(keys, params->list.keys, n * sizeof *keys);
    }
    for (size_t i = 0; i < s->member_count; i++) {
        const char *name = s->members[i].name;
        if (!wants_token(params, &s->members[i], token))
            continue;
        items[n] = (struct adt_value){.type = ADT_VALUE_STRING, .string = {token, strlen(token)}};
        keys[n++] = (struct adt_value){.type = ADT_VALUE_STRING, .string = {name, strlen(name)}};
    }
    return made;
}

static int serialise(struct adt_aws_maker *m)
{
    switch (m->model->protocol) {
    case ADT_AWS_QUERY:
    case ADT_AWS_EC2:
        return adt_aws_request_form(m);
    case ADT_AWS_JSON:
        return adt_aws_request_json(m);
    default:
        return adt_aws_request_rest(m);
    }
}

static int build(struct adt_aws_maker *m, const struct adt_value *params, const char *token)
{
    static const struct adt_value none = {.type = ADT_VALUE_OBJECT};
    /* To Lua an empty table is no more an object than an array. */
    if (!params || (params->type == ADT_VALUE_ARRAY && !params->list.n))
        params = &none;
    if (params->type != ADT_VALUE_OBJECT)
        return adt_error_set(m->err, ADT_USAGE, "WrongType", "the parameters of %s are a table with names",
                             m->op->name);
    if (!(params = with_token(m, params, token)) || adt_aws_request_check(m, params) < 0)
        return -1;
    m->params = params;
    if (put_host_prefix(m) < 0 || serialise(m) < 0)
        return -1;
    point_headers(m->out);
    return 0;
}

int adt_aws_request_build(const struct adt_aws_model *m, const struct adt_aws_operation *op,
                          const struct adt_value *params, const struct adt_aws_request_options *opt,
                          struct adt_aws_request *out, struct adt_error *err)
{
    struct adt_aws_maker maker = {.model = m, .op = op, .out = out, .err = err};
    *out = (struct adt_aws_request){.method = op->method};
    adt_buf_init(&out->path, TEXT_MAX);
    adt_buf_init(&out->query, TEXT_MAX);
    adt_buf_init(&out->host_prefix, 4096);
    adt_buf_init(&out->body, ADT_AWS_REQUEST_MAX);
    adt_buf_init(&out->text, TEXT_MAX);
    adt_arena_init(&maker.scratch, ADT_AWS_REQUEST_MAX);
    int rc = build(&maker, params, opt ? opt->token : NULL);
    adt_arena_free(&maker.scratch);
    if (rc < 0)
        adt_aws_request_free(out);
    return rc;
}

void adt_aws_request_free(struct adt_aws_request *r)
{
    adt_aws_buf_wipe(&r->path);
    adt_aws_buf_wipe(&r->query);
    adt_aws_buf_wipe(&r->host_prefix);
    adt_aws_buf_wipe(&r->body);
    adt_aws_buf_wipe(&r->text);
    adt_free(r->headers);
    *r = (struct adt_aws_request){0};
}
