/* crc_test.c - CRCs by published values, and against one bit at a time; with an argument: how fast */
#include "base/mem.h"
#include "data/crc.h"
#include "tap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIZE = 8192 };

static const char *const names[ADT_CRCS] = {"CRC-32", "CRC-32C", "CRC-64/NVME"};

/* The definition: reflected, begun and ended with all bits inverted. */
static uint64_t by_bits(enum adt_crc kind, const unsigned char *p, size_t n)
{
    static const uint64_t polynomials[ADT_CRCS] = {0xedb88320, 0x82f63b78, 0x9a6c9329ac4bc9b5};
    uint64_t all = kind == ADT_CRC_64NVME ? UINT64_MAX : UINT32_MAX, v = all;
    for (size_t i = 0; i < n; i++) {
        v ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            v = (v >> 1) ^ (v & 1 ? polynomials[kind] : 0);
    }
    return v ^ all;
}

static unsigned char *noise(size_t n)
{
    unsigned char *p = malloc(n);
    uint64_t v = 88172645463325252;
    for (size_t i = 0; p && i < n; i++) {
        v ^= v << 13;
        v ^= v >> 7;
        v ^= v << 17;
        p[i] = (unsigned char)(v >> 24);
    }
    return p;
}

static void test_published(void)
{
    static const uint64_t want[ADT_CRCS] = {0xcbf43926, 0xe3069283, 0xae8b14860a799888};
    unsigned char zeros[32] = {0};
    for (int kind = 0; kind < ADT_CRCS; kind++) {
        ok(adt_crc_add(kind, 0, "123456789", 9) == want[kind], "%s of \"123456789\"", names[kind]);
        ok(adt_crc_add(kind, 0, "", 0) == 0, "%s of nothing is 0", names[kind]);
    }
    ok(adt_crc_add(ADT_CRC_32C, 0, zeros, sizeof zeros) == 0x8a9136aa, "CRC-32C of 32 zeros (RFC 3720)");
    ok(adt_crc_size(ADT_CRC_32) == 4 && adt_crc_size(ADT_CRC_32C) == 4 && adt_crc_size(ADT_CRC_64NVME) == 8,
       "four bytes and eight");
}

static void test_lengths(const unsigned char *p)
{
    for (int kind = 0; kind < ADT_CRCS; kind++) {
        bool same = true, tables = true;
        for (size_t n = 0; n <= 600; n++)
            for (size_t at = 0; at < 17; at += 5) {
                uint64_t want = by_bits(kind, p + at, n);
                same &= adt_crc_add(kind, 0, p + at, n) == want;
                tables &= adt_crc_add_by_table(kind, 0, p + at, n) == want;
            }
        ok(same, "%s of every length up to 600 at odd places is that of its definition", names[kind]);
        ok(tables, "%s by tables alone, too", names[kind]);
    }
}

static void test_parts(const unsigned char *p)
{
    srand(1);
    for (int kind = 0; kind < ADT_CRCS; kind++) {
        uint64_t whole = by_bits(kind, p, SIZE);
        bool same = true;
        for (int round = 0; round < 200; round++) {
            uint64_t crc = 0;
            for (size_t at = 0; at < SIZE;) {
                size_t n = (size_t)rand() % (round % 2 ? 3000 : 200);
                n = n > SIZE - at ? SIZE - at : n;
                crc = adt_crc_add(kind, crc, p + at, n);
                at += n;
            }
            same &= crc == whole;
        }
        ok(same, "%s in parts of any length is that of the whole", names[kind]);
    }
}

typedef uint64_t add_fn(enum adt_crc kind, uint64_t crc, const void *p, size_t n);

static double speed(add_fn *add, enum adt_crc kind, const unsigned char *p, size_t n)
{
    struct timespec a, b;
    uint64_t crc = 0;
    int rounds = 0;
    clock_gettime(CLOCK_MONOTONIC, &a);
    do {
        crc = add(kind, crc, p, n);
        rounds++;
        clock_gettime(CLOCK_MONOTONIC, &b);
    } while (b.tv_sec - a.tv_sec < 1);
    double seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
    return crc == 1 ? 0 : (double)n * rounds / seconds * 1e-9;
}

int main(int argc, char **argv)
{
    unsigned char *p = noise(1 << 20);
    if (!p)
        return 1;
    (void)argv;
    if (argc > 1) {
        for (int kind = 0; kind < ADT_CRCS; kind++)
            printf("%s: %.1f GB/s, by tables %.1f GB/s\n", names[kind], speed(adt_crc_add, kind, p, 1 << 20),
                   speed(adt_crc_add_by_table, kind, p, 1 << 20));
        free(p);
        return 0;
    }
    test_published();
    test_lengths(p);
    test_parts(p);
    free(p);
    return tap_done();
}
