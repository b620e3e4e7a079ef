/* reader.h - whole lines, or whatever has come, out of a stream; reads ahead by one line's ceiling at most */
#ifndef ADT_LOOP_READER_H
#define ADT_LOOP_READER_H

#include "loop/stream.h"

struct adt_reader;

/* What a carriage return means to lines. */
enum adt_cr {
    ADT_CR_STRIP, /* one before the newline is not part of the line */
    ADT_CR_SPLIT, /* it ends a line as a newline does: progress bars */
    ADT_CR_KEEP   /* a byte like any other */
};

enum adt_taken { ADT_TAKEN_NONE, ADT_TAKEN_TEXT, ADT_TAKEN_END };

struct adt_text {
    const char *p; /* valid until the next call for this reader or turn of the loop */
    size_t n;
    bool cut; /* the line was longer than the ceiling; the rest is gone */
};

struct adt_reader *adt_reader_new(struct adt_loop *loop, struct adt_stream *s, size_t max_line, struct adt_error *err);
/* Takes over [s], on failure too. */

void adt_reader_free(struct adt_reader *r);
/* Closes the stream; an op that waits for the reader finishes with ADT_CANCELLED. Takes NULL. */

enum adt_taken adt_reader_line(struct adt_reader *r, enum adt_cr cr, struct adt_text *line);
enum adt_taken adt_reader_chunk(struct adt_reader *r, struct adt_text *chunk);
/* Takes the next line (the last one may lack its newline), or all bytes that are there. NONE: wait first. END: the
 * stream has ended; adt_reader_error() says whether it failed. */

const struct adt_error *adt_reader_error(const struct adt_reader *r);
/* cause ADT_NONE unless reading has failed. */

struct adt_op *adt_reader_wait(struct adt_reader *const *readers, size_t n, bool lines, enum adt_cr cr,
                               struct adt_error *err);
/* Finishes when one of at most two readers has a line (or bytes, without [lines]), or all have ended. ADT_USAGE when
 * one is waited for already. What arrives after the op was freed stays in the reader: a cancelled wait loses nothing.
 */

#endif
