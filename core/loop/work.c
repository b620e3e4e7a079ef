/* work.c - an op whose work runs on a thread, for calls that block */
#include "base/mem.h"
#include "loop/loop.h"

#include <uv.h>

struct work_op {
    struct adt_op op;
    uv_work_t uv;
    void (*run)(void *arg);
    void (*drop)(void *arg);
    void *arg;
    bool returned, freed;
};

/* The op and the thread end in either order; the later one gives the memory back. */
static void work_release(struct work_op *w)
{
    if (!w->returned || !w->freed)
        return;
    if (w->drop)
        w->drop(w->arg);
    adt_free(w);
}

static void work_cancel(struct adt_op *op)
{
    uv_cancel((uv_req_t *)&adt_container(op, struct work_op, op)->uv);
}

static void work_destroy(struct adt_op *op)
{
    struct work_op *w = adt_container(op, struct work_op, op);
    w->freed = true;
    work_release(w);
}

static const struct adt_op_class work_class = {"work", work_cancel, work_destroy};

static void on_thread(uv_work_t *req)
{
    struct work_op *w = adt_container(req, struct work_op, uv);
    w->run(w->arg);
}

static void on_returned(uv_work_t *req, int status)
{
    struct work_op *w = adt_container(req, struct work_op, uv);
    (void)status;
    w->returned = true;
    if (w->freed)
        work_release(w);
    else
        adt_op_finish(&w->op);
}

struct adt_op *adt_work_start(struct adt_loop *loop, void (*run)(void *arg), void (*drop)(void *arg), void *arg,
                              struct adt_error *err)
{
    struct work_op *w = adt_zalloc(sizeof *w);
    int rc = w ? 0 : UV_ENOMEM;
    if (w) {
        w->run = run;
        w->drop = drop;
        w->arg = arg;
        rc = uv_queue_work(adt_loop_uv(loop), &w->uv, on_thread, on_returned);
    }
    if (rc < 0) {
        adt_error_errno(err, ADT_INTERNAL, -rc, "queueing work for a thread");
        adt_free(w);
        if (drop)
            drop(arg);
        return NULL;
    }
    adt_op_init(&w->op, loop, &work_class);
    return &w->op;
}
