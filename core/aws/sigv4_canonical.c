/* sigv4_canonical.c - path, query and headers in the one form that both sides sign */
#include "aws/sigv4_private.h"

#include "base/mem.h"

#include <strings.h>

static bool is_unreserved(unsigned char c)
{
    /* A-Z a-z 0-9 - . _ ~ as a set of bits */
    static const uint64_t set[4] = {UINT64_C(0x03ff600000000000), UINT64_C(0x47fffffe87fffffe), 0, 0};
    return set[c >> 6] >> (c & 63) & 1;
}

static char *put_escape(char *d, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    *d++ = '%';
    *d++ = digits[c >> 4];
    *d++ = digits[c & 15];
    return d;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that an escape at [s] stands for, or -1. */
static int escape_at(const char *s, size_t n)
{
    if (n < 3 || *s != '%')
        return -1;
    int high = hex_value(s[1]), low = hex_value(s[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

char *sigv4_encode(char *d, const char *s, size_t n, bool slash)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (is_unreserved(c) || (slash && c == '/'))
            *d++ = (char)c;
        else
            d = put_escape(d, c);
    }
    return d;
}

int sigv4_check_text(const char *what, const char *text, struct adt_error *err)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            return adt_error_set(err, ADT_USAGE, "BadUrl", "the %s holds a control character", what);
    return 0;
}

/* --- the path ----------------------------------------------------------------------------------------------------- */

/* S3 reads the key and encodes it anew: escapes stay, and what should have been one becomes one. */
static char *path_once(char *d, const char *path, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int c = escape_at(path + i, n - i);
        if (c >= 0) {
            d = put_escape(d, (unsigned char)c);
            i += 2;
        } else {
            d = sigv4_encode(d, path + i, 1, true);
        }
    }
    return d;
}

/* '/' is never encoded, so a segment is taken back by walking to the one before. */
static char *path_normal(char *d, const char *path, size_t n)
{
    char *begin = d;
    for (size_t i = 0, len; i < n; i += len + 1) {
        const char *segment = path + i, *slash = memchr(segment, '/', n - i);
        len = slash ? (size_t)(slash - segment) : n - i;
        if (len == 0 || (len == 1 && segment[0] == '.'))
            continue;
        if (len == 2 && segment[0] == '.' && segment[1] == '.') {
            while (d > begin && *--d != '/')
                ;
            continue;
        }
        *d++ = '/';
        d = sigv4_encode(d, segment, len, false);
    }
    if (d == begin || path[n - 1] == '/')
        *d++ = '/';
    return d;
}

char *sigv4_path(char *d, const char *path, const struct adt_sigv4_request *req)
{
    size_t n = strlen(path);
    if (n == 0)
        return SIGV4_PUT(d, "/");
    if (req->s3)
        return path_once(d, path, n);
    return req->keep_path ? sigv4_encode(d, path, n, true) : path_normal(d, path, n);
}

/* --- the query ---------------------------------------------------------------------------------------------------- */

static struct sigv4_pair *pair_new(struct adt_sigv4 *s, struct adt_error *err)
{
    if (s->pair_count == ADT_SIGV4_QUERY) {
        adt_error_set(err, ADT_USAGE, "TooLarge", "the query has more than %d parameters", (int)ADT_SIGV4_QUERY);
        return NULL;
    }
    if (s->pair_count == s->pair_cap) {
        size_t cap = s->pair_cap ? 2 * s->pair_cap : 32;
        struct sigv4_pair *pairs = adt_realloc(s->pairs, cap * sizeof *pairs);
        if (!pairs) {
            adt_error_nomem(err);
            return NULL;
        }
        s->pairs = pairs;
        s->pair_cap = cap;
    }
    return &s->pairs[s->pair_count++];
}

static char *recode(char *d, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int c = escape_at(s + i, n - i);
        if (c >= 0)
            i += 2;
        else
            c = s[i] == '+' ? ' ' : (unsigned char)s[i];
        char byte = (char)c;
        d = sigv4_encode(d, &byte, 1, false);
    }
    return d;
}

static bool is_auth_param(const char *name, size_t n)
{
    static const char *const ours[] = {"Algorithm", "Credential",    "Date",           "Expires",
                                       "Signature", "SignedHeaders", "Security-Token", "Region-Set"};
    if (n < 6 || strncasecmp(name, "X-Amz-", 6) != 0)
        return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strlen(ours[i]) == n - 6 && strncasecmp(name + 6, ours[i], n - 6) == 0)
            return true;
    return false;
}

static int pair_read(struct adt_sigv4 *s, const char *text, size_t n, struct adt_error *err)
{
    struct sigv4_pair *pair = pair_new(s, err);
    if (!pair)
        return -1;
    char *base = s->query.p, *d = base + s->query.len;
    const char *equals = memchr(text, '=', n);
    size_t key_n = equals ? (size_t)(equals - text) : n;
    pair->key = s->query.len;
    d = recode(d, text, key_n);
    pair->key_n = (size_t)(d - base) - pair->key;
    if (is_auth_param(base + pair->key, pair->key_n)) {
        adt_error_set(err, ADT_USAGE, "AlreadySigned", "the query holds %.*s, which signing adds", (int)pair->key_n,
                      base + pair->key);
        adt_error_hint(err, "sign the request as it was before it was signed");
        return -1;
    }
    pair->value = (size_t)(d - base);
    if (equals)
        d = recode(d, equals + 1, n - key_n - 1);
    s->query.len = (size_t)(d - base);
    pair->value_n = s->query.len - pair->value;
    return 0;
}

int sigv4_query_read(struct adt_sigv4 *s, const char *query, struct adt_error *err)
{
    size_t n = query ? strlen(query) : 0;
    s->pair_count = 0;
    s->query.len = 0;
    if (n == 0)
        return 0;
    if (sigv4_check_text("query", query, err) < 0)
        return -1;
    if (n > ADT_BUF_SIGV4 / 3)
        return sigv4_too_large(err);
    if (!adt_buf_grow(&s->query, 3 * n))
        return sigv4_no_room(err);
    for (size_t i = 0, len; i < n; i += len + 1) {
        const char *amp = memchr(query + i, '&', n - i);
        len = amp ? (size_t)(amp - query) - i : n - i;
        if (len && pair_read(s, query + i, len, err) < 0)
            return -1;
    }
    return 0;
}

int sigv4_query_add(struct adt_sigv4 *s, const char *name, const char *value, size_t value_n, struct adt_error *err)
{
    struct sigv4_pair *pair = pair_new(s, err);
    size_t n = strlen(name);
    if (!pair)
        return -1;
    if (!adt_buf_grow(&s->query, n + 3 * value_n))
        return sigv4_no_room(err);
    char *base = s->query.p, *d = base + s->query.len;
    pair->key = s->query.len;
    pair->key_n = n;
    d = sigv4_put(d, name, n);
    pair->value = pair->key + n;
    d = sigv4_encode(d, value, value_n, false);
    s->query.len = (size_t)(d - base);
    pair->value_n = s->query.len - pair->value;
    return 0;
}

static int compare(const char *a, size_t a_n, const char *b, size_t b_n)
{
    int c = memcmp(a, b, a_n < b_n ? a_n : b_n);
    return c ? c : (a_n > b_n) - (a_n < b_n);
}

static bool pair_before(const char *base, const struct sigv4_pair *a, const struct sigv4_pair *b)
{
    int c = compare(base + a->key, a->key_n, base + b->key, b->key_n);
    if (c == 0)
        c = compare(base + a->value, a->value_n, base + b->value, b->value_n);
    return c < 0;
}

/* By insertion: queries are short or nearly sorted, and the C library's qsort() may allocate. */
void sigv4_query_sort(struct adt_sigv4 *s)
{
    for (size_t i = 1; i < s->pair_count; i++) {
        struct sigv4_pair pair = s->pairs[i];
        size_t at = i;
        for (; at > 0 && pair_before(s->query.p, &pair, &s->pairs[at - 1]); at--)
            s->pairs[at] = s->pairs[at - 1];
        s->pairs[at] = pair;
    }
}

char *sigv4_query_write(const struct adt_sigv4 *s, char *d)
{
    for (size_t i = 0; i < s->pair_count; i++) {
        const struct sigv4_pair *pair = &s->pairs[i];
        if (i > 0)
            *d++ = '&';
        d = sigv4_put(d, s->query.p + pair->key, pair->key_n);
        *d++ = '=';
        d = sigv4_put(d, s->query.p + pair->value, pair->value_n);
    }
    return d;
}
