/* sigv4_keys.c - derived keys, kept: they cost four times what signing does, and hold for a day */
#include "aws/sigv4_private.h"

#include "base/secret.h"

static struct sigv4_key *oldest(struct adt_sigv4 *s)
{
    struct sigv4_key *k = s->keys;
    for (size_t i = 1; i < SIGV4_KEYS; i++)
        if (s->keys[i].used < k->used)
            k = &s->keys[i];
    return k;
}

/* The chain of HMACs over day, region, service and a constant, each the key of the next. */
static int derive(struct adt_sigv4 *s, const struct adt_sigv4_request *req, const char *secret,
                  struct adt_hmac_key *out)
{
    const struct {
        const char *text;
        size_t n;
    } links[] = {{s->scope, 8},
                 {req->region, strlen(req->region)},
                 {req->service, strlen(req->service)},
                 {"aws4_request", sizeof "aws4_request" - 1}};
    char first[4 + SIGV4_SECRET];
    unsigned char digest[ADT_DIGEST_MAX];
    size_t n = strlen(secret);
    memcpy(first, "AWS4", 4);
    memcpy(first + 4, secret, n);
    int rc = adt_hmac_key_set(out, s->digest, first, 4 + n);
    for (size_t i = 0; i < sizeof links / sizeof *links && rc == 0; i++) {
        rc = adt_hmac(out, s->digest, links[i].text, links[i].n, digest);
        if (rc == 0)
            rc = adt_hmac_key_set(out, s->digest, digest, sizeof digest);
    }
    adt_wipe(first, sizeof first);
    adt_wipe(digest, sizeof digest);
    return rc;
}

/* s->secret_hash becomes that of [secret]; callers mostly sign with one. */
static int secret_set(struct adt_sigv4 *s, const char *secret, struct adt_error *err)
{
    size_t n = strlen(secret);
    if (n < sizeof s->secret && memcmp(s->secret, secret, n + 1) == 0)
        return 0;
    s->secret[0] = '\0';
    if (adt_digest_add(s->digest, secret, n) < 0 || adt_digest_end(s->digest, s->secret_hash) < 0)
        return sigv4_refused(err);
    if (n < sizeof s->secret)
        memcpy(s->secret, secret, n + 1);
    return 0;
}

/* By the secret's digest and not by the access key alone: a new secret under an old name must not meet the old key. */
static bool is_key_of(const struct adt_sigv4 *s, const struct sigv4_key *k, const struct adt_sigv4_credentials *cred)
{
    return k->used && memcmp(k->scope, s->scope, s->scope_n + 1) == 0 &&
           memcmp(k->secret, s->secret_hash, sizeof k->secret) == 0 && strcmp(k->access_key, cred->access_key) == 0;
}

static void key_use(struct adt_sigv4 *s, struct sigv4_key *k)
{
    k->used = ++s->turn;
    s->last = (size_t)(k - s->keys);
    s->key = &k->key;
}

int sigv4_key_find(struct adt_sigv4 *s, const struct adt_sigv4_credentials *cred, struct adt_error *err)
{
    s->key = NULL;
    if (secret_set(s, cred->secret, err) < 0)
        return -1;
    for (size_t i = 0; i < SIGV4_KEYS && !s->key; i++) {
        struct sigv4_key *k = &s->keys[(s->last + i) % SIGV4_KEYS];
        if (is_key_of(s, k, cred))
            key_use(s, k);
    }
    return 0;
}

int sigv4_key_derive(struct adt_sigv4 *s, const struct adt_sigv4_request *req, const struct adt_sigv4_credentials *cred,
                     struct adt_error *err)
{
    struct sigv4_key *k = oldest(s);
    k->used = 0;
    if (adt_secret_add(cred->secret, strlen(cred->secret)) < 0)
        return adt_error_nomem(err);
    if (derive(s, req, cred->secret, &k->key) < 0) {
        adt_wipe(k, sizeof *k);
        return sigv4_refused(err);
    }
    memcpy(k->secret, s->secret_hash, sizeof k->secret);
    memcpy(k->access_key, cred->access_key, strlen(cred->access_key) + 1);
    memcpy(k->scope, s->scope, s->scope_n + 1);
    key_use(s, k);
    return 0;
}

void adt_sigv4_forget(struct adt_sigv4 *s, const char *access_key)
{
    for (size_t i = 0; i < SIGV4_KEYS; i++)
        if (!access_key || strcmp(s->keys[i].access_key, access_key) == 0)
            adt_wipe(&s->keys[i], sizeof s->keys[i]);
    adt_wipe(s->secret, sizeof s->secret);
    adt_wipe(s->secret_hash, sizeof s->secret_hash);
}
