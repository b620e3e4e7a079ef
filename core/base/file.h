/* file.h - whole files and folders: bounded reads, writes that are complete or not there, trees */
#ifndef ADT_BASE_FILE_H
#define ADT_BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { ADT_TREE_DEPTH = 256 /* folders inside folders; each holds a descriptor */ };

int adt_file_error(struct adt_error *err, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* As adt_error_errno(), with the cause and hint that suit [errnum] for a file. Returns -1. */

int adt_file_read(const char *path, struct adt_buf *out, struct adt_error *err);
/* Appends the content of a regular file or character device; -1 (EOVERFLOW) past the ceiling of [out], which is then
 * empty. */

struct adt_file_options {
    mode_t mode;
    bool atomic;  /* into a new file beside it, renamed when complete; else in place */
    bool append;  /* in place, at the end */
    bool sync;    /* durable before it returns, the name included */
    bool parents; /* folders above it are made (0700) */
};

int adt_file_write(const char *path, const void *p, size_t n, const struct adt_file_options *opt,
                   struct adt_error *err);
/* On failure an atomic write has left nothing, and the old file untouched. */

int adt_file_create(const char *path, const void *p, size_t n, mode_t mode, struct adt_error *err);
/* 1: made; 0: something is there already. Of several who try, one makes it. */

int adt_dir_make(const char *path, mode_t mode, bool parents, struct adt_error *err);
/* 0 also when a folder is there already and [parents] is set. */

int adt_tree_remove(const char *path, bool recursive, struct adt_error *err);
/* 1, or 0 when nothing was there. Never follows a link. Refuses "", "/" under any name, "." and "..". */

int adt_tree_copy(const char *from, const char *to, struct adt_error *err);
/* Copies a file, a link or a folder with all below it, and modes. A file replaces a file; folders are merged. */

#endif
