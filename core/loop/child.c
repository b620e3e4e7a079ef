/* child.c - the parent's side of a child process: registration, the gate, reaping, ending */
#include "loop/child.h"

#include "base/clock.h"
#include "base/mem.h"
#include "loop/child_private.h"
#include "loop/child_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

struct adt_children {
    struct adt_loop *loop;
    uv_signal_t sigchld;
    struct adt_list all; /* every child not yet reaped, freed ones included */
    bool adopts;         /* orphans of our descendants come to us */
};

struct adt_child {
    struct adt_children *set;
    struct adt_list link;    /* in set->all */
    struct adt_list waiters; /* struct wait_op */
    pid_t pid;
    bool detached, ended, freed, counted;
    int status;
    unsigned long long start_time;
    struct adt_child_gate gate;
    struct adt_stream *stream[3];
};

struct wait_op {
    struct adt_op op;
    struct adt_list link;
};

static void wait_unlink(struct adt_op *op)
{
    adt_list_remove(&adt_container(op, struct wait_op, op)->link);
}

static void wait_destroy(struct adt_op *op)
{
    adt_free(adt_container(op, struct wait_op, op));
}

static const struct adt_op_class wait_class = {"child", wait_unlink, wait_destroy};

static void finish_waiters(struct adt_child *c, bool cancelled)
{
    struct adt_list *l;
    while ((l = adt_list_pop(&c->waiters))) {
        struct wait_op *w = adt_container(l, struct wait_op, link);
        if (cancelled)
            adt_error_set(&w->op.err, ADT_CANCELLED, "Closed", "the process handle was closed while it was waited for");
        adt_op_finish(&w->op);
    }
}

static void child_ended(struct adt_child *c, int status)
{
    c->ended = true;
    c->status = status;
    adt_list_remove(&c->link);
    adt_loop_count(c->set->loop, ADT_LIVE_CHILD, -1);
    c->counted = false;
    if (adt_list_empty(&c->set->all) && !c->set->adopts)
        uv_signal_stop(&c->set->sigchld);
    if (c->freed)
        adt_free(c);
    else
        finish_waiters(c, false);
}

static void reap(struct adt_children *set)
{
    struct adt_list *l = set->all.next;
    while (l != &set->all) {
        struct adt_child *c = adt_container(l, struct adt_child, link);
        l = l->next;
        int status;
        pid_t got = waitpid(c->pid, &status, WNOHANG);
        /* A host that reaps everything takes the status from us: say "ended" rather than wait for ever. */
        if (got == c->pid || (got < 0 && errno == ECHILD))
            child_ended(c, got == c->pid ? status : 0);
    }
}

/* Looks before it reaps, so that the status of one of ours is never thrown away. */
static void reap_adopted(struct adt_children *set)
{
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        bool ours = false;
        for (struct adt_list *l = set->all.next; l != &set->all && !ours; l = l->next)
            ours = adt_container(l, struct adt_child, link)->pid == info.si_pid;
        if (ours)
            reap(set);
        else
            waitpid(info.si_pid, NULL, WNOHANG);
    }
}

static void on_sigchld(uv_signal_t *h, int signum)
{
    struct adt_children *set = adt_container(h, struct adt_children, sigchld);
    (void)signum;
    reap(set);
    if (set->adopts)
        reap_adopted(set);
}

struct adt_children *adt_children_new(struct adt_loop *loop, struct adt_error *err)
{
    struct adt_children *set = adt_zalloc(sizeof *set);
    if (!set) {
        adt_error_nomem(err);
        return NULL;
    }
    set->loop = loop;
    adt_list_init(&set->all);
    uv_signal_init(adt_loop_uv(loop), &set->sigchld);
    uv_unref((uv_handle_t *)&set->sigchld);
    return set;
}

int adt_child_adopt(struct adt_loop *loop, struct adt_error *err)
{
    struct adt_children *set = adt_loop_children(loop);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return adt_error_errno(err, ADT_INTERNAL, errno, "becoming the parent of orphaned processes");
    set->adopts = true;
    uv_signal_start(&set->sigchld, on_sigchld, SIGCHLD);
    reap_adopted(set);
    return 0;
}

static void children_closed(uv_handle_t *h)
{
    adt_free(adt_container(h, struct adt_children, sigchld));
}

/* SIGKILL is quick except for a process stuck in the kernel; that one is left to whoever inherits it. */
static void reap_killed(struct adt_child *c)
{
    double until = adt_now() + 2;
    while (waitpid(c->pid, &c->status, WNOHANG) == 0 && adt_now() < until)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

void adt_children_free(struct adt_children *set)
{
    if (!set)
        return;
    struct adt_list *l;
    while ((l = adt_list_pop(&set->all))) {
        struct adt_child *c = adt_container(l, struct adt_child, link);
        if (adt_child_shut_gate(&c->gate, c->pid) || !c->detached) {
            kill(-c->pid, SIGKILL);
            reap_killed(c);
        }
        c->ended = true;
        if (c->freed)
            adt_free(c);
    }
    uv_close((uv_handle_t *)&set->sigchld, children_closed);
}

static struct adt_child *child_new(struct adt_loop *loop, const struct adt_child_options *opt)
{
    struct adt_child *c = adt_zalloc(sizeof *c);
    if (!c)
        return NULL;
    c->set = adt_loop_children(loop);
    c->detached = opt->detached;
    c->gate.go = c->gate.result = -1;
    adt_list_init(&c->link);
    adt_list_init(&c->waiters);
    return c;
}

static int adopt_pipes(struct adt_child *c, int ours[3], struct adt_error *err)
{
    int rc = 0;
    for (int i = 0; i < 3; i++) {
        if (ours[i] < 0)
            continue;
        int fd = ours[i];
        ours[i] = -1;
        if (!(c->stream[i] = adt_stream_open(c->set->loop, fd, err)))
            rc = -1;
    }
    return rc;
}

struct adt_child *adt_child_spawn(struct adt_loop *loop, const struct adt_child_options *opt, struct adt_error *err)
{
    struct adt_child *c = child_new(loop, opt);
    if (!c) {
        adt_error_nomem(err);
        return NULL;
    }
    int ours[3] = {-1, -1, -1};
    c->pid = adt_child_start(opt, ours, &c->gate, err);
    if (c->pid < 0) {
        c->ended = c->freed = true;
        adt_free(c);
        return NULL;
    }
    adt_list_push(&c->set->all, &c->link);
    adt_loop_count(loop, ADT_LIVE_CHILD, 1);
    c->counted = true;
    uv_signal_start(&c->set->sigchld, on_sigchld, SIGCHLD);
    /* Behind the gate it cannot have ended yet, so there is something to ask. */
    if (adt_process_start_time(c->pid, &c->start_time) < 0)
        c->start_time = 0;
    if (adopt_pipes(c, ours, err) < 0 || (!opt->gated && adt_child_go(c, err) < 0)) {
        adt_child_free(c);
        return NULL;
    }
    return c;
}

int adt_child_go(struct adt_child *c, struct adt_error *err)
{
    if (adt_child_open_gate(&c->gate, err) == 0)
        return 0;
    int status = 0;
    if (!c->ended && waitpid(c->pid, &status, 0) == c->pid)
        child_ended(c, status);
    return -1;
}

pid_t adt_child_pid(const struct adt_child *c)
{
    return c->pid;
}

unsigned long long adt_child_start_time(const struct adt_child *c)
{
    return c->start_time;
}

struct adt_stream *adt_child_stream(struct adt_child *c, int fd)
{
    struct adt_stream *s = c->stream[fd];
    c->stream[fd] = NULL;
    return s;
}

struct adt_op *adt_child_wait(struct adt_child *c, struct adt_error *err)
{
    struct wait_op *w = adt_zalloc(sizeof *w);
    if (!w) {
        adt_error_nomem(err);
        return NULL;
    }
    adt_list_init(&w->link);
    adt_op_init(&w->op, c->set->loop, &wait_class);
    if (c->ended)
        adt_op_finish(&w->op);
    else
        adt_list_push(&c->waiters, &w->link);
    return &w->op;
}

bool adt_child_ended(const struct adt_child *c, int *exit_code, int *term_signal)
{
    if (!c->ended)
        return false;
    bool signalled = WIFSIGNALED(c->status);
    if (exit_code)
        *exit_code = signalled ? 0 : WEXITSTATUS(c->status);
    if (term_signal)
        *term_signal = signalled ? WTERMSIG(c->status) : 0;
    return true;
}

int adt_child_kill(struct adt_child *c, int signum, struct adt_error *err)
{
    if (c->ended)
        return 0;
    /* Not yet reaped, so neither the pid nor its group can be somebody else's. */
    if (kill(-c->pid, signum) < 0 && errno != ESRCH)
        return adt_error_errno(err, ADT_PROGRAM, errno, "sending signal %d to process group %d", signum, (int)c->pid);
    return 0;
}

void adt_child_free(struct adt_child *c)
{
    if (!c)
        return;
    finish_waiters(c, true);
    adt_child_shut_gate(&c->gate, c->ended ? 0 : c->pid);
    for (int i = 0; i < 3; i++) {
        adt_stream_close(c->stream[i]);
        c->stream[i] = NULL;
    }
    c->freed = true;
    if (c->ended) {
        adt_free(c);
        return;
    }
    if (!c->detached)
        kill(-c->pid, SIGKILL);
}

int adt_process_start_time(pid_t pid, unsigned long long *ticks)
{
    char path[48], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    adt_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    /* The second field is the command in parentheses and may hold anything; what follows its last one is plain. */
    const char *p = strrchr(text, ')');
    char state;
    if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state,
                     ticks) != 2)
        return -1;
    return state == 'Z' || state == 'X' ? -1 : 0;
}
