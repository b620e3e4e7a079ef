/* child.c - adt.c.child: a child process as a handle whose streams and end can be waited for */
#include "loop/child.h"

#include "adtL.h"
#include "base/buf.h"
#include "child_options.h"
#include "loop/reader.h"
#include "modules.h"
#include "signals.h"

struct lchild {
    struct adt_child *child; /* NULL: closed */
    struct adt_stream *in;
    struct adt_reader *out[2]; /* stdout, stderr */
};

#define CHILD "adt.child"

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
    struct adt_spawn spawn;
    struct adt_error err;
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    if (adtL_read_spawn(L, &spawn, &err) < 0)
        return adtL_fail(L, &err);
    struct adt_loop *loop = adtL_loop(L);
    struct lchild *c = adtL_newhandle(L, sizeof *c, CHILD, 0);
    int rc = adt_spawn_open(&spawn, &err);
    if (rc == 0)
        rc = attach(c, loop, &spawn.opt, &err);
    adt_spawn_close(&spawn);
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
