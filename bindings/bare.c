/* bare.c - adt.c.bare: reads a recipe's head in a state of its own, without io, os, processes or network
 *
 * list, --help and completion must not run what a stranger wrote. The bare state has the pure libraries, limits on
 * memory, instructions and time, and a require that knows the pure modules of ours alone; whatever else a recipe asks
 * for is an inert value that fails when it is called. The head comes back as plain data. */
#include "engine.h"
#include "modules.h"

#include <errno.h>
#include <lualib.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

enum { DEPTH = 16, HOOK_EVERY = 10000, MOST_TEXT = 1 << 20 };

static const char TOO_LONG[] = "the head takes too long; a head only describes, work belongs into a stage";

/* The state's memory is freed block by block, never by lua_close(): that would run the stranger's finalisers. */
struct block {
    struct block *prev, *next;
    max_align_t data[];
};

struct bare {
    lua_State *L;
    struct block *blocks;
    size_t used, most;
    long long instructions;
    volatile sig_atomic_t late;       /* the time is over */
    volatile sig_atomic_t allocating; /* no moment to be torn away at */
    sigjmp_buf away;
    pthread_t thread;
};

static void unlink_block(struct bare *b, struct block *m)
{
    if (m->prev)
        m->prev->next = m->next;
    else
        b->blocks = m->next;
    if (m->next)
        m->next->prev = m->prev;
}

static void link_block(struct bare *b, struct block *m)
{
    m->prev = NULL;
    m->next = b->blocks;
    if (m->next)
        m->next->prev = m;
    b->blocks = m;
}

static void *change_block(struct bare *b, void *p, size_t old, size_t n)
{
    struct block *m = p ? (struct block *)((char *)p - offsetof(struct block, data)) : NULL;
    if (n > old && b->used + (n - old) > b->most)
        return NULL;
    if (m)
        unlink_block(b, m);
    if (n == 0) {
        free(m);
        b->used -= old;
        return NULL;
    }
    struct block *q = realloc(m, sizeof *m + n);
    if (q || m)
        link_block(b, q ? q : m);
    if (!q)
        return NULL;
    b->used = b->used - old + n;
    return q->data;
}

static void *bare_memory(void *ud, void *p, size_t osize, size_t nsize)
{
    struct bare *b = ud;
    b->allocating = 1;
    void *q = change_block(b, p, p ? osize : 0, nsize);
    b->allocating = 0;
    return q;
}

static void free_blocks(struct bare *b)
{
    while (b->blocks) {
        struct block *m = b->blocks;
        b->blocks = m->next;
        free(m);
    }
    b->L = NULL;
}

/* --- limits ----------------------------------------------------------------------------------------------------------
 */

static struct bare *bare_of(lua_State *L)
{
    return *(struct bare **)lua_getextraspace(L);
}

/* Once it is over, every further instruction raises, so that a pcall in a loop ends as well. */
static void count_hook(lua_State *L, lua_Debug *ar)
{
    struct bare *b = bare_of(L);
    b->instructions -= HOOK_EVERY;
    if (b->instructions >= 0 && !b->late)
        return;
    b->late = 1;
    lua_sethook(L, count_hook, LUA_MASKCOUNT, 1);
    lua_getinfo(L, "Sl", ar);
    lua_pushfstring(L, "%s:%d: %s", ar->short_src, ar->currentline, TOO_LONG);
    lua_error(L);
}

static struct bare *volatile guarded;

/* First the hook is told; a C function that never comes back to Lua (a pattern, a repetition) is left for good at the
 * next tick. Its state is not used again, and nothing but memory belongs to it. */
static void on_tick(int signum)
{
    struct bare *b = guarded;
    if (!b)
        return;
    if (!pthread_equal(pthread_self(), b->thread)) {
        pthread_kill(b->thread, signum);
        return;
    }
    if (b->late && !b->allocating) {
        guarded = NULL;
        siglongjmp(b->away, 1);
    }
    b->late = 1;
}

struct guard {
    struct sigaction action;
    struct itimerval timer;
};

/* Counts the processor's time, so that a busy machine does not make a head late. */
static void guard_begin(struct guard *g, struct bare *b, double seconds)
{
    struct sigaction sa = {.sa_handler = on_tick};
    struct itimerval every = {.it_interval = {.tv_usec = 100000}};
    every.it_value.tv_sec = (time_t)seconds;
    every.it_value.tv_usec = (suseconds_t)((seconds - (double)every.it_value.tv_sec) * 1e6);
    guarded = b;
    sigemptyset(&sa.sa_mask);
    sigaction(SIGVTALRM, &sa, &g->action);
    setitimer(ITIMER_VIRTUAL, &every, &g->timer);
}

static void guard_end(const struct guard *g)
{
    guarded = NULL;
    setitimer(ITIMER_VIRTUAL, &g->timer, NULL);
    sigaction(SIGVTALRM, &g->action, NULL);
}

/* --- inert values: indexing gives another one, calling says what is wrong --------------------------------------------
 */

static int inert_call(lua_State *L)
{
    lua_getiuservalue(L, 1, 1);
    return luaL_error(L, "'%s' cannot be used while a recipe's head is read; move it into a stage",
                      lua_tostring(L, -1));
}

static void push_inert(lua_State *L, const char *name);

static int inert_index(lua_State *L)
{
    lua_getiuservalue(L, 1, 1);
    lua_pushliteral(L, ".");
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 3);
    push_inert(L, lua_tostring(L, -1));
    return 1;
}

static void push_inert(lua_State *L, const char *name)
{
    static const luaL_Reg meta[] = {
        {"__call", inert_call}, {"__index", inert_index}, {"__newindex", inert_call}, {NULL, NULL}};
    lua_newuserdatauv(L, 1, 1);
    lua_pushstring(L, name);
    lua_setiuservalue(L, -2, 1);
    if (luaL_newmetatable(L, "adt.inert"))
        luaL_setfuncs(L, meta, 0);
    lua_setmetatable(L, -2);
}

static bool is_pure(const char *name)
{
    static const char *const pure[] = {"adt",       "adt.error",    "adt.c.error", "adt.param", "adt.recipe",
                                       "adt.units", "adt.hostlist", "adt.secret",  NULL};
    for (const char *const *p = pure; *p; p++)
        if (!strcmp(*p, name))
            return true;
    return false;
}

static int bare_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, 2, name) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    const char *lua_dir = lua_tostring(L, lua_upvalueindex(1));
    if (!is_pure(name) || adt_modules_load(L, lua_dir, name) == 0) {
        push_inert(L, name);
    } else {
        lua_pushvalue(L, 1);
        lua_insert(L, -2);
        lua_call(L, 2, 1);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    return 1;
}

static int ignore(lua_State *L)
{
    (void)L;
    return 0;
}

static int open_bare(lua_State *L)
{
    const char *lua_dir = lua_touserdata(L, 1);
    static const luaL_Reg libs[] = {{LUA_GNAME, luaopen_base},
                                    {LUA_TABLIBNAME, luaopen_table},
                                    {LUA_STRLIBNAME, luaopen_string},
                                    {LUA_MATHLIBNAME, luaopen_math},
                                    {LUA_UTF8LIBNAME, luaopen_utf8},
                                    {LUA_COLIBNAME, luaopen_coroutine},
                                    {NULL, NULL}};
    for (const luaL_Reg *lib = libs; lib->name; lib++) {
        luaL_requiref(L, lib->name, lib->func, 1);
        lua_pop(L, 1);
    }
    static const char *const inert[] = {"io",       "os",   "debug",          "package", "dofile",
                                        "loadfile", "load", "collectgarbage", NULL};
    for (const char *const *name = inert; *name; name++) {
        push_inert(L, *name);
        lua_setglobal(L, *name);
    }
    lua_register(L, "print", ignore);
    lua_register(L, "warn", ignore);
    lua_pushstring(L, lua_dir);
    lua_pushcclosure(L, bare_require, 1);
    lua_setglobal(L, "require");
    adt_error_open(L);
    return 0;
}

/* In the bare state: runs the file, returns what recipe.describe() makes of its result; false for a plain script. */
static int run_head(lua_State *L)
{
    const char *path = lua_touserdata(L, 1);
    lua_settop(L, 0);
    if (luaL_loadfilex(L, path, "t") != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "adt.recipe");
    lua_call(L, 1, 1);
    lua_getfield(L, 2, "is");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (!lua_toboolean(L, -1))
        return 1;
    lua_getfield(L, 2, "describe");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* --- in the caller's state -------------------------------------------------------------------------------------------
 */

static int bare_close(lua_State *L)
{
    free_blocks(lua_touserdata(L, 1));
    return 0;
}

/* Copies the plain value at [idx] of [from] onto [to]; functions and deeper tables are left out. */
static void copy_value(lua_State *from, int idx, lua_State *to, int depth)
{
    size_t n;
    luaL_checkstack(to, 4, "a recipe's head");
    switch (lua_type(from, idx)) {
    case LUA_TBOOLEAN:
        lua_pushboolean(to, lua_toboolean(from, idx));
        return;
    case LUA_TNUMBER:
        if (lua_isinteger(from, idx))
            lua_pushinteger(to, lua_tointeger(from, idx));
        else
            lua_pushnumber(to, lua_tonumber(from, idx));
        return;
    case LUA_TSTRING: {
        const char *s = lua_tolstring(from, idx, &n);
        lua_pushlstring(to, s, n);
        return;
    }
    case LUA_TTABLE:
        break;
    default:
        lua_pushnil(to);
        return;
    }
    lua_newtable(to);
    if (depth >= DEPTH || !lua_checkstack(from, 4))
        return;
    idx = lua_absindex(from, idx);
    lua_pushnil(from);
    while (lua_next(from, idx)) {
        int kind = lua_type(from, -2);
        if (kind == LUA_TSTRING || kind == LUA_TNUMBER) {
            copy_value(from, -2, to, DEPTH);
            copy_value(from, -1, to, depth + 1);
            lua_rawset(to, -3);
        }
        lua_pop(from, 1);
    }
}

static int push_failure(lua_State *L, const char *path, const char *message, const char *where)
{
    lua_pushnil(L);
    lua_createtable(L, 0, 5);
    lua_pushliteral(L, "usage");
    lua_setfield(L, -2, "cause");
    lua_pushliteral(L, "BadRecipe");
    lua_setfield(L, -2, "code");
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    if (where) {
        lua_pushstring(L, where);
        lua_setfield(L, -2, "where");
    }
    lua_pushstring(L, path);
    lua_setfield(L, -2, "file");
    luaL_setmetatable(L, "adt.Error");
    return 2;
}

static int push_raised(lua_State *L, lua_State *from, const char *path)
{
    if (!lua_istable(from, -1)) {
        const char *message = lua_type(from, -1) == LUA_TSTRING ? lua_tostring(from, -1) : NULL;
        /* Lua's own messages begin with the place. */
        return push_failure(L, path, message ? message : "the head raises an error without a message",
                            message ? NULL : path);
    }
    lua_pushnil(L);
    copy_value(from, -1, L, 0);
    if (lua_getfield(L, -1, "where") == LUA_TNIL) {
        lua_pushstring(L, path);
        lua_setfield(L, -3, "where");
    }
    lua_pop(L, 1);
    lua_pushstring(L, path);
    lua_setfield(L, -2, "file");
    luaL_setmetatable(L, "adt.Error");
    return 2;
}

static int locate(lua_State *L)
{
    adt_error_locate(L, 1, lua_tostring(L, lua_upvalueindex(1)));
    return 1;
}

static int open_guarded(lua_State *L)
{
    lua_sethook(L, count_hook, LUA_MASKCOUNT, HOOK_EVERY);
    return run_head(L);
}

enum { HEAD_LEFT = -1 };

/* LUA_OK with the result on the bare stack, another status with the error there, or HEAD_LEFT. */
static int read_head(struct bare *b, const char *path, const char *lua_dir, double seconds)
{
    struct guard g;
    lua_pushcfunction(b->L, open_bare);
    lua_pushlightuserdata(b->L, (void *)lua_dir);
    int status = lua_pcall(b->L, 1, 0, 0);
    if (status != LUA_OK)
        return status;
    lua_pushstring(b->L, lua_dir);
    lua_pushcclosure(b->L, locate, 1);
    lua_pushcfunction(b->L, open_guarded);
    lua_pushlightuserdata(b->L, (void *)path);
    b->thread = pthread_self();
    /* The first tick only marks, so the place to jump to is set in time. */
    guard_begin(&g, b, seconds);
    if (sigsetjmp(b->away, 1) != 0) {
        guard_end(&g);
        return HEAD_LEFT;
    }
    status = lua_pcall(b->L, 1, 1, 1);
    guard_end(&g);
    lua_sethook(b->L, NULL, 0, 0);
    return status;
}

static const char *no_text(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "this is no file";
    return st.st_size > MOST_TEXT ? "a recipe has at most 1 MiB" : NULL;
}

/* read(path [, { memory = bytes, instructions = count, seconds = processor time }])
 *   -> head | false (a plain script) | nil, error */
static int bare_read(lua_State *L)
{
    static const char *const known[] = {"memory", "instructions", "seconds", NULL};
    const char *path = adtL_checktext(L, 1, NULL);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    adtL_checkfields(L, 2, "bare.read", known);
    lua_Integer memory = adtL_optinteger(L, 2, "memory", 32 << 20);
    lua_Integer instructions = adtL_optinteger(L, 2, "instructions", 20000000);
    double seconds = adtL_optnumber(L, 2, "seconds", 2);
    const char *reason = no_text(path);
    if (reason)
        return push_failure(L, path, reason, path);
    struct bare *b = adtL_newhandle(L, sizeof *b, "adt.bare", 0);
    lua_toclose(L, -1);
    b->most = (size_t)memory;
    b->instructions = instructions;
    if (!(b->L = lua_newstate(bare_memory, b)))
        return luaL_error(L, "out of memory");
    *(struct bare **)lua_getextraspace(b->L) = b;
    int status = read_head(b, path, adtL_engine(L)->lua_dir, seconds);
    if (status == HEAD_LEFT)
        return push_failure(L, path, TOO_LONG, path);
    if (status == LUA_ERRMEM)
        return push_failure(L, path, "the head needs too much memory; a head only describes, work belongs into a stage",
                            path);
    if (status != LUA_OK)
        return push_raised(L, b->L, path);
    copy_value(b->L, -1, L, 0);
    return 1;
}

int luaopen_adt_c_bare(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", bare_close}, {"__close", bare_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"read", bare_read}, {NULL, NULL}};
    adtL_newclass(L, "adt.bare", meta, NULL);
    luaL_newlib(L, functions);
    return 1;
}
