/* secret.c - the registry of values that text is searched for before it leaves */
#include "base/secret.h"

#include "base/mem.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct secret {
    struct secret *next;
    size_t n;
    char value[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct secret *secrets;

void adt_wipe(void *p, size_t n)
{
    if (p && n)
        explicit_bzero(p, n);
}

static int add_one(const char *value, size_t n)
{
    if (n < ADT_SECRET_MIN)
        return 0;
    for (struct secret *s = secrets; s; s = s->next)
        if (s->n == n && !memcmp(s->value, value, n))
            return 0;
    struct secret *s = adt_alloc(sizeof *s + n);
    if (!s)
        return -1;
    s->n = n;
    memcpy(s->value, value, n);
    /* Longer values first, so that one holding another is replaced whole. */
    struct secret **at = &secrets;
    while (*at && (*at)->n >= n)
        at = &(*at)->next;
    s->next = *at;
    *at = s;
    return 0;
}

/* The journal is JSON: there a value with quotes or newlines stands escaped. */
static int add_escaped(const char *value, size_t n)
{
    struct adt_buf b;
    adt_buf_init(&b, n * 6);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        unsigned char c = (unsigned char)value[i];
        const char *two = c == '"'    ? "\\\""
                          : c == '\\' ? "\\\\"
                          : c == '\n' ? "\\n"
                          : c == '\r' ? "\\r"
                          : c == '\t' ? "\\t"
                          : c == '\b' ? "\\b"
                          : c == '\f' ? "\\f"
                                      : NULL;
        if (two)
            rc = adt_buf_adds(&b, two);
        else if (c < 0x20 || c == 0x7f)
            rc = adt_buf_addf(&b, "\\u%04x", c);
        else
            rc = adt_buf_addc(&b, (char)c);
    }
    if (rc == 0 && b.len != n)
        rc = add_one(b.p, b.len);
    adt_wipe(b.p, b.len);
    adt_buf_free(&b);
    return rc;
}

int adt_secret_add(const char *value, size_t n)
{
    pthread_mutex_lock(&lock);
    int rc = add_one(value, n);
    if (rc == 0 && n >= ADT_SECRET_MIN)
        rc = add_escaped(value, n);
    pthread_mutex_unlock(&lock);
    return rc;
}

bool adt_secret_any(void)
{
    pthread_mutex_lock(&lock);
    bool any = secrets != NULL;
    pthread_mutex_unlock(&lock);
    return any;
}

/* What makes a presigned URL valid. Each URL has its own, so they are known by their name and not by their value. */
static const char *find_signature(const char *text, size_t n, size_t *len)
{
    static const char name[] = "X-Amz-Signature=";
    const char *p = memmem(text, n, name, sizeof name - 1);
    if (!p)
        return NULL;
    p += sizeof name - 1;
    *len = 0;
    while (p + *len < text + n && isxdigit((unsigned char)p[*len]))
        (*len)++;
    if (*len < ADT_SECRET_MIN)
        *len = 0;
    return p;
}

int adt_secret_redact(const char *text, size_t n, struct adt_buf *out)
{
    pthread_mutex_lock(&lock);
    int rc = 0;
    size_t at = 0;
    while (at < n && rc == 0) {
        const char *first = NULL;
        size_t len = 0, other_len = 0;
        for (const struct secret *s = secrets; s; s = s->next) {
            const char *p = memmem(text + at, n - at, s->value, s->n);
            if (p && (!first || p < first)) {
                first = p;
                len = s->n;
            }
        }
        const char *other = find_signature(text + at, n - at, &other_len);
        if (other && (!first || other < first)) {
            first = other;
            len = other_len;
        }
        if (!first)
            break;
        rc = adt_buf_add(out, text + at, (size_t)(first - (text + at)));
        if (rc == 0 && len > 0)
            rc = adt_buf_adds(out, "<secret>");
        at = (size_t)(first - text) + len;
    }
    if (rc == 0)
        rc = adt_buf_add(out, text + at, n - at);
    pthread_mutex_unlock(&lock);
    return rc;
}

void adt_secret_forget(void)
{
    pthread_mutex_lock(&lock);
    while (secrets) {
        struct secret *s = secrets;
        secrets = s->next;
        adt_wipe(s->value, s->n);
        adt_free(s);
    }
    pthread_mutex_unlock(&lock);
}
