/* arena.h - many small pieces of memory that are freed together */
#ifndef ADT_BASE_ARENA_H
#define ADT_BASE_ARENA_H

#include <stddef.h>

struct adt_arena_chunk;

struct adt_arena {
    struct adt_arena_chunk *chunks; /* newest first */
    size_t used, max;               /* bytes taken from the heap */
};

void adt_arena_init(struct adt_arena *a, size_t max);
/* An empty one that takes at most [max] bytes. Allocates nothing. */

void *adt_arena_alloc(struct adt_arena *a, size_t count, size_t size);
/* Zeroed memory for [count] things of [size] bytes, aligned for anything; never NULL for none of them. NULL with errno
 * ENOMEM, or EOVERFLOW past the ceiling. */

char *adt_arena_text(struct adt_arena *a, const char *text, size_t n);
/* A copy with a NUL behind it; NULL as above. */

void adt_arena_free(struct adt_arena *a);
/* Wipes and frees everything; the arena may be used again. */

#endif
