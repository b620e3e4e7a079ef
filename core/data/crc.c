/* crc.c - CRCs by tables of eight bytes at a time, and by folding where the processor can
 *
 * All three are reflected: the lowest bit of the first byte is the highest power of x. A 32-bit check lies in the low
 * half of its state, so one loop serves both widths. */
#include "data/crc.h"

#include <pthread.h>
#include <stdbool.h>

enum { FOLD_MIN = 128 /* bytes below which folding does not pay */ };

static const struct {
    uint64_t polynomial; /* reflected, without its highest power */
    int bits;
} kinds[ADT_CRCS] = {{0xedb88320, 32}, {0x82f63b78, 32}, {0x9a6c9329ac4bc9b5, 64}};

static struct {
    uint64_t table[ADT_CRCS][8][256];
    uint64_t by64[ADT_CRCS][2], by16[ADT_CRCS][2]; /* factors that move 16 bytes on by 64 and by 16 */
    adt_crc_fold_fn *fold;
} made;
static pthread_once_t made_once = PTHREAD_ONCE_INIT;

/* x^n modulo the polynomial, as the highest bits of a reflected 64-bit word. */
static uint64_t power(int kind, int n)
{
    uint64_t v = UINT64_C(1) << (kinds[kind].bits - 1);
    while (n-- > 0)
        v = (v >> 1) ^ (v & 1 ? kinds[kind].polynomial : 0);
    return v << (64 - kinds[kind].bits);
}

/* The product of two reflected 64-bit words comes out one power too low, hence the 1. */
static void make_factors(int kind, int bits, uint64_t out[2])
{
    out[0] = power(kind, bits + 64 - 1);
    out[1] = power(kind, bits - 1);
}

static void make(void)
{
    for (int kind = 0; kind < ADT_CRCS; kind++) {
        uint64_t(*t)[256] = made.table[kind];
        for (int byte = 0; byte < 256; byte++) {
            uint64_t v = (uint64_t)byte;
            for (int bit = 0; bit < 8; bit++)
                v = (v >> 1) ^ (v & 1 ? kinds[kind].polynomial : 0);
            t[0][byte] = v;
        }
        for (int row = 1; row < 8; row++)
            for (int byte = 0; byte < 256; byte++)
                t[row][byte] = (t[row - 1][byte] >> 8) ^ t[0][t[row - 1][byte] & 255];
        make_factors(kind, 512, made.by64[kind]);
        make_factors(kind, 128, made.by16[kind]);
    }
    made.fold = adt_crc_fold();
}

static uint64_t load(const unsigned char *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
           (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static uint64_t by_table(int kind, uint64_t state, const unsigned char *p, size_t n)
{
    const uint64_t(*t)[256] = (const uint64_t(*)[256])made.table[kind];
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v = state ^ load(p);
        state = t[7][v & 255] ^ t[6][v >> 8 & 255] ^ t[5][v >> 16 & 255] ^ t[4][v >> 24 & 255] ^ t[3][v >> 32 & 255] ^
                t[2][v >> 40 & 255] ^ t[1][v >> 48 & 255] ^ t[0][v >> 56];
    }
    for (; n; n--, p++)
        state = (state >> 8) ^ t[0][(state ^ *p) & 255];
    return state;
}

static uint64_t inverted(int kind, uint64_t v)
{
    return ~v & (UINT64_MAX >> (64 - kinds[kind].bits));
}

uint64_t adt_crc_add(enum adt_crc kind, uint64_t crc, const void *p, size_t n)
{
    const unsigned char *bytes = p;
    unsigned char rest[16];
    pthread_once(&made_once, make);
    uint64_t state = inverted(kind, crc);
    if (made.fold && n >= FOLD_MIN) {
        size_t whole = n & ~(size_t)15;
        made.fold(made.by64[kind], made.by16[kind], state, bytes, whole, rest);
        state = by_table(kind, 0, rest, sizeof rest);
        bytes += whole;
        n -= whole;
    }
    return inverted(kind, by_table(kind, state, bytes, n));
}

uint64_t adt_crc_add_by_table(enum adt_crc kind, uint64_t crc, const void *p, size_t n)
{
    pthread_once(&made_once, make);
    return inverted(kind, by_table(kind, inverted(kind, crc), p, n));
}

size_t adt_crc_size(enum adt_crc kind)
{
    return (size_t)kinds[kind].bits / 8;
}
