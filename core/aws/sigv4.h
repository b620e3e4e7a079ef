/* sigv4.h - AWS Signature Version 4: signed headers, presigned URLs, bodies signed piece by piece
 *
 * Requests are given as they go over the wire. Nothing here talks to a server or reads a clock. */
#ifndef ADT_AWS_SIGV4_H
#define ADT_AWS_SIGV4_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ADT_SIGV4_HEADERS = 128,    /* of a request at most */
    ADT_SIGV4_QUERY = 4096,     /* names and values in a query at most */
    ADT_SIGV4_EXPIRES = 604800, /* seconds that a URL lasts at most */
    ADT_SIGV4_ADDED = 8,        /* headers that signing adds at most */
    ADT_SIGV4_TRAILERS = 4,     /* after a body at most */
    ADT_SIGV4_CHUNK_MIN = 8192, /* bytes; S3 refuses smaller ones, but for the last */
    ADT_SIGV4_CHUNK_MAX = 16 << 20,
};

#define ADT_SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

struct adt_sigv4; /* a signer: kept keys and memory; for one thread at a time */
struct adt_sigv4_stream;

struct adt_sigv4_header {
    const char *name, *value;
};

struct adt_sigv4_request {
    const char *method, *path; /* the path as sent, percent-encoded; it begins with '/' */
    const char *query;         /* as sent, without the '?'; NULL: none. '+' is read as a blank, as servers do */
    const struct adt_sigv4_header *headers;
    /* All of them are signed, but those that proxies and clients change on the way. One must be "host". Folded lines
     * are taken; any other line break is an error, and so is a header that signing adds. */
    size_t header_count;
    const void *body; /* hashed unless [payload] is given */
    size_t body_n;
    const char
        *payload; /* the body's SHA-256 in lower-case hex, ADT_SIGV4_UNSIGNED or a STREAMING- word; NULL: as above */
    const char *service, *region;
    int64_t time, clock_offset; /* seconds since the epoch on this machine; what to add for the server's clock */
    bool s3;                    /* the path is encoded once and kept as it is, and the payload's hash is a header */
    bool keep_path;             /* other services: no "." and ".." resolved, no "//" folded */
    bool content_sha256;        /* send and sign x-amz-content-sha256 also where it is not needed */
    bool token_after;           /* the session token is sent, but no part of the signature */
};

struct adt_sigv4_credentials {
    const char *access_key, *secret, *session_token; /* session_token: NULL or "": none */
};

struct adt_sigv4_signed {
    struct adt_sigv4_header headers[ADT_SIGV4_ADDED]; /* to be sent, in place of the caller's of the same name */
    size_t count;
    const char *signature; /* lower-case hex */
};

struct adt_sigv4 *adt_sigv4_new(struct adt_error *err);
/* NULL with [err] filled: out of memory, or no OpenSSL. */

void adt_sigv4_free(struct adt_sigv4 *s);
/* Wipes what it holds. Takes NULL. */

void adt_sigv4_forget(struct adt_sigv4 *s, const char *access_key);
/* Wipes the derived keys of [access_key]; NULL: all; and the last secret. A key is for one secret, day, region and
 * service, so new credentials under an old name never meet it; this is for not keeping it. */

int adt_sigv4_sign_headers(struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                           const struct adt_sigv4_credentials *cred, struct adt_sigv4_signed *out,
                           struct adt_error *err);
/* Signs in the Authorization header, which is among out->headers. What [out] points to is the signer's, or [cred]'s,
 * and lasts until the signer's next call. Allocates nothing once the signer has grown to its use. -1: the request
 * cannot be signed as it is (ADT_USAGE), or OpenSSL refuses. Secret and token are registered for redaction. */

int adt_sigv4_presign(struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                      const struct adt_sigv4_credentials *cred, int64_t expires, const char **query,
                      struct adt_error *err);
/* Signs in the query: [query] is the caller's with the parameters of the signature behind it, the signer's until its
 * next call. [expires]: 1 to ADT_SIGV4_EXPIRES seconds. The payload of S3 is ADT_SIGV4_UNSIGNED and nothing else. The
 * result grants what it asks for: treat it as a secret. */

const char *adt_sigv4_canonical_request(const struct adt_sigv4 *s);
const char *adt_sigv4_string_to_sign(const struct adt_sigv4 *s);
/* Of the last signature made, to find out why a server refuses it. They hold the session token. "" before the first. */

struct adt_sigv4_url {
    const char *authority, *path, *query; /* into the text; query: after the '?', or NULL */
    size_t authority_n, path_n, query_n;
    char host[262]; /* as the Host header says it: lower case, the scheme's own port left out */
};

int adt_sigv4_url_split(const char *url, struct adt_sigv4_url *out, struct adt_error *err);
/* Takes "http(s)://host[:port][/path][?query]" apart and changes nothing. -1 (ADT_USAGE) for any other text, with user
 * names, fragments and control characters. */

/* --- bodies in aws-chunked encoding ------------------------------------------------------------------------------- */

struct adt_sigv4_trailer {
    const char *name; /* lower case */
    size_t value_n;   /* bytes that its value will have */
};

struct adt_sigv4_stream_options {
    uint64_t length;      /* bytes of the body */
    size_t chunk;         /* ADT_SIGV4_CHUNK_MIN to _MAX; 0: 64 KiB */
    bool unsigned_chunks; /* only the trailers vouch for the body; needs one */
    bool open_length;     /* no Content-Length: for Transfer-Encoding: chunked */
    const struct adt_sigv4_trailer *trailers;
    size_t trailer_count;
};

struct adt_sigv4_stream *adt_sigv4_stream_new(struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                                              const struct adt_sigv4_credentials *cred,
                                              const struct adt_sigv4_stream_options *opt, struct adt_sigv4_signed *out,
                                              struct adt_error *err);
/* Signs the head as adt_sigv4_sign_headers(), with the headers of the encoding, and begins the body; req->payload and
 * req->body play no part. The stream needs the signer no more. NULL with [err] filled. */

uint64_t adt_sigv4_stream_length(const struct adt_sigv4_stream *st);
/* Bytes of the whole encoded body. */

int adt_sigv4_stream_add(struct adt_sigv4_stream *st, const void *p, size_t n, struct adt_buf *out,
                         struct adt_error *err);
/* Takes the next bytes of the body and appends the chunks that are full to [out]; keeps less than a chunk. -1: more
 * than was announced, out of memory, or OpenSSL refuses; the stream is of no use then. */

int adt_sigv4_stream_end(struct adt_sigv4_stream *st, const char *const *values, struct adt_buf *out,
                         struct adt_error *err);
/* Appends the rest, the last chunk and the trailers with [values], in the order of the options. -1 also when the body
 * or a value is not as long as was announced. */

void adt_sigv4_stream_free(struct adt_sigv4_stream *st);
/* Wipes what it holds. Takes NULL. */

#endif
