/* gzip_test.c - what gzip wrote, what was cut or damaged, and bombs */
#include "base/mem.h"
#include "data/gzip.h"
#include "tap.h"

#include <stdbool.h>
#include <string.h>

/* printf 'hello, hello, hello\n' | gzip -9n */
static const unsigned char HELLO[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                      0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x40, 0xa2,
                                      0xb8, 0x00, 0xe7, 0x42, 0x6e, 0x52, 0x14, 0x00, 0x00, 0x00};
static const char TEXT[] = "hello, hello, hello\n";

static int gunzip(const void *p, size_t n, size_t max, struct adt_buf *out, struct adt_error *err)
{
    memset(err, 0, sizeof *err);
    adt_buf_init(out, max);
    return adt_gunzip(p, n, out, err);
}

static void test_whole(void)
{
    struct adt_buf out;
    struct adt_error err;
    ok(gunzip(HELLO, sizeof HELLO, 100, &out, &err) == 0 && out.len == 20 && !strcmp(out.p, TEXT), "what gzip wrote");
    adt_buf_free(&out);
    ok(gunzip(HELLO, sizeof HELLO, 20, &out, &err) == 0 && out.len == 20, "just below the ceiling");
    adt_buf_free(&out);
    unsigned char twice[2 * sizeof HELLO];
    memcpy(twice, HELLO, sizeof HELLO);
    memcpy(twice + sizeof HELLO, HELLO, sizeof HELLO);
    ok(gunzip(twice, sizeof twice, 100, &out, &err) == 0 && out.len == 40 && !strcmp(out.p + 20, TEXT), "two joined");
    adt_buf_free(&out);
}

static void test_bad(void)
{
    struct adt_buf out;
    struct adt_error err;
    bool cut = true, flipped = true;
    for (size_t n = 0; n < sizeof HELLO; n++) {
        cut &= gunzip(HELLO, n, 100, &out, &err) < 0 && !strcmp(err.code, "BadGzip");
        adt_buf_free(&out);
    }
    ok(cut, "cut anywhere is an error");
    for (size_t i = sizeof HELLO - 8; i < sizeof HELLO; i++) {
        unsigned char bad[sizeof HELLO];
        memcpy(bad, HELLO, sizeof HELLO);
        bad[i] ^= 1;
        flipped &= gunzip(bad, sizeof bad, 100, &out, &err) < 0 && !strcmp(err.code, "BadGzip");
        adt_buf_free(&out);
    }
    ok(flipped, "a wrong checksum or length is an error");
    ok(gunzip("{\"a\": 1}", 8, 100, &out, &err) < 0 && strstr(err.message, "incorrect header"), "plain text: %s",
       err.message);
    adt_buf_free(&out);
    unsigned char behind[sizeof HELLO + 1];
    memcpy(behind, HELLO, sizeof HELLO);
    behind[sizeof HELLO] = 0;
    ok(gunzip(behind, sizeof behind, 100, &out, &err) < 0, "a byte behind the end is an error");
    adt_buf_free(&out);
}

static void test_ceiling(void)
{
    struct adt_buf out;
    struct adt_error err;
    ok(gunzip(HELLO, sizeof HELLO, 19, &out, &err) < 0 && !strcmp(err.code, "TooBig"), "more than allowed: %s",
       err.message);
    ok(out.len <= 19, "no more than that was written");
    adt_buf_free(&out);
}

static void test_inflate(void)
{
    /* zlib.compress(b"aaaaaaaaaa") */
    static const unsigned char packed[] = {0x78, 0x9c, 0x4b, 0x4c, 0x84, 0x01, 0x00, 0x14, 0xe1, 0x03, 0xcb};
    char text[12] = {0};
    struct adt_error err;
    ok(adt_inflate(packed, sizeof packed, text, 10, &err) == 0 && !strcmp(text, "aaaaaaaaaa"), "a zlib stream");
    ok(adt_inflate(packed, sizeof packed, text, 9, &err) < 0, "longer than said");
    ok(adt_inflate(packed, sizeof packed, text, 11, &err) < 0 && !strcmp(err.code, "BadGzip"), "shorter than said: %s",
       err.message);
    ok(adt_inflate(packed, 6, text, 10, &err) < 0, "cut");
    ok(adt_inflate(HELLO, sizeof HELLO, text, 10, &err) < 0, "gzip's form is not zlib's");
}

static void test_memory(void)
{
    struct adt_buf out;
    struct adt_error err;
    long live = adt_mem_live();
    bool told = true;
    int n = 0;
    for (;; n++) {
        adt_mem_fail_after(n);
        int rc = gunzip(HELLO, sizeof HELLO, 100, &out, &err);
        adt_mem_fail_after(-1);
        adt_buf_free(&out);
        if (rc == 0)
            break;
        told &= !strcmp(err.code, "ENOMEM");
    }
    ok(n > 1 && told && adt_mem_live() == live, "each of %d allocations may fail, and nothing is lost", n);
}

int main(void)
{
    test_whole();
    test_bad();
    test_ceiling();
    test_inflate();
    test_memory();
    return tap_done();
}
