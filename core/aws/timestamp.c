/* timestamp.c - the civil calendar, by counting days from the first of March of the year 0 */
#include "aws/timestamp.h"

#include "data/number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { DAY = 86400, DAYS_TO_EPOCH = 719468, DAYS_OF_ERA = 146097 };

struct civil {
    int year, month, day;
};

static int64_t days_of(struct civil c)
{
    int64_t y = c.year - (c.month <= 2), era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
    return era * DAYS_OF_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_EPOCH;
}

static struct civil civil_of(int64_t days)
{
    int64_t z = days + DAYS_TO_EPOCH, era = z / DAYS_OF_ERA, of_era = z - era * DAYS_OF_ERA;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    struct civil c = {.day = (int)(of_year - (153 * m + 2) / 5 + 1), .month = (int)(m < 10 ? m + 3 : m - 9)};
    c.year = (int)(y + era * 400 + (c.month <= 2));
    return c;
}

bool adt_aws_time_fits(double seconds)
{
    return seconds >= -62135596800.0 && seconds < 253402300800.0;
}

size_t adt_aws_time_write(double seconds, enum adt_aws_time format, char out[static ADT_AWS_TIME_TEXT])
{
    static const char days[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t whole = (int64_t)floor(seconds);
    int micro = (int)floor((seconds - (double)whole) * 1e6 + 0.5);
    if (micro == 1000000) {
        micro = 0;
        whole++;
    }
    if (format == ADT_AWS_TIME_UNIX)
        return adt_number_write_integer(whole, out);
    int64_t day = whole >= 0 ? whole / DAY : -((DAY - 1 - whole) / DAY);
    int of_day = (int)(whole - day * DAY), hour = of_day / 3600, minute = of_day / 60 % 60, second = of_day % 60;
    struct civil c = civil_of(day);
    int n;
    if (format == ADT_AWS_TIME_RFC822)
        n = snprintf(out, ADT_AWS_TIME_TEXT, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[(day % 7 + 7) % 7], c.day,
                     months[c.month - 1], c.year, hour, minute, second);
    else if (micro)
        n = snprintf(out, ADT_AWS_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", c.year, c.month, c.day, hour,
                     minute, second, micro);
    else
        n = snprintf(out, ADT_AWS_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, hour, minute,
                     second);
    return (size_t)n;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct cursor {
    const char *p, *end;
};

static bool digits(struct cursor *c, int count, int *out)
{
    int v = 0;
    if (c->end - c->p < count)
        return false;
    for (; count > 0; count--, c->p++) {
        if (*c->p < '0' || *c->p > '9')
            return false;
        v = v * 10 + (*c->p - '0');
    }
    *out = v;
    return true;
}

static bool sign(struct cursor *c, char wanted)
{
    if (c->p == c->end || (*c->p | 32) != (wanted | 32))
        return false;
    c->p++;
    return true;
}

static bool read_date(struct cursor *c, struct civil *out)
{
    static const int lengths[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!digits(c, 4, &out->year) || !sign(c, '-') || !digits(c, 2, &out->month) || !sign(c, '-') ||
        !digits(c, 2, &out->day))
        return false;
    if (out->year < 1 || out->month < 1 || out->month > 12 || out->day < 1 || out->day > lengths[out->month - 1])
        return false;
    bool leap = out->year % 4 == 0 && (out->year % 100 != 0 || out->year % 400 == 0);
    return out->month != 2 || out->day < 29 || leap;
}

static bool read_fraction(struct cursor *c, double *out)
{
    double place = 0.1;
    const char *first = c->p;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++, place /= 10)
        *out += place * (*c->p - '0');
    return c->p > first;
}

static bool read_clock(struct cursor *c, double *out)
{
    int hour, minute, second = 0;
    double fraction = 0;
    if (!digits(c, 2, &hour) || !sign(c, ':') || !digits(c, 2, &minute))
        return false;
    if (sign(c, ':') && !digits(c, 2, &second))
        return false;
    if (c->p < c->end && (*c->p == '.' || *c->p == ',')) {
        c->p++;
        if (!read_fraction(c, &fraction))
            return false;
    }
    *out = hour * 3600 + minute * 60 + second + fraction;
    return hour < 24 && minute < 60 && second <= 60;
}

static bool read_zone(struct cursor *c, int *east)
{
    int hour, minute = 0;
    *east = 0;
    if (c->p == c->end || sign(c, 'Z'))
        return true;
    int direction = *c->p == '+' ? 1 : *c->p == '-' ? -1 : 0;
    c->p++;
    if (!direction || !digits(c, 2, &hour))
        return false;
    sign(c, ':');
    if (c->p < c->end && !digits(c, 2, &minute))
        return false;
    *east = direction * (hour * 3600 + minute * 60);
    return hour < 24 && minute < 60;
}

int adt_aws_time_iso8601(const char *text, size_t n, double *seconds)
{
    struct cursor c = {text, text + n};
    struct civil date;
    double clock = 0;
    int east = 0;
    if (!read_date(&c, &date))
        return -1;
    if (c.p < c.end && *c.p != 'T' && *c.p != 't' && *c.p != ' ')
        return -1;
    if (c.p < c.end) {
        c.p++;
        if (!read_clock(&c, &clock) || !read_zone(&c, &east) || c.p != c.end)
            return -1;
    }
    *seconds = (double)(days_of(date) * DAY - east) + clock;
    return adt_aws_time_fits(*seconds) ? 0 : -1;
}
