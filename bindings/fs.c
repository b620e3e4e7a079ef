/* fs.c - adt.c.fs: files and folders by path; what may take long waits on a thread */
#include "adtL.h"
#include "base/file.h"
#include "base/glob.h"
#include "base/mem.h"
#include "modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int push_true(lua_State *L)
{
    lua_pushboolean(L, 1);
    return 1;
}

/* nil and the error that errno names, or true */
static int outcome(lua_State *L, int rc, const char *doing, const char *path)
{
    struct adt_error err;
    if (rc == 0)
        return push_true(L);
    adt_file_error(&err, errno, "%s '%s'", doing, path);
    return adtL_fail(L, &err);
}

/* --- work on a thread --------------------------------------------------------------------------------------------- */

struct job {
    int (*run)(struct job *j);
    int rc;
    struct adt_error err;
    char *a, *b;
    size_t n;
    struct adt_file_options opt;
};

static int job_write(struct job *j)
{
    return adt_file_write(j->a, j->b, j->n, &j->opt, &j->err);
}

static int job_remove(struct job *j)
{
    return adt_tree_remove(j->a, true, &j->err);
}

static int job_copy(struct job *j)
{
    return adt_tree_copy(j->a, j->b, &j->err);
}

static void job_run(void *arg)
{
    struct job *j = arg;
    j->rc = j->run(j);
}

static void job_drop(void *arg)
{
    struct job *j = arg;
    adt_free(j->a);
    adt_free(j->b);
    adt_free(j);
}

enum { JOB_SLOT = 3 /* on the stack: a userdata that points to the job, which lives as long as its op */ };

static int job_finish(lua_State *L, struct lop *o)
{
    const struct job *j = *(struct job **)lua_touserdata(L, JOB_SLOT);
    (void)o;
    if (j->rc < 0)
        return adtL_fail(L, &j->err);
    lua_pushinteger(L, j->rc);
    return 1;
}

/* Runs [run] over copies of [a] and [b], which lie at the stack's first two places: the thread may outlive them. */
static int job_wait(lua_State *L, int (*run)(struct job *j), const char *a, const char *b, size_t n,
                    const struct adt_file_options *opt)
{
    struct adt_error err;
    adtL_checkwait(L, "fs");
    lua_settop(L, JOB_SLOT - 1);
    struct job **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    struct lop *o = adtL_newop(L, 0);
    struct adt_loop *loop = adtL_loop(L);
    struct job *j = *slot = adt_zalloc(sizeof *j);
    if (j) {
        j->run = run;
        j->n = n;
        j->a = adt_strdup(a);
        j->b = b ? adt_memdup(b, n) : NULL;
        j->opt = opt ? *opt : (struct adt_file_options){.mode = 0};
    }
    if (!j || !j->a || (b && !j->b)) {
        if (j)
            job_drop(j);
        adt_error_nomem(&err);
        return adtL_fail(L, &err);
    }
    if (!(o->op = adt_work_start(loop, job_run, job_drop, j, &err)))
        return adtL_fail(L, &err);
    return adtL_park(L, o, job_finish);
}

/* --- whole files -------------------------------------------------------------------------------------------------- */

static int buf_close(lua_State *L)
{
    adt_buf_free(lua_touserdata(L, 1));
    return 0;
}

/* read(path, max) -> text */
static int fs_read(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", buf_close}, {"__close", buf_close}, {NULL, NULL}};
    struct adt_error err;
    const char *path = adtL_checktext(L, 1, NULL);
    lua_Integer max = luaL_checkinteger(L, 2);
    luaL_argcheck(L, max >= 0, 2, "must not be negative");
    lua_settop(L, 2);
    adtL_newclass(L, "adt.fs.buffer", meta, NULL);
    struct adt_buf *b = adtL_newhandle(L, sizeof *b, "adt.fs.buffer", 0);
    lua_toclose(L, -1);
    adt_buf_init(b, (size_t)max);
    if (adt_file_read(path, b, &err) < 0)
        return adtL_fail(L, &err);
    lua_pushlstring(L, b->p ? b->p : "", b->len);
    return 1;
}

static mode_t opt_mode(lua_State *L, int idx, lua_Integer otherwise)
{
    lua_Integer mode = adtL_optinteger(L, idx, "mode", otherwise);
    if (mode < 0 || mode > 07777)
        luaL_error(L, "option 'mode' must lie between 0 and 07777 (4095)");
    return (mode_t)mode;
}

/* write(path, text, { mode, atomic, append, sync, parents }) -> true; waits if sync */
static int fs_write(lua_State *L)
{
    static const char *const known[] = {"mode", "atomic", "append", "sync", "parents", NULL};
    struct adt_error err;
    size_t n;
    const char *path = adtL_checktext(L, 1, NULL), *text = luaL_checklstring(L, 2, &n);
    luaL_checktype(L, 3, LUA_TTABLE);
    adtL_checkfields(L, 3, "fs.write", known);
    struct adt_file_options opt = {
        .mode = opt_mode(L, 3, 0600),
        .atomic = adtL_optboolean(L, 3, "atomic", true),
        .append = adtL_optboolean(L, 3, "append", false),
        .sync = adtL_optboolean(L, 3, "sync", false),
        .parents = adtL_optboolean(L, 3, "parents", false),
    };
    if (opt.sync)
        return job_wait(L, job_write, path, text, n, &opt);
    if (adt_file_write(path, text, n, &opt, &err) < 0)
        return adtL_fail(L, &err);
    return push_true(L);
}

/* create(path, text, mode) -> true | false if something is there */
static int fs_create(lua_State *L)
{
    struct adt_error err;
    size_t n;
    const char *path = adtL_checktext(L, 1, NULL), *text = luaL_checklstring(L, 2, &n);
    mode_t mode = (mode_t)luaL_optinteger(L, 3, 0600);
    int rc = adt_file_create(path, text, n, mode, &err);
    if (rc < 0)
        return adtL_fail(L, &err);
    lua_pushboolean(L, rc);
    return 1;
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

static const char *type_name(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "link";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    default:
        return "device";
    }
}

static void set_integer(lua_State *L, const char *field, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, field);
}

/* stat(path, follow) -> { type, size, mtime, mode, uid, gid, ino, dev, nlink } | false if nothing is there */
static int fs_stat(lua_State *L)
{
    struct stat st;
    const char *path = adtL_checktext(L, 1, NULL);
    if ((lua_toboolean(L, 2) ? stat(path, &st) : lstat(path, &st)) < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return outcome(L, -1, "looking at", path);
        lua_pushboolean(L, 0);
        return 1;
    }
    lua_createtable(L, 0, 9);
    lua_pushstring(L, type_name(st.st_mode));
    lua_setfield(L, -2, "type");
    lua_pushnumber(L, (lua_Number)st.st_mtim.tv_sec + (lua_Number)st.st_mtim.tv_nsec * 1e-9);
    lua_setfield(L, -2, "mtime");
    set_integer(L, "size", st.st_size);
    set_integer(L, "mode", st.st_mode & 07777);
    set_integer(L, "uid", st.st_uid);
    set_integer(L, "gid", st.st_gid);
    set_integer(L, "ino", (lua_Integer)st.st_ino);
    set_integer(L, "dev", (lua_Integer)st.st_dev);
    set_integer(L, "nlink", (lua_Integer)st.st_nlink);
    return 1;
}

static int dir_close(lua_State *L)
{
    DIR **d = lua_touserdata(L, 1);
    if (*d)
        closedir(*d);
    *d = NULL;
    return 0;
}

static const char *entry_type(DIR *d, const struct dirent *e)
{
    struct stat st;
    switch (e->d_type) {
    case DT_REG:
        return "file";
    case DT_DIR:
        return "directory";
    case DT_LNK:
        return "link";
    default:
        return fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? type_name(st.st_mode) : "device";
    }
}

/* list(path) -> { name, ... } in no order, { [name] = type } */
static int fs_list(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", dir_close}, {"__close", dir_close}, {NULL, NULL}};
    const char *path = adtL_checktext(L, 1, NULL);
    lua_settop(L, 1);
    adtL_newclass(L, "adt.fs.dir", meta, NULL);
    DIR **d = adtL_newhandle(L, sizeof *d, "adt.fs.dir", 0);
    lua_toclose(L, 2);
    if (!(*d = opendir(path)))
        return outcome(L, -1, "listing", path);
    lua_newtable(L);
    lua_newtable(L);
    lua_Integer count = 0;
    struct dirent *e;
    while (errno = 0, (e = readdir(*d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        lua_pushstring(L, e->d_name);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 3, ++count);
        lua_pushstring(L, entry_type(*d, e));
        lua_rawset(L, 4);
    }
    if (errno)
        return outcome(L, -1, "listing", path);
    return 2;
}

/* match_name(pattern, name), match_path(pattern, path) -> boolean; magic(text) -> boolean */
static int fs_match_name(lua_State *L)
{
    size_t pn, n;
    const char *pattern = luaL_checklstring(L, 1, &pn), *name = luaL_checklstring(L, 2, &n);
    lua_pushboolean(L, adt_glob_name(pattern, pn, name, n));
    return 1;
}

static int fs_match_path(lua_State *L)
{
    size_t pn, n;
    const char *pattern = luaL_checklstring(L, 1, &pn), *path = luaL_checklstring(L, 2, &n);
    lua_pushboolean(L, adt_glob_path(pattern, pn, path, n));
    return 1;
}

static int fs_magic(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    lua_pushboolean(L, adt_glob_magic(text, n));
    return 1;
}

/* space(path) -> free bytes, total bytes */
static int fs_space(lua_State *L)
{
    struct statvfs vfs;
    const char *path = adtL_checktext(L, 1, NULL);
    if (statvfs(path, &vfs) < 0)
        return outcome(L, -1, "looking at the file system of", path);
    lua_pushinteger(L, (lua_Integer)vfs.f_bavail * (lua_Integer)vfs.f_frsize);
    lua_pushinteger(L, (lua_Integer)vfs.f_blocks * (lua_Integer)vfs.f_frsize);
    return 2;
}

/* --- changing names ----------------------------------------------------------------------------------------------- */

/* mkdir(path, mode, parents) -> true */
static int fs_mkdir(lua_State *L)
{
    struct adt_error err;
    const char *path = adtL_checktext(L, 1, NULL);
    if (adt_dir_make(path, (mode_t)luaL_checkinteger(L, 2), lua_toboolean(L, 3), &err) < 0)
        return adtL_fail(L, &err);
    return push_true(L);
}

/* create_dir(path, mode) -> true | false if something is there */
static int fs_create_dir(lua_State *L)
{
    const char *path = adtL_checktext(L, 1, NULL);
    int rc = mkdir(path, (mode_t)luaL_checkinteger(L, 2));
    if (rc < 0 && errno != EEXIST)
        return outcome(L, rc, "making the folder", path);
    lua_pushboolean(L, rc == 0);
    return 1;
}

/* remove(path) -> 1 | 0: a file or an empty folder. remove_tree(path): with all below it; waits. remove_now(path): the
 * same in place, for finalisers. */
static int fs_remove(lua_State *L)
{
    struct adt_error err;
    int rc = adt_tree_remove(adtL_checktext(L, 1, NULL), false, &err);
    if (rc < 0)
        return adtL_fail(L, &err);
    lua_pushinteger(L, rc);
    return 1;
}

static int fs_remove_tree(lua_State *L)
{
    return job_wait(L, job_remove, adtL_checktext(L, 1, NULL), NULL, 0, NULL);
}

static int fs_remove_now(lua_State *L)
{
    struct adt_error err;
    int rc = adt_tree_remove(adtL_checktext(L, 1, NULL), true, &err);
    if (rc < 0)
        return adtL_fail(L, &err);
    lua_pushinteger(L, rc);
    return 1;
}

/* copy(from, to) -> 0; waits */
static int fs_copy(lua_State *L)
{
    size_t n;
    const char *from = adtL_checktext(L, 1, NULL), *to = adtL_checktext(L, 2, &n);
    return job_wait(L, job_copy, from, to, n, NULL);
}

static int fs_rename(lua_State *L)
{
    const char *from = adtL_checktext(L, 1, NULL);
    return outcome(L, rename(from, adtL_checktext(L, 2, NULL)), "renaming", from);
}

static int fs_link(lua_State *L)
{
    const char *from = adtL_checktext(L, 1, NULL), *to = adtL_checktext(L, 2, NULL);
    return outcome(L, link(from, to), "making the link", to);
}

static int fs_symlink(lua_State *L)
{
    const char *target = adtL_checktext(L, 1, NULL), *at = adtL_checktext(L, 2, NULL);
    return outcome(L, symlink(target, at), "making the link", at);
}

static int fs_readlink(lua_State *L)
{
    char target[PATH_MAX];
    const char *path = adtL_checktext(L, 1, NULL);
    ssize_t n = readlink(path, target, sizeof target);
    if (n < 0)
        return outcome(L, -1, "reading the link", path);
    lua_pushlstring(L, target, (size_t)n);
    return 1;
}

static int fs_realpath(lua_State *L)
{
    char real[PATH_MAX];
    const char *path = adtL_checktext(L, 1, NULL);
    if (!realpath(path, real))
        return outcome(L, -1, "resolving", path);
    lua_pushstring(L, real);
    return 1;
}

static int fs_chmod(lua_State *L)
{
    const char *path = adtL_checktext(L, 1, NULL);
    lua_Integer mode = luaL_checkinteger(L, 2);
    luaL_argcheck(L, mode >= 0 && mode <= 07777, 2, "must lie between 0 and 07777 (4095)");
    return outcome(L, chmod(path, (mode_t)mode), "setting the mode of", path);
}

static int fs_truncate(lua_State *L)
{
    const char *path = adtL_checktext(L, 1, NULL);
    return outcome(L, truncate(path, (off_t)luaL_checkinteger(L, 2)), "cutting", path);
}

/* tempdir(prefix path) -> path */
static int fs_tempdir(lua_State *L)
{
    char path[PATH_MAX];
    const char *prefix = adtL_checktext(L, 1, NULL);
    if (snprintf(path, sizeof path, "%sXXXXXX", prefix) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return outcome(L, -1, "making a folder at", prefix);
    }
    if (!mkdtemp(path))
        return outcome(L, -1, "making a folder at", prefix);
    lua_pushstring(L, path);
    return 1;
}

static int fs_cwd(lua_State *L)
{
    char path[PATH_MAX];
    if (!getcwd(path, sizeof path))
        return outcome(L, -1, "finding the working folder", ".");
    lua_pushstring(L, path);
    return 1;
}

int luaopen_adt_c_fs(lua_State *L)
{
    static const luaL_Reg functions[] = {{"read", fs_read},
                                         {"write", fs_write},
                                         {"create", fs_create},
                                         {"stat", fs_stat},
                                         {"list", fs_list},
                                         {"match_name", fs_match_name},
                                         {"match_path", fs_match_path},
                                         {"magic", fs_magic},
                                         {"space", fs_space},
                                         {"mkdir", fs_mkdir},
                                         {"create_dir", fs_create_dir},
                                         {"remove", fs_remove},
                                         {"remove_tree", fs_remove_tree},
                                         {"remove_now", fs_remove_now},
                                         {"copy", fs_copy},
                                         {"rename", fs_rename},
                                         {"link", fs_link},
                                         {"symlink", fs_symlink},
                                         {"readlink", fs_readlink},
                                         {"realpath", fs_realpath},
                                         {"chmod", fs_chmod},
                                         {"truncate", fs_truncate},
                                         {"tempdir", fs_tempdir},
                                         {"cwd", fs_cwd},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
