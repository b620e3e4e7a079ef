/* child_share_test.c - a child that runs on our memory until its exec: what it leaves alone, what it loses, who frees
 * it */
#include "base/mem.h"
#include "loop/child.h"
#include "looped.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kcmp.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 200 };

static struct adt_loop *loop;
static char dir[64], ran[128], broken[128];

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

/* All that a child of one short line has written. */
static void output_of(struct adt_child *c, char *text, size_t size)
{
    struct adt_error err;
    struct adt_stream *out = adt_child_stream(c, 1);
    size_t n = 0, more = 1;
    while (more) {
        struct adt_op *op = adt_stream_read(out, &err);
        if (!op || !finished(loop, op))
            more = 0;
        const char *p = more ? adt_stream_data(op, &more) : NULL;
        more = more < size - 1 - n ? more : size - 1 - n;
        if (more)
            memcpy(text + n, p, more);
        n += more;
        adt_op_free(op);
    }
    text[n] = '\0';
    adt_stream_close(out);
}

static bool gone(pid_t pid)
{
    unsigned long long ticks;
    double until = adt_now() + 5;
    while (adt_process_start_time(pid, &ticks) == 0 && adt_now() < until)
        sleep_ms(5);
    return adt_process_start_time(pid, &ticks) < 0;
}

/* 1 if the two have one memory, 0 if not, -1 where the kernel does not say. */
static int shares_memory(pid_t pid)
{
    long rc = syscall(SYS_kcmp, getpid(), pid, KCMP_VM, 0, 0);
    return rc < 0 ? -1 : rc == 0;
}

static bool expects_sharing(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return !(preload && strstr(preload, "/vgpreload_"));
}

static void test_memory(void)
{
    struct adt_error err;
    struct adt_child *c = start("exit 3", (struct adt_child_options){.gated = true}, &err);
    int shared = shares_memory(adt_child_pid(c));
#if defined(__x86_64__) || defined(__aarch64__)
    if (shared < 0)
        ok(true, "one memory # SKIP no kcmp here");
    else
        ok(shared == expects_sharing(), "a child at its gate has no copy of our memory");
#else
    ok(shared <= 0, "a child has a copy of our memory");
#endif
    ok(adt_child_go(c, &err) == 0 && shares_memory(adt_child_pid(c)) <= 0, "after its gate it has one of its own");
    ok(end_of(c) == 3, "and runs its program");
    adt_child_free(c);
}

/* What the caller passed is changed and freed while the child waits, as its heap is by all that goes on meanwhile. */
static void test_copies(void)
{
    struct adt_error err;
    char text[256], word[] = "word one", env[] = "ADT_SHARE=a b", cwd[sizeof dir];
    struct adt_rlimit limit = {RLIMIT_NOFILE, 77};
    memcpy(cwd, dir, sizeof cwd);
    const char *argv[] = {"sh", "-c", "echo \"$1|$ADT_SHARE|$(pwd)|$(ulimit -n)\"", "sh", word, NULL};
    const char *envp[] = {env, "PATH=/usr/bin:/bin", NULL};
    struct adt_child_options opt = {.argv = argv,
                                    .env = envp,
                                    .cwd = cwd,
                                    .limits = &limit,
                                    .limit_count = 1,
                                    .gated = true,
                                    .stdio = {0, ADT_STDIO_PIPE, 0}};
    struct adt_child *c = adt_child_spawn(loop, &opt, &err);
    memset(word, 'x', sizeof word - 1);
    memset(env, 'x', sizeof env - 1);
    memset(cwd, 'x', sizeof cwd - 1);
    argv[0] = argv[4] = envp[0] = NULL;
    limit.value = 88;
    memset(&opt, 0xff, sizeof opt);
    ok(adt_child_go(c, &err) == 0, "a gate opens after the caller has dropped what it passed");
    output_of(c, text, sizeof text);
    char want[256];
    snprintf(want, sizeof want, "word one|a b|%s|77\n", dir);
    ok(!strcmp(text, want), "the child has what it was: %s", text);
    end_of(c);
    adt_child_free(c);
}

static void test_heap(void)
{
    struct adt_error err;
    enum { SIZE = 1 << 20, CHILDREN = 20 };
    unsigned char *heap = malloc(SIZE);
    struct adt_child *c[CHILDREN];
    for (size_t i = 0; i < SIZE; i++)
        heap[i] = (unsigned char)(i * 31);
    for (int i = 0; i < CHILDREN; i++) {
        c[i] = start("exit 0", (struct adt_child_options){.gated = true}, &err);
        for (int k = 1; k < 200; k++) {
            char *churn = malloc((size_t)k * 97);
            memset(churn, k, (size_t)k * 97);
            free(churn);
        }
    }
    bool same = true, ended = true;
    for (int i = 0; i < CHILDREN; i++) {
        ended &= adt_child_go(c[i], &err) == 0 && end_of(c[i]) == 0;
        adt_child_free(c[i]);
    }
    for (size_t i = 0; i < SIZE; i++)
        same &= heap[i] == (unsigned char)(i * 31);
    ok(same && ended, "our heap is as it was, and so are the children's plans");
    free(heap);
}

static void test_errno(void)
{
    struct adt_error err;
    const char *argv[] = {broken, NULL};
    struct adt_child *c = adt_child_spawn(loop, &(struct adt_child_options){.argv = argv, .gated = true}, &err);
    errno = 77;
    int rc = adt_child_go(c, &err), after = errno;
    ok(rc < 0 && !strcmp(err.code, "ENOEXEC") && after == 77, "a child's failed calls leave our errno alone (%d)",
       after);
    adt_child_free(c);
}

static void on_signal(int signum)
{
    (void)signum;
    open(ran, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static bool mask_is(pid_t pid, const char *field, unsigned long long want)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *p = strstr(text, field);
    return p && strtoull(p + strlen(field), NULL, 16) == want;
}

static bool default_signals(pid_t pid)
{
    double until = adt_now() + 5;
    while (adt_now() < until && !(mask_is(pid, "SigBlk:", 0) && mask_is(pid, "SigCgt:", 0)))
        sleep_ms(2);
    return mask_is(pid, "SigBlk:", 0) && mask_is(pid, "SigCgt:", 0) && mask_is(pid, "SigIgn:", 0);
}

/* Signals that we block, ignore and handle are the default ones in a child from before its gate on. */
static void test_signals(void)
{
    struct adt_error err;
    struct sigaction act = {.sa_handler = on_signal}, ign = {.sa_handler = SIG_IGN}, old[2];
    sigset_t set, before, now;
    sigaction(SIGUSR1, &act, &old[0]);
    sigaction(SIGUSR2, &ign, &old[1]);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &set, &before);
    struct adt_child *c = start("exec sleep 60", (struct adt_child_options){.gated = true}, &err);
    sigprocmask(SIG_SETMASK, NULL, &now);
    ok(sigismember(&now, SIGTERM) == 1 && sigismember(&now, SIGRTMIN + 3) == 1 && sigismember(&now, SIGINT) == 0,
       "our own mask is as it was");
    ok(default_signals(adt_child_pid(c)), "nothing is blocked, ignored or handled at the gate");
    ok(adt_child_go(c, &err) == 0 && default_signals(adt_child_pid(c)), "nor in the program");
    adt_child_kill(c, SIGUSR2, &err);
    ok(end_of(c) == -SIGUSR2, "one that we ignore ends it");
    adt_child_free(c);
    c = start("true", (struct adt_child_options){.gated = true}, &err);
    ok(default_signals(adt_child_pid(c)) && kill(adt_child_pid(c), SIGUSR1) == 0 && end_of(c) == -SIGUSR1 &&
           access(ran, F_OK) < 0,
       "our handler does not run in a child at its gate");
    ok(adt_child_go(c, &err) == 0, "the gate of one that has ended opens as any");
    adt_child_free(c);
    sigprocmask(SIG_SETMASK, &before, NULL);
    sigaction(SIGUSR1, &old[0], NULL);
    sigaction(SIGUSR2, &old[1], NULL);
}

static void phase(struct adt_child_options opt, const char *said, const char *code)
{
    static const char *const sh[] = {"sh", "-c", "exit 0", NULL};
    struct adt_error err;
    if (!opt.argv)
        opt.argv = sh;
    struct adt_child *c = adt_child_spawn(loop, &opt, &err);
    ok(!c && strstr(err.message, said) && !strcmp(err.code, code), "told at the start: %s", err.message);
    opt.gated = true;
    c = adt_child_spawn(loop, &opt, &err);
    int exit_code = 0;
    ok(c && adt_child_go(c, &err) < 0 && strstr(err.message, said) && !strcmp(err.code, code) &&
           adt_child_ended(c, &exit_code, NULL) && exit_code == 127,
       "and at the gate");
    adt_child_free(c);
}

static void test_phases(void)
{
    const struct adt_rlimit limit = {RLIMIT_NOFILE, RLIM_INFINITY};
    const char *argv[] = {broken, NULL};
    phase((struct adt_child_options){.cwd = "/no/such/folder"}, "entering the working folder for 'sh'", "ENOENT");
    phase((struct adt_child_options){.limits = &limit, .limit_count = 1}, "setting a resource limit for 'sh'", "EPERM");
    phase((struct adt_child_options){.argv = argv}, "executing", "ENOEXEC");
    int saved = fcntl(1, F_DUPFD_CLOEXEC, 3);
    close(1);
    struct adt_error err;
    struct adt_child *c =
        start("exit 0", (struct adt_child_options){.stdio = {0, ADT_STDIO_INHERIT, ADT_STDIO_STDOUT}}, &err);
    dup2(saved, 1);
    close(saved);
    ok(!c && strstr(err.message, "arranging the standard streams of 'sh'") && !strcmp(err.code, "EBADF"),
       "a stream that cannot be arranged, too: %s", err.message);
}

/* Half of them get through their gates, in no order of theirs; the others are dropped before. */
static void test_many(void)
{
    struct adt_error err;
    struct adt_child *c[MANY];
    char line[200];
    int waiting = 0, right = 0;
    for (int i = 0; i < MANY; i++) {
        if (i % 2)
            snprintf(line, sizeof line, "touch %s", ran);
        else
            snprintf(line, sizeof line, "exit %d", i);
        c[i] = start(line, (struct adt_child_options){.gated = true, .detached = i % 3 == 0}, &err);
        unsigned long long ticks;
        waiting += c[i] && adt_process_start_time(adt_child_pid(c[i]), &ticks) == 0;
    }
    ok(waiting == MANY, "%d children wait at their gates at once", waiting);
    for (int k = 0; k < MANY; k++) {
        int i = k * 77 % MANY;
        if (i % 2)
            adt_child_free(c[i]);
        else
            right += adt_child_go(c[i], &err) == 0;
    }
    for (int i = 0; i < MANY; i += 2) {
        right += end_of(c[i]) == i;
        adt_child_free(c[i]);
    }
    ok(right == MANY, "each that was let through has run its own program");
    ok(nothing_lives(loop) && access(ran, F_OK) < 0, "those that were dropped have run none and are gone");
}

static void test_stopped(void)
{
    struct adt_error err;
    struct adt_child *c = start("exit 0", (struct adt_child_options){.gated = true, .detached = true}, &err);
    pid_t pid = adt_child_pid(c);
    kill(pid, SIGSTOP);
    double before = adt_now();
    adt_child_free(c);
    ok(adt_now() - before < 5 && nothing_lives(loop) && kill(pid, 0) < 0,
       "one that was stopped at its gate is dropped too");
}

/* A process that holds many at their gates is killed. */
static void test_killed(void)
{
    int report[2];
    enum { HELD = 30 };
    pid_t pids[HELD];
    ok(pipe(report) == 0, "(a pipe)");
    pid_t middle = fork();
    if (middle == 0) {
        struct adt_error err;
        char line[200];
        snprintf(line, sizeof line, "touch %s", ran);
        loop = adt_loop_new(&err);
        for (int i = 0; i < HELD; i++) {
            struct adt_child *c = start(
                line, (struct adt_child_options){.gated = true, .detached = i % 2, .dies_with_parent = i % 3 == 0},
                &err);
            pids[i] = c ? adt_child_pid(c) : -1;
        }
        ssize_t n = write(report[1], pids, sizeof pids);
        (void)n;
        for (;;)
            pause();
    }
    ok(read(report[0], pids, sizeof pids) == sizeof pids && pids[HELD - 1] > 0, "(%d children wait at their gates)",
       HELD);
    kill(middle, SIGKILL);
    waitpid(middle, NULL, 0);
    int over = 0;
    for (int i = 0; i < HELD; i++)
        over += pids[i] > 0 && gone(pids[i]);
    ok(over == HELD && access(ran, F_OK) < 0, "when their parent is killed, all end and none has run its program");
    close(report[0]);
    close(report[1]);
}

#if (defined(__x86_64__) || defined(__aarch64__)) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* As in a sandbox that allows fork and threads but nothing between them. */
static bool forbid_sharing(void)
{
    enum { FLAGS = CLONE_VM | CLONE_THREAD };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FLAGS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLONE_VM, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

static int in_sandbox(void)
{
    struct adt_error err;
    const char *argv[] = {broken, NULL};
    if (!forbid_sharing())
        return 100;
    loop = adt_loop_new(&err);
    struct adt_child *c = start("exit 7", (struct adt_child_options){.gated = true}, &err);
    if (!c || shares_memory(adt_child_pid(c)) > 0)
        return 1;
    if (adt_child_go(c, &err) < 0 || end_of(c) != 7)
        return 2;
    adt_child_free(c);
    if (adt_child_spawn(loop, &(struct adt_child_options){.argv = argv}, &err) || strcmp(err.code, "ENOEXEC") != 0)
        return 3;
    c = start("exit 0", (struct adt_child_options){.gated = true}, &err);
    adt_child_free(c);
    return nothing_lives(loop) ? 0 : 4;
}

static void test_fallback(void)
{
    int status = -1;
    pid_t middle = fork();
    if (middle == 0)
        _exit(in_sandbox());
    waitpid(middle, &status, 0);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == 100)
        ok(true, "a sandbox # SKIP no seccomp here");
    else
        ok(code == 0, "where memory cannot be shared a child is forked (%d)", code);
}
#else
static void test_fallback(void)
{
}
#endif

int main(void)
{
    struct adt_error err;
    snprintf(dir, sizeof dir, "/tmp/adt-share-XXXXXX");
    ok(mkdtemp(dir) != NULL, "(a folder)");
    snprintf(ran, sizeof ran, "%s/ran", dir);
    snprintf(broken, sizeof broken, "%s/broken", dir);
    int fd = open(broken, O_WRONLY | O_CREAT, 0700);
    ok(write(fd, "\177ELFgarbage", 11) == 11, "(a broken program)");
    close(fd);
    loop = adt_loop_new(&err);
    test_memory();
    test_copies();
    test_heap();
    test_errno();
    test_signals();
    test_phases();
    test_many();
    test_stopped();
    test_killed();
    test_fallback();
    ok(nothing_lives(loop), "nothing lives at the end");
    adt_loop_free(loop);
    ok(adt_mem_live() == 0, "no memory is left (%ld blocks)", adt_mem_live());
    unlink(broken);
    rmdir(dir);
    return tap_done();
}
