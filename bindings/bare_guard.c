/* bare_guard.c - functions of the standard library that could run for ever inside C, where no instruction is counted
 *
 * The bare state counts instructions, but a pattern with many wildcards, a repetition of nothing or a move of 2^60
 * elements is one instruction. Such calls are refused before they begin. */
#include "bare_guard.h"

#include <lualib.h>
#include <stdbool.h>
#include <string.h>

enum { MOST = 1 << 20 };

static const double MOST_STEPS = 1e8;

/* Calls the original function, upvalue 1, with the same arguments. */
static int pass_on(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int refuse(lua_State *L)
{
    return luaL_error(L, "too much work for a recipe's head; move it into a stage");
}

/* Past the set that begins at [p]; a ']' that comes first is a member of it. */
static const char *skip_set(const char *p, const char *end)
{
    p++;
    if (p < end && *p == '^')
        p++;
    do {
        if (p < end && *p == '%')
            p++;
        p++;
    } while (p < end && *p != ']');
    return p;
}

static bool is_plain(const char *pattern, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (pattern[i] && strchr("*+-?%[", pattern[i]))
            return false;
    return true;
}

/* How many steps the matcher may take: each wildcard may try every length, and a plain text may nearly match at every
 * place. */
static double steps(const char *pattern, size_t size, size_t n)
{
    const char *end = pattern + size;
    double sum = 1;
    if (!memchr(pattern, '^', size ? 1 : 0))
        sum *= (double)n + 1;
    if (is_plain(pattern, size))
        return sum * ((double)size + 1);
    for (const char *p = pattern; p < end; p++) {
        if (*p == '%') {
            if (++p < end && *p == 'b')
                sum *= (double)n + 1;
        } else if (*p == '[') {
            p = skip_set(p, end);
        } else if (strchr("*+-?", *p)) {
            sum *= (double)n + 1;
        }
    }
    return sum;
}

static int guard_pattern(lua_State *L)
{
    size_t n, size;
    luaL_checklstring(L, 1, &n);
    const char *pattern = luaL_checklstring(L, 2, &size);
    if (steps(pattern, size, n) > MOST_STEPS)
        return refuse(L);
    return pass_on(L);
}

static int guard_rep(lua_State *L)
{
    return luaL_checkinteger(L, 2) > MOST ? refuse(L) : pass_on(L);
}

/* Arguments 2 and 3 are a first and a last index; without the last one the table's length counts. */
static int guard_range(lua_State *L)
{
    int first = lua_tointeger(L, lua_upvalueindex(2));
    lua_Integer from = luaL_optinteger(L, first, 1);
    lua_Integer to = lua_isnoneornil(L, first + 1) ? luaL_len(L, 1) : luaL_checkinteger(L, first + 1);
    return to >= from && (lua_Unsigned)to - (lua_Unsigned)from > MOST ? refuse(L) : pass_on(L);
}

static int guard_length(lua_State *L)
{
    return luaL_len(L, 1) > MOST ? refuse(L) : pass_on(L);
}

/* Finalizers run without any hook. */
static int guard_metatable(lua_State *L)
{
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "a recipe's head has no finalizers");
        lua_pop(L, 1);
    }
    return pass_on(L);
}

/* Replaces field [name] of the table on top. */
static void guard(lua_State *L, const char *name, lua_CFunction f, int first)
{
    lua_getfield(L, -1, name);
    lua_pushinteger(L, first);
    lua_pushcclosure(L, f, 2);
    lua_setfield(L, -2, name);
}

void adt_bare_guard(lua_State *L)
{
    lua_getglobal(L, LUA_STRLIBNAME);
    guard(L, "find", guard_pattern, 0);
    guard(L, "match", guard_pattern, 0);
    guard(L, "gmatch", guard_pattern, 0);
    guard(L, "gsub", guard_pattern, 0);
    guard(L, "rep", guard_rep, 0);
    lua_getglobal(L, LUA_TABLIBNAME);
    guard(L, "concat", guard_range, 3);
    guard(L, "unpack", guard_range, 2);
    guard(L, "move", guard_range, 2);
    guard(L, "insert", guard_length, 0);
    guard(L, "remove", guard_length, 0);
    guard(L, "sort", guard_length, 0);
    lua_pushglobaltable(L);
    guard(L, "setmetatable", guard_metatable, 0);
    lua_pop(L, 3);
}
