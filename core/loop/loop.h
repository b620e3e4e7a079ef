/* loop.h - the one place that sleeps: a loop, and the one shape of whatever waits on it
 *
 * An op is something under way: a timer, work on a thread, a child's end, bytes from a pipe. It is started by its own
 * function, belongs to the caller, and completes at most once: on a later turn of the loop, never inside the call that
 * started it, [done] is called from adt_loop_step(). adt_op_free() may be called at any time, also before completion;
 * it cancels what is under way and [done] is not called any more. Everything here is for the loop's own thread, but for
 * adt_loop_wake(). The page is docs/internals/loop.md. */
#ifndef ADT_LOOP_LOOP_H
#define ADT_LOOP_LOOP_H

#include "base/error.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>

struct adt_loop;
struct adt_op;

enum adt_op_state { ADT_OP_PENDING, ADT_OP_FINISHED, ADT_OP_DONE };

/* What the library keeps count of, so that a test can see what outlived it. */
enum adt_live { ADT_LIVE_OP, ADT_LIVE_CHILD, ADT_LIVE_STREAM, ADT_LIVE_KINDS };

struct adt_op_class {
    const char *name;
    void (*cancel)(struct adt_op *op);  /* stops what is under way; called once, only while pending */
    void (*destroy)(struct adt_op *op); /* gives the memory back, perhaps later, when a handle has closed */
};

struct adt_op {
    const struct adt_op_class *cls;
    struct adt_loop *loop;
    enum adt_op_state state;
    struct adt_error err; /* cause ADT_NONE: succeeded */
    void (*done)(struct adt_op *op);
    void *user; /* the caller's */
    struct adt_list link;
};

struct adt_loop *adt_loop_new(struct adt_error *err);
/* NULL with [err] filled. */

void adt_loop_free(struct adt_loop *loop);
/* Kills and reaps attached children, waits for work that is running on threads, closes every handle. Ops and streams of
 * the caller must be freed before. Takes NULL. */

int adt_loop_step(struct adt_loop *loop, double wait, struct adt_error *err);
/* One turn: sleeps at most [wait] seconds (negative: until something happens), then calls [done] of the ops that have
 * finished. Returns how many did, or -1. */

void adt_loop_wake(struct adt_loop *loop);
/* Ends the sleep of adt_loop_step(). From any thread and from a signal handler. */

int adt_loop_fd(const struct adt_loop *loop);
/* A descriptor that is readable when adt_loop_step(loop, 0) has something to do. */

double adt_loop_next(const struct adt_loop *loop);
/* Seconds until the next timer; 0: at once; negative: none. */

long adt_loop_live(const struct adt_loop *loop, enum adt_live kind);

void adt_op_free(struct adt_op *op);
/* See above. Takes NULL. */

/* For the files that make ops. */
void adt_op_init(struct adt_op *op, struct adt_loop *loop, const struct adt_op_class *cls);
void adt_op_finish(struct adt_op *op);
/* Marks a pending op as finished; [done] follows on the loop's next turn. Set op->err before. */
struct uv_loop_s *adt_loop_uv(struct adt_loop *loop);
void adt_loop_count(struct adt_loop *loop, enum adt_live kind, int by);

struct adt_op *adt_timer_start(struct adt_loop *loop, double seconds, struct adt_error *err);
/* Finishes after [seconds] (negative counts as 0). */

struct adt_op *adt_work_start(struct adt_loop *loop, void (*run)(void *arg), void (*drop)(void *arg), void *arg,
                              struct adt_error *err);
/* Runs run(arg) on a worker thread. drop(arg) is called on the loop's thread when neither the thread nor the op needs
 * [arg] any more: after adt_op_free(), and not before [run] has returned. On failure to start, too. */

struct adt_op *adt_signal_start(struct adt_loop *loop, int signum, struct adt_error *err);
/* Finishes when the process next receives [signum]. */

#endif
