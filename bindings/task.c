/* task.c - tasks: coroutines that wait on the loop, resumed from one place */
#include "base/mem.h"
#include "engine.h"
#include "modules.h"

#include <string.h>

char adt_private_yield;
static char tasks_key;  /* registry: task pointer -> task userdata, while it has not ended */
static char locals_key; /* registry: the locals of the main thread */

enum { UV_COROUTINE = 1, UV_LOCALS, UV_RESULTS };
enum { RESUMES_PER_TURN = 64 };

struct join_op {
    struct adt_op op;
    struct adt_list link; /* in task->joins */
};

static void join_cancel(struct adt_op *op)
{
    adt_list_remove(&adt_container(op, struct join_op, op)->link);
}

static void join_destroy(struct adt_op *op)
{
    adt_free(adt_container(op, struct join_op, op));
}

static const struct adt_op_class join_class = {"join", join_cancel, join_destroy};

void adt_task_ready(struct task *t)
{
    if (t->state != TASK_PARKED)
        return;
    t->state = TASK_READY;
    adt_list_push(&t->engine->ready, &t->link);
}

static void push_task(lua_State *L, struct task *t)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
    lua_rawgetp(L, -1, t);
    lua_remove(L, -2);
}

static void push_cancelled(lua_State *L)
{
    struct adt_error err;
    adt_error_set(&err, ADT_CANCELLED, "Cancelled", "the task was cancelled");
    adtL_pusherror(L, &err);
}

/* What a task leaves is kept with it until nobody refers to it: { n = count, values... }, or the error alone. */
static void store_results(lua_State *L, struct task *t, int count)
{
    push_task(L, t);
    lua_createtable(L, count, 1);
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(t->co, -(count - i + 1));
        lua_xmove(t->co, L, 1);
        lua_rawseti(L, -2, i);
    }
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "n");
    lua_setiuservalue(L, -2, UV_RESULTS);
    lua_pop(L, 1);
}

static void task_ended(lua_State *L, struct task *t)
{
    t->state = TASK_ENDED;
    adt_list_remove(&t->link);
    struct adt_list *l;
    while ((l = adt_list_pop(&t->joins)))
        adt_op_finish(&adt_container(l, struct join_op, link)->op);
    t->engine->tasks--;
    push_task(L, t);
    lua_pushnil(L);
    lua_setiuservalue(L, -2, UV_COROUTINE);
    t->co = NULL;
    lua_pop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
    lua_pushnil(L);
    lua_rawsetp(L, -2, t);
    lua_pop(L, 1);
}

/* Every resume of a task is this one; each way it can come back is a case. */
static void task_resume(lua_State *L, struct task *t)
{
    struct adt_engine *e = t->engine;
    struct task *outer = e->current;
    lua_State *outer_running = e->running;
    int outer_unyieldable = e->unyieldable;
    int nargs = t->nargs, nres = 0;
    t->nargs = 0;
    t->state = TASK_RUNNING;
    e->current = t;
    e->running = t->co;
    e->unyieldable = 0;
    luaL_checkstack(L, 8, "resuming a task");
    int status = lua_resume(t->co, L, nargs, &nres);
    e->current = outer;
    e->running = outer_running;
    e->unyieldable = outer_unyieldable;
    switch (status) {
    case LUA_YIELD:
        lua_pop(t->co, nres);
        if (t->state == TASK_RUNNING)
            t->state = TASK_PARKED;
        return;
    case LUA_OK:
        store_results(L, t, nres);
        break;
    default: /* out of memory before the body's protected call, or in it */
        t->failed = true;
        lua_resetthread(t->co);
        store_results(L, t, 1);
        break;
    }
    task_ended(L, t);
}

int adt_tasks_run(lua_State *L)
{
    struct adt_engine *e = adtL_engine(L);
    struct adt_list *l;
    size_t due = 0;
    int n = 0;
    /* Those made ready meanwhile have their turn after the loop's. */
    for (l = e->ready.next; l != &e->ready; l = l->next)
        due++;
    while (due-- > 0 && (l = adt_list_pop(&e->ready))) {
        task_resume(L, adt_container(l, struct task, link));
        n++;
    }
    return n;
}

void adt_engine_turn(lua_State *L, double wait)
{
    struct adt_engine *e = adtL_engine(L);
    struct adt_error err;
    if (!adt_list_empty(&e->ready))
        wait = 0;
    if (adt_loop_step(adtL_loop(L), wait, &err) < 0)
        adtL_raise(L, &err);
    /* Tasks that only pass the turn among each other are not worth a poll of the kernel every time. */
    int resumed = adt_tasks_run(L);
    while (resumed < RESUMES_PER_TURN && !adt_list_empty(&e->ready))
        resumed += adt_tasks_run(L);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static int lop_close(lua_State *L)
{
    struct lop *o = lua_touserdata(L, 1);
    adt_op_free(o->op);
    o->op = NULL;
    o->task = NULL;
    return 0;
}

static const luaL_Reg lop_meta[] = {{"__gc", lop_close}, {"__close", lop_close}, {NULL, NULL}};

struct lop *adtL_newop(lua_State *L, int anchor)
{
    if (anchor)
        anchor = lua_absindex(L, anchor);
    struct lop *o = adtL_newhandle(L, sizeof *o, "adt.op", 1);
    if (anchor) {
        lua_pushvalue(L, anchor);
        lua_setiuservalue(L, -2, 1);
    }
    lua_toclose(L, -1);
    return o;
}

static void wake_task(struct adt_op *op)
{
    struct lop *o = op->user;
    adt_task_ready(o->task);
}

static void raise_if_cancelled(lua_State *L, const struct task *t)
{
    if (!t->cancelled || t->shield > 0)
        return;
    push_cancelled(L);
    lua_error(L);
}

static int parked(lua_State *L, int status, lua_KContext ctx)
{
    struct lop *o = (struct lop *)ctx;
    (void)status;
    raise_if_cancelled(L, o->task);
    /* Somebody woke the task for another reason (a cancel during a shield): wait on. */
    if (o->op->state != ADT_OP_DONE) {
        lua_pushlightuserdata(L, &adt_private_yield);
        return lua_yieldk(L, 1, ctx, parked);
    }
    return o->finish(L, o);
}

void adtL_checkwait(lua_State *L, const char *what)
{
    struct adt_engine *e = adtL_engine(L);
    if (!e->current)
        return;
    if (!lua_isyieldable(L) || e->unyieldable)
        luaL_error(L, "%s waits: not in a callback of sort or gsub, in a finaliser, nor while a module loads", what);
    raise_if_cancelled(L, e->current);
}

int adtL_park(lua_State *L, struct lop *o, int (*finish)(lua_State *L, struct lop *o))
{
    struct adt_engine *e = adtL_engine(L);
    o->finish = finish;
    if (!e->current) {
        while (o->op->state != ADT_OP_DONE) {
            if (e->interrupted && e->on_interrupt)
                e->on_interrupt(L);
            adt_engine_turn(L, -1);
        }
        return finish(L, o);
    }
    adtL_checkwait(L, o->op->cls->name);
    o->task = e->current;
    o->op->user = o;
    o->op->done = wake_task;
    lua_pushlightuserdata(L, &adt_private_yield);
    return lua_yieldk(L, 1, (lua_KContext)o, parked);
}

int adtL_finish_none(lua_State *L, struct lop *o)
{
    if (o->op->err.cause)
        return adtL_fail(L, &o->op->err);
    lua_pushboolean(L, 1);
    return 1;
}

/* --- adt.c.task --------------------------------------------------------------------------------------------------- */

static int body_ended(lua_State *L, int status, lua_KContext ctx)
{
    ((struct task *)ctx)->failed = status != LUA_OK && status != LUA_YIELD;
    return lua_gettop(L);
}

/* The first function of a task. It calls the author's in protected mode, so that <close> variables run inside of the
 * task also after an error, and may wait. */
static int task_body(lua_State *L)
{
    struct task *t = adtL_engine(L)->current;
    if (t->cancelled && t->shield == 0) {
        push_cancelled(L);
        t->failed = true;
        return 1;
    }
    int status = lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, (lua_KContext)t, body_ended);
    return body_ended(L, status, (lua_KContext)t);
}

static void push_locals(lua_State *L, struct task *t)
{
    if (t) {
        push_task(L, t);
        lua_getiuservalue(L, -1, UV_LOCALS);
        lua_remove(L, -2);
    } else {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &locals_key);
    }
}

/* spawn(f, ...) -> task */
static int task_spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct adt_engine *e = adtL_engine(L);
    int nargs = lua_gettop(L) - 1;
    struct task *t = adtL_newhandle(L, sizeof *t, "adt.task", 3);
    t->engine = e;
    t->state = TASK_ENDED;
    adt_list_init(&t->link);
    adt_list_init(&t->joins);
    lua_State *co = lua_newthread(L);
    lua_setiuservalue(L, -2, UV_COROUTINE);
    lua_createtable(L, 0, 4);
    push_locals(L, e->current);
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -5);
    }
    lua_pop(L, 1);
    lua_setiuservalue(L, -2, UV_LOCALS);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, t);
    lua_pop(L, 1);
    lua_insert(L, 1);
    if (!lua_checkstack(co, nargs + 2))
        return luaL_error(L, "too many arguments to a task");
    lua_pushcfunction(co, task_body);
    lua_xmove(L, co, nargs + 1);
    t->co = co;
    t->nargs = nargs + 1;
    t->state = TASK_PARKED;
    e->tasks++;
    adt_task_ready(t);
    return 1;
}

static struct task *check_task(lua_State *L, int arg)
{
    return luaL_checkudata(L, arg, "adt.task");
}

static int push_outcome(lua_State *L, int arg)
{
    struct task *t = check_task(L, arg);
    lua_pushboolean(L, !t->failed);
    int table = lua_gettop(L) + 1;
    lua_getiuservalue(L, arg, UV_RESULTS);
    lua_getfield(L, table, "n");
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, n, "a task's results");
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return n + 1;
}

static int finish_join(lua_State *L, struct lop *o)
{
    (void)o;
    return push_outcome(L, 1);
}

/* task:join() -> true, results... | false, error */
static int task_join(lua_State *L)
{
    struct task *t = check_task(L, 1);
    lua_settop(L, 1);
    if (t->state == TASK_ENDED)
        return push_outcome(L, 1);
    if (t == adtL_engine(L)->current)
        return luaL_error(L, "a task cannot join itself");
    adtL_checkwait(L, "join");
    struct lop *o = adtL_newop(L, 1);
    struct join_op *j = adt_zalloc(sizeof *j);
    if (!j)
        return luaL_error(L, "out of memory");
    adt_list_init(&j->link);
    adt_op_init(&j->op, adtL_loop(L), &join_class);
    adt_list_push(&t->joins, &j->link);
    o->op = &j->op;
    return adtL_park(L, o, finish_join);
}

/* task:cancel(): its waits raise from now on; a task that has not started ends without running */
static int task_cancel(lua_State *L)
{
    struct task *t = check_task(L, 1);
    if (t->state == TASK_ENDED || t->cancelled)
        return 0;
    t->cancelled = true;
    if (t->shield == 0)
        adt_task_ready(t);
    return 0;
}

static int task_state_of(lua_State *L)
{
    static const char *const names[] = {"ready", "running", "waiting", "ended"};
    struct task *t = check_task(L, 1);
    lua_pushstring(L, names[t->state]);
    lua_pushboolean(L, t->cancelled);
    return 2;
}

static int task_current(lua_State *L)
{
    struct task *t = adtL_engine(L)->current;
    if (!t)
        return 0;
    push_task(L, t);
    return 1;
}

/* shield(by): counts up or down what keeps the running task's waits going although it was cancelled */
static int task_shield(lua_State *L)
{
    struct task *t = adtL_engine(L)->current;
    int by = (int)luaL_checkinteger(L, 1);
    if (t)
        t->shield += by;
    return 0;
}

static int task_locals(lua_State *L)
{
    push_locals(L, adtL_engine(L)->current);
    return 1;
}

static int yielded(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    raise_if_cancelled(L, (struct task *)ctx);
    return 0;
}

/* yield(): lets the other ready tasks run */
static int task_yield(lua_State *L)
{
    struct task *t = adtL_engine(L)->current;
    if (!t) {
        adt_engine_turn(L, 0);
        return 0;
    }
    adtL_checkwait(L, "yield");
    t->state = TASK_PARKED;
    adt_task_ready(t);
    lua_pushlightuserdata(L, &adt_private_yield);
    return lua_yieldk(L, 1, (lua_KContext)t, yielded);
}

/* sleep(seconds) */
static int task_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0, 1, "seconds must not be negative");
    adtL_checkwait(L, "sleep");
    struct adt_error err;
    struct lop *o = adtL_newop(L, 0);
    if (!(o->op = adt_timer_start(adtL_loop(L), seconds, &err)))
        return adtL_raise(L, &err);
    return adtL_park(L, o, adtL_finish_none);
}

/* signal(number): waits until the process receives it */
static int task_signal(lua_State *L)
{
    int signum = (int)luaL_checkinteger(L, 1);
    adtL_checkwait(L, "signal");
    struct adt_error err;
    struct lop *o = adtL_newop(L, 0);
    if (!(o->op = adt_signal_start(adtL_loop(L), signum, &err)))
        return adtL_raise(L, &err);
    return adtL_park(L, o, adtL_finish_none);
}

/* live(): what the engine has under way, for tests: { op =, child =, stream =, task = } */
static int task_live(lua_State *L)
{
    struct adt_engine *e = adtL_engine(L);
    static const char *const names[] = {"op", "child", "stream"};
    lua_createtable(L, 0, 4);
    for (int i = 0; i < ADT_LIVE_KINDS; i++) {
        lua_pushinteger(L, e->loop ? adt_loop_live(e->loop, (enum adt_live)i) : 0);
        lua_setfield(L, -2, names[i]);
    }
    lua_pushinteger(L, e->tasks);
    lua_setfield(L, -2, "task");
    return 1;
}

static int task_tostring(lua_State *L)
{
    lua_pushfstring(L, "task: %p", lua_touserdata(L, 1));
    return 1;
}

void adt_tasks_open(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__tostring", task_tostring}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"join", task_join}, {"cancel", task_cancel}, {"state", task_state_of}, {NULL, NULL}};
    adtL_newclass(L, "adt.op", lop_meta, NULL);
    adtL_newclass(L, "adt.task", meta, methods);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &tasks_key);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &locals_key);
}

void adt_tasks_close(lua_State *L)
{
    struct adt_engine *e = adtL_engine(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
    /* Closing one task may end others or start new ones: look afresh each time. */
    for (;;) {
        lua_pushnil(L);
        if (!lua_next(L, -2))
            break;
        struct task *t = lua_touserdata(L, -1);
        t->cancelled = true;
        adt_coroutine_close(L, t->co);
        lua_settop(t->co, 0);
        t->failed = true;
        push_cancelled(t->co);
        store_results(L, t, 1);
        task_ended(L, t);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    e->current = NULL;
}

int luaopen_adt_c_task(lua_State *L)
{
    static const luaL_Reg functions[] = {{"spawn", task_spawn},   {"current", task_current}, {"locals", task_locals},
                                         {"yield", task_yield},   {"sleep", task_sleep},     {"signal", task_signal},
                                         {"shield", task_shield}, {"live", task_live},       {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
