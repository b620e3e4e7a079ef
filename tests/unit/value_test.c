/* value_test.c - trees of plain data: built from events, bounded, looked up */
#include "base/mem.h"
#include "data/json.h"
#include "data/value.h"
#include "tap.h"

#include <string.h>

static struct adt_value_builder *parse(const char *text, size_t max, struct adt_error *err)
{
    struct adt_value_builder *b = adt_value_builder_new(max, err);
    if (b && adt_json_parse(text, strlen(text), NULL, &adt_value_events, b, err) < 0) {
        adt_value_builder_free(b);
        return NULL;
    }
    return b;
}

static void test_tree(void)
{
    struct adt_error err = {0};
    struct adt_value_builder *b =
        parse("{\"a\":[1,2.5,null,true,\"x\\u0000y\"],\"b\":{},\"a\":[],\"big\":18446744073709551616}", 1 << 20, &err);
    ok(b, "a text is built");
    const struct adt_value *v = adt_value_built(b);
    ok(v && v->type == ADT_VALUE_OBJECT && v->list.n == 4, "every key of it is there, equal ones too");
    ok(!strcmp(v->list.keys[2].string.p, "a"), "keys are in the order of arrival");
    ok(adt_value_field(v, "a") == &v->list.items[2], "the last one of equal keys is the one that is found");
    const struct adt_value *a = &v->list.items[0];
    ok(a->type == ADT_VALUE_ARRAY && a->list.n == 5 && !a->list.keys, "an array has no keys");
    ok(a->list.items[0].integer == 1 && a->list.items[1].number == 2.5 && a->list.items[3].boolean, "scalars are kept");
    ok(a->list.items[4].string.n == 3 && !memcmp(a->list.items[4].string.p, "x\0y", 4), "strings hold NUL bytes");
    ok(adt_value_field(v, "b")->type == ADT_VALUE_OBJECT && adt_value_field(v, "b")->list.keys,
       "an empty object is one");
    ok(adt_value_field(v, "big")->type == ADT_VALUE_NUMBER, "an integer beyond int64 is a number");
    ok(!adt_value_field(v, "c") && !adt_value_field(a, "c") && !adt_value_field(NULL, "c"),
       "what is not there is not found");
    adt_value_builder_free(b);
}

static void test_bounds(void)
{
    struct adt_error err = {0};
    ok(!parse("[\"0123456789012345678901234567890123456789\"]", 2000, &err) && !strcmp(err.code, "TooBig"),
       "data past the ceiling is refused: %s", err.message);
    struct adt_value_builder *b = adt_value_builder_new(1 << 16, &err);
    ok(!adt_value_built(b), "nothing is built before the first event");
    adt_value_events.begin_array(b);
    adt_value_events.null(b);
    ok(!adt_value_built(b), "nor before the last");
    adt_value_events.end_array(b);
    ok(adt_value_built(b) && adt_value_built(b)->list.n == 1, "the last event ends the value");
    adt_value_builder_free(b);
    adt_value_builder_free(NULL);
}

static void test_memory(void)
{
    struct adt_error err = {0};
    long before = adt_mem_live(), n = 0;
    for (;; n++) {
        adt_mem_fail_after(n);
        struct adt_value_builder *b = parse("{\"a\":[1,[2,[3]],\"text\"],\"b\":{\"c\":null}}", 1 << 20, &err);
        bool failed = adt_mem_fail_left() < 0;
        adt_mem_fail_after(-1);
        adt_value_builder_free(b);
        if (!failed || b || n > 100)
            break;
    }
    ok(n > 3 && n < 100, "each of %ld allocations may fail", n);
    ok(adt_mem_live() == before, "and nothing is left behind");
}

int main(void)
{
    test_tree();
    test_bounds();
    test_memory();
    return tap_done();
}
