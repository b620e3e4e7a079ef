/* http.c - the client: libcurl's sockets and its one timer on our loop, and the end of transfers
 *
 * What libcurl calls here records and sets watches; transfers end after it has returned. */
#include "net/http.h"

#include "base/mem.h"
#include "net/http_private.h"

/* A request beyond these waits for one to end, and its limits of time count meanwhile. */
enum { PER_HOST = 100, IN_ALL = 500, KEPT = 64 };

static void turn(struct adt_http *h, curl_socket_t s, int events)
{
    int running, left;
    CURLMsg *m;
    h->curl->multi_socket_action(h->multi, s, events, &running);
    while ((m = h->curl->multi_info_read(h->multi, &left))) {
        struct adt_transfer *t = NULL;
        CURLcode result = m->data.result;
        h->curl->easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        adt_transfer_done(t, result);
    }
    adt_http_sweep(h);
}

void adt_http_sweep(struct adt_http *h)
{
    while (h->broken) {
        h->broken = false;
        struct adt_list *l = h->running.next, *next;
        for (; l != &h->running; l = next) {
            struct adt_transfer *t = adt_container(l, struct adt_transfer, link);
            next = l->next;
            if (t->err.cause)
                adt_transfer_done(t, CURLE_OK);
        }
    }
}

static void on_ready(void *arg, int fd, int events)
{
    int seen = (events & ADT_WATCH_IN ? CURL_CSELECT_IN : 0) | (events & ADT_WATCH_OUT ? CURL_CSELECT_OUT : 0);
    /* Reading and writing tell what is wrong; CURL_CSELECT_ERR would say no more than that poll() failed. */
    turn(arg, fd, events & ADT_WATCH_BAD ? CURL_CSELECT_IN | CURL_CSELECT_OUT : seen);
}

static void on_alarm(void *arg)
{
    turn(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* Answering -1 would end every transfer of the client for good: the one that lacks its watch fails alone. */
static int on_socket(CURL *easy, curl_socket_t s, int what, void *arg, void *socket_data)
{
    struct adt_http *h = arg;
    struct adt_watch *w = socket_data;
    struct adt_error err;
    if (what == CURL_POLL_REMOVE) {
        adt_watch_close(w);
        h->curl->multi_assign(h->multi, s, NULL);
        return 0;
    }
    if (!w && (w = adt_watch_open(h->loop, s, on_ready, h, &err)))
        h->curl->multi_assign(h->multi, s, w);
    int events = (what & CURL_POLL_IN ? ADT_WATCH_IN : 0) | (what & CURL_POLL_OUT ? ADT_WATCH_OUT : 0);
    if (w && adt_watch_set(w, events, &err) == 0)
        return 0;
    struct adt_transfer *t = NULL;
    h->curl->easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
    if (t) {
        t->err = err;
        h->broken = true;
    }
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct adt_http *h = arg;
    (void)multi;
    adt_alarm_set(h->alarm, ms < 0 ? -1 : (double)ms / 1000);
    return 0;
}

struct adt_http *adt_http_new(struct adt_loop *loop, struct adt_error *err)
{
    const struct adt_curl *c = adt_curl_open(err);
    if (!c)
        return NULL;
    struct adt_http *h = adt_zalloc(sizeof *h);
    if (!h) {
        adt_error_nomem(err);
        return NULL;
    }
    h->loop = loop;
    h->curl = c;
    adt_list_init(&h->running);
    if (!(h->alarm = adt_alarm_open(loop, on_alarm, h, err)))
        goto fail;
    if (!(h->multi = c->multi_init())) {
        adt_error_nomem(err);
        goto fail;
    }
    c->multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    c->multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    c->multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    c->multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    c->multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)PER_HOST);
    c->multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)IN_ALL);
    c->multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)KEPT);
    return h;
fail:
    adt_http_free(h);
    return NULL;
}

void adt_http_free(struct adt_http *h)
{
    if (!h)
        return;
    /* Closing the connections calls on_socket() and on_timer() once more. */
    if (h->multi)
        h->curl->multi_cleanup(h->multi);
    adt_alarm_close(h->alarm);
    adt_free(h);
}
