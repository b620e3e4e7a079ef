/* json.c - any bytes: parsed whole and in pieces alike; what is written back reads as the same again */
#include "data/json.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int rewrite(const char *text, size_t n, size_t piece, struct adt_buf *out)
{
    struct adt_error err = {0};
    struct adt_json_writer w = {.out = out, .err = &err};
    adt_buf_init(out, 1 << 24);
    if (!piece)
        return adt_json_parse(text, n, NULL, &adt_json_write, &w, &err);
    struct adt_json_parser *p = adt_json_new(NULL, &adt_json_write, &w, &err);
    int rc = p ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < n; i += piece)
        rc = adt_json_feed(p, text + i, n - i < piece ? n - i : piece);
    if (rc == 0)
        rc = adt_json_finish(p);
    adt_json_free(p);
    return rc;
}

static void must(int good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct adt_buf whole, pieces, again;
    int rc = rewrite((const char *)data, n, 0, &whole);
    must(rewrite((const char *)data, n, 1 + n % 7, &pieces) == rc);
    if (rc == 0) {
        must(whole.len == pieces.len && !memcmp(whole.p, pieces.p, whole.len));
        must(rewrite(whole.p, whole.len, 0, &again) == 0);
        must(again.len == whole.len && !memcmp(again.p, whole.p, whole.len));
        adt_buf_free(&again);
    }
    adt_buf_free(&whole);
    adt_buf_free(&pieces);
    return 0;
}
