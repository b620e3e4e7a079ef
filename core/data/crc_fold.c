/* crc_fold.c - CRCs folded by carry-less multiplication: 64 bytes at a time are moved on over the next 64
 *
 * Sixteen bytes are a polynomial of 128 coefficients; moving it on by n bits is multiplying it by x^n modulo the CRC's
 * own polynomial, each half by its factor (V. Gopal and others, "Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ Instruction", Intel 2009). The last 16 bytes go through the tables, which saves a reduction here. */
#include "data/crc.h"

#if defined __x86_64__ && defined __GNUC__

#include <immintrin.h>

#define FOLDING __attribute__((target("sse2,pclmul")))

FOLDING static __m128i load(const unsigned char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

FOLDING static __m128i onto(__m128i v, __m128i factors, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(v, factors, 0x00), high = _mm_clmulepi64_si128(v, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

FOLDING static void fold(const uint64_t by64[2], const uint64_t by16[2], uint64_t state, const unsigned char *p,
                         size_t n, unsigned char out[16])
{
    __m128i far = _mm_set_epi64x((long long)by64[1], (long long)by64[0]);
    __m128i near = _mm_set_epi64x((long long)by16[1], (long long)by16[0]);
    __m128i a = _mm_xor_si128(load(p), _mm_set_epi64x(0, (long long)state));
    __m128i b = load(p + 16), c = load(p + 32), d = load(p + 48);
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
        a = onto(a, far, load(p));
        b = onto(b, far, load(p + 16));
        c = onto(c, far, load(p + 32));
        d = onto(d, far, load(p + 48));
    }
    a = onto(onto(onto(a, near, b), near, c), near, d);
    for (; n; p += 16, n -= 16)
        a = onto(a, near, load(p));
    _mm_storeu_si128((__m128i *)(void *)out, a);
}

adt_crc_fold_fn *adt_crc_fold(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("pclmul") ? fold : NULL;
}

#else

adt_crc_fold_fn *adt_crc_fold(void)
{
    return NULL;
}

#endif
