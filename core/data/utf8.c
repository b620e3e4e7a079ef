/* utf8.c - checking UTF-8, a word at a time where the text is ASCII */
#include "data/utf8.h"

#include <stdint.h>
#include <string.h>

#define ONES (~(uint64_t)0 / 255)
#define HIGH (ONES << 7)

size_t adt_utf8_plain(const char *p, size_t n)
{
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        uint64_t a, b;
        memcpy(&a, p + i, 8);
        memcpy(&b, p + i + 8, 8);
        /* A byte equal to the backslash becomes zero, and only a zero (or a byte already high) borrows its high bit. */
        uint64_t x = a ^ (ONES * '\\'), y = b ^ (ONES * '\\');
        if ((a | b | ((x - ONES) & ~x) | ((y - ONES) & ~y)) & HIGH)
            break;
    }
    return i;
}

int adt_utf8_next(struct adt_utf8 *u, unsigned char c)
{
    if (u->need) {
        if (c < u->lo || c > u->hi)
            return -1;
        *u = (struct adt_utf8){(unsigned char)(u->need - 1), 0x80, 0xBF};
        return 0;
    }
    if (c < 0x80)
        return 0;
    if (c < 0xC2 || c > 0xF4)
        return -1;
    u->need = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    u->lo = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    u->hi = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    return 0;
}

size_t adt_utf8_valid(const char *p, size_t n)
{
    struct adt_utf8 u = {0};
    size_t good = 0, i = 0;
    while (i < n) {
        if (!u.need) {
            i += adt_utf8_plain(p + i, n - i);
            good = i;
            if (i == n)
                break;
        }
        if (adt_utf8_next(&u, (unsigned char)p[i++]) < 0)
            return good;
        if (!u.need)
            good = i;
    }
    return good;
}
