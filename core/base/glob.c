/* glob.c - matching with one point to return to per kind of star, so at most length times length steps */
#include "base/glob.h"

#include <string.h>

/* How many bytes of [name] a '?' takes. */
static size_t character(const char *name, size_t n)
{
    size_t k = 1;
    while (k < n && k < 4 && ((unsigned char)name[k] & 0xC0) == 0x80 && ((unsigned char)name[0] & 0xC0) == 0xC0)
        k++;
    return k;
}

/* The set that begins at pattern[i] == '[': whether [c] is in it, and in [next] what follows it. A set that is not
 * closed is a plain bracket. */
static bool in_set(const char *pattern, size_t pn, size_t i, unsigned char c, size_t *next)
{
    size_t k = i + 1;
    bool negated = k < pn && (pattern[k] == '!' || pattern[k] == '^'), found = false;
    k += negated;
    for (size_t first = k; k < pn && (pattern[k] != ']' || k == first); k++) {
        unsigned char low = (unsigned char)pattern[k], high = low;
        if (k + 2 < pn && pattern[k + 1] == '-' && pattern[k + 2] != ']') {
            high = (unsigned char)pattern[k + 2];
            k += 2;
        }
        found |= c >= low && c <= high;
    }
    if (k >= pn) {
        *next = i + 1;
        return c == '[';
    }
    *next = k + 1;
    return found != negated;
}

/* One element of the pattern that is not a star, against the front of [name]: the bytes taken, or 0. */
static size_t match_one(const char *pattern, size_t pn, size_t i, const char *name, size_t n, size_t *next)
{
    *next = i + 1;
    switch (pattern[i]) {
    case '?':
        return character(name, n);
    case '[':
        return in_set(pattern, pn, i, (unsigned char)name[0], next);
    case '\\':
        if (i + 1 < pn)
            *next = ++i + 1;
        break;
    default:
        break;
    }
    return pattern[i] == name[0];
}

bool adt_glob_name(const char *pattern, size_t pn, const char *name, size_t n)
{
    size_t i = 0, j = 0, star = (size_t)-1, mark = 0, next;
    if (n > 0 && name[0] == '.' && (pn == 0 || (pattern[0] != '.' && pattern[0] != '\\')))
        return false;
    while (j < n) {
        size_t took = 0;
        if (i < pn && pattern[i] == '*') {
            star = i++;
            mark = j;
            continue;
        }
        if (i < pn)
            took = match_one(pattern, pn, i, name + j, n - j, &next);
        if (took) {
            i = next;
            j += took;
        } else if (star != (size_t)-1) {
            i = star + 1;
            j = ++mark;
        } else {
            return false;
        }
    }
    while (i < pn && pattern[i] == '*')
        i++;
    return i == pn;
}

static size_t part_length(const char *p, size_t n)
{
    const char *slash = memchr(p, '/', n);
    return slash ? (size_t)(slash - p) : n;
}

/* Past the part at [i] and its slash; n + 1 behind the last part, so that it differs from an empty part at the end. */
static size_t after_part(const char *p, size_t n, size_t i)
{
    return i + part_length(p + i, n - i) + 1;
}

bool adt_glob_path(const char *pattern, size_t pn, const char *path, size_t n)
{
    size_t i = 0, j = 0, star = (size_t)-1, mark = 0;
    while (j <= n) {
        size_t part = i <= pn ? part_length(pattern + i, pn - i) : 0, name = part_length(path + j, n - j);
        if (i <= pn && part == 2 && !memcmp(pattern + i, "**", 2)) {
            star = i = after_part(pattern, pn, i);
            mark = j;
        } else if (i <= pn && adt_glob_name(pattern + i, part, path + j, name)) {
            i = after_part(pattern, pn, i);
            j += name + 1;
        } else if (star != (size_t)-1 && (mark >= n || path[mark] != '.')) {
            i = star;
            j = mark = after_part(path, n, mark);
        } else {
            return false;
        }
    }
    while (i <= pn && part_length(pattern + i, pn - i) == 2 && !memcmp(pattern + i, "**", 2))
        i = after_part(pattern, pn, i);
    return i > pn;
}

bool adt_glob_magic(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strchr("*?[\\", text[i]) && text[i])
            return true;
    return false;
}
