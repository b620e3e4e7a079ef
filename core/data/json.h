/* json.h - JSON (RFC 8259) in pieces or whole, as events; and events as JSON */
#ifndef ADT_DATA_JSON_H
#define ADT_DATA_JSON_H

#include "base/buf.h"
#include "base/error.h"
#include "data/events.h"

enum {
    ADT_JSON_DEPTH = 512,
    ADT_JSON_SIZE = 256 << 20,
};

/* Zero is the default of every field. */
struct adt_json_options {
    unsigned max_depth;   /* arrays and objects inside each other; 0: ADT_JSON_DEPTH */
    size_t max_size;      /* bytes of text; 0: ADT_JSON_SIZE */
    const char *name;     /* what the text is, for errors: a file's name; must live as long as the parser */
    enum adt_cause cause; /* of errors in the text; 0: ADT_CONFIG */
};

struct adt_json_parser;

/* What is accepted is RFC 8259 to the letter: UTF-8 (checked) without a byte order mark, one value, nothing but blanks
 * around it. Beyond the grammar, refused are: escapes that are half a surrogate pair, numbers past the range of a
 * double, more depth or text than allowed. Equal keys in one object are the consumer's affair: each arrives. Integers
 * (no point, no exponent; "-0" is one) come as integer() where int64 holds them, else as big(), else as number().
 * Errors have code "BadJson", "TooDeep", "TooBig" or "ENOMEM", and say line and column (from 1, in bytes) in `where`.
 */

struct adt_json_parser *adt_json_new(const struct adt_json_options *opt, const struct adt_events *events, void *ctx,
                                     struct adt_error *err);
/* [opt] may be NULL and is copied; [events] must live as long as the parser. Every later call fills this same [err],
 * and so does a callback that returns -1. NULL when out of memory. */

int adt_json_feed(struct adt_json_parser *p, const char *text, size_t n);
/* The next piece, cut anywhere. A string event points into [text] unless it held an escape or was cut. 0, or -1, after
 * which only adt_json_free() is allowed. */

int adt_json_finish(struct adt_json_parser *p);
/* The text has ended. 0 when it was one whole value. */

size_t adt_json_offset(const struct adt_json_parser *p);
/* In a callback: bytes of text up to and including the token that caused it. */

void adt_json_free(struct adt_json_parser *p);
/* Takes NULL. Not to be called from a callback. */

int adt_json_parse(const char *text, size_t n, const struct adt_json_options *opt, const struct adt_events *events,
                   void *ctx, struct adt_error *err);
/* All of the above for a text that is there as a whole. */

void adt_json_where(const char *name, const char *text, size_t n, size_t offset, struct adt_error *err);
/* Fills err->where with the line and column of text[offset]; [name] may be NULL. */

/* Writing: adt_json_write is a consumer of events whose context is a struct adt_json_writer. It adds commas, and
 * refuses (ADT_USAGE) NaN and infinity ("NotFinite") and strings that are not UTF-8 ("NotUtf8"). It writes keys in the
 * order in which they come. */
struct adt_json_writer {
    struct adt_buf *out; /* emptied by a failure */
    struct adt_error *err;
    unsigned indent; /* spaces a level; 0: everything on one line, without blanks */
    unsigned depth;  /* the rest is the writer's own; zero at the start */
    bool comma, value;
};

extern const struct adt_events adt_json_write;

#endif
