/* sigv4_stream.c - bodies in aws-chunked encoding: each chunk signed onto the one before, trailers behind the last */
#include "aws/sigv4_private.h"

#include "base/mem.h"
#include "base/secret.h"

#include <stdio.h>
#include <strings.h>

enum { CHUNK = 64 << 10, SIGNATURE_N = sizeof ";chunk-signature=" - 1 + SIGV4_HEX };

static const char last_trailer[] = "x-amz-trailer-signature:";

struct adt_sigv4_stream {
    struct adt_digest *digest;
    struct adt_hmac_key key;
    char context[SIGV4_STAMP + SIGV4_SCOPE + 3]; /* stamp and scope, a line each */
    char previous[SIGV4_HEX];                    /* the signature before this one */
    bool is_signed;
    uint64_t left, length;
    size_t chunk, fill, trailer_count;
    struct adt_sigv4_trailer trailers[ADT_SIGV4_TRAILERS];
    char names[ADT_SIGV4_TRAILERS * 64];
    unsigned char *data; /* of the chunk that is not full */
};

/* --- lengths ------------------------------------------------------------------------------------------------------ */

static uint64_t chunk_length(const struct adt_sigv4_stream *st, uint64_t n)
{
    int digits = 1;
    for (uint64_t rest = n >> 4; rest; rest >>= 4)
        digits++;
    return (uint64_t)digits + (st->is_signed ? SIGNATURE_N : 0) + 2 + n + (n ? 2 : 0);
}

static uint64_t encoded_length(const struct adt_sigv4_stream *st)
{
    uint64_t rest = st->left % st->chunk, total = st->left / st->chunk * chunk_length(st, st->chunk);
    total += (rest ? chunk_length(st, rest) : 0) + chunk_length(st, 0) + 2;
    for (size_t i = 0; i < st->trailer_count; i++)
        total += strlen(st->trailers[i].name) + 1 + st->trailers[i].value_n + 2;
    if (st->is_signed && st->trailer_count)
        total += sizeof last_trailer - 1 + SIGV4_HEX + 2;
    return total;
}

/* --- beginning ---------------------------------------------------------------------------------------------------- */

static int bad_options(struct adt_error *err, const char *why)
{
    return adt_error_set(err, ADT_USAGE, "BadStream", "%s", why);
}

/* Sorted, since their canonical form is. */
static int take_trailers(struct adt_sigv4_stream *st, const struct adt_sigv4_stream_options *opt, struct adt_error *err)
{
    char *d = st->names;
    if (opt->trailer_count > ADT_SIGV4_TRAILERS)
        return bad_options(err, "there are too many trailers");
    for (size_t i = 0; i < opt->trailer_count; i++) {
        const struct adt_sigv4_trailer *t = &opt->trailers[i];
        size_t n = strlen(t->name);
        if (n == 0 || n > 63 || strspn(t->name, "abcdefghijklmnopqrstuvwxyz0123456789-") != n || t->value_n > 1024)
            return bad_options(err, "a trailer's name is not in lower case, or its value too long");
        if (i > 0 && strcmp(opt->trailers[i - 1].name, t->name) >= 0)
            return bad_options(err, "the trailers are not in the order of their names");
        st->trailers[i] = (struct adt_sigv4_trailer){memcpy(d, t->name, n + 1), t->value_n};
        d += n + 1;
    }
    st->trailer_count = opt->trailer_count;
    return 0;
}

static int take_options(struct adt_sigv4_stream *st, const struct adt_sigv4_stream_options *opt, struct adt_error *err)
{
    st->chunk = opt->chunk ? opt->chunk : CHUNK;
    st->left = opt->length;
    st->is_signed = !opt->unsigned_chunks;
    if (st->chunk < ADT_SIGV4_CHUNK_MIN || st->chunk > ADT_SIGV4_CHUNK_MAX)
        return bad_options(err, "a chunk is 8 KiB to 16 MiB long");
    if (opt->length > (uint64_t)1 << 50)
        return bad_options(err, "the body is too long");
    if (opt->unsigned_chunks && !opt->trailer_count)
        return bad_options(err, "a body without signatures needs a checksum in a trailer");
    if (take_trailers(st, opt, err) < 0)
        return -1;
    st->length = encoded_length(st);
    if (!(st->digest = adt_digest_new(ADT_SHA256, err)))
        return -1;
    return (st->data = adt_alloc(st->chunk)) ? 0 : adt_error_nomem(err);
}

/* aws-chunked comes last, as the encoding that is taken off first. */
static int content_encoding(const struct adt_sigv4_request *req, char *text, size_t size, struct adt_error *err)
{
    const char *given = NULL;
    for (size_t i = 0; i < req->header_count; i++)
        if (strcasecmp(req->headers[i].name, "content-encoding") == 0) {
            if (given)
                return bad_options(err, "the request has the header content-encoding twice");
            given = req->headers[i].value;
        }
    int n = snprintf(text, size, "%s%saws-chunked", given ? given : "", given && *given ? "," : "");
    if (n < 0 || (size_t)n >= size)
        return bad_options(err, "the header content-encoding is too long");
    return strpbrk(text, "\r\n") ? bad_options(err, "the header content-encoding holds a line break") : 0;
}

/* Signs the head, and takes over from the signer what the chunks need. */
static int sign_head(struct adt_sigv4_stream *st, struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                     const struct adt_sigv4_credentials *cred, bool open_length, struct adt_sigv4_signed *out,
                     struct adt_error *err)
{
    struct adt_sigv4_request r = *req;
    size_t at = 0;
    if (content_encoding(req, s->encoding, sizeof s->encoding, err) < 0)
        return -1;
    snprintf(s->decoded_length, sizeof s->decoded_length, "%llu", (unsigned long long)st->left);
    snprintf(s->encoded_length, sizeof s->encoded_length, "%llu", (unsigned long long)st->length);
    s->trailer[0] = '\0';
    for (size_t i = 0; i < st->trailer_count; i++)
        at += (size_t)sprintf(s->trailer + at, "%s%s", i ? "," : "", st->trailers[i].name);
    out->headers[0] = (struct adt_sigv4_header){"Content-Encoding", s->encoding};
    out->headers[1] = (struct adt_sigv4_header){"X-Amz-Decoded-Content-Length", s->decoded_length};
    out->count = 2;
    if (!open_length)
        out->headers[out->count++] = (struct adt_sigv4_header){"Content-Length", s->encoded_length};
    if (st->trailer_count)
        out->headers[out->count++] = (struct adt_sigv4_header){"X-Amz-Trailer", s->trailer};
    r.payload = !st->is_signed      ? "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
                : st->trailer_count ? "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
                                    : "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    if (sigv4_sign(s, &r, cred, out, err) < 0)
        return -1;
    st->key = *s->key;
    snprintf(st->context, sizeof st->context, "%s\n%s\n", s->stamp, s->scope);
    memcpy(st->previous, s->signature, SIGV4_HEX);
    return 0;
}

struct adt_sigv4_stream *adt_sigv4_stream_new(struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                                              const struct adt_sigv4_credentials *cred,
                                              const struct adt_sigv4_stream_options *opt, struct adt_sigv4_signed *out,
                                              struct adt_error *err)
{
    struct adt_sigv4_stream *st = adt_zalloc(sizeof *st);
    if (!st) {
        adt_error_nomem(err);
        return NULL;
    }
    if (take_options(st, opt, err) < 0 || sign_head(st, s, req, cred, opt->open_length, out, err) < 0) {
        adt_sigv4_stream_free(st);
        return NULL;
    }
    return st;
}

uint64_t adt_sigv4_stream_length(const struct adt_sigv4_stream *st)
{
    return st->length;
}

void adt_sigv4_stream_free(struct adt_sigv4_stream *st)
{
    if (!st)
        return;
    adt_digest_free(st->digest);
    adt_free(st->data);
    adt_wipe(st, sizeof *st);
    adt_free(st);
}

/* --- the body ----------------------------------------------------------------------------------------------------- */

/* st->previous becomes the signature of [head], the context, itself and the hashes of [p]. */
static int sign_next(struct adt_sigv4_stream *st, const char *algorithm, bool empty_hash, const void *p, size_t n,
                     struct adt_error *err)
{
    char text[SIGV4_TO_SIGN + 1];
    unsigned char digest[ADT_DIGEST_MAX];
    if (adt_digest_add(st->digest, p, n) < 0 || adt_digest_end(st->digest, digest) < 0)
        return sigv4_refused(err);
    char *d = sigv4_put(text, algorithm, strlen(algorithm));
    d = sigv4_put(d, st->context, strlen(st->context));
    d = sigv4_put(d, st->previous, SIGV4_HEX);
    *d++ = '\n';
    if (empty_hash) {
        d = sigv4_put(d, adt_sigv4_empty_hash, SIGV4_HEX);
        *d++ = '\n';
    }
    d = sigv4_hex(d, digest, sizeof digest);
    if (adt_hmac(&st->key, st->digest, text, (size_t)(d - text), digest) < 0)
        return sigv4_refused(err);
    sigv4_hex(st->previous, digest, sizeof digest);
    return 0;
}

static int put_chunk(struct adt_sigv4_stream *st, const void *p, size_t n, struct adt_buf *out, struct adt_error *err)
{
    if (st->is_signed && sign_next(st, "AWS4-HMAC-SHA256-PAYLOAD\n", true, p, n, err) < 0)
        return -1;
    char *begin = adt_buf_grow(out, n + 16 + SIGNATURE_N + 4), *d = begin;
    if (!begin)
        return adt_error_nomem(err);
    d += sprintf(d, "%zx", n);
    if (st->is_signed) {
        d = SIGV4_PUT(d, ";chunk-signature=");
        d = sigv4_put(d, st->previous, SIGV4_HEX);
    }
    d = SIGV4_PUT(d, "\r\n");
    if (n) {
        d = sigv4_put(d, p, n);
        d = SIGV4_PUT(d, "\r\n");
    }
    *d = '\0';
    out->len += (size_t)(d - begin);
    return 0;
}

int adt_sigv4_stream_add(struct adt_sigv4_stream *st, const void *p, size_t n, struct adt_buf *out,
                         struct adt_error *err)
{
    const unsigned char *s = p;
    if (n > st->left)
        return adt_error_set(err, ADT_USAGE, "BadLength", "the body is longer than was announced");
    st->left -= n;
    while (n > 0) {
        size_t take = n < st->chunk - st->fill ? n : st->chunk - st->fill;
        if (take == st->chunk) { /* as it lies, without a copy */
            if (put_chunk(st, s, take, out, err) < 0)
                return -1;
        } else {
            memcpy(st->data + st->fill, s, take);
            st->fill += take;
        }
        if (st->fill == st->chunk) {
            if (put_chunk(st, st->data, st->fill, out, err) < 0)
                return -1;
            st->fill = 0;
        }
        s += take;
        n -= take;
    }
    return 0;
}

static int check_trailer(const struct adt_sigv4_trailer *t, const char *value, struct adt_error *err)
{
    if (strlen(value) != t->value_n)
        return adt_error_set(err, ADT_USAGE, "BadTrailer", "the trailer %s is not %zu bytes long", t->name, t->value_n);
    for (const char *p = value; *p; p++)
        if (*p <= ' ' || *p > '~')
            return adt_error_set(err, ADT_USAGE, "BadTrailer", "the trailer %s holds a character that it cannot have",
                                 t->name);
    return 0;
}

static int put_trailers(struct adt_sigv4_stream *st, const char *const *values, struct adt_buf *out,
                        struct adt_error *err)
{
    struct adt_buf block;
    int rc = 0;
    adt_buf_init(&block, ADT_SIGV4_TRAILERS * 2048);
    for (size_t i = 0; i < st->trailer_count && rc == 0; i++) {
        const char *name = st->trailers[i].name, *value = values ? values[i] : "";
        if (check_trailer(&st->trailers[i], value, err) < 0)
            rc = -1;
        else if (adt_buf_addf(&block, "%s:%s\n", name, value) < 0 || adt_buf_addf(out, "%s:%s\r\n", name, value) < 0)
            rc = adt_error_nomem(err);
    }
    if (rc == 0 && st->is_signed) {
        rc = sign_next(st, "AWS4-HMAC-SHA256-TRAILER\n", false, block.p, block.len, err);
        if (rc == 0 && adt_buf_addf(out, "%s%.*s\r\n", last_trailer, (int)SIGV4_HEX, st->previous) < 0)
            rc = adt_error_nomem(err);
    }
    adt_buf_free(&block);
    return rc;
}

int adt_sigv4_stream_end(struct adt_sigv4_stream *st, const char *const *values, struct adt_buf *out,
                         struct adt_error *err)
{
    if (st->left)
        return adt_error_set(err, ADT_USAGE, "BadLength", "the body is %llu bytes shorter than was announced",
                             (unsigned long long)st->left);
    if (st->fill && put_chunk(st, st->data, st->fill, out, err) < 0)
        return -1;
    st->fill = 0;
    if (put_chunk(st, "", 0, out, err) < 0 || (st->trailer_count && put_trailers(st, values, out, err) < 0))
        return -1;
    return adt_buf_adds(out, "\r\n") < 0 ? adt_error_nomem(err) : 0;
}
