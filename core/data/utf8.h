/* utf8.h - is this text UTF-8, whole or arriving in pieces */
#ifndef ADT_DATA_UTF8_H
#define ADT_DATA_UTF8_H

#include <stddef.h>

/* Zero-initialised: between characters. */
struct adt_utf8 {
    unsigned char need, lo, hi; /* continuation bytes to come, and what the next may be */
};

int adt_utf8_next(struct adt_utf8 *u, unsigned char c);
/* Takes one byte. 0, or -1 where it cannot stand: overlong forms, surrogates and values past U+10FFFF included. */

size_t adt_utf8_plain(const char *p, size_t n);
/* How many bytes, at least a whole number of words, at the start of [p] are ASCII other than a backslash. */

size_t adt_utf8_valid(const char *p, size_t n);
/* The length of the longest start of [p] that is whole UTF-8 characters; [n] when all of it is. */

#endif
