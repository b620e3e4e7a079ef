/* digest_test.c - hashes and HMAC by published vectors, base64 by RFC 4648 */
#include "base/mem.h"
#include "data/digest.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static const char *hex(const unsigned char *p, size_t n)
{
    static char text[2 * ADT_DIGEST_MAX + 1];
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", p[i]);
    return text;
}

static void test_hashes(void)
{
    /* FIPS 180-4, RFC 1321 */
    static const struct {
        enum adt_hash hash;
        const char *text, *want;
    } cases[] = {
        {ADT_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {ADT_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {ADT_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {ADT_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
        {ADT_CRC32, "123456789", "cbf43926"},
        {ADT_CRC32C, "123456789", "e3069283"},
        {ADT_CRC64NVME, "123456789", "ae8b14860a799888"},
    };
    struct adt_error err;
    unsigned char out[ADT_DIGEST_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ok(adt_digest_of(cases[i].hash, cases[i].text, strlen(cases[i].text), out, &err) == 0 &&
               !strcmp(hex(out, adt_digest_size(cases[i].hash)), cases[i].want),
           "hash %d of '%s'", (int)cases[i].hash, cases[i].text);
    struct adt_digest *d = adt_digest_new(ADT_SHA256, &err);
    bool same = adt_digest_add(d, "a", 1) == 0 && adt_digest_add(d, "bc", 2) == 0 && adt_digest_end(d, out) == 0 &&
                !strcmp(hex(out, 32), cases[1].want);
    same &= adt_digest_end(d, out) == 0 && !strcmp(hex(out, 32), cases[0].want);
    adt_digest_free(d);
    ok(same, "in parts, and anew after its end");
    d = adt_digest_new(ADT_CRC32, &err);
    same = adt_digest_add(d, "1234", 4) == 0 && adt_digest_add(d, "56789", 5) == 0 && adt_digest_end(d, out) == 0 &&
           !strcmp(hex(out, 4), "cbf43926");
    same &= adt_digest_end(d, out) == 0 && !strcmp(hex(out, 4), "00000000");
    adt_digest_free(d);
    ok(same, "a CRC in parts, and anew after its end");
}

static void test_hmac(void)
{
    /* RFC 4231, cases 1, 2 and 6 */
    struct adt_error err;
    unsigned char out[ADT_DIGEST_MAX], key[131];
    memset(key, 0x0b, 20);
    ok(adt_digest_hmac(ADT_SHA256, key, 20, "Hi There", 8, out, &err) == 0 &&
           !strcmp(hex(out, 32), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
       "HMAC with a short key");
    ok(adt_digest_hmac(ADT_SHA256, "Jefe", 4, "what do ya want for nothing?", 28, out, &err) == 0 &&
           !strcmp(hex(out, 32), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
       "with a text for key");
    memset(key, 0xaa, sizeof key);
    const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
    ok(adt_digest_hmac(ADT_SHA256, key, sizeof key, text, strlen(text), out, &err) == 0 &&
           !strcmp(hex(out, 32), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
       "with a key longer than a block");

    /* What has no functions beneath EVP goes the other way; RFC 2202, case 2, and the key above. */
    static const struct {
        enum adt_hash hash;
        const char *name, *with_text, *with_long;
    } others[] = {
        {ADT_SHA1, "SHA-1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "90d0dace1c1bdc957339307803160335bde6df2b"},
        {ADT_MD5, "MD5", "750c783e6ab0b503eaa86e310a5db738", "bfecaf4efff90a3a668f3922fec3762d"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        size_t n = adt_digest_size(others[i].hash);
        bool same = adt_digest_hmac(others[i].hash, "Jefe", 4, "what do ya want for nothing?", 28, out, &err) == 0 &&
                    !strcmp(hex(out, n), others[i].with_text);
        ok(same && adt_digest_hmac(others[i].hash, key, sizeof key, text, strlen(text), out, &err) == 0 &&
               !strcmp(hex(out, n), others[i].with_long),
           "by %s as well", others[i].name);
    }
}

/* A key's states are of use to each digest of its hash, and a digest begins anew behind each message. */
static void test_kept_key(void)
{
    struct adt_error err;
    struct adt_hmac_key key;
    unsigned char out[ADT_DIGEST_MAX];
    const char *want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    struct adt_digest *a = adt_digest_new(ADT_SHA256, &err), *b = adt_digest_new(ADT_SHA256, &err);
    bool same = adt_hmac_key_set(&key, a, "Jefe", 4) == 0;
    for (int i = 0; i < 4 && same; i++)
        same =
            adt_hmac(&key, i & 1 ? a : b, "what do ya want for nothing?", 28, out) == 0 && !strcmp(hex(out, 32), want);
    ok(same, "a key is kept for many messages");
    same = adt_digest_add(a, "abc", 3) == 0 && adt_digest_end(a, out) == 0;
    ok(same && !strcmp(hex(out, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
       "and its digest is at its beginning again");
    adt_digest_free(a);
    adt_digest_free(b);
}

static void test_file(void)
{
    struct adt_error err;
    unsigned char out[ADT_DIGEST_MAX];
    ok(adt_digest_file(ADT_SHA256, "/dev/null", out, &err) == 0 && out[0] == 0xe3, "an empty file has a digest");
    ok(adt_digest_file(ADT_SHA256, "/no/such/file", out, &err) < 0 && !strcmp(err.code, "ENOENT"),
       "a missing one has none");
    ok(adt_digest_file(ADT_SHA256, "/", out, &err) < 0, "nor a folder: %s", err.message);
    /* The kept context may serve the first try, so two in a row. */
    adt_mem_fail_after(0);
    struct adt_digest *a = adt_digest_new(ADT_SHA256, &err), *b = adt_digest_new(ADT_SHA256, &err);
    adt_mem_fail_after(-1);
    ok(!a != !b && err.cause == ADT_INTERNAL, "lack of memory is told");
    adt_digest_free(a);
    adt_digest_free(b);
}

static void test_base64(void)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {"Z", "Zg=", "Zh==", "Zm9=", "Z g=", "Zg==\n", "=", "====", "Zg==Zg==", "Zm9v!"};
    struct adt_error err;
    struct adt_buf b;
    adt_buf_init(&b, 1000);
    bool good = true;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        adt_buf_free(&b);
        good &= adt_base64_encode(pairs[i][0], strlen(pairs[i][0]), false, &b) == 0 && !strcmp(b.p, pairs[i][1]);
        adt_buf_free(&b);
        good &= adt_base64_decode(pairs[i][1], strlen(pairs[i][1]), &b, &err) == 0 && !strcmp(b.p, pairs[i][0]);
        adt_buf_free(&b);
        good &= adt_base64_encode(pairs[i][0], strlen(pairs[i][0]), true, &b) == 0 && !strchr(b.p, '=');
    }
    ok(good, "the pairs of RFC 4648, both ways");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        adt_buf_free(&b);
        ok(adt_base64_decode(bad[i], strlen(bad[i]), &b, &err) < 0 && err.cause == ADT_USAGE, "bad text %zu is refused",
           i);
    }
    adt_buf_free(&b);
    ok(adt_base64_encode("\xfb\xff", 2, true, &b) == 0 && !strcmp(b.p, "-_8"), "URLs have an alphabet of their own");
    adt_buf_free(&b);
    ok(adt_base64_decode("-_8", 3, &b, &err) == 0 && !memcmp(b.p, "\xfb\xff", 3), "which is read, too");
    adt_buf_free(&b);
    adt_buf_init(&b, 3);
    ok(adt_base64_encode("foo", 3, false, &b) < 0, "the buffer's ceiling holds");
}

int main(void)
{
    test_hashes();
    test_hmac();
    test_kept_key();
    test_file();
    test_base64();
    ok(adt_mem_live() <= 1, "no memory is left but the kept context (%ld blocks)", adt_mem_live());
    return tap_done();
}
