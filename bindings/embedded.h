/* embedded.h - the Lua modules and data files that live inside the program */
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

/* A file by its path below the root, "adt/aws/data/ec2/service-2.json", packed as a zlib stream. */
struct adt_embedded_data {
    const char *name;
    const unsigned char *packed;
    size_t packed_size, size;
};

/* Sorted by name, [adt_embedded_data_count] entries. */
extern const struct adt_embedded_data adt_embedded_data[];
extern const size_t adt_embedded_data_count;

#endif
