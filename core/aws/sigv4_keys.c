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

static int key_new(struct adt_sigv4 *s, struct sigv4_key *k, const struct adt_sigv4_request *req,
                   const struct adt_sigv4_credentials *cred, struct adt_error *err)
{
    k->used = 0;
    if (adt_secret_add(cred->secret, strlen(cred->secret)) < 0)
        return adt_error_nomem(err);
    if (derive(s, req, cred->secret, &k->key) < 0) {
        adt_wipe(k, sizeof *k);
        return sigv4_refused(err);
    }
    memcpy(k->day, s->scope, sizeof k->day);
    memcpy(k->access_key, cred->access_key, strlen(cred->access_key) + 1);
    memcpy(k->region, req->region, strlen(req->region) + 1);
    memcpy(k->service, req->service, strlen(req->service) + 1);
    return 0;
}

/* By the secret's digest and not by the access key alone: a new secret under an old name must not meet the old key. */
static bool is_key_of(const struct sigv4_key *k, const unsigned char *secret, const char *day,
                      const struct adt_sigv4_request *req, const struct adt_sigv4_credentials *cred)
{
    return k->used && memcmp(k->secret, secret, sizeof k->secret) == 0 && memcmp(k->day, day, sizeof k->day) == 0 &&
           strcmp(k->region, req->region) == 0 && strcmp(k->service, req->service) == 0 &&
           strcmp(k->access_key, cred->access_key) == 0;
}

const struct adt_hmac_key *sigv4_key_get(struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                                         const struct adt_sigv4_credentials *cred, struct adt_error *err)
{
    unsigned char secret[ADT_DIGEST_MAX];
    struct sigv4_key *k = NULL;
    if (adt_digest_add(s->digest, cred->secret, strlen(cred->secret)) < 0 || adt_digest_end(s->digest, secret) < 0) {
        sigv4_refused(err);
        return NULL;
    }
    for (size_t i = 0; i < SIGV4_KEYS && !k; i++)
        if (is_key_of(&s->keys[i], secret, s->scope, req, cred))
            k = &s->keys[i];
    if (!k) {
        k = oldest(s);
        if (key_new(s, k, req, cred, err) < 0)
            return NULL;
        memcpy(k->secret, secret, sizeof k->secret);
    }
    k->used = ++s->turn;
    return &k->key;
}

void adt_sigv4_forget(struct adt_sigv4 *s, const char *access_key)
{
    for (size_t i = 0; i < SIGV4_KEYS; i++)
        if (!access_key || strcmp(s->keys[i].access_key, access_key) == 0)
            adt_wipe(&s->keys[i], sizeof s->keys[i]);
}
