/* child_plan.h - everything a child needs between its start and exec, gathered before */
#ifndef ADT_LOOP_CHILD_PLAN_H
#define ADT_LOOP_CHILD_PLAN_H

#include "loop/child.h"

enum adt_child_phase { ADT_AT_CWD = 1, ADT_AT_LIMIT, ADT_AT_STDIO, ADT_AT_EXEC };

struct adt_child_fds {
    int go[2], result[2]; /* the pipes of the gate */
    int theirs[3];        /* what becomes 0, 1, 2 */
    bool close_theirs[3];
};

/* One block of memory, with all that its pointers name. The child may run on it while we go on, so it changes no more
 * once the child is there, and is freed when the result pipe has ended: by then the child has left it. */
struct adt_child_plan {
    struct adt_child_options opt;
    pid_t parent;
    struct adt_child_fds fds;
    char program[4096];
    _Alignas(16) char stack[16384];
    _Alignas(16) char copies[];
};

pid_t adt_child_clone(struct adt_child_plan *p);
/* A child of this process that carries [p] out. It shares our memory until exec, or has a copy where that cannot be
 * (child_side.c says where). -1 with errno. */

#endif
