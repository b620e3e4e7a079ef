/* engine.h - one Lua state, one loop, its tasks: the inside of what adt.h offers */
#ifndef ADT_ENGINE_H
#define ADT_ENGINE_H

#include "adtL.h"
#include "base/list.h"

#include <stdbool.h>

enum task_state { TASK_READY, TASK_RUNNING, TASK_PARKED, TASK_ENDED };

/* A coroutine under the engine's care. It is a userdata; user value 1 is the coroutine, 2 its locals, 3 its results. */
struct task {
    struct adt_engine *engine;
    lua_State *co; /* NULL once ended */
    enum task_state state;
    bool cancelled;
    bool failed;
    int shield;            /* > 0: waits go on although the task was cancelled */
    int nargs;             /* values on [co] for the first resume, above the body */
    struct adt_list link;  /* in engine->ready */
    struct adt_list joins; /* struct join_op of those who wait for its end */
};

struct adt_engine {
    lua_State *L;
    struct adt_loop *loop; /* made at the first wait */
    struct task *current;
    lua_State *running; /* the coroutine whose code runs; L outside of any */
    long waiting;       /* author's coroutines that a wait has passed through, about */
    struct adt_list ready;
    long tasks;      /* not ended */
    int unyieldable; /* frames below the running code that a task's wait cannot cross */
    const char *lua_dir;
    volatile int interrupted;           /* set by the program's SIGINT handler */
    void (*on_interrupt)(lua_State *L); /* raises; called where the main thread waits */
};

extern char adt_private_yield;
/* Its address, as light userdata, is what the engine's own yields carry: no author's code can make it. */

void adt_tasks_open(lua_State *L);
/* Creates the task table of a new state. */

void adt_tasks_close(lua_State *L);
/* Cancels every task and runs what their <close> variables hold. */

int adt_tasks_run(lua_State *L);
/* Resumes each task that is ready, once; returns how many. May raise only for lack of memory. */

void adt_task_ready(struct task *t);

void adt_engine_turn(lua_State *L, double wait);
/* One turn of the loop, then of the ready tasks. May raise. */

void adt_coroutine_open(lua_State *L);
/* Replaces the functions of coroutine.* that must know of the engine's yields. */

void adt_coroutine_close(lua_State *L, lua_State *co);
/* Closes [co], a task's, after the author's coroutines that its wait has passed through: innermost first, as an error
 * would. Leaves [co] with at most an error message on its stack. */

struct adt_engine_options {
    const char *lua_dir; /* read Lua modules from here first; NULL: only the embedded ones */
    bool no_env;         /* LUA_PATH and LUA_CPATH do not count */
};

lua_State *adt_state_new(struct adt_engine *e, const struct adt_engine_options *opt);
/* A state with the standard libraries, package.searchers for our modules, and no task. NULL when out of memory. */

void adt_state_close(struct adt_engine *e);

int adt_modules_load(lua_State *L, const char *lua_dir, const char *name);
/* Pushes the loader of our module [name] and where it comes from: 2; 0 if there is no such module. */

void adt_modules_open(lua_State *L);
/* Adds the searcher for embedded Lua modules and for adt.c.*. */

#endif
