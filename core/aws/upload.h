/* upload.h - a file on its way to S3: read, checked and framed as it goes, none of it twice */
#ifndef ADT_AWS_UPLOAD_H
#define ADT_AWS_UPLOAD_H

#include "aws/sigv4.h"
#include "base/error.h"
#include "data/digest.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { ADT_UPLOAD_PIECE = 256 << 10 /* bytes read at once; chunks of this size are framed without a copy */ };

struct adt_upload;

struct adt_upload *adt_upload_new(int fd, uint64_t size, struct adt_sigv4_stream *st, int hash, struct adt_error *err);
/* The first [size] bytes of [fd] (duplicated) in the encoding of [st], which is the upload's from then on, also when
 * this fails. [hash]: an enum adt_hash whose value is the only trailer of [st], or -1 when that has none. NULL with
 * [err] filled. */

uint64_t adt_upload_length(const struct adt_upload *u);
/* Bytes of the whole encoded body. */

ssize_t adt_upload_read(struct adt_upload *u, char *p, size_t n, struct adt_error *err);
/* Up to [n] of the next bytes, 0 at the end. -1: the disk fails, or the file is not the one it was at the beginning
 * ("FileChanged"), which is found before the last byte is given. */

void adt_upload_free(struct adt_upload *u);
/* Takes NULL. */

#endif
