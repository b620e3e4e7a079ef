/* json_test.c - the JSON parser against RFC 8259 and its own ceilings, and the writer against the parser */
#include "base/mem.h"
#include "data/json.h"
#include "data/number.h"
#include "json_cases.h"
#include "tap.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int parse(struct text t, size_t piece, char **out, struct adt_error *err)
{
    struct adt_buf b;
    adt_buf_init(&b, 1 << 24);
    struct adt_json_writer w = {.out = &b, .err = err};
    int rc;
    *err = (struct adt_error){0};
    if (!piece) {
        rc = adt_json_parse(t.p, t.n, NULL, &adt_json_write, &w, err);
    } else {
        struct adt_json_parser *p = adt_json_new(NULL, &adt_json_write, &w, err);
        rc = p ? 0 : -1;
        for (size_t i = 0; rc == 0 && i < t.n; i += piece) {
            /* Each piece has its own memory, so that keeping a pointer into an old one shows under ASan. */
            size_t n = t.n - i < piece ? t.n - i : piece;
            char *copy = malloc(n);
            rc = adt_json_feed(p, memcpy(copy, t.p + i, n), n);
            free(copy);
        }
        if (rc == 0)
            rc = adt_json_finish(p);
        adt_json_free(p);
    }
    if (out)
        *out = rc == 0 ? adt_buf_take(&b, NULL) : NULL;
    adt_buf_free(&b);
    return rc;
}

static void test_grammar(void)
{
    struct adt_error err;
    static const size_t pieces[] = {0, 1, 2, 3};
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        char *whole = NULL;
        int same = 1;
        for (size_t k = 0; k < 4; k++) {
            char *out = NULL;
            same &= parse(accepted[i], pieces[k], &out, &err) == 0 && (!whole || !strcmp(whole, out));
            if (!whole)
                whole = out;
            else
                adt_free(out);
        }
        ok(same, "accepts %s, whole and in pieces alike (%s)", accepted[i].p, same ? whole : err.message);
        adt_free(whole);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int all = 1;
        for (size_t k = 0; k < 4; k++)
            all &= parse(refused[i], pieces[k], NULL, &err) == -1 && err.cause == ADT_CONFIG && err.where[0] &&
                   !strcmp(err.code, "BadJson");
        ok(all, "refuses %s: %s", refused[i].p, err.message);
    }
}

static void same(const char *in, const char *want)
{
    struct adt_error err;
    char *out;
    int rc = parse((struct text){in, strlen(in)}, 0, &out, &err);
    ok(rc == 0 && !strcmp(out, want), "%s is written back as %s", in, rc == 0 ? out : err.message);
    adt_free(out);
}

static void test_values(void)
{
    same("[9223372036854775807,-9223372036854775808,-0]", "[9223372036854775807,-9223372036854775808,0]");
    same("[1.0,1e0,-0.0,0.1,1e100,5e-324,1.7976931348623157e308]",
         "[1.0,1.0,-0.0,0.1,1e+100,5e-324,1.7976931348623157e+308]");
    same("[0.1e1,100000000000000000000.5,1E-7,123456789012345678]", "[1.0,1e+20,1e-07,123456789012345678]");
    same("[3.0000000000000004,0.30000000000000004,2.2250738585072011e-308]",
         "[3.0000000000000004,0.30000000000000004,2.225073858507201e-308]");
    same("[9223372036854775808,-9223372036854775809,123456789012345678901234567890]",
         "[9223372036854775808,-9223372036854775809,123456789012345678901234567890]");
    same("\"\\u0000\\u001f\\u007f\\/\\ud83d\\ude39\"", "\"\\u0000\\u001f\x7f/\xf0\x9f\x98\xb9\"");
    same("{\"b\":{},\"a\":[[],{\"x\":[1,2]}]}", "{\"b\":{},\"a\":[[],{\"x\":[1,2]}]}");
}

/* A decimal comma in the environment must not reach the text. */
static void test_locale(void)
{
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8"))
        printf("# no locale with a decimal comma here; the C locale runs this\n");
    same("[0.30000000000000004,1.5e-310]", "[0.30000000000000004,1.5e-310]");
    setlocale(LC_NUMERIC, "C");
}

static const struct adt_events nothing;

static void test_depth(void)
{
    struct adt_error err = {0};
    static char deep[200000];
    memset(deep, '[', 100000);
    memset(deep + 100000, ']', 100000);
    ok(adt_json_parse(deep, sizeof deep, NULL, &nothing, NULL, &err) == -1 && !strcmp(err.code, "TooDeep") &&
           !strcmp(err.where, "line 1, column 513"),
       "100000 levels are refused at the 513th: %s, %s", err.message, err.where);
    struct adt_json_options opt = {.max_depth = 100000, .name = "deep.json", .cause = ADT_SERVICE};
    ok(adt_json_parse(deep, sizeof deep, &opt, &nothing, NULL, &err) == 0, "and accepted where the caller allows them");
    ok(adt_json_parse(deep + 100000 - 512, 1024, NULL, &nothing, NULL, &err) == 0, "512 levels pass by default");
    ok(adt_json_parse(deep, 100000, &opt, &nothing, NULL, &err) == -1 && err.cause == ADT_SERVICE &&
           !strcmp(err.where, "deep.json:1:100001"),
       "an open end is an error of the caller's cause: %s", err.where);
    opt = (struct adt_json_options){.max_size = 10};
    ok(adt_json_parse("[1,2,3,4,5]", 11, &opt, &nothing, NULL, &err) == -1 && !strcmp(err.code, "TooBig"),
       "text over the ceiling is refused: %s", err.message);
}

static void test_where(void)
{
    static const struct {
        const char *text, *where, *part;
    } cases[] = {
        {"{\n  \"a\": 1,\n}", "line 3, column 1", "near '{ \"a\": 1, }'"},
        {"[1,\n 2,\n oops]", "line 3, column 2", "oops"},
        {"[1]\n\nx", "line 3, column 1", "more text"},
        {"[\n\"\\ud800\"]", "line 2, column 8", "surrogate"},
        {"[1e999]", "line 1, column 6", "too big for a double"},
        {"1e999", "line 1, column 6", "too big for a double"},
        {"[\n1", "line 2, column 2", "ends too early"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct adt_error err;
        for (size_t piece = 0; piece < 3; piece++) {
            parse((struct text){cases[i].text, strlen(cases[i].text)}, piece, NULL, &err);
            if (strstr(cases[i].text, "1e999") && piece)
                continue; /* a number ends at the byte behind it, in whichever piece that comes */
            ok(!strcmp(err.where, cases[i].where) && (piece || strstr(err.message, cases[i].part)),
               "case %zu, pieces of %zu: %s: %s", i, piece, err.where, err.message);
        }
    }
}

struct stopper {
    struct adt_error *err;
    int keys;
};

static int stop_at_third(void *ctx, const char *text, size_t n)
{
    struct stopper *s = ctx;
    return ++s->keys < 3 ? 0 : adt_error_set(s->err, ADT_CHECK, "Stop", "no '%.*s' here", (int)n, text);
}

static void test_consumer(void)
{
    static const struct adt_events events = {.key = stop_at_third};
    struct adt_error err = {0};
    struct stopper s = {.err = &err};
    static const char text[] = "{\"a\":1,\n\"b\":{\"c\":2}}";
    ok(adt_json_parse(text, sizeof text - 1, NULL, &events, &s, &err) == -1 && err.cause == ADT_CHECK &&
           !strcmp(err.where, "line 2, column 8") && !strcmp(err.message, "no 'c' here"),
       "a consumer's refusal keeps its error and gains the place: %s, %s", err.message, err.where);
}

static void test_writer(void)
{
    struct adt_buf b;
    struct adt_error err = {0};
    adt_buf_init(&b, 1 << 20);
    struct adt_json_writer w = {.out = &b, .err = &err, .indent = 2};
    static const char text[] = "{\"a\":[1,{},[]],\"b\":{\"c\":null}}";
    ok(adt_json_parse(text, sizeof text - 1, NULL, &adt_json_write, &w, &err) == 0 &&
           !strcmp(b.p, "{\n  \"a\": [\n    1,\n    {},\n    []\n  ],\n  \"b\": {\n    \"c\": null\n  }\n}"),
       "indented: %s", b.p);
    ok(adt_json_write.number(&w, NAN) == -1 && !strcmp(err.code, "NotFinite"), "NaN is refused: %s", err.message);
    ok(adt_json_write.number(&w, -INFINITY) == -1, "infinity is refused: %s", err.message);
    ok(adt_json_write.string(&w, "ab\xff", 3) == -1 && !strcmp(err.code, "NotUtf8") && strstr(err.message, "byte 3"),
       "bytes are refused: %s", err.message);
    adt_buf_free(&b);
    adt_buf_init(&b, 4);
    w = (struct adt_json_writer){.out = &b, .err = &err};
    ok(adt_json_write.string(&w, "abcd", 4) == -1 && !strcmp(err.code, "TooBig"), "the buffer's ceiling holds: %s",
       err.message);
    adt_buf_free(&b);
}

static void test_numbers(void)
{
    unsigned long long seed = 88172645463325252ULL;
    int exact = 1;
    for (int i = 0; i < 200000 && exact; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        double v, back;
        memcpy(&v, &seed, sizeof v);
        if (i % 2)
            v = (double)(int64_t)(seed % 1000000000) / 1000.0;
        if (!isfinite(v))
            continue;
        char text[ADT_NUMBER_TEXT];
        size_t n = adt_number_write_double(v, text);
        exact = adt_number_double(text, n, &back) == 0 && v == back && !signbit(v) == !signbit(back) &&
                back == strtod(text, NULL);
    }
    ok(exact, "200000 doubles read back as they were, and as strtod reads them");
    char digits[5000];
    memset(digits, '9', sizeof digits);
    double v;
    ok(adt_number_double(digits, sizeof digits, &v) == -1 && errno == ERANGE, "5000 digits are out of range");
    digits[1] = '.';
    ok(adt_number_double(digits, sizeof digits, &v) == 0 && v == 10.0, "5000 digits behind a point are rounded");
}

static void test_memory(void)
{
    static const char text[] =
        "{\"long key with an escape \\n in it\":[1,2.5,\"\\u00e9\",{\"a\":null}],\"b\":true,\"n\":"
        "123456789012345678901234567890}";
    long live = adt_mem_live();
    for (size_t piece = 0; piece < 4; piece += 3) {
        int failures = 0;
        for (long n = 0; n < 1000; n++) {
            struct adt_error err;
            char *out;
            adt_mem_fail_after(n);
            int rc = parse((struct text){text, sizeof text - 1}, piece, &out, &err);
            adt_mem_fail_after(-1);
            adt_free(out);
            if (rc == 0)
                break;
            failures += !strcmp(err.code, "ENOMEM") && adt_mem_live() == live ? 1 : -1000;
        }
        ok(failures > 5, "pieces of %zu: each of %d allocations may fail; the error is ENOMEM and nothing stays", piece,
           failures);
    }
    ok(adt_mem_live() == live, "no memory is left behind");
}

int main(void)
{
    test_grammar();
    test_values();
    test_locale();
    test_depth();
    test_where();
    test_consumer();
    test_writer();
    test_numbers();
    test_memory();
    return tap_done();
}
