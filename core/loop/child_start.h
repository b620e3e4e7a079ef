/* child_start.h - a start in two parts: the child that waits at its gate, and its exec */
#ifndef ADT_LOOP_CHILD_START_H
#define ADT_LOOP_CHILD_START_H

#include "loop/child.h"

struct adt_child_plan;

/* A gated child waits for a byte on [go] before it changes anything; [result] tells the parent how exec went. Should
 * the parent die first, the byte never comes and the child ends without having done anything. */
struct adt_child_gate {
    int go, result;
    struct adt_child_plan *plan; /* the child's until [result] ends; NULL: the gate is gone */
};

pid_t adt_child_start(const struct adt_child_options *opt, int ours[3], struct adt_child_gate *gate,
                      struct adt_error *err);
/* The pid, with our pipe ends in [ours] (-1 where there is none); -1 with nothing left behind. The gate is to be
 * opened or shut later. */

int adt_child_open_gate(struct adt_child_gate *gate, struct adt_error *err);
/* Lets the child go on and waits for its exec. -1: exec failed and the child is about to end. Harmless when open. */

bool adt_child_shut_gate(struct adt_child_gate *gate, pid_t pid);
/* Ends the child [pid] (0: it has been reaped) if its gate was never opened: true then. Harmless otherwise. */

#endif
