/* timer.c - an op that finishes after some seconds, and one that finishes at a signal */
#include "base/mem.h"
#include "loop/loop.h"

#include <math.h>
#include <uv.h>

/* The handle outlives the op until libuv has closed it. */
struct timer_op {
    struct adt_op op;
    uv_timer_t uv;
};

static void timer_closed(uv_handle_t *h)
{
    adt_free(adt_container(h, struct timer_op, uv));
}

static void timer_destroy(struct adt_op *op)
{
    uv_close((uv_handle_t *)&adt_container(op, struct timer_op, op)->uv, timer_closed);
}

static const struct adt_op_class timer_class = {"timer", NULL, timer_destroy};

static void on_timer(uv_timer_t *h)
{
    adt_op_finish(&adt_container(h, struct timer_op, uv)->op);
}

struct adt_op *adt_timer_start(struct adt_loop *loop, double seconds, struct adt_error *err)
{
    struct timer_op *t = adt_zalloc(sizeof *t);
    if (!t) {
        adt_error_nomem(err);
        return NULL;
    }
    uv_timer_init(adt_loop_uv(loop), &t->uv);
    /* The cached loop time is that of the last turn: Lua may have computed for seconds since then. */
    uv_update_time(adt_loop_uv(loop));
    double ms = seconds > 0 ? ceil(seconds * 1000) : 0;
    uv_timer_start(&t->uv, on_timer, ms < 1e15 ? (uint64_t)ms : (uint64_t)1e15, 0);
    adt_op_init(&t->op, loop, &timer_class);
    return &t->op;
}

struct signal_op {
    struct adt_op op;
    uv_signal_t uv;
};

static void signal_closed(uv_handle_t *h)
{
    adt_free(adt_container(h, struct signal_op, uv));
}

static void signal_destroy(struct adt_op *op)
{
    uv_close((uv_handle_t *)&adt_container(op, struct signal_op, op)->uv, signal_closed);
}

static const struct adt_op_class signal_class = {"signal", NULL, signal_destroy};

static void on_signal(uv_signal_t *h, int signum)
{
    (void)signum;
    adt_op_finish(&adt_container(h, struct signal_op, uv)->op);
}

struct adt_op *adt_signal_start(struct adt_loop *loop, int signum, struct adt_error *err)
{
    struct signal_op *s = adt_zalloc(sizeof *s);
    if (!s) {
        adt_error_nomem(err);
        return NULL;
    }
    uv_signal_init(adt_loop_uv(loop), &s->uv);
    adt_op_init(&s->op, loop, &signal_class);
    int rc = uv_signal_start(&s->uv, on_signal, signum);
    if (rc < 0) {
        adt_error_errno(err, ADT_USAGE, -rc, "watching for signal %d", signum);
        adt_op_free(&s->op);
        return NULL;
    }
    return &s->op;
}
