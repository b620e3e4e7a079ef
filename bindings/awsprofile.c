/* awsprofile.c - adt.c.awsprofile: the shared files of the AWS tools as tables */
#include "adtL.h"
#include "aws/profile.h"
#include "modules.h"

#define PASS "adt.awsprofile"

enum { TEXT = 1, NAME, KIND, RESULT, PASS_AT, SECTIONS, SECTION = SECTIONS + 3, PARENT, WARNINGS };

static int pass_close(lua_State *L)
{
    adt_awsprofile_end(lua_touserdata(L, 1));
    return 0;
}

/* t[name], a table made when it is not there; replaces the stack at [to]. */
static void set_table(lua_State *L, int t, const struct adt_awsprofile_item *i, int to)
{
    lua_pushlstring(L, i->name, i->name_n);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, t) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, t);
    }
    lua_replace(L, to);
    lua_pop(L, 1);
}

static void set_value(lua_State *L, int t, const struct adt_awsprofile_item *i)
{
    lua_pushlstring(L, i->name, i->name_n);
    lua_pushlstring(L, i->value ? i->value : "", i->value_n);
    lua_rawset(L, t);
}

/* A later property of the same name replaces the nested ones of an earlier one. */
static void set_property(lua_State *L, const struct adt_awsprofile_item *i)
{
    if (!i->parent) {
        set_value(L, SECTION, i);
        return;
    }
    lua_pushlstring(L, i->name, i->name_n);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_replace(L, PARENT);
    lua_rawset(L, SECTION);
}

static void add_warning(lua_State *L, const struct adt_awsprofile_item *i)
{
    lua_pushlstring(L, i->value, i->value_n);
    lua_pushfstring(L, "%s:%d: %s", lua_tostring(L, NAME), (int)i->line, lua_tostring(L, -1));
    lua_rawseti(L, WARNINGS, (lua_Integer)lua_rawlen(L, WARNINGS) + 1);
    lua_pop(L, 1);
}

static void take(lua_State *L, const struct adt_awsprofile_item *i)
{
    switch (i->type) {
    case ADT_AWSPROFILE_SECTION:
        set_table(L, SECTIONS + (int)i->section, i, SECTION);
        break;
    case ADT_AWSPROFILE_PROPERTY:
        set_property(L, i);
        break;
    case ADT_AWSPROFILE_NESTED:
        set_value(L, PARENT, i);
        break;
    case ADT_AWSPROFILE_WARNING:
        add_warning(L, i);
        break;
    }
}

static void new_result(lua_State *L)
{
    static const char *const fields[] = {"profiles", "sso_sessions", "services"};
    for (int i = 0; i < 3; i++) {
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, RESULT, fields[i]);
    }
    lua_pushnil(L); /* SECTION */
    lua_pushnil(L); /* PARENT */
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, RESULT, "warnings");
}

/* parse(text, name, kind) -> { profiles =, sso_sessions =, services =, warnings = }; nil, err
 * Values are strings, or tables of strings where properties are nested. */
static int awsprofile_parse(lua_State *L)
{
    static const char *const kinds[] = {"config", "credentials", NULL};
    static const luaL_Reg meta[] = {{"__gc", pass_close}, {"__close", pass_close}, {NULL, NULL}};
    struct adt_error err;
    struct adt_awsprofile_item item;
    size_t n;
    int rc;
    const char *text = luaL_checklstring(L, TEXT, &n), *name = adtL_checktext(L, NAME, NULL);
    enum adt_awsprofile_kind kind = (enum adt_awsprofile_kind)luaL_checkoption(L, KIND, NULL, kinds);
    lua_settop(L, KIND);
    lua_newtable(L);
    adtL_newclass(L, PASS, meta, NULL);
    struct adt_awsprofile *p = adtL_newhandle(L, sizeof *p, PASS, 0);
    lua_toclose(L, PASS_AT);
    new_result(L);
    if (adt_awsprofile_begin(p, kind, name, text, n, &err) < 0)
        return adtL_fail(L, &err);
    while ((rc = adt_awsprofile_next(p, &item, &err)) > 0)
        take(L, &item);
    if (rc < 0)
        return adtL_fail(L, &err);
    lua_pushvalue(L, RESULT);
    return 1;
}

int luaopen_adt_c_awsprofile(lua_State *L)
{
    static const luaL_Reg functions[] = {{"parse", awsprofile_parse}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
