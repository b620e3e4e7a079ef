/* child_start.h - fork, the gate before exec, exec */
#ifndef ADT_LOOP_CHILD_START_H
#define ADT_LOOP_CHILD_START_H

#include "loop/child.h"

/* Between fork and exec the child waits for a byte on [go]; [result] tells the parent how exec went. Should the parent
 * die first, the byte never comes and the child ends without having done anything. */
struct adt_child_gate {
    int go, result;
    char program[256];
};

pid_t adt_child_start(const struct adt_child_options *opt, int ours[3], struct adt_child_gate *gate,
                      struct adt_error *err);
/* The pid, with our pipe ends in [ours] (-1 where there is none) and the gate shut; -1 with nothing left behind. */

int adt_child_open_gate(struct adt_child_gate *gate, struct adt_error *err);
/* Lets the child go on and waits for its exec. -1: exec failed and the child is about to end. Harmless when open. */

void adt_child_close_gate(struct adt_child_gate *gate);
/* Ends a child that still waits. */

#endif
