/* child.h - child processes: no shell, no leaked descriptors, nobody left behind */
#ifndef ADT_LOOP_CHILD_H
#define ADT_LOOP_CHILD_H

#include "loop/loop.h"
#include "loop/stream.h"

#include <sys/resource.h>
#include <sys/types.h>

struct adt_child;

enum adt_stdio {
    ADT_STDIO_NULL,    /* /dev/null */
    ADT_STDIO_INHERIT, /* ours */
    ADT_STDIO_PIPE,    /* a stream: adt_child_stream() */
    ADT_STDIO_FD,      /* a descriptor of the caller's, duplicated */
    ADT_STDIO_STDOUT   /* for stderr: wherever stdout goes */
};

struct adt_rlimit {
    int resource; /* RLIMIT_... */
    rlim_t value; /* soft and hard */
};

struct adt_child_options {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up on PATH unless it holds a '/' */
    const char *const *env;  /* NULL-terminated "NAME=value"; NULL: ours */
    const char *cwd;         /* NULL: ours */
    enum adt_stdio stdio[3];
    int fd[3];                       /* for ADT_STDIO_FD */
    const struct adt_rlimit *limits; /* [limit_count] */
    size_t limit_count;
    bool detached;         /* its own session; outlives us and adt_child_free() */
    bool gated;            /* stays before exec until adt_child_go(); ends by itself if we die before */
    bool dies_with_parent; /* SIGKILL when this process ends (Linux) */
};

struct adt_child *adt_child_spawn(struct adt_loop *loop, const struct adt_child_options *opt, struct adt_error *err);
/* Starts a child in a process group of its own, with default signal handling and no descriptor beyond 0-2. Everything
 * in [opt] is copied. NULL with [err] filled: not found (ADT_USAGE, ENOENT), not executable, out of processes. */

int adt_child_go(struct adt_child *c, struct adt_error *err);
/* Opens the gate of a gated child. -1 if its exec failed; it has been reaped then. */

pid_t adt_child_pid(const struct adt_child *c);

unsigned long long adt_child_start_time(const struct adt_child *c);
/* As adt_process_start_time() told before the gate was opened; 0 if it could not. */

struct adt_stream *adt_child_stream(struct adt_child *c, int fd);
/* Our end of stdin (0), stdout (1) or stderr (2); NULL if that is no pipe or was taken. The caller then owns it. */

struct adt_op *adt_child_wait(struct adt_child *c, struct adt_error *err);
/* Finishes when the child has ended; any number may wait. adt_child_ended() then holds. */

bool adt_child_ended(const struct adt_child *c, int *exit_code, int *term_signal);
/* True once reaped: [exit_code] 0-255 and [term_signal] 0, or the signal that ended it. */

int adt_child_kill(struct adt_child *c, int signum, struct adt_error *err);
/* Signals the child's whole process group. 0 also when it has ended already. */

void adt_child_free(struct adt_child *c);
/* Ends an attached child that still runs (SIGKILL to its group; reaped in the background); lets a detached one be.
 * Ops that wait for it finish with ADT_CANCELLED. Takes NULL. */

int adt_child_adopt(struct adt_loop *loop, struct adt_error *err);
/* Makes this process the parent of its descendants' orphans (for a supervisor), and reaps every child that ends from
 * now on, those that other code of the process has started included. */

int adt_path_find(const char *program, const char *path, char *out, size_t size);
/* The file that exec would run for [program] with the search path [path] (NULL: the default one). 0, or -1 with errno
 * ENOENT, EACCES or ENAMETOOLONG. */

int adt_process_start_time(pid_t pid, unsigned long long *ticks);
/* When [pid] started, in clock ticks since boot; with the pid it names a process for good. -1: no such process, or it
 * is a zombie. */

#endif
