/* digest.c - hashes by OpenSSL, SHA-256 beneath its EVP where that is offered, and CRCs in the same form
 *
 * Linking libcrypto would double the time that the program takes to start, so it is opened when the first digest is
 * asked for. EVP costs more than a short message does, and signing is three of these: hence the functions beneath. They
 * know nothing of FIPS, so where OpenSSL is set to it all goes by EVP. */
#include "data/digest.h"

#include "base/file.h"
#include "base/mem.h"
#include "data/crc.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { READ_SIZE = 256 * 1024 };

static const struct {
    const char *name;
    size_t size;
} hashes[ADT_HASHES] = {{"SHA256", 32}, {"SHA1", 20}, {"MD5", 16}, {"CRC32", 4}, {"CRC32C", 4}, {"CRC64NVME", 8}};

static struct {
    EVP_MD *(*md_fetch)(OSSL_LIB_CTX *, const char *, const char *);
    EVP_MD_CTX *(*ctx_new)(void);
    void (*ctx_free)(EVP_MD_CTX *);
    int (*init)(EVP_MD_CTX *, const EVP_MD *, const OSSL_PARAM *);
    int (*update)(EVP_MD_CTX *, const void *, size_t);
    int (*final)(EVP_MD_CTX *, unsigned char *, unsigned int *);
    int (*sha_init)(SHA256_CTX *);
    int (*sha_update)(SHA256_CTX *, const void *, size_t);
    int (*sha_final)(unsigned char *, SHA256_CTX *);
    bool low;              /* these three are there and may be used */
    EVP_MD *md[ADT_CRC32]; /* NULL: not offered, as MD5 under FIPS */
    char why[200];         /* empty: all is there */
} crypto;
static pthread_once_t crypto_once = PTHREAD_ONCE_INIT;

static void *symbol(void *lib, const char *name)
{
    void *p = dlsym(lib, name);
    if (!p)
        snprintf(crypto.why, sizeof crypto.why, "libcrypto.so.3 has no %s", name);
    return p;
}

static void low_open(void *lib)
{
    int (*is_fips)(OSSL_LIB_CTX *);
    *(void **)&is_fips = dlsym(lib, "EVP_default_properties_is_fips_enabled");
    *(void **)&crypto.sha_init = dlsym(lib, "SHA256_Init");
    *(void **)&crypto.sha_update = dlsym(lib, "SHA256_Update");
    *(void **)&crypto.sha_final = dlsym(lib, "SHA256_Final");
    crypto.low = is_fips && !is_fips(NULL) && crypto.sha_init && crypto.sha_update && crypto.sha_final;
}

static void crypto_open(void)
{
    void *lib = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        snprintf(crypto.why, sizeof crypto.why, "%s", dlerror());
        return;
    }
#define S(field, name) *(void **)&crypto.field = symbol(lib, name)
    S(md_fetch, "EVP_MD_fetch");
    S(ctx_new, "EVP_MD_CTX_new");
    S(ctx_free, "EVP_MD_CTX_free");
    S(init, "EVP_DigestInit_ex2");
    S(update, "EVP_DigestUpdate");
    S(final, "EVP_DigestFinal_ex");
#undef S
    for (int i = 0; i < ADT_CRC32 && !crypto.why[0]; i++)
        crypto.md[i] = crypto.md_fetch(NULL, hashes[i].name, NULL);
    low_open(lib);
}

struct adt_digest {
    EVP_MD_CTX *ctx; /* NULL: a CRC */
    enum adt_hash hash;
    bool low; /* in [sha], and [ctx] is of no use */
    SHA256_CTX sha;
    uint64_t crc;
};

static bool is_crc(enum adt_hash hash)
{
    return hash >= ADT_CRC32;
}

static enum adt_crc crc_of(enum adt_hash hash)
{
    return (enum adt_crc)(hash - ADT_CRC32);
}

static int refused(enum adt_hash hash, struct adt_error *err)
{
    return adt_error_set(err, ADT_INTERNAL, "OpenSSL", "OpenSSL cannot compute %s", hashes[hash].name);
}

/* One digest is kept for the next short computation; whoever finds it taken makes another. */
static _Atomic(struct adt_digest *) spare;

int adt_digest_ready(enum adt_hash hash, struct adt_error *err)
{
    if (is_crc(hash))
        return 0;
    pthread_once(&crypto_once, crypto_open);
    if (!crypto.why[0] && crypto.md[hash])
        return 0;
    adt_error_set(err, ADT_CONFIG, "NoOpenSSL", "%s needs OpenSSL: %s", hashes[hash].name,
                  crypto.why[0] ? crypto.why : "this hash is switched off in it");
    adt_error_hint(err, "%s", crypto.why[0] ? "install OpenSSL 3 (Debian, Ubuntu: apt-get install libssl3)" : "");
    return -1;
}

static int digest_begin(struct adt_digest *d)
{
    int ok = d->low ? crypto.sha_init(&d->sha) : crypto.init(d->ctx, crypto.md[d->hash], NULL);
    return ok == 1 ? 0 : -1;
}

static struct adt_digest *digest_take(enum adt_hash hash, struct adt_error *err)
{
    assert(!is_crc(hash));
    if (adt_digest_ready(hash, err) < 0)
        return NULL;
    struct adt_digest *d = atomic_exchange(&spare, NULL);
    if (!d && (d = adt_zalloc(sizeof *d)) && !(d->ctx = crypto.ctx_new())) {
        adt_free(d);
        d = NULL;
    }
    if (!d) {
        adt_error_nomem(err);
        return NULL;
    }
    d->hash = hash;
    d->low = hash == ADT_SHA256 && crypto.low;
    if (digest_begin(d) < 0) {
        refused(hash, err);
        adt_digest_free(d);
        return NULL;
    }
    return d;
}

static void digest_put(struct adt_digest *d)
{
    adt_digest_free(atomic_exchange(&spare, d));
}

size_t adt_digest_size(enum adt_hash hash)
{
    return hashes[hash].size;
}

struct adt_digest *adt_digest_new(enum adt_hash hash, struct adt_error *err)
{
    if (!is_crc(hash))
        return digest_take(hash, err);
    struct adt_digest *d = adt_zalloc(sizeof *d);
    if (!d)
        adt_error_nomem(err);
    else
        d->hash = hash;
    return d;
}

int adt_digest_add(struct adt_digest *d, const void *p, size_t n)
{
    if (!d->ctx) {
        d->crc = adt_crc_add(crc_of(d->hash), d->crc, p, n);
        return 0;
    }
    int ok = d->low ? crypto.sha_update(&d->sha, p, n) : crypto.update(d->ctx, p, n);
    return ok == 1 ? 0 : -1;
}

static void write_crc(enum adt_hash hash, uint64_t crc, unsigned char *out)
{
    for (size_t i = hashes[hash].size; i-- > 0; crc >>= 8)
        out[i] = (unsigned char)crc;
}

int adt_digest_end(struct adt_digest *d, unsigned char out[static ADT_DIGEST_MAX])
{
    unsigned n;
    if (!d->ctx) {
        write_crc(d->hash, d->crc, out);
        d->crc = 0;
        return 0;
    }
    int ok = d->low ? crypto.sha_final(out, &d->sha) : crypto.final(d->ctx, out, &n);
    return ok == 1 ? digest_begin(d) : -1;
}

void adt_digest_free(struct adt_digest *d)
{
    if (!d)
        return;
    if (d->ctx)
        crypto.ctx_free(d->ctx);
    explicit_bzero(d, sizeof *d);
    adt_free(d);
}

int adt_digest_of(enum adt_hash hash, const void *p, size_t n, unsigned char out[static ADT_DIGEST_MAX],
                  struct adt_error *err)
{
    if (is_crc(hash)) {
        write_crc(hash, adt_crc_add(crc_of(hash), 0, p, n), out);
        return 0;
    }
    struct adt_digest *d = digest_take(hash, err);
    if (!d)
        return -1;
    int rc = adt_digest_add(d, p, n);
    if (rc == 0)
        rc = adt_digest_end(d, out);
    digest_put(d);
    return rc < 0 ? refused(hash, err) : 0;
}

/* What a message begins with, [block] under the key: the block itself, or the state of SHA-256 behind it. */
static int begin_set(unsigned char *begin, struct adt_digest *d, const unsigned char *block, unsigned char pad)
{
    for (size_t i = 0; i < ADT_HMAC_BLOCK; i++)
        begin[i] = block[i] ^ pad;
    if (!d->low)
        return 0;
    if (adt_digest_add(d, begin, ADT_HMAC_BLOCK) < 0)
        return -1;
    explicit_bzero(begin, ADT_HMAC_BLOCK);
    memcpy(begin, d->sha.h, sizeof d->sha.h);
    return digest_begin(d);
}

static int begin_from(struct adt_digest *d, const unsigned char *begin)
{
    if (!d->low)
        return adt_digest_add(d, begin, ADT_HMAC_BLOCK);
    memcpy(d->sha.h, begin, sizeof d->sha.h);
    d->sha.Nl = 8 * ADT_HMAC_BLOCK;
    return 0;
}

int adt_hmac_key_set(struct adt_hmac_key *key, struct adt_digest *d, const void *p, size_t n)
{
    unsigned char block[ADT_HMAC_BLOCK] = {0};
    int rc = 0;
    if (n > sizeof block)
        rc = adt_digest_add(d, p, n) < 0 ? -1 : adt_digest_end(d, block);
    else if (n)
        memcpy(block, p, n);
    if (rc == 0)
        rc = begin_set(key->inner, d, block, 0x36);
    if (rc == 0)
        rc = begin_set(key->outer, d, block, 0x5c);
    explicit_bzero(block, sizeof block);
    return rc;
}

int adt_hmac(const struct adt_hmac_key *key, struct adt_digest *d, const void *p, size_t n,
             unsigned char out[static ADT_DIGEST_MAX])
{
    unsigned char inner[ADT_DIGEST_MAX];
    if (begin_from(d, key->inner) < 0 || adt_digest_add(d, p, n) < 0 || adt_digest_end(d, inner) < 0)
        return -1;
    if (begin_from(d, key->outer) < 0 || adt_digest_add(d, inner, hashes[d->hash].size) < 0)
        return -1;
    return adt_digest_end(d, out);
}

int adt_digest_hmac(enum adt_hash hash, const void *key, size_t key_n, const void *p, size_t n,
                    unsigned char out[static ADT_DIGEST_MAX], struct adt_error *err)
{
    struct adt_hmac_key ready;
    struct adt_digest *d = digest_take(hash, err);
    if (!d)
        return -1;
    int rc = adt_hmac_key_set(&ready, d, key, key_n);
    if (rc == 0)
        rc = adt_hmac(&ready, d, p, n, out);
    explicit_bzero(&ready, sizeof ready);
    digest_put(d);
    return rc < 0 ? refused(hash, err) : 0;
}

static int add_file(struct adt_digest *d, int fd)
{
    char *buf = adt_alloc(READ_SIZE);
    ssize_t n = buf ? 1 : -1;
    if (!buf)
        errno = ENOMEM;
    while (n > 0) {
        n = read(fd, buf, READ_SIZE);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0 && adt_digest_add(d, buf, (size_t)n) < 0)
            n = -1;
    }
    adt_free(buf);
    return (int)n;
}

int adt_digest_file(enum adt_hash hash, const char *path, unsigned char out[static ADT_DIGEST_MAX],
                    struct adt_error *err)
{
    adt_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return adt_file_error(err, errno, "opening '%s'", path);
    struct adt_digest *d = adt_digest_new(hash, err);
    if (!d)
        return -1;
    int rc = add_file(d, fd);
    if (rc < 0)
        adt_file_error(err, errno, "reading '%s'", path);
    else if (adt_digest_end(d, out) < 0)
        rc = refused(hash, err);
    adt_digest_free(d);
    return rc;
}
