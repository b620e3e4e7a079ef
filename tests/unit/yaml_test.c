/* yaml_test.c - what YAML texts mean, what is refused, and that what is written reads back */
#include "base/mem.h"
#include "data/json.h"
#include "data/yaml.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static char *json_of(const char *text, size_t n, const struct adt_yaml_options *opt, struct adt_error *err)
{
    struct adt_buf b;
    adt_buf_init(&b, 1 << 24);
    struct adt_json_writer w = {.out = &b, .err = err};
    *err = (struct adt_error){0};
    char *out = NULL;
    if (adt_yaml_parse(text, n, opt, &adt_json_write, &w, err) == 0)
        out = adt_buf_take(&b, NULL);
    adt_buf_free(&b);
    return out;
}

static void means(const char *yaml, const char *want)
{
    struct adt_error err;
    char *out = json_of(yaml, strlen(yaml), NULL, &err);
    ok(out && !strcmp(out, want), "%s is %s", want, out ? out : err.message);
    adt_free(out);
}

static void test_scalars(void)
{
    means("", "null");
    means("# nothing\n", "null");
    means("[null, Null, NULL, ~, !!null , true, True, TRUE, false]", "[null,null,null,null,null,true,true,true,false]");
    means("[yes, no, on, off, y, N, nil, None, tRUE]",
          "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"N\",\"nil\",\"None\",\"tRUE\"]");
    means("[0, -0, 7, +7, -12, 0x1F, 0o17, 9223372036854775807, 9223372036854775808]",
          "[0,0,7,7,-12,31,15,9223372036854775807,9223372036854775808]");
    means(
        "[012, 0644, 012345678901, 00, 1_000, 0b1, '12', \"1.5\", 1:30, 2025-01-02, 1.2.3, 0x, 0o8, -, +, .]",
        "[\"012\",\"0644\",\"012345678901\",\"00\",\"1_000\",\"0b1\",\"12\",\"1.5\",\"1:30\",\"2025-01-02\",\"1.2.3\","
        "\"0x\",\"0o8\",\"-\",\"+\",\".\"]");
    means("[1.5, -0.0, 1e3, 1., .5, 1.5E-3, +2.5, 0.1, e3, 1e, 1.5e+]",
          "[1.5,-0.0,1000.0,1.0,0.5,0.0015,2.5,0.1,\"e3\",\"1e\",\"1.5e+\"]");
    means("[!!str 12, !!int '7', !!float 1, !!bool 'true', !!null '', ! 12, !!seq [], !!map {}]",
          "[\"12\",7,1.0,true,null,\"12\",[],{}]");
    means("\"a\\0b\\u00e9\\n\"", "\"a\\u0000b\xc3\xa9\\n\"");
}

static void test_structure(void)
{
    means("a: 1\nb:\n- x\n- y: [1, {z: }]\nc: {}\n", "{\"a\":1,\"b\":[\"x\",{\"y\":[1,{\"z\":null}]}],\"c\":{}}");
    means("a: |\n  one\n  two\nb: >-\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\"}");
    means("8080: web\ntrue: x\n1.5: y\n'': z\n", "{\"8080\":\"web\",\"true\":\"x\",\"1.5\":\"y\",\"\":\"z\"}");
    means("%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}");
    means("\xef\xbb\xbf"
          "a: 1\n",
          "{\"a\":1}");
}

static void test_aliases(void)
{
    means("a: &x [1, 2]\nb: *x\nc: &x 3\nd: *x\n", "{\"a\":[1,2],\"b\":[1,2],\"c\":3,\"d\":3}");
    means("- &k name\n- {*k : 1}\n", "[\"name\",{\"name\":1}]");
    means("base: &b {a: 1, b: 2}\nx:\n  b: 3\n  <<: *b\n  c: 4\n",
          "{\"base\":{\"a\":1,\"b\":2},\"x\":{\"b\":3,\"c\":4,\"a\":1}}");
    means("- &a {x: 1}\n- &b {x: 2, y: 2}\n- <<: [*a, *b]\n  z: 3\n",
          "[{\"x\":1},{\"x\":2,\"y\":2},{\"z\":3,\"x\":1,\"y\":2}]");
    means("- &a {x: 1}\n- &b {<<: *a, y: 2}\n- {<<: *b}\n- {'<<': q}\n",
          "[{\"x\":1},{\"y\":2,\"x\":1},{\"y\":2,\"x\":1},{\"<<\":\"q\"}]");
}

static void refused(const char *yaml, const char *code, const char *where, const char *part)
{
    struct adt_error err;
    char *out = json_of(yaml, strlen(yaml), NULL, &err);
    ok(!out && !strcmp(err.code, code) && !strcmp(err.where, where) && strstr(err.message, part),
       "refused: %s: %s (%s)", err.where, err.message, err.code);
    adt_free(out);
}

static void test_refusals(void)
{
    refused("a: 1\nb: [1, 2\nc: 3\n", "BadYaml", "line 3, column 2", "near 'c: 3'");
    refused("a: 1\n\tb: 2\n", "BadYaml", "line 2, column 1", "a tab character");
    refused("a: 1\nb: 2\na: 3\n", "DuplicateKey", "line 3, column 1", "'a'");
    refused("1: x\n'1': y\n", "DuplicateKey", "line 2, column 1", "'1'");
    refused("- {b: 1, a: 1, c: 1, a: 2}\n", "DuplicateKey", "line 1, column 22", "'a'");
    refused("- &m {x: 1}\n- {<<: *m, <<: *m}\n", "DuplicateKey", "line 2, column 12", "'<<'");
    refused("- &m {x: 1}\n- {x: 0, <<: {x: 1, x: 2}}\n", "DuplicateKey", "line 2, column 21", "'x'");
    refused("a: !!python/object:os.system x\n", "UnknownTag", "line 1, column 4", "python");
    refused("a: !mine {}\n", "UnknownTag", "line 1, column 4", "!mine");
    refused("a: !!set {x}\n", "UnknownTag", "line 1, column 4", "set");
    refused("a: !!seq {}\n", "UnknownTag", "line 1, column 4", "seq");
    refused("a: !!timestamp 2025-01-02\n", "UnknownTag", "line 1, column 4", "timestamp");
    refused("a: !!int x\n", "BadYaml", "line 1, column 4", "'x' is no int");
    refused("? [a]\n: 1\n", "BadYaml", "line 1, column 3", "as a key");
    refused("~: 1\n", "BadYaml", "line 1, column 1", "null as a key");
    refused("a: &x [*x]\n", "BadYaml", "line 1, column 8", "inside its own anchor");
    refused("a: *nope\n", "BadYaml", "line 1, column 4", "*nope");
    refused("<<: 1\n", "BadYaml", "line 1, column 1", "<< wants");
    refused("<<: [1]\n", "BadYaml", "line 1, column 1", "<< wants");
    refused("a: 1\n---\nb: 2\n", "BadYaml", "line 3, column 1", "more than one document");
    refused("a: 1e999\n", "BadYaml", "line 1, column 4", "too big");
    refused("a: 0xFFFFFFFFFFFFFFFFF\n", "BadYaml", "line 1, column 4", "beyond 64 bits");
    refused("a: 1\nb: \xff\n", "BadYaml", "line 2, column 4", "UTF-8");
    refused("a: \"\\ud800\"\n", "BadYaml", "line 1, column 7", "escape code");
    refused("a: .inf\n", "NotFinite", "line 1, column 4", "infinity");
}

static void test_bombs(void)
{
    struct adt_error err;
    struct adt_buf b;
    adt_buf_init(&b, 1 << 24);
    adt_buf_adds(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        adt_buf_addf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            adt_buf_addf(&b, "*a%d, ", i - 1);
        adt_buf_adds(&b, "]\n");
    }
    char *out = json_of(b.p, b.len, NULL, &err);
    ok(!out && !strcmp(err.code, "TooBig") && strstr(err.message, "200000"), "aliases of aliases: %s", err.message);
    adt_buf_free(&b);
    adt_buf_adds(&b, "- &m0 {a: 1}\n");
    for (int i = 1; i < 30; i++)
        adt_buf_addf(&b, "- &m%d {<<: [*m%d, *m%d, *m%d]}\n", i, i - 1, i - 1, i - 1);
    out = json_of(b.p, b.len, NULL, &err);
    ok(!out && !strcmp(err.code, "TooBig"), "merges of merges: %s", err.message);
    adt_buf_free(&b);
    adt_buf_adds(&b, "- &a0 []\n");
    for (int i = 1; i < 100; i++)
        adt_buf_addf(&b, "- &a%d [*a%d]\n", i, i - 1);
    out = json_of(b.p, b.len, NULL, &err);
    ok(!out && !strcmp(err.code, "TooDeep"), "depth by aliases: %s at %s", err.message, err.where);
    adt_buf_free(&b);
    adt_buf_adds(&b, "- &m0 {}\n");
    for (int i = 1; i < 100; i++)
        adt_buf_addf(&b, "- &m%d {<<: *m%d}\n", i, i - 1);
    out = json_of(b.p, b.len, NULL, &err);
    ok(!out && !strcmp(err.code, "TooDeep"), "depth by merges: %s", err.message);
    adt_buf_free(&b);
    adt_buf_adds(&b, "[&a x");
    for (int i = 0; i < 1001; i++)
        adt_buf_adds(&b, ", *a");
    adt_buf_adds(&b, "]");
    out = json_of(b.p, b.len, NULL, &err);
    ok(!out && !strcmp(err.code, "TooBig") && strstr(err.message, "1000 aliases"), "too many aliases: %s", err.message);
    adt_buf_free(&b);
    for (int i = 0; i < 1001; i++)
        adt_buf_adds(&b, "- &a x\n");
    out = json_of(b.p, b.len, NULL, &err);
    ok(!out && strstr(err.message, "1000 anchors"), "too many anchors: %s", err.message);
    adt_buf_free(&b);
    static char deep[20000];
    memset(deep, '[', sizeof deep);
    out = json_of(deep, sizeof deep, NULL, &err);
    ok(!out && !strcmp(err.code, "TooDeep") && !strcmp(err.where, "line 1, column 65"), "depth: %s", err.where);
    struct adt_yaml_options opt = {.max_size = 3};
    out = json_of("a: 1", 4, &opt, &err);
    ok(!out && !strcmp(err.code, "TooBig"), "size: %s", err.message);
    opt = (struct adt_yaml_options){.max_nodes = 4, .name = "x.yaml", .cause = ADT_SERVICE};
    out = json_of("a: 1\nb: 2\n", 10, &opt, &err);
    ok(!out && err.cause == ADT_SERVICE && !strncmp(err.where, "x.yaml:2:", 9), "nodes, name, cause: %s", err.where);
}

static void test_documents(void)
{
    static const char text[] = "a: 1\n---\n- 2\n---\n...\n";
    struct adt_yaml_options opt = {.all = true};
    struct adt_error err;
    struct adt_buf b;
    adt_buf_init(&b, 1 << 20);
    struct adt_json_writer w = {.out = &b, .err = &err};
    int rc = adt_json_write.begin_array(&w);
    rc += adt_yaml_parse(text, sizeof text - 1, &opt, &adt_json_write, &w, &err);
    rc += adt_yaml_parse("", 0, &opt, &adt_json_write, &w, &err);
    rc += adt_json_write.end_array(&w);
    ok(rc == 0 && !strcmp(b.p, "[{\"a\":1},[2],null]"), "a stream of documents: %s", b.p);
    adt_buf_free(&b);
}

static int rewrite(const char *json, struct adt_buf *yaml, struct adt_error *err)
{
    struct adt_yaml_writer w = {.out = yaml, .err = err};
    return adt_json_parse(json, strlen(json), NULL, &adt_yaml_write, &w, err);
}

static void round_trip(const char *json)
{
    struct adt_error err = {0};
    struct adt_buf yaml;
    adt_buf_init(&yaml, 1 << 20);
    int rc = rewrite(json, &yaml, &err);
    char *back = rc == 0 ? json_of(yaml.p, yaml.len, NULL, &err) : NULL;
    ok(back && !strcmp(back, json), "%s survives YAML: %s", json, back ? back : err.message);
    if (!back || strcmp(back, json) != 0)
        printf("# %s\n", yaml.p ? yaml.p : "");
    adt_free(back);
    adt_buf_free(&yaml);
}

static void written(const char *json, const char *want)
{
    struct adt_error err = {0};
    struct adt_buf yaml;
    adt_buf_init(&yaml, 1 << 20);
    ok(rewrite(json, &yaml, &err) == 0 && !strcmp(yaml.p, want), "%s is written as wanted", json);
    if (strcmp(yaml.p, want) != 0)
        printf("# %s\n", yaml.p);
    adt_buf_free(&yaml);
    round_trip(json);
}

static void test_writing(void)
{
    written("{\"a\":1,\"b\":[1,[2,[]],{\"c\":null,\"d\":{}}],\"e\":{\"f\":[{}],\"g\":{\"h\":true}}}",
            "a: 1\nb:\n- 1\n- - 2\n  - []\n- c: null\n  d: {}\ne:\n  f:\n  - {}\n  g:\n    h: true\n");
    written("[\"text\",\"two\\nlines\",\"ends\\n\",\"more\\n\\n\",{\"k\":\"a\\n  b\\n\\nc\"}]",
            "- text\n- |-\n  two\n  lines\n- |\n  ends\n- |+\n  more\n\n- k: |-\n    a\n      b\n\n    c\n");
    written("[\"yes\",\"No\",\"~\",\"\",\"12\",\"0644\",\"1e3\",\"1:30\",\"2025-01-02\",\"true\",\"a: b\",\"a #b\",\"- "
            "x\",\"x:\"]",
            "- \"yes\"\n- \"No\"\n- \"~\"\n- \"\"\n- \"12\"\n- \"0644\"\n- \"1e3\"\n- \"1:30\"\n- \"2025-01-02\"\n"
            "- \"true\"\n- \"a: b\"\n- \"a #b\"\n- \"- x\"\n- \"x:\"\n");
    written("[\"10Gi\",\"a:b\",\"a#b\",\"ml.p5.48xlarge\",\"/fsx\",\"x y\",\"\xc3\xa9t\xc3\xa9\",\"2 lines\"]",
            "- 10Gi\n- a:b\n- a#b\n- ml.p5.48xlarge\n- /fsx\n- x y\n- \xc3\xa9t\xc3\xa9\n- 2 lines\n");
    written("[1.0,1e+100,0.1,-5]", "- 1.0\n- 1.0e+100\n- 0.1\n- -5\n");
    written("\"top\\nlevel\"", "|-\n  top\n  level\n");
    written("{}", "{}\n");
    round_trip("[\"\\u0000\\u0007\\t\\r\x7f\xc2\x85\xe2\x80\xa8\xef\xbb\xbf\\\"\\\\\",\" x\",\"x \",\"\\n\",\" "
               "\\nx\",\"a\\n\\tb\"]");
    round_trip("[\"a\\n "
               "\\n\",\"\\ta\\nb\",\"a\\r\\nb\",\"---\",\"...\",\"a\\n---\\nb\",\"<<\",\"=\",\"!x\",\"&x\",\"*x\",\"%"
               "x\",\"@x\",\"`x\"]");
    round_trip("{\"a\\nb\":1,\"\":2,\"yes\":3,\"x: y\":[4],\"- z\":{\"<<\":{}}}");
    round_trip(
        "[9223372036854775808,\"9223372036854775808\",\".inf\",\"-.inf\",\".nan\",\"0x1\",\"0o7\",\"+1\",\"null\"]");
    char json[4000] = "{\"";
    memset(json + 2, 'k', 1100);
    snprintf(json + 1102, 100, "%s", "\":{\"a\":[1]},\"");
    size_t n = strlen(json);
    memset(json + n, 'l', 1100);
    snprintf(json + n + 1100, 100, "%s", "\":[{\"b\":\"x\\ny\"}]}");
    round_trip(json);
    char deep[2 * 65 + 1];
    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    deep[128] = '\0';
    round_trip(deep);
    struct adt_error err = {0};
    struct adt_buf yaml;
    adt_buf_init(&yaml, 1 << 20);
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    deep[130] = '\0';
    ok(rewrite(deep, &yaml, &err) == -1 && !strcmp(err.code, "TooDeep"), "65 levels are not written: %s", err.message);
    adt_buf_free(&yaml);
    struct adt_yaml_writer w = {.out = &yaml, .err = &err};
    ok(adt_yaml_write.string(&w, "\xff", 1) == -1 && !strcmp(err.code, "NotUtf8"), "bytes are not written");
    adt_buf_free(&yaml);
}

static void test_memory(void)
{
    static const char text[] = "base: &b {a: 1, t: 'x'}\nlist: [1, 2.5, *b]\nm: {<<: *b, c: 999999999999999999999}\n";
    long live = adt_mem_live();
    int failures = 0;
    for (long n = 0; n < 1000; n++) {
        struct adt_error err;
        adt_mem_fail_after(n);
        char *out = json_of(text, sizeof text - 1, NULL, &err);
        adt_mem_fail_after(-1);
        if (out) {
            adt_free(out);
            break;
        }
        failures += !strcmp(err.code, "ENOMEM") && adt_mem_live() == live ? 1 : -1000;
    }
    ok(failures > 3, "each of %d allocations may fail; the error is ENOMEM and nothing stays", failures);
    ok(adt_mem_live() == live, "no memory is left behind");
}

int main(void)
{
    test_scalars();
    test_structure();
    test_aliases();
    test_refusals();
    test_bombs();
    test_documents();
    test_writing();
    test_memory();
    return tap_done();
}
