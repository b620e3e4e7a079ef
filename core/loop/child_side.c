/* child_side.c - what a child does between its start and exec
 *
 * It runs on our memory while we go on, so there is no page table to copy and no page to copy after that. It has a
 * stack of its own and a table of descriptors, signal handlers, limits and a folder of its own; everything else it
 * shares, errno included. Therefore nothing here calls the C library, and nothing but the stack is written. */
#include "loop/child_plan.h"
#include "loop/child_raw.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define CALL(name, a, b, c, d) adt_raw(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d))

/* The kernel's own set of signals, of which the C library hides two. */
struct mask {
    unsigned long bits[_NSIG / 8 / sizeof(unsigned long)];
};

ADT_CHILD_SIDE static _Noreturn void leave(void)
{
    for (;;)
        CALL(exit_group, 127, 0, 0, 0);
}

ADT_CHILD_SIDE static _Noreturn void die(const struct adt_child_plan *p, enum adt_child_phase phase, long failure)
{
    int32_t report[2] = {phase, (int32_t)-failure};
    CALL(write, p->fds.result[1], report, sizeof report, 0);
    leave();
}

/* Ours must not run in a child; those that are ignored would be so in its program, too. */
ADT_CHILD_SIDE static void default_signals(void)
{
    unsigned long zero[8] = {0}; /* SIG_DFL, whatever the fields' order */
    for (int s = 1; s < _NSIG; s++)
        CALL(rt_sigaction, s, zero, 0, _NSIG / 8);
    CALL(rt_sigprocmask, SIG_SETMASK, zero, 0, _NSIG / 8);
}

ADT_CHILD_SIDE static void wait_at_gate(const struct adt_child_plan *p)
{
    char byte;
    long n;
    CALL(close, p->fds.go[1], 0, 0, 0);
    while ((n = CALL(read, p->fds.go[0], &byte, 1, 0)) == -EINTR)
        ;
    if (n != 1)
        leave();
}

ADT_CHILD_SIDE static void keep_only_stdio(void)
{
#ifdef SYS_close_range
    if (CALL(close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */, 0) == 0)
        return;
#endif
    uint64_t limit[2] = {0, 0};
    CALL(prlimit64, 0, RLIMIT_NOFILE, 0, limit);
    long top = limit[0] > 65536 ? 65536 : (long)limit[0];
    for (long fd = 3; fd < top; fd++)
        CALL(fcntl, fd, F_SETFD, FD_CLOEXEC, 0);
}

ADT_CHILD_SIDE static void set_limits(const struct adt_child_plan *p)
{
    for (size_t i = 0; i < p->opt.limit_count; i++) {
        const struct adt_rlimit *l = &p->opt.limits[i];
        uint64_t value = l->value == RLIM_INFINITY ? UINT64_MAX : l->value;
        uint64_t limit[2] = {value, value};
        long rc = CALL(prlimit64, 0, l->resource, limit, 0);
        if (rc < 0)
            die(p, ADT_AT_LIMIT, rc);
    }
}

ADT_CHILD_SIDE static void arrange_stdio(const struct adt_child_plan *p)
{
    for (int i = 0; i < 3; i++) {
        enum adt_stdio kind = p->opt.stdio[i];
        int from = kind == ADT_STDIO_STDOUT ? 1 : p->fds.theirs[i];
        /* dup2() onto itself would keep the close-on-exec flag that we may have been given. */
        long rc = from == i ? CALL(fcntl, i, F_SETFD, 0, 0) : CALL(dup3, from, i, 0, 0);
        if (rc < 0 && !(from == i && kind == ADT_STDIO_INHERIT))
            die(p, ADT_AT_STDIO, rc);
    }
}

ADT_CHILD_SIDE static int child_side(void *arg)
{
    const struct adt_child_plan *p = arg;
    default_signals();
    if (p->opt.detached)
        CALL(setsid, 0, 0, 0, 0);
    else
        CALL(setpgid, 0, 0, 0, 0);
    if (p->opt.dies_with_parent) {
        CALL(prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
        if (CALL(getppid, 0, 0, 0, 0) != p->parent)
            leave();
    }
    wait_at_gate(p);
    keep_only_stdio(); /* before a limit hides the highest of them */
    long rc = p->opt.cwd ? CALL(chdir, p->opt.cwd, 0, 0, 0) : 0;
    if (rc < 0)
        die(p, ADT_AT_CWD, rc);
    set_limits(p);
    arrange_stdio(p);
    die(p, ADT_AT_EXEC, CALL(execve, p->program, p->opt.argv, p->opt.env, 0));
}

/* Valgrind knows threads and processes, and ends a program that asks for something between them. */
static bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "/vgpreload_");
}

/* No CLONE_VFORK: it would have us stand still until exec, and so never open the gate. */
static pid_t clone_sharing(struct adt_child_plan *p)
{
    if (!ADT_RAW_SHARES || under_valgrind()) {
        errno = ENOSYS;
        return -1;
    }
    return clone(child_side, p->stack + sizeof p->stack, CLONE_VM | SIGCHLD, p);
}

pid_t adt_child_clone(struct adt_child_plan *p)
{
    struct mask all, before;
    memset(&all, 0xff, sizeof all);
    /* A handler of ours that ran in the child would run on our data. */
    CALL(rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    pid_t pid = clone_sharing(p);
    /* Sandboxes and emulators may know the plain form only. */
    if (pid < 0 && (errno == ENOSYS || errno == EPERM || errno == EINVAL)) {
        pid = fork();
        if (pid == 0)
            child_side(p);
    }
    int saved = errno;
    CALL(rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof before);
    errno = saved;
    return pid;
}
