/* tap.h - the Test Anything Protocol in a few lines: each check is a sentence */
#ifndef ADT_TAP_H
#define ADT_TAP_H

#include <stdio.h>

static int tap_count, tap_failed;

#define ok(cond, ...) tap_ok(!!(cond), __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 4, 5))) static inline int tap_ok(int good, const char *file, int line, const char *fmt,
                                                               ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    printf("%sok %d - ", good ? "" : "not ", ++tap_count);
    vprintf(fmt, ap);
    printf("\n");
    __builtin_va_end(ap);
    if (!good) {
        tap_failed++;
        printf("# failed at %s:%d\n", file, line);
    }
    fflush(stdout);
    return good;
}

static inline int tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

#endif
