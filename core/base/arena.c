/* arena.c - chunks that double in size, cut from their fronts */
#include "base/arena.h"

#include "base/mem.h"
#include "base/secret.h"

#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

enum { FIRST_CHUNK = 1 << 12, LAST_CHUNK = 1 << 20, ALIGN = alignof(max_align_t) };

struct adt_arena_chunk {
    struct adt_arena_chunk *older;
    size_t size, at;
    alignas(max_align_t) char bytes[];
};

void adt_arena_init(struct adt_arena *a, size_t max)
{
    *a = (struct adt_arena){.max = max};
}

static struct adt_arena_chunk *new_chunk(struct adt_arena *a, size_t n)
{
    size_t size = a->chunks ? 2 * a->chunks->size : FIRST_CHUNK;
    if (size > LAST_CHUNK)
        size = LAST_CHUNK;
    size_t left = a->max - a->used;
    if (left < sizeof *a->chunks || n > left - sizeof *a->chunks) {
        errno = EOVERFLOW;
        return NULL;
    }
    if (size > left - sizeof *a->chunks)
        size = left - sizeof *a->chunks;
    if (size < n)
        size = n;
    struct adt_arena_chunk *c = adt_zalloc(sizeof *c + size);
    if (!c) {
        errno = ENOMEM;
        return NULL;
    }
    *c = (struct adt_arena_chunk){.older = a->chunks, .size = size};
    a->chunks = c;
    a->used += sizeof *c + size;
    return c;
}

static void *cut(struct adt_arena *a, size_t n)
{
    struct adt_arena_chunk *c = a->chunks;
    if ((!c || c->size - c->at < n) && !(c = new_chunk(a, n)))
        return NULL;
    void *p = c->bytes + c->at;
    c->at += n;
    return p;
}

/* What is left of the newest chunk before the next aligned place is given up. */
void *adt_arena_alloc(struct adt_arena *a, size_t count, size_t size)
{
    if (count && size > (SIZE_MAX - ALIGN) / count) {
        errno = EOVERFLOW;
        return NULL;
    }
    struct adt_arena_chunk *c = a->chunks;
    if (c && c->at % ALIGN) {
        size_t pad = ALIGN - c->at % ALIGN;
        c->at += pad < c->size - c->at ? pad : c->size - c->at;
    }
    size_t n = count * size;
    return cut(a, n > 0 ? n : 1);
}

char *adt_arena_text(struct adt_arena *a, const char *text, size_t n)
{
    if (n > SIZE_MAX - ALIGN) {
        errno = EOVERFLOW;
        return NULL;
    }
    char *p = cut(a, n + 1);
    if (p && n)
        memcpy(p, text, n);
    return p;
}

void adt_arena_free(struct adt_arena *a)
{
    for (struct adt_arena_chunk *c = a->chunks, *older; c; c = older) {
        older = c->older;
        adt_wipe(c->bytes, c->at);
        adt_free(c);
    }
    adt_arena_init(a, a->max);
}
