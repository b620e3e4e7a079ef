/* embedded.h - the Lua modules that live inside the program */
#ifndef ADT_EMBEDDED_H
#define ADT_EMBEDDED_H

#include <stddef.h>

struct adt_embedded {
    const char *name, *chunk;
    const unsigned char *text;
    size_t size;
};

/* Sorted by name, [adt_embedded_count] entries. */
extern const struct adt_embedded adt_embedded[];
extern const size_t adt_embedded_count;

#endif
