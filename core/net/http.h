/* http.h - HTTP requests on the loop: kept connections, HTTP/2, UNIX sockets, proxies, bodies of any size
 *
 * A client holds the connections, one client to an engine. A transfer is one request and its response. It makes
 * progress in the loop's turns; what a caller waits for is an op. The page is docs/internals/net.md. Loop thread only.
 */
#ifndef ADT_NET_HTTP_H
#define ADT_NET_HTTP_H

#include "base/buf.h"
#include "base/error.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct adt_http;
struct adt_transfer;

struct adt_http *adt_http_new(struct adt_loop *loop, struct adt_error *err);
/* NULL with [err] filled; cause config when libcurl is not installed. */

void adt_http_free(struct adt_http *h);
/* Closes the connections. Its transfers must be freed before. Takes NULL. */

enum adt_http_source { ADT_HTTP_NO_BODY, ADT_HTTP_MEMORY, ADT_HTTP_FROM_FILE, ADT_HTTP_PUSHED, ADT_HTTP_CALLED };
enum adt_http_sink { ADT_HTTP_KEPT, ADT_HTTP_TO_FILE, ADT_HTTP_PULLED };
enum adt_http_version { ADT_HTTP_ANY, ADT_HTTP_1_1, ADT_HTTP_2 };

struct adt_http_request {
    const char *url; /* http or https, without user and password */
    const char *method;
    const char *const *headers; /* "Name: value", the last is NULL */
    const char *agent;

    enum adt_http_source source;
    const void *body; /* MEMORY: must live as long as the transfer */
    int64_t size;     /* of the body; negative: not known beforehand (PUSHED) */
    int body_fd;      /* FROM_FILE: read from its start; open as long as the transfer */
    /* CALLED: gives up to [n] of the next bytes, 0 at the end, -1 with [err] filled. It is asked for each byte once, so
     * such a request is not sent again by itself once its body has begun. */
    ssize_t (*read)(void *read_arg, char *p, size_t n, struct adt_error *err);
    void *read_arg;

    enum adt_http_sink sink;
    uint64_t max_body; /* 0: 64 MiB for KEPT, else no ceiling */
    int sink_fd;       /* TO_FILE: the body of a 2xx response; that of others is KEPT */
    int (*written)(void *written_arg, const void *p, size_t n); /* TO_FILE: sees what was; not 0 ends it. May be NULL */
    void *written_arg;

    const char *unix_socket; /* NULL: TCP */
    const char *proxy;       /* NULL: as the environment says; "": none */
    const char *ca_file;     /* NULL: the system's authorities */
    bool insecure;           /* any certificate will do */
    bool compressed;         /* offers the codings that libcurl can undo, and undoes them */
    bool idempotent;         /* it may be sent twice; failures say that it may be tried again */
    enum adt_http_version version;

    /* Seconds; 0: no limit. */
    double connect; /* until name, connection and TLS are there */
    double first;   /* from the request's last byte to the response's first */
    double idle;    /* without a byte in either direction, while the other side has to move */
    double total;
};

struct adt_transfer *adt_http_start(struct adt_http *h, const struct adt_http_request *req, struct adt_error *err);
/* Strings of [req] are copied. The transfer is the caller's, who frees it at any time. NULL with [err] filled if it is
 * no request; failures on the wire arrive at the wait. */

void adt_transfer_free(struct adt_transfer *t);
/* Ends it, if it is under way. Who waits for it wakes with an error. Takes NULL. */

enum {
    ADT_TRANSFER_HEAD = 1, /* the response's head is complete */
    ADT_TRANSFER_SEND = 2, /* bytes of a PUSHED body are wanted */
    ADT_TRANSFER_BODY = 4, /* bytes of a PULLED body are there */
    ADT_TRANSFER_END = 8,  /* it has ended, well or not */
};

int adt_transfer_ready(const struct adt_transfer *t, int what);
/* Which of [what] holds now. */

struct adt_op *adt_transfer_wait(struct adt_transfer *t, int what, struct adt_error *err);
/* Finishes when one of [what] holds or the transfer has ended. One at a time. */

const struct adt_error *adt_transfer_error(const struct adt_transfer *t);
/* Of a transfer that has ended: cause ADT_NONE if well. */

int adt_transfer_send(struct adt_transfer *t, const void *p, size_t n, struct adt_error *err);
/* The next bytes of a PUSHED body (copied), when they are wanted. [n] 0: that was all. */

const char *adt_transfer_body(const struct adt_transfer *t, size_t *n);
/* The bytes of the body that are there and were not dropped; they live until the next turn of the loop. */

void adt_transfer_drop(struct adt_transfer *t);
/* Drops them; when they are PULLED, more may come. */

struct adt_http_response {
    int status;         /* 0: no head yet */
    const char *head;   /* the lines of the head after the status line, with their line ends; lives as long as [t] */
    size_t head_n;      /* without the empty line */
    const char *reason; /* the words after the status; may be empty */
    uint64_t received;  /* bytes of the body until now */
    uint64_t sent;      /* bytes of the request's body handed to libcurl */
    const char *version;
    char address[64];                         /* of the peer; empty for a UNIX socket */
    bool reused;                              /* it went over a kept connection */
    double dns, connected, tls, first, total; /* seconds since the start; 0: did not happen */
};

void adt_transfer_response(const struct adt_transfer *t, struct adt_http_response *r);
/* Address, version and times are complete after the end. */

struct adt_http_url {
    const char *scheme;      /* "http" or "https" */
    char *host, *port, *url; /* host in lower case; port always there; url absolute */
    char *where;             /* scheme://host[:port]/path, fit for errors */
};

int adt_http_url_parse(const char *text, const char *base, struct adt_http_url *out, struct adt_error *err);
/* Parses [text], relative to [base] unless that is NULL; cause usage when it is none or holds user or password. The
 * text is in no message: its query may be a secret. */

void adt_http_url_free(struct adt_http_url *u);

#endif
