/* model.c - a service description read, and looked up */
#include "aws/model_private.h"

#include "base/mem.h"
#include "data/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The description as a tree, and the model made of it; documentation is left out of both. */
enum { TREE_SIZE = 256 << 20, MODEL_SIZE = 256 << 20 };

struct loaded {
    struct adt_aws_model model; /* first: what callers hold */
    struct adt_arena arena;
};

int adt_aws_loader_bad(struct adt_aws_loader *l, const char *where, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    adt_error_set(l->err, ADT_CONFIG, "BadModel", "the service description %s is not usable: %s", l->file, text);
    adt_error_hint(l->err, "models are botocore's service-2.json files; get this one anew, or leave it out");
    if (l->err)
        snprintf(l->err->where, sizeof l->err->where, "%s", where);
    return -1;
}

int adt_aws_loader_nomem(struct adt_aws_loader *l)
{
    if (errno == EOVERFLOW)
        return adt_aws_loader_bad(l, "", "it takes more than %d bytes", MODEL_SIZE);
    return adt_error_nomem(l->err);
}

int adt_aws_loader_text(struct adt_aws_loader *l, const struct adt_value *v, const char **out)
{
    if (!v || v->type != ADT_VALUE_STRING)
        return 0;
    char *p = adt_arena_text(l->arena, v->string.p, v->string.n);
    if (!p)
        return adt_aws_loader_nomem(l);
    *out = p;
    return 0;
}

bool adt_aws_value_true(const struct adt_value *v)
{
    return v && v->type == ADT_VALUE_BOOLEAN && v->boolean;
}

bool adt_aws_value_is(const struct adt_value *v, const char *text)
{
    return v && v->type == ADT_VALUE_STRING && !strcmp(v->string.p, text);
}

/* --- from text to tree: prose is most of a full description, and nobody asks for it ------------------------------- */

struct sieve {
    struct adt_value_builder *tree;
    bool prose; /* the last event was the key "documentation" */
};

static int sieve_null(void *ctx)
{
    return adt_value_events.null(((struct sieve *)ctx)->tree);
}

static int sieve_boolean(void *ctx, bool value)
{
    return adt_value_events.boolean(((struct sieve *)ctx)->tree, value);
}

static int sieve_integer(void *ctx, int64_t value)
{
    return adt_value_events.integer(((struct sieve *)ctx)->tree, value);
}

static int sieve_number(void *ctx, double value)
{
    return adt_value_events.number(((struct sieve *)ctx)->tree, value);
}

static int sieve_string(void *ctx, const char *text, size_t n)
{
    struct sieve *s = ctx;
    return s->prose ? adt_value_events.null(s->tree) : adt_value_events.string(s->tree, text, n);
}

static int sieve_begin_array(void *ctx)
{
    struct sieve *s = ctx;
    s->prose = false;
    return adt_value_events.begin_array(s->tree);
}

static int sieve_end_array(void *ctx)
{
    return adt_value_events.end_array(((struct sieve *)ctx)->tree);
}

static int sieve_begin_object(void *ctx)
{
    struct sieve *s = ctx;
    s->prose = false;
    return adt_value_events.begin_object(s->tree);
}

static int sieve_key(void *ctx, const char *text, size_t n)
{
    struct sieve *s = ctx;
    s->prose = n == strlen("documentation") && !memcmp(text, "documentation", n);
    return adt_value_events.key(s->tree, text, n);
}

static int sieve_end_object(void *ctx)
{
    return adt_value_events.end_object(((struct sieve *)ctx)->tree);
}

static const struct adt_events sieve_events = {
    .null = sieve_null,
    .boolean = sieve_boolean,
    .integer = sieve_integer,
    .number = sieve_number,
    .string = sieve_string,
    .begin_array = sieve_begin_array,
    .end_array = sieve_end_array,
    .begin_object = sieve_begin_object,
    .key = sieve_key,
    .end_object = sieve_end_object,
};

/* --- metadata ----------------------------------------------------------------------------------------------------- */

static int protocol_of(const struct adt_value *name)
{
    static const char *const names[] = {
        [ADT_AWS_QUERY] = "query",         [ADT_AWS_EC2] = "ec2",           [ADT_AWS_JSON] = "json",
        [ADT_AWS_REST_JSON] = "rest-json", [ADT_AWS_REST_XML] = "rest-xml",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (adt_aws_value_is(name, names[i]))
            return (int)i;
    return -1;
}

static int read_protocol(struct adt_aws_loader *l, const struct adt_value *metadata)
{
    const struct adt_value *list = adt_value_field(metadata, "protocols"), *one = adt_value_field(metadata, "protocol");
    int found = -1;
    for (size_t i = 0; found < 0 && list && list->type == ADT_VALUE_ARRAY && i < list->list.n; i++)
        found = protocol_of(&list->list.items[i]);
    if (found < 0)
        found = protocol_of(one);
    if (found < 0)
        return adt_aws_loader_bad(l, "metadata", "the protocol '%.40s' is not known",
                                  one && one->type == ADT_VALUE_STRING ? one->string.p : "");
    l->model->protocol = (enum adt_aws_protocol)found;
    return 0;
}

static int read_metadata(struct adt_aws_loader *l, const struct adt_value *v)
{
    struct adt_aws_model *m = l->model;
    const struct {
        const char *name, **out;
    } texts[] = {
        {"apiVersion", &m->api_version},         {"endpointPrefix", &m->endpoint_prefix},
        {"endpointPrefix", &m->service_id},      {"serviceId", &m->service_id},
        {"endpointPrefix", &m->signing_name},    {"signingName", &m->signing_name},
        {"targetPrefix", &m->target_prefix},     {"jsonVersion", &m->json_version},
        {"globalEndpoint", &m->global_endpoint}, {"serviceFullName", &m->full_name},
    };
    m->service_id = m->endpoint_prefix = m->signing_name = m->api_version = m->target_prefix = m->json_version = "";
    if (!v || v->type != ADT_VALUE_OBJECT)
        return adt_aws_loader_bad(l, "metadata", "it says nothing of the service");
    if (read_protocol(l, v) < 0)
        return -1;
    if (m->protocol == ADT_AWS_JSON)
        m->json_version = "1.0";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (adt_aws_loader_text(l, adt_value_field(v, texts[i].name), texts[i].out) < 0)
            return -1;
    const struct adt_value *ns = adt_value_field(v, "xmlNamespace"), *compatible;
    if (ns && ns->type == ADT_VALUE_OBJECT)
        ns = adt_value_field(ns, "uri");
    compatible = adt_value_field(v, "awsQueryCompatible");
    m->query_compatible = compatible && (compatible->type == ADT_VALUE_OBJECT || adt_aws_value_true(compatible));
    return adt_aws_loader_text(l, ns, &m->xml_uri);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int by_code(const void *a, const void *b)
{
    const struct adt_aws_shape *const *x = a, *const *y = b;
    int order = strcmp((*x)->error_code, (*y)->error_code);
    return order ? order : strcmp((*x)->name, (*y)->name);
}

static int collect_exceptions(struct adt_aws_loader *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->entry_count; i++)
        n += l->entries[i].shape->exception;
    const struct adt_aws_shape **all = adt_arena_alloc(l->arena, n, sizeof *all);
    if (!all)
        return adt_aws_loader_nomem(l);
    l->model->exceptions = all;
    l->model->exception_count = n;
    for (size_t i = 0; i < l->entry_count; i++)
        if (l->entries[i].shape->exception)
            *all++ = l->entries[i].shape;
    if (n)
        qsort(all - n, n, sizeof *all, by_code);
    return 0;
}

static int load(struct adt_aws_loader *l, const struct adt_value *v)
{
    if (v->type != ADT_VALUE_OBJECT)
        return adt_aws_loader_bad(l, "", "it is no table");
    if (read_metadata(l, adt_value_field(v, "metadata")) < 0 ||
        adt_aws_loader_shapes(l, adt_value_field(v, "shapes")) < 0 ||
        adt_aws_loader_operations(l, adt_value_field(v, "operations")) < 0)
        return -1;
    return collect_exceptions(l);
}

static const struct adt_value *parse(const char *text, size_t n, const char *name, struct sieve *s,
                                     struct adt_error *err)
{
    struct adt_json_options opt = {.max_size = ADT_AWS_MODEL_SIZE, .name = name};
    if (!(s->tree = adt_value_builder_new(TREE_SIZE, err)))
        return NULL;
    return adt_json_parse(text, n, &opt, &sieve_events, s, err) < 0 ? NULL : adt_value_built(s->tree);
}

struct adt_aws_model *adt_aws_model_load(const char *text, size_t n, const char *name, struct adt_error *err)
{
    struct sieve sieve = {0};
    struct loaded *made = adt_zalloc(sizeof *made);
    if (!made) {
        adt_error_nomem(err);
        return NULL;
    }
    adt_arena_init(&made->arena, MODEL_SIZE);
    struct adt_aws_loader l = {.arena = &made->arena, .model = &made->model, .file = name, .err = err};
    const struct adt_value *v = parse(text, n, name, &sieve, err);
    int rc = v ? load(&l, v) : -1;
    adt_value_builder_free(sieve.tree);
    if (rc == 0)
        return &made->model;
    adt_aws_model_free(&made->model);
    return NULL;
}

void adt_aws_model_free(struct adt_aws_model *m)
{
    if (!m)
        return;
    struct loaded *made = (struct loaded *)m;
    adt_arena_free(&made->arena);
    adt_free(made);
}

/* --- looking up --------------------------------------------------------------------------------------------------- */

static int compare(const char *name, const char *key, size_t n)
{
    int order = strncmp(name, key, n);
    return order ? order : name[n] != '\0';
}

const struct adt_aws_operation *adt_aws_model_operation(const struct adt_aws_model *m, const char *name)
{
    for (size_t lo = 0, hi = m->operation_count; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(m->operations[mid].name, name);
        if (!order)
            return &m->operations[mid];
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static const char *name_of(const struct adt_aws_member *m, bool wire)
{
    return wire && m->wire_name ? m->wire_name : m->name;
}

/* The place in an index of the first member not before the name. */
static size_t first_of(const struct adt_aws_shape *s, const uint16_t *index, bool wire, const char *name, size_t n)
{
    size_t lo = 0, hi = s->member_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare(name_of(&s->members[index[mid]], wire), name, n) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct adt_aws_member *adt_aws_shape_member(const struct adt_aws_shape *s, const char *name, size_t n)
{
    size_t at = memchr(name, '\0', n) ? s->member_count : first_of(s, s->by_name, false, name, n);
    if (at >= s->member_count || compare(s->members[s->by_name[at]].name, name, n))
        return NULL;
    return &s->members[s->by_name[at]];
}

/* Members that travel elsewhere may have the same name on their wire. */
const struct adt_aws_member *adt_aws_shape_wire(const struct adt_aws_shape *s, const char *name, size_t n)
{
    size_t at = memchr(name, '\0', n) ? s->member_count : first_of(s, s->by_wire, true, name, n);
    for (; at < s->member_count; at++) {
        const struct adt_aws_member *m = &s->members[s->by_wire[at]];
        if (compare(name_of(m, true), name, n))
            return NULL;
        if (m->location == ADT_AWS_BODY)
            return m;
    }
    return NULL;
}
