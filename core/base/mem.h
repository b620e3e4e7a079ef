/* mem.h - the one door for heap memory: counted, and able to fail on purpose */
#ifndef ADT_BASE_MEM_H
#define ADT_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *adt_alloc(size_t n);
void *adt_zalloc(size_t n);
void *adt_realloc(void *p, size_t n);
char *adt_strdup(const char *s);
char *adt_memdup(const void *p, size_t n);
/* As the C library's, NULL when out of memory. adt_memdup() adds a NUL after the [n] bytes. Thread-safe. */

void adt_free(void *p);
/* Takes NULL. */

long adt_mem_live(void);
/* Blocks handed out and not yet freed, over all threads. */

void adt_mem_fail_after(long n);
/* Test hook: the allocation after [n] more successful ones fails, once; negative: never. */

long adt_mem_fail_left(void);
/* How many more succeed before one fails; negative: none will, or it has failed already. */

/* Scope cleanup, for core only: bindings can be left by longjmp and take temporary memory from Lua instead. */
static inline void adt_autofree_(void *p)
{
    adt_free(*(void **)p);
}
static inline void adt_autoclose_(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define adt_autofree __attribute__((cleanup(adt_autofree_)))
#define adt_autoclose __attribute__((cleanup(adt_autoclose_)))

#endif
