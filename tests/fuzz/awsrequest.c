/* awsrequest.c - parameters that are nearly right over every protocol, and any bytes as a service description: what is
 * built has its form, and nothing is built from what is wrong */
#include "aws/protocol.h"
#include "base/mem.h"
#include "data/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SHAPES \
    "\"shapes\":{\"I\":{\"type\":\"structure\",\"required\":[\"Key\"],\"members\":{" \
    "\"Key\":{\"shape\":\"S\",\"location\":\"uri\"}," \
    "\"Q\":{\"shape\":\"L\",\"location\":\"querystring\"},\"Qm\":{\"shape\":\"M\",\"location\":\"querystring\"}," \
    "\"H\":{\"shape\":\"L\",\"location\":\"header\",\"locationName\":\"x-h\"}," \
    "\"J\":{\"shape\":\"S\",\"jsonvalue\":true,\"location\":\"header\",\"locationName\":\"x-j\"}," \
    "\"T\":{\"shape\":\"T\",\"location\":\"header\",\"locationName\":\"x-t\"}," \
    "\"P\":{\"shape\":\"M\",\"location\":\"headers\",\"locationName\":\"x-\"}," \
    "\"Tok\":{\"shape\":\"S\",\"idempotencyToken\":true},\"Body\":{\"shape\":\"R\"},\"D\":{\"shape\":\"D\"}}}," \
    "\"R\":{\"type\":\"structure\",\"xmlNamespace\":\"u\",\"members\":{\"A\":{\"shape\":\"S\",\"xmlAttribute\":true}," \
    "\"s\":{\"shape\":\"S\"},\"b\":{\"shape\":\"B\"},\"i\":{\"shape\":\"N\"},\"f\":{\"shape\":\"F\"}," \
    "\"o\":{\"shape\":\"O\"},\"t\":{\"shape\":\"T\"},\"r\":{\"shape\":\"R\"},\"u\":{\"shape\":\"U\"}," \
    "\"l\":{\"shape\":\"Rs\"},\"lf\":{\"shape\":\"L\",\"flattened\":true},\"m\":{\"shape\":\"M\"}," \
    "\"mf\":{\"shape\":\"M\",\"flattened\":true,\"queryName\":\"q\"}}}," \
    "\"U\":{\"type\":\"structure\",\"union\":true,\"members\":{\"x\":{\"shape\":\"S\"},\"y\":{\"shape\":\"R\"}}}," \
    "\"Rs\":{\"type\":\"list\",\"member\":{\"shape\":\"R\",\"locationName\":\"item\"}}," \
    "\"L\":{\"type\":\"list\",\"member\":{\"shape\":\"S\"}},\"D\":{\"type\":\"structure\",\"document\":true}," \
    "\"M\":{\"type\":\"map\",\"key\":{\"shape\":\"S\",\"locationName\":\"k\"},\"value\":{\"shape\":\"S\"}}," \
    "\"S\":{\"type\":\"string\"},\"B\":{\"type\":\"blob\"},\"N\":{\"type\":\"long\"},\"F\":{\"type\":\"double\"}," \
    "\"O\":{\"type\":\"boolean\"},\"T\":{\"type\":\"timestamp\",\"timestampFormat\":\"iso8601\"}}"

#define SERVICE(protocol) \
    "{\"metadata\":{\"protocol\":\"" protocol \
    "\",\"apiVersion\":\"1\",\"targetPrefix\":\"T\",\"jsonVersion\":\"1.1\"}," \
    "\"operations\":{\"Do\":{\"input\":{\"shape\":\"I\"},\"http\":{\"method\":\"POST\"," \
    "\"requestUri\":\"/a/{Key+}/b?c\"}}}," SHAPES "}"

static const char *const services[] = {SERVICE("query"), SERVICE("ec2"), SERVICE("json"), SERVICE("rest-json"),
                                       SERVICE("rest-xml")};

static void must(bool good)
{
    if (!good)
        abort();
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

struct bytes {
    const uint8_t *p, *end;
};

static unsigned next(struct bytes *b)
{
    return b->p < b->end ? *b->p++ : 0;
}

static void text(struct bytes *b, struct adt_value_builder *v, int (*event)(void *, const char *, size_t))
{
    size_t n = next(b) % 12, left = (size_t)(b->end - b->p);
    n = n < left ? n : left;
    event(v, n ? (const char *)b->p : "", n);
    b->p += n;
}

static void any(struct bytes *b, struct adt_value_builder *v, int depth)
{
    switch (next(b) % (depth > 4 ? 5 : 7)) {
    case 0:
        adt_value_events.null(v);
        break;
    case 1:
        adt_value_events.boolean(v, next(b) & 1);
        break;
    case 2:
        adt_value_events.integer(v, (int64_t)next(b) << next(b) % 56);
        break;
    case 3:
        adt_value_events.number(v, next(b) / (double)(next(b) % 16));
        break;
    case 4:
        text(b, v, adt_value_events.string);
        break;
    case 5:
        adt_value_events.begin_array(v);
        for (unsigned n = next(b) % 4; n > 0; n--)
            any(b, v, depth + 1);
        adt_value_events.end_array(v);
        break;
    default:
        adt_value_events.begin_object(v);
        for (unsigned n = next(b) % 4; n > 0; n--) {
            text(b, v, adt_value_events.key);
            any(b, v, depth + 1);
        }
        adt_value_events.end_object(v);
    }
}

static void shaped(struct bytes *b, struct adt_value_builder *v, const struct adt_aws_shape *s, int depth);

static void members(struct bytes *b, struct adt_value_builder *v, const struct adt_aws_shape *s, int depth)
{
    adt_value_events.begin_object(v);
    for (size_t i = 0; i < s->member_count; i++) {
        bool needed = s->members[i].required || (s->is_union && !i);
        if (!needed && (next(b) & 3))
            continue;
        adt_value_events.key(v, s->members[i].name, strlen(s->members[i].name));
        shaped(b, v, s->members[i].shape, depth + 1);
        if (s->is_union)
            break;
    }
    if (next(b) > 250) {
        text(b, v, adt_value_events.key);
        any(b, v, depth + 1);
    }
    adt_value_events.end_object(v);
}

static void elements(struct bytes *b, struct adt_value_builder *v, const struct adt_aws_shape *s, int depth)
{
    bool map = s->type == ADT_AWS_MAP;
    (map ? adt_value_events.begin_object : adt_value_events.begin_array)(v);
    for (unsigned n = next(b) % 4; n > 0; n--) {
        if (map)
            text(b, v, adt_value_events.key);
        shaped(b, v, s->element->shape, depth + 1);
    }
    (map ? adt_value_events.end_object : adt_value_events.end_array)(v);
}

/* What the shape asks for, most of the time. */
static void shaped(struct bytes *b, struct adt_value_builder *v, const struct adt_aws_shape *s, int depth)
{
    if (b->p == b->end || depth > 140 || next(b) > 252)
        any(b, v, depth);
    else if (s->type == ADT_AWS_STRUCTURE)
        members(b, v, s, depth);
    else if (s->type == ADT_AWS_LIST || s->type == ADT_AWS_MAP)
        elements(b, v, s, depth);
    else if (s->type == ADT_AWS_STRING || s->type == ADT_AWS_BLOB)
        text(b, v, adt_value_events.string);
    else if (s->type == ADT_AWS_BOOLEAN)
        adt_value_events.boolean(v, next(b) & 1);
    else if (s->type == ADT_AWS_DOCUMENT)
        any(b, v, depth);
    else
        adt_value_events.number(v, (int)next(b) - (next(b) & 1 ? 0.25 : 100));
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static bool only(const struct adt_buf *b, const char *more)
{
    for (size_t i = 0; i < b->len; i++)
        if (!b->p[i] || (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%", b->p[i]) &&
                         !strchr(more, b->p[i])))
            return false;
    return true;
}

static void check_request(const struct adt_aws_model *m, const struct adt_aws_request *r)
{
    static const struct adt_events nothing = {0};
    struct adt_error err = {0};
    must(r->path.len && r->path.p[0] == '/');
    for (size_t i = 0; i < r->header_count; i++)
        must(r->headers[i].name[0] && !strpbrk(r->headers[i].name, "\r\n: ") && !strpbrk(r->headers[i].value, "\r\n"));
    if (r->has_body && (m->protocol == ADT_AWS_JSON || m->protocol == ADT_AWS_REST_JSON))
        must(adt_json_parse(r->body.p, r->body.len, NULL, &nothing, NULL, &err) == 0);
    if (m->protocol == ADT_AWS_QUERY || m->protocol == ADT_AWS_EC2)
        must(only(&r->body, "=&"));
}

static void build(const struct adt_aws_model *m, const struct adt_aws_operation *op, const struct adt_value *params)
{
    struct adt_aws_request r, again;
    struct adt_error err = {0};
    struct adt_aws_request_options opt = {.token = "token"};
    int rc = adt_aws_request_build(m, op, params, &opt, &r, &err);
    must(rc == 0 || (err.code[0] && err.message[0]));
    if (rc < 0)
        return;
    must(adt_aws_request_build(m, op, params, &opt, &again, &err) == 0);
    must(r.body.len == again.body.len && (!r.body.len || !memcmp(r.body.p, again.body.p, r.body.len)));
    if (!strcmp(op->name, "Do")) {
        must(only(&r.path, "/") && only(&r.query, "=&"));
        check_request(m, &r);
    }
    adt_aws_request_free(&r);
    adt_aws_request_free(&again);
}

static void fuzz_params(const char *service, struct bytes b)
{
    struct adt_error err = {0};
    struct adt_aws_model *m = adt_aws_model_load(service, strlen(service), "fuzz", &err);
    struct adt_value_builder *v = adt_value_builder_new(1 << 20, &err);
    must(m && v);
    shaped(&b, v, m->operations[0].input->shape, 0);
    build(m, &m->operations[0], adt_value_built(v));
    adt_value_builder_free(v);
    adt_aws_model_free(m);
}

static void fuzz_description(const char *p, size_t n)
{
    struct adt_error err = {0};
    struct adt_aws_model *m = adt_aws_model_load(p, n, "fuzz", &err);
    must(m || (err.code[0] && err.message[0]));
    if (!m)
        return;
    for (size_t i = 0; i < m->operation_count && i < 8; i++) {
        must(adt_aws_model_operation(m, m->operations[i].name) == &m->operations[i]);
        build(m, &m->operations[i], NULL);
    }
    adt_aws_model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    if (data[0] == '{')
        fuzz_description((const char *)data, size);
    else
        fuzz_params(services[data[0] % 5], (struct bytes){data + 1, data + size});
    return 0;
}
