/* hostlist.c - any text as a host list: as many names as counted, each a host; folded and expanded they stay the same
 */
#include "slurm/hostlist.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void must(int good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct adt_error err;
    struct adt_hostlist h, again;
    struct adt_hostlist_fold f;
    struct adt_buf out;
    size_t n, m, count = 0;
    const char *name, *other;
    char *text = adt_memdup(data, size);
    if (adt_hostlist_begin(&h, text, size, &err) == 0) {
        size_t expected = h.count;
        adt_buf_init(&out, 2 * ADT_HOSTLIST_TEXT);
        adt_hostlist_fold_begin(&f, &out);
        while ((name = adt_hostlist_next(&h, &n))) {
            must(adt_hostlist_check(name, n, &err) == 0 && strlen(name) == n);
            must(adt_hostlist_fold_add(&f, name, n, &err) == 0);
            count++;
        }
        must(count == expected && adt_hostlist_fold_end(&f, &err) == 0);
        must(adt_hostlist_begin(&h, text, size, &err) == 0);
        must(adt_hostlist_begin(&again, out.p, out.len, &err) == 0);
        while ((name = adt_hostlist_next(&h, &n)))
            must((other = adt_hostlist_next(&again, &m)) && n == m && !memcmp(name, other, n));
        must(!adt_hostlist_next(&again, &m));
        adt_buf_free(&out);
    }
    adt_free(text);
    return 0;
}
