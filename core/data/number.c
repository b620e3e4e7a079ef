/* number.c - numbers from text and back */
#include "data/number.h"

#include "base/mem.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int adt_number_integer(const char *p, size_t n, int64_t *out)
{
    const char *end = p + n;
    int negative = n && *p == '-';
    uint64_t v = 0, limit = (uint64_t)INT64_MAX + (uint64_t)negative;
    if (n && (*p == '-' || *p == '+'))
        p++;
    for (; p < end; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (v > (limit - digit) / 10)
            return -1;
        v = v * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

/* Up to 2^53 times or over a power of ten up to 10^22 is exact in one operation; most numbers in real texts are such.
 */
static int quick_double(const char *p, size_t n, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *end = p + n;
    int negative = n && *p == '-', scale = 0, point = 0, digits = 0;
    uint64_t m = 0;
    if (n && (*p == '-' || *p == '+'))
        p++;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = 1;
            continue;
        }
        if (++digits > 18)
            return -1;
        m = m * 10 + (unsigned)(*p - '0');
        scale -= point;
    }
    if (p < end) {
        int64_t e;
        if (end - p > 5 || adt_number_integer(p + 1, (size_t)(end - p - 1), &e) < 0)
            return -1;
        scale += (int)e;
    }
    if (m > (uint64_t)1 << 53 || scale > 22 || scale < -22)
        return -1;
    double v = scale < 0 ? (double)m / powers[-scale] : (double)m * powers[scale];
    *out = negative ? -v : v;
    return 0;
}

int adt_number_double(const char *p, size_t n, double *out)
{
    if (quick_double(p, n, out) == 0)
        return 0;
    const char *point = localeconv()->decimal_point;
    size_t wide = strlen(point);
    char local[128];
    adt_autofree char *heap = NULL;
    char *copy = local;
    if (n + wide >= sizeof local && !(copy = heap = adt_alloc(n + wide + 1)))
        return -1;
    memcpy(copy, p, n);
    copy[n] = '\0';
    char *dot = memchr(copy, '.', n);
    if (dot && strcmp(point, ".") != 0) {
        memmove(dot + wide, dot + 1, n - (size_t)(dot - copy));
        for (size_t i = 0; i < wide; i++)
            dot[i] = point[i];
    }
    *out = strtod(copy, NULL);
    if (isfinite(*out))
        return 0;
    errno = ERANGE;
    return -1;
}

size_t adt_number_write_integer(int64_t v, char out[static ADT_NUMBER_TEXT])
{
    char digits[24];
    size_t n = 0, i = sizeof digits;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[--i] = (char)('0' + u % 10);
    } while (u /= 10);
    if (v < 0)
        out[n++] = '-';
    memcpy(out + n, digits + i, sizeof digits - i);
    n += sizeof digits - i;
    out[n] = '\0';
    return n;
}

/* printf and strtod know the locale's decimal point only, and agree with each other about it. */
static size_t shortest(double v, char out[static ADT_NUMBER_TEXT])
{
    /* 15 digits always survive the way through a double, but for the denormal ones, which hold fewer. */
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(out, ADT_NUMBER_TEXT, "%.*g", digits, v);
        if (strtod(out, NULL) == v)
            break;
    }
    const char *point = localeconv()->decimal_point;
    char *at = strcmp(point, ".") != 0 ? strstr(out, point) : NULL;
    if (at) {
        *at = '.';
        memmove(at + 1, at + strlen(point), strlen(at + strlen(point)) + 1);
    }
    return strlen(out);
}

size_t adt_number_write_double(double v, char out[static ADT_NUMBER_TEXT])
{
    size_t n;
    if (fabs(v) < 1e15 && v == (double)(int64_t)v && !(v == 0 && signbit(v))) {
        n = adt_number_write_integer((int64_t)v, out);
    } else {
        n = shortest(v, out);
        if (strpbrk(out, ".e"))
            return n;
    }
    memcpy(out + n, ".0", 3);
    return n + 2;
}
