/* coroutine.c - coroutine.* as Lua has it, but a wait inside a task passes through the author's coroutines
 *
 * A wait in a coroutine of the author's yields the private value; the replaced resume and wrap recognise it and yield
 * it on, up to the task. Everything else behaves to the letter as the manual says. */
#include "engine.h"

/* registry: coroutine that a wait has passed through -> the one that resumed it; weak keys. To everybody but the engine
 * such a coroutine is "normal": its wait goes on, and nobody may resume or close it meanwhile. */
static char waiting_key;

static void set_waiting(lua_State *L, lua_State *co, bool waits)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &waiting_key);
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    if (waits)
        lua_pushthread(L);
    else
        lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    adtL_engine(L)->waiting += waits ? 1 : -1;
}

static bool is_waiting(lua_State *L, lua_State *co)
{
    if (adtL_engine(L)->waiting <= 0 || lua_status(co) != LUA_YIELD || !lua_checkstack(co, 1))
        return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &waiting_key);
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    bool waits = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return waits;
}

static lua_State *check_co(lua_State *L, int arg)
{
    lua_State *co = lua_tothread(L, arg);
    luaL_argexpected(L, co, arg, "thread");
    return co;
}

/* Resumes [co] with [nargs] values from the top of [L]. Returns the number of values that it left on L, RESUME_FAILED
 * with the message there, or RESUME_WAITS when the engine's own yield came up. */
enum { RESUME_FAILED = -1, RESUME_WAITS = -2 };

static int resume(lua_State *L, lua_State *co, int nargs)
{
    struct adt_engine *e = adtL_engine(L);
    int nres = 0;
    if (!lua_checkstack(co, nargs)) {
        lua_pushliteral(L, "too many arguments to resume");
        return RESUME_FAILED;
    }
    lua_xmove(L, co, nargs);
    bool blocks = e->current && !lua_isyieldable(L);
    lua_State *outer = e->running;
    e->unyieldable += blocks;
    e->running = co;
    int status = lua_resume(co, L, nargs, &nres);
    e->running = outer;
    e->unyieldable -= blocks;
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return RESUME_FAILED;
    }
    if (status == LUA_YIELD && nres == 1 && lua_touserdata(co, -1) == &adt_private_yield) {
        lua_pop(co, 1);
        return RESUME_WAITS;
    }
    if (!lua_checkstack(L, nres + 1)) {
        lua_pop(co, nres);
        lua_pushliteral(L, "too many results to resume");
        return RESUME_FAILED;
    }
    lua_xmove(co, L, nres);
    return nres;
}

static int pass_up(lua_State *L, lua_State *co, lua_KFunction again)
{
    luaL_checkstack(L, 4, NULL);
    set_waiting(L, co, true);
    lua_pushlightuserdata(L, &adt_private_yield);
    return lua_yieldk(L, 1, (lua_KContext)co, again);
}

static int resume_again(lua_State *L, int status, lua_KContext ctx);

static int resume_results(lua_State *L, lua_State *co, int n)
{
    if (n == RESUME_WAITS)
        return pass_up(L, co, resume_again);
    lua_pushboolean(L, n >= 0);
    n = n >= 0 ? n : 1;
    lua_insert(L, -(n + 1));
    return n + 1;
}

static int resume_again(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    set_waiting(L, (lua_State *)ctx, false);
    return resume_results(L, (lua_State *)ctx, resume(L, (lua_State *)ctx, 0));
}

static int first_resume(lua_State *L, lua_State *co, int nargs)
{
    if (is_waiting(L, co)) {
        lua_pushliteral(L, "cannot resume non-suspended coroutine");
        return RESUME_FAILED;
    }
    return resume(L, co, nargs);
}

static int co_resume(lua_State *L)
{
    lua_State *co = check_co(L, 1);
    return resume_results(L, co, first_resume(L, co, lua_gettop(L) - 1));
}

static int wrap_again(lua_State *L, int status, lua_KContext ctx);

static int wrap_results(lua_State *L, lua_State *co, int n)
{
    if (n == RESUME_WAITS)
        return pass_up(L, co, wrap_again);
    if (n >= 0)
        return n;
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) {
        /* It died of an error: its <close> variables run now and may put another error in its place. */
        status = lua_resetthread(co);
        lua_xmove(co, L, 1);
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_again(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    set_waiting(L, (lua_State *)ctx, false);
    return wrap_results(L, (lua_State *)ctx, resume(L, (lua_State *)ctx, 0));
}

static int wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    return wrap_results(L, co, first_resume(L, co, lua_gettop(L)));
}

static int co_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

/* A task is no coroutine of the author's: its own body cannot yield to anybody. */
static bool is_task_body(lua_State *L)
{
    const struct task *t = adtL_engine(L)->current;
    return t && t->co == L;
}

static int co_yield (lua_State *L)
{
    if (is_task_body(L))
        return luaL_error(L, "attempt to yield from outside a coroutine");
    return lua_yield(L, lua_gettop(L));
}

static int co_isyieldable(lua_State *L)
{
    lua_State *co = lua_isnone(L, 1) ? L : check_co(L, 1);
    lua_pushboolean(L, lua_isyieldable(co) && !is_task_body(co));
    return 1;
}

static const char *status_of(lua_State *L, lua_State *co)
{
    if (co == L)
        return "running";
    lua_Debug ar;
    switch (lua_status(co)) {
    case LUA_YIELD:
        return is_waiting(L, co) ? "normal" : "suspended";
    case LUA_OK:
        if (lua_getstack(co, 0, &ar))
            return "normal";
        return lua_gettop(co) == 0 ? "dead" : "suspended";
    default:
        return "dead";
    }
}

static int co_status(lua_State *L)
{
    lua_pushstring(L, status_of(L, check_co(L, 1)));
    return 1;
}

static int co_close(lua_State *L)
{
    lua_State *co = check_co(L, 1);
    const char *status = status_of(L, co);
    if (*status != 's' && *status != 'd')
        return luaL_error(L, "cannot close a %s coroutine", status);
    if (lua_resetthread(co) == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
}

/* Pushes the coroutine that waits inside of [outer]; false when there is none. */
static bool push_inner(lua_State *L, lua_State *outer)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &waiting_key);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        if (lua_tothread(L, -1) == outer) {
            lua_pop(L, 1);
            lua_remove(L, -2);
            return true;
        }
    lua_pop(L, 1);
    return false;
}

void adt_coroutine_close(lua_State *L, lua_State *co)
{
    luaL_checkstack(L, 8, "closing coroutines");
    if (push_inner(L, co)) {
        lua_State *inner = lua_tothread(L, -1);
        adt_coroutine_close(L, inner);
        set_waiting(L, inner, false);
        lua_pop(L, 1);
    }
    lua_resetthread(co);
}

void adt_coroutine_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"resume", co_resume}, {"wrap", co_wrap},   {"yield", co_yield }, {"isyieldable", co_isyieldable},
        {"status", co_status}, {"close", co_close}, {NULL, NULL}};
    lua_getglobal(L, "coroutine");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &waiting_key);
}
