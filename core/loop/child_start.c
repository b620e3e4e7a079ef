/* child_start.c - our side of a start: the plan for the child, its gate, and how a failed exec is told */
#include "loop/child_start.h"

#include "base/mem.h"
#include "loop/child_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

int adt_path_find(const char *program, const char *path, char *out, size_t size)
{
    if (strchr(program, '/')) {
        if ((size_t)snprintf(out, size, "%s", program) >= size) {
            errno = ENAMETOOLONG;
            return -1;
        }
        return access(out, X_OK);
    }
    if (!*program) {
        errno = ENOENT;
        return -1;
    }
    if (!path)
        path = "/usr/local/bin:/usr/bin:/bin";
    int why = ENOENT;
    for (;;) {
        size_t n = strcspn(path, ":");
        int len = n ? snprintf(out, size, "%.*s/%s", (int)n, path, program) : snprintf(out, size, "./%s", program);
        struct stat st;
        if (len > 0 && (size_t)len < size && stat(out, &st) == 0 && S_ISREG(st.st_mode)) {
            if (access(out, X_OK) == 0)
                return 0;
            why = EACCES;
        }
        if (!path[n])
            break;
        path += n + 1;
    }
    errno = why;
    return -1;
}

static const char *search_path(const struct adt_child_options *opt)
{
    if (!opt->env)
        return getenv("PATH");
    for (const char *const *e = opt->env; *e; e++)
        if (!strncmp(*e, "PATH=", 5))
            return *e + 5;
    return NULL;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_fds(struct adt_child_fds *fds)
{
    for (int i = 0; i < 2; i++) {
        close_fd(&fds->go[i]);
        close_fd(&fds->result[i]);
    }
    for (int i = 0; i < 3; i++)
        if (fds->close_theirs[i])
            close_fd(&fds->theirs[i]);
}

/* A descriptor of 0-2 would be overwritten while the child arranges its own. */
static int above_stdio(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int saved = errno;
    close(fd);
    errno = saved;
    return moved;
}

static int pipe_above_stdio(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) < 0) {
        fds[0] = fds[1] = -1;
        return -1;
    }
    fds[0] = above_stdio(fds[0]);
    fds[1] = above_stdio(fds[1]);
    return fds[0] < 0 || fds[1] < 0 ? -1 : 0;
}

static int plan_stdio(struct adt_child_plan *p, int i, int ours[3])
{
    int fds[2];
    switch (p->opt.stdio[i]) {
    case ADT_STDIO_INHERIT:
        p->fds.theirs[i] = i;
        return 0;
    case ADT_STDIO_FD:
        p->fds.theirs[i] = fcntl(p->opt.fd[i], F_DUPFD_CLOEXEC, 3);
        break;
    case ADT_STDIO_STDOUT:
        p->fds.theirs[i] = -1;
        return 0;
    case ADT_STDIO_PIPE:
        if (pipe_above_stdio(fds) < 0)
            return -1;
        p->fds.theirs[i] = i == 0 ? fds[0] : fds[1];
        ours[i] = i == 0 ? fds[1] : fds[0];
        break;
    case ADT_STDIO_NULL:
        p->fds.theirs[i] = above_stdio(open("/dev/null", O_RDWR | O_CLOEXEC));
        break;
    }
    p->fds.close_theirs[i] = p->fds.theirs[i] >= 0;
    return p->fds.theirs[i] < 0 ? -1 : 0;
}

static size_t list_size(const char *const *list)
{
    size_t n = sizeof *list;
    for (; *list; list++)
        n += sizeof *list + strlen(*list) + 1;
    return n;
}

/* Copies [list] to [*at], which is aligned for it, and moves that on. */
static const char *const *list_copy(const char *const *list, char **at)
{
    size_t count = 0;
    while (list[count])
        count++;
    const char **copy = (const char **)*at;
    char *text = *at + (count + 1) * sizeof *copy;
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(list[i]) + 1;
        copy[i] = memcpy(text, list[i], n);
        text += n;
    }
    copy[count] = NULL;
    *at = text + -(uintptr_t)text % sizeof *copy;
    return copy;
}

/* A gated child reads its plan long after the start's caller has gone on, so all of [opt] is copied. */
static struct adt_child_plan *plan_new(const struct adt_child_options *opt)
{
    static const char *const nothing[] = {NULL};
    const char *const *env = opt->env ? opt->env : environ ? (const char *const *)environ : nothing;
    size_t limits = opt->limit_count * sizeof *opt->limits, cwd = opt->cwd ? strlen(opt->cwd) + 1 : 0;
    size_t pad = 2 * sizeof(char *);
    struct adt_child_plan *p = adt_alloc(sizeof *p + list_size(opt->argv) + list_size(env) + limits + cwd + pad);
    if (!p)
        return NULL;
    p->opt = *opt;
    p->parent = getpid();
    p->fds = (struct adt_child_fds){.go = {-1, -1}, .result = {-1, -1}, .theirs = {-1, -1, -1}};
    char *at = p->copies;
    p->opt.limits = limits ? memcpy(at, opt->limits, limits) : NULL;
    at += limits;
    p->opt.argv = list_copy(opt->argv, &at);
    p->opt.env = list_copy(env, &at);
    p->opt.cwd = cwd ? memcpy(at, opt->cwd, cwd) : NULL;
    return p;
}

static int plan_make(struct adt_child_plan *p, const char *name, int ours[3], struct adt_error *err)
{
    if (adt_path_find(name, search_path(&p->opt), p->program, sizeof p->program) < 0) {
        int rc = adt_error_errno(err, ADT_USAGE, errno, "program '%s'", name);
        adt_error_hint(err, strchr(name, '/') ? "check the path and that it is executable"
                                              : "install it, or put its folder on PATH");
        return rc;
    }
    if (pipe_above_stdio(p->fds.go) < 0 || pipe_above_stdio(p->fds.result) < 0)
        return adt_error_errno(err, ADT_INTERNAL, errno, "starting '%s'", name);
    for (int i = 0; i < 3; i++)
        if (plan_stdio(p, i, ours) < 0)
            return adt_error_errno(err, ADT_INTERNAL, errno, "starting '%s'", name);
    return 0;
}

pid_t adt_child_start(const struct adt_child_options *opt, int ours[3], struct adt_child_gate *gate,
                      struct adt_error *err)
{
    struct adt_child_plan *p = plan_new(opt);
    if (!p) {
        adt_error_nomem(err);
        return -1;
    }
    pid_t pid = -1;
    if (plan_make(p, opt->argv[0], ours, err) == 0) {
        pid = adt_child_clone(p);
        if (pid < 0)
            adt_error_errno(err, ADT_INTERNAL, errno, "starting '%s'", opt->argv[0]);
    }
    struct adt_child_fds fds = p->fds; /* the child reads those of the plan */
    if (pid > 0) {
        /* Both sides set the group, so that it exists whichever runs first. */
        if (!opt->detached)
            setpgid(pid, pid);
        *gate = (struct adt_child_gate){.go = fds.go[1], .result = fds.result[0], .plan = p};
        fds.go[1] = fds.result[0] = -1;
    } else {
        for (int i = 0; i < 3; i++)
            close_fd(&ours[i]);
        adt_free(p);
    }
    close_fds(&fds);
    return pid;
}

/* What the child reported, if anything; returns once it has left the plan. */
static bool read_result(struct adt_child_gate *gate, int32_t report[2])
{
    int32_t more[2];
    ssize_t n;
    bool told = false;
    while ((n = read(gate->result, told ? more : report, sizeof more)) > 0 || (n < 0 && errno == EINTR))
        told |= n == (ssize_t)sizeof more;
    return told;
}

static void gate_gone(struct adt_child_gate *gate)
{
    close_fd(&gate->go);
    close_fd(&gate->result);
    adt_free(gate->plan);
    gate->plan = NULL;
}

int adt_child_open_gate(struct adt_child_gate *gate, struct adt_error *err)
{
    if (!gate->plan)
        return 0;
    /* Should the child be gone already, this is EPIPE (the engine ignores SIGPIPE) and the other pipe reads as ended.
     */
    ssize_t n = write(gate->go, "g", 1);
    (void)n;
    static const char *const doing[] = {"", "entering the working folder for", "setting a resource limit for",
                                        "arranging the standard streams of", "executing"};
    int32_t report[2];
    int rc = 0;
    if (read_result(gate, report))
        rc = adt_error_errno(err, ADT_USAGE, report[1], "%s '%s'", doing[report[0]], gate->plan->opt.argv[0]);
    gate_gone(gate);
    return rc;
}

bool adt_child_shut_gate(struct adt_child_gate *gate, pid_t pid)
{
    int32_t report[2];
    if (!gate->plan)
        return false;
    /* A stopped one would not see the end of its pipe. */
    if (pid)
        kill(pid, SIGKILL);
    close_fd(&gate->go);
    read_result(gate, report);
    gate_gone(gate);
    return true;
}
