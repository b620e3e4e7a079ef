/* watch.c - descriptors and moments that call back within the turn */
#include "loop/watch.h"

#include "base/mem.h"

#include <math.h>
#include <uv.h>

struct adt_watch {
    uv_poll_t uv;
    int fd;
    void (*ready)(void *arg, int fd, int events);
    void *arg;
};

static void watch_closed(uv_handle_t *h)
{
    adt_free(adt_container(h, struct adt_watch, uv));
}

struct adt_watch *adt_watch_open(struct adt_loop *loop, int fd, void (*ready)(void *arg, int fd, int events), void *arg,
                                 struct adt_error *err)
{
    struct adt_watch *w = adt_zalloc(sizeof *w);
    if (!w) {
        adt_error_nomem(err);
        return NULL;
    }
    int rc = uv_poll_init(adt_loop_uv(loop), &w->uv, fd);
    if (rc < 0) {
        adt_error_errno(err, ADT_INTERNAL, -rc, "watching descriptor %d", fd);
        adt_free(w);
        return NULL;
    }
    w->fd = fd;
    w->ready = ready;
    w->arg = arg;
    return w;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct adt_watch *w = adt_container(h, struct adt_watch, uv);
    int seen = (events & UV_READABLE ? ADT_WATCH_IN : 0) | (events & UV_WRITABLE ? ADT_WATCH_OUT : 0);
    w->ready(w->arg, w->fd, status < 0 ? ADT_WATCH_BAD : seen);
}

int adt_watch_set(struct adt_watch *w, int events, struct adt_error *err)
{
    int rc;
    if (events)
        rc = uv_poll_start(
            &w->uv, (events & ADT_WATCH_IN ? UV_READABLE : 0) | (events & ADT_WATCH_OUT ? UV_WRITABLE : 0), on_poll);
    else
        rc = uv_poll_stop(&w->uv);
    return rc < 0 ? adt_error_errno(err, ADT_INTERNAL, -rc, "watching descriptor %d", w->fd) : 0;
}

void adt_watch_close(struct adt_watch *w)
{
    if (w)
        uv_close((uv_handle_t *)&w->uv, watch_closed);
}

struct adt_alarm {
    uv_timer_t uv;
    void (*due)(void *arg);
    void *arg;
};

static void alarm_closed(uv_handle_t *h)
{
    adt_free(adt_container(h, struct adt_alarm, uv));
}

struct adt_alarm *adt_alarm_open(struct adt_loop *loop, void (*due)(void *arg), void *arg, struct adt_error *err)
{
    struct adt_alarm *a = adt_zalloc(sizeof *a);
    if (!a) {
        adt_error_nomem(err);
        return NULL;
    }
    uv_timer_init(adt_loop_uv(loop), &a->uv);
    a->due = due;
    a->arg = arg;
    return a;
}

static void on_due(uv_timer_t *h)
{
    struct adt_alarm *a = adt_container(h, struct adt_alarm, uv);
    a->due(a->arg);
}

void adt_alarm_set(struct adt_alarm *a, double seconds)
{
    if (seconds < 0) {
        uv_timer_stop(&a->uv);
        return;
    }
    /* As in adt_timer_start(): the cached time may be old. */
    uv_update_time(a->uv.loop);
    double ms = ceil(seconds * 1000);
    uv_timer_start(&a->uv, on_due, ms < 1e15 ? (uint64_t)ms : (uint64_t)1e15, 0);
}

void adt_alarm_close(struct adt_alarm *a)
{
    if (a)
        uv_close((uv_handle_t *)&a->uv, alarm_closed);
}
