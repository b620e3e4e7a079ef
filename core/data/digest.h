/* digest.h - hashes by OpenSSL, which is opened at the first use, checks by CRC, and base64 */
#ifndef ADT_DATA_DIGEST_H
#define ADT_DATA_DIGEST_H

#include "base/buf.h"
#include "base/error.h"

#include <stddef.h>

enum adt_hash { ADT_SHA256, ADT_SHA1, ADT_MD5, ADT_CRC32, ADT_CRC32C, ADT_CRC64NVME, ADT_HASHES };
enum { ADT_DIGEST_MAX = 32, ADT_HMAC_BLOCK = 64 /* of every hash here */ };

struct adt_digest;

size_t adt_digest_size(enum adt_hash hash);

struct adt_digest *adt_digest_new(enum adt_hash hash, struct adt_error *err);
/* Begins a digest over parts. NULL with [err] filled: no libcrypto on this machine, or this hash is switched off in it;
 * CRCs need none, and are no base for an HMAC.
 * Thread-safe, as everything here; one digest is for one thread at a time. */

int adt_digest_ready(enum adt_hash hash, struct adt_error *err);
/* Opens OpenSSL if need be: 0, or -1 as adt_digest_new(). Call it before a worker thread computes: what OpenSSL keeps
 * for the thread that opened it is lost when a worker ends after OpenSSL's own clean-up. */

int adt_digest_add(struct adt_digest *d, const void *p, size_t n);
/* 0, or -1 when OpenSSL refuses. */

int adt_digest_end(struct adt_digest *d, unsigned char out[static ADT_DIGEST_MAX]);
/* Writes adt_digest_size() bytes and begins anew. CRCs have their highest byte first. */

void adt_digest_free(struct adt_digest *d);
/* Takes NULL. */

int adt_digest_of(enum adt_hash hash, const void *p, size_t n, unsigned char out[static ADT_DIGEST_MAX],
                  struct adt_error *err);

int adt_digest_hmac(enum adt_hash hash, const void *key, size_t key_n, const void *p, size_t n,
                    unsigned char out[static ADT_DIGEST_MAX], struct adt_error *err);
/* RFC 2104. */

/* A key made ready, for many short messages under it: what each of them begins with. Plain memory: copy it, and
 * adt_wipe() it in the end. */
struct adt_hmac_key {
    unsigned char inner[ADT_HMAC_BLOCK], outer[ADT_HMAC_BLOCK];
};

int adt_hmac_key_set(struct adt_hmac_key *key, struct adt_digest *d, const void *p, size_t n);
/* Makes [p] the key of messages hashed by [d]. 0, or -1 when OpenSSL refuses. */

int adt_hmac(const struct adt_hmac_key *key, struct adt_digest *d, const void *p, size_t n,
             unsigned char out[static ADT_DIGEST_MAX]);
/* The HMAC of [p] by [d], which must be at its beginning and is there again afterwards. Allocates nothing. 0, or -1
 * when OpenSSL refuses. */

int adt_digest_file(enum adt_hash hash, const char *path, unsigned char out[static ADT_DIGEST_MAX],
                    struct adt_error *err);
/* Reads the whole file in pieces; for a worker thread. */

int adt_base64_encode(const void *p, size_t n, bool url, struct adt_buf *out);
/* RFC 4648; with [url] the alphabet of URLs and no padding. 0 or -1 as adt_buf_add(). */

int adt_base64_decode(const char *text, size_t n, struct adt_buf *out, struct adt_error *err);
/* Either alphabet, padded or not; whitespace, stray bits and anything else is an error (ADT_USAGE). */

#endif
