/* events.h - plain data as a row of events: what JSON and YAML texts are read into and written from */
#ifndef ADT_DATA_EVENTS_H
#define ADT_DATA_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A producer (a parser, a walk over Lua tables) calls these in document order; a consumer (a writer, a builder) fills
 * the table in. A member left NULL means that the event is of no interest. Text is valid UTF-8, not NUL-terminated, may
 * hold NUL bytes, and lives until the callback returns (or longer where the producer says so).
 * Each returns 0 to go on, or -1 after filling the error that the producer was given; the producer then stops and adds
 * where it was. */
struct adt_events {
    int (*null)(void *ctx);
    int (*boolean)(void *ctx, bool value);
    int (*integer)(void *ctx, int64_t value);
    int (*number)(void *ctx, double value);
    int (*big)(void *ctx, const char *digits, size_t n); /* an integer beyond int64; NULL: number() gets it, rounded */
    int (*string)(void *ctx, const char *text, size_t n);
    int (*begin_array)(void *ctx);
    int (*end_array)(void *ctx);
    int (*begin_object)(void *ctx);
    int (*key)(void *ctx, const char *text, size_t n);
    int (*end_object)(void *ctx);
};

#endif
