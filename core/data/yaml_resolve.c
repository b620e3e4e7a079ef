/* yaml_resolve.c - which type a plain YAML scalar has */
#include "data/yaml_private.h"

#include <string.h>

static bool any_of(const char *text, size_t n, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == n && !memcmp(*words, text, n))
            return true;
    return false;
}

static size_t digits(const char *p, const char *end)
{
    const char *from = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return (size_t)(p - from);
}

static bool radix(const char *p, size_t n)
{
    if (n < 3 || *p != '0' || (p[1] != 'x' && p[1] != 'o'))
        return false;
    char last = p[1] == 'x' ? '9' : '7';
    for (size_t i = 2; i < n; i++)
        if (!(p[i] >= '0' && p[i] <= last) && !(p[1] == 'x' && (p[i] | 32) >= 'a' && (p[i] | 32) <= 'f'))
            return false;
    return true;
}

static enum adt_yaml_kind number(const char *p, size_t n)
{
    const char *end = p + n;
    if (*p == '-' || *p == '+')
        p++;
    size_t whole = digits(p, end);
    if (whole > 1 && *p == '0')
        return YAML_STRING;
    p += whole;
    if (p == end)
        return whole ? YAML_INTEGER : YAML_STRING;
    if (*p == '.') {
        size_t fraction = digits(++p, end);
        if (!whole && !fraction)
            return YAML_STRING;
        p += fraction;
    } else if (!whole) {
        return YAML_STRING;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        if (++p < end && (*p == '-' || *p == '+'))
            p++;
        size_t exponent = digits(p, end);
        if (!exponent)
            return YAML_STRING;
        p += exponent;
    }
    return p == end ? YAML_FLOAT : YAML_STRING;
}

enum adt_yaml_kind adt_yaml_resolve(const char *text, size_t n)
{
    static const char *const nulls[] = {"null", "Null", "NULL", "~", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const specials[] = {".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
                                           "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL};
    if (!n || any_of(text, n, nulls))
        return YAML_NULL;
    if (any_of(text, n, trues))
        return YAML_TRUE;
    if (any_of(text, n, falses))
        return YAML_FALSE;
    if (any_of(text, n, specials))
        return YAML_SPECIAL;
    return radix(text, n) ? YAML_RADIX : number(text, n);
}
