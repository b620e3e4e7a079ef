/* value.h - plain data as a tree in one block of memory, for those who look up fields in their own order */
#ifndef ADT_DATA_VALUE_H
#define ADT_DATA_VALUE_H

#include "base/error.h"
#include "data/events.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum adt_value_type {
    ADT_VALUE_NULL,
    ADT_VALUE_BOOLEAN,
    ADT_VALUE_INTEGER,
    ADT_VALUE_NUMBER,
    ADT_VALUE_STRING, /* any bytes */
    ADT_VALUE_ARRAY,
    ADT_VALUE_OBJECT,
};

struct adt_value {
    enum adt_value_type type;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            const char *p; /* NUL-terminated, may hold NUL bytes */
            size_t n;
        } string;
        struct {
            const struct adt_value *items; /* an object's values, in the order of its keys */
            const struct adt_value *keys;  /* objects: strings, in the order of arrival; NULL for arrays */
            size_t n;
        } list;
    };
};

struct adt_value_builder; /* a consumer of events */

struct adt_value_builder *adt_value_builder_new(size_t max, struct adt_error *err);
/* Holds at most [max] bytes in all; more is an error (ADT_USAGE, "TooBig") of the event that would pass it. Later
 * events fill this same [err]. NULL when out of memory. */

extern const struct adt_events adt_value_events;
/* Its context is a builder. Integers beyond int64 arrive as numbers. */

const struct adt_value *adt_value_built(const struct adt_value_builder *b);
/* The whole value, once all events of one have come; NULL before. It lives as long as the builder. */

void adt_value_builder_free(struct adt_value_builder *b);
/* Wipes (it may hold secrets) and frees. Takes NULL. */

const struct adt_value *adt_value_field(const struct adt_value *object, const char *key);
/* NULL: no such key, or no object. The last one of equal keys. */

#endif
