/* child_options.c - what a program is started with, read from Lua tables */
#include "child_options.h"

#include "adtL.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum { ARG_MAX_BYTES = 128 * 1024 /* what Linux takes for one argument, its NUL included */ };

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

static void read_stdio(lua_State *L, int idx, int i, struct adt_child_options *opt, struct adt_redirect *r)
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
enum { LIMITS = ADT_SPAWN_LIMITS };
_Static_assert(sizeof limit_names / sizeof limit_names[0] == LIMITS, "one place for each limit");

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

int adtL_read_spawn(lua_State *L, struct adt_spawn *s, struct adt_error *err)
{
    static const char *const known[] = {"env",    "clear_env",        "cwd",      "stdin",
                                        "stdout", "stderr",           "detached", "gated",
                                        "limits", "dies_with_parent", NULL};
    memset(s, 0, sizeof *s);
    s->opt.limits = s->limits;
    s->opened[0] = s->opened[1] = s->opened[2] = -1;
    luaL_checkstack(L, 20, "spawn");
    adtL_checkfields(L, 2, "spawn", known);
    s->opt.detached = adtL_optboolean(L, 2, "detached", false);
    s->opt.gated = adtL_optboolean(L, 2, "gated", false);
    s->opt.dies_with_parent = adtL_optboolean(L, 2, "dies_with_parent", false);
    s->opt.cwd = adtL_optstring(L, 2, "cwd", NULL);
    s->opt.limit_count = read_limits(L, 2, s->limits);
    for (int i = 0; i < 3; i++)
        read_stdio(L, 2, i, &s->opt, &s->files[i]);
    bool clear = adtL_optboolean(L, 2, "clear_env", false);
    int type = lua_getfield(L, 2, "env");
    if (type != LUA_TNIL && type != LUA_TTABLE)
        luaL_error(L, "option 'env' must be a table");
    s->opt.env = read_env(L, type == LUA_TTABLE ? lua_gettop(L) : 0, clear);
    s->opt.argv = read_argv(L, 1, err);
    return s->opt.argv ? 0 : -1;
}

int adt_spawn_open(struct adt_spawn *s, struct adt_error *err)
{
    for (int i = 0; i < 3; i++) {
        const struct adt_redirect *f = &s->files[i];
        if (!f->path)
            continue;
        s->opened[i] = s->opt.fd[i] = open(f->path, f->flags | O_CLOEXEC | O_NOCTTY, 0600);
        if (s->opened[i] < 0)
            return adt_error_errno(err, ADT_USAGE, errno, "opening '%s' for a program's %s", f->path,
                                   i ? "output" : "input");
    }
    return 0;
}

void adt_spawn_close(struct adt_spawn *s)
{
    for (int i = 0; i < 3; i++)
        if (s->opened[i] >= 0)
            close(s->opened[i]);
}
