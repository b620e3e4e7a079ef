/* file.c - one file: read whole, written whole */
#include "base/file.h"

#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static enum adt_cause cause_of(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ADT_QUOTA;
    case EIO:
    case ESTALE:
    case ETIMEDOUT:
        return ADT_NODE;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EBADF:
        return ADT_INTERNAL;
    default:
        return ADT_USAGE;
    }
}

static const char *hint_of(int errnum)
{
    switch (errnum) {
    case ENOSPC:
        return "free space or inodes on that file system";
    case EDQUOT:
        return "the quota of this user on that file system is used up";
    case EACCES:
    case EPERM:
        return "check the permissions of it and of the folders above";
    case EROFS:
        return "the file system is mounted read-only";
    case ESTALE:
        return "the network file system has lost it; try again";
    default:
        return "";
    }
}

int adt_file_error(struct adt_error *err, int errnum, const char *fmt, ...)
{
    if (!err)
        return -1;
    char what[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    adt_error_errno(err, cause_of(errnum), errnum, "%s", what);
    adt_error_hint(err, "%s", hint_of(errnum));
    return -1;
}

static int read_all(int fd, const char *path, struct adt_buf *out, struct adt_error *err)
{
    struct stat st;
    size_t step = 64 * 1024;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        step = (size_t)st.st_size + 1; /* one more byte, so that its end is seen by the same read */
    for (;;) {
        size_t room = out->max - out->len, want = step < room ? step : room;
        char beyond, *dst = &beyond;
        if (room && !(dst = adt_buf_grow(out, want)))
            return adt_error_nomem(err);
        ssize_t n = read(fd, dst, room ? want : 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return adt_file_error(err, errno, "reading '%s'", path);
        if (n == 0)
            break;
        if (!room) {
            adt_buf_free(out);
            return adt_error_set(err, ADT_USAGE, "EOVERFLOW", "'%s' is larger than %zu bytes", path, out->max);
        }
        out->len += (size_t)n;
        out->p[out->len] = '\0';
        step = 64 * 1024 > (size_t)n ? 64 * 1024 : (size_t)n;
    }
    return 0;
}

int adt_file_read(const char *path, struct adt_buf *out, struct adt_error *err)
{
    /* Not blocking, since opening a FIFO would wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return adt_file_error(err, errno, "opening '%s'", path);
    struct stat st;
    int rc = fstat(fd, &st);
    if (rc == 0 && !S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
        rc = adt_file_error(err, S_ISDIR(st.st_mode) ? EISDIR : EINVAL, "'%s' is not a regular file", path);
    else
        rc = read_all(fd, path, out, err);
    close(fd);
    return rc;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        if (adt_fault("file.write")) {
            errno = ENOSPC;
            return -1;
        }
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -1;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

/* The length of the folder's part of [path], without the last slash but for the root. */
static size_t parent_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return 0;
    return slash == path ? 1 : (size_t)(slash - path);
}

static int sync_parent(const char *path)
{
    char dir[PATH_MAX];
    size_t n = parent_length(path);
    snprintf(dir, sizeof dir, "%.*s", n ? (int)n : 1, n ? path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    /* Some network file systems cannot sync a folder, and need not. */
    int rc = fsync(fd) < 0 && errno != EINVAL && errno != EROFS ? -1 : 0;
    close(fd);
    return rc;
}

static int temporary_beside(const char *path, mode_t mode, char out[static PATH_MAX])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    for (int i = 0; i < 100; i++) {
        unsigned char r[8];
        char random[9];
        if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r)
            return -1;
        for (int k = 0; k < 8; k++)
            random[k] = letters[r[k] % 32];
        random[8] = '\0';
        /* A name near the limit of 255 bytes has its temporary cut, so that it fits, too. */
        int n = snprintf(out, PATH_MAX, "%.*s.%.200s.%s", (int)(name - path), path, name, random);
        if (n >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static int finish_file(int fd, bool sync, mode_t mode, bool set_mode)
{
    if (set_mode && fchmod(fd, mode) < 0 && errno != EPERM && errno != ENOTSUP)
        return -1;
    return sync ? fsync(fd) : 0;
}

static int write_beside(const char *path, const void *p, size_t n, const struct adt_file_options *opt,
                        struct adt_error *err)
{
    char tmp[PATH_MAX];
    int fd = temporary_beside(path, opt->mode, tmp);
    if (fd < 0)
        return adt_file_error(err, errno, "writing '%s'", path);
    int rc = write_all(fd, p, n);
    if (rc == 0)
        rc = finish_file(fd, opt->sync, opt->mode, true);
    /* A network file system may report a full disk only here. */
    int saved = errno;
    if (close(fd) < 0 && rc == 0) {
        saved = errno;
        rc = -1;
    }
    if (rc == 0 && (rc = rename(tmp, path)) < 0)
        saved = errno;
    if (rc < 0) {
        unlink(tmp);
        return adt_file_error(err, saved, "writing '%s'", path);
    }
    if (opt->sync && sync_parent(path) < 0)
        return adt_file_error(err, errno, "syncing the folder of '%s'", path);
    return 0;
}

static int write_in_place(const char *path, const void *p, size_t n, const struct adt_file_options *opt,
                          struct adt_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (opt->append ? O_APPEND : O_TRUNC), opt->mode);
    if (fd < 0)
        return adt_file_error(err, errno, "opening '%s'", path);
    int rc = write_all(fd, p, n);
    if (rc == 0)
        rc = finish_file(fd, opt->sync, opt->mode, false);
    int saved = errno;
    if (close(fd) < 0 && rc == 0) {
        saved = errno;
        rc = -1;
    }
    if (rc == 0 && opt->sync && (rc = sync_parent(path)) < 0)
        saved = errno;
    return rc < 0 ? adt_file_error(err, saved, "writing '%s'", path) : 0;
}

int adt_file_write(const char *path, const void *p, size_t n, const struct adt_file_options *opt, struct adt_error *err)
{
    size_t parent = parent_length(path);
    if (opt->parents && parent > 1) {
        char dir[PATH_MAX];
        if (parent >= sizeof dir)
            return adt_file_error(err, ENAMETOOLONG, "writing '%s'", path);
        snprintf(dir, sizeof dir, "%.*s", (int)parent, path);
        if (adt_dir_make(dir, 0700, true, err) < 0)
            return -1;
    }
    return opt->atomic ? write_beside(path, p, n, opt, err) : write_in_place(path, p, n, opt, err);
}

int adt_file_create(const char *path, const void *p, size_t n, mode_t mode, struct adt_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return errno == EEXIST ? 0 : adt_file_error(err, errno, "making '%s'", path);
    int rc = write_all(fd, p, n), saved = errno;
    if (close(fd) < 0 && rc == 0) {
        saved = errno;
        rc = -1;
    }
    if (rc == 0)
        return 1;
    unlink(path);
    return adt_file_error(err, saved, "writing '%s'", path);
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int adt_dir_make(const char *path, mode_t mode, bool parents, struct adt_error *err)
{
    if (mkdir(path, mode) == 0)
        return 0;
    if (parents && errno == EEXIST && is_dir(path))
        return 0;
    char dir[PATH_MAX];
    if (parents && errno == ENOENT && *path && strlen(path) < sizeof dir) {
        snprintf(dir, sizeof dir, "%s", path);
        /* From the top, each one that may be missing; somebody else may make the same ones meanwhile. */
        for (char *p = dir + 1; *p; p++) {
            if (*p != '/' || p[-1] == '/')
                continue;
            *p = '\0';
            int code = mkdir(dir, 0700) < 0 ? errno : 0;
            if (code && code != EEXIST && !is_dir(dir))
                return adt_file_error(err, code, "making the folder '%s'", dir);
            *p = '/';
        }
        if (mkdir(path, mode) == 0 || (errno == EEXIST && is_dir(path)))
            return 0;
    }
    return adt_file_error(err, errno, "making the folder '%s'", path);
}
