/* nearest.h - which of many names a misspelt one is likely to mean */
#ifndef ADT_BASE_NEAREST_H
#define ADT_BASE_NEAREST_H

#include <stddef.h>

enum { ADT_NEAREST_MAX = 63 /* letters of a name; longer ones are near to nothing */ };

struct adt_nearest {
    const char *name;
    size_t n, best;
    const char *found; /* the nearest so far; NULL: none is near */
};

void adt_nearest_begin(struct adt_nearest *s, const char *name, size_t n);

void adt_nearest_try(struct adt_nearest *s, const char *candidate);
/* Near is a Levenshtein distance of at most a third of the name and one; the first of equally near ones stays. */

#endif
