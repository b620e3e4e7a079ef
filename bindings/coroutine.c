/* coroutine.c - coroutine.* as Lua has it, but a wait inside a task passes through the author's coroutines
 *
 * A wait in a coroutine of the author's yields the private value; the replaced resume and wrap recognise it and yield
 * it on, up to the task. Everything else behaves to the letter as the manual says. */
#include "engine.h"

static lua_State *check_co(lua_State *L, int arg)
{
    lua_State *co = lua_tothread(L, arg);
    luaL_argexpected(L, co, arg, "coroutine");
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
    e->unyieldable += blocks;
    int status = lua_resume(co, L, nargs, &nres);
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
    return resume_results(L, (lua_State *)ctx, resume(L, (lua_State *)ctx, 0));
}

static int co_resume(lua_State *L)
{
    lua_State *co = check_co(L, 1);
    return resume_results(L, co, resume(L, co, lua_gettop(L) - 1));
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
    return wrap_results(L, (lua_State *)ctx, resume(L, (lua_State *)ctx, 0));
}

static int wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    return wrap_results(L, co, resume(L, co, lua_gettop(L)));
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

void adt_coroutine_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"resume", co_resume}, {"wrap", co_wrap}, {"yield", co_yield }, {"isyieldable", co_isyieldable}, {NULL, NULL}};
    lua_getglobal(L, "coroutine");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
