/* http_private.h - what the files of the HTTP client share */
#ifndef ADT_NET_HTTP_PRIVATE_H
#define ADT_NET_HTTP_PRIVATE_H

#include "base/list.h"
#include "loop/watch.h"
#include "net/curl.h"
#include "net/http.h"

struct adt_http {
    struct adt_loop *loop;
    const struct adt_curl *curl;
    CURLM *multi;
    struct adt_alarm *alarm; /* when libcurl wants to be called */
    struct adt_list running; /* transfers */
    bool broken;             /* one of them has an error that libcurl was not told of */
};

void adt_http_sweep(struct adt_http *h);
/* Ends the transfers that failed inside a callback which cannot say so. After every call of libcurl that may call back.
 */

struct adt_transfer {
    struct adt_http *http;
    struct adt_list link; /* in http->running, while under way */
    CURL *easy;           /* NULL: ended */
    struct curl_slist *headers;
    struct adt_alarm *limit; /* looks after first and idle */
    struct wait_op *waiter;
    struct adt_error err;
    struct adt_http_request req; /* its strings are not ours and not looked at after the start */
    char *where, *unix_socket;
    char message[CURL_ERROR_SIZE];

    int paused;     /* CURLPAUSE_* */
    bool connected; /* the request goes out, or has */
    bool sent_all;
    double started, active; /* when something moved last */
    int64_t sent;
    struct adt_buf out; /* PUSHED: bytes not handed on yet */
    size_t out_at;
    bool out_end;

    struct adt_buf head;
    size_t head_seen;
    char reason[64];
    int status;
    bool head_done, answered;
    struct adt_buf body;
    uint64_t received;
    struct adt_http_response end; /* what libcurl said of it when it had ended */
};

void adt_transfer_done(struct adt_transfer *t, CURLcode result);
/* It has ended, by libcurl's word or with t->err set: gives its handle back and wakes who waits. */

int adt_transfer_setup(struct adt_transfer *t, const struct adt_http_request *req, const char *url,
                       struct adt_error *err);
/* Sets every option of t->easy. */

void adt_transfer_explain(struct adt_transfer *t, CURLcode result);
/* Fills t->err from libcurl's result. */

void adt_transfer_notify(struct adt_transfer *t);
/* Wakes who waits if that holds now. */

#endif
