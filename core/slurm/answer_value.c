/* answer_value.c - values as Slurm writes them into text: times, limits, exit codes, job ids, and its words for nothing
 */
#include "slurm/answer_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool slurm_same(const char *a, size_t an, const char *b, size_t bn)
{
    if (an != bn)
        return false;
    for (size_t i = 0; i < an; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

size_t slurm_digits(struct adt_slurm_text t, int64_t *value)
{
    size_t n = 0;
    *value = 0;
    while (n < t.n && n < 18 && is_digit(t.p[n]))
        *value = *value * 10 + (t.p[n++] - '0');
    return n;
}

struct adt_slurm_text slurm_trim(struct adt_slurm_text t)
{
    while (t.n && (t.p[0] == ' ' || t.p[0] == '\t' || t.p[0] == '\r')) {
        t.p++;
        t.n--;
    }
    while (t.n && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t' || t.p[t.n - 1] == '\r'))
        t.n--;
    return t;
}

bool slurm_is_none(struct adt_slurm_text t)
{
    static const char *const words[] = {"(null)", "None", "N/A", "Unknown", "None assigned", "n/s", "NOT_SET", NULL};
    for (const char *const *w = words; *w; w++)
        if (slurm_same(*w, strlen(*w), t.p, t.n))
            return true;
    return t.n == 0;
}

/* --- times -------------------------------------------------------------------------------------------------------- */

/* Exactly [digits] digits at *at, then [behind] unless that is 0. */
static bool take(struct adt_slurm_text t, size_t *at, int digits, char behind, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (*at >= t.n || !is_digit(t.p[*at]))
            return false;
        *value = *value * 10 + (t.p[*at] - '0');
    }
    if (!behind)
        return true;
    return *at < t.n && t.p[(*at)++] == behind;
}

/* Seconds east of UTC from "Z", "+01:00" or "-0500"; false when there is nothing of the kind. */
static bool read_zone(struct adt_slurm_text t, size_t at, int64_t *east)
{
    int hours, minutes;
    *east = 0;
    if (at + 1 == t.n && t.p[at] == 'Z')
        return true;
    if (at >= t.n || (t.p[at] != '+' && t.p[at] != '-'))
        return false;
    int sign = t.p[at++] == '-' ? -1 : 1;
    if (!take(t, &at, 2, 0, &hours))
        return false;
    if (at < t.n && t.p[at] == ':')
        at++;
    if (!take(t, &at, 2, 0, &minutes) || at != t.n)
        return false;
    *east = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, which repeats every 400 years. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t adt_slurm_time_parse(const char *text, size_t n)
{
    struct adt_slurm_text t = slurm_trim((struct adt_slurm_text){text, n});
    int year, month, day, hour, minute, second = 0;
    int64_t value, east;
    size_t at = 0;
    if (t.n && slurm_digits(t, &value) == t.n)
        return value < UINT32_MAX - 1 ? value : 0; /* -1 and -2 in 32 bits: no time */
    if (!take(t, &at, 4, '-', &year) || !take(t, &at, 2, '-', &month) || !take(t, &at, 2, 'T', &day) ||
        !take(t, &at, 2, ':', &hour) || !take(t, &at, 2, 0, &minute))
        return 0;
    if (at < t.n && t.p[at] == ':' && (at++, !take(t, &at, 2, 0, &second)))
        return 0;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 60)
        return 0;
    if (at == t.n) {
        struct tm tm = {.tm_year = year - 1900,
                        .tm_mon = month - 1,
                        .tm_mday = day,
                        .tm_hour = hour,
                        .tm_min = minute,
                        .tm_sec = second,
                        .tm_isdst = -1};
        time_t local = mktime(&tm);
        return local > 0 ? (int64_t)local : 0;
    }
    if (!read_zone(t, at, &east))
        return 0;
    value = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - east;
    return value > 0 ? value : 0;
}

int64_t adt_slurm_limit_parse(const char *text, size_t n)
{
    struct adt_slurm_text t = slurm_trim((struct adt_slurm_text){text, n});
    int64_t days = 0, part[3] = {0};
    size_t at, count = 0;
    if (slurm_same("UNLIMITED", 9, t.p, t.n) || slurm_same("infinite", 8, t.p, t.n))
        return ADT_SLURM_UNLIMITED;
    bool with_days = (at = slurm_digits(t, &days)) > 0 && at < t.n && t.p[at] == '-';
    at = with_days ? at + 1 : 0;
    for (;;) {
        size_t got = slurm_digits((struct adt_slurm_text){t.p + at, t.n - at}, &part[count]);
        if (!got || got > 9)
            return -1;
        count++;
        at += got;
        if (at == t.n)
            break;
        if (t.p[at++] != ':' || count == 3)
            return -1;
    }
    if (with_days && days > 1000000)
        return -1;
    /* Behind days come hours; without them one number is minutes, and two are minutes and seconds. */
    if (with_days)
        return days * 86400 + part[0] * 3600 + part[1] * 60 + part[2];
    if (count == 3)
        return part[0] * 3600 + part[1] * 60 + part[2];
    return part[0] * 60 + (count == 2 ? part[1] : 0);
}

/* --- exit codes and ids ------------------------------------------------------------------------------------------- */

int adt_slurm_exit_parse(const char *text, size_t n, struct adt_slurm_exit *exit)
{
    struct adt_slurm_text t = slurm_trim((struct adt_slurm_text){text, n});
    int64_t code, signal = 0;
    size_t at = slurm_digits(t, &code);
    if (!at || code > UINT16_MAX)
        return -1;
    if (at == t.n) {
        exit->code = (int)(code >> 8 & 0xFF);
        exit->signal = (int)(code & 0x7F);
        return 0;
    }
    if (t.p[at++] != ':' || code > 255)
        return -1;
    size_t got = slurm_digits((struct adt_slurm_text){t.p + at, t.n - at}, &signal);
    if (!got || at + got != t.n || signal > 255)
        return -1;
    exit->code = (int)code;
    exit->signal = (int)signal;
    return 0;
}

/* The tasks of an array: "3", or several that are not split off yet. */
static void read_tasks(struct adt_slurm_text t, struct adt_slurm_job *job)
{
    int64_t task;
    if (t.n && t.p[0] == '[') {
        t.p++;
        t.n--;
        const char *close = memchr(t.p, ']', t.n);
        if (close)
            t.n = (size_t)(close - t.p);
    }
    if (t.n && slurm_digits(t, &task) == t.n)
        job->array_task_id = task;
    else if (!job->array_task_string.n)
        job->array_task_string = t;
}

void slurm_job_id(struct adt_slurm_text t, struct adt_slurm_job *job)
{
    int64_t id, offset;
    t = slurm_trim(t);
    size_t at = slurm_digits(t, &id);
    if (!at || !id)
        return;
    const char *dot = memchr(t.p, '.', t.n);
    if (dot) {
        job->step = (struct adt_slurm_text){dot + 1, t.n - (size_t)(dot + 1 - t.p)};
        t.n = (size_t)(dot - t.p);
    }
    struct adt_slurm_text rest = {t.p + at, t.n - at};
    if (!rest.n) {
        job->id = id;
    } else if (rest.p[0] == '_') {
        job->array_job_id = id;
        read_tasks((struct adt_slurm_text){rest.p + 1, rest.n - 1}, job);
        /* What is left of an array goes by the array's own id. */
        if (job->array_task_id < 0 && !job->id)
            job->id = id;
    } else if (rest.p[0] == '+' && slurm_digits((struct adt_slurm_text){rest.p + 1, rest.n - 1}, &offset)) {
        job->het_job_id = id;
        job->het_offset = offset;
        if (!offset && !job->id)
            job->id = id;
    }
}

int adt_slurm_submitted(const char *text, size_t n, int64_t *id, struct adt_slurm_text *cluster, struct adt_error *err)
{
    static const char said[] = "Submitted batch job ", on[] = " on cluster ";
    struct adt_slurm_text rest = {text, n};
    char shown[128];
    *cluster = (struct adt_slurm_text){0};
    /* A plugin of the site may have printed something before it, so the last line that fits counts. */
    while (rest.n) {
        const char *end = rest.p + rest.n, *start = end;
        while (start > rest.p && start[-1] != '\n')
            start--;
        struct adt_slurm_text line = slurm_trim((struct adt_slurm_text){start, (size_t)(end - start)});
        rest.n = start > rest.p ? (size_t)(start - rest.p) - 1 : 0;
        bool words = line.n > sizeof said - 1 && !memcmp(line.p, said, sizeof said - 1);
        if (words) {
            line.p += sizeof said - 1;
            line.n -= sizeof said - 1;
        }
        size_t at = slurm_digits(line, id);
        const char *behind = line.p + at;
        size_t left = line.n - at;
        if (!at || !*id)
            continue;
        if (!left)
            return 0;
        size_t skip = words ? sizeof on - 1 : 1;
        if (left > skip && !memcmp(behind, words ? on : ";", skip)) {
            *cluster = (struct adt_slurm_text){behind + skip, left - skip};
            return 0;
        }
    }
    slurm_excerpt(text, n, shown);
    slurm_bad(err, "no job id in what sbatch printed: '%s'", shown);
    return -1;
}

/* --- errors ------------------------------------------------------------------------------------------------------- */

int slurm_bad(struct adt_error *err, const char *fmt, ...)
{
    char text[384];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return adt_error_set(err, ADT_SERVICE, "BadAnswer", "%s", text);
}

void slurm_excerpt(const char *text, size_t n, char out[static 128])
{
    size_t at = 0;
    for (size_t i = 0; i < n && at < 120; i++) {
        unsigned char c = (unsigned char)text[i];
        bool blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
        if (!blank)
            out[at++] = c < ' ' || c >= 0x7F ? '?' : (char)c;
        else if (at && out[at - 1] != ' ')
            out[at++] = ' ';
    }
    at -= at && out[at - 1] == ' ';
    out[at] = '\0';
}
