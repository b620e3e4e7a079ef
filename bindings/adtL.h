/* adtL.h - the words that every binding uses: handles, failing, scratch memory, waiting
 *
 * Rules: read every argument first, then act; what a C function holds while Lua may raise is owned by a userdata; a
 * completion from the loop never touches Lua, it queues a task. */
#ifndef ADT_ADTL_H
#define ADT_ADTL_H

#include "base/error.h"
#include "loop/loop.h"

#include <lauxlib.h>
#include <lua.h>

struct adt_engine;

/* The engine travels with the state, so two engines in one process do not meet. */
#define adtL_engine(L) (*(struct adt_engine **)lua_getextraspace(L))

struct adt_loop *adtL_loop(lua_State *L);
/* The engine's loop, made at the first use. Raises if that fails. */

void *adtL_newhandle(lua_State *L, size_t size, const char *tname, int uservalues);
/* Pushes a zeroed userdata with the metatable [tname]; zero is the closed state. */

void adtL_newclass(lua_State *L, const char *tname, const luaL_Reg *meta, const luaL_Reg *methods);
/* Makes the metatable [tname] if it is not there yet, with [methods] as its __index. Pushes nothing. */

void *adtL_scratch(lua_State *L, size_t n);
/* [n] bytes of temporary memory that Lua owns; pushes the userdata that holds them. */

int adtL_pusherror(lua_State *L, const struct adt_error *err);
/* Pushes an error value: a table of class adt.Error. Returns 1. */

int adtL_fail(lua_State *L, const struct adt_error *err);
/* Pushes nil and the error; returns 2. */

int adtL_raise(lua_State *L, const struct adt_error *err);
/* Raises the error as a value. */

const char *adtL_checktext(lua_State *L, int arg, size_t *n);
/* A string argument that holds no NUL byte; raises otherwise. */

/* Fields of an option table at [idx], absolute. Each checks the type and raises naming the field. */
bool adtL_optboolean(lua_State *L, int idx, const char *field, bool otherwise);
double adtL_optnumber(lua_State *L, int idx, const char *field, double otherwise);
lua_Integer adtL_optinteger(lua_State *L, int idx, const char *field, lua_Integer otherwise);
const char *adtL_optstring(lua_State *L, int idx, const char *field, const char *otherwise);
/* The string is left on the stack, so that it stays alive as long as the frame. */
void adtL_checkfields(lua_State *L, int idx, const char *what, const char *const *known);
/* Raises "WHAT: unknown option 'x' (did you mean 'y'?)" for a key not in the NULL-terminated list [known]. */

/* Waiting. An op lives in a userdata on the waiting coroutine's own stack, marked to be closed, so that an error, a
 * kill and a collection all end in the same cancel. */
struct lop {
    struct adt_op *op;
    int (*finish)(lua_State *L, struct lop *o); /* pushes the results of a completed op; returns their number */
    struct task *task;                          /* who waits, when a task does */
};

struct lop *adtL_newop(lua_State *L, int anchor);
/* Pushes an empty op userdata that is closed when the C function returns or fails; the value at [anchor] (0: none) is
 * kept alive with it. Start the op into o->op, then adtL_park(). */

int adtL_park(lua_State *L, struct lop *o, int (*finish)(lua_State *L, struct lop *o));
/* `return adtL_park(...)`: waits for o->op and returns what [finish] pushes; finish sees o->op->err. In a task the task
 * is parked; outside of any task the loop turns in place. Raises where Lua cannot yield, and when the task was
 * cancelled. */

void adtL_checkwait(lua_State *L, const char *what);
/* Raises if a wait is impossible here ("WHAT waits: ..."). To be called before the first effect of a waiting call. */

int adtL_finish_none(lua_State *L, struct lop *o);
/* A finish for ops without a result: true, or nil and the error. */

#endif
