/* base64.c - RFC 4648, strict in what it reads */
#include "data/digest.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_urls[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int adt_base64_encode(const void *p, size_t n, bool url, struct adt_buf *out)
{
    const unsigned char *s = p;
    const char *digit = url ? for_urls : standard;
    char *dst = n > (size_t)-1 / 2 ? NULL : adt_buf_grow(out, (n + 2) / 3 * 4);
    if (!dst)
        return -1;
    char *d = dst;
    for (; n >= 3; n -= 3, s += 3) {
        unsigned v = (unsigned)s[0] << 16 | (unsigned)s[1] << 8 | s[2];
        *d++ = digit[v >> 18];
        *d++ = digit[v >> 12 & 63];
        *d++ = digit[v >> 6 & 63];
        *d++ = digit[v & 63];
    }
    if (n) {
        unsigned v = (unsigned)s[0] << 16 | (n == 2 ? (unsigned)s[1] << 8 : 0);
        *d++ = digit[v >> 18];
        *d++ = digit[v >> 12 & 63];
        if (n == 2)
            *d++ = digit[v >> 6 & 63];
        for (size_t i = n; i < 3 && !url; i++)
            *d++ = '=';
    }
    out->len += (size_t)(d - dst);
    out->p[out->len] = '\0';
    return 0;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int adt_base64_decode(const char *text, size_t n, struct adt_buf *out, struct adt_error *err)
{
    if (n % 4 == 0)
        for (int i = 0; i < 2 && n > 0 && text[n - 1] == '='; i++)
            n--;
    char *dst = adt_buf_grow(out, n / 4 * 3 + 3), *d = dst;
    if (!dst)
        return adt_error_nomem(err);
    unsigned v = 0;
    int bits = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = value_of(text[i]);
        if (digit < 0)
            return adt_error_set(err, ADT_USAGE, "BadBase64", "byte %zu is not of the base64 alphabet", i + 1);
        v = (v << 6 | (unsigned)digit) & 0xffff;
        bits += 6;
        if (bits >= 8)
            *d++ = (char)(v >> (bits -= 8) & 0xff);
    }
    if (n % 4 == 1 || (v & ((1U << bits) - 1)))
        return adt_error_set(err, ADT_USAGE, "BadBase64", "the base64 text is cut or has stray bits at its end");
    out->len += (size_t)(d - dst);
    out->p[out->len] = '\0';
    return 0;
}
