/* gzip.c - inflating, with a ceiling on what comes out */
#include "data/gzip.h"

#include "base/mem.h"

#include <limits.h>
#include <zlib.h>

enum { GZIP_ONLY = 15 + 16, PIECE = 256 << 10 };

static voidpf z_alloc(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return adt_zalloc((size_t)items * size);
}

static void z_free(voidpf opaque, voidpf p)
{
    (void)opaque;
    adt_free(p);
}

static int begin(z_stream *z, const void *p, size_t n, int bits, struct adt_error *err)
{
    if (n > UINT_MAX)
        return adt_error_set(err, ADT_CONFIG, "TooBig", "more than 4 GiB of compressed bytes");
    *z = (z_stream){.zalloc = z_alloc, .zfree = z_free, .next_in = (z_const Bytef *)p, .avail_in = (uInt)n};
    return inflateInit2(z, bits) == Z_OK ? 0 : adt_error_nomem(err);
}

/* What inflate() said when it did not go on, as an error. */
static int failed(const z_stream *z, int rc, struct adt_error *err)
{
    if (rc == Z_MEM_ERROR)
        return adt_error_nomem(err);
    if (rc == Z_DATA_ERROR || rc == Z_NEED_DICT)
        return adt_error_set(err, ADT_CONFIG, "BadGzip", "damaged at byte %lu: %s", z->total_in,
                             z->msg ? z->msg : "not compressed by gzip");
    return adt_error_set(err, ADT_CONFIG, "BadGzip", "cut off after %lu bytes", z->total_in);
}

/* One step into [out]; at its ceiling into a byte beside it, which must stay empty. */
static int step(z_stream *z, struct adt_buf *out, struct adt_error *err)
{
    size_t room = out->max - out->len;
    Bytef beside;
    if (room > PIECE)
        room = PIECE;
    char *dst = room ? adt_buf_grow(out, room) : NULL;
    if (room && !dst)
        return adt_error_nomem(err), Z_MEM_ERROR;
    z->next_out = dst ? (Bytef *)dst : &beside;
    z->avail_out = dst ? (uInt)room : 1;
    int rc = inflate(z, Z_NO_FLUSH);
    if (dst) {
        out->len += room - z->avail_out;
        out->p[out->len] = '\0';
    } else if (z->avail_out == 0) {
        adt_error_set(err, ADT_CONFIG, "TooBig", "it holds more than %zu bytes", out->max);
        return Z_BUF_ERROR;
    }
    if (rc != Z_OK && rc != Z_STREAM_END)
        failed(z, rc, err);
    return rc;
}

int adt_gunzip(const void *p, size_t n, struct adt_buf *out, struct adt_error *err)
{
    z_stream z;
    if (begin(&z, p, n, GZIP_ONLY, err) < 0)
        return -1;
    int rc;
    do {
        rc = step(&z, out, err);
        /* Files may be joined: cat a.gz b.gz. */
        if (rc == Z_STREAM_END && z.avail_in > 0)
            rc = inflateReset(&z);
    } while (rc == Z_OK);
    inflateEnd(&z);
    return rc == Z_STREAM_END ? 0 : -1;
}

int adt_inflate(const void *p, size_t n, void *dst, size_t size, struct adt_error *err)
{
    z_stream z;
    if (begin(&z, p, n, 15, err) < 0)
        return -1;
    z.next_out = dst;
    z.avail_out = (uInt)size;
    int rc = inflate(&z, Z_FINISH);
    bool whole = rc == Z_STREAM_END && z.avail_out == 0 && z.avail_in == 0;
    if (!whole && rc != Z_STREAM_END)
        failed(&z, rc, err);
    else if (!whole)
        adt_error_set(err, ADT_CONFIG, "BadGzip", "it holds %lu bytes, not %zu", z.total_out, size);
    inflateEnd(&z);
    return whole ? 0 : -1;
}
