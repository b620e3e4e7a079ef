/* http_transfer.c - the life of a transfer: its start, its waits, its limits of time, its end */
#include "base/clock.h"
#include "base/mem.h"
#include "net/http_private.h"

#include <string.h>

struct wait_op {
    struct adt_op op;
    struct adt_transfer *t; /* NULL once finished */
    int what;
};

/* --- limits of time that libcurl does not know -------------------------------------------------------------------- */

static double smaller_limit(const struct adt_http_request *r)
{
    if (r->first > 0 && r->idle > 0)
        return r->first < r->idle ? r->first : r->idle;
    return r->first > 0 ? r->first : r->idle;
}

/* The limit that counts now; 0: none, since nothing goes out or it is us who must move. */
static double limit_now(const struct adt_transfer *t)
{
    if (!t->connected || t->paused)
        return 0;
    return t->sent_all && !t->answered ? t->req.first : t->req.idle;
}

static void on_limit(void *arg)
{
    struct adt_transfer *t = arg;
    double limit = limit_now(t), left = t->active + limit - adt_now();
    if (limit <= 0) {
        adt_alarm_set(t->limit, smaller_limit(&t->req));
        return;
    }
    if (left > 0.0005) {
        adt_alarm_set(t->limit, left);
        return;
    }
    if (t->sent_all && !t->answered)
        adt_error_set(&t->err, ADT_TIMEOUT, "FirstByteTimeout", "no answer within %g s of the request", limit);
    else
        adt_error_set(&t->err, ADT_TIMEOUT, "IdleTimeout", "nothing moved for %g s", limit);
    t->err.retryable = true;
    adt_transfer_done(t, CURLE_OK);
}

/* --- start and end ------------------------------------------------------------------------------------------------ */

static int prepare(struct adt_transfer *t, const struct adt_http_request *req, struct adt_error *err)
{
    struct adt_http_url u;
    if (adt_http_url_parse(req->url, NULL, &u, err) < 0)
        return -1;
    int rc = 0;
    t->where = u.where;
    u.where = NULL;
    if (req->version == ADT_HTTP_2 && strcmp(u.scheme, "https") != 0)
        rc = adt_error_set(err, ADT_USAGE, "NoHttp2", "HTTP/2 is spoken over https only");
    else if ((req->unix_socket && !(t->unix_socket = adt_strdup(req->unix_socket))) ||
             !(t->easy = t->http->curl->easy_init()))
        rc = adt_error_nomem(err);
    else
        rc = adt_transfer_setup(t, req, u.url, err);
    adt_http_url_free(&u);
    return rc;
}

struct adt_transfer *adt_http_start(struct adt_http *h, const struct adt_http_request *req, struct adt_error *err)
{
    struct adt_transfer *t = adt_zalloc(sizeof *t);
    if (!t) {
        adt_error_nomem(err);
        return NULL;
    }
    t->http = h;
    t->req = *req;
    t->started = t->active = adt_now();
    adt_list_init(&t->link);
    adt_buf_init(&t->head, ADT_BUF_HTTP_HEAD);
    adt_buf_init(&t->body, SIZE_MAX / 2); /* its ceiling is kept in on_body() */
    adt_buf_init(&t->out, ADT_BUF_HTTP_WINDOW);
    adt_loop_count(h->loop, ADT_LIVE_STREAM, 1);
    double limit = smaller_limit(req);
    if (prepare(t, req, err) < 0 || (limit > 0 && !(t->limit = adt_alarm_open(h->loop, on_limit, t, err))))
        goto fail;
    if (h->curl->multi_add_handle(h->multi, t->easy) != CURLM_OK) {
        adt_error_nomem(err);
        goto fail;
    }
    adt_list_push(&h->running, &t->link);
    if (t->limit)
        adt_alarm_set(t->limit, limit);
    return t;
fail:
    if (err && t->where)
        snprintf(err->where, sizeof err->where, "%s", t->where);
    adt_transfer_free(t);
    return NULL;
}

static double seconds(struct adt_transfer *t, CURLINFO what)
{
    curl_off_t us = 0;
    t->http->curl->easy_getinfo(t->easy, what, &us);
    return (double)us / 1e6;
}

static void look(struct adt_transfer *t)
{
    const struct adt_curl *c = t->http->curl;
    struct adt_http_response *r = &t->end;
    long version = 0, connects = 0;
    char *address = NULL;
    c->easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    c->easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
    c->easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &address);
    r->version = version == CURL_HTTP_VERSION_1_0   ? "1.0"
                 : version == CURL_HTTP_VERSION_1_1 ? "1.1"
                 : version == CURL_HTTP_VERSION_2_0 ? "2"
                                                    : "";
    snprintf(r->address, sizeof r->address, "%s", address && !t->unix_socket ? address : "");
    r->reused = t->connected && connects == 0;
    r->dns = seconds(t, CURLINFO_NAMELOOKUP_TIME_T);
    r->connected = seconds(t, CURLINFO_CONNECT_TIME_T);
    r->tls = seconds(t, CURLINFO_APPCONNECT_TIME_T);
    r->first = seconds(t, CURLINFO_STARTTRANSFER_TIME_T);
    r->total = adt_now() - t->started;
}

static void release(struct adt_transfer *t)
{
    const struct adt_curl *c = t->http->curl;
    adt_alarm_close(t->limit);
    t->limit = NULL;
    if (!adt_list_empty(&t->link)) {
        adt_list_remove(&t->link);
        c->multi_remove_handle(t->http->multi, t->easy);
    }
    if (t->easy)
        c->easy_cleanup(t->easy);
    t->easy = NULL;
    c->slist_free_all(t->headers);
    t->headers = NULL;
    adt_buf_free(&t->out);
}

void adt_transfer_done(struct adt_transfer *t, CURLcode result)
{
    adt_transfer_explain(t, result);
    look(t);
    release(t);
    adt_transfer_notify(t);
}

void adt_transfer_free(struct adt_transfer *t)
{
    if (!t)
        return;
    release(t);
    if (t->waiter) {
        adt_error_set(&t->waiter->op.err, ADT_CANCELLED, "Closed", "the request was closed while it was waited for");
        t->waiter->t = NULL;
        adt_op_finish(&t->waiter->op);
    }
    adt_loop_count(t->http->loop, ADT_LIVE_STREAM, -1);
    adt_buf_free(&t->head);
    adt_buf_free(&t->body);
    adt_free(t->where);
    adt_free(t->unix_socket);
    adt_free(t);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

int adt_transfer_ready(const struct adt_transfer *t, int what)
{
    int is = 0;
    if (!t->easy)
        is |= ADT_TRANSFER_END;
    if (t->head_done)
        is |= ADT_TRANSFER_HEAD;
    if (t->easy && t->req.source == ADT_HTTP_PUSHED && (t->paused & CURLPAUSE_SEND))
        is |= ADT_TRANSFER_SEND;
    if (t->req.sink == ADT_HTTP_PULLED && t->body.len > 0)
        is |= ADT_TRANSFER_BODY;
    return is & what;
}

void adt_transfer_notify(struct adt_transfer *t)
{
    struct wait_op *w = t->waiter;
    if (!w || !adt_transfer_ready(t, w->what | ADT_TRANSFER_END))
        return;
    t->waiter = NULL;
    w->t = NULL;
    adt_op_finish(&w->op);
}

static void wait_cancel(struct adt_op *op)
{
    struct wait_op *w = adt_container(op, struct wait_op, op);
    if (w->t)
        w->t->waiter = NULL;
    w->t = NULL;
}

static void wait_destroy(struct adt_op *op)
{
    adt_free(adt_container(op, struct wait_op, op));
}

static const struct adt_op_class wait_class = {"http", wait_cancel, wait_destroy};

struct adt_op *adt_transfer_wait(struct adt_transfer *t, int what, struct adt_error *err)
{
    if (t->waiter) {
        adt_error_set(err, ADT_USAGE, "Busy", "two tasks wait for one request at the same time");
        return NULL;
    }
    struct wait_op *w = adt_zalloc(sizeof *w);
    if (!w) {
        adt_error_nomem(err);
        return NULL;
    }
    adt_op_init(&w->op, t->http->loop, &wait_class);
    w->what = what;
    w->t = t;
    t->waiter = w;
    adt_transfer_notify(t);
    return &w->op;
}

const struct adt_error *adt_transfer_error(const struct adt_transfer *t)
{
    return &t->err;
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

/* libcurl may call back at once, and does so for each direction that is not paused any more. */
static void go_on(struct adt_transfer *t, int direction)
{
    if (!t->easy || !(t->paused & direction))
        return;
    t->paused &= ~direction;
    t->active = adt_now();
    CURLcode rc = t->http->curl->easy_pause(t->easy, t->paused);
    if (rc != CURLE_OK || t->err.cause)
        adt_transfer_done(t, rc);
    adt_http_sweep(t->http);
}

int adt_transfer_send(struct adt_transfer *t, const void *p, size_t n, struct adt_error *err)
{
    if (t->req.source != ADT_HTTP_PUSHED || t->out_end)
        return adt_error_set(err, ADT_USAGE, "NotWanted", "the request takes no bytes");
    if (!t->easy)
        return 0;
    t->out.len = t->out_at < t->out.len ? t->out.len : 0;
    t->out_at = t->out.len ? t->out_at : 0;
    if (n && adt_buf_add(&t->out, p, n) < 0)
        return adt_error_nomem(err);
    t->out_end = n == 0;
    go_on(t, CURLPAUSE_SEND);
    return 0;
}

const char *adt_transfer_body(const struct adt_transfer *t, size_t *n)
{
    *n = t->body.len;
    return t->body.len ? t->body.p : "";
}

void adt_transfer_drop(struct adt_transfer *t)
{
    if (t->easy && t->req.sink == ADT_HTTP_PULLED)
        t->body.len = 0;
    else
        adt_buf_free(&t->body);
    go_on(t, CURLPAUSE_RECV);
}

void adt_transfer_response(const struct adt_transfer *t, struct adt_http_response *r)
{
    *r = t->end;
    r->status = t->head_done ? t->status : 0;
    r->head = t->head.len ? t->head.p : "";
    r->head_n = t->head.len;
    r->reason = t->reason;
    r->received = t->received;
    r->sent = (uint64_t)t->sent;
    r->version = r->version ? r->version : "";
}
