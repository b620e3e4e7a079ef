/* request_check.c - parameters against the shapes that an operation asks for */
#include "aws/request_private.h"

#include "base/nearest.h"
#include "data/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The way down to the value at hand. */
struct step {
    const struct step *up;
    const char *key; /* NULL: a list's element, number [index] */
    size_t n, index;
    unsigned depth;
};

static bool is_name(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(text[i] == '_' || (text[i] >= '0' && text[i] <= '9') || ((text[i] | 32) >= 'a' && (text[i] | 32) <= 'z')))
            return false;
    return n > 0;
}

/* Written from its end, since that is the part to keep when the whole does not fit. */
static int put_path(struct adt_aws_maker *m, const struct step *s)
{
    char path[sizeof m->err->where], part[72];
    size_t at = sizeof path - 1;
    path[at] = '\0';
    for (; s->up; s = s->up) {
        int n;
        if (!s->key)
            n = snprintf(part, sizeof part, "[%zu]", s->index);
        else if (is_name(s->key, s->n))
            n = snprintf(part, sizeof part, ".%.*s", (int)(s->n < 60 ? s->n : 60), s->key);
        else
            n = snprintf(part, sizeof part, "[\"%.*s\"]", (int)adt_utf8_valid(s->key, s->n < 56 ? s->n : 56), s->key);
        if ((size_t)n + 4 > at)
            break;
        at -= (size_t)n;
        memcpy(path + at, part, (size_t)n);
    }
    if (m->err)
        snprintf(m->err->where, sizeof m->err->where, "%s%s", s->up ? "..." : "$", path + at);
    return -1;
}

static const char *kind_of(const struct adt_value *v)
{
    static const char *const kinds[] = {
        [ADT_VALUE_NULL] = "null",
        [ADT_VALUE_BOOLEAN] = "a boolean",
        [ADT_VALUE_INTEGER] = "a number",
        [ADT_VALUE_NUMBER] = "a number",
        [ADT_VALUE_STRING] = "a string",
        [ADT_VALUE_ARRAY] = "a list",
        [ADT_VALUE_OBJECT] = "a table with names",
    };
    return kinds[v->type];
}

static int wrong_type(struct adt_aws_maker *m, const struct step *at, const char *need, const struct adt_value *v)
{
    adt_error_set(m->err, ADT_USAGE, "WrongType", "%s needs %s here, not %s", m->op->name, need, kind_of(v));
    return put_path(m, at);
}

/* --- scalars ------------------------------------------------------------------------------------------------------ */

static int check_text(struct adt_aws_maker *m, const struct step *at, const char *p, size_t n)
{
    size_t good = adt_utf8_valid(p, n);
    if (good == n)
        return 0;
    adt_error_set(m->err, ADT_USAGE, "NotUtf8", "%s needs UTF-8 text here; byte %zu is none", m->op->name, good + 1);
    adt_error_hint(m->err, "bytes of any kind go where the service takes binary data, or in base64");
    return put_path(m, at);
}

static int check_integer(struct adt_aws_maker *m, const struct step *at, const struct adt_value *v)
{
    if (v->type == ADT_VALUE_INTEGER)
        return 0;
    if (v->type == ADT_VALUE_NUMBER && v->number == floor(v->number) && fabs(v->number) < 9.2e18)
        return 0;
    if (v->type == ADT_VALUE_NUMBER) {
        adt_error_set(m->err, ADT_USAGE, "WrongType", "%s needs a whole number here, not a fraction", m->op->name);
        return put_path(m, at);
    }
    return wrong_type(m, at, "a whole number", v);
}

static int check_float(struct adt_aws_maker *m, const struct step *at, const struct adt_value *v)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    if (v->type == ADT_VALUE_INTEGER || v->type == ADT_VALUE_NUMBER)
        return 0;
    for (size_t i = 0; v->type == ADT_VALUE_STRING && i < 3; i++)
        if (v->string.n == strlen(words[i]) && !memcmp(v->string.p, words[i], v->string.n))
            return 0;
    return wrong_type(m, at, "a number", v);
}

static int check_time(struct adt_aws_maker *m, const struct step *at, const struct adt_value *v)
{
    double seconds;
    if (v->type == ADT_VALUE_INTEGER && adt_aws_time_fits((double)v->integer))
        return 0;
    if (v->type == ADT_VALUE_NUMBER && adt_aws_time_fits(v->number))
        return 0;
    if (v->type == ADT_VALUE_STRING && adt_aws_time_iso8601(v->string.p, v->string.n, &seconds) == 0)
        return 0;
    if (v->type != ADT_VALUE_STRING && v->type != ADT_VALUE_INTEGER && v->type != ADT_VALUE_NUMBER)
        return wrong_type(m, at, "a time", v);
    adt_error_set(m->err, ADT_USAGE, "WrongType", "%s needs a time here, and this %s is none", m->op->name,
                  kind_of(v) + 2);
    adt_error_hint(m->err, "give seconds since 1970 as a number, or a text like 2026-01-31T12:00:00Z");
    return put_path(m, at);
}

/* --- containers --------------------------------------------------------------------------------------------------- */

static int check_value(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                       const struct step *at);

static int too_deep(struct adt_aws_maker *m, const struct step *at)
{
    adt_error_set(m->err, ADT_USAGE, "TooDeep", "the parameters are more than %d levels deep", ADT_AWS_DEPTH);
    return put_path(m, at);
}

static int unknown_member(struct adt_aws_maker *m, const struct adt_aws_shape *s, const struct step *at)
{
    struct adt_nearest near;
    adt_nearest_begin(&near, at->key, at->n);
    for (size_t i = 0; i < s->member_count; i++)
        adt_nearest_try(&near, s->members[s->by_name[i]].name);
    adt_error_set(m->err, ADT_USAGE, "UnknownMember", "%s has no '%.*s' here", m->op->name,
                  (int)adt_utf8_valid(at->key, at->n < 80 ? at->n : 80), at->key);
    put_path(m, at);
    if (near.found) {
        adt_error_hint(m->err, "did you mean '%s'?", near.found);
        return -1;
    }
    char names[200] = "";
    size_t n = 0;
    for (size_t i = 0; i < s->member_count; i++) {
        const char *name = s->members[s->by_name[i]].name;
        if (n + strlen(name) + 8 > sizeof names) {
            n += (size_t)snprintf(names + n, sizeof names - n, ", ...");
            break;
        }
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", name);
    }
    adt_error_hint(m->err, n ? "known: %s" : "it takes none%s", names);
    return -1;
}

static int check_required(struct adt_aws_maker *m, const struct adt_aws_shape *s, const struct adt_value *v,
                          const struct step *at)
{
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_aws_member *member = &s->members[i];
        bool needed = member->required || (!at->up && (member->host_label || member->location == ADT_AWS_URI));
        if (!needed || member == m->op->streaming_input || adt_aws_given(v, member))
            continue;
        adt_error_set(m->err, ADT_USAGE, "MissingMember", "%s needs '%s' here", m->op->name, member->name);
        return put_path(m, at);
    }
    return 0;
}

static int check_structure(struct adt_aws_maker *m, const struct adt_aws_shape *s, const struct adt_value *v,
                           const struct step *at)
{
    size_t given = 0;
    if (s->event_stream) {
        adt_error_set(m->err, ADT_USAGE, "EventStream", "%s takes a stream of events here, which cannot be sent",
                      m->op->name);
        return put_path(m, at);
    }
    if (v->type != ADT_VALUE_OBJECT && !(v->type == ADT_VALUE_ARRAY && !v->list.n))
        return wrong_type(m, at, "a table with names", v);
    for (size_t i = 0; i < v->list.n; i++) {
        const struct adt_value *key = &v->list.keys[i];
        struct step below = {.up = at, .key = key->string.p, .n = key->string.n, .depth = at->depth + 1};
        const struct adt_aws_member *member = adt_aws_shape_member(s, key->string.p, key->string.n);
        if (!member)
            return unknown_member(m, s, &below);
        if (v->list.items[i].type == ADT_VALUE_NULL)
            continue;
        if (check_value(m, member, &v->list.items[i], &below) < 0)
            return -1;
        given++;
    }
    if (s->is_union && given != 1) {
        adt_error_set(m->err, ADT_USAGE, "BadUnion", "%s needs exactly one of the members here, not %zu", m->op->name,
                      given);
        return put_path(m, at);
    }
    return check_required(m, s, v, at);
}

/* Null stands for an element in sparse lists and maps, and is as good as none in a list that goes into headers. */
static int check_element(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                         const struct step *at)
{
    bool json = m->model->protocol == ADT_AWS_JSON || m->model->protocol == ADT_AWS_REST_JSON;
    bool skipped = ref->location == ADT_AWS_HEADER || ref->location == ADT_AWS_QUERYSTRING;
    if (v->type == ADT_VALUE_NULL && (json || ref->shape->sparse || skipped))
        return 0;
    return check_value(m, ref->shape->element, v, at);
}

static int check_list(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                      const struct step *at)
{
    if (v->type != ADT_VALUE_ARRAY && !(v->type == ADT_VALUE_OBJECT && !v->list.n))
        return wrong_type(m, at, "a list", v);
    for (size_t i = 0; i < v->list.n; i++) {
        struct step below = {.up = at, .index = i + 1, .depth = at->depth + 1};
        if (check_element(m, ref, &v->list.items[i], &below) < 0)
            return -1;
    }
    return 0;
}

static int check_map(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                     const struct step *at)
{
    if (v->type != ADT_VALUE_OBJECT && !(v->type == ADT_VALUE_ARRAY && !v->list.n))
        return wrong_type(m, at, "a table with names", v);
    for (size_t i = 0; i < v->list.n; i++) {
        const struct adt_value *key = &v->list.keys[i];
        struct step below = {.up = at, .key = key->string.p, .n = key->string.n, .depth = at->depth + 1};
        if (check_text(m, &below, key->string.p, key->string.n) < 0 ||
            check_element(m, ref, &v->list.items[i], &below) < 0)
            return -1;
    }
    return 0;
}

/* Plain data of any form, where only JSON has a form for it. */
static int check_document(struct adt_aws_maker *m, const struct adt_value *v, const struct step *at)
{
    if (at->depth > ADT_AWS_DEPTH)
        return too_deep(m, at);
    if (v->type == ADT_VALUE_STRING)
        return check_text(m, at, v->string.p, v->string.n);
    if (v->type == ADT_VALUE_NUMBER && !isfinite(v->number))
        return wrong_type(m, at, "a finite number", v);
    if (v->type != ADT_VALUE_ARRAY && v->type != ADT_VALUE_OBJECT)
        return 0;
    for (size_t i = 0; i < v->list.n; i++) {
        struct step below = {.up = at, .index = i + 1, .depth = at->depth + 1};
        if (v->list.keys) {
            below.key = v->list.keys[i].string.p;
            below.n = v->list.keys[i].string.n;
            if (check_text(m, &below, below.key, below.n) < 0)
                return -1;
        }
        if (check_document(m, &v->list.items[i], &below) < 0)
            return -1;
    }
    return 0;
}

static int check_value(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                       const struct step *at)
{
    if (at->depth > ADT_AWS_DEPTH)
        return too_deep(m, at);
    if (ref->json_value && ref->location == ADT_AWS_HEADER)
        return check_document(m, v, at);
    switch (ref->shape->type) {
    case ADT_AWS_STRUCTURE:
        return check_structure(m, ref->shape, v, at);
    case ADT_AWS_LIST:
        return check_list(m, ref, v, at);
    case ADT_AWS_MAP:
        return check_map(m, ref, v, at);
    case ADT_AWS_STRING:
        return v->type == ADT_VALUE_STRING ? check_text(m, at, v->string.p, v->string.n)
                                           : wrong_type(m, at, "a string", v);
    case ADT_AWS_BLOB:
        return v->type == ADT_VALUE_STRING ? 0 : wrong_type(m, at, "a string of bytes", v);
    case ADT_AWS_BOOLEAN:
        return v->type == ADT_VALUE_BOOLEAN ? 0 : wrong_type(m, at, "true or false", v);
    case ADT_AWS_INTEGER:
        return check_integer(m, at, v);
    case ADT_AWS_FLOAT:
        return check_float(m, at, v);
    case ADT_AWS_TIMESTAMP:
        return check_time(m, at, v);
    default:
        return check_document(m, v, at);
    }
}

int adt_aws_request_check(struct adt_aws_maker *m, const struct adt_value *params)
{
    static const struct adt_aws_shape nothing = {.name = "", .type = ADT_AWS_STRUCTURE};
    struct step root = {0};
    return check_structure(m, m->op->input ? m->op->input->shape : &nothing, params, &root);
}
