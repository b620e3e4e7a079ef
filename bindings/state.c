/* state.c - a new Lua state: its memory, its libraries, where its modules come from */
#include "embedded.h"
#include "engine.h"
#include "modules.h"

#include <lualib.h>
#include <stdio.h>
#include <string.h>

struct adt_loop *adtL_loop(lua_State *L)
{
    struct adt_engine *e = adtL_engine(L);
    if (!e->loop) {
        struct adt_error err;
        if (!(e->loop = adt_loop_new(&err)))
            adtL_raise(L, &err);
    }
    return e->loop;
}

static int search_dir(lua_State *L, const char *dir, const char *name)
{
    const char *path = luaL_gsub(L, name, ".", "/");
    static const char *const forms[] = {"%s/%s.lua", "%s/%s/init.lua"};
    for (int i = 0; i < 2; i++) {
        const char *file = lua_pushfstring(L, forms[i], dir, path);
        FILE *f = fopen(file, "r");
        if (!f)
            continue;
        fclose(f);
        if (luaL_loadfile(L, file) != LUA_OK)
            return luaL_error(L, "error loading module '%s':\n\t%s", name, lua_tostring(L, -1));
        lua_pushstring(L, file);
        return 2;
    }
    return 0;
}

static const struct adt_embedded *find_embedded(const char *name)
{
    size_t low = 0, high = adt_embedded_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = strcmp(name, adt_embedded[mid].name);
        if (c == 0)
            return &adt_embedded[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* Order: --lua-dir, so that a developer edits without building; C modules; what is embedded. */
int adt_modules_load(lua_State *L, const char *lua_dir, const char *name)
{
    int n = lua_dir ? search_dir(L, lua_dir, name) : 0;
    if (n)
        return n;
    lua_CFunction open = adt_module_find(name);
    if (open) {
        lua_pushcfunction(L, open);
        lua_pushliteral(L, "inside adtlua");
        return 2;
    }
    const struct adt_embedded *m = find_embedded(name);
    if (!m)
        return 0;
    if (luaL_loadbufferx(L, (const char *)m->text, m->size, m->chunk, "t") != LUA_OK)
        return luaL_error(L, "error loading module '%s':\n\t%s", name, lua_tostring(L, -1));
    lua_pushliteral(L, "inside adtlua");
    return 2;
}

static int search_ours(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (strncmp(name, "adt", 3) != 0 || (name[3] != '\0' && name[3] != '.'))
        return 0;
    int n = adt_modules_load(L, adtL_engine(L)->lua_dir, name);
    if (n)
        return n;
    lua_pushfstring(L, "no module '%s' inside adtlua", name);
    return 1;
}

void adt_modules_open(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    /* After package.preload, before the file system: the working directory cannot replace what we ship. */
    for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, search_ours);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
}

static int open_state(lua_State *L)
{
    /* Before the libraries: package.path is made when they open. */
    if (lua_toboolean(L, 1)) {
        lua_pushboolean(L, 1);
        lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    }
    luaL_openlibs(L);
    adt_error_open(L);
    adt_tasks_open(L);
    adt_coroutine_open(L);
    adt_modules_open(L);
    return 0;
}

lua_State *adt_state_new(struct adt_engine *e, const struct adt_engine_options *opt)
{
    memset(e, 0, sizeof *e);
    adt_list_init(&e->ready);
    e->lua_dir = opt ? opt->lua_dir : NULL;
    lua_State *L = luaL_newstate();
    if (!L)
        return NULL;
    e->L = e->running = L;
    adtL_engine(L) = e;
    lua_pushcfunction(L, open_state);
    lua_pushboolean(L, opt && opt->no_env);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        adt_state_close(e);
        return NULL;
    }
    return L;
}

static int close_tasks(lua_State *L)
{
    adt_tasks_close(L);
    return 0;
}

void adt_state_close(struct adt_engine *e)
{
    if (!e->L)
        return;
    lua_settop(e->L, 0);
    lua_pushcfunction(e->L, close_tasks);
    lua_pcall(e->L, 0, 0, 0);
    lua_close(e->L);
    adt_loop_free(e->loop);
    e->L = NULL;
    e->loop = NULL;
}
