/* glob.c - patterns of any bytes against names of any bytes, and base64 there and back */
#include "base/glob.h"
#include "base/mem.h"
#include "data/digest.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void base64(const char *p, size_t n)
{
    struct adt_error err;
    struct adt_buf text, back;
    adt_buf_init(&text, 1 << 20);
    adt_buf_init(&back, 1 << 20);
    if (adt_base64_encode(p, n, n % 2, &text) < 0 || adt_base64_decode(text.p, text.len, &back, &err) < 0 ||
        back.len != n || (n && memcmp(back.p, p, n) != 0))
        abort();
    adt_buf_free(&back);
    (void)adt_base64_decode(p, n, &back, &err);
    adt_buf_free(&text);
    adt_buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16)
        return 0;
    size_t pn = data[0] < size ? data[0] : size - 1;
    /* Copies of their own, so that a read past either end shows. */
    char *pattern = adt_memdup(data + 1, pn), *text = adt_memdup(data + 1 + pn, size - 1 - pn);
    size_t n = size - 1 - pn;
    bool plain = !adt_glob_magic(pattern, pn) && !memchr(pattern, '/', pn);
    bool same = pn == n && !memcmp(pattern, text, n);
    if (plain && adt_glob_name(pattern, pn, text, n) != same)
        abort();
    (void)adt_glob_name(pattern, pn, text, n);
    (void)adt_glob_path(pattern, pn, text, n);
    base64(text, n);
    adt_free(pattern);
    adt_free(text);
    return 0;
}
