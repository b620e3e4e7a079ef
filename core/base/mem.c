/* mem.c - counted allocation with a failure that tests can place */
#include "base/mem.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

static atomic_long live;
static atomic_long fail_in = -1;

static int must_fail(void)
{
    long left = atomic_load_explicit(&fail_in, memory_order_relaxed);
    do {
        if (left < 0)
            return 0;
    } while (!atomic_compare_exchange_weak(&fail_in, &left, left - 1));
    if (left > 0)
        return 0;
    errno = ENOMEM;
    return 1;
}

static void *counted(void *p)
{
    if (p)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return p;
}

void *adt_alloc(size_t n)
{
    return must_fail() ? NULL : counted(malloc(n ? n : 1));
}

void *adt_zalloc(size_t n)
{
    return must_fail() ? NULL : counted(calloc(1, n ? n : 1));
}

void *adt_realloc(void *p, size_t n)
{
    if (!p)
        return adt_alloc(n);
    return must_fail() ? NULL : realloc(p, n ? n : 1);
}

char *adt_memdup(const void *p, size_t n)
{
    char *copy = adt_alloc(n + 1);
    if (copy) {
        if (n)
            memcpy(copy, p, n);
        copy[n] = '\0';
    }
    return copy;
}

char *adt_strdup(const char *s)
{
    return adt_memdup(s, strlen(s));
}

void adt_free(void *p)
{
    if (!p)
        return;
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    free(p);
}

long adt_mem_live(void)
{
    return atomic_load(&live);
}

long adt_mem_fail_left(void)
{
    return atomic_load(&fail_in);
}

void adt_mem_fail_after(long n)
{
    atomic_store(&fail_in, n);
}
