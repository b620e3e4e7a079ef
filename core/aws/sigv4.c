/* sigv4.c - AWS Signature Version 4 in a header and in a query; the page is docs/internals/aws.md */
#include "aws/sigv4_private.h"

#include "base/mem.h"
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>

const char adt_sigv4_empty_hash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/* --- the signer --------------------------------------------------------------------------------------------------- */

static struct adt_buf *const *buffers(struct adt_sigv4 *s, struct adt_buf *list[static 6])
{
    list[0] = &s->canonical;
    list[1] = &s->lower;
    list[2] = &s->names;
    list[3] = &s->query;
    list[4] = &s->text;
    list[5] = NULL;
    return list;
}

struct adt_sigv4 *adt_sigv4_new(struct adt_error *err)
{
    struct adt_buf *list[6];
    struct adt_sigv4 *s = adt_zalloc(sizeof *s);
    if (!s) {
        adt_error_nomem(err);
        return NULL;
    }
    for (struct adt_buf *const *b = buffers(s, list); *b; b++)
        adt_buf_init(*b, ADT_BUF_SIGV4);
    if (!(s->digest = adt_digest_new(ADT_SHA256, err))) {
        adt_free(s);
        return NULL;
    }
    return s;
}

void adt_sigv4_free(struct adt_sigv4 *s)
{
    struct adt_buf *list[6];
    if (!s)
        return;
    for (struct adt_buf *const *b = buffers(s, list); *b; b++) {
        adt_wipe((*b)->p, (*b)->cap);
        adt_buf_free(*b);
    }
    adt_free(s->pairs);
    adt_digest_free(s->digest);
    adt_wipe(s, sizeof *s);
    adt_free(s);
}

int sigv4_refused(struct adt_error *err)
{
    return adt_error_set(err, ADT_INTERNAL, "OpenSSL", "OpenSSL cannot compute SHA256");
}

int sigv4_too_large(struct adt_error *err)
{
    return adt_error_set(err, ADT_USAGE, "TooLarge",
                         "the request is too large to be signed: 1 MiB of path, query and headers is the most");
}

int sigv4_no_room(struct adt_error *err)
{
    return errno == ENOMEM ? adt_error_nomem(err) : sigv4_too_large(err);
}

/* Without a jump or a table, so that compilers make it a loop over many bytes at a time. */
char *sigv4_hex(char *restrict d, const unsigned char *restrict p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char high = p[i] >> 4, low = p[i] & 15;
        d[2 * i] = (char)('0' + high + (high > 9 ? 'a' - '0' - 10 : 0));
        d[2 * i + 1] = (char)('0' + low + (low > 9 ? 'a' - '0' - 10 : 0));
    }
    return d + 2 * n;
}

/* --- what is checked before anything is computed ------------------------------------------------------------------ */

/* A word that becomes part of a scope: what separates scopes, headers and parameters may not be in it. */
static bool is_word_char(unsigned char c)
{
    /* 0x21 to 0x7e but for & , / ; = as a set of bits */
    static const uint64_t set[4] = {UINT64_C(0xd7ff6fbe00000000), UINT64_C(0x7fffffffffffffff), 0, 0};
    return set[c >> 6] >> (c & 63) & 1;
}

static int check_length(const char *what, const char *word, struct adt_error *err)
{
    if (!word || !*word)
        return adt_error_set(err, ADT_USAGE, "NoScope", "the %s is missing", what);
    if (strlen(word) > SIGV4_WORD)
        return adt_error_set(err, ADT_USAGE, "BadScope", "the %s is longer than %d bytes", what, (int)SIGV4_WORD);
    return 0;
}

static int check_word(const char *what, const char *word, struct adt_error *err)
{
    for (; *word; word++)
        if (!is_word_char((unsigned char)*word))
            return adt_error_set(err, ADT_USAGE, "BadScope", "the %s holds a character that it cannot have", what);
    return 0;
}

static int check_credentials(const struct adt_sigv4_credentials *cred, struct adt_error *err)
{
    if (check_length("access key", cred->access_key, err) < 0)
        return -1;
    size_t n = cred->secret ? strlen(cred->secret) : 0;
    if (n == 0 || n > SIGV4_SECRET)
        return adt_error_set(err, ADT_USAGE, "BadSecret", "the secret key is %s", n ? "too long" : "missing");
    const char *token = cred->session_token ? cred->session_token : "";
    bool bad = false;
    if ((n = strlen(token)) > SIGV4_TOKEN)
        return adt_error_set(err, ADT_USAGE, "BadToken", "the session token is longer than %d bytes", (int)SIGV4_TOKEN);
    for (size_t i = 0; i < n; i++)
        bad |= token[i] <= ' ' || token[i] > '~';
    if (bad)
        return adt_error_set(err, ADT_USAGE, "BadToken", "the session token holds a character that it cannot have");
    return 0;
}

static int check_request(const struct adt_sigv4_request *req, struct adt_error *err)
{
    size_t n = 0;
    while (req->method && is_word_char((unsigned char)req->method[n]))
        n++;
    if (n == 0 || n > 32 || req->method[n])
        return adt_error_set(err, ADT_USAGE, "BadMethod", "that is no HTTP method");
    if (!req->path || (*req->path && *req->path != '/'))
        return adt_error_set(err, ADT_USAGE, "BadUrl", "the path does not begin with '/'");
    if (sigv4_check_text("path", req->path, err) < 0)
        return -1;
    if (check_length("region", req->region, err) < 0)
        return -1;
    return check_length("service", req->service, err);
}

/* The words of a scope for which no key is kept. */
static int check_scope(const struct adt_sigv4_request *req, const struct adt_sigv4_credentials *cred,
                       struct adt_error *err)
{
    if (check_word("access key", cred->access_key, err) < 0 || check_word("region", req->region, err) < 0)
        return -1;
    return check_word("service", req->service, err);
}

static bool is_payload(const char *text)
{
    static const char *const words[] = {
        ADT_SIGV4_UNSIGNED,
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-EVENTS",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], text) == 0)
            return true;
    return strlen(text) == SIGV4_HEX && strspn(text, "0123456789abcdef") == SIGV4_HEX;
}

/* --- the parts ---------------------------------------------------------------------------------------------------- */

static char *put_decimal(char *d, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        d[i] = (char)('0' + value % 10);
    return d + digits;
}

/* The proleptic Gregorian calendar; years begin in March, so that leap days come last. */
static int stamp_set(struct adt_sigv4 *s, int64_t seconds, int64_t offset, struct adt_error *err)
{
    const int64_t end = INT64_C(253402300800); /* year 10000 */
    if (seconds < -end || seconds > end || offset < -end || offset > end || seconds + offset < 0 ||
        seconds + offset >= end)
        return adt_error_set(err, ADT_USAGE, "BadTime", "the time is not between the years 1970 and 9999");
    seconds += offset;
    if (s->stamp[0] && s->stamp_time == seconds)
        return 0;
    s->stamp_time = seconds;
    int64_t days = seconds / 86400 + 719468, of_day = seconds % 86400;
    int64_t era = days / 146097, of_era = days % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100), m = (5 * of_year + 2) / 153;
    int64_t month = m < 10 ? m + 3 : m - 9, year = year_of_era + era * 400 + (month <= 2);
    char *d = put_decimal(s->stamp, year, 4);
    d = put_decimal(d, month, 2);
    d = put_decimal(d, of_year - (153 * m + 2) / 5 + 1, 2);
    *d++ = 'T';
    d = put_decimal(d, of_day / 3600, 2);
    d = put_decimal(d, of_day / 60 % 60, 2);
    d = put_decimal(d, of_day % 60, 2);
    *d++ = 'Z';
    *d = '\0';
    return 0;
}

static void scope_set(struct adt_sigv4 *s, const struct adt_sigv4_request *req)
{
    char *d = sigv4_put(s->scope, s->stamp, 8);
    *d++ = '/';
    d = sigv4_put(d, req->region, strlen(req->region));
    *d++ = '/';
    d = sigv4_put(d, req->service, strlen(req->service));
    d = SIGV4_PUT(d, "/aws4_request");
    *d = '\0';
    s->scope_n = (size_t)(d - s->scope);
}

static int payload_set(struct adt_sigv4 *s, const struct adt_sigv4_request *req, struct adt_error *err)
{
    unsigned char digest[ADT_DIGEST_MAX];
    if (req->payload) {
        s->payload = req->payload;
        if (!is_payload(req->payload))
            return adt_error_set(err, ADT_USAGE, "BadPayload",
                                 "the payload is neither a SHA-256 in lower-case hex nor a word of the protocol");
        return 0;
    }
    s->payload = adt_sigv4_empty_hash;
    if (req->body_n == 0)
        return 0;
    if (adt_digest_add(s->digest, req->body, req->body_n) < 0 || adt_digest_end(s->digest, digest) < 0)
        return sigv4_refused(err);
    *sigv4_hex(s->payload_hex, digest, sizeof digest) = '\0';
    s->payload = s->payload_hex;
    return 0;
}

static int prepare(struct adt_sigv4 *s, const struct adt_sigv4_request *req, const struct adt_sigv4_credentials *cred,
                   struct adt_error *err)
{
    s->canonical.len = 0;
    s->to_sign_n = 0;
    s->to_sign[0] = '\0';
    if (check_request(req, err) < 0 || check_credentials(cred, err) < 0 ||
        stamp_set(s, req->time, req->clock_offset, err) < 0)
        return -1;
    scope_set(s, req);
    if (sigv4_key_find(s, cred, err) < 0)
        return -1;
    return s->key ? 0 : check_scope(req, cred, err);
}

static int canonical_set(struct adt_sigv4 *s, const struct adt_sigv4_request *req, struct adt_error *err)
{
    size_t method_n = strlen(req->method), path_n = strlen(req->path), payload_n = strlen(s->payload);
    if (path_n > ADT_BUF_SIGV4 / 3)
        return sigv4_too_large(err);
    char *begin = adt_buf_grow(&s->canonical, method_n + 3 * path_n + s->query.len + 2 * s->pair_count +
                                                  sigv4_fields_room(s) + s->names.len + payload_n + 8);
    if (!begin)
        return sigv4_no_room(err);
    char *d = sigv4_put(begin, req->method, method_n);
    *d++ = '\n';
    d = sigv4_path(d, req->path, req);
    *d++ = '\n';
    sigv4_query_sort(s);
    d = sigv4_query_write(s, d);
    *d++ = '\n';
    d = sigv4_fields_write(s, d);
    *d++ = '\n';
    d = sigv4_put(d, s->names.p, s->names.len);
    *d++ = '\n';
    d = sigv4_put(d, s->payload, payload_n);
    *d = '\0';
    s->canonical.len = (size_t)(d - begin);
    return 0;
}

static int signature_set(struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                         const struct adt_sigv4_credentials *cred, struct adt_error *err)
{
    unsigned char digest[ADT_DIGEST_MAX];
    if (!s->key && sigv4_key_derive(s, req, cred, err) < 0)
        return -1;
    if (adt_digest_add(s->digest, s->canonical.p, s->canonical.len) < 0 || adt_digest_end(s->digest, digest) < 0)
        return sigv4_refused(err);
    char *d = SIGV4_PUT(s->to_sign, "AWS4-HMAC-SHA256\n");
    d = sigv4_put(d, s->stamp, SIGV4_STAMP);
    *d++ = '\n';
    d = sigv4_put(d, s->scope, s->scope_n);
    *d++ = '\n';
    d = sigv4_hex(d, digest, sizeof digest);
    *d = '\0';
    s->to_sign_n = (size_t)(d - s->to_sign);
    if (adt_hmac(s->key, s->digest, s->to_sign, s->to_sign_n, digest) < 0)
        return sigv4_refused(err);
    *sigv4_hex(s->signature, digest, sizeof digest) = '\0';
    return 0;
}

/* --- in a header -------------------------------------------------------------------------------------------------- */

static void add(struct adt_sigv4_signed *out, const char *name, const char *value)
{
    out->headers[out->count++] = (struct adt_sigv4_header){name, value};
}

static int authorization_set(struct adt_sigv4 *s, const struct adt_sigv4_credentials *cred, struct adt_error *err)
{
    size_t key_n = strlen(cred->access_key);
    s->text.len = 0;
    char *begin = adt_buf_grow(&s->text, key_n + s->scope_n + s->names.len + SIGV4_HEX + 80), *d = begin;
    if (!begin)
        return sigv4_no_room(err);
    d = SIGV4_PUT(d, "AWS4-HMAC-SHA256 Credential=");
    d = sigv4_put(d, cred->access_key, key_n);
    *d++ = '/';
    d = sigv4_put(d, s->scope, s->scope_n);
    d = SIGV4_PUT(d, ", SignedHeaders=");
    d = sigv4_put(d, s->names.p, s->names.len);
    d = SIGV4_PUT(d, ", Signature=");
    d = sigv4_put(d, s->signature, SIGV4_HEX);
    *d = '\0';
    s->text.len = (size_t)(d - begin);
    return 0;
}

int sigv4_sign(struct adt_sigv4 *s, const struct adt_sigv4_request *req, const struct adt_sigv4_credentials *cred,
               struct adt_sigv4_signed *out, struct adt_error *err)
{
    const char *token = cred->session_token && *cred->session_token ? cred->session_token : NULL;
    if (prepare(s, req, cred, err) < 0 || payload_set(s, req, err) < 0)
        return -1;
    if (token && !req->token_after)
        add(out, "X-Amz-Security-Token", token);
    add(out, "X-Amz-Date", s->stamp);
    /* A server takes any word for a hash of the body unless it is told. */
    if (req->s3 || req->content_sha256 || strlen(s->payload) != SIGV4_HEX)
        add(out, "x-amz-content-sha256", s->payload);
    s->pair_count = 0;
    if (sigv4_fields_read(s, req, out, err) < 0 || sigv4_query_read(s, req->query, err) < 0 ||
        canonical_set(s, req, err) < 0 || signature_set(s, req, cred, err) < 0 || authorization_set(s, cred, err) < 0)
        return -1;
    add(out, "Authorization", s->text.p);
    if (token && req->token_after)
        add(out, "X-Amz-Security-Token", token);
    out->signature = s->signature;
    return 0;
}

int adt_sigv4_sign_headers(struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                           const struct adt_sigv4_credentials *cred, struct adt_sigv4_signed *out,
                           struct adt_error *err)
{
    out->count = 0;
    return sigv4_sign(s, req, cred, out, err);
}

/* --- in a query --------------------------------------------------------------------------------------------------- */

/* Where the parameters of the signature begin in s->pairs, in the order in which they are sent. */
static int auth_params(struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                       const struct adt_sigv4_credentials *cred, int64_t expires, struct adt_error *err)
{
    char credential[SIGV4_WORD + 1 + SIGV4_SCOPE + 1], seconds[24];
    int n = snprintf(credential, sizeof credential, "%s/%s", cred->access_key, s->scope);
    int seconds_n = snprintf(seconds, sizeof seconds, "%lld", (long long)expires);
    if (sigv4_query_add(s, "X-Amz-Algorithm", "AWS4-HMAC-SHA256", sizeof "AWS4-HMAC-SHA256" - 1, err) < 0 ||
        sigv4_query_add(s, "X-Amz-Credential", credential, (size_t)n, err) < 0 ||
        sigv4_query_add(s, "X-Amz-Date", s->stamp, SIGV4_STAMP, err) < 0 ||
        sigv4_query_add(s, "X-Amz-SignedHeaders", s->names.p, s->names.len, err) < 0 ||
        sigv4_query_add(s, "X-Amz-Expires", seconds, (size_t)seconds_n, err) < 0)
        return -1;
    const char *token = cred->session_token;
    if (!token || !*token || req->token_after)
        return 0;
    return sigv4_query_add(s, "X-Amz-Security-Token", token, strlen(token), err);
}

/* The caller's query as it was, then the signature's parameters as they stand in s->pairs before these are sorted. */
static int query_begin(struct adt_sigv4 *s, const char *query, size_t first, struct adt_error *err)
{
    size_t n = query ? strlen(query) : 0;
    const struct sigv4_pair *p = s->pairs + first, *end = s->pairs + s->pair_count;
    s->text.len = 0;
    if (adt_buf_add(&s->text, query ? query : "", n) < 0)
        return sigv4_no_room(err);
    for (; p < end; p++) {
        bool amp = s->text.len > 0 && s->text.p[s->text.len - 1] != '&';
        if ((amp && adt_buf_addc(&s->text, '&') < 0) || adt_buf_add(&s->text, s->query.p + p->key, p->key_n) < 0 ||
            adt_buf_addc(&s->text, '=') < 0 || adt_buf_add(&s->text, s->query.p + p->value, p->value_n) < 0)
            return sigv4_no_room(err);
    }
    return 0;
}

static int query_end(struct adt_sigv4 *s, const char *token, struct adt_error *err)
{
    if (adt_buf_addf(&s->text, "&X-Amz-Signature=%s", s->signature) < 0)
        return sigv4_no_room(err);
    if (!token)
        return 0;
    if (adt_buf_adds(&s->text, "&X-Amz-Security-Token=") < 0 || !adt_buf_grow(&s->text, 3 * strlen(token)))
        return sigv4_no_room(err);
    char *d = sigv4_encode(s->text.p + s->text.len, token, strlen(token), false);
    *d = '\0';
    s->text.len = (size_t)(d - s->text.p);
    return 0;
}

int adt_sigv4_presign(struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                      const struct adt_sigv4_credentials *cred, int64_t expires, const char **query,
                      struct adt_error *err)
{
    const struct adt_sigv4_signed none = {.count = 0};
    struct adt_sigv4_request r = *req;
    if (expires < 1 || expires > ADT_SIGV4_EXPIRES)
        return adt_error_set(err, ADT_USAGE, "BadExpires", "a presigned URL lasts 1 to %d seconds",
                             (int)ADT_SIGV4_EXPIRES);
    /* Whoever uses the URL would have to send the hash as a header, which is then no part of the URL. */
    if (r.s3 && ((r.payload && strcmp(r.payload, ADT_SIGV4_UNSIGNED) != 0) || r.body_n))
        return adt_error_set(err, ADT_USAGE, "BadPayload", "a presigned URL of S3 does not cover a body");
    if (r.s3)
        r.payload = ADT_SIGV4_UNSIGNED;
    if (prepare(s, &r, cred, err) < 0 || payload_set(s, &r, err) < 0 || sigv4_fields_read(s, &r, &none, err) < 0 ||
        sigv4_query_read(s, r.query, err) < 0)
        return -1;
    size_t first = s->pair_count;
    const char *token = r.token_after && cred->session_token && *cred->session_token ? cred->session_token : NULL;
    if (auth_params(s, &r, cred, expires, err) < 0 || query_begin(s, r.query, first, err) < 0 ||
        canonical_set(s, &r, err) < 0 || signature_set(s, &r, cred, err) < 0 || query_end(s, token, err) < 0)
        return -1;
    *query = s->text.p;
    return 0;
}

const char *adt_sigv4_canonical_request(const struct adt_sigv4 *s)
{
    return s->canonical.len ? s->canonical.p : "";
}

const char *adt_sigv4_string_to_sign(const struct adt_sigv4 *s)
{
    return s->to_sign;
}
