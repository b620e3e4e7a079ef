/* nearest.c - Levenshtein distance in one row */
#include "base/nearest.h"

#include <string.h>

void adt_nearest_begin(struct adt_nearest *s, const char *name, size_t n)
{
    *s = (struct adt_nearest){.name = name, .n = n, .best = n / 3 + 2};
}

static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[ADT_NEAREST_MAX + 1];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t swap = diagonal + (a[i - 1] != b[j - 1]);
            size_t best = row[j] < row[j - 1] ? row[j] : row[j - 1];
            diagonal = row[j];
            row[j] = best + 1 < swap ? best + 1 : swap;
        }
    }
    return row[m];
}

void adt_nearest_try(struct adt_nearest *s, const char *candidate)
{
    size_t m = strlen(candidate), apart = m > s->n ? m - s->n : s->n - m;
    if (s->n > ADT_NEAREST_MAX || m > ADT_NEAREST_MAX || apart >= s->best)
        return;
    size_t d = distance(s->name, s->n, candidate, m);
    if (d < s->best) {
        s->best = d;
        s->found = candidate;
    }
}
