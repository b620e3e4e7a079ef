/* gzip.c - any bytes as gzip and as zlib: never more than the ceiling */
#include "data/gzip.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    enum { MAX = 100000 };
    static char fixed[4096];
    struct adt_buf out;
    struct adt_error err = {0};
    adt_buf_init(&out, MAX);
    if (adt_gunzip(data, n, &out, &err) < 0 && !err.code[0])
        abort();
    if (out.len > MAX)
        abort();
    adt_buf_free(&out);
    if (adt_inflate(data, n, fixed, n < sizeof fixed ? n : sizeof fixed, &err) < 0 && !err.code[0])
        abort();
    return 0;
}
