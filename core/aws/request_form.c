/* request_form.c - query and ec2: parameters as the fields of a form, their way down in the names */
#include "aws/request_private.h"

#include <string.h>

struct form {
    struct adt_aws_maker *m;
    struct adt_buf name; /* of the field at hand */
};

static int put_value(struct form *f, const struct adt_aws_member *ref, const struct adt_value *v);

/* --- names -------------------------------------------------------------------------------------------------------- */

static int push(struct form *f, const char *part)
{
    if (f->name.len && adt_aws_put(f->m, &f->name, ".", 1) < 0)
        return -1;
    return adt_aws_puts(f->m, &f->name, part);
}

static int push_number(struct form *f, size_t i)
{
    char text[24];
    size_t at = sizeof text;
    text[--at] = '\0';
    do {
        text[--at] = (char)('0' + i % 10);
    } while (i /= 10);
    return push(f, text + at);
}

static void pop(struct form *f, size_t len)
{
    f->name.len = len;
    if (f->name.p)
        f->name.p[len] = '\0';
}

/* ec2 prefers a name of its own and writes the common one with a capital. */
static int push_member(struct form *f, const struct adt_aws_member *ref, const char *otherwise)
{
    bool ec2 = f->m->model->protocol == ADT_AWS_EC2;
    size_t at = f->name.len + (f->name.len > 0);
    if (ec2 && ref->query_name)
        return push(f, ref->query_name);
    if (push(f, ref->wire_name ? ref->wire_name : otherwise) < 0)
        return -1;
    if (ec2 && f->name.len > at && f->name.p[at] >= 'a' && f->name.p[at] <= 'z')
        f->name.p[at] = (char)(f->name.p[at] - 32);
    return 0;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static int put_field(struct form *f, const char *value, size_t n)
{
    struct adt_buf *body = &f->m->out->body;
    if ((body->len && adt_aws_put(f->m, body, "&", 1) < 0) ||
        adt_aws_put_percent(f->m, body, f->name.p ? f->name.p : "", f->name.len, "") < 0 ||
        adt_aws_put(f->m, body, "=", 1) < 0)
        return -1;
    return adt_aws_put_percent(f->m, body, value, n, "");
}

static int put_scalar(struct form *f, const struct adt_aws_member *ref, const struct adt_value *v)
{
    struct adt_aws_text text;
    struct adt_buf coded;
    if (ref->shape->type != ADT_AWS_BLOB) {
        adt_aws_scalar(ref, v, ADT_AWS_TIME_ISO8601, &text);
        return put_field(f, text.p, text.n);
    }
    adt_buf_init(&coded, ADT_AWS_REQUEST_MAX);
    int rc = adt_aws_put_base64(f->m, &coded, v->string.p, v->string.n);
    if (rc == 0)
        rc = put_field(f, coded.p ? coded.p : "", coded.len);
    adt_aws_buf_wipe(&coded);
    return rc;
}

static int put_structure(struct form *f, const struct adt_aws_shape *s, const struct adt_value *v)
{
    size_t len = f->name.len;
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_value *given = adt_aws_given(v, &s->members[i]);
        if (!given)
            continue;
        if (push_member(f, &s->members[i], s->members[i].name) < 0 || put_value(f, &s->members[i], given) < 0)
            return -1;
        pop(f, len);
    }
    return 0;
}

/* A flattened list whose elements have a name takes it in the place of its own. */
static int push_list(struct form *f, const struct adt_aws_member *ref)
{
    const struct adt_aws_member *element = ref->shape->element;
    if (f->m->model->protocol == ADT_AWS_EC2)
        return 0;
    if (!ref->flattened)
        return push(f, element->wire_name ? element->wire_name : "member");
    if (!element->wire_name)
        return 0;
    size_t len = f->name.len;
    while (len && f->name.p[len - 1] != '.')
        len--;
    pop(f, len ? len - 1 : 0);
    return push(f, element->wire_name);
}

static int put_list(struct form *f, const struct adt_aws_member *ref, const struct adt_value *v)
{
    if (!v->list.n)
        return f->m->model->protocol == ADT_AWS_EC2 ? 0 : put_field(f, "", 0);
    if (push_list(f, ref) < 0)
        return -1;
    size_t len = f->name.len;
    for (size_t i = 0, place = 1; i < v->list.n; i++) {
        if (v->list.items[i].type == ADT_VALUE_NULL)
            continue;
        if (push_number(f, place++) < 0 || put_value(f, ref->shape->element, &v->list.items[i]) < 0)
            return -1;
        pop(f, len);
    }
    return 0;
}

static int put_entry(struct form *f, const struct adt_aws_shape *s, const struct adt_value *key,
                     const struct adt_value *value)
{
    size_t len = f->name.len;
    if (push_member(f, s->key, "key") < 0 || put_scalar(f, s->key, key) < 0)
        return -1;
    pop(f, len);
    return push_member(f, s->element, "value") < 0 ? -1 : put_value(f, s->element, value);
}

static int put_map(struct form *f, const struct adt_aws_member *ref, const struct adt_value *v)
{
    const size_t *order = adt_aws_sorted_keys(f->m, v);
    if (!order || (!ref->flattened && push(f, "entry") < 0))
        return -1;
    size_t len = f->name.len;
    for (size_t i = 0, place = 1; i < v->list.n; i++) {
        const struct adt_value *value = &v->list.items[order[i]];
        if (value->type == ADT_VALUE_NULL)
            continue;
        if (push_number(f, place++) < 0 || put_entry(f, ref->shape, &v->list.keys[order[i]], value) < 0)
            return -1;
        pop(f, len);
    }
    return 0;
}

static int put_value(struct form *f, const struct adt_aws_member *ref, const struct adt_value *v)
{
    switch (ref->shape->type) {
    case ADT_AWS_STRUCTURE:
        return put_structure(f, ref->shape, v);
    case ADT_AWS_LIST:
        return put_list(f, ref, v);
    case ADT_AWS_MAP:
        return put_map(f, ref, v);
    case ADT_AWS_DOCUMENT:
        return adt_error_set(f->m->err, ADT_USAGE, "WrongType", "%s: a form cannot carry '%s', which is plain data",
                             f->m->op->name, ref->name);
    default:
        return put_scalar(f, ref, v);
    }
}

/* --- the request -------------------------------------------------------------------------------------------------- */

static int put_all(struct form *f)
{
    struct adt_aws_maker *m = f->m;
    if (push(f, "Action") < 0 || put_field(f, m->op->name, strlen(m->op->name)) < 0)
        return -1;
    pop(f, 0);
    if (push(f, "Version") < 0 || put_field(f, m->model->api_version, strlen(m->model->api_version)) < 0)
        return -1;
    pop(f, 0);
    return m->op->input ? put_structure(f, m->op->input->shape, m->params) : 0;
}

int adt_aws_request_form(struct adt_aws_maker *m)
{
    static const char type[] = "application/x-www-form-urlencoded; charset=utf-8";
    struct form f = {.m = m};
    adt_buf_init(&f.name, 1 << 16);
    m->out->has_body = true;
    int rc = adt_aws_put(m, &m->out->path, "/", 1);
    if (rc == 0)
        rc = adt_aws_header(m, "Content-Type", 12, type, sizeof type - 1);
    if (rc == 0)
        rc = put_all(&f);
    adt_buf_free(&f.name);
    return rc;
}
