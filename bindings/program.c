/* program.c - the command line: a Lua 5.4 interpreter that also runs recipes and commands */
#include "adt.h"
#include "base/fault.h"
#include "engine.h"
#include "modules.h"
#include "prompt.h"
#include "startup.h"

#include <limits.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct adt_engine engine;
static const char *progname = "adtlua";
static int failure = EXIT_FAILURE; /* the exit status for the last error that was reported */

const char *adt_version(void)
{
    return ADT_VERSION;
}

/* What the options say, before anything has run. */
struct command_line {
    int argc;
    char **argv;
    int script; /* index of the first word that is no option; argc: none */
    bool interactive, version, execute, no_env, help;
    const char *lua_dir;
    const char *bad; /* an option that is not one */
};

static void print_usage(FILE *out)
{
    fprintf(out,
            "usage: %s [options] recipe.lua [verb] [--parameter value ...]   run a recipe\n"
            "       %s [options] script.lua [args]                           run a Lua script\n"
            "       %s [options] command [args]                              list, status, logs, ...; see 'help'\n"
            "Available options are:\n"
            "  -e stat        execute string 'stat'\n"
            "  -i             enter interactive mode after executing 'script'\n"
            "  -l mod         require library 'mod' into global 'mod'\n"
            "  -l g=mod       require library 'mod' into global 'g'\n"
            "  -v             show version information\n"
            "  -E             ignore environment variables\n"
            "  -W             turn warnings on\n"
            "  --lua-dir DIR  read the program's own Lua modules from DIR\n"
            "  --help         show this text (after a recipe: its parameters)\n"
            "  --             stop handling options\n"
            "  -              stop handling options and execute stdin\n",
            progname, progname, progname);
}

static void say(const char *message)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", progname, message);
}

/* Structured errors are told as the commands tell theirs, and their cause says the exit status. */
static bool report_structured(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "adt.cli");
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        return false;
    lua_getfield(L, -1, "report");
    lua_pushvalue(L, -3);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        return false;
    failure = (int)lua_tointeger(L, -1);
    return true;
}

static int report(lua_State *L, int status)
{
    if (status == LUA_OK)
        return status;
    int top = lua_gettop(L);
    failure = EXIT_FAILURE;
    if (!adt_error_is(L, -1) || !report_structured(L)) {
        const char *message = luaL_tolstring(L, top, NULL);
        say(message ? message : "(error without a message)");
    }
    lua_settop(L, top - 1);
    return status;
}

/* --- ^C while a script runs -----------------------------------------------------------------------------------------
 */

static void raise_interrupted(lua_State *L)
{
    engine.interrupted = 0;
    luaL_error(L, "interrupted!");
}

/* Two coroutines have the hook; the first that runs raises, the other finds that it has happened. */
static void stop_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    if (engine.interrupted)
        raise_interrupted(L);
}

/* Both a running chunk (the hook) and a sleeping loop (the wake) must notice; both calls are safe in a handler. */
static void on_sigint(int signum)
{
    signal(signum, SIG_DFL);
    engine.interrupted = 1;
    int events = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;
    lua_sethook(engine.L, stop_hook, events, 1);
    lua_sethook(engine.running, stop_hook, events, 1);
    if (engine.loop)
        adt_loop_wake(engine.loop);
}

static void on_interrupt_in_wait(lua_State *L)
{
    lua_sethook(L, NULL, 0, 0);
    raise_interrupted(L);
}

/* --- protected calls ------------------------------------------------------------------------------------------------
 */

static int message_handler(lua_State *L)
{
    const char *message = lua_tostring(L, 1);
    if (!message) {
        adt_error_locate(L, 1, engine.lua_dir);
        if (adt_error_is(L, 1))
            return 1;
        if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
            return 1;
        message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    }
    luaL_traceback(L, L, message, 1);
    return 1;
}

int adt_docall(lua_State *L, int nargs, int nresults)
{
    int base = lua_gettop(L) - nargs;
    lua_pushcfunction(L, message_handler);
    lua_insert(L, base);
    signal(SIGINT, on_sigint);
    int status = lua_pcall(L, nargs, nresults, base);
    signal(SIGINT, SIG_DFL);
    lua_remove(L, base);
    return status;
}

static int run_string(lua_State *L, const char *text, const char *name)
{
    int status = luaL_loadbuffer(L, text, strlen(text), name);
    return report(L, status == LUA_OK ? adt_docall(L, 0, 0) : status);
}

static int run_file(lua_State *L, const char *name)
{
    int status = luaL_loadfile(L, name);
    return report(L, status == LUA_OK ? adt_docall(L, 0, 0) : status);
}

/* --- options --------------------------------------------------------------------------------------------------------
 */

/* A long option with its value in the next word or behind '='; moves [i] over both. */
static bool long_value(struct command_line *c, int *i, const char *name, const char **value)
{
    const char *word = c->argv[*i];
    size_t n = strlen(name);
    if (strncmp(word, name, n) != 0 || (word[n] && word[n] != '='))
        return false;
    if (word[n] == '=')
        *value = word + n + 1;
    else if (*i + 1 < c->argc)
        *value = c->argv[++*i];
    else
        c->bad = word;
    return true;
}

static void read_options(struct command_line *c)
{
    int i;
    for (i = 1; i < c->argc && !c->bad; i++) {
        const char *a = c->argv[i];
        if (a[0] != '-' || !a[1])
            break;
        if (!strcmp(a, "--")) {
            i++;
            break;
        }
        if (!strcmp(a, "--help"))
            c->help = true;
        else if (!strcmp(a, "--version"))
            c->version = true;
        else if (long_value(c, &i, "--lua-dir", &c->lua_dir))
            continue;
        else if (!strcmp(a, "-E"))
            c->no_env = true;
        else if (!strcmp(a, "-i"))
            c->interactive = c->version = true;
        else if (!strcmp(a, "-v"))
            c->version = true;
        else if (!strcmp(a, "-W"))
            continue;
        else if (a[1] == 'e' || a[1] == 'l') {
            c->execute |= a[1] == 'e';
            if (!a[2] && (++i >= c->argc || c->argv[i][0] == '-'))
                c->bad = a;
        } else
            c->bad = a;
    }
    c->script = c->bad ? c->argc : i;
}

static int bad_option(const char *option)
{
    if (option[1] == 'e' || option[1] == 'l' || !strcmp(option, "--lua-dir"))
        fprintf(stderr, "%s: '%s' needs argument\n", progname, option);
    else
        fprintf(stderr, "%s: unrecognized option '%s'\n", progname, option);
    print_usage(stderr);
    return EXIT_FAILURE;
}

static int require_library(lua_State *L, const char *spec)
{
    const char *eq = strchr(spec, '=');
    const char *module = eq ? eq + 1 : spec;
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    int status = adt_docall(L, 1, 1);
    if (status == LUA_OK) {
        const char *global = lua_pushlstring(L, spec, eq ? (size_t)(eq - spec) : strlen(spec));
        lua_insert(L, -2);
        lua_setglobal(L, global);
        lua_pop(L, 1);
    }
    return report(L, status);
}

/* -e, -l and -W act in the order in which they stand. */
static int act_on_options(lua_State *L, const struct command_line *c)
{
    for (int i = 1; i < c->script; i++) {
        const char *a = c->argv[i];
        if (!strcmp(a, "--lua-dir")) {
            i++;
        } else if (!strcmp(a, "-W")) {
            lua_warning(L, "@on", 0);
        } else if (a[1] == 'e' || a[1] == 'l') {
            const char *value = a[2] ? a + 2 : c->argv[++i];
            int status = a[1] == 'e' ? run_string(L, value, "=(command line)") : require_library(L, value);
            if (status != LUA_OK)
                return status;
        }
    }
    return LUA_OK;
}

static int run_init(lua_State *L)
{
    const char *name = "LUA_INIT_" LUA_VERSION_MAJOR "_" LUA_VERSION_MINOR;
    const char *init = getenv(name);
    if (!init)
        init = getenv(name = "LUA_INIT");
    if (!init)
        return LUA_OK;
    return init[0] == '@' ? run_file(L, init + 1) : run_string(L, init, lua_pushfstring(L, "=%s", name));
}

/* --- what is run ----------------------------------------------------------------------------------------------------
 */

static void set_arg(lua_State *L, const struct command_line *c)
{
    int script = c->script < c->argc ? c->script : 0;
    lua_createtable(L, c->argc - script, script + 1);
    for (int i = 0; i < c->argc; i++) {
        lua_pushstring(L, c->argv[i]);
        lua_rawseti(L, -2, i - script);
    }
    lua_setglobal(L, "arg");
}

static bool is_file(const char *word)
{
    size_t n = strlen(word);
    return !strcmp(word, "-") || strchr(word, '/') || (n > 4 && !strcmp(word + n - 4, ".lua"));
}

/* Calls adt.cli.[name](...), whose integer result is the exit status. */
static int call_cli(lua_State *L, const char *name, int nargs)
{
    int base = lua_gettop(L) - nargs;
    lua_getglobal(L, "require");
    lua_pushliteral(L, "adt.cli");
    int status = adt_docall(L, 1, 1);
    if (status == LUA_OK) {
        lua_getfield(L, -1, name);
        lua_remove(L, -2);
        lua_insert(L, base + 1);
        status = adt_docall(L, nargs, 1);
    }
    if (report(L, status) != LUA_OK)
        return failure;
    int code = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return code;
}

/* The script's arguments as the table arg holds them by now: what ran before may have changed it. */
static int push_args(lua_State *L)
{
    if (lua_getglobal(L, "arg") != LUA_TTABLE)
        return luaL_error(L, "'arg' is not a table");
    int table = lua_gettop(L);
    lua_Integer n = luaL_len(L, table);
    if (n < 0 || n > INT_MAX - 4 || !lua_checkstack(L, (int)n + 4))
        return luaL_error(L, "too many arguments to script");
    for (lua_Integer i = 1; i <= n; i++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return (int)n;
}

static int is_recipe(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    int found = 0;
    if (lua_getfield(L, -1, "adt.recipe") == LUA_TTABLE && lua_getfield(L, -1, "is") == LUA_TFUNCTION) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 1);
        found = lua_toboolean(L, -1);
    }
    lua_settop(L, 1);
    return found;
}

/* What a script has spawned outside of any group ends with the script. */
static int finish_tasks(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, "adt.task") == LUA_TTABLE && lua_getfield(L, -1, "finish") == LUA_TFUNCTION)
        return report(L, adt_docall(L, 0, 0));
    return LUA_OK;
}

/* `return adt.recipe { ... }` is a tail call, which leaves no line behind: then the file is the place. */
static void place_error(lua_State *L, const char *name)
{
    if (!name || !adt_error_is(L, -1))
        return;
    lua_pushliteral(L, "where");
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pushliteral(L, "where");
        lua_pushstring(L, name);
        lua_rawset(L, -4);
    }
    lua_pop(L, 1);
}

/* A file that returns a recipe is a recipe; any other is a script and has run. */
static int run_script(lua_State *L, const struct command_line *c)
{
    const char *name = c->argv[c->script];
    if (!strcmp(name, "-") && strcmp(c->argv[c->script - 1], "--") != 0)
        name = NULL;
    for (int i = c->script + 1; name && i < c->argc; i++)
        if (!strcmp(c->argv[i], "--help") || !strcmp(c->argv[i], "-h")) {
            lua_pushstring(L, name);
            int code = call_cli(L, "help", push_args(L) + 1);
            if (code >= 0)
                return code;
            break;
        }
    int status = luaL_loadfile(L, name);
    if (status == LUA_OK)
        status = adt_docall(L, push_args(L), LUA_MULTRET);
    if (status != LUA_OK)
        place_error(L, name);
    if (report(L, status) != LUA_OK)
        return failure;
    if (lua_gettop(L) >= 1 && is_recipe(L)) {
        lua_settop(L, 1);
        lua_pushstring(L, c->argv[c->script]);
        return call_cli(L, "run", push_args(L) + 2);
    }
    lua_settop(L, 0);
    return finish_tasks(L) == LUA_OK ? EXIT_SUCCESS : failure;
}

static int run_first_word(lua_State *L, const struct command_line *c)
{
    if (is_file(c->argv[c->script]))
        return run_script(L, c);
    lua_pushstring(L, c->argv[c->script]);
    return call_cli(L, "command", push_args(L) + 1);
}

static int run_stdin(lua_State *L, const struct command_line *c)
{
    if (isatty(STDIN_FILENO)) {
        if (!c->version)
            adt_prompt_version();
        adt_prompt_run(L, progname);
        return EXIT_SUCCESS;
    }
    return run_file(L, NULL) == LUA_OK ? EXIT_SUCCESS : failure;
}

static int protected_main(lua_State *L)
{
    const struct command_line *c = lua_touserdata(L, 1);
    lua_settop(L, 0);
    set_arg(L, c);
    adt_startup_take_params(L);
    lua_gc(L, LUA_GCGEN, 0, 0);
    int code = EXIT_SUCCESS;
    if ((!c->no_env && run_init(L) != LUA_OK) || act_on_options(L, c) != LUA_OK)
        code = failure;
    else if (c->script < c->argc)
        code = run_first_word(L, c);
    else if (!c->interactive && !c->execute && !c->version)
        code = run_stdin(L, c);
    if (code == EXIT_SUCCESS && c->interactive)
        adt_prompt_run(L, progname);
    lua_pushinteger(L, code);
    return 1;
}

int adt_program(int argc, char **argv)
{
    struct command_line c = {.argc = argc, .argv = argv};
    if (argc > 0 && argv[0] && *argv[0])
        progname = argv[0];
    read_options(&c);
    if (c.bad)
        return bad_option(c.bad);
    if (c.help) {
        print_usage(stdout);
        return EXIT_SUCCESS;
    }
    if (c.version)
        adt_prompt_version();
    if (adt_fault_arm(getenv("ADTLUA_FAULT")) < 0) {
        say("ADTLUA_FAULT must be NAME:kill|fail[:COUNT]");
        return 2;
    }
    lua_State *L = adt_state_new(&engine, &(struct adt_engine_options){.lua_dir = c.lua_dir, .no_env = c.no_env});
    if (!L) {
        say("cannot create a Lua state: out of memory");
        return EXIT_FAILURE;
    }
    engine.on_interrupt = on_interrupt_in_wait;
    lua_pushcfunction(L, protected_main);
    lua_pushlightuserdata(L, &c);
    int status = report(L, lua_pcall(L, 1, 1, 0));
    int code = status == LUA_OK ? (int)lua_tointeger(L, -1) : EXIT_FAILURE;
    adt_state_close(&engine);
    return code;
}
