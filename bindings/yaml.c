/* yaml.c - module adt.c.yaml: YAML text to Lua values and back */
#include "values.h"

#include "data/yaml.h"
#include "modules.h"

/* The part that decode and decode_all share: the value, or nil and the error. */
static int decode(lua_State *L, const char *what, bool all)
{
    static const char *const known[] = {"max_size", "max_nodes", "big", "name", "cloudformation", NULL};
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    struct adt_yaml_options opt = {.all = all};
    struct adt_error err = {0};
    enum adtL_big big = ADTL_BIG_FLOAT;
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        adtL_checkfields(L, 2, what, known);
        opt.max_size = (size_t)adtL_checkrange(L, 2, "max_size", ADT_YAML_SIZE, 1 << 28);
        opt.max_nodes = (size_t)adtL_checkrange(L, 2, "max_nodes", ADT_YAML_NODES, 1 << 26);
        big = adtL_checkbig(L, 2);
        opt.name = adtL_optstring(L, 2, "name", NULL);
        lua_getfield(L, 2, "cloudformation");
        opt.cloudformation = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    struct ltape *tape = adtL_newtape(L, text, n, big, &err);
    const struct adt_events *events = adtL_tape_events(tape);
    int rc = all ? events->begin_array(tape) : 0;
    if (rc == 0)
        rc = adt_yaml_parse(text, n, &opt, events, tape, &err);
    if (rc == 0 && all)
        rc = events->end_array(tape);
    if (rc < 0)
        return adtL_fail(L, &err);
    adtL_tape_push(L, tape, false); /* the parser has refused repeated keys */
    return 1;
}

/* decode(text, opts?) -> value | nil, err */
static int yaml_decode(lua_State *L)
{
    return decode(L, "yaml.decode", false);
}

/* decode_all(text, opts?) -> values | nil, err */
static int yaml_decode_all(lua_State *L)
{
    return decode(L, "yaml.decode_all", true);
}

/* encode(value) -> text | nil, err */
static int yaml_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    struct lwriter *w = adtL_newwriter(L, ADT_YAML_SIZE);
    struct adt_yaml_writer yaml = {.out = &w->buf, .err = &w->err};
    if (adtL_walk(L, 1, w, ADT_YAML_DEPTH, &adt_yaml_write, &yaml) < 0)
        return adtL_fail(L, &w->err);
    lua_pushlstring(L, w->buf.p, w->buf.len);
    return 1;
}

int luaopen_adt_c_yaml(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"decode", yaml_decode}, {"decode_all", yaml_decode_all}, {"encode", yaml_encode}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
