/* stream.c - reads that happen only when asked for, and writes */
#include "loop/stream.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { READ_SIZE = 64 * 1024 };

struct read_op {
    struct adt_op op;
    struct adt_stream *stream; /* NULL once finished */
    char *data;
    size_t n;
};

struct adt_stream {
    uv_pipe_t uv;
    struct adt_loop *loop;
    struct read_op *reader;
};

struct write_op {
    struct adt_op op;
    uv_write_t uv;
    bool sent, freed;
    char data[];
};

static void stream_closed(uv_handle_t *h)
{
    adt_free(adt_container(h, struct adt_stream, uv));
}

struct adt_stream *adt_stream_open(struct adt_loop *loop, int fd, struct adt_error *err)
{
    struct adt_stream *s = adt_zalloc(sizeof *s);
    if (!s) {
        close(fd);
        adt_error_nomem(err);
        return NULL;
    }
    s->loop = loop;
    uv_pipe_init(adt_loop_uv(loop), &s->uv, 0);
    adt_loop_count(loop, ADT_LIVE_STREAM, 1);
    int rc = uv_pipe_open(&s->uv, fd);
    if (rc < 0) {
        close(fd);
        adt_error_errno(err, ADT_INTERNAL, -rc, "attaching descriptor %d to the loop", fd);
        adt_stream_close(s);
        return NULL;
    }
    return s;
}

static void finish_read(struct read_op *r)
{
    uv_read_stop((uv_stream_t *)&r->stream->uv);
    r->stream->reader = NULL;
    r->stream = NULL;
    adt_op_finish(&r->op);
}

void adt_stream_close(struct adt_stream *s)
{
    if (!s)
        return;
    if (s->reader) {
        adt_error_set(&s->reader->op.err, ADT_CANCELLED, "Closed", "the stream was closed while it was read");
        finish_read(s->reader);
    }
    adt_loop_count(s->loop, ADT_LIVE_STREAM, -1);
    uv_close((uv_handle_t *)&s->uv, stream_closed);
}

static void read_cancel(struct adt_op *op)
{
    struct read_op *r = adt_container(op, struct read_op, op);
    uv_read_stop((uv_stream_t *)&r->stream->uv);
    r->stream->reader = NULL;
    r->stream = NULL;
}

static void read_destroy(struct adt_op *op)
{
    struct read_op *r = adt_container(op, struct read_op, op);
    adt_free(r->data);
    adt_free(r);
}

static const struct adt_op_class read_class = {"read", read_cancel, read_destroy};

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct read_op *r = adt_container(h, struct adt_stream, uv)->reader;
    (void)hint;
    if (r && !r->data)
        r->data = adt_alloc(READ_SIZE);
    *buf = uv_buf_init(r ? r->data : NULL, r && r->data ? READ_SIZE : 0);
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct read_op *r = adt_container(h, struct adt_stream, uv)->reader;
    (void)buf;
    if (!r || n == 0)
        return;
    if (n > 0)
        r->n = (size_t)n;
    else if (n != UV_EOF)
        adt_error_errno(&r->op.err, n == UV_ENOBUFS ? ADT_INTERNAL : ADT_SERVICE, n == UV_ENOBUFS ? ENOMEM : (int)-n,
                        "reading from a pipe");
    finish_read(r);
}

struct adt_op *adt_stream_read(struct adt_stream *s, struct adt_error *err)
{
    if (s->reader) {
        adt_error_set(err, ADT_USAGE, "Busy", "two tasks read one stream at the same time");
        return NULL;
    }
    struct read_op *r = adt_zalloc(sizeof *r);
    if (!r) {
        adt_error_nomem(err);
        return NULL;
    }
    adt_op_init(&r->op, s->loop, &read_class);
    r->stream = s;
    s->reader = r;
    int rc = uv_read_start((uv_stream_t *)&s->uv, on_alloc, on_read);
    if (rc < 0) {
        adt_error_errno(err, ADT_INTERNAL, -rc, "reading from a pipe");
        adt_op_free(&r->op);
        return NULL;
    }
    return &r->op;
}

const char *adt_stream_data(const struct adt_op *op, size_t *n)
{
    const struct read_op *r = adt_container(op, const struct read_op, op);
    *n = r->n;
    return r->n ? r->data : NULL;
}

static void write_release(struct write_op *w)
{
    if (w->sent && w->freed)
        adt_free(w);
}

static void write_destroy(struct adt_op *op)
{
    struct write_op *w = adt_container(op, struct write_op, op);
    w->freed = true;
    write_release(w);
}

static const struct adt_op_class write_class = {"write", NULL, write_destroy};

static void on_written(uv_write_t *req, int status)
{
    struct write_op *w = adt_container(req, struct write_op, uv);
    w->sent = true;
    if (w->freed) {
        write_release(w);
        return;
    }
    if (status < 0)
        adt_error_errno(&w->op.err, status == UV_ECANCELED ? ADT_CANCELLED : ADT_SERVICE, -status, "writing to a pipe");
    adt_op_finish(&w->op);
}

struct adt_op *adt_stream_write(struct adt_stream *s, const void *p, size_t n, struct adt_error *err)
{
    struct write_op *w = adt_alloc(sizeof *w + n);
    if (!w) {
        adt_error_nomem(err);
        return NULL;
    }
    memset(w, 0, sizeof *w);
    memcpy(w->data, p, n);
    uv_buf_t buf = uv_buf_init(w->data, (unsigned)n);
    int rc = uv_write(&w->uv, (uv_stream_t *)&s->uv, &buf, 1, on_written);
    if (rc < 0) {
        adt_error_errno(err, ADT_SERVICE, -rc, "writing to a pipe");
        adt_free(w);
        return NULL;
    }
    adt_op_init(&w->op, s->loop, &write_class);
    return &w->op;
}
