/* awsresponse.c - any bytes as the answer of a small service, in every protocol: read without fault, in events that
 * nest; and as a failure, which always can be read
 *
 * The first byte picks the protocol, the second the status and the operation; headers are fixed. */
#include "aws/protocol.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char shapes[] =
    "\"shapes\":{\"S\":{\"type\":\"string\"},\"I\":{\"type\":\"long\"},\"D\":{\"type\":\"double\"},"
    "\"B\":{\"type\":\"boolean\"},\"Blob\":{\"type\":\"blob\"},\"T\":{\"type\":\"timestamp\"},"
    "\"L\":{\"type\":\"list\",\"member\":{\"shape\":\"S\",\"locationName\":\"item\"}},"
    "\"N\":{\"type\":\"list\",\"member\":{\"shape\":\"O\"}},"
    "\"M\":{\"type\":\"map\",\"key\":{\"shape\":\"S\"},\"value\":{\"shape\":\"O\"}},"
    "\"F\":{\"type\":\"map\",\"key\":{\"shape\":\"S\",\"locationName\":\"k\"},\"value\":{\"shape\":\"I\"}},"
    "\"Any\":{\"type\":\"structure\",\"document\":true,\"members\":{}},"
    "\"Ev\":{\"type\":\"structure\",\"event\":true,\"members\":{\"p\":{\"shape\":\"O\",\"eventpayload\":true},"
    "\"h\":{\"shape\":\"I\",\"eventheader\":true}}},"
    "\"St\":{\"type\":\"structure\",\"eventstream\":true,\"members\":{\"E\":{\"shape\":\"Ev\"}}},"
    "\"EvOut\":{\"type\":\"structure\",\"payload\":\"st\",\"members\":{\"st\":{\"shape\":\"St\"}}},"
    "\"U\":{\"type\":\"structure\",\"union\":true,\"members\":{\"s\":{\"shape\":\"S\"},\"o\":{\"shape\":\"O\"}}},"
    "\"Pay\":{\"type\":\"structure\",\"payload\":\"u\",\"members\":{\"u\":{\"shape\":\"U\"}}},"
    "\"Bad\":{\"type\":\"structure\",\"exception\":true,\"members\":{\"Message\":{\"shape\":\"S\"},"
    "\"n\":{\"shape\":\"I\"},\"r\":{\"shape\":\"S\",\"location\":\"header\",\"locationName\":\"x-r\"}}},"
    "\"O\":{\"type\":\"structure\",\"members\":{\"s\":{\"shape\":\"S\"},\"i\":{\"shape\":\"I\"},\"d\":{\"shape\":\"D\"}"
    ","
    "\"b\":{\"shape\":\"B\"},\"x\":{\"shape\":\"Blob\"},\"t\":{\"shape\":\"T\"},\"l\":{\"shape\":\"L\"},"
    "\"n\":{\"shape\":\"N\"},\"m\":{\"shape\":\"M\"},\"f\":{\"shape\":\"F\",\"flattened\":true},"
    "\"g\":{\"shape\":\"L\",\"flattened\":true},\"u\":{\"shape\":\"U\"},\"any\":{\"shape\":\"Any\"},"
    "\"a\":{\"shape\":\"S\",\"xmlAttribute\":true,\"locationName\":\"p:a\"},"
    "\"h\":{\"shape\":\"L\",\"location\":\"header\",\"locationName\":\"x-list\"}}}}";

static const char operations[] =
    "\"operations\":{\"Get\":{\"name\":\"Get\",\"http\":{\"method\":\"POST\",\"requestUri\":\"/\"},"
    "\"output\":{\"shape\":\"O\"},\"errors\":[{\"shape\":\"Bad\"}]},"
    "\"Pay\":{\"name\":\"Pay\",\"http\":{\"method\":\"POST\",\"requestUri\":\"/\"},\"output\":{\"shape\":\"Pay\"}},"
    "\"Stream\":{\"name\":\"Stream\",\"http\":{\"method\":\"POST\",\"requestUri\":\"/\"},"
    "\"output\":{\"shape\":\"EvOut\"}},"
    "\"None\":{\"name\":\"None\",\"http\":{\"method\":\"POST\",\"requestUri\":\"/\"}}}";

static void must(int good)
{
    if (!good)
        abort();
}

/* A listener that checks the grammar of events. */
struct grammar {
    unsigned char open[2 * ADT_AWS_DEPTH + 8]; /* 1: array, 2: object, 3: object whose key has come */
    size_t depth, whole;
};

static int value(void *ctx)
{
    struct grammar *g = ctx;
    if (!g->depth) {
        must(g->whole++ == 0);
        return 0;
    }
    must(g->open[g->depth - 1] != 2);
    if (g->open[g->depth - 1] == 3)
        g->open[g->depth - 1] = 2;
    return 0;
}

static int on_boolean(void *ctx, bool v)
{
    (void)v;
    return value(ctx);
}

static int on_integer(void *ctx, int64_t v)
{
    (void)v;
    return value(ctx);
}

static int on_number(void *ctx, double v)
{
    (void)v;
    return value(ctx);
}

static size_t sum; /* so that text is looked at */

static int on_string(void *ctx, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += (unsigned char)text[i];
    return value(ctx);
}

static int begin(struct grammar *g, unsigned char kind)
{
    value(g);
    must(g->depth < sizeof g->open);
    g->open[g->depth++] = kind;
    return 0;
}

static int on_begin_array(void *ctx)
{
    return begin(ctx, 1);
}

static int on_begin_object(void *ctx)
{
    return begin(ctx, 2);
}

static int on_key(void *ctx, const char *text, size_t n)
{
    struct grammar *g = ctx;
    must(g->depth && g->open[g->depth - 1] == 2);
    g->open[g->depth - 1] = 3;
    for (size_t i = 0; i < n; i++)
        sum += (unsigned char)text[i];
    return 0;
}

static int on_end_array(void *ctx)
{
    struct grammar *g = ctx;
    must(g->depth && g->open[--g->depth] == 1);
    return 0;
}

static int on_end_object(void *ctx)
{
    struct grammar *g = ctx;
    must(g->depth && g->open[--g->depth] == 2);
    return 0;
}

static const struct adt_events grammar_events = {
    .null = value,
    .boolean = on_boolean,
    .integer = on_integer,
    .number = on_number,
    .string = on_string,
    .begin_array = on_begin_array,
    .end_array = on_end_array,
    .begin_object = on_begin_object,
    .key = on_key,
    .end_object = on_end_object,
};

static struct adt_aws_model *model_of(size_t protocol)
{
    static const char *const names[] = {"query", "ec2", "json", "rest-json", "rest-xml"};
    static struct adt_aws_model *models[5];
    if (!models[protocol]) {
        char text[sizeof shapes + sizeof operations + 128];
        struct adt_error err;
        snprintf(text, sizeof text, "{\"metadata\":{\"protocol\":\"%s\",\"serviceId\":\"Fuzz\"},%s,%s}",
                 names[protocol], shapes, operations);
        models[protocol] = adt_aws_model_load(text, strlen(text), "fuzz", &err);
        must(models[protocol] != NULL);
    }
    return models[protocol];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct adt_aws_header headers[] = {
        {"X-List", "a, \"b,\\\"c\" ,d"}, {"x-amzn-RequestId", "id"}, {"x-r", "R"}, {"Content-Type", "text/x"}};
    if (n < 2)
        return 0;
    const struct adt_aws_model *m = model_of(data[0] % 5);
    const struct adt_aws_operation *op = &m->operations[data[1] / 4 % m->operation_count];
    struct adt_aws_response r = {.status = data[1] % 4 ? 200 : 400,
                                 .headers = headers,
                                 .header_count = sizeof headers / sizeof *headers,
                                 .body = (const char *)data + 2,
                                 .body_n = n - 2};
    struct grammar g = {0};
    struct adt_error err = {0};
    int rc = adt_aws_response_read(m, op, &r, &grammar_events, &g, &err);
    must(rc == 0 ? g.whole == 1 && !g.depth : err.cause == ADT_SERVICE && err.code[0] && err.message[0]);
    must(rc == 0 || err.retryable);
    struct adt_aws_failure f;
    struct adt_buf text;
    adt_buf_init(&text, 1 << 20);
    memset(&g, 0, sizeof g);
    must(adt_aws_failure_read(m, op, &r, &text, &f, &grammar_events, &g, &err) == 0 && g.whole == 1 && !g.depth);
    must(f.code && f.message && f.request_id && f.host_id && f.type);
    adt_buf_free(&text);
    must(adt_aws_is_failure(m, op, &r) || r.status < 300);
    return 0;
}
