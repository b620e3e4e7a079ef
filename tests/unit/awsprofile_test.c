/* awsprofile_test.c - the shared files of the AWS tools, item by item; their bounds; and no memory */
#include "aws/profile.h"
#include "base/mem.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

/* The whole pass as one line: "[p:foo] a=b s3={ x=y ! ...". */
static int pass(enum adt_awsprofile_kind kind, const char *text, size_t n, char *out, size_t max, struct adt_error *err)
{
    static const char *const kinds[] = {"p", "sso", "services"};
    struct adt_awsprofile p;
    struct adt_awsprofile_item i;
    size_t len = 0;
    int rc = adt_awsprofile_begin(&p, kind, "conf", text, n, err);
    out[0] = 0;
    while (rc >= 0 && (rc = adt_awsprofile_next(&p, &i, err)) > 0) {
        if (len > max / 2)
            len = 0;
        if (i.type == ADT_AWSPROFILE_SECTION)
            len += (size_t)snprintf(out + len, max - len, "[%s:%.*s]", kinds[i.section], (int)i.name_n, i.name);
        else if (i.type == ADT_AWSPROFILE_WARNING)
            len += (size_t)snprintf(out + len, max - len, "!%u", i.line);
        else
            len += (size_t)snprintf(out + len, max - len, "%s%.*s=%.*s%s", i.type == ADT_AWSPROFILE_NESTED ? ">" : " ",
                                    (int)i.name_n, i.name, (int)i.value_n, i.value ? i.value : "", i.parent ? "{" : "");
    }
    adt_awsprofile_end(&p);
    return rc;
}

static void reads(enum adt_awsprofile_kind kind, const char *text, const char *want, const char *title)
{
    char out[1024];
    struct adt_error err = {0};
    int rc = pass(kind, text, strlen(text), out, sizeof out, &err);
    ok(rc == 0 && strcmp(out, want) == 0, "%s", title);
    if (rc || strcmp(out, want) != 0)
        printf("# got %s, %s %s\n", out, err.where, err.message);
}

static void refuses(const char *text, size_t n, const char *code, const char *where, const char *title)
{
    char out[1024];
    struct adt_error err = {0};
    int rc = pass(ADT_AWSPROFILE_CONFIG, text, n, out, sizeof out, &err);
    ok(rc < 0 && strcmp(err.code, code) == 0 && strcmp(err.where, where) == 0, "%s", title);
    if (rc >= 0 || strcmp(err.where, where) != 0)
        printf("# %d %s %s %s\n", rc, err.code, err.where, err.message);
}

static void test_bounds(void)
{
    size_t n = ADT_AWSPROFILE_TEXT + 1;
    char *big = malloc(n);
    memset(big, '\n', n);
    refuses(big, n, "TooBig", "conf:1", "a file over the limit is refused");
    memcpy(big, "[default]\na=", 12);
    memset(big + 12, 'x', ADT_AWSPROFILE_LINE);
    refuses(big, ADT_AWSPROFILE_LINE + 12, "TooBig", "conf:2", "a line over the limit is refused, with its number");
    size_t at = 12;
    for (int i = 0; i < 3; i++) {
        memset(big + at, 'x', 30000);
        at += 30000;
        memcpy(big + at, "\n ", 2);
        at += 2;
    }
    refuses(big, at - 2, "TooBig", "conf:4", "a value that grows over many lines has a ceiling");
    at = 0;
    for (int i = 0; i <= ADT_AWSPROFILE_SECTIONS; i++)
        at += (size_t)sprintf(big + at, "[profile p]\n");
    refuses(big, at, "TooBig", "conf:20001", "sections are counted");
    at = (size_t)sprintf(big, "[default]\n");
    for (int i = 0; i <= ADT_AWSPROFILE_ITEMS; i++)
        at += (size_t)sprintf(big + at, "a=\n");
    refuses(big, at, "TooBig", "conf:200002", "properties are counted");
    at = (size_t)sprintf(big, "[profile ");
    memset(big + at, 'x', 256);
    at += 256;
    at += (size_t)sprintf(big + at, "]\n");
    refuses(big, at, "TooBig", "conf:1", "a section's name has a limit");
    at = 0;
    for (int i = 0; i < 200; i++)
        at += (size_t)sprintf(big + at, "[x]\n");
    char out[4096];
    struct adt_error err;
    unsigned warnings = 0;
    ok(pass(ADT_AWSPROFILE_CONFIG, big, at, out, sizeof out, &err) == 0, "ignored sections are no error");
    for (const char *c = out; (c = strchr(c, '!')); c++)
        warnings++;
    ok(warnings == ADT_AWSPROFILE_WARNINGS, "and their warnings have an end");
    free(big);
}

static void test_memory(void)
{
    static const char text[] = "[default]\na = b\n c\n d\n";
    char out[256];
    struct adt_error err;
    long live = adt_mem_live();
    int failures = 0;
    for (long n = 0;; n++) {
        adt_mem_fail_after(n);
        int rc = pass(ADT_AWSPROFILE_CONFIG, text, sizeof text - 1, out, sizeof out, &err);
        bool failed = adt_mem_fail_left() < 0;
        adt_mem_fail_after(-1);
        if (rc == 0 && !failed)
            break;
        failures += rc < 0 && strcmp(err.code, "ENOMEM") == 0;
        if (n > 100)
            break;
    }
    ok(failures > 0, "memory that runs out in a value is an error");
    ok(adt_mem_live() == live, "and nothing stays behind");
}

int main(void)
{
    enum adt_awsprofile_kind config = ADT_AWSPROFILE_CONFIG, credentials = ADT_AWSPROFILE_CREDENTIALS;
    reads(config, "", "", "an empty file has nothing");
    reads(config, "\xEF\xBB\xBF[default]\na=b", "[p:default] a=b", "a byte order mark is passed over");
    reads(config, "[default]\r\na = b\r\n c\r\n", "[p:default] a=b\nc", "lines may end as on Windows");
    reads(config, "[profile x]\nA = v; x\nb = v ; x", "[p:x] a=v; x b=v", "a comment behind a value needs a blank");
    reads(config, "[profile x]\ns3 =\n\n # c\n N = 1 # c\n m =\nk=v", "[p:x] s3={>n=1>m= k=v", "properties nest");
    reads(config, "[profile x]\ns3 =\n# c\n[profile y]", "[p:x] s3=[p:y]",
          "an empty value with nothing below is empty");
    reads(config, "[default]\na=1\n[profile default]\nb=2\n[default]\nc=3", "!1[p:default] b=2!5",
          "[profile default] beats [default] wherever it stands");
    reads(config, "[sso-session s]\n[services t]\n[profilex]\n[plugins]\n", "[sso:s][services:t]!3",
          "sessions and services are known, and what is not is told but for the aws program's own");
    reads(config, "[profile a b]\nx=1\ny=\n z=2\n[profile c]", "!1[p:c]",
          "what is below an ignored section is ignored");
    reads(config, "[profile a]\ni n =\n z=2\nb=\n c d=4\n e=5", "[p:a]!2 b={!5>e=5", "names with blanks are ignored");
    reads(credentials, "[ a/b ] # c\n[profile c]\nx=1\n[d]", "[p:a/b]!2[p:d]", "the other file has names alone");
    refuses("[profile x", 10, "BadProfile", "conf:1", "a section that does not close is refused");
    refuses("\n\na = b", 7, "BadProfile", "conf:3", "a property before the first section is refused");
    refuses(" a = b", 6, "BadProfile", "conf:1", "so is an indented line");
    refuses("[default]\n b", 12, "BadProfile", "conf:2", "an indented line below a section is refused");
    refuses("[default]\nsecret", 16, "BadProfile", "conf:2", "a line without '=' is refused");
    refuses("[default]\n = b", 14, "BadProfile", "conf:2", "so is one without a name");
    refuses("[default]\na =\n b", 16, "BadProfile", "conf:3", "and a nested one without '='");
    refuses("[default]\na=\xFF", 13, "NotUtf8", "conf:2", "text that is not UTF-8 is refused");
    refuses("[default]\na=\0b", 14, "BadProfile", "conf:2", "and a NUL byte");
    test_bounds();
    test_memory();
    return tap_done();
}
