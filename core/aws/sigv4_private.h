/* sigv4_private.h - what the files of the signer share */
#ifndef ADT_AWS_SIGV4_PRIVATE_H
#define ADT_AWS_SIGV4_PRIVATE_H

#include "aws/sigv4.h"
#include "data/digest.h"

#include <string.h>

enum {
    SIGV4_WORD = 128, /* bytes of an access key, a region, a service at most */
    SIGV4_SECRET = 1024,
    SIGV4_SECRET_USUAL = 128,
    SIGV4_TOKEN = 16384,
    SIGV4_HEX = 64,
    SIGV4_STAMP = 16, /* 20150830T123600Z */
    SIGV4_SCOPE = 8 + 1 + SIGV4_WORD + 1 + SIGV4_WORD + sizeof "/aws4_request",
    SIGV4_TO_SIGN = 32 + SIGV4_STAMP + SIGV4_SCOPE + 3 * (SIGV4_HEX + 1),
    SIGV4_KEYS = 16,
};

extern const char adt_sigv4_empty_hash[SIGV4_HEX + 1];

/* A header to be signed. */
struct sigv4_field {
    const char *name, *value; /* the name in lower case */
    size_t name_n, value_n;
    bool plain; /* nothing to trim */
};

/* A name and a value of a query, encoded; places in adt_sigv4.query. */
struct sigv4_pair {
    size_t key, key_n, value, value_n;
};

struct sigv4_key {
    uint64_t used;                        /* 0: free */
    unsigned char secret[ADT_DIGEST_MAX]; /* its SHA-256 */
    char access_key[SIGV4_WORD + 1], scope[SIGV4_SCOPE + 1];
    struct adt_hmac_key key;
};

struct adt_sigv4 {
    struct adt_digest *digest;
    struct adt_buf canonical, lower, names, query, text;
    struct sigv4_field fields[ADT_SIGV4_HEADERS + ADT_SIGV4_ADDED];
    size_t field_count;
    struct sigv4_pair *pairs;
    size_t pair_count, pair_cap;
    int64_t stamp_time; /* of [stamp], if there is one */
    char stamp[SIGV4_STAMP + 1], scope[SIGV4_SCOPE + 1];
    size_t scope_n;
    const char *payload;
    char payload_hex[SIGV4_HEX + 1], signature[SIGV4_HEX + 1], to_sign[SIGV4_TO_SIGN + 1];
    size_t to_sign_n;
    char encoding[256], decoded_length[24], encoded_length[24],
        trailer[ADT_SIGV4_TRAILERS * 64]; /* of a stream's head */
    const struct adt_hmac_key *key;       /* NULL: to be derived */
    struct sigv4_key keys[SIGV4_KEYS];
    size_t last; /* the key that was used last */
    uint64_t turn;
    char secret[SIGV4_SECRET_USUAL]; /* the last one; longer ones are not kept */
    unsigned char secret_hash[ADT_DIGEST_MAX];
};

/* The cursor of a writer who has made room before. */
static inline char *sigv4_put(char *d, const char *s, size_t n)
{
    memcpy(d, s, n);
    return d + n;
}

#define SIGV4_PUT(d, literal) sigv4_put(d, literal, sizeof(literal) - 1)

char *sigv4_hex(char *d, const unsigned char *p, size_t n);
int sigv4_refused(struct adt_error *err);
int sigv4_too_large(struct adt_error *err);
int sigv4_no_room(struct adt_error *err);
/* After a buffer could not grow. */

/* sigv4_canonical.c: path and query of a canonical request. */

char *sigv4_encode(char *d, const char *s, size_t n, bool slash);
/* Percent-encodes all but unreserved characters, and '/' if [slash]; at most 3n bytes. */

char *sigv4_path(char *d, const char *path, const struct adt_sigv4_request *req);
/* At most 3n + 1 bytes. */

int sigv4_check_text(const char *what, const char *text, struct adt_error *err);
/* No control characters in a path or query. */

int sigv4_query_read(struct adt_sigv4 *s, const char *query, struct adt_error *err);
/* The caller's query as s->pairs; a parameter of the signature's own is an error. */

int sigv4_query_add(struct adt_sigv4 *s, const char *name, const char *value, size_t value_n, struct adt_error *err);

void sigv4_query_sort(struct adt_sigv4 *s);
char *sigv4_query_write(const struct adt_sigv4 *s, char *d);
/* At most s->query.len + 2 bytes for each pair. */

/* sigv4_fields.c: its headers. */

int sigv4_fields_read(struct adt_sigv4 *s, const struct adt_sigv4_request *req, const struct adt_sigv4_signed *ours,
                      struct adt_error *err);
/* The headers to be signed as s->fields, sorted, and their names as s->names: the caller's but for those that [ours]
 * replaces, and [ours]. */

char *sigv4_fields_write(const struct adt_sigv4 *s, char *d);
size_t sigv4_fields_room(const struct adt_sigv4 *s);

/* sigv4_keys.c: derived keys. */

int sigv4_key_find(struct adt_sigv4 *s, const struct adt_sigv4_credentials *cred, struct adt_error *err);
/* The kept key of s->scope as s->key, or NULL there. -1: OpenSSL refuses. What a kept key is for has been checked. */

int sigv4_key_derive(struct adt_sigv4 *s, const struct adt_sigv4_request *req, const struct adt_sigv4_credentials *cred,
                     struct adt_error *err);
/* After sigv4_key_find() found none. */

/* sigv4.c, for streams. */

int sigv4_sign(struct adt_sigv4 *s, const struct adt_sigv4_request *req, const struct adt_sigv4_credentials *cred,
               struct adt_sigv4_signed *out, struct adt_error *err);
/* adt_sigv4_sign_headers() with headers already in [out]. */

#endif
