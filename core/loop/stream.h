/* stream.h - a pipe or socket end that belongs to the loop */
#ifndef ADT_LOOP_STREAM_H
#define ADT_LOOP_STREAM_H

#include "loop/loop.h"

struct adt_stream;

struct adt_stream *adt_stream_open(struct adt_loop *loop, int fd, struct adt_error *err);
/* Takes over [fd], a pipe, FIFO or stream socket, on success and on failure. */

void adt_stream_close(struct adt_stream *s);
/* Pending ops of this stream finish with ADT_CANCELLED first. Takes NULL. */

struct adt_op *adt_stream_read(struct adt_stream *s, struct adt_error *err);
/* Finishes when bytes are there, at the end, or on error. At most one at a time (ADT_USAGE). The kernel's buffer is the
 * back-pressure: nothing is read while no op waits. */

const char *adt_stream_data(const struct adt_op *op, size_t *n);
/* The bytes of a done read op, valid until it is freed; [n] 0 and NULL at the end of the stream. */

struct adt_op *adt_stream_write(struct adt_stream *s, const void *p, size_t n, struct adt_error *err);
/* Writes all [n] bytes (copied). Freeing the op early lets the write go on. */

#endif
