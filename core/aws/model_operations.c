/* model_operations.c - operations, and what their traits say of a request */
#include "aws/model_private.h"

#include <stdlib.h>
#include <string.h>

/* The payload when it is a blob that is marked as a stream. */
static const struct adt_aws_member *stream_of(const struct adt_aws_member *ref)
{
    const struct adt_aws_member *payload = ref ? ref->shape->payload : NULL;
    return payload && payload->streaming && payload->shape->type == ADT_AWS_BLOB ? payload : NULL;
}

static bool has_event_stream(const struct adt_aws_member *ref)
{
    for (size_t i = 0; ref && i < ref->shape->member_count; i++)
        if (ref->shape->members[i].shape->event_stream)
            return true;
    return false;
}

static bool lists(const struct adt_value *list, const char *text)
{
    for (size_t i = 0; list && list->type == ADT_VALUE_ARRAY && i < list->list.n; i++)
        if (adt_aws_value_is(&list->list.items[i], text))
            return true;
    return false;
}

/* Old descriptions name the payload where the shape is referred to. */
static int adopt_payload(struct adt_aws_loader *l, const char *where, const struct adt_value *ref)
{
    const struct adt_value *payload = adt_value_field(ref, "payload");
    struct adt_aws_shape *s = adt_aws_loader_find(l, adt_value_field(ref, "shape"))->shape;
    if (!payload || payload->type != ADT_VALUE_STRING || s->payload)
        return 0;
    s->payload = adt_aws_shape_member(s, payload->string.p, payload->string.n);
    return s->payload ? 0 : adt_aws_loader_bad(l, where, "the payload '%.80s' is no member", payload->string.p);
}

static int read_inout(struct adt_aws_loader *l, const char *where, const struct adt_value *ref,
                      const struct adt_aws_member **out)
{
    if (!ref || ref->type == ADT_VALUE_NULL)
        return 0;
    struct adt_aws_member *m = adt_arena_alloc(l->arena, 1, sizeof *m);
    if (!m)
        return adt_aws_loader_nomem(l);
    if (adt_aws_loader_reference(l, where, ref, m) < 0)
        return -1;
    m->name = m->shape->name;
    if (m->shape->type != ADT_AWS_STRUCTURE)
        return adt_aws_loader_bad(l, where, "its input or output '%.80s' is no structure", m->name);
    *out = m;
    return adopt_payload(l, where, ref);
}

/* A shape that an operation lists as an error is one, whatever it says of itself. */
static int read_errors(struct adt_aws_loader *l, const struct adt_value *errors, struct adt_aws_operation *op)
{
    size_t n = errors && errors->type == ADT_VALUE_ARRAY ? errors->list.n : 0;
    const struct adt_aws_shape **all = adt_arena_alloc(l->arena, n, sizeof *all);
    if (!all)
        return adt_aws_loader_nomem(l);
    for (size_t i = 0; i < n; i++) {
        const struct adt_value *name = adt_value_field(&errors->list.items[i], "shape");
        const struct adt_aws_entry *e = adt_aws_loader_find(l, name);
        if (!e)
            return adt_aws_loader_bad(l, op->name, "an error's shape '%.80s' is missing",
                                      name && name->type == ADT_VALUE_STRING ? name->string.p : "");
        e->shape->exception = true;
        if (!e->shape->error_code)
            e->shape->error_code = e->shape->name;
        all[i] = e->shape;
    }
    op->errors = all;
    op->error_count = n;
    return 0;
}

static int read_http(struct adt_aws_loader *l, const struct adt_value *http, struct adt_aws_operation *op)
{
    const struct adt_value *status = adt_value_field(http, "responseCode");
    op->method = "POST";
    op->uri = "/";
    if (status && status->type == ADT_VALUE_INTEGER && status->integer > 0 && status->integer < 1000)
        op->status = (int)status->integer;
    if (adt_aws_loader_text(l, adt_value_field(http, "method"), &op->method) < 0)
        return -1;
    return adt_aws_loader_text(l, adt_value_field(http, "requestUri"), &op->uri);
}

static int read_checksums(struct adt_aws_loader *l, const struct adt_value *v, struct adt_aws_operation *op)
{
    const struct adt_value *checksum = adt_value_field(v, "httpChecksum");
    op->checksum_required = adt_aws_value_true(adt_value_field(v, "httpChecksumRequired")) ||
                            adt_aws_value_true(adt_value_field(checksum, "requestChecksumRequired"));
    if (adt_aws_loader_text(l, adt_value_field(checksum, "requestAlgorithmMember"), &op->checksum_algorithm_member) < 0)
        return -1;
    return adt_aws_loader_text(l, adt_value_field(checksum, "requestValidationModeMember"), &op->checksum_mode_member);
}

static int read_operation(struct adt_aws_loader *l, const struct adt_value *key, const struct adt_value *v,
                          struct adt_aws_operation *op)
{
    const struct adt_value *auth = adt_value_field(v, "auth"), *authtype = adt_value_field(v, "authtype");
    if (adt_aws_loader_text(l, key, &op->name) < 0)
        return -1;
    if (v->type != ADT_VALUE_OBJECT)
        return adt_aws_loader_bad(l, op->name, "an operation is no table");
    const struct adt_value *endpoint = adt_value_field(v, "endpoint");
    if (read_http(l, adt_value_field(v, "http"), op) < 0 || read_checksums(l, v, op) < 0 ||
        adt_aws_loader_text(l, adt_value_field(endpoint, "hostPrefix"), &op->host_prefix) < 0 ||
        read_inout(l, op->name, adt_value_field(v, "input"), &op->input) < 0 ||
        read_inout(l, op->name, adt_value_field(v, "output"), &op->output) < 0 ||
        read_errors(l, adt_value_field(v, "errors"), op) < 0)
        return -1;
    op->streaming_input = stream_of(op->input);
    op->streaming_output = stream_of(op->output);
    op->unsigned_request =
        adt_aws_value_is(authtype, "none") ||
        (auth && auth->type == ADT_VALUE_ARRAY && auth->list.n == 1 && lists(auth, "smithy.api#noAuth"));
    op->unsigned_payload =
        adt_aws_value_is(authtype, "v4-unsigned-body") || adt_aws_value_true(adt_value_field(v, "unsignedPayload"));
    op->event_stream = has_event_stream(op->output);
    op->gzip = lists(adt_value_field(adt_value_field(v, "requestcompression"), "encodings"), "gzip");
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct adt_aws_operation *x = a, *y = b;
    return strcmp(x->name, y->name);
}

int adt_aws_loader_operations(struct adt_aws_loader *l, const struct adt_value *operations)
{
    size_t n = operations && operations->type == ADT_VALUE_OBJECT ? operations->list.n : 0;
    struct adt_aws_operation *all = adt_arena_alloc(l->arena, n, sizeof *all);
    if (!all)
        return adt_aws_loader_nomem(l);
    for (size_t i = 0; i < n; i++)
        if (read_operation(l, &operations->list.keys[i], &operations->list.items[i], &all[i]) < 0)
            return -1;
    if (n)
        qsort(all, n, sizeof *all, by_name);
    for (size_t i = 1; i < n; i++)
        if (!by_name(&all[i - 1], &all[i]))
            return adt_aws_loader_bad(l, all[i].name, "the operation is there twice");
    l->model->operations = all;
    l->model->operation_count = n;
    return 0;
}
