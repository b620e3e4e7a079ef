/* looped.h - what the tests of the loop share: waiting for an op, and counting what is left */
#ifndef ADT_LOOPED_H
#define ADT_LOOPED_H

#include "base/clock.h"
#include "loop/loop.h"

/* Turns the loop until [op] is done, for at most ten seconds. */
static inline bool finished(struct adt_loop *loop, const struct adt_op *op)
{
    struct adt_error err;
    double until = adt_now() + 10;
    while (op->state != ADT_OP_DONE && adt_now() < until)
        if (adt_loop_step(loop, 0.1, &err) < 0)
            return false;
    return op->state == ADT_OP_DONE;
}

/* Turns the loop until nothing is counted any more, for at most ten seconds: children are reaped in the background. */
static inline bool nothing_lives(struct adt_loop *loop)
{
    struct adt_error err;
    double until = adt_now() + 10;
    for (;;) {
        long n = 0;
        for (int i = 0; i < ADT_LIVE_KINDS; i++)
            n += adt_loop_live(loop, (enum adt_live)i);
        if (n == 0 || adt_now() > until)
            return n == 0;
        adt_loop_step(loop, 0.05, &err);
    }
}

#endif
