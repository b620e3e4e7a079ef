/* http_wire.c - a transfer as libcurl sees it: its options, and the bytes that libcurl hands over or asks for
 *
 * The callbacks record, and refuse by an error in the transfer and a short count. None of them calls libcurl. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/http_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SMALL_BUFFER = 64 * 1024, BIG_BUFFER = 512 * 1024, UPLOAD_BUFFER = 256 * 1024 };
enum { ASKED_FIRST = 1024 * 1024 /* bytes of a body from which on the server is asked whether it wants them */ };

/* libcurl would leave sockets open in programs that others start. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    (void)arg;
    (void)purpose;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* The request is about to go out. A second time means that a kept connection broke under the first. */
static int on_request(void *arg, char *peer, char *own, int peer_port, int own_port)
{
    struct adt_transfer *t = arg;
    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    if (t->connected && !t->req.idempotent) {
        adt_error_set(&t->err, ADT_SERVICE, "ConnectionLost", "the connection broke before an answer came");
        t->err.retryable = true; /* by itself; what kind of request it was is looked at afterwards */
        return CURL_PREREQFUNC_ABORT;
    }
    t->connected = true;
    t->active = adt_now();
    t->sent_all = t->req.source == ADT_HTTP_NO_BODY;
    return CURL_PREREQFUNC_OK;
}

/* --- the request's body ------------------------------------------------------------------------------------------- */

static size_t pushed(struct adt_transfer *t, char *p, size_t n)
{
    size_t left = t->out.len - t->out_at;
    if (left == 0 && !t->out_end) {
        t->paused |= CURLPAUSE_SEND;
        adt_transfer_notify(t);
        return CURL_READFUNC_PAUSE;
    }
    n = n < left ? n : left;
    if (n)
        memcpy(p, t->out.p + t->out_at, n);
    t->out_at += n;
    return n;
}

static size_t from_file(struct adt_transfer *t, char *p, size_t n)
{
    ssize_t got;
    int64_t left = t->req.size - t->sent;
    n = (int64_t)n < left ? n : (size_t)left;
    do
        got = pread(t->req.body_fd, p, n, (off_t)t->sent);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        adt_file_error(&t->err, errno, "reading the file that is being sent");
        return CURL_READFUNC_ABORT;
    }
    return (size_t)got;
}

static size_t from_memory(struct adt_transfer *t, char *p, size_t n)
{
    int64_t left = t->req.size - t->sent;
    n = (int64_t)n < left ? n : (size_t)left;
    if (n)
        memcpy(p, (const char *)t->req.body + t->sent, n);
    return n;
}

static size_t called(struct adt_transfer *t, char *p, size_t n)
{
    ssize_t got = t->req.read(t->req.read_arg, p, n, &t->err);
    return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static size_t on_wanted(char *p, size_t size, size_t n, void *arg)
{
    struct adt_transfer *t = arg;
    size_t got = 0;
    n *= size;
    if (t->req.source == ADT_HTTP_PUSHED)
        got = pushed(t, p, n);
    else if (t->req.source == ADT_HTTP_FROM_FILE)
        got = from_file(t, p, n);
    else if (t->req.source == ADT_HTTP_CALLED)
        got = called(t, p, n);
    else if (t->req.source == ADT_HTTP_MEMORY)
        got = from_memory(t, p, n);
    if (got > n)
        return got; /* pause or abort */
    t->active = adt_now();
    t->sent += (int64_t)got;
    t->sent_all = got == 0 || t->sent == t->req.size;
    /* libcurl would wait for an answer to a request that is not complete. */
    if (got == 0 && t->req.size >= 0 && t->sent < t->req.size) {
        adt_error_set(&t->err, ADT_USAGE, "BodyTooShort", "the request's body ended after %lld bytes of %lld",
                      (long long)t->sent, (long long)t->req.size);
        return CURL_READFUNC_ABORT;
    }
    return got;
}

/* For sending it once more over a new connection. What was pushed or asked for is gone. */
static int on_seek(void *arg, curl_off_t at, int whence)
{
    struct adt_transfer *t = arg;
    if (t->req.source == ADT_HTTP_PUSHED || (t->req.source == ADT_HTTP_CALLED && t->sent > 0) || whence != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    t->sent = at;
    return CURL_SEEKFUNC_OK;
}

/* --- the response's head ------------------------------------------------------------------------------------------ */

static int begin_head(struct adt_transfer *t, const char *p, size_t n)
{
    char line[96];
    int major = 0;
    snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), p);
    line[strcspn(line, "\r\n")] = '\0';
    const char *rest = strchr(line, ' ');
    t->head.len = 0;
    t->head_done = false;
    t->status = rest ? atoi(rest) : 0;
    rest = rest && strlen(rest) > 5 ? rest + 5 : "";
    snprintf(t->reason, sizeof t->reason, "%s", rest);
    sscanf(line, "HTTP/%d", &major);
    if (t->req.version == ADT_HTTP_2 && major < 2)
        return adt_error_set(&t->err, ADT_CONFIG, "NoHttp2", "the server does not speak HTTP/2");
    return 0;
}

static size_t on_head(char *p, size_t size, size_t n, void *arg)
{
    struct adt_transfer *t = arg;
    n *= size;
    t->active = adt_now();
    t->answered = true;
    t->head_seen += n;
    if (t->head_seen > ADT_BUF_HTTP_HEAD) {
        adt_error_set(&t->err, ADT_SERVICE, "HeadTooLarge", "the response's head is larger than %d bytes",
                      ADT_BUF_HTTP_HEAD);
        return 0;
    }
    if (n > 5 && memcmp(p, "HTTP/", 5) == 0 && (t->head_done || t->head.len == 0))
        return begin_head(t, p, n) == 0 ? n : 0;
    if (n <= 2 && (p[0] == '\r' || p[0] == '\n')) {
        /* The head of an informational response only announces another. */
        t->head_done = t->status >= 200;
        t->head.len = t->head_done ? t->head.len : 0;
        adt_transfer_notify(t);
        return n;
    }
    if (adt_buf_add(&t->head, p, n) < 0) {
        adt_error_nomem(&t->err);
        return 0;
    }
    return n;
}

/* --- the response's body ------------------------------------------------------------------------------------------ */

static int to_file(struct adt_transfer *t, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t put = write(t->req.sink_fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return adt_file_error(&t->err, errno, "writing the response's body");
        if (t->req.written && t->req.written(t->req.written_arg, p, (size_t)put) != 0)
            return adt_error_set(&t->err, ADT_INTERNAL, "Checksum", "the checksum of the body cannot be computed");
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

static int keep(struct adt_transfer *t, const char *p, size_t n)
{
    return adt_buf_add(&t->body, p, n) < 0 ? adt_error_nomem(&t->err) : 0;
}

static uint64_t ceiling(const struct adt_transfer *t, bool kept)
{
    if (t->req.max_body)
        return t->req.max_body;
    return kept ? ADT_BUF_HTTP_BODY : UINT64_MAX;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct adt_transfer *t = arg;
    bool pulled = t->req.sink == ADT_HTTP_PULLED;
    bool filed = t->req.sink == ADT_HTTP_TO_FILE && t->status / 100 == 2;
    n *= size;
    t->active = adt_now();
    if (pulled && t->body.len >= ADT_BUF_HTTP_WINDOW) {
        t->paused |= CURLPAUSE_RECV;
        return CURL_WRITEFUNC_PAUSE;
    }
    uint64_t most = ceiling(t, !pulled && !filed);
    if (n > most - t->received) {
        adt_error_set(&t->err, ADT_SERVICE, "BodyTooLarge", "the response's body is larger than %llu bytes",
                      (unsigned long long)most);
        adt_error_hint(&t->err, "raise max_body, or take it in pieces or into a file");
        return 0;
    }
    if ((filed ? to_file(t, p, n) : keep(t, p, n)) < 0)
        return 0;
    t->received += n;
    adt_transfer_notify(t);
    return n;
}

/* --- options ------------------------------------------------------------------------------------------------------ */

/* Of several setopt calls the first failure counts. */
struct setting {
    const struct adt_curl *c;
    CURL *easy;
    CURLcode rc;
};

#define SET(s, option, value) \
    do { \
        if ((s)->rc == CURLE_OK) \
            (s)->rc = (s)->c->easy_setopt((s)->easy, option, value); \
    } while (0)

/* What an older libcurl does not know and can do without. */
#define SET_IF_KNOWN(s, option, value) (void)(s)->c->easy_setopt((s)->easy, option, value)

static long milliseconds(double seconds)
{
    double ms = seconds * 1000;
    return seconds <= 0 || ms > 2e9 ? 2000000000 : ms < 1 ? 1 : (long)ms;
}

static void set_method(struct setting *s, const struct adt_http_request *r)
{
    const char *m = r->method;
    bool sends = r->source != ADT_HTTP_NO_BODY;
    bool empty = !sends && (!strcmp(m, "POST") || !strcmp(m, "PUT") || !strcmp(m, "PATCH"));
    if (!strcmp(m, "HEAD"))
        SET(s, CURLOPT_NOBODY, 1L);
    else if (sends || empty)
        SET(s, CURLOPT_UPLOAD, 1L);
    if (strcmp(m, "HEAD") != 0)
        SET(s, CURLOPT_CUSTOMREQUEST, m);
    if (sends || empty)
        SET(s, CURLOPT_INFILESIZE_LARGE, (curl_off_t)(empty ? 0 : r->size < 0 ? -1 : r->size));
}

static void set_tls(struct setting *s, const struct adt_http_request *r)
{
    SET(s, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (r->insecure) {
        SET(s, CURLOPT_SSL_VERIFYPEER, 0L);
        SET(s, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (r->ca_file) {
        /* That one, and none of the system's. */
        SET(s, CURLOPT_CAINFO, r->ca_file);
        SET(s, CURLOPT_CAPATH, NULL);
    }
}

static void set_way(struct setting *s, const struct adt_http_request *r)
{
    if (r->unix_socket)
        SET(s, CURLOPT_UNIX_SOCKET_PATH, r->unix_socket);
    if (r->proxy || r->unix_socket)
        SET(s, CURLOPT_PROXY, r->proxy ? r->proxy : "");
    SET(s, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(s, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(s, CURLOPT_OPENSOCKETFUNCTION, on_open);
    if (s->c->easy_setopt(s->easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_UNKNOWN_OPTION)
        SET(s, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    if (r->version == ADT_HTTP_1_1) {
        SET(s, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    } else {
        SET(s, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        SET(s, CURLOPT_PIPEWAIT, (long)(r->version == ADT_HTTP_2));
    }
}

static void set_calls(struct setting *s, struct adt_transfer *t)
{
    SET(s, CURLOPT_PRIVATE, t);
    SET(s, CURLOPT_ERRORBUFFER, t->message);
    SET(s, CURLOPT_PREREQFUNCTION, on_request);
    SET(s, CURLOPT_PREREQDATA, t);
    SET(s, CURLOPT_READFUNCTION, on_wanted);
    SET(s, CURLOPT_READDATA, t);
    SET(s, CURLOPT_SEEKFUNCTION, on_seek);
    SET(s, CURLOPT_SEEKDATA, t);
    SET(s, CURLOPT_HEADERFUNCTION, on_head);
    SET(s, CURLOPT_HEADERDATA, t);
    SET(s, CURLOPT_WRITEFUNCTION, on_body);
    SET(s, CURLOPT_WRITEDATA, t);
}

static bool token(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", p[i]))
            return false;
    return n > 0;
}

/* A line break inside of a value would be a header of its own, or a request. */
static int check_header(const char *h, struct adt_error *err)
{
    size_t name = strcspn(h, ":;");
    if (!token(h, name) || !h[name] || strpbrk(h, "\r\n"))
        return adt_error_set(err, ADT_USAGE, "BadHeader", "'%.*s' is no header that can be sent: %s",
                             (int)(name > 40 ? 40 : name), h,
                             strpbrk(h, "\r\n") ? "it holds a line break" : "its name is none");
    if ((name == 14 && !strncasecmp(h, "content-length", 14)) ||
        (name == 17 && !strncasecmp(h, "transfer-encoding", 17)))
        return adt_error_set(err, ADT_USAGE, "BadHeader", "the header '%.*s' follows from the body", (int)name, h);
    return 0;
}

static int add_header(const struct adt_curl *c, struct adt_transfer *t, const char *line, struct adt_error *err)
{
    struct curl_slist *more = c->slist_append(t->headers, line);
    if (!more)
        return adt_error_nomem(err);
    t->headers = more;
    return 0;
}

static int set_headers(struct setting *s, struct adt_transfer *t, const struct adt_http_request *r,
                       struct adt_error *err)
{
    bool expect = r->source == ADT_HTTP_NO_BODY || r->size > ASKED_FIRST;
    for (const char *const *h = r->headers; h && *h; h++) {
        if (check_header(*h, err) < 0 || add_header(s->c, t, *h, err) < 0)
            return -1;
        expect |= !strncasecmp(*h, "expect:", 7);
    }
    /* A server that does not know the question would cost a second. */
    if (!expect && add_header(s->c, t, "Expect:", err) < 0)
        return -1;
    SET(s, CURLOPT_HTTPHEADER, t->headers);
    return 0;
}

int adt_transfer_setup(struct adt_transfer *t, const struct adt_http_request *r, const char *url, struct adt_error *err)
{
    struct setting s = {t->http->curl, t->easy, CURLE_OK};
    if (!token(r->method, strlen(r->method)) || !strcmp(r->method, "CONNECT"))
        return adt_error_set(err, ADT_USAGE, "BadMethod", "the method must be a word such as GET or POST");
    if (set_headers(&s, t, r, err) < 0)
        return -1;
    SET(&s, CURLOPT_URL, url);
    SET(&s, CURLOPT_PATH_AS_IS, 1L);
    SET(&s, CURLOPT_NOSIGNAL, 1L);
    SET(&s, CURLOPT_USERAGENT, r->agent);
    SET(&s, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(r->connect));
    if (r->total > 0)
        SET(&s, CURLOPT_TIMEOUT_MS, milliseconds(r->total));
    if (r->compressed)
        SET(&s, CURLOPT_ACCEPT_ENCODING, "");
    SET(&s, CURLOPT_BUFFERSIZE, (long)(r->sink == ADT_HTTP_KEPT ? SMALL_BUFFER : BIG_BUFFER));
    SET(&s, CURLOPT_UPLOAD_BUFFERSIZE, (long)(r->size > UPLOAD_BUFFER || r->size < 0 ? UPLOAD_BUFFER : SMALL_BUFFER));
    /* Without it, ending a transfer waits for a name look-up that hangs on its thread. */
    SET_IF_KNOWN(&s, CURLOPT_QUICK_EXIT, 1L);
    set_method(&s, r);
    set_tls(&s, r);
    set_way(&s, r);
    set_calls(&s, t);
    if (s.rc == CURLE_OUT_OF_MEMORY)
        return adt_error_nomem(err);
    if (s.rc != CURLE_OK)
        return adt_error_set(err, ADT_CONFIG, "NotBuiltIn", "libcurl refuses the request: %s",
                             s.c->easy_strerror(s.rc));
    return 0;
}
