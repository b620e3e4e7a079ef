/* yaml.c - any bytes as YAML; what is written back reads as the same again */
#include "data/yaml.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rewrite(const char *text, size_t n, bool cloudformation, struct adt_buf *out, struct adt_error *err)
{
    struct adt_yaml_writer w = {.out = out, .err = err};
    struct adt_yaml_options opt = {.cloudformation = cloudformation};
    adt_buf_init(out, 1 << 24);
    return adt_yaml_parse(text, n, &opt, &adt_yaml_write, &w, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const char *text, size_t n, bool cloudformation)
{
    struct adt_buf once, twice;
    struct adt_error err = {0};
    if (rewrite(text, n, cloudformation, &once, &err) == 0) {
        if (rewrite(once.p, once.len, false, &twice, &err) < 0) {
            fprintf(stderr, "%s: %s\n%s\n", err.where, err.message, once.p);
            abort();
        }
        if (once.len != twice.len || memcmp(once.p, twice.p, once.len) != 0) {
            fprintf(stderr, "%s\nread back and written again:\n%s\n", once.p, twice.p);
            abort();
        }
        adt_buf_free(&twice);
    }
    adt_buf_free(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check((const char *)data, n, false);
    check((const char *)data, n, true);
    return 0;
}
