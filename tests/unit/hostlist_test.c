/* hostlist_test.c - host lists against what Slurm makes of them, and folding against expanding */
#include "base/mem.h"
#include "slurm/hostlist.h"
#include "tap.h"

#include <string.h>

static char joined[1 << 20];

static int expand(const char *text, struct adt_error *err)
{
    struct adt_hostlist h;
    size_t n, at = 0;
    const char *name;
    joined[0] = '\0';
    if (adt_hostlist_begin(&h, text, strlen(text), err) < 0)
        return -1;
    while ((name = adt_hostlist_next(&h, &n)))
        at += (size_t)snprintf(joined + at, sizeof joined - at, "%s%s", at ? " " : "", name);
    return 0;
}

static void test_expand(void)
{
    static const char *const cases[][2] = {
        {"n1", "n1"},
        {"a,b", "a b"},
        {"n[1-3]", "n1 n2 n3"},
        {"n[08-11]", "n08 n09 n10 n11"},
        {"n[9-11]", "n9 n10 n11"},
        {"n[099-101,7]", "n099 n100 n101 n7"},
        {"worker-[1,0]", "worker-1 worker-0"},
        {"n[1,3-4]-x", "n1-x n3-x n4-x"},
        {"rack[1-2]n[01-02]", "rack1n01 rack1n02 rack2n01 rack2n02"},
        {"r[1-2,5]n[1,3]s[0-1]", "r1n1s0 r1n1s1 r1n3s0 r1n3s1 r2n1s0 r2n1s1 r2n3s0 r2n3s1 r5n1s0 r5n1s1 r5n3s0 r5n3s1"},
        {"n[01-02],head,x[3]", "n01 n02 head x3"},
        {"[1-2]", "1 2"},
        {"n[999999999999999998-999999999999999999]", "n999999999999999998 n999999999999999999"},
    };
    struct adt_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ok(expand(cases[i][0], &err) == 0 && !strcmp(joined, cases[i][1]), "%s is %s", cases[i][0], cases[i][1]);
}

static void test_refusals(void)
{
    static const char *const cases[][2] = {
        {"", "is no host"},
        {"a,,b", "is no host"},
        {"a,", "is no host"},
        {",a", "is no host"},
        {"n[1", "do not match"},
        {"n1]", "do not match"},
        {"n[[1]]", "do not match"},
        {"n[3-1]", "no range"},
        {"n[]", "no range"},
        {"n[1,]", "no range"},
        {"n[,1]", "no range"},
        {"n[1-]", "no range"},
        {"n[-1]", "no range"},
        {"n[a-b]", "no range"},
        {"n[1-2-3]", "no range"},
        {"n[1 -2]", "no range"},
        {"a b", "is no host"},
        {"n1,-oProxyCommand=x", "begins with a dash"},
        {"-[1-2]", "begins with"},
        {"n[0-65536]", "more than 65536"},
        {"a[1-300]b[1-300]", "more than 65536"},
        {"n[1-999999999999999999]", "more than 65536"},
        {"a[1-99999]b[1-99999]c[1-99999]", "more than 65536"},
        {"n[1-65536],x", "more than 65536"},
        {"n[1234567890123456789]", "no range"},
    };
    struct adt_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ok(expand(cases[i][0], &err) == -1 && strstr(err.message, cases[i][1]), "'%s' is refused: %s", cases[i][0],
           err.message);
    ok(expand("a,b,n[3-1]", &err) == -1 && !strcmp(err.where, "byte 6 of the list"), "the place is told: %s",
       err.where);
}

static void test_ceilings(void)
{
    struct adt_error err;
    struct adt_hostlist h;
    char name[300], many[3 * (ADT_HOSTLIST_GROUPS + 1) + 1];
    size_t n = 0;
    ok(adt_hostlist_begin(&h, "n[1-65536]", 10, &err) == 0 && h.count == 65536, "65536 hosts are allowed");
    while (adt_hostlist_next(&h, NULL))
        n++;
    ok(n == 65536 && !adt_hostlist_next(&h, NULL), "and all of them come, and no more");
    memset(name, 'a', sizeof name);
    ok(adt_hostlist_begin(&h, name, 253, &err) == 0, "a name of 253 bytes is one");
    ok(adt_hostlist_begin(&h, name, 254, &err) == -1 && strstr(err.message, "253"), "one of 254 is not: %s",
       err.message);
    memcpy(name + 252, "[9-10]", 6);
    ok(adt_hostlist_begin(&h, name, 258, &err) == -1 && strstr(err.message, "253"), "counted at its longest");
    for (int i = 0; i <= ADT_HOSTLIST_GROUPS; i++)
        memcpy(many + 3 * i, "[1]", 4);
    ok(adt_hostlist_begin(&h, many, sizeof many - 1, &err) == -1, "too many brackets: %s", err.message);
    ok(adt_hostlist_begin(&h, many, sizeof many - 4, &err) == 0 && adt_hostlist_next(&h, &n) &&
           n == ADT_HOSTLIST_GROUPS,
       "one bracket less is allowed");
}

/* Folds the names of [text], which are apart by blanks. */
static char *fold(const char *text, struct adt_error *err)
{
    struct adt_buf out;
    struct adt_hostlist_fold f;
    adt_buf_init(&out, ADT_HOSTLIST_TEXT);
    adt_hostlist_fold_begin(&f, &out);
    int rc = 0;
    while (rc == 0 && *text) {
        size_t n = strcspn(text, " ");
        rc = adt_hostlist_fold_add(&f, text, n, err);
        text += n + (text[n] == ' ');
    }
    if (rc == 0)
        rc = adt_hostlist_fold_end(&f, err);
    char *result = rc == 0 ? adt_buf_take(&out, NULL) : NULL;
    adt_buf_free(&out);
    return result;
}

static void test_fold(void)
{
    static const char *const cases[][2] = {
        {"n1", "n1"},
        {"n001 n002 n003 n200", "n[001-003,200]"},
        {"n8 n9 n10 n11", "n[8-11]"},
        {"n1 n3", "n[1,3]"},
        {"n2 n1", "n[2,1]"},
        {"n1 n1", "n[1,1]"},
        {"n10 n9", "n[10,9]"},
        {"n08 n09 n10", "n[08-10]"},
        {"n1 n01", "n1,n01"},
        {"n01 n1", "n01,n1"},
        {"n099 n100 n1000", "n[099-100,1000]"},
        {"a b", "a,b"},
        {"head n1 n2 head", "head,n[1-2],head"},
        {"r1n1 r1n2 r2n1", "r1n[1-2],r2n1"},
        {"1 2", "[1-2]"},
        {"n1-x n2-x", "n1-x,n2-x"},
        {"n999999999999999999 n1000000000000000000", "n999999999999999999,n1000000000000000000"},
        {"", ""},
    };
    struct adt_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = fold(cases[i][0], &err);
        ok(text && !strcmp(text, cases[i][1]), "%s folds to %s", cases[i][0], text ? text : err.message);
        ok(!cases[i][0][0] || (expand(text, &err) == 0 && !strcmp(joined, cases[i][0])), "and back");
        adt_free(text);
    }
    ok(!fold("a,b", &err) && strstr(err.message, "no host"), "no name has a comma: %s", err.message);
    ok(!fold("n[1]", &err), "nor a bracket");
}

static void test_memory(void)
{
    struct adt_error err;
    long before = adt_mem_live();
    adt_mem_fail_after(0);
    char *text = fold("n1 n2", &err);
    adt_mem_fail_after(-1);
    ok(!text && err.cause == ADT_INTERNAL && adt_mem_live() == before, "without memory folding fails, and frees");
}

int main(void)
{
    test_expand();
    test_refusals();
    test_ceilings();
    test_fold();
    test_memory();
    return tap_done();
}
