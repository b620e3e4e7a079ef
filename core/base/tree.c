/* tree.c - removing and copying folders with all below them, never through a link */
#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

static int too_deep(struct adt_error *err, const char *name)
{
    return adt_error_set(err, ADT_USAGE, "TooDeep", "'%s' lies more than %d folders deep", name, ADT_TREE_DEPTH);
}

/* Takes over [fd]. */
static DIR *open_dir(int fd)
{
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0)
        close(fd);
    return d;
}

static struct dirent *next_entry(DIR *d)
{
    struct dirent *e;
    do {
        errno = 0;
        e = readdir(d);
    } while (e && (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")));
    return e;
}

/* --- removing ----------------------------------------------------------------------------------------------------- */

static int remove_at(int at, const char *name, int depth, struct adt_error *err);

static int remove_content(int at, const char *name, int depth, struct adt_error *err)
{
    if (depth >= ADT_TREE_DEPTH)
        return too_deep(err, name);
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    __attribute__((cleanup(closedirp))) DIR *d = open_dir(fd);
    if (!d)
        return errno == ENOENT ? 0 : adt_file_error(err, errno, "opening the folder '%s'", name);
    struct dirent *e;
    while ((e = next_entry(d)))
        if (remove_at(dirfd(d), e->d_name, depth + 1, err) < 0)
            return -1;
    return errno ? adt_file_error(err, errno, "listing the folder '%s'", name) : 0;
}

static int remove_at(int at, const char *name, int depth, struct adt_error *err)
{
    struct stat st;
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : adt_file_error(err, errno, "removing '%s'", name);
    bool dir = S_ISDIR(st.st_mode);
    /* Files appear in a folder while it is emptied (logs of something that still runs): go over it again. */
    for (int attempt = 0; attempt < 3; attempt++) {
        if (dir && remove_content(at, name, depth, err) < 0)
            return -1;
        if (unlinkat(at, name, dir ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT)
            return 1;
        if (errno != ENOTEMPTY && errno != EEXIST)
            break;
    }
    return adt_file_error(err, errno, "removing '%s'", name);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int check_removable(const char *path, struct adt_error *err)
{
    struct stat root, st;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    const char *last = path + n;
    while (last > path && last[-1] != '/')
        last--;
    size_t len = n - (size_t)(last - path);
    bool dots = (len == 1 && last[0] == '.') || (len == 2 && last[0] == '.' && last[1] == '.');
    if (n == 0 || dots || len == 0 || (stat("/", &root) == 0 && lstat(path, &st) == 0 && same_file(&root, &st))) {
        adt_error_set(err, ADT_USAGE, "Refused", "'%s' is not removed: name a file or a folder below one", path);
        return -1;
    }
    return 0;
}

int adt_tree_remove(const char *path, bool recursive, struct adt_error *err)
{
    struct stat st;
    if (check_removable(path, err) < 0)
        return -1;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : adt_file_error(err, errno, "removing '%s'", path);
    if (recursive)
        return remove_at(AT_FDCWD, path, 0, err);
    if ((S_ISDIR(st.st_mode) ? rmdir(path) : unlink(path)) == 0)
        return 1;
    if (errno == ENOENT)
        return 0;
    int rc = adt_file_error(err, errno, "removing '%s'", path);
    if (errno == ENOTEMPTY)
        adt_error_hint(err, "a folder with its content goes with recursive = true");
    return rc;
}

/* --- copying ------------------------------------------------------------------------------------------------------ */

struct copy {
    struct stat root; /* of the folder that is written, which may lie inside the one that is read */
    struct adt_error *err;
};

static int copy_bytes(int in, int out)
{
    bool in_kernel = true;
    char buf[64 * 1024];
    for (;;) {
        ssize_t n = -1;
        if (in_kernel) {
            n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
            /* Not between all file systems; an answer of 0 at once may also be a file of /proc. */
            if (n > 0)
                continue;
            if (n < 0 && errno == ENOSPC)
                return -1;
            in_kernel = false;
        }
        n = read(in, buf, sizeof buf);
        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        for (ssize_t done = 0; n > 0 && done < n;) {
            ssize_t w = write(out, buf + done, (size_t)(n - done));
            if (w < 0 && errno != EINTR)
                return -1;
            done += w > 0 ? w : 0;
        }
        if (n < 0)
            return -1;
    }
}

static int copy_file(struct copy *c, int from_at, const char *from, int to_at, const char *to)
{
    adt_autoclose int in = openat(from_at, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st, there;
    if (in < 0 || fstat(in, &st) < 0)
        return adt_file_error(c->err, errno, "opening '%s'", from);
    if (fstatat(to_at, to, &there, 0) == 0 && same_file(&st, &there))
        return adt_error_set(c->err, ADT_USAGE, "SameFile", "'%s' and '%s' are the same file", from, to);
    int out = openat(to_at, to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        return adt_file_error(c->err, errno, "writing '%s'", to);
    int rc = copy_bytes(in, out);
    if (rc == 0 && fstat(out, &there) == 0 && S_ISREG(there.st_mode))
        rc = fchmod(out, st.st_mode & 07777);
    int saved = errno;
    if (close(out) < 0 && rc == 0) {
        saved = errno;
        rc = -1;
    }
    /* A device was there before us and is nobody's half-written copy. */
    if (rc < 0 && fstatat(to_at, to, &there, 0) == 0 && S_ISREG(there.st_mode))
        unlinkat(to_at, to, 0);
    return rc < 0 ? adt_file_error(c->err, saved, "copying '%s'", from) : 0;
}

static int copy_link(struct copy *c, int from_at, const char *from, int to_at, const char *to)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(from_at, from, target, sizeof target - 1);
    if (n < 0)
        return adt_file_error(c->err, errno, "reading the link '%s'", from);
    target[n] = '\0';
    if (symlinkat(target, to_at, to) == 0)
        return 0;
    if (errno == EEXIST && unlinkat(to_at, to, 0) == 0 && symlinkat(target, to_at, to) == 0)
        return 0;
    return adt_file_error(c->err, errno, "making the link '%s'", to);
}

static int copy_at(struct copy *c, int from_at, const char *from, int to_at, const char *to, int depth);

static int copy_dir(struct copy *c, int from_at, const char *from, int to_at, const char *to, int depth)
{
    if (depth >= ADT_TREE_DEPTH)
        return too_deep(c->err, from);
    __attribute__((cleanup(closedirp))) DIR *d =
        open_dir(openat(from_at, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat st;
    if (!d || fstat(dirfd(d), &st) < 0)
        return adt_file_error(c->err, errno, "opening the folder '%s'", from);
    if (depth > 0 && same_file(&st, &c->root))
        return adt_error_set(c->err, ADT_USAGE, "Inside", "a folder cannot be copied into itself");
    if (mkdirat(to_at, to, 0700) < 0 && errno != EEXIST)
        return adt_file_error(c->err, errno, "making the folder '%s'", to);
    adt_autoclose int out = openat(to_at, to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out < 0 || (depth == 0 && fstat(out, &c->root) < 0))
        return adt_file_error(c->err, errno, "opening the folder '%s'", to);
    if (depth == 0 && same_file(&st, &c->root))
        return adt_error_set(c->err, ADT_USAGE, "SameFile", "'%s' and '%s' are the same folder", from, to);
    struct dirent *e;
    while ((e = next_entry(d)))
        if (copy_at(c, dirfd(d), e->d_name, out, e->d_name, depth + 1) < 0)
            return -1;
    if (errno)
        return adt_file_error(c->err, errno, "listing the folder '%s'", from);
    /* Last, since a folder may forbid its owner to write. */
    return fchmod(out, st.st_mode & 07777) < 0 ? adt_file_error(c->err, errno, "setting the mode of '%s'", to) : 0;
}

static int copy_at(struct copy *c, int from_at, const char *from, int to_at, const char *to, int depth)
{
    struct stat st;
    if (fstatat(from_at, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return adt_file_error(c->err, errno, "copying '%s'", from);
    if (S_ISDIR(st.st_mode))
        return copy_dir(c, from_at, from, to_at, to, depth);
    if (S_ISLNK(st.st_mode))
        return copy_link(c, from_at, from, to_at, to);
    if (S_ISREG(st.st_mode))
        return copy_file(c, from_at, from, to_at, to);
    return adt_error_set(c->err, ADT_USAGE, "Special", "'%s' is a device, a socket or a pipe and is not copied", from);
}

int adt_tree_copy(const char *from, const char *to, struct adt_error *err)
{
    struct copy c = {.err = err};
    return copy_at(&c, AT_FDCWD, from, AT_FDCWD, to, 0);
}
