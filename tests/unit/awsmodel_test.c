/* awsmodel_test.c - service models in C: lookups, memory; times and near names */
#include "aws/model.h"
#include "aws/protocol.h"
#include "aws/timestamp.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "data/json.h"
#include "tap.h"

#include <string.h>

static const char service[] =
    "{\"metadata\":{\"protocol\":\"rest-xml\",\"apiVersion\":\"1\",\"endpointPrefix\":\"p\",\"documentation\":\"long\"}"
    ","
    "\"operations\":{\"B\":{\"documentation\":\"prose\",\"input\":{\"shape\":\"I\"},\"errors\":[{\"shape\":\"E\"}],"
    "\"http\":{\"method\":\"PUT\",\"requestUri\":\"/{k}\"}},\"A\":{}},"
    "\"shapes\":{\"I\":{\"type\":\"structure\",\"required\":[\"Key\"],\"members\":{"
    "\"Key\":{\"shape\":\"S\",\"location\":\"uri\",\"locationName\":\"k\"},"
    "\"documentation\":{\"shape\":\"S\",\"locationName\":\"doc\"},"
    "\"Head\":{\"shape\":\"T\",\"location\":\"header\",\"locationName\":\"doc\"},"
    "\"L\":{\"shape\":\"L\"}}},"
    "\"L\":{\"type\":\"list\",\"flattened\":true,\"member\":{\"shape\":\"S\",\"locationName\":\"i\"}},"
    "\"T\":{\"type\":\"timestamp\",\"timestampFormat\":\"iso8601\"},"
    "\"E\":{\"type\":\"structure\",\"members\":{},\"error\":{\"code\":\"Code\",\"httpStatusCode\":404}},"
    "\"S\":{\"type\":\"string\",\"sensitive\":true}}}";

static struct adt_aws_model *load(struct adt_error *err)
{
    return adt_aws_model_load(service, sizeof service - 1, "test", err);
}

static void test_model(void)
{
    struct adt_error err = {0};
    struct adt_aws_model *m = load(&err);
    ok(m, "a description is read");
    ok(m->operation_count == 2 && !strcmp(m->operations[0].name, "A"), "operations are sorted by name");
    const struct adt_aws_operation *op = adt_aws_model_operation(m, "B");
    ok(op && !strcmp(op->method, "PUT") && !adt_aws_model_operation(m, "C"), "an operation is found by its name");
    const struct adt_aws_shape *s = op->input->shape;
    ok(s->member_count == 4 && !strcmp(s->members[1].name, "documentation"), "a member may be called documentation");
    ok(adt_aws_shape_member(s, "Key", 3)->required && !adt_aws_shape_member(s, "Keyy", 4), "members are found by name");
    ok(!adt_aws_shape_member(s, "Ke", 2) && !adt_aws_shape_member(s, "Key\0", 4), "and by the whole of it");
    ok(adt_aws_shape_wire(s, "doc", 3) == &s->members[1], "a header of the same name on its wire is not taken for one");
    ok(!adt_aws_shape_wire(s, "k", 1), "what travels in the path is not in the body");
    ok(s->members[3].flattened && !strcmp(s->members[3].shape->element->wire_name, "i"), "a shape's traits are merged");
    ok(s->members[2].time == ADT_AWS_TIME_ISO8601 && s->members[0].shape->sensitive, "formats and marks are kept");
    ok(m->exception_count == 1 && op->errors[0] == m->exceptions[0] && m->exceptions[0]->error_status == 404 &&
           !strcmp(m->exceptions[0]->error_code, "Code"),
       "an error has its code and status");
    ok(!strcmp(m->signing_name, "p") && !strcmp(m->service_id, "p"), "names fall back to the endpoint's");
    adt_aws_model_free(m);
    adt_aws_model_free(NULL);
}

static int build(struct adt_error *err, const char *params, struct adt_aws_request *r)
{
    struct adt_aws_model *m = load(err);
    struct adt_value_builder *b = m ? adt_value_builder_new(1 << 16, err) : NULL;
    int rc = b ? adt_json_parse(params, strlen(params), NULL, &adt_value_events, b, err) : -1;
    *r = (struct adt_aws_request){0};
    if (rc == 0)
        rc = adt_aws_request_build(m, adt_aws_model_operation(m, "B"), adt_value_built(b), NULL, r, err);
    adt_value_builder_free(b);
    r->method = NULL; /* the model's */
    adt_aws_model_free(m);
    return rc;
}

static void test_memory(void)
{
    struct adt_error err = {0};
    struct adt_aws_request r;
    long before = adt_mem_live(), n = 0;
    for (;; n++) {
        adt_mem_fail_after(n);
        int rc = build(&err, "{\"Key\":\"a/b\",\"L\":[\"1\",\"<\"],\"Head\":0,\"documentation\":\"x\"}", &r);
        bool failed = adt_mem_fail_left() < 0;
        adt_mem_fail_after(-1);
        if (!failed || rc == 0 || n > 500)
            break;
        if (strcmp(err.code, "ENOMEM") != 0)
            break;
    }
    ok(n > 10 && n < 500, "each of %ld allocations may fail", n);
    ok(r.header_count == 2 && !strcmp(r.headers[0].value, "1970-01-01T00:00:00Z"),
       "headers stay when the model has gone");
    ok(r.body.p && !strcmp(r.body.p, "<I><doc>x</doc><L>1</L><L>&lt;</L></I>"), "the body is as the shapes say");
    ok(!strcmp(r.path.p, "/a%2Fb"), "the label is one segment");
    adt_aws_request_free(&r);
    ok(adt_mem_live() == before, "and nothing is left behind");
}

static bool writes(double t, enum adt_aws_time format, const char *want)
{
    char text[ADT_AWS_TIME_TEXT];
    size_t n = adt_aws_time_write(t, format, text);
    return n == strlen(want) && !strcmp(text, want);
}

static bool reads(const char *text, double want)
{
    double got = -1;
    return adt_aws_time_iso8601(text, strlen(text), &got) == 0 && got > want - 1e-6 && got < want + 1e-6;
}

static void test_times(void)
{
    ok(writes(0, ADT_AWS_TIME_ISO8601, "1970-01-01T00:00:00Z"), "the epoch is written");
    ok(writes(951782400, ADT_AWS_TIME_RFC822, "Tue, 29 Feb 2000 00:00:00 GMT"), "so is a leap day");
    ok(writes(-1.5, ADT_AWS_TIME_ISO8601, "1969-12-31T23:59:58.500000Z"), "and what was before, with a fraction");
    ok(writes(1.9999999, ADT_AWS_TIME_ISO8601, "1970-01-01T00:00:02Z"), "a fraction that rounds up carries");
    ok(writes(-62135596800.0, ADT_AWS_TIME_ISO8601, "0001-01-01T00:00:00Z"), "the first moment that fits");
    ok(writes(253402300799.0, ADT_AWS_TIME_RFC822, "Fri, 31 Dec 9999 23:59:59 GMT"), "and the last");
    ok(writes(1.75, ADT_AWS_TIME_UNIX, "1"), "seconds are whole");
    ok(reads("2000-02-29", 951782400), "a date is read");
    ok(reads("2000-02-29T01:30:00.25+01:30", 951782400.25), "an offset is taken off");
    ok(reads("2000-02-29 00:00Z", 951782400) && reads("2000-02-29T00:00:00-0000", 951782400), "and other forms");
    double t;
    static const char *const bad[] = {"",    "2001-02-29",        "2000-13-01",           "2000-1-1", "2000-01-01T",
                                      "1e9", "2000-01-01T24:00Z", "2000-01-01T00:00:00Zx"};
    size_t refused = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused += adt_aws_time_iso8601(bad[i], strlen(bad[i]), &t) < 0;
    ok(refused == sizeof bad / sizeof *bad, "what is no date is refused");
}

static const char *near(const char *name)
{
    static const char *const known[] = {"InstanceIds", "ImageId", "Key", "KeyMarker"};
    struct adt_nearest s;
    adt_nearest_begin(&s, name, strlen(name));
    for (size_t i = 0; i < 4; i++)
        adt_nearest_try(&s, known[i]);
    return s.found ? s.found : "";
}

static void test_nearest(void)
{
    ok(!strcmp(near("InstanceId"), "InstanceIds") && !strcmp(near("key"), "Key"), "the nearest name is found");
    ok(!strcmp(near("Bucket"), ""), "a far one is not");
    ok(!strcmp(near("InstanceIdsInstanceIdsInstanceIdsInstanceIdsInstanceIdsInstanceIds"), ""),
       "nor for endless names");
}

int main(void)
{
    test_model();
    test_memory();
    test_times();
    test_nearest();
    return tap_done();
}
