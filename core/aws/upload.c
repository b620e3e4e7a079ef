/* upload.c - the pipe from a file over a checksum into aws-chunked frames */
#include "aws/upload.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FRAMES = 64 << 10 /* room for what stands around a piece, the trailers included */ };

struct adt_upload {
    int fd;
    uint64_t size, at;
    struct stat first; /* how the file was at the beginning */
    struct adt_sigv4_stream *st;
    uint64_t length;
    enum adt_hash hash;
    struct adt_digest *digest; /* NULL: no trailer */
    struct adt_buf out;        /* framed, and not handed out from out_at on */
    size_t out_at;
    bool ended;
    char *piece;
};

static int upload_begin(struct adt_upload *u, int fd, int hash, struct adt_error *err)
{
    if ((u->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0 || fstat(u->fd, &u->first) < 0)
        return adt_file_error(err, errno, "opening the file that is to be sent");
    if (hash >= 0) {
        u->hash = (enum adt_hash)hash;
        if (!(u->digest = adt_digest_new(u->hash, err)))
            return -1;
    }
    return (u->piece = adt_alloc(ADT_UPLOAD_PIECE)) ? 0 : adt_error_nomem(err);
}

struct adt_upload *adt_upload_new(int fd, uint64_t size, struct adt_sigv4_stream *st, int hash, struct adt_error *err)
{
    struct adt_upload *u = adt_zalloc(sizeof *u);
    if (!u) {
        adt_sigv4_stream_free(st);
        adt_error_nomem(err);
        return NULL;
    }
    u->fd = -1;
    u->size = size;
    u->st = st;
    u->length = adt_sigv4_stream_length(st);
    /* A chunk of the stream may be larger than a piece, and comes out whole. */
    adt_buf_init(&u->out, ADT_SIGV4_CHUNK_MAX + ADT_UPLOAD_PIECE + FRAMES);
    if (upload_begin(u, fd, hash, err) < 0) {
        adt_upload_free(u);
        return NULL;
    }
    return u;
}

uint64_t adt_upload_length(const struct adt_upload *u)
{
    return u->length;
}

static int changed(struct adt_error *err)
{
    adt_error_set(err, ADT_USAGE, "FileChanged", "the file was changed while it was being sent");
    adt_error_hint(err, "send it when nobody writes to it any more");
    return -1;
}

static int no_checksum(struct adt_error *err)
{
    return adt_error_set(err, ADT_INTERNAL, "Checksum", "the checksum of the file cannot be computed");
}

static int end_body(struct adt_upload *u, struct adt_error *err)
{
    struct stat now;
    struct adt_buf text;
    unsigned char value[ADT_DIGEST_MAX];
    if (fstat(u->fd, &now) < 0)
        return adt_file_error(err, errno, "looking at the file that is being sent");
    if (now.st_size != u->first.st_size || now.st_mtim.tv_sec != u->first.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != u->first.st_mtim.tv_nsec)
        return changed(err);
    adt_buf_init(&text, 2 * ADT_DIGEST_MAX);
    int rc = 0;
    if (u->digest && adt_digest_end(u->digest, value) < 0)
        rc = no_checksum(err);
    else if (u->digest && adt_base64_encode(value, adt_digest_size(u->hash), false, &text) < 0)
        rc = adt_error_nomem(err);
    const char *const values[] = {text.p};
    if (rc == 0)
        rc = adt_sigv4_stream_end(u->st, u->digest ? values : NULL, &u->out, err);
    adt_buf_free(&text);
    u->ended = true;
    return rc;
}

/* Frames the next piece. */
static int fill(struct adt_upload *u, struct adt_error *err)
{
    u->out.len = u->out_at = 0;
    if (u->at == u->size)
        return end_body(u, err);
    size_t n = u->size - u->at < ADT_UPLOAD_PIECE ? (size_t)(u->size - u->at) : ADT_UPLOAD_PIECE;
    ssize_t got;
    do
        got = pread(u->fd, u->piece, n, (off_t)u->at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return adt_file_error(err, errno, "reading the file that is being sent");
    if (got == 0)
        return changed(err);
    u->at += (uint64_t)got;
    if (u->digest && adt_digest_add(u->digest, u->piece, (size_t)got) < 0)
        return no_checksum(err);
    return adt_sigv4_stream_add(u->st, u->piece, (size_t)got, &u->out, err);
}

ssize_t adt_upload_read(struct adt_upload *u, char *p, size_t n, struct adt_error *err)
{
    while (u->out_at == u->out.len) {
        if (u->ended)
            return 0;
        if (fill(u, err) < 0)
            return -1;
    }
    size_t left = u->out.len - u->out_at;
    n = n < left ? n : left;
    memcpy(p, u->out.p + u->out_at, n);
    u->out_at += n;
    return (ssize_t)n;
}

void adt_upload_free(struct adt_upload *u)
{
    if (!u)
        return;
    adt_sigv4_stream_free(u->st);
    adt_digest_free(u->digest);
    adt_buf_free(&u->out);
    adt_free(u->piece);
    if (u->fd >= 0)
        close(u->fd);
    adt_free(u);
}
