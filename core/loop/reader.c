/* reader.c - cutting a stream into lines */
#include "loop/reader.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

enum { SLACK = 256 * 1024 /* consumed bytes not yet moved away, and one read */, KEEP_CAP = 128 * 1024 };

struct wait_op;

struct adt_reader {
    struct adt_loop *loop;
    struct adt_stream *stream;
    struct adt_op *read; /* belongs to the reader, not to who waits, so that its bytes are never lost */
    struct wait_op *waiter;
    struct adt_buf buf;
    size_t at, scan; /* taken up to, searched up to */
    size_t max_line;
    bool cutting;    /* the line at [at] is full; what follows up to its end is dropped */
    bool swallow_lf; /* the last line ended with a carriage return, its newline may follow */
    bool ended;
    enum adt_cr cr;
    struct adt_error err;
};

struct wait_op {
    struct adt_op op;
    struct adt_reader *reader[2];
    size_t n;
    bool lines;
};

struct adt_reader *adt_reader_new(struct adt_loop *loop, struct adt_stream *s, size_t max_line, struct adt_error *err)
{
    struct adt_reader *r = adt_zalloc(sizeof *r);
    if (!r) {
        adt_stream_close(s);
        adt_error_nomem(err);
        return NULL;
    }
    r->loop = loop;
    r->stream = s;
    r->max_line = max_line;
    adt_buf_init(&r->buf, max_line + SLACK);
    return r;
}

/* --- bytes to lines ----------------------------------------------------------------------------------------------- */

static const char *find_end(const struct adt_reader *r, const char *p, size_t n)
{
    const char *lf = memchr(p, '\n', n);
    if (r->cr != ADT_CR_SPLIT)
        return lf;
    const char *cr = memchr(p, '\r', lf ? (size_t)(lf - p) : n);
    return cr ? cr : lf;
}

static void taken(struct adt_reader *r, size_t upto)
{
    r->at = r->scan = upto;
    if (r->at < r->buf.len)
        return;
    r->at = r->scan = r->buf.len = 0;
    if (r->buf.cap > KEEP_CAP)
        adt_buf_free(&r->buf);
}

static int feed(struct adt_reader *r, const char *p, size_t n)
{
    if (r->cutting) {
        const char *end = find_end(r, p, n);
        if (!end)
            return 0;
        n -= (size_t)(end - p);
        p = end;
    }
    if (r->at > 0 && r->buf.len + n > r->max_line) {
        adt_buf_drop(&r->buf, r->at);
        r->scan -= r->at;
        r->at = 0;
    }
    if (adt_buf_add(&r->buf, p, n) < 0) {
        r->at = r->scan = 0;
        return adt_error_nomem(&r->err);
    }
    return 0;
}

static void skip_lf(struct adt_reader *r)
{
    if (!r->swallow_lf || r->at == r->buf.len)
        return;
    r->swallow_lf = false;
    if (r->buf.p[r->at] == '\n')
        taken(r, r->at + 1);
}

/* The end of the line that begins at r->at, or NULL; an endless line is cut to its ceiling here. */
static const char *line_end(struct adt_reader *r)
{
    skip_lf(r);
    if (r->scan < r->buf.len) {
        const char *end = find_end(r, r->buf.p + r->scan, r->buf.len - r->scan);
        if (end) {
            r->scan = (size_t)(end - r->buf.p);
            return end;
        }
    }
    if (r->buf.len - r->at > r->max_line) {
        r->cutting = true;
        r->buf.len = r->at + r->max_line;
    }
    r->scan = r->buf.len;
    return NULL;
}

static bool has_rest(const struct adt_reader *r)
{
    return r->at < r->buf.len;
}

enum adt_taken adt_reader_line(struct adt_reader *r, enum adt_cr cr, struct adt_text *line)
{
    if (cr != r->cr) {
        r->cr = cr;
        r->scan = r->at;
    }
    const char *end = line_end(r);
    if (!end && !r->ended)
        return ADT_TAKEN_NONE;
    if (!end && !has_rest(r))
        return ADT_TAKEN_END;
    size_t upto = end ? (size_t)(end - r->buf.p) : r->buf.len;
    size_t n = upto - r->at;
    line->cut = r->cutting || n > r->max_line;
    line->p = r->buf.p + r->at;
    line->n = n > r->max_line ? r->max_line : n;
    if (cr != ADT_CR_KEEP && !line->cut && n > 0 && line->p[n - 1] == '\r')
        line->n--;
    r->cutting = false;
    r->swallow_lf = end && *end == '\r';
    r->at = r->scan = end ? upto + 1 : upto;
    return ADT_TAKEN_TEXT;
}

enum adt_taken adt_reader_chunk(struct adt_reader *r, struct adt_text *chunk)
{
    r->cutting = false;
    skip_lf(r);
    if (!has_rest(r))
        return r->ended ? ADT_TAKEN_END : ADT_TAKEN_NONE;
    *chunk = (struct adt_text){.p = r->buf.p + r->at, .n = r->buf.len - r->at};
    r->at = r->scan = r->buf.len;
    return ADT_TAKEN_TEXT;
}

const struct adt_error *adt_reader_error(const struct adt_reader *r)
{
    return &r->err;
}

/* --- reading and waiting ------------------------------------------------------------------------------------------ */

static void wait_check(struct wait_op *w);

static void on_read(struct adt_op *op)
{
    struct adt_reader *r = op->user;
    size_t n;
    const char *p = adt_stream_data(op, &n);
    if (op->err.cause)
        r->err = op->err;
    if (op->err.cause || n == 0 || feed(r, p, n) < 0)
        r->ended = true;
    adt_op_free(op);
    r->read = NULL;
    if (r->waiter)
        wait_check(r->waiter);
}

static void read_on(struct adt_reader *r)
{
    if (r->read || r->ended)
        return;
    if (!has_rest(r))
        taken(r, r->buf.len);
    if ((r->read = adt_stream_read(r->stream, &r->err))) {
        r->read->user = r;
        r->read->done = on_read;
    } else {
        r->ended = true;
    }
}

static void wait_detach(struct wait_op *w)
{
    for (size_t i = 0; i < w->n; i++)
        w->reader[i]->waiter = NULL;
    w->n = 0;
}

static bool is_ready(struct adt_reader *r, bool lines)
{
    return lines ? line_end(r) != NULL || (r->ended && has_rest(r)) : has_rest(r);
}

static void wait_check(struct wait_op *w)
{
    bool ready = false;
    size_t ended = 0;
    for (size_t i = 0; i < w->n && !ready; i++)
        ready = is_ready(w->reader[i], w->lines);
    for (size_t i = 0; i < w->n && !ready; i++) {
        read_on(w->reader[i]);
        ended += w->reader[i]->ended;
    }
    if (!ready && ended < w->n)
        return;
    wait_detach(w);
    adt_op_finish(&w->op);
}

static void wait_cancel(struct adt_op *op)
{
    wait_detach(adt_container(op, struct wait_op, op));
}

static void wait_destroy(struct adt_op *op)
{
    adt_free(adt_container(op, struct wait_op, op));
}

static const struct adt_op_class wait_class = {"read", wait_cancel, wait_destroy};

struct adt_op *adt_reader_wait(struct adt_reader *const *readers, size_t n, bool lines, enum adt_cr cr,
                               struct adt_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (readers[i]->waiter) {
            adt_error_set(err, ADT_USAGE, "Busy", "two tasks read one stream at the same time");
            return NULL;
        }
    struct wait_op *w = adt_zalloc(sizeof *w);
    if (!w) {
        adt_error_nomem(err);
        return NULL;
    }
    adt_op_init(&w->op, readers[0]->loop, &wait_class);
    w->lines = lines;
    w->n = n;
    for (size_t i = 0; i < n; i++) {
        w->reader[i] = readers[i];
        readers[i]->waiter = w;
        if (readers[i]->cr != cr) {
            readers[i]->cr = cr;
            readers[i]->scan = readers[i]->at;
        }
    }
    wait_check(w);
    return &w->op;
}

void adt_reader_free(struct adt_reader *r)
{
    if (!r)
        return;
    if (r->waiter) {
        struct wait_op *w = r->waiter;
        wait_detach(w);
        adt_error_set(&w->op.err, ADT_CANCELLED, "Closed", "the stream was closed while it was read");
        adt_op_finish(&w->op);
    }
    adt_op_free(r->read);
    adt_stream_close(r->stream);
    adt_buf_free(&r->buf);
    adt_free(r);
}
