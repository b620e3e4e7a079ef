/* upload_test.c - a file in aws-chunked frames: every byte once, the checksum behind them, a changed file noticed */
#include "aws/upload.h"
#include "data/crc.h"
#include "tap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGEST = 3 * ADT_UPLOAD_PIECE };

static struct adt_sigv4 *signer;
static unsigned char bytes[LARGEST];
static char got[LARGEST + 4096];

static int file_of(size_t size)
{
    char name[] = "/tmp/adt-upload-XXXXXX";
    int fd = mkstemp(name);
    if (fd >= 0)
        unlink(name);
    return fd >= 0 && write(fd, bytes, size) == (ssize_t)size ? fd : -1;
}

static struct adt_upload *begin(int fd, uint64_t size, bool is_signed, struct adt_error *err)
{
    const struct adt_sigv4_header host = {"host", "example.org"};
    const struct adt_sigv4_trailer crc = {"x-amz-checksum-crc64nvme", 12};
    const struct adt_sigv4_credentials cred = {.access_key = "AKID", .secret = "secret"};
    const struct adt_sigv4_request req = {.method = "PUT",
                                          .path = "/b/k",
                                          .headers = &host,
                                          .header_count = 1,
                                          .service = "s3",
                                          .region = "us-east-1",
                                          .time = 1700000000,
                                          .s3 = true};
    const struct adt_sigv4_stream_options opt = {.length = size,
                                                 .chunk = ADT_UPLOAD_PIECE,
                                                 .unsigned_chunks = !is_signed,
                                                 .trailers = &crc,
                                                 .trailer_count = !is_signed};
    struct adt_sigv4_signed out;
    struct adt_sigv4_stream *st = adt_sigv4_stream_new(signer, &req, &cred, &opt, &out, err);
    return st ? adt_upload_new(fd, size, st, is_signed ? -1 : ADT_CRC64NVME, err) : NULL;
}

/* All of it, [step] bytes at a time; -1 when it fails. */
static ssize_t take(struct adt_upload *u, size_t step, struct adt_error *err)
{
    size_t n = 0;
    ssize_t more;
    while ((more = adt_upload_read(u, got + n, step < sizeof got - n ? step : sizeof got - n, err)) > 0)
        n += (size_t)more;
    return more < 0 ? -1 : (ssize_t)n;
}

/* Whether [got] is the first [size] bytes in frames, and the right checksum behind them. */
static bool is_framed(size_t size)
{
    static const char name[] = "x-amz-checksum-crc64nvme:";
    const char *p = got;
    size_t at = 0, n;
    for (; (n = strtoul(p, NULL, 16)) > 0; at += n) {
        p = strstr(p, "\r\n") + 2;
        if (at + n > size || memcmp(p, bytes + at, n) != 0)
            return false;
        p += n + 2;
    }
    p = strstr(p, "\r\n") + 2;
    struct adt_buf text;
    unsigned char crc[8];
    uint64_t v = adt_crc_add(ADT_CRC_64NVME, 0, bytes, size);
    for (int i = 8; i-- > 0; v >>= 8)
        crc[i] = (unsigned char)v;
    adt_buf_init(&text, 64);
    bool same = at == size && adt_base64_encode(crc, sizeof crc, false, &text) == 0 &&
                !strncmp(p, name, sizeof name - 1) && !memcmp(p + sizeof name - 1, text.p, text.len);
    adt_buf_free(&text);
    return same;
}

static void test_frames(void)
{
    static const size_t sizes[] = {0, 1, 8192, ADT_UPLOAD_PIECE - 1, ADT_UPLOAD_PIECE, ADT_UPLOAD_PIECE + 1, LARGEST};
    static const size_t steps[] = {7, 65536, 1 << 20};
    struct adt_error err;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bool whole = true, right = true;
        int fd = file_of(sizes[i]);
        for (size_t j = 0; j < sizeof steps / sizeof *steps; j++) {
            memset(got, 0, sizeof got);
            struct adt_upload *u = begin(fd, sizes[i], false, &err);
            ssize_t n = u ? take(u, steps[j], &err) : -1;
            whole &= n >= 0 && (uint64_t)n == adt_upload_length(u) && adt_upload_read(u, got, 1, &err) == 0;
            right &= n >= 0 && is_framed(sizes[i]);
            adt_upload_free(u);
        }
        close(fd);
        ok(whole, "a file of %zu bytes has the length that was announced", sizes[i]);
        ok(right, "and comes in frames, its checksum behind it");
    }
    int fd = file_of(LARGEST);
    struct adt_upload *u = begin(fd, LARGEST, true, &err);
    close(fd);
    ssize_t n = u ? take(u, 65536, &err) : -1;
    ok(n >= 0 && (uint64_t)n == adt_upload_length(u) && strstr(got, ";chunk-signature="),
       "signed chunks without a trailer, from a file that its owner has closed");
    adt_upload_free(u);
}

static void test_changes(void)
{
    struct adt_error err;
    int fd = file_of(LARGEST);
    struct adt_upload *u = begin(fd, LARGEST, false, &err);
    bool begun = u && adt_upload_read(u, got, 1000, &err) == 1000;
    ok(begun && ftruncate(fd, 5) == 0 && take(u, 65536, &err) == -1 && !strcmp(err.code, "FileChanged"),
       "a file that became shorter is an error");
    adt_upload_free(u);
    close(fd);
    fd = file_of(LARGEST);
    u = begin(fd, LARGEST, false, &err);
    begun = u && adt_upload_read(u, got, 1000, &err) == 1000;
    ok(begun && pwrite(fd, "x", 1, LARGEST) == 1 && take(u, 65536, &err) == -1 && !strcmp(err.code, "FileChanged"),
       "so is one that became longer");
    adt_upload_free(u);
    close(fd);
    ok(!begin(-1, 0, false, &err) && err.cause != ADT_NONE, "no file is an error, and the stream is freed");
    adt_upload_free(NULL);
}

int main(void)
{
    struct adt_error err;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 31 + i / 251);
    if (!(signer = adt_sigv4_new(&err)))
        return 1;
    test_frames();
    test_changes();
    adt_sigv4_free(signer);
    return tap_done();
}
