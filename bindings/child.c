/* child.c - adt.c.child: a child process as a handle whose streams and end can be waited for */
#include "loop/child.h"

#include "adtL.h"
#include "base/buf.h"
#include "file.h"
#include "loop/reader.h"
#include "modules.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

extern char **environ;

enum { ARG_MAX_BYTES = 128 * 1024 /* what Linux takes for one argument, its NUL included */ };

struct lchild {
    struct adt_child *child; /* NULL: closed */
    struct adt_stream *in;
    struct adt_reader *out[2]; /* stdout, stderr */
};

#define CHILD "adt.child"

/* --- the options of spawn ----------------------------------------------------------------------------------------- */

static int bad_argument(struct adt_error *err, int i, const char *what)
{
    adt_error_set(err, ADT_USAGE, "BadArgument", "argument %d of the program %s", i - 1, what);
    adt_error_hint(err, "long or binary data belongs in a file or on its standard input");
    return -1;
}

/* The strings stay where they are: the table on the stack keeps them. */
static const char **read_argv(lua_State *L, int idx, struct adt_error *err)
{
    lua_Integer n = luaL_len(L, idx);
    if (n < 1 || n > 1000000) {
        adt_error_set(err, ADT_USAGE, "BadArgument", n < 1 ? "no program is named" : "too many arguments");
        return NULL;
    }
    const char **argv = adtL_scratch(L, ((size_t)n + 1) * sizeof *argv);
    for (int i = 1; i <= (int)n; i++) {
        size_t len;
        if (lua_rawgeti(L, idx, i) != LUA_TSTRING)
            return bad_argument(err, i, "is not a string"), NULL;
        argv[i - 1] = lua_tolstring(L, -1, &len);
        if (memchr(argv[i - 1], '\0', len))
            return bad_argument(err, i, "holds a NUL byte"), NULL;
        if (len >= ARG_MAX_BYTES)
            return bad_argument(err, i, "has 128 KiB or more"), NULL;
        lua_pop(L, 1);
    }
    argv[n] = NULL;
    return argv;
}

static const char *const private_prefix = "ADTLUA_PARAM_"; /* parameters may be secrets and are not the child's */

/* Whether our own variable [entry] goes to the child: not when [idx] sets or removes it. */
static bool passes(lua_State *L, int idx, const char *entry)
{
    const char *eq = strchr(entry, '=');
    if (!eq || !strncmp(entry, private_prefix, strlen(private_prefix)))
        return false;
    if (!idx)
        return true;
    lua_pushlstring(L, entry, (size_t)(eq - entry));
    bool named = lua_rawget(L, idx) != LUA_TNIL;
    lua_pop(L, 1);
    return !named;
}

static const char *check_variable(lua_State *L, size_t *n)
{
    size_t len;
    if (lua_type(L, -2) != LUA_TSTRING || (lua_type(L, -1) != LUA_TSTRING && lua_toboolean(L, -1)))
        luaL_error(L, "option 'env' must map names to strings or false");
    const char *name = lua_tolstring(L, -2, &len);
    if (!len || memchr(name, '\0', len) || memchr(name, '=', len))
        luaL_error(L, "option 'env' has a bad name of a variable");
    const char *value = lua_tolstring(L, -1, n);
    if (value && memchr(value, '\0', *n))
        luaL_error(L, "option 'env': the value of %s holds a NUL byte", name);
    return value;
}

/* [idx]: the table of changes, or 0. Everything made here stays on the stack. */
static const char **read_env(lua_State *L, int idx, bool clear)
{
    size_t ours = 0, added = 0, bytes = 0, count = 0, n, len;
    while (!clear && environ && environ[ours])
        ours++;
    for (lua_pushnil(L); idx && lua_next(L, idx); lua_pop(L, 1))
        if (check_variable(L, &n)) {
            added++;
            bytes += lua_rawlen(L, -2) + n + 2;
        }
    if (!idx)
        lua_pop(L, 1);
    const char **env = adtL_scratch(L, (ours + added + 1) * sizeof *env);
    char *p = adtL_scratch(L, bytes);
    for (size_t i = 0; i < ours; i++)
        if (passes(L, idx, environ[i]))
            env[count++] = environ[i];
    lua_pushnil(L);
    for (; idx && lua_next(L, idx); lua_pop(L, 1)) {
        const char *value = lua_tolstring(L, -1, &n);
        if (!value)
            continue;
        const char *name = lua_tolstring(L, -2, &len);
        env[count++] = p;
        memcpy(p, name, len);
        p[len] = '=';
        memcpy(p + len + 1, value, n + 1);
        p += len + n + 2;
    }
    if (!idx)
        lua_pop(L, 1);
    env[count] = NULL;
    return env;
}

/* A file that spawn itself opens for a stream. */
struct redirect {
    const char *path;
    int flags;
};

static void read_stdio(lua_State *L, int idx, int i, struct adt_child_options *opt, struct redirect *r)
{
    static const char *const fields[] = {"stdin", "stdout", "stderr"};
    static const char *const words[] = {"null", "inherit", "pipe", NULL, "stdout"};
    const char *field = fields[i];
    int type = lua_getfield(L, idx, field);
    opt->stdio[i] = i == 0 ? ADT_STDIO_NULL : ADT_STDIO_INHERIT;
    if (type == LUA_TUSERDATA) {
        opt->stdio[i] = ADT_STDIO_FD;
        if ((opt->fd[i] = adtL_tofd(L, -1)) < 0)
            luaL_error(L, "option '%s' is not an open file", field);
    } else if (type == LUA_TTABLE) {
        static const char *const known[] = {"file", "append", NULL};
        int t = lua_gettop(L);
        adtL_checkfields(L, t, field, known);
        r->flags =
            i == 0 ? O_RDONLY : O_WRONLY | O_CREAT | (adtL_optboolean(L, t, "append", false) ? O_APPEND : O_TRUNC);
        if (!(r->path = adtL_optstring(L, t, "file", NULL)))
            luaL_error(L, "option '%s' needs a file", field);
        opt->stdio[i] = ADT_STDIO_FD;
        return;
    } else if (type != LUA_TNIL) {
        const char *word = type == LUA_TSTRING ? lua_tostring(L, -1) : "";
        int w = ADT_STDIO_STDOUT;
        while (w >= 0 && (!words[w] || strcmp(words[w], word) != 0))
            w--;
        if (w < 0 || (w == ADT_STDIO_STDOUT && i != 2))
            luaL_error(L, "option '%s' must be \"null\", \"inherit\", \"pipe\"%s, a file or { file = path }", field,
                       i == 2 ? ", \"stdout\"" : "");
        opt->stdio[i] = (enum adt_stdio)w;
    }
    /* What was on the stack stays referred to by the option table. */
    lua_pop(L, 1);
}

static const struct {
    const char *name;
    int resource;
} limit_names[] = {{"as", RLIMIT_AS},       {"core", RLIMIT_CORE},       {"cpu", RLIMIT_CPU},
                   {"fsize", RLIMIT_FSIZE}, {"memlock", RLIMIT_MEMLOCK}, {"nofile", RLIMIT_NOFILE},
                   {"nproc", RLIMIT_NPROC}, {"stack", RLIMIT_STACK}};
enum { LIMITS = sizeof limit_names / sizeof limit_names[0] };

static size_t read_limits(lua_State *L, int idx, struct adt_rlimit limits[static LIMITS])
{
    size_t n = 0;
    const char *known[LIMITS + 1] = {NULL};
    if (lua_getfield(L, idx, "limits") == LUA_TTABLE) {
        int t = lua_gettop(L);
        for (size_t i = 0; i < LIMITS; i++)
            known[i] = limit_names[i].name;
        adtL_checkfields(L, t, "limits", known);
        for (size_t i = 0; i < LIMITS; i++) {
            int type = lua_getfield(L, t, limit_names[i].name);
            bool endless = type == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "unlimited");
            lua_Integer value = endless ? 0 : lua_tointeger(L, -1);
            if (type != LUA_TNIL && !endless && (type != LUA_TNUMBER || value < 0))
                luaL_error(L, "limit '%s' must be a number or \"unlimited\"", limit_names[i].name);
            if (type != LUA_TNIL)
                limits[n++] = (struct adt_rlimit){limit_names[i].resource, endless ? RLIM_INFINITY : (rlim_t)value};
            lua_pop(L, 1);
        }
    } else if (!lua_isnil(L, -1)) {
        luaL_error(L, "option 'limits' must be a table");
    }
    lua_pop(L, 1);
    return n;
}

static int open_redirects(const struct redirect files[3], struct adt_child_options *opt, int fds[3],
                          struct adt_error *err)
{
    for (int i = 0; i < 3; i++) {
        if (!files[i].path)
            continue;
        fds[i] = opt->fd[i] = open(files[i].path, files[i].flags | O_CLOEXEC | O_NOCTTY, 0600);
        if (fds[i] < 0)
            return adt_error_errno(err, ADT_USAGE, errno, "opening '%s' for a program's %s", files[i].path,
                                   i ? "output" : "input");
    }
    return 0;
}

static int attach(struct lchild *c, struct adt_loop *loop, const struct adt_child_options *opt, struct adt_error *err)
{
    if (!(c->child = adt_child_spawn(loop, opt, err)))
        return -1;
    c->in = adt_child_stream(c->child, 0);
    for (int i = 0; i < 2; i++) {
        struct adt_stream *s = adt_child_stream(c->child, i + 1);
        if (s && !(c->out[i] = adt_reader_new(loop, s, ADT_BUF_LINE, err)))
            return -1;
    }
    return 0;
}

/* spawn(argv, options) -> handle */
static int child_spawn(lua_State *L)
{
    static const char *const known[] = {"env",    "clear_env",        "cwd",      "stdin",
                                        "stdout", "stderr",           "detached", "gated",
                                        "limits", "dies_with_parent", NULL};
    struct adt_rlimit limits[LIMITS];
    struct adt_child_options opt = {.limits = limits};
    struct redirect files[3] = {{NULL, 0}};
    struct adt_error err;
    int fds[3] = {-1, -1, -1};
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    luaL_checkstack(L, 20, "spawn");
    adtL_checkfields(L, 2, "spawn", known);
    opt.detached = adtL_optboolean(L, 2, "detached", false);
    opt.gated = adtL_optboolean(L, 2, "gated", false);
    opt.dies_with_parent = adtL_optboolean(L, 2, "dies_with_parent", false);
    opt.cwd = adtL_optstring(L, 2, "cwd", NULL);
    opt.limit_count = read_limits(L, 2, limits);
    for (int i = 0; i < 3; i++)
        read_stdio(L, 2, i, &opt, &files[i]);
    bool clear = adtL_optboolean(L, 2, "clear_env", false);
    int type = lua_getfield(L, 2, "env");
    if (type != LUA_TNIL && type != LUA_TTABLE)
        return luaL_error(L, "option 'env' must be a table");
    opt.env = read_env(L, type == LUA_TTABLE ? lua_gettop(L) : 0, clear);
    if (!(opt.argv = read_argv(L, 1, &err)))
        return adtL_fail(L, &err);
    struct adt_loop *loop = adtL_loop(L);
    struct lchild *c = adtL_newhandle(L, sizeof *c, CHILD, 0);
    int rc = open_redirects(files, &opt, fds, &err);
    if (rc == 0)
        rc = attach(c, loop, &opt, &err);
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return rc == 0 ? 1 : adtL_fail(L, &err);
}

/* --- the handle --------------------------------------------------------------------------------------------------- */

static struct lchild *check_child(lua_State *L)
{
    struct lchild *c = luaL_checkudata(L, 1, CHILD);
    luaL_argcheck(L, c->child, 1, "the process handle is closed");
    return c;
}

/* c:pid() -> pid, ticks */
static int child_pid(lua_State *L)
{
    struct lchild *c = check_child(L);
    lua_pushinteger(L, adt_child_pid(c->child));
    lua_pushinteger(L, (lua_Integer)adt_child_start_time(c->child));
    return 2;
}

/* c:go() -> true */
static int child_go(lua_State *L)
{
    struct adt_error err;
    if (adt_child_go(check_child(L)->child, &err) < 0)
        return adtL_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

static int push_end(lua_State *L, const struct lchild *c)
{
    int code, signum;
    char name[16];
    if (!adt_child_ended(c->child, &code, &signum))
        return 0;
    lua_pushboolean(L, 1);
    if (signum) {
        lua_pushnil(L);
        lua_pushstring(L, adt_signal_name(signum, name));
        return 3;
    }
    lua_pushinteger(L, code);
    return 2;
}

static int finish_wait(lua_State *L, struct lop *o)
{
    struct lchild *c = luaL_checkudata(L, 1, CHILD);
    if (o->op->err.cause)
        return adtL_fail(L, &o->op->err);
    if (!c->child)
        return luaL_error(L, "the process handle was closed while it was waited for");
    return push_end(L, c);
}

/* c:wait() -> true, code | nil, signal */
static int child_wait(lua_State *L)
{
    struct lchild *c = check_child(L);
    struct adt_error err;
    lua_settop(L, 1);
    if (adt_child_ended(c->child, NULL, NULL))
        return push_end(L, c);
    adtL_checkwait(L, "process:wait");
    struct lop *o = adtL_newop(L, 1);
    if (!(o->op = adt_child_wait(c->child, &err)))
        return adtL_fail(L, &err);
    return adtL_park(L, o, finish_wait);
}

/* c:ended() -> false | true, code | nil, signal: without waiting */
static int child_ended(lua_State *L)
{
    int n = push_end(L, check_child(L));
    if (n)
        return n;
    lua_pushboolean(L, 0);
    return 1;
}

/* c:kill(signal): to the group */
static int child_kill(lua_State *L)
{
    struct lchild *c = check_child(L);
    struct adt_error err;
    int signum = adtL_checksignal(L, 2);
    if (adt_child_kill(c->child, signum, &err) < 0)
        return adtL_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* Which of stdout (1), stderr (2), both (3) an argument means; all of them must be pipes. */
static int check_out(lua_State *L, const struct lchild *c, int arg)
{
    static const char *const names[] = {"stdout", "stderr", "both", NULL};
    int which = luaL_checkoption(L, arg, "stdout", names) + 1;
    for (int i = 0; i < 2; i++)
        if ((which & (i + 1)) && !c->out[i])
            luaL_argerror(L, arg, i ? "stderr is not a pipe" : "stdout is not a pipe");
    return which;
}

static void push_line(lua_State *L, const struct adt_text *line)
{
    lua_pushlstring(L, line->p, line->n);
    if (line->cut) {
        lua_pushliteral(L, " [... cut]");
        lua_concat(L, 2);
    }
}

/* The next line, or chunk, of the readers that [which] names; 0 when there is none yet. */
static int take(lua_State *L, const struct lchild *c, int which, bool lines, enum adt_cr cr)
{
    static const char *const names[] = {"stdout", "stderr"};
    const struct adt_error *failed = NULL;
    struct adt_text text;
    bool more = false;
    for (int i = 0; i < 2; i++) {
        if (!(which & (i + 1)) || !c->out[i])
            continue;
        enum adt_taken t = lines ? adt_reader_line(c->out[i], cr, &text) : adt_reader_chunk(c->out[i], &text);
        if (t == ADT_TAKEN_TEXT) {
            push_line(L, &text);
            lua_pushstring(L, names[i]);
            return 2;
        }
        more |= t == ADT_TAKEN_NONE;
        if (t == ADT_TAKEN_END && adt_reader_error(c->out[i])->cause)
            failed = adt_reader_error(c->out[i]);
    }
    if (more)
        return 0;
    if (failed)
        return adtL_fail(L, failed);
    lua_pushnil(L);
    return 1;
}

/* The stack of read and line: handle, "stdout"|"stderr"|"both", CR mode or nothing for chunks. */
static int finish_take(lua_State *L, struct lop *o)
{
    struct lchild *c = luaL_checkudata(L, 1, CHILD);
    bool lines = lua_isinteger(L, 3);
    if (o->op->err.cause)
        return adtL_fail(L, &o->op->err);
    if (!c->child)
        return luaL_error(L, "the process handle was closed while it was read");
    return take(L, c, check_out(L, c, 2), lines, (enum adt_cr)lua_tointeger(L, 3));
}

static int take_or_wait(lua_State *L, const char *what, bool lines, enum adt_cr cr)
{
    struct lchild *c = check_child(L);
    int which = check_out(L, c, 2);
    struct adt_error err;
    int n = take(L, c, which, lines, cr);
    if (n)
        return n;
    adtL_checkwait(L, what);
    struct adt_reader *readers[2];
    size_t count = 0;
    for (int i = 0; i < 2; i++)
        if (which & (i + 1))
            readers[count++] = c->out[i];
    struct lop *o = adtL_newop(L, 1);
    if (!(o->op = adt_reader_wait(readers, count, lines, cr, &err)))
        return adtL_fail(L, &err);
    return adtL_park(L, o, finish_take);
}

/* c:read("stdout"|"stderr"|"both") -> bytes, stream | nil at the end */
static int child_read(lua_State *L)
{
    lua_settop(L, 2);
    return take_or_wait(L, "process:read", false, ADT_CR_KEEP);
}

/* c:line("stdout"|"stderr"|"both", "strip"|"split"|"keep") -> line, stream | nil at the end */
static int child_line(lua_State *L)
{
    static const char *const modes[] = {"strip", "split", "keep", NULL};
    int cr = luaL_checkoption(L, 3, "strip", modes);
    lua_settop(L, 2);
    lua_pushinteger(L, cr);
    return take_or_wait(L, "process:lines", true, (enum adt_cr)cr);
}

/* c:write(text) -> true */
static int child_write(lua_State *L)
{
    struct lchild *c = check_child(L);
    struct adt_error err;
    size_t n;
    const char *text = luaL_checklstring(L, 2, &n);
    luaL_argcheck(L, n <= 1 << 30, 2, "at most 1 GiB at once");
    luaL_argcheck(L, c->in, 1, "standard input is not a pipe, or is closed");
    lua_settop(L, 2);
    adtL_checkwait(L, "process:write");
    struct lop *o = adtL_newop(L, 1);
    if (!(o->op = adt_stream_write(c->in, text, n, &err)))
        return adtL_fail(L, &err);
    return adtL_park(L, o, adtL_finish_none);
}

static int child_close_stdin(lua_State *L)
{
    struct lchild *c = check_child(L);
    adt_stream_close(c->in);
    c->in = NULL;
    return 0;
}

static int child_close(lua_State *L)
{
    struct lchild *c = luaL_checkudata(L, 1, CHILD);
    adt_stream_close(c->in);
    c->in = NULL;
    for (int i = 0; i < 2; i++) {
        adt_reader_free(c->out[i]);
        c->out[i] = NULL;
    }
    adt_child_free(c->child);
    c->child = NULL;
    return 0;
}

static int child_tostring(lua_State *L)
{
    struct lchild *c = luaL_checkudata(L, 1, CHILD);
    if (c->child)
        lua_pushfstring(L, "process: %d", (int)adt_child_pid(c->child));
    else
        lua_pushliteral(L, "process: closed");
    return 1;
}

int luaopen_adt_c_child(lua_State *L)
{
    static const luaL_Reg meta[] = {
        {"__gc", child_close}, {"__close", child_close}, {"__tostring", child_tostring}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"pid", child_pid},
                                       {"go", child_go},
                                       {"wait", child_wait},
                                       {"ended", child_ended},
                                       {"kill", child_kill},
                                       {"read", child_read},
                                       {"line", child_line},
                                       {"write", child_write},
                                       {"close", child_close},
                                       {"close_stdin", child_close_stdin},
                                       {NULL, NULL}};
    static const luaL_Reg functions[] = {{"spawn", child_spawn}, {NULL, NULL}};
    adtL_newclass(L, CHILD, meta, methods);
    luaL_newlib(L, functions);
    return 1;
}
