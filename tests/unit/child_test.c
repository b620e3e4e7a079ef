/* child_test.c - child processes: the gate, failures told, streams, groups, orphans, and nobody left behind */
#include "base/mem.h"
#include "loop/child.h"
#include "looped.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct adt_loop *loop;
static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][128];
    static int i;
    i = (i + 1) % 4;
    snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
    return path[i];
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static struct adt_child *start(const char *line, struct adt_child_options opt, struct adt_error *err)
{
    const char *argv[] = {"sh", "-c", line, NULL};
    opt.argv = argv;
    return adt_child_spawn(loop, &opt, err);
}

/* Waits for the end: the exit code, or minus the signal. */
static int end_of(struct adt_child *c)
{
    struct adt_error err;
    int code = -1000, signum = 0;
    struct adt_op *op = adt_child_wait(c, &err);
    if (op && finished(loop, op))
        adt_child_ended(c, &code, &signum);
    adt_op_free(op);
    return signum ? -signum : code;
}

static size_t read_some(struct adt_stream *s, char *out, size_t size)
{
    struct adt_error err;
    size_t n = 0;
    struct adt_op *op = adt_stream_read(s, &err);
    if (op && finished(loop, op)) {
        const char *p = adt_stream_data(op, &n);
        n = n < size - 1 ? n : size - 1;
        if (n)
            memcpy(out, p, n);
        out[n] = '\0';
    }
    adt_op_free(op);
    return n;
}

static void test_ends(void)
{
    struct adt_error err;
    struct adt_child *c = start("exit 7", (struct adt_child_options){0}, &err);
    ok(c && end_of(c) == 7 && end_of(c) == 7, "an exit code is told, and again to who asks later");
    ok(adt_child_start_time(c) > 0, "its start time is known though it may have ended at once");
    ok(adt_child_kill(c, SIGKILL, &err) == 0, "signalling one that has ended is harmless");
    adt_child_free(c);
    c = start("kill -TERM $$", (struct adt_child_options){0}, &err);
    ok(c && end_of(c) == -SIGTERM, "so is the signal that ended it");
    adt_child_free(c);
}

static void test_failures(void)
{
    struct adt_error err;
    const char *missing[] = {"adt-no-such-program", NULL}, *plain[] = {"/etc/passwd", NULL}, *pwd[] = {"pwd", NULL};
    ok(!adt_child_spawn(loop, &(struct adt_child_options){.argv = missing}, &err) && err.cause == ADT_USAGE &&
           !strcmp(err.code, "ENOENT") && err.hint[0],
       "a program that is not there is named: %s", err.message);
    ok(!adt_child_spawn(loop, &(struct adt_child_options){.argv = plain}, &err) && !strcmp(err.code, "EACCES"),
       "and one that is not executable: %s", err.message);
    ok(!adt_child_spawn(loop, &(struct adt_child_options){.argv = pwd, .cwd = "/no/such/folder"}, &err) &&
           strstr(err.message, "working folder"),
       "and a working folder that is not there: %s", err.message);
    int fd = open(in_dir("garbage"), O_WRONLY | O_CREAT, 0700);
    ok(write(fd, "\177ELFgarbage", 11) == 11, "(a broken program)");
    close(fd);
    const char *broken[] = {in_dir("garbage"), NULL};
    ok(!adt_child_spawn(loop, &(struct adt_child_options){.argv = broken}, &err) && !strcmp(err.code, "ENOEXEC"),
       "exec's own failure is told: %s", err.message);
    ok(nothing_lives(loop), "a failed start leaves nothing");
}

static void test_streams(void)
{
    struct adt_error err;
    char text[256];
    struct adt_child_options opt = {.stdio = {ADT_STDIO_PIPE, ADT_STDIO_PIPE, ADT_STDIO_STDOUT}};
    struct adt_child *c = start("read x; echo \"[$x]\" >&2", opt, &err);
    struct adt_stream *in = adt_child_stream(c, 0), *out = adt_child_stream(c, 1);
    ok(in && out && !adt_child_stream(c, 2) && !adt_child_stream(c, 1), "each pipe is handed over once");
    struct adt_op *w = adt_stream_write(in, "hello\n", 6, &err);
    ok(finished(loop, w) && !w->err.cause, "a write ends when it is written");
    adt_op_free(w);
    ok(read_some(out, text, sizeof text) == 8 && !strcmp(text, "[hello]\n"), "stderr can go where stdout goes");
    ok(read_some(out, text, sizeof text) == 0, "the end of a stream is an empty read");
    adt_stream_close(in);
    adt_stream_close(out);
    ok(end_of(c) == 0, "and the child has ended");
    adt_child_free(c);

    /* Nothing of ours is open in the child: 0-2 and the descriptor of the listing itself. */
    int extra = open("/dev/null", O_RDONLY);
    c = start("ls /proc/self/fd | tr '\\n' ' '", (struct adt_child_options){.stdio = {0, ADT_STDIO_PIPE, 0}}, &err);
    out = adt_child_stream(c, 1);
    ok(read_some(out, text, sizeof text) && !strcmp(text, "0 1 2 3 "), "no other descriptor is inherited: %s", text);
    adt_stream_close(out);
    close(extra);
    end_of(c);
    adt_child_free(c);
    ok(nothing_lives(loop), "no stream is left");
}

static void test_two_readers(void)
{
    struct adt_error err;
    struct adt_child *c = start("sleep 60", (struct adt_child_options){.stdio = {0, ADT_STDIO_PIPE, 0}}, &err);
    struct adt_stream *out = adt_child_stream(c, 1);
    struct adt_op *a = adt_stream_read(out, &err);
    ok(!adt_stream_read(out, &err) && !strcmp(err.code, "Busy"), "a second read at the same time is refused");
    adt_stream_close(out);
    ok(finished(loop, a) && a->err.cause == ADT_CANCELLED, "closing a stream ends who reads it");
    adt_op_free(a);
    struct adt_op *w = adt_child_wait(c, &err);
    adt_child_free(c);
    ok(finished(loop, w) && w->err.cause == ADT_CANCELLED, "freeing a child ends who waits for it");
    adt_op_free(w);
    ok(nothing_lives(loop), "and ends the child");
}

static void test_gate(void)
{
    struct adt_error err;
    char line[200];
    snprintf(line, sizeof line, "touch %s", in_dir("ran"));
    struct adt_child *c = start(line, (struct adt_child_options){.gated = true}, &err);
    sleep_ms(50);
    ok(c && adt_child_pid(c) > 0 && access(in_dir("ran"), F_OK) < 0, "a gated child has a pid and does nothing");
    ok(adt_child_go(c, &err) == 0 && end_of(c) == 0 && access(in_dir("ran"), F_OK) == 0, "until its gate opens");
    ok(adt_child_go(c, &err) == 0, "opening it twice is harmless");
    adt_child_free(c);
    unlink(in_dir("ran"));

    c = start(line, (struct adt_child_options){.gated = true}, &err);
    pid_t pid = adt_child_pid(c);
    adt_child_free(c);
    ok(nothing_lives(loop) && access(in_dir("ran"), F_OK) < 0 && kill(pid, 0) < 0, "freed before, it ends unborn");

    const char *broken[] = {in_dir("garbage"), NULL};
    c = adt_child_spawn(loop, &(struct adt_child_options){.argv = broken, .gated = true}, &err);
    ok(c && adt_child_go(c, &err) < 0 && !strcmp(err.code, "ENOEXEC"), "a failed exec is told at the gate");
    int code;
    ok(adt_child_ended(c, &code, NULL) && code == 127, "and that child is over");
    adt_child_free(c);
}

/* The promise that a crashed program starts nothing: a process is killed between spawning and opening the gate. */
static void test_parent_killed_at_gate(bool detached)
{
    int report[2];
    char line[200];
    snprintf(line, sizeof line, "touch %s", in_dir("ran"));
    ok(pipe(report) == 0, "(a pipe)");
    pid_t middle = fork();
    if (middle == 0) {
        struct adt_error err;
        loop = adt_loop_new(&err);
        struct adt_child *c = start(line, (struct adt_child_options){.gated = true, .detached = detached}, &err);
        pid_t pid = c ? adt_child_pid(c) : -1;
        ssize_t n = write(report[1], &pid, sizeof pid);
        (void)n;
        for (;;)
            pause();
    }
    pid_t child = -1;
    ok(read(report[0], &child, sizeof child) == sizeof child && child > 0, "(a child waits at its gate)");
    kill(middle, SIGKILL);
    waitpid(middle, NULL, 0);
    unsigned long long ticks;
    double until = adt_now() + 5;
    while (adt_process_start_time(child, &ticks) == 0 && adt_now() < until)
        sleep_ms(5);
    ok(adt_process_start_time(child, &ticks) < 0, "when its parent is killed a %s child at the gate ends",
       detached ? "detached" : "gated");
    ok(access(in_dir("ran"), F_OK) < 0, "and has never run its program");
    close(report[0]);
    close(report[1]);
}

static bool gone(pid_t pid)
{
    unsigned long long ticks;
    double until = adt_now() + 5;
    while (adt_process_start_time(pid, &ticks) == 0 && adt_now() < until)
        sleep_ms(5);
    return adt_process_start_time(pid, &ticks) < 0;
}

static void test_groups(void)
{
    struct adt_error err;
    char text[64];
    struct adt_child_options opt = {.stdio = {0, ADT_STDIO_PIPE, 0}};
    struct adt_child *c = start("sleep 60 & echo $!; wait", opt, &err);
    struct adt_stream *out = adt_child_stream(c, 1);
    read_some(out, text, sizeof text);
    pid_t grandchild = atoi(text);
    ok(grandchild > 0 && adt_child_kill(c, SIGTERM, &err) == 0 && end_of(c) == -SIGTERM && gone(grandchild),
       "a signal reaches the whole group");
    adt_stream_close(out);
    adt_child_free(c);

    opt.detached = true;
    c = start("echo $$; exec sleep 60", opt, &err);
    out = adt_child_stream(c, 1);
    read_some(out, text, sizeof text);
    pid_t pid = adt_child_pid(c);
    ok(getsid(pid) == pid && atoi(text) == pid, "a detached child leads a session");
    adt_stream_close(out);
    adt_child_free(c);
    sleep_ms(20);
    ok(kill(pid, 0) == 0, "and outlives its handle");
    kill(-pid, SIGKILL);
    ok(nothing_lives(loop), "it is reaped all the same");
}

/* Turns that may not sleep poll all the same: nothing but the child's end is there to wake them. */
static void test_reaped_without_sleep(void)
{
    struct adt_error err;
    struct adt_child *c = start("sleep 60", (struct adt_child_options){0}, &err);
    adt_child_free(c);
    double until = adt_now() + 5;
    while (adt_loop_live(loop, ADT_LIVE_CHILD) && adt_now() < until) {
        sleep_ms(5);
        adt_loop_step(loop, 0, &err);
    }
    ok(adt_loop_live(loop, ADT_LIVE_CHILD) == 0, "a freed child is reaped by turns that do not sleep");
}

static void test_limits(void)
{
    struct adt_error err;
    char text[64];
    const struct adt_rlimit limits[] = {{RLIMIT_NOFILE, 77}, {RLIMIT_CORE, 0}};
    struct adt_child_options opt = {.stdio = {0, ADT_STDIO_PIPE, 0}, .limits = limits, .limit_count = 2};
    struct adt_child *c = start("echo $(ulimit -n) $(ulimit -c)", opt, &err);
    struct adt_stream *out = adt_child_stream(c, 1);
    read_some(out, text, sizeof text);
    ok(!strcmp(text, "77 0\n"), "limits hold in the child");
    end_of(c);
    adt_stream_close(out);
    adt_child_free(c);
}

/* Each allocation of a start fails once; afterwards nothing may live. */
static void test_no_memory(void)
{
    struct adt_error err;
    long n;
    bool clean = true;
    /* What was closed before gives its memory back on the loop's next turns. */
    for (int i = 0; i < 3; i++)
        adt_loop_step(loop, 0.01, &err);
    for (n = 0; n < 100; n++) {
        long before = adt_mem_live();
        struct adt_child_options opt = {.stdio = {ADT_STDIO_PIPE, ADT_STDIO_PIPE, ADT_STDIO_PIPE}};
        adt_mem_fail_after(n);
        struct adt_child *c = start("sleep 60", opt, &err);
        struct adt_op *op = c ? adt_child_wait(c, &err) : NULL;
        adt_mem_fail_after(-1);
        bool worked = op != NULL;
        adt_op_free(op);
        adt_child_free(c);
        clean &= nothing_lives(loop);
        for (int i = 0; i < 50 && adt_mem_live() != before; i++)
            adt_loop_step(loop, 0.01, &err);
        clean &= adt_mem_live() == before;
        if (worked)
            break;
    }
    ok(n > 2 && n < 100, "a start makes %ld allocations", n);
    ok(clean, "whichever of them fails, nothing is left");
}

/* In a process of its own, since it changes who the parent of orphans is. */
static void test_adopt(void)
{
    pid_t middle = fork();
    if (middle == 0) {
        struct adt_error err;
        char text[64];
        int status = 1;
        loop = adt_loop_new(&err);
        if (adt_child_adopt(loop, &err) < 0)
            _exit(2);
        struct adt_child *c = start("setsid sh -c 'echo $$; sleep 0.1' & wait $!; exit 5",
                                    (struct adt_child_options){.stdio = {0, ADT_STDIO_PIPE, 0}}, &err);
        struct adt_stream *out = adt_child_stream(c, 1);
        read_some(out, text, sizeof text);
        kill(-adt_child_pid(c), SIGKILL);
        pid_t orphan = atoi(text);
        bool told = end_of(c) == -SIGKILL;
        double until = adt_now() + 5;
        while (kill(orphan, 0) == 0 && adt_now() < until)
            adt_loop_step(loop, 0.02, &err);
        status = told && orphan > 0 && kill(orphan, 0) < 0 ? 0 : 1;
        _exit(status);
    }
    int status = -1;
    waitpid(middle, &status, 0);
    ok(status == 0, "a supervisor reaps orphans, and its own child's end is still told");
}

int main(void)
{
    struct adt_error err;
    snprintf(dir, sizeof dir, "/tmp/adt-child-XXXXXX");
    ok(mkdtemp(dir) != NULL, "(a folder)");
    loop = adt_loop_new(&err);
    test_ends();
    test_failures();
    test_streams();
    test_two_readers();
    test_gate();
    test_parent_killed_at_gate(false);
    test_parent_killed_at_gate(true);
    test_groups();
    test_reaped_without_sleep();
    test_limits();
    test_no_memory();
    test_adopt();
    ok(nothing_lives(loop), "nothing lives at the end");
    adt_loop_free(loop);
    ok(adt_mem_live() == 0, "no memory is left (%ld blocks)", adt_mem_live());
    unlink(in_dir("garbage"));
    rmdir(dir);
    return tap_done();
}
