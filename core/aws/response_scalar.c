/* response_scalar.c - numbers, truths, times and blobs that came as text */
#include "aws/response_private.h"

#include "data/digest.h"
#include "data/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Times */

struct cursor {
    const char *p, *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool take(struct cursor *c, char what)
{
    bool good = c->p < c->end && *c->p == what;
    c->p += good;
    return good;
}

/* [least] to [most] digits; -1: not that many. */
static int digits(struct cursor *c, int least, int most)
{
    int v = 0, n = 0;
    for (; n < most && c->p < c->end && is_digit(*c->p); n++)
        v = v * 10 + (*c->p++ - '0');
    return n < least ? -1 : v;
}

static void blanks(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
        c->p++;
}

struct moment {
    int year, month, day, hour, minute, second;
    int offset; /* seconds east of Greenwich */
    const char *fraction;
    size_t fraction_n; /* digits */
};

/* Days since 1970 in the proleptic Gregorian calendar; years counted from March, so that the leap day is the last. */
static int64_t days_from(int y, int m, int d)
{
    y -= m <= 2;
    int era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool in_range(const struct moment *t)
{
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return t->month >= 1 && t->month <= 12 && t->day >= 1 && t->day <= days[t->month - 1] && t->hour <= 24 &&
           t->minute <= 59 && t->second <= 60;
}

static bool read_fraction(struct cursor *c, struct moment *t)
{
    if (c->p == c->end || (*c->p != '.' && *c->p != ','))
        return true;
    t->fraction = ++c->p;
    while (c->p < c->end && is_digit(*c->p))
        c->p++;
    t->fraction_n = (size_t)(c->p - t->fraction);
    return t->fraction_n > 0;
}

/* "", Z, UT, UTC, GMT, +01, +0100, +01:00 */
static bool read_zone(struct cursor *c, struct moment *t)
{
    blanks(c);
    size_t n = (size_t)(c->end - c->p);
    if (!n || (n == 1 && (*c->p | 0x20) == 'z') || (n == 2 && !strncasecmp(c->p, "UT", 2)) ||
        (n == 3 && (!strncasecmp(c->p, "GMT", 3) || !strncasecmp(c->p, "UTC", 3))))
        return true;
    int sign = *c->p == '-' ? -1 : 1;
    if (!take(c, '+') && !take(c, '-'))
        return false;
    int hours = digits(c, 2, 2), minutes = 0;
    if (take(c, ':') || c->p < c->end)
        minutes = digits(c, 2, 2);
    t->offset = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours <= 24 && minutes >= 0 && minutes <= 59 && c->p == c->end;
}

static bool read_clock(struct cursor *c, struct moment *t)
{
    t->hour = digits(c, 2, 2);
    bool colons = take(c, ':');
    t->minute = digits(c, 2, 2);
    if (colons ? take(c, ':') : c->p < c->end && is_digit(*c->p))
        t->second = digits(c, 2, 2);
    return t->hour >= 0 && t->minute >= 0 && t->second >= 0 && read_fraction(c, t);
}

static bool read_iso8601(struct cursor c, struct moment *t)
{
    t->year = digits(&c, 4, 4);
    bool dashes = take(&c, '-');
    t->month = digits(&c, 2, 2);
    if (dashes && !take(&c, '-'))
        return false;
    t->day = digits(&c, 2, 2);
    if (t->year < 0 || t->month < 0 || t->day < 0)
        return false;
    if (c.p == c.end)
        return true;
    if (!take(&c, 'T') && !take(&c, 't') && !take(&c, ' '))
        return false;
    return read_clock(&c, t) && read_zone(&c, t);
}

static int month_of(struct cursor *c)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (c->end - c->p < 3)
        return -1;
    for (int i = 0; i < 12; i++)
        if (strncasecmp(c->p, names + (size_t)3 * (size_t)i, 3) == 0) {
            c->p += 3;
            return i + 1;
        }
    return -1;
}

/* "Tue, 29 Apr 2014 18:30:38 GMT"; the weekday may be missing or written out, '-' stand between the day's parts. */
static bool read_rfc822(struct cursor c, struct moment *t)
{
    while (c.p < c.end && is_letter(*c.p))
        c.p++;
    take(&c, ',');
    blanks(&c);
    t->day = digits(&c, 1, 2);
    bool dashes = take(&c, '-');
    blanks(&c);
    t->month = month_of(&c);
    if (dashes && !take(&c, '-'))
        return false;
    blanks(&c);
    t->year = digits(&c, 4, 4);
    blanks(&c);
    return t->day > 0 && t->month > 0 && t->year >= 0 && read_clock(&c, t) && read_zone(&c, t);
}

static bool is_number(const char *p, size_t n, bool *whole)
{
    struct cursor c = {p, p + n};
    if (!take(&c, '-'))
        take(&c, '+');
    const char *from = c.p;
    while (c.p < c.end && is_digit(*c.p))
        c.p++;
    size_t before = (size_t)(c.p - from), behind = 0;
    *whole = c.p == c.end && before;
    if (take(&c, '.'))
        for (; c.p < c.end && is_digit(*c.p); behind++)
            c.p++;
    if (!before && !behind)
        return false;
    if (c.p < c.end && (*c.p | 0x20) == 'e') {
        c.p++;
        if (!take(&c, '-'))
            take(&c, '+');
        if (digits(&c, 1, 4) < 0)
            return false;
    }
    return c.p == c.end;
}

static int read_epoch(const char *p, size_t n, int64_t *whole, double *exact)
{
    if (adt_number_double(p, n, exact) < 0)
        return -1;
    if (fabs(*exact) < 9e15 && floor(*exact) == *exact) {
        *whole = (int64_t)*exact;
        return 0;
    }
    return 1;
}

/* The decimal text as a whole, so that the double is the nearest to what was written. */
static int exact_of(const struct moment *t, int64_t whole, double *exact)
{
    char text[64];
    int n = (int)(t->fraction_n < 18 ? t->fraction_n : 18);
    while (n && t->fraction[n - 1] == '0')
        n--;
    if (!n)
        return 0;
    snprintf(text, sizeof text, "0.%.*s", n, t->fraction);
    double fraction;
    if (adt_number_double(text, strlen(text), &fraction) < 0)
        return -1;
    *exact = (double)whole + fraction;
    if (whole >= 0) {
        snprintf(text, sizeof text, "%lld.%.*s", (long long)whole, n, t->fraction);
        if (adt_number_double(text, strlen(text), exact) < 0)
            return -1;
    }
    return fraction > 0;
}

static void trim(const char **p, size_t *n)
{
    while (*n && strchr(" \t\r\n", **p) && **p)
        ++*p, --*n;
    while (*n && strchr(" \t\r\n", (*p)[*n - 1]) && (*p)[*n - 1])
        --*n;
}

int adt_aws_time_read(const char *p, size_t n, int64_t *whole, double *exact)
{
    bool is_whole;
    trim(&p, &n);
    /* "20150830" is both; no service counts its first days, so eight digits are seconds like any others. */
    if (is_number(p, n, &is_whole))
        return read_epoch(p, n, whole, exact);
    struct moment t = {0};
    struct cursor c = {p, p + n};
    bool iso = n >= 5 && is_digit(p[0]) && is_digit(p[1]) && is_digit(p[2]) && is_digit(p[3]);
    if (!(iso ? read_iso8601(c, &t) : read_rfc822(c, &t)) || !in_range(&t))
        return -1;
    *whole = days_from(t.year, t.month, t.day) * 86400 + t.hour * 3600 + t.minute * 60 + t.second - t.offset;
    return t.fraction_n ? exact_of(&t, *whole, exact) : 0;
}

/* Errors */

static const char *type_name(const struct adt_aws_shape *s)
{
    static const char *const names[] = {
        [ADT_AWS_STRUCTURE] = "an object", [ADT_AWS_LIST] = "a list",    [ADT_AWS_MAP] = "a map",
        [ADT_AWS_STRING] = "a text",       [ADT_AWS_BLOB] = "base64",    [ADT_AWS_BOOLEAN] = "true or false",
        [ADT_AWS_INTEGER] = "an integer",  [ADT_AWS_FLOAT] = "a number", [ADT_AWS_TIMESTAMP] = "a time",
        [ADT_AWS_DOCUMENT] = "plain data",
    };
    return names[s->type];
}

int adt_aws_wrong_type(struct adt_aws_reader *rd, const struct adt_aws_member *ref)
{
    const char *name = *ref->name ? ref->name : ref->shape->name;
    return adt_error_set(rd->err, ADT_SERVICE, "WrongType", "%.80s is not %s", name, type_name(ref->shape));
}

int adt_aws_no_union(struct adt_aws_reader *rd, const struct adt_aws_shape *s, size_t count)
{
    return adt_error_set(rd->err, ADT_SERVICE, "WrongType", "%.80s, of which one member is due, has %zu", s->name,
                         count);
}

int adt_aws_emit_unknown(struct adt_aws_reader *rd, const char *name, size_t n)
{
    static const char unknown[] = "SDK_UNKNOWN_MEMBER";
    if (ADT_AWS_EMIT(rd, key, unknown, sizeof unknown - 1) < 0 || ADT_AWS_EMIT(rd, begin_object) < 0 ||
        ADT_AWS_EMIT(rd, key, "name", 4) < 0 || ADT_AWS_EMIT(rd, string, name, n) < 0)
        return -1;
    return ADT_AWS_EMIT(rd, end_object);
}

/* Values */

bool adt_aws_text_absent(enum adt_aws_type type, const char *p, size_t n)
{
    if (type != ADT_AWS_INTEGER && type != ADT_AWS_FLOAT && type != ADT_AWS_TIMESTAMP && type != ADT_AWS_BOOLEAN)
        return false;
    trim(&p, &n);
    return n == 0;
}

int adt_aws_emit_big(struct adt_aws_reader *rd, const char *p, size_t n)
{
    double v;
    if (rd->events->big)
        return rd->events->big(rd->ctx, p, n);
    if (adt_number_double(p, n, &v) < 0)
        return adt_error_set(rd->err, ADT_SERVICE, "WrongType", "a number is too big");
    return ADT_AWS_EMIT(rd, number, v);
}

static int emit_number(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *p, size_t n)
{
    int64_t integer;
    double v;
    bool whole;
    trim(&p, &n);
    if (is_number(p, n, &whole)) {
        if (n && *p == '+') /* not every reader of digits takes it */
            p++, n--;
        if (ref->shape->type == ADT_AWS_INTEGER && whole)
            return adt_number_integer(p, n, &integer) == 0 ? ADT_AWS_EMIT(rd, integer, integer)
                                                           : adt_aws_emit_big(rd, p, n);
        return adt_number_double(p, n, &v) < 0 ? adt_aws_wrong_type(rd, ref) : ADT_AWS_EMIT(rd, number, v);
    }
    if (ref->shape->type == ADT_AWS_FLOAT) {
        if (adt_aws_name_is("NaN", p, n))
            return ADT_AWS_EMIT(rd, number, (double)NAN);
        if (adt_aws_name_is("Infinity", p, n))
            return ADT_AWS_EMIT(rd, number, (double)INFINITY);
        if (adt_aws_name_is("-Infinity", p, n))
            return ADT_AWS_EMIT(rd, number, (double)-INFINITY);
    }
    return adt_aws_wrong_type(rd, ref);
}

static int emit_boolean(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *p, size_t n)
{
    trim(&p, &n);
    if ((n == 4 && !strncasecmp(p, "true", 4)) || (n == 1 && *p == '1'))
        return ADT_AWS_EMIT(rd, boolean, true);
    if ((n == 5 && !strncasecmp(p, "false", 5)) || (n == 1 && *p == '0'))
        return ADT_AWS_EMIT(rd, boolean, false);
    return adt_aws_wrong_type(rd, ref);
}

static int emit_time(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *p, size_t n)
{
    int64_t whole;
    double exact;
    switch (adt_aws_time_read(p, n, &whole, &exact)) {
    case 0:
        return ADT_AWS_EMIT(rd, integer, whole);
    case 1:
        return ADT_AWS_EMIT(rd, number, exact);
    default:
        return adt_aws_wrong_type(rd, ref);
    }
}

/* Line ends inside base64, which some services write, are taken out first. */
static int emit_blob(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *p, size_t n)
{
    struct adt_error err;
    struct adt_buf plain;
    adt_buf_init(&plain, n + 1);
    for (size_t i = 0, from = 0; i <= n; i++)
        if (i == n || p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t') {
            if (adt_buf_add(&plain, p + from, i - from) < 0)
                return adt_error_nomem(rd->err);
            from = i + 1;
        }
    rd->scratch.len = 0;
    int rc = plain.len ? adt_base64_decode(plain.p, plain.len, &rd->scratch, &err) : 0;
    adt_buf_free(&plain);
    if (rc < 0)
        return err.cause == ADT_INTERNAL ? adt_error_nomem(rd->err) : adt_aws_wrong_type(rd, ref);
    return ADT_AWS_EMIT(rd, string, rd->scratch.len ? rd->scratch.p : "", rd->scratch.len);
}

int adt_aws_emit_text(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *p, size_t n)
{
    switch (ref->shape->type) {
    case ADT_AWS_STRING:
    case ADT_AWS_DOCUMENT:
        return ADT_AWS_EMIT(rd, string, p, n);
    case ADT_AWS_BLOB:
        return emit_blob(rd, ref, p, n);
    case ADT_AWS_BOOLEAN:
        return emit_boolean(rd, ref, p, n);
    case ADT_AWS_INTEGER:
    case ADT_AWS_FLOAT:
        return emit_number(rd, ref, p, n);
    case ADT_AWS_TIMESTAMP:
        return emit_time(rd, ref, p, n);
    default:
        return adt_aws_wrong_type(rd, ref);
    }
}
