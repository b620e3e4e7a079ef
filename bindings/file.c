/* file.c - adt.c.file: open files, whose slow calls wait on a thread */
#include "file.h"

#include "adtL.h"
#include "base/file.h"
#include "base/mem.h"
#include "modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_MAX = 1 << 30 };

struct lfile {
    int open; /* one more than the descriptor; 0: closed */
};

#define FILE_CLASS "adt.file"

int adtL_tofd(lua_State *L, int idx)
{
    luaL_Stream *f = luaL_testudata(L, idx, LUA_FILEHANDLE);
    if (f)
        return f->closef ? fileno(f->f) : -1;
    struct lfile *ours = luaL_testudata(L, idx, FILE_CLASS);
    return ours ? ours->open - 1 : -1;
}

static int check_fd(lua_State *L)
{
    struct lfile *f = luaL_checkudata(L, 1, FILE_CLASS);
    luaL_argcheck(L, f->open, 1, "the file is closed");
    return f->open - 1;
}

static int failed(lua_State *L, const char *doing)
{
    struct adt_error err;
    adt_file_error(&err, errno, "%s", doing);
    return adtL_fail(L, &err);
}

static int flags_of(const char *mode)
{
    static const struct {
        const char *mode;
        int flags;
    } modes[] = {{"r", O_RDONLY},
                 {"r+", O_RDWR},
                 {"w", O_WRONLY | O_CREAT | O_TRUNC},
                 {"w+", O_RDWR | O_CREAT | O_TRUNC},
                 {"a", O_WRONLY | O_CREAT | O_APPEND},
                 {"a+", O_RDWR | O_CREAT | O_APPEND},
                 {"x", O_WRONLY | O_CREAT | O_EXCL},
                 {"x+", O_RDWR | O_CREAT | O_EXCL}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(modes[i].mode, mode))
            return modes[i].flags;
    return -1;
}

/* open(path, mode, permissions) -> file */
static int file_open(lua_State *L)
{
    struct adt_error err;
    struct stat st;
    const char *path = adtL_checktext(L, 1, NULL);
    int flags = flags_of(luaL_optstring(L, 2, "r"));
    luaL_argcheck(L, flags >= 0, 2, "must be r, w, a or x, with or without +");
    mode_t mode = (mode_t)luaL_optinteger(L, 3, 0600);
    struct lfile *f = adtL_newhandle(L, sizeof *f, FILE_CLASS, 0);
    /* Not blocking, since opening a FIFO would wait for its other end. */
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
    f->open = fd + 1;
    if (fd < 0 || fstat(fd, &st) < 0) {
        adt_file_error(&err, errno, "opening '%s'", path);
        return adtL_fail(L, &err);
    }
    if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) {
        adt_error_set(&err, ADT_USAGE, "Special", "'%s' is a pipe, which is not opened as a file", path);
        return adtL_fail(L, &err);
    }
    fcntl(fd, F_SETFL, flags & O_APPEND);
    return 1;
}

/* How many bytes argument [arg] asks for. */
static size_t check_count(lua_State *L, int arg)
{
    lua_Integer n = luaL_optinteger(L, arg, 64 * 1024);
    luaL_argcheck(L, n > 0 && n <= READ_MAX, arg, "must lie between 1 and 1 GiB");
    return (size_t)n;
}

static int push_read(lua_State *L, int fd, size_t n, off_t at)
{
    luaL_Buffer b;
    char *p = luaL_buffinitsize(L, &b, n);
    ssize_t got;
    do
        got = at < 0 ? read(fd, p, n) : pread(fd, p, n, at);
    while (got < 0 && errno == EINTR);
    luaL_pushresultsize(&b, got > 0 ? (size_t)got : 0);
    if (got < 0)
        return failed(L, "reading a file");
    if (got == 0)
        lua_pushnil(L);
    return 1;
}

/* f:read(n) -> bytes | nil at the end */
static int file_read(lua_State *L)
{
    return push_read(L, check_fd(L), check_count(L, 2), -1);
}

/* f:pread(offset, n) -> bytes | nil at the end */
static int file_pread(lua_State *L)
{
    int fd = check_fd(L);
    lua_Integer at = luaL_checkinteger(L, 2);
    luaL_argcheck(L, at >= 0, 2, "must not be negative");
    return push_read(L, fd, check_count(L, 3), (off_t)at);
}

/* f:write(text) -> true */
static int file_write(lua_State *L)
{
    int fd = check_fd(L);
    size_t n;
    const char *p = luaL_checklstring(L, 2, &n);
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return failed(L, "writing a file");
        p += w;
        n -= (size_t)w;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* f:seek(offset from the start) -> true */
static int file_seek(lua_State *L)
{
    if (lseek(check_fd(L), (off_t)luaL_checkinteger(L, 2), SEEK_SET) < 0)
        return failed(L, "moving in a file");
    lua_pushboolean(L, 1);
    return 1;
}

static int file_size(lua_State *L)
{
    struct stat st;
    if (fstat(check_fd(L), &st) < 0)
        return failed(L, "looking at a file");
    lua_pushinteger(L, st.st_size);
    return 1;
}

static int file_truncate(lua_State *L)
{
    if (ftruncate(check_fd(L), (off_t)luaL_checkinteger(L, 2)) < 0)
        return failed(L, "cutting a file");
    lua_pushboolean(L, 1);
    return 1;
}

/* --- sync --------------------------------------------------------------------------------------------------------- */

struct sync {
    int fd, errnum; /* a duplicate: the file may be closed meanwhile */
};

static void sync_run(void *arg)
{
    struct sync *s = arg;
    s->errnum = fsync(s->fd) < 0 ? errno : 0;
}

static void sync_drop(void *arg)
{
    struct sync *s = arg;
    close(s->fd);
    adt_free(s);
}

enum { SYNC_SLOT = 2 /* on the stack: a userdata that points to the struct sync, which lives as long as its op */ };

static int sync_finish(lua_State *L, struct lop *o)
{
    const struct sync *s = *(struct sync **)lua_touserdata(L, SYNC_SLOT);
    (void)o;
    if (s->errnum) {
        errno = s->errnum;
        return failed(L, "syncing a file");
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* f:sync() -> true; waits until the content is durable */
static int file_sync(lua_State *L)
{
    struct adt_error err;
    int fd = check_fd(L);
    adtL_checkwait(L, "file:sync");
    lua_settop(L, 1);
    struct sync **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    struct lop *o = adtL_newop(L, 1);
    struct adt_loop *loop = adtL_loop(L);
    struct sync *s = *slot = adt_zalloc(sizeof *s);
    if (!s) {
        adt_error_nomem(&err);
        return adtL_fail(L, &err);
    }
    if ((s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) {
        adt_free(s);
        return failed(L, "syncing a file");
    }
    if (!(o->op = adt_work_start(loop, sync_run, sync_drop, s, &err)))
        return adtL_fail(L, &err);
    return adtL_park(L, o, sync_finish);
}

/* --- locks -------------------------------------------------------------------------------------------------------- */

/* Locks of the open file where there are such: the process's own would go with any other descriptor of that file. */
static int record_lock(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    int rc = fcntl(fd, F_OFD_SETLK, &lock);
    return rc < 0 && errno == EINVAL ? fcntl(fd, F_SETLK, &lock) : rc;
}

static int lock_outcome(lua_State *L, int rc)
{
    if (rc < 0 && errno != EAGAIN && errno != EACCES && errno != EWOULDBLOCK)
        return failed(L, "locking a file");
    lua_pushboolean(L, rc == 0);
    return 1;
}

/* f:lock("exclusive"|"shared"|"none") -> true | false if another holds it */
static int file_lock(lua_State *L)
{
    static const char *const names[] = {"exclusive", "shared", "none", NULL};
    static const short types[] = {F_WRLCK, F_RDLCK, F_UNLCK};
    int fd = check_fd(L);
    return lock_outcome(L, record_lock(fd, types[luaL_checkoption(L, 2, "exclusive", names)]));
}

/* f:flock("exclusive"|"shared"|"none") -> true | false: a lock that children who inherit the file hold, too */
static int file_flock(lua_State *L)
{
    static const char *const names[] = {"exclusive", "shared", "none", NULL};
    static const int types[] = {LOCK_EX, LOCK_SH, LOCK_UN};
    int fd = check_fd(L);
    return lock_outcome(L, flock(fd, types[luaL_checkoption(L, 2, "exclusive", names)] | LOCK_NB));
}

static int file_fileno(lua_State *L)
{
    lua_pushinteger(L, check_fd(L));
    return 1;
}

/* f:close() -> true; what a network file system could not write shows here */
static int file_close(lua_State *L)
{
    struct lfile *f = luaL_checkudata(L, 1, FILE_CLASS);
    int fd = f->open - 1;
    f->open = 0;
    if (fd >= 0 && close(fd) < 0)
        return failed(L, "closing a file");
    lua_pushboolean(L, 1);
    return 1;
}

int luaopen_adt_c_file(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", file_close}, {"__close", file_close}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"read", file_read},         {"pread", file_pread}, {"write", file_write},
                                       {"seek", file_seek},         {"size", file_size},   {"sync", file_sync},
                                       {"truncate", file_truncate}, {"lock", file_lock},   {"flock", file_flock},
                                       {"fileno", file_fileno},     {"close", file_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"open", file_open}, {NULL, NULL}};
    adtL_newclass(L, FILE_CLASS, meta, methods);
    luaL_newlib(L, functions);
    return 1;
}
