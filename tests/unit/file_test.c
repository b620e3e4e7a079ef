/* file_test.c - whole files, trees and patterns: bounds, links, full disks */
#include "base/fault.h"
#include "base/file.h"
#include "base/glob.h"
#include "base/mem.h"
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static int i;
    i = (i + 1) % 4;
    snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
    return path[i];
}

static int count_entries(void)
{
    DIR *d = opendir(dir);
    int n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}

static bool holds(const char *path, const char *want)
{
    struct adt_error err;
    struct adt_buf b;
    adt_buf_init(&b, 1 << 20);
    bool same = adt_file_read(path, &b, &err) == 0 && b.len == strlen(want) && !memcmp(b.p ? b.p : "", want, b.len);
    adt_buf_free(&b);
    return same;
}

static void test_read(void)
{
    struct adt_error err;
    struct adt_buf b;
    const struct adt_file_options opt = {.mode = 0600, .atomic = true};
    adt_buf_init(&b, 10);
    ok(adt_file_write(in_dir("ten"), "0123456789", 10, &opt, &err) == 0 &&
           adt_file_read(in_dir("ten"), &b, &err) == 0 && b.len == 10,
       "a file of just the ceiling is read");
    ok(adt_file_read(in_dir("ten"), &b, &err) < 0 && !strcmp(err.code, "EOVERFLOW") && !b.p,
       "more is refused and freed");
    ok(adt_file_read("/dev/zero", &b, &err) < 0 && !strcmp(err.code, "EOVERFLOW"), "also where there is no end");
    ok(adt_file_read(dir, &b, &err) < 0 && !strcmp(err.code, "EISDIR"), "a folder is no file");
    ok(mkfifo(in_dir("fifo"), 0600) == 0 && adt_file_read(in_dir("fifo"), &b, &err) < 0,
       "a pipe is refused instead of waited for");
    ok(adt_file_read(in_dir("absent"), &b, &err) < 0 && err.cause == ADT_USAGE && !strcmp(err.code, "ENOENT"),
       "what is not there is the caller's mistake");
    adt_buf_init(&b, 1 << 16);
    ok(adt_file_read("/proc/self/status", &b, &err) == 0 && b.len > 100,
       "a file that does not tell its size is read whole");
    adt_buf_free(&b);
    adt_mem_fail_after(0);
    ok(adt_file_read(in_dir("ten"), &b, &err) < 0 && err.cause == ADT_INTERNAL, "lack of memory is told");
    adt_mem_fail_after(-1);
    unlink(in_dir("fifo"));
    unlink(in_dir("ten"));
}

static void test_write(void)
{
    struct adt_error err;
    struct stat st;
    struct adt_file_options opt = {.mode = 0640, .atomic = true, .sync = true};
    ok(adt_file_write(in_dir("f"), "old", 3, &opt, &err) == 0 && holds(in_dir("f"), "old"), "a file is written");
    ok(stat(in_dir("f"), &st) == 0 && (st.st_mode & 07777) == 0640, "with the mode that was asked for");
    adt_fault_arm("file.write:fail");
    ok(adt_file_write(in_dir("f"), "new", 3, &opt, &err) < 0 && err.cause == ADT_QUOTA && err.hint[0],
       "a full disk is told: %s", err.message);
    ok(holds(in_dir("f"), "old") && count_entries() == 1, "the old file is as it was, and nothing lies beside it");
    opt.parents = true;
    ok(adt_file_write(in_dir("a/b/c"), "x", 1, &opt, &err) == 0 && holds(in_dir("a/b/c"), "x"),
       "folders above are made");
    ok(adt_file_write(in_dir("f/g"), "x", 1, &opt, &err) < 0, "not through a file: %s", err.message);
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    ok(adt_file_write(in_dir(name), "x", 1, &opt, &err) == 0 && holds(in_dir(name), "x"),
       "the longest name is possible");
    ok(adt_file_create(in_dir("f"), "x", 1, 0600, &err) == 0 && holds(in_dir("f"), "old"),
       "create spares what is there");
    ok(adt_file_create(in_dir("g"), "x", 1, 0600, &err) == 1 && holds(in_dir("g"), "x"), "and makes what is not");
    ok(symlink("nowhere", in_dir("dangling")) == 0 && adt_file_create(in_dir("dangling"), "x", 1, 0600, &err) == 0 &&
           access(in_dir("nowhere"), F_OK) < 0,
       "a link that points nowhere is something");
}

static void test_remove(void)
{
    struct adt_error err;
    const struct adt_file_options opt = {.mode = 0600, .parents = true};
    const char *const refused[] = {"", "/", "//", "/.", "/..", ".", "..", "x/..", "x/.", "./", "/proc/self/root"};
    adt_file_write(in_dir("keep/file"), "x", 1, &opt, &err);
    adt_file_write(in_dir("tree/d/e"), "x", 1, &opt, &err);
    ok(symlink(in_dir("keep"), in_dir("tree/d/link")) == 0, "(a link out of the tree)");
    ok(symlink(in_dir("keep"), in_dir("link")) == 0, "(a link to a folder)");
    for (size_t i = 0; i < sizeof refused / sizeof *refused - 1; i++)
        ok(adt_tree_remove(refused[i], true, &err) < 0 && !strcmp(err.code, "Refused"), "'%s' is refused", refused[i]);
    ok(adt_tree_remove(in_dir("tree"), false, &err) < 0 && !strcmp(err.code, "ENOTEMPTY") &&
           strstr(err.hint, "recursive"),
       "a folder with content needs to be asked for");
    ok(adt_tree_remove(in_dir("tree"), true, &err) == 1 && access(in_dir("tree"), F_OK) < 0, "then it goes");
    ok(adt_tree_remove(in_dir("link"), true, &err) == 1 && holds(in_dir("keep/file"), "x"),
       "links go, not their targets");
    ok(adt_tree_remove(in_dir("tree"), true, &err) == 0, "removing nothing is no error");

    char deep[ADT_TREE_DEPTH * 2 + 100];
    int n = snprintf(deep, sizeof deep, "%s/deep", dir);
    mkdir(deep, 0700);
    for (int i = 0; i < ADT_TREE_DEPTH; i++) {
        n += snprintf(deep + n, sizeof deep - (size_t)n, "/d");
        mkdir(deep, 0700);
    }
    ok(adt_tree_remove(in_dir("deep"), true, &err) < 0 && !strcmp(err.code, "TooDeep"), "depth has a ceiling");
    ok(rmdir(deep) == 0 && adt_tree_remove(in_dir("deep"), true, &err) == 1, "just below it a tree goes");
}

static void test_copy(void)
{
    struct adt_error err;
    struct stat st;
    struct adt_file_options opt = {.mode = 0750, .parents = true, .atomic = true};
    adt_file_write(in_dir("from/bin/tool"), "#!", 2, &opt, &err);
    ok(symlink("tool", in_dir("from/bin/alias")) == 0 && chmod(in_dir("from/bin"), 0550) == 0, "(a tree)");
    ok(adt_tree_copy(in_dir("from"), in_dir("to"), &err) == 0 && holds(in_dir("to/bin/tool"), "#!"),
       "a tree is copied");
    ok(stat(in_dir("to/bin/tool"), &st) == 0 && (st.st_mode & 07777) == 0750, "with the modes of files");
    ok(stat(in_dir("to/bin"), &st) == 0 && (st.st_mode & 07777) == 0550, "and of folders");
    ok(lstat(in_dir("to/bin/alias"), &st) == 0 && S_ISLNK(st.st_mode), "links stay links");
    chmod(in_dir("to/bin"), 0750);
    ok(adt_tree_copy(in_dir("from"), in_dir("to"), &err) == 0, "once more over itself");
    ok(adt_tree_copy(in_dir("from"), in_dir("from/bin2"), &err) < 0 && !strcmp(err.code, "Inside"), "not into itself");
    ok(adt_tree_copy(in_dir("from"), in_dir("from"), &err) < 0 && !strcmp(err.code, "SameFile"), "nor onto itself");
    ok(adt_tree_copy(in_dir("to/bin/tool"), in_dir("to/bin/tool"), &err) < 0 && holds(in_dir("to/bin/tool"), "#!"),
       "a file copied onto itself is refused, not emptied");
    /* A device of our own: a mistake here must not take the machine's. Only root can make one. */
    if (mknod(in_dir("full"), S_IFCHR | 0600, makedev(1, 7)) == 0 && access(in_dir("full"), W_OK) == 0) {
        ok(adt_tree_copy(in_dir("to/bin/tool"), in_dir("full"), &err) < 0, "a full device is an error: %s",
           err.message);
        ok(stat(in_dir("full"), &st) == 0 && S_ISCHR(st.st_mode), "and is still there afterwards");
        unlink(in_dir("full"));
    } else {
        ok(1, "a full device is an error # SKIP needs root");
    }
    ok(adt_tree_copy("/proc/self/status", in_dir("status"), &err) == 0 && stat(in_dir("status"), &st) == 0 &&
           st.st_size > 100,
       "a file that does not tell its size is copied whole");
    ok(adt_tree_copy("/dev/null", in_dir("null"), &err) < 0 && !strcmp(err.code, "Special"), "a device is not");
    chmod(in_dir("from/bin"), 0750);
    chmod(in_dir("to/bin"), 0750);
}

static bool name(const char *pattern, const char *text)
{
    return adt_glob_name(pattern, strlen(pattern), text, strlen(text));
}

static bool path(const char *pattern, const char *text)
{
    return adt_glob_path(pattern, strlen(pattern), text, strlen(text));
}

static void test_glob(void)
{
    static const char *const yes[][2] = {
        {"", ""},         {"*", "abc"},       {"a*c", "abbbc"},   {"a*b*c", "aXbYbZc"}, {"?", "\xc3\xa9"},
        {"[a-c]x", "bx"}, {"[!a-c]x", "dx"},  {"[]]", "]"},       {"[a-]", "-"},        {"[", "["},
        {"[ab", "[ab"},   {"\\*", "*"},       {".*", ".hidden"},  {"*.lua", "a.lua"},   {"\\[x]", "[x]"},
        {"**", "abc"},    {"??", "\xff\xfe"}, {"*\xff", "a\xff"}, {"[^a]", "b"},        {"a\\", "a\\"}};
    static const char *const no[][2] = {{"", "a"},      {"*", ".hidden"}, {"?", ""},     {"?", "ab"},
                                        {"[a-c]", "d"}, {"[!a]", "a"},    {"a*b", "ac"}, {"*.lua", "a.luac"},
                                        {"?x", ".x"},   {"[.]x", ".x"},   {"\\*", "a"},  {"*a*b*c", "abab"}};
    bool good = true;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!name(yes[i][0], yes[i][1])) {
            good = false;
            printf("# '%s' should match '%s'\n", yes[i][0], yes[i][1]);
        }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (name(no[i][0], no[i][1])) {
            good = false;
            printf("# '%s' should not match '%s'\n", no[i][0], no[i][1]);
        }
    ok(good, "patterns match names as in a shell");
    ok(path("a/*/c", "a/b/c") && !path("a/*/c", "a/b/d/c") && !path("a/*", "a") && path("*/", "a/"),
       "a star stays in a name");
    ok(path("**/x", "x") && path("**/x", "a/b/x") && path("a/**/b/*.c", "a/q/b/r/b/z.c") && path("a/**", "a/b/c") &&
           path("**", "a/b") && !path("**/x", ".git/x") && !path("a/**/b", "a/c"),
       "two stars cross folders, but not hidden ones");
    char many[201], text[2001];
    for (int i = 0; i < 200; i++)
        many[i] = i % 2 ? 'a' : '*';
    many[199] = 'b';
    many[200] = '\0';
    memset(text, 'a', 2000);
    text[2000] = '\0';
    ok(!name(many, text), "a hundred stars take no time");
    ok(adt_glob_magic("a[b", 3) && adt_glob_magic("a\\b", 3) && !adt_glob_magic("a.b-c", 5),
       "plain text is told apart");
}

int main(void)
{
    struct adt_error err;
    snprintf(dir, sizeof dir, "/tmp/adt-file-XXXXXX");
    ok(mkdtemp(dir) != NULL, "(a folder)");
    test_read();
    test_write();
    test_remove();
    test_copy();
    test_glob();
    ok(adt_tree_remove(dir, true, &err) == 1, "all of it is removed: %s", err.message);
    ok(adt_mem_live() == 0, "no memory is left (%ld blocks)", adt_mem_live());
    return tap_done();
}
