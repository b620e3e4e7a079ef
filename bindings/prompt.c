/* prompt.c - read a statement or an expression, evaluate it, print what it gives */
#include "prompt.h"

#include "adt.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void adt_prompt_version(void)
{
    printf("adtlua %s (%s)\n", adt_version(), LUA_RELEASE);
    fflush(stdout);
}

static const char *prompt_text(lua_State *L, bool first)
{
    /* Left on the stack until the line has been read; pcall is not needed, a bad _PROMPT only looks odd. */
    if (lua_getglobal(L, first ? "_PROMPT" : "_PROMPT2") == LUA_TNIL)
        return first ? "> " : ">> ";
    return luaL_tolstring(L, -1, NULL);
}

/* Pushes the next line without its end; false at the end of the input. A first line "=x" means "return x", as in Lua
 * before 5.3. */
static bool push_line(lua_State *L, bool first)
{
    int top = lua_gettop(L);
    fputs(prompt_text(L, first), stdout);
    fflush(stdout);
    lua_settop(L, top);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    int c;
    bool any = false;
    while ((c = getchar()) != EOF && c != '\n') {
        if (first && !any && c == '=')
            luaL_addstring(&b, "return ");
        else
            luaL_addchar(&b, (char)c);
        any = true;
    }
    luaL_pushresult(&b);
    if (c == EOF && !any)
        lua_settop(L, top);
    return c != EOF || any;
}

static bool is_incomplete(lua_State *L, int status)
{
    if (status != LUA_ERRSYNTAX)
        return false;
    size_t n;
    const char *message = lua_tolstring(L, -1, &n);
    return n >= 5 && !strcmp(message + n - 5, "<eof>");
}

/* Compiles the line at 1 as an expression, else as a statement with as many more lines as it needs. Leaves the function
 * or the message at 2. */
static int compile(lua_State *L)
{
    const char *text = lua_tostring(L, 1);
    const char *expression = lua_pushfstring(L, "return %s;", text);
    int status = luaL_loadbuffer(L, expression, strlen(expression), "=stdin");
    if (status == LUA_OK) {
        lua_remove(L, 2);
        return LUA_OK;
    }
    for (;;) {
        lua_settop(L, 1);
        size_t n;
        text = lua_tolstring(L, 1, &n);
        status = luaL_loadbuffer(L, text, n, "=stdin");
        if (!is_incomplete(L, status) || !push_line(L, false))
            return status;
        lua_pushfstring(L, "%s\n%s", lua_tostring(L, 1), lua_tostring(L, 3));
        lua_replace(L, 1);
    }
}

static void print_results(lua_State *L)
{
    int n = lua_gettop(L) - 1;
    if (n <= 0)
        return;
    luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
    lua_getglobal(L, "print");
    lua_insert(L, 2);
    if (lua_pcall(L, n, 0, 0) != LUA_OK)
        fprintf(stderr, "error calling 'print' (%s)\n", lua_tostring(L, -1));
}

void adt_prompt_run(lua_State *L, const char *progname)
{
    (void)progname;
    lua_settop(L, 0);
    while (push_line(L, true)) {
        int status = compile(L);
        if (status == LUA_OK)
            status = adt_docall(L, 0, LUA_MULTRET);
        if (status == LUA_OK) {
            print_results(L);
        } else {
            fflush(stdout);
            fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
        }
        lua_settop(L, 0);
    }
    fputc('\n', stdout);
    fflush(stdout);
}
