/* loop.c - the turn of the loop, and the life of an op */
#include "loop/loop.h"

#include "base/mem.h"
#include "loop/child_private.h"

#include <math.h>
#include <signal.h>
#include <uv.h>

struct adt_loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t limit;         /* bounds one sleep */
    struct adt_list finished; /* ops whose done() is due */
    bool turning;             /* inside uv_run() */
    struct adt_children *children;
    long live[ADT_LIVE_KINDS];
};

static void on_nothing_async(uv_async_t *h)
{
    (void)h;
}

/* libuv runs timers that are due before it polls, and then would sleep although something has happened. */
static void on_limit(uv_timer_t *h)
{
    uv_stop(h->loop);
}

struct adt_loop *adt_loop_new(struct adt_error *err)
{
    struct adt_loop *loop = adt_zalloc(sizeof *loop);
    if (!loop) {
        adt_error_nomem(err);
        return NULL;
    }
    adt_list_init(&loop->finished);
    /* A pipe whose reader has gone must be an error of that write, not the end of the process. */
    struct sigaction old;
    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
    int rc = uv_loop_init(&loop->uv);
    if (rc < 0) {
        adt_error_errno(err, ADT_INTERNAL, -rc, "starting the event loop");
        adt_free(loop);
        return NULL;
    }
    loop->uv.data = loop;
    /* Stays referenced: without such a handle uv_run() returns before it polls, and a child's end would go unseen. */
    uv_async_init(&loop->uv, &loop->wake, on_nothing_async);
    uv_timer_init(&loop->uv, &loop->limit);
    uv_unref((uv_handle_t *)&loop->limit);
    if (!(loop->children = adt_children_new(loop, err))) {
        adt_loop_free(loop);
        return NULL;
    }
    return loop;
}

void adt_loop_free(struct adt_loop *loop)
{
    if (!loop)
        return;
    adt_children_free(loop->children);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->limit, NULL);
    while (uv_loop_close(&loop->uv) == UV_EBUSY)
        uv_run(&loop->uv, UV_RUN_ONCE);
    adt_free(loop);
}

/* Ops that finish while this drains belong to the next turn, so that a chain of ops cannot starve the poll. */
static int drain(struct adt_loop *loop)
{
    struct adt_list due;
    adt_list_init(&due);
    struct adt_list *l;
    while ((l = adt_list_pop(&loop->finished)))
        adt_list_push(&due, l);
    int n = 0;
    while ((l = adt_list_pop(&due))) {
        struct adt_op *op = adt_container(l, struct adt_op, link);
        op->state = ADT_OP_DONE;
        n++;
        if (op->done)
            op->done(op);
    }
    return n;
}

int adt_loop_step(struct adt_loop *loop, double wait, struct adt_error *err)
{
    if (!adt_list_empty(&loop->finished))
        wait = 0;
    int rc;
    loop->turning = true;
    if (wait == 0) {
        rc = uv_run(&loop->uv, UV_RUN_NOWAIT);
    } else {
        if (wait > 0)
            uv_timer_start(&loop->limit, on_limit, (uint64_t)ceil(wait * 1000), 0);
        rc = uv_run(&loop->uv, UV_RUN_ONCE);
        if (wait > 0)
            uv_timer_stop(&loop->limit);
    }
    loop->turning = false;
    if (rc < 0)
        return adt_error_errno(err, ADT_INTERNAL, -rc, "turning the event loop");
    return drain(loop);
}

void adt_loop_wake(struct adt_loop *loop)
{
    uv_async_send(&loop->wake);
}

int adt_loop_fd(const struct adt_loop *loop)
{
    return uv_backend_fd(&loop->uv);
}

double adt_loop_next(const struct adt_loop *loop)
{
    if (!adt_list_empty(&loop->finished))
        return 0;
    int ms = uv_backend_timeout(&loop->uv);
    return ms < 0 ? -1.0 : ms / 1000.0;
}

long adt_loop_live(const struct adt_loop *loop, enum adt_live kind)
{
    return loop->live[kind];
}

void adt_loop_count(struct adt_loop *loop, enum adt_live kind, int by)
{
    loop->live[kind] += by;
}

struct uv_loop_s *adt_loop_uv(struct adt_loop *loop)
{
    return &loop->uv;
}

struct adt_children *adt_loop_children(struct adt_loop *loop)
{
    return loop->children;
}

void adt_op_init(struct adt_op *op, struct adt_loop *loop, const struct adt_op_class *cls)
{
    op->cls = cls;
    op->loop = loop;
    op->state = ADT_OP_PENDING;
    adt_list_init(&op->link);
    adt_loop_count(loop, ADT_LIVE_OP, 1);
}

void adt_op_finish(struct adt_op *op)
{
    if (op->state != ADT_OP_PENDING)
        return;
    op->state = ADT_OP_FINISHED;
    adt_list_push(&op->loop->finished, &op->link);
    if (op->loop->turning)
        uv_stop(&op->loop->uv); /* as in on_limit() */
}

void adt_op_free(struct adt_op *op)
{
    if (!op)
        return;
    if (op->state == ADT_OP_PENDING && op->cls->cancel)
        op->cls->cancel(op);
    adt_list_remove(&op->link);
    adt_loop_count(op->loop, ADT_LIVE_OP, -1);
    op->cls->destroy(op);
}
