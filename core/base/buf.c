/* buf.c - growth by doubling up to a ceiling */
#include "base/buf.h"

#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void adt_buf_init(struct adt_buf *b, size_t max)
{
    *b = (struct adt_buf){.max = max};
}

char *adt_buf_grow(struct adt_buf *b, size_t n)
{
    if (n > b->max || b->len > b->max - n) {
        adt_buf_free(b);
        errno = EOVERFLOW;
        return NULL;
    }
    size_t need = b->len + n + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 128;
        while (cap < need)
            cap *= 2;
        if (cap > b->max + 1)
            cap = b->max + 1;
        char *p = adt_realloc(b->p, cap);
        if (!p) {
            adt_buf_free(b);
            errno = ENOMEM;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->len;
}

int adt_buf_add(struct adt_buf *b, const void *p, size_t n)
{
    char *dst = adt_buf_grow(b, n);
    if (!dst)
        return -1;
    if (n)
        memcpy(dst, p, n);
    b->len += n;
    b->p[b->len] = '\0';
    return 0;
}

int adt_buf_adds(struct adt_buf *b, const char *s)
{
    return adt_buf_add(b, s, strlen(s));
}

int adt_buf_addc(struct adt_buf *b, char c)
{
    return adt_buf_add(b, &c, 1);
}

int adt_buf_addf(struct adt_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *dst = n < 0 ? NULL : adt_buf_grow(b, (size_t)n);
    if (dst) {
        vsnprintf(dst, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return dst ? 0 : -1;
}

char *adt_buf_take(struct adt_buf *b, size_t *len)
{
    char *p = b->p ? b->p : adt_strdup("");
    if (len)
        *len = b->len;
    adt_buf_init(b, b->max);
    return p;
}

void adt_buf_drop(struct adt_buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
    } else {
        memmove(b->p, b->p + n, b->len - n);
        b->len -= n;
    }
    if (b->p)
        b->p[b->len] = '\0';
}

void adt_buf_free(struct adt_buf *b)
{
    adt_free(b->p);
    adt_buf_init(b, b->max);
}
