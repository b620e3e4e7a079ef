/* buf.h - a growing byte buffer that is born with a ceiling */
#ifndef ADT_BASE_BUF_H
#define ADT_BASE_BUF_H

#include <stddef.h>

/* Ceilings of the engine's buffers, in one list so that a reviewer sees them side by side. */
enum {
    ADT_BUF_JSON = 1 << 30,     /* text that adt.json writes */
    ADT_BUF_LINE = 1 << 20,     /* one line of a child's output; the rest is cut and marked */
    ADT_BUF_CAPTURE = 64 << 20, /* what process.run() keeps of a child's output unless told otherwise */
    ADT_BUF_HTTP_HEAD =
        256 << 10, /* heads of one HTTP exchange, those of informational responses and trailers included */
    ADT_BUF_HTTP_BODY = 64 << 20,  /* an HTTP response in memory unless told otherwise */
    ADT_BUF_SIGV4 = 1 << 20,       /* each of the texts of one AWS signature */
    ADT_BUF_HTTP_WINDOW = 1 << 20, /* an HTTP response that is being pulled: more is not taken from the wire */
};

struct adt_buf {
    char *p; /* NUL-terminated once anything was added; NULL before */
    size_t len, cap, max;
};

void adt_buf_init(struct adt_buf *b, size_t max);
/* An empty buffer that never holds more than [max] bytes. Allocates nothing. */

int adt_buf_add(struct adt_buf *b, const void *p, size_t n);
int adt_buf_adds(struct adt_buf *b, const char *s);
int adt_buf_addc(struct adt_buf *b, char c);
int adt_buf_addf(struct adt_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 0, or -1 with errno ENOMEM or EOVERFLOW (past the ceiling); the buffer is then freed and empty. */

char *adt_buf_grow(struct adt_buf *b, size_t n);
/* Room for [n] more bytes behind the content, to be written by the caller who then adds to b->len; NULL as above. */

char *adt_buf_take(struct adt_buf *b, size_t *len);
/* Hands the bytes over (adt_free()); the buffer is empty afterwards. "" for an empty buffer; NULL when out of memory.
 */

void adt_buf_drop(struct adt_buf *b, size_t n);
/* Removes the first [n] bytes. */

void adt_buf_free(struct adt_buf *b);
/* Empties it and gives the memory back; the buffer may be used again. */

#endif
