/* model_shapes.c - shapes and the references between them */
#include "aws/model_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int by_name(const void *a, const void *b)
{
    const struct adt_aws_entry *x = a, *y = b;
    int order = memcmp(x->name, y->name, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

const struct adt_aws_entry *adt_aws_loader_find(const struct adt_aws_loader *l, const struct adt_value *name)
{
    if (!name || name->type != ADT_VALUE_STRING || !l->entry_count)
        return NULL;
    struct adt_aws_entry key = {.name = name->string.p, .n = name->string.n};
    return bsearch(&key, l->entries, l->entry_count, sizeof key, by_name);
}

/* --- references --------------------------------------------------------------------------------------------------- */

struct trait {
    const char *name;
    enum { FLAG, TEXT, LOCATION, TIME, NAMESPACE } kind;
    size_t offset;
};

#define MEMBER(field) offsetof(struct adt_aws_member, field)

static const struct trait traits[] = {
    {"locationName", TEXT, MEMBER(wire_name)},
    {"queryName", TEXT, MEMBER(query_name)},
    {"resultWrapper", TEXT, MEMBER(result_wrapper)},
    {"flattened", FLAG, MEMBER(flattened)},
    {"xmlAttribute", FLAG, MEMBER(xml_attribute)},
    {"idempotencyToken", FLAG, MEMBER(idempotency_token)},
    {"jsonvalue", FLAG, MEMBER(json_value)},
    {"hostLabel", FLAG, MEMBER(host_label)},
    {"event", FLAG, MEMBER(event)},
    {"eventpayload", FLAG, MEMBER(event_payload)},
    {"eventheader", FLAG, MEMBER(event_header)},
    {"streaming", FLAG, MEMBER(streaming)},
    {"location", LOCATION, 0},
    {"timestampFormat", TIME, 0},
    {"xmlNamespace", NAMESPACE, 0},
};

static const struct trait *find_trait(const char *name)
{
    for (size_t i = 0; i < sizeof traits / sizeof *traits; i++)
        if (!strcmp(traits[i].name, name))
            return &traits[i];
    return NULL;
}

static enum adt_aws_location location_of(const struct adt_value *v)
{
    static const char *const names[] = {
        [ADT_AWS_HEADER] = "header",           [ADT_AWS_HEADERS] = "headers",   [ADT_AWS_URI] = "uri",
        [ADT_AWS_QUERYSTRING] = "querystring", [ADT_AWS_STATUS] = "statusCode",
    };
    for (size_t i = ADT_AWS_HEADER; i <= ADT_AWS_STATUS; i++)
        if (adt_aws_value_is(v, names[i]))
            return (enum adt_aws_location)i;
    return ADT_AWS_BODY;
}

static enum adt_aws_time time_of(const struct adt_value *v)
{
    static const char *const names[] = {
        [ADT_AWS_TIME_ISO8601] = "iso8601",
        [ADT_AWS_TIME_RFC822] = "rfc822",
        [ADT_AWS_TIME_UNIX] = "unixTimestamp",
    };
    for (size_t i = ADT_AWS_TIME_ISO8601; v->type == ADT_VALUE_STRING && i <= ADT_AWS_TIME_UNIX; i++)
        if (!strcasecmp(v->string.p, names[i]))
            return (enum adt_aws_time)i;
    return ADT_AWS_TIME_ANY;
}

/* "xmlNamespace" is an address, or a table of an address and a prefix. */
static int read_namespace(struct adt_aws_loader *l, const struct adt_value *v, struct adt_aws_member *out)
{
    out->xml_prefix = NULL;
    if (v->type == ADT_VALUE_STRING)
        return adt_aws_loader_text(l, v, &out->xml_uri);
    if (adt_aws_loader_text(l, adt_value_field(v, "uri"), &out->xml_uri) < 0)
        return -1;
    return adt_aws_loader_text(l, adt_value_field(v, "prefix"), &out->xml_prefix);
}

/* A structure's own name is that of a whole body, so references do not take it over. */
static int read_traits(struct adt_aws_loader *l, const struct adt_value *from, struct adt_aws_member *out,
                       bool structure)
{
    for (size_t i = 0; i < from->list.n; i++) {
        const struct adt_value *v = &from->list.items[i];
        const struct trait *t = find_trait(from->list.keys[i].string.p);
        int rc = 0;
        if (!t || (structure && t->kind == TEXT && t->offset == MEMBER(wire_name)))
            continue;
        if (t->kind == FLAG)
            *(bool *)((char *)out + t->offset) = adt_aws_value_true(v);
        else if (t->kind == TEXT)
            rc = adt_aws_loader_text(l, v, (const char **)((char *)out + t->offset));
        else if (t->kind == LOCATION)
            out->location = location_of(v);
        else if (t->kind == TIME)
            out->time = time_of(v);
        else
            rc = read_namespace(l, v, out);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* A payload's location name that only repeats its member's says nothing, unless the reference has a namespace, too:
 * S3's descriptions mean it then, while those made from Smithy add it to every member. */
static int name_root(struct adt_aws_loader *l, const struct adt_aws_entry *e, const struct adt_value *ref,
                     struct adt_aws_member *out)
{
    const struct adt_value *own = adt_value_field(e->text, "locationName");
    bool whole = !out->name, repeats = !whole && out->wire_name && !strcmp(out->wire_name, out->name);
    out->root = e->shape->name;
    if (whole && !own && out->wire_name)
        out->root = out->wire_name;
    if (!whole && out->wire_name && (!repeats || adt_value_field(ref, "xmlNamespace"))) {
        out->root = out->wire_name;
        return 0;
    }
    return adt_aws_loader_text(l, own, &out->root);
}

int adt_aws_loader_reference(struct adt_aws_loader *l, const char *where, const struct adt_value *ref,
                             struct adt_aws_member *out)
{
    const struct adt_value *name = adt_value_field(ref, "shape");
    if (!name || name->type != ADT_VALUE_STRING)
        return adt_aws_loader_bad(l, where, "a reference names no shape");
    const struct adt_aws_entry *e = adt_aws_loader_find(l, name);
    if (!e)
        return adt_aws_loader_bad(l, where, "the shape '%.80s' is missing", name->string.p);
    out->shape = e->shape;
    bool structure = e->shape->type == ADT_AWS_STRUCTURE;
    if (read_traits(l, e->text, out, structure) < 0 || read_traits(l, ref, out, false) < 0)
        return -1;
    return structure ? name_root(l, e, ref, out) : 0;
}

/* --- structures --------------------------------------------------------------------------------------------------- */

struct sorted {
    const char *name;
    uint16_t at;
};

static int by_text(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static const uint16_t *sort_members(struct adt_aws_loader *l, const struct adt_aws_shape *s, bool wire)
{
    uint16_t *index = adt_arena_alloc(l->arena, s->member_count, sizeof *index);
    struct sorted few[64], *all = few;
    if (s->member_count > 64 && !(all = adt_arena_alloc(l->arena, s->member_count, sizeof *all)))
        return NULL;
    if (!index)
        return NULL;
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_aws_member *m = &s->members[i];
        all[i] = (struct sorted){wire && m->wire_name ? m->wire_name : m->name, (uint16_t)i};
    }
    qsort(all, s->member_count, sizeof *all, by_text);
    for (size_t i = 0; i < s->member_count; i++)
        index[i] = all[i].at;
    return index;
}

static int read_members(struct adt_aws_loader *l, struct adt_aws_entry *e)
{
    const struct adt_value *v = adt_value_field(e->text, "members");
    size_t n = v && v->type == ADT_VALUE_OBJECT ? v->list.n : 0;
    struct adt_aws_member *members = adt_arena_alloc(l->arena, n, sizeof *members);
    if (!members)
        return adt_aws_loader_nomem(l);
    if (n > UINT16_MAX)
        return adt_aws_loader_bad(l, e->name, "more than %d members", UINT16_MAX);
    for (size_t i = 0; i < n; i++) {
        if (adt_aws_loader_text(l, &v->list.keys[i], &members[i].name) < 0 ||
            adt_aws_loader_reference(l, e->name, &v->list.items[i], &members[i]) < 0)
            return -1;
    }
    e->shape->members = members;
    e->shape->member_count = n;
    e->shape->by_wire = sort_members(l, e->shape, true);
    e->shape->by_name = sort_members(l, e->shape, false);
    return e->shape->by_wire && e->shape->by_name ? 0 : adt_aws_loader_nomem(l);
}

static int read_structure(struct adt_aws_loader *l, struct adt_aws_entry *e)
{
    if (read_members(l, e) < 0)
        return -1;
    const struct adt_value *required = adt_value_field(e->text, "required");
    for (size_t i = 0; required && required->type == ADT_VALUE_ARRAY && i < required->list.n; i++) {
        const struct adt_value *name = &required->list.items[i];
        if (name->type != ADT_VALUE_STRING)
            continue;
        const struct adt_aws_member *m = adt_aws_shape_member(e->shape, name->string.p, name->string.n);
        if (m)
            ((struct adt_aws_member *)m)->required = true;
    }
    const struct adt_value *payload = adt_value_field(e->text, "payload");
    if (payload && payload->type == ADT_VALUE_STRING &&
        !(e->shape->payload = adt_aws_shape_member(e->shape, payload->string.p, payload->string.n)))
        return adt_aws_loader_bad(l, e->name, "the payload '%.80s' is no member", payload->string.p);
    return 0;
}

/* --- all shapes --------------------------------------------------------------------------------------------------- */

static int type_of(const struct adt_value *shape, enum adt_aws_type *out)
{
    static const struct {
        const char *name;
        enum adt_aws_type type;
    } types[] = {
        {"structure", ADT_AWS_STRUCTURE}, {"list", ADT_AWS_LIST},        {"map", ADT_AWS_MAP},
        {"string", ADT_AWS_STRING},       {"character", ADT_AWS_STRING}, {"blob", ADT_AWS_BLOB},
        {"boolean", ADT_AWS_BOOLEAN},     {"integer", ADT_AWS_INTEGER},  {"long", ADT_AWS_INTEGER},
        {"byte", ADT_AWS_INTEGER},        {"short", ADT_AWS_INTEGER},    {"bigInteger", ADT_AWS_INTEGER},
        {"float", ADT_AWS_FLOAT},         {"double", ADT_AWS_FLOAT},     {"bigDecimal", ADT_AWS_FLOAT},
        {"timestamp", ADT_AWS_TIMESTAMP},
    };
    const struct adt_value *type = adt_value_field(shape, "type");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (adt_aws_value_is(type, types[i].name)) {
            *out = types[i].type;
            if (*out == ADT_AWS_STRUCTURE && adt_aws_value_true(adt_value_field(shape, "document")))
                *out = ADT_AWS_DOCUMENT;
            return 0;
        }
    return -1;
}

static int read_error_traits(struct adt_aws_loader *l, struct adt_aws_entry *e)
{
    struct adt_aws_shape *s = e->shape;
    const struct adt_value *error = adt_value_field(e->text, "error"), *retry = adt_value_field(e->text, "retryable");
    const struct adt_value *status = adt_value_field(error, "httpStatusCode");
    s->exception = error || adt_aws_value_true(adt_value_field(e->text, "exception"));
    s->fault = adt_aws_value_true(adt_value_field(e->text, "fault"));
    s->retryable = retry && (retry->type == ADT_VALUE_OBJECT || adt_aws_value_true(retry));
    s->throttling = adt_aws_value_true(adt_value_field(retry, "throttling"));
    if (status && status->type == ADT_VALUE_INTEGER && status->integer > 0 && status->integer < 1000)
        s->error_status = (int)status->integer;
    s->error_code = s->exception ? s->name : NULL;
    return adt_aws_loader_text(l, adt_value_field(error, "code"), &s->error_code);
}

static int read_shape(struct adt_aws_loader *l, struct adt_aws_entry *e)
{
    struct adt_aws_shape *s = e->shape;
    if (e->text->type != ADT_VALUE_OBJECT)
        return adt_aws_loader_bad(l, e->name, "a shape is no table");
    s->is_union = adt_aws_value_true(adt_value_field(e->text, "union"));
    s->sparse = adt_aws_value_true(adt_value_field(e->text, "sparse"));
    s->sensitive = adt_aws_value_true(adt_value_field(e->text, "sensitive"));
    s->event_stream = adt_aws_value_true(adt_value_field(e->text, "eventstream"));
    if (type_of(e->text, &s->type) < 0) {
        const struct adt_value *type = adt_value_field(e->text, "type");
        return adt_aws_loader_bad(l, e->name, "the type '%.80s' is not known",
                                  type && type->type == ADT_VALUE_STRING ? type->string.p : "");
    }
    return read_error_traits(l, e);
}

static int link_element(struct adt_aws_loader *l, struct adt_aws_entry *e, const char *field,
                        const struct adt_aws_member **out)
{
    struct adt_aws_member *m = adt_arena_alloc(l->arena, 1, sizeof *m);
    if (!m)
        return adt_aws_loader_nomem(l);
    m->name = "";
    *out = m;
    return adt_aws_loader_reference(l, e->name, adt_value_field(e->text, field), m);
}

static int link_shape(struct adt_aws_loader *l, struct adt_aws_entry *e)
{
    switch (e->shape->type) {
    case ADT_AWS_STRUCTURE:
        return read_structure(l, e);
    case ADT_AWS_LIST:
        return link_element(l, e, "member", &e->shape->element);
    case ADT_AWS_MAP:
        if (link_element(l, e, "key", &e->shape->key) < 0)
            return -1;
        if (e->shape->key->shape->type != ADT_AWS_STRING)
            return adt_aws_loader_bad(l, e->name, "the keys of a map are no strings");
        return link_element(l, e, "value", &e->shape->element);
    default:
        return 0;
    }
}

int adt_aws_loader_shapes(struct adt_aws_loader *l, const struct adt_value *shapes)
{
    size_t n = shapes && shapes->type == ADT_VALUE_OBJECT ? shapes->list.n : 0;
    struct adt_aws_shape *all = adt_arena_alloc(l->arena, n, sizeof *all);
    if (!all || !(l->entries = adt_arena_alloc(l->arena, n, sizeof *l->entries)))
        return adt_aws_loader_nomem(l);
    l->entry_count = n;
    for (size_t i = 0; i < n; i++) {
        struct adt_aws_entry *e = &l->entries[i];
        const struct adt_value *key = &shapes->list.keys[i];
        *e = (struct adt_aws_entry){.n = key->string.n, .text = &shapes->list.items[i], .shape = &all[i]};
        if (adt_aws_loader_text(l, key, &e->name) < 0)
            return -1;
        e->shape->name = e->name;
    }
    if (n)
        qsort(l->entries, n, sizeof *l->entries, by_name);
    for (size_t i = 1; i < n; i++)
        if (!by_name(&l->entries[i - 1], &l->entries[i]))
            return adt_aws_loader_bad(l, l->entries[i].name, "the shape is there twice");
    for (size_t i = 0; i < n; i++)
        if (read_shape(l, &l->entries[i]) < 0)
            return -1;
    for (size_t i = 0; i < n; i++)
        if (link_shape(l, &l->entries[i]) < 0)
            return -1;
    return 0;
}
