/* hostlist.c - Slurm's host lists: checked whole, then expanded name by name; folded back in one pass */
#include "slurm/hostlist.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int bad(struct adt_error *err, const char *code, const char *text, size_t at, const char *what)
{
    adt_error_set(err, ADT_USAGE, code, "%s", what);
    if (err && text)
        snprintf(err->where, sizeof err->where, "byte %zu of the list", at + 1);
    return -1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int adt_hostlist_check(const char *name, size_t n, struct adt_error *err)
{
    char what[128];
    int shown = (int)(n < 60 ? n : 60);
    if (n && name[0] == '-') {
        snprintf(what, sizeof what, "'%.*s' begins with a dash", shown, name);
        return bad(err, "BadHost", NULL, 0, what);
    }
    if (n > ADT_HOSTLIST_NAME) {
        snprintf(what, sizeof what, "a host's name has at most %d bytes", ADT_HOSTLIST_NAME);
        return bad(err, "BadHost", NULL, 0, what);
    }
    bool good = n > 0;
    for (size_t i = 0; i < n && good; i++) {
        unsigned char c = (unsigned char)name[i];
        good = c > ' ' && c != 0x7F && c != '[' && c != ']';
    }
    if (good)
        return 0;
    /* Control characters are not repeated in a message. */
    for (int i = 0; i < shown; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7F)
            shown = i;
    snprintf(what, sizeof what, "'%.*s' is no host", shown, name);
    return bad(err, "BadHost", NULL, 0, what);
}

/* --- ranges ------------------------------------------------------------------------------------------------------- */

/* Reads the digits at [*at]; 0, or -1. */
static int read_number(const char *p, size_t n, size_t *at, uint64_t *value, int *width)
{
    size_t start = *at;
    *value = 0;
    while (*at < n && is_digit(p[*at]) && *at - start < ADT_HOSTLIST_DIGITS)
        *value = *value * 10 + (uint64_t)(p[(*at)++] - '0');
    *width = (int)(*at - start);
    return *width ? 0 : -1;
}

/* The range at g->at, with the comma behind it: 1, 0 at the end of the group, or -1. */
static int next_range(struct adt_hostlist_group *g)
{
    int last_width;
    if (g->at >= g->n)
        return 0;
    if (read_number(g->text, g->n, &g->at, &g->value, &g->width) < 0)
        return -1;
    g->last = g->value;
    if (g->at < g->n && g->text[g->at] == '-') {
        g->at++;
        if (read_number(g->text, g->n, &g->at, &g->last, &last_width) < 0 || g->last < g->value)
            return -1;
    }
    if (g->at == g->n)
        return 1;
    /* A comma has a range behind it. */
    return g->text[g->at] == ',' && ++g->at < g->n ? 1 : -1;
}

static int digits_of(uint64_t value)
{
    int n = 1;
    while (value >= 10) {
        value /= 10;
        n++;
    }
    return n;
}

/* How many numbers a group has (at most one more than ADT_HOSTLIST_HOSTS), and the longest; -1 when it is no group. */
static int count_group(const char *text, size_t n, size_t *count, size_t *longest)
{
    struct adt_hostlist_group g = {.text = text, .n = n};
    int rc = n ? 1 : -1;
    *count = *longest = 0;
    while (rc == 1 && (rc = next_range(&g)) == 1) {
        uint64_t more = g.last - g.value;
        size_t wide = (size_t)(g.width > digits_of(g.last) ? g.width : digits_of(g.last));
        *longest = wide > *longest ? wide : *longest;
        *count += more < ADT_HOSTLIST_HOSTS ? (size_t)more + 1 : ADT_HOSTLIST_HOSTS + 1;
        *count = *count > ADT_HOSTLIST_HOSTS ? ADT_HOSTLIST_HOSTS + 1 : *count;
    }
    return rc;
}

/* --- checking all of it ------------------------------------------------------------------------------------------- */

/* Where the part that begins at [from] ends: at a comma outside of brackets. */
static size_t part_end(const char *p, size_t from, size_t n)
{
    bool inside = false;
    size_t i = from;
    for (; i < n && (inside || p[i] != ','); i++)
        inside = p[i] == '[' || (inside && p[i] != ']');
    return i;
}

static int check_brackets(const char *p, size_t n, struct adt_error *err)
{
    bool inside = false;
    for (size_t i = 0; i < n; i++) {
        if ((p[i] == '[' && inside) || (p[i] == ']' && !inside))
            return bad(err, "BadHostList", p, i, "the brackets do not match");
        inside = p[i] == '[' || (inside && p[i] != ']');
    }
    return inside ? bad(err, "BadHostList", p, n, "the brackets do not match") : 0;
}

/* One part, brackets matched: its number of names, after checking what they look like. */
static int check_part(const char *text, size_t from, size_t to, size_t *count, struct adt_error *err)
{
    char shape[ADT_HOSTLIST_NAME + 2], what[96];
    size_t n = 0, longest = 0, total = 1, groups = 0;
    for (size_t i = from; i < to; i++) {
        if (text[i] != '[') {
            longest++;
            if (n < sizeof shape)
                shape[n++] = text[i];
            continue;
        }
        size_t close = i + 1, have, wide;
        while (text[close] != ']')
            close++;
        if (count_group(text + i + 1, close - i - 1, &have, &wide) < 0) {
            int shown = close - i < 60 ? (int)(close - i + 1) : 60;
            snprintf(what, sizeof what, "'%.*s' is no range of numbers", shown, text + i);
            return bad(err, "BadHostList", text, i, what);
        }
        if (++groups > ADT_HOSTLIST_GROUPS)
            return bad(err, "BadHostList", text, i, "too many brackets in one name");
        total = total * have > ADT_HOSTLIST_HOSTS ? ADT_HOSTLIST_HOSTS + 1 : total * have;
        longest += wide;
        if (n < sizeof shape)
            shape[n++] = '0';
        i = close;
    }
    /* One number stands for all of its group; only the length needs the longest. */
    if (adt_hostlist_check(shape, longest > ADT_HOSTLIST_NAME ? longest : n, err) < 0) {
        if (err)
            snprintf(err->where, sizeof err->where, "byte %zu of the list", from + 1);
        return -1;
    }
    *count = total;
    return 0;
}

int adt_hostlist_begin(struct adt_hostlist *h, const char *text, size_t n, struct adt_error *err)
{
    char what[64];
    size_t from = 0, count;
    h->count = 0;
    h->text = text;
    h->end = text + n;
    h->part = NULL;
    if (n > ADT_HOSTLIST_TEXT) {
        snprintf(what, sizeof what, "a host list has at most %d bytes", ADT_HOSTLIST_TEXT);
        return bad(err, "BadHostList", NULL, 0, what);
    }
    if (check_brackets(text, n, err) < 0)
        return -1;
    do {
        size_t to = part_end(text, from, n);
        if (check_part(text, from, to, &count, err) < 0)
            return -1;
        h->count += count;
        if (h->count > ADT_HOSTLIST_HOSTS) {
            snprintf(what, sizeof what, "more than %d hosts", ADT_HOSTLIST_HOSTS);
            return bad(err, "TooMany", text, from, what);
        }
        from = to + 1;
    } while (from <= n);
    return 0;
}

/* --- expanding ---------------------------------------------------------------------------------------------------- */

static void start_group(struct adt_hostlist_group *g)
{
    g->at = 0;
    next_range(g);
}

static void start_part(struct adt_hostlist *h)
{
    size_t n = (size_t)(h->end - h->text);
    h->part = h->text;
    h->part_n = part_end(h->text, 0, n);
    h->text += h->part_n < n ? h->part_n + 1 : n;
    h->groups = 0;
    for (size_t i = 0; i < h->part_n; i++) {
        if (h->part[i] != '[')
            continue;
        struct adt_hostlist_group *g = &h->group[h->groups++];
        g->text = h->part + i + 1;
        while (h->part[i] != ']')
            i++;
        g->n = (size_t)(h->part + i - g->text);
        start_group(g);
    }
}

/* The last group steps; one that is through begins again and lets the one before it step. */
static bool step(struct adt_hostlist *h)
{
    for (unsigned i = h->groups; i-- > 0;) {
        struct adt_hostlist_group *g = &h->group[i];
        if (g->value < g->last) {
            g->value++;
            return true;
        }
        if (next_range(g) == 1)
            return true;
        start_group(g);
    }
    return false;
}

const char *adt_hostlist_next(struct adt_hostlist *h, size_t *n)
{
    if (!h->count)
        return NULL;
    h->count--;
    if (!h->part || !step(h))
        start_part(h);
    size_t at = 0;
    const struct adt_hostlist_group *g = h->group;
    for (size_t i = 0; i < h->part_n; i++) {
        if (h->part[i] != '[') {
            h->name[at++] = h->part[i];
            continue;
        }
        at += (size_t)snprintf(h->name + at, sizeof h->name - at, "%0*llu", g->width, (unsigned long long)g->value);
        i += g->n + 1;
        g++;
    }
    h->name[at] = '\0';
    if (n)
        *n = at;
    return h->name;
}

/* --- folding ------------------------------------------------------------------------------------------------------ */

void adt_hostlist_fold_begin(struct adt_hostlist_fold *f, struct adt_buf *out)
{
    f->out = out;
    f->count = 0;
    f->pending = false;
}

static int full(struct adt_error *err)
{
    if (errno == ENOMEM)
        return adt_error_nomem(err);
    return adt_error_set(err, ADT_USAGE, "TooMany", "the host list has more text than fits");
}

static int write_range(struct adt_hostlist_fold *f)
{
    int rc = f->ranges++ ? adt_buf_addc(f->out, ',') : 0;
    if (rc == 0)
        rc = adt_buf_addf(f->out, "%0*llu", f->width, (unsigned long long)f->first);
    if (rc == 0 && f->last != f->first)
        rc = adt_buf_addf(f->out, "-%0*llu", f->width, (unsigned long long)f->last);
    return rc;
}

/* The group is through: brackets where it has more than one number. */
static int write_group(struct adt_hostlist_fold *f)
{
    if (!f->pending)
        return 0;
    bool single = !f->ranges && f->first == f->last;
    f->pending = false;
    if (!f->width)
        return 0;
    if (write_range(f) < 0)
        return -1;
    if (single) {
        memmove(f->out->p + f->open - 1, f->out->p + f->open, f->out->len - f->open);
        f->out->len--;
        f->out->p[f->out->len] = '\0';
        return 0;
    }
    return adt_buf_addc(f->out, ']');
}

/* May a number of [width] digits stand in the open group, leading zeros and all? */
static bool fits_group(const struct adt_hostlist_fold *f, bool zeros, unsigned width)
{
    if (zeros)
        return f->padded ? f->padded == width : width <= f->shortest;
    return !f->padded || width >= f->padded;
}

static int open_group(struct adt_hostlist_fold *f, const char *name, size_t prefix_n, int width, uint64_t value)
{
    if (write_group(f) < 0 || (f->count > 1 && adt_buf_addc(f->out, ',') < 0) ||
        adt_buf_add(f->out, name, prefix_n) < 0 || (width && adt_buf_addc(f->out, '[') < 0))
        return -1;
    memcpy(f->prefix, name, prefix_n);
    f->prefix_n = prefix_n;
    f->first = f->last = value;
    f->width = width;
    f->open = f->out->len;
    f->ranges = f->padded = 0;
    f->shortest = ADT_HOSTLIST_NAME;
    f->pending = true;
    return 0;
}

static int add(struct adt_hostlist_fold *f, const char *name, size_t n)
{
    size_t prefix_n = n, at;
    uint64_t value = 0;
    int width = 0;
    while (prefix_n && is_digit(name[prefix_n - 1]) && n - prefix_n < ADT_HOSTLIST_DIGITS)
        prefix_n--;
    at = prefix_n;
    if (read_number(name, n, &at, &value, &width) < 0)
        return open_group(f, name, n, 0, 0);
    bool zeros = width > 1 && name[prefix_n] == '0';
    bool same = f->pending && f->width && f->prefix_n == prefix_n && !memcmp(f->prefix, name, prefix_n);
    /* The next number of the range, as the range would write it. */
    if (same && value == f->last + 1 && width == (f->width > digits_of(value) ? f->width : digits_of(value))) {
        f->last = value;
    } else if (same && fits_group(f, zeros, (unsigned)width)) {
        if (write_range(f) < 0)
            return -1;
        f->first = f->last = value;
        f->width = width;
    } else if (open_group(f, name, prefix_n, width, value) < 0) {
        return -1;
    }
    if (zeros)
        f->padded = (unsigned)width;
    else if ((unsigned)width < f->shortest)
        f->shortest = (unsigned)width;
    return 0;
}

int adt_hostlist_fold_add(struct adt_hostlist_fold *f, const char *name, size_t n, struct adt_error *err)
{
    if (adt_hostlist_check(name, n, err) < 0)
        return -1;
    if (memchr(name, ',', n)) {
        char what[96];
        snprintf(what, sizeof what, "'%.*s' is no host", (int)(n < 60 ? n : 60), name);
        return bad(err, "BadHost", NULL, 0, what);
    }
    if (++f->count > ADT_HOSTLIST_HOSTS)
        return adt_error_set(err, ADT_USAGE, "TooMany", "more than %d hosts", ADT_HOSTLIST_HOSTS);
    return add(f, name, n) < 0 ? full(err) : 0;
}

int adt_hostlist_fold_end(struct adt_hostlist_fold *f, struct adt_error *err)
{
    return write_group(f) < 0 ? full(err) : 0;
}
