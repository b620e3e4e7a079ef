/* child_start.c - what happens between fork and exec, and how its failure is told */
#include "loop/child_start.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* Everything the child needs, gathered before fork: afterwards only system calls are safe. */
struct plan {
    const struct adt_child_options *opt;
    char program[4096];
    int go[2], result[2]; /* pipes of the gate */
    int theirs[3];        /* what becomes 0, 1, 2 */
    bool close_theirs[3];
    pid_t parent;
};

static void plan_close(struct plan *p)
{
    for (int i = 0; i < 2; i++) {
        if (p->go[i] >= 0)
            close(p->go[i]);
        if (p->result[i] >= 0)
            close(p->result[i]);
    }
    for (int i = 0; i < 3; i++)
        if (p->close_theirs[i])
            close(p->theirs[i]);
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

static int plan_stdio(struct plan *p, int i, int ours[3])
{
    int fds[2];
    switch (p->opt->stdio[i]) {
    case ADT_STDIO_INHERIT:
        p->theirs[i] = i;
        return 0;
    case ADT_STDIO_FD:
        p->theirs[i] = fcntl(p->opt->fd[i], F_DUPFD_CLOEXEC, 3);
        break;
    case ADT_STDIO_STDOUT:
        p->theirs[i] = -1;
        return 0;
    case ADT_STDIO_PIPE:
        if (pipe_above_stdio(fds) < 0)
            return -1;
        p->theirs[i] = i == 0 ? fds[0] : fds[1];
        ours[i] = i == 0 ? fds[1] : fds[0];
        break;
    case ADT_STDIO_NULL:
        p->theirs[i] = above_stdio(open("/dev/null", O_RDWR | O_CLOEXEC));
        break;
    }
    p->close_theirs[i] = p->theirs[i] >= 0;
    return p->theirs[i] < 0 ? -1 : 0;
}

static void die(int result_fd, int what)
{
    int32_t report[2] = {what, errno};
    ssize_t n = write(result_fd, report, sizeof report);
    (void)n;
    _exit(127);
}

static void keep_only_stdio(void)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0)
        return;
#endif
    long top = sysconf(_SC_OPEN_MAX);
    if (top < 0 || top > 65536)
        top = 65536;
    for (int fd = 3; fd < top; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

enum { AT_CWD = 1, AT_LIMIT, AT_STDIO, AT_EXEC };

static void child_side(struct plan *p)
{
    const struct adt_child_options *opt = p->opt;
    int result = p->result[1];
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++)
        sigaction(s, &dfl, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (opt->detached)
        setsid();
    else
        setpgid(0, 0);
    if (opt->dies_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != p->parent)
            _exit(127);
    }
    close(p->go[1]);
    char byte;
    ssize_t n;
    while ((n = read(p->go[0], &byte, 1)) < 0 && errno == EINTR)
        ;
    if (n != 1)
        _exit(127);
    if (opt->cwd && chdir(opt->cwd) < 0)
        die(result, AT_CWD);
    for (size_t i = 0; i < opt->limit_count; i++) {
        struct rlimit lim = {opt->limits[i].value, opt->limits[i].value};
        if (setrlimit((unsigned)opt->limits[i].resource, &lim) < 0)
            die(result, AT_LIMIT);
    }
    for (int i = 0; i < 3; i++) {
        int from = opt->stdio[i] == ADT_STDIO_STDOUT ? 1 : p->theirs[i];
        /* dup2() onto itself would keep the close-on-exec flag that we may have been given. */
        if (from == i ? fcntl(i, F_SETFD, 0) < 0 && opt->stdio[i] != ADT_STDIO_INHERIT : dup2(from, i) < 0)
            die(result, AT_STDIO);
    }
    keep_only_stdio();
    execve(p->program, (char *const *)opt->argv, opt->env ? (char *const *)opt->env : environ);
    die(result, AT_EXEC);
}

static int plan_make(struct plan *p, int ours[3], struct adt_error *err)
{
    const char *name = p->opt->argv[0];
    if (adt_path_find(name, search_path(p->opt), p->program, sizeof p->program) < 0) {
        int rc = adt_error_errno(err, ADT_USAGE, errno, "program '%s'", name);
        adt_error_hint(err, strchr(name, '/') ? "check the path and that it is executable"
                                              : "install it, or put its folder on PATH");
        return rc;
    }
    if (pipe_above_stdio(p->go) < 0 || pipe_above_stdio(p->result) < 0)
        return adt_error_errno(err, ADT_INTERNAL, errno, "starting '%s'", name);
    for (int i = 0; i < 3; i++)
        if (plan_stdio(p, i, ours) < 0)
            return adt_error_errno(err, ADT_INTERNAL, errno, "starting '%s'", name);
    return 0;
}

pid_t adt_child_start(const struct adt_child_options *opt, int ours[3], struct adt_child_gate *gate,
                      struct adt_error *err)
{
    struct plan p = {.opt = opt, .go = {-1, -1}, .result = {-1, -1}, .theirs = {-1, -1, -1}, .parent = getpid()};
    pid_t pid = -1;
    if (plan_make(&p, ours, err) == 0) {
        pid = fork();
        if (pid == 0)
            child_side(&p);
        if (pid < 0)
            adt_error_errno(err, ADT_INTERNAL, errno, "starting '%s'", opt->argv[0]);
    }
    if (pid > 0) {
        /* Both sides set the group, so that it exists whichever runs first. */
        if (!opt->detached)
            setpgid(pid, pid);
        gate->go = p.go[1];
        gate->result = p.result[0];
        p.go[1] = p.result[0] = -1;
        snprintf(gate->program, sizeof gate->program, "%s", opt->argv[0]);
    } else {
        for (int i = 0; i < 3; i++)
            if (ours[i] >= 0)
                close(ours[i]);
    }
    plan_close(&p);
    return pid;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int adt_child_open_gate(struct adt_child_gate *gate, struct adt_error *err)
{
    if (gate->go < 0)
        return 0;
    /* Should the child be gone already, this is EPIPE (the engine ignores SIGPIPE) and the other pipe reads as ended.
     */
    ssize_t n = write(gate->go, "g", 1);
    close_fd(&gate->go);
    int32_t report[2];
    while ((n = read(gate->result, report, sizeof report)) < 0 && errno == EINTR)
        ;
    close_fd(&gate->result);
    if (n != (ssize_t)sizeof report || report[0] < AT_CWD || report[0] > AT_EXEC)
        return 0;
    static const char *const doing[] = {"", "entering the working folder for", "setting a resource limit for",
                                        "arranging the standard streams of", "executing"};
    return adt_error_errno(err, ADT_USAGE, report[1], "%s '%s'", doing[report[0]], gate->program);
}

void adt_child_close_gate(struct adt_child_gate *gate)
{
    close_fd(&gate->go);
    close_fd(&gate->result);
}
