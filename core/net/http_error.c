/* http_error.c - libcurl's results in our words: whose fault it was, and whether to try again */
#include "base/buf.h"
#include "net/http_private.h"

#include <errno.h>
#include <string.h>

#define CA_HINT "ca names a file with the authority that signed it; insecure = true trusts anybody"

static const struct {
    CURLcode result;
    enum adt_cause cause;
    bool retry;
    const char *code, *hint;
} meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ADT_SERVICE, true, "CouldNotResolveHost", ""},
    {CURLE_COULDNT_RESOLVE_PROXY, ADT_CONFIG, true, "CouldNotResolveProxy",
     "the proxy comes from the option or the environment"},
    {CURLE_COULDNT_CONNECT, ADT_SERVICE, true, "CouldNotConnect", ""},
    {CURLE_SEND_ERROR, ADT_SERVICE, true, "SendError", ""},
    {CURLE_RECV_ERROR, ADT_SERVICE, true, "RecvError", ""},
    {CURLE_GOT_NOTHING, ADT_SERVICE, true, "GotNothing", ""},
    {CURLE_PARTIAL_FILE, ADT_SERVICE, true, "PartialBody", ""},
    {CURLE_HTTP2, ADT_SERVICE, true, "Http2", ""},
    {CURLE_HTTP2_STREAM, ADT_SERVICE, true, "Http2Stream", ""},
    {CURLE_SEND_FAIL_REWIND, ADT_SERVICE, true, "ConnectionLost", "the body cannot be sent a second time"},
    {CURLE_AGAIN, ADT_SERVICE, true, "Again", ""},
    {CURLE_PROXY, ADT_SERVICE, true, "Proxy", ""},
    {CURLE_WEIRD_SERVER_REPLY, ADT_SERVICE, false, "WeirdServerReply", "is this an HTTP server?"},
    {CURLE_UNSUPPORTED_PROTOCOL, ADT_SERVICE, false, "WeirdServerReply", "is this an HTTP server?"},
    {CURLE_BAD_CONTENT_ENCODING, ADT_SERVICE, false, "BadContentEncoding", ""},
    {CURLE_SSL_CONNECT_ERROR, ADT_CONFIG, false, "SslConnectError", "is this a TLS port?"},
    {CURLE_PEER_FAILED_VERIFICATION, ADT_CONFIG, false, "PeerFailedVerification", CA_HINT},
    {CURLE_SSL_CACERT_BADFILE, ADT_CONFIG, false, "BadCaFile",
     "ca must name a readable file with certificates in PEM form"},
    {CURLE_SSL_CERTPROBLEM, ADT_CONFIG, false, "CertProblem", ""},
    {CURLE_SSL_CIPHER, ADT_CONFIG, false, "SslCipher", ""},
    {CURLE_SSL_ISSUER_ERROR, ADT_CONFIG, false, "SslIssuer", CA_HINT},
    {CURLE_SSL_INVALIDCERTSTATUS, ADT_CONFIG, false, "SslCertStatus", ""},
    {CURLE_NOT_BUILT_IN, ADT_CONFIG, false, "NotBuiltIn", "this machine's libcurl lacks it"},
    {CURLE_UNKNOWN_OPTION, ADT_CONFIG, false, "NotBuiltIn", "this machine's libcurl lacks it"},
};

static void explain_timeout(struct adt_transfer *t)
{
    const struct adt_http_request *r = &t->req;
    if (!t->connected && r->connect > 0 && (r->total <= 0 || r->connect < r->total))
        adt_error_set(&t->err, ADT_TIMEOUT, "ConnectTimeout", "no connection within %g s", r->connect);
    else
        adt_error_set(&t->err, ADT_TIMEOUT, "TotalTimeout", "no complete answer within %g s", r->total);
    t->err.retryable = true;
}

/* libcurl's own words, unless they quote a URL: that of a proxy may hold a password. */
static const char *words(struct adt_transfer *t, CURLcode result)
{
    bool good = t->message[0] && !strpbrk(t->message, "@?");
    return good ? t->message : t->http->curl->easy_strerror(result);
}

static void explain_result(struct adt_transfer *t, CURLcode result)
{
    long os = 0;
    t->http->curl->easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os);
    size_t i = 0, n = sizeof meanings / sizeof meanings[0];
    while (i < n && meanings[i].result != result)
        i++;
    if (i == n) {
        adt_error_set(&t->err, ADT_SERVICE, "", "%s", words(t, result));
        snprintf(t->err.code, sizeof t->err.code, "Curl%d", (int)result);
        return;
    }
    adt_error_set(&t->err, meanings[i].cause, meanings[i].code, "%s", words(t, result));
    adt_error_hint(&t->err, "%s", meanings[i].hint);
    t->err.retryable = meanings[i].retry;
    /* A handshake that the network cut off says nothing about TLS. */
    if (result == CURLE_SSL_CONNECT_ERROR &&
        (os == ECONNRESET || os == EPIPE || strstr(t->err.message, "SSL_ERROR_SYSCALL"))) {
        t->err.cause = ADT_SERVICE;
        t->err.retryable = true;
        t->err.hint[0] = '\0';
    }
    if (result == CURLE_COULDNT_CONNECT && t->unix_socket) {
        adt_error_set(&t->err, ADT_SERVICE, "CouldNotConnect", "could not connect to the socket '%s'%s%s",
                      t->unix_socket, os ? ": " : "", os ? strerror((int)os) : "");
        adt_error_hint(&t->err, "does the service run, and may you reach its socket?");
        t->err.retryable = true;
    }
}

void adt_transfer_explain(struct adt_transfer *t, CURLcode result)
{
    if (t->err.cause == ADT_NONE) {
        if (result == CURLE_OUT_OF_MEMORY)
            adt_error_nomem(&t->err);
        else if (result == CURLE_OPERATION_TIMEDOUT)
            explain_timeout(t);
        else if (result != CURLE_OK)
            explain_result(t, result);
        else if (!t->head_done) {
            /* libcurl takes what it has for a head when the connection ends. */
            adt_error_set(&t->err, ADT_SERVICE, "PartialHead",
                          "the connection ended in the middle of the response's head");
            t->err.retryable = true;
        }
    }
    if (t->err.cause == ADT_NONE)
        return;
    snprintf(t->err.where, sizeof t->err.where, "%s", t->where);
    /* Nobody knows whether it was carried out. */
    if (t->err.retryable && t->connected && !t->req.idempotent) {
        t->err.retryable = false;
        adt_error_hint(&t->err, "the request may have been carried out: look before you send it again");
    }
}
