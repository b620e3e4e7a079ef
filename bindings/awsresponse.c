/* awsresponse.c - responses and failures of AWS services as Lua tables */
#include "adtL.h"
#include "aws/protocol.h"
#include "awsmodel.h"
#include "values.h"

#include <limits.h>

enum { FAILURE_TEXTS = 1 << 20 };

static size_t count_fields(lua_State *L, int idx)
{
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
        n++;
    return n;
}

/* The arguments from [first] on: status, headers, body. What is pushed keeps them alive. */
static void check_response(lua_State *L, int first, struct adt_aws_response *r)
{
    lua_Integer status = luaL_checkinteger(L, first);
    luaL_argcheck(L, status >= 0 && status <= INT_MAX, first, "no HTTP status");
    luaL_checktype(L, first + 1, LUA_TTABLE);
    *r = (struct adt_aws_response){.status = (int)status};
    r->body = luaL_optlstring(L, first + 2, "", &r->body_n);
    struct adt_aws_header *headers = adtL_scratch(L, (count_fields(L, first + 1) + 1) * sizeof *headers);
    for (lua_pushnil(L); lua_next(L, first + 1); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            luaL_argerror(L, first + 1, "names and values of headers must be strings");
        headers[r->header_count++] = (struct adt_aws_header){lua_tostring(L, -2), lua_tostring(L, -1)};
    }
    r->headers = headers;
}

/* model:response(op, status, headers, body, streaming) -> table | nil, err */
int adtL_model_response(lua_State *L)
{
    struct adt_aws_response r;
    struct adt_error err = {0};
    const struct adt_aws_model *m = adtL_checkmodel(L);
    const struct adt_aws_operation *op = adtL_checkoperation(L, m, 2);
    lua_settop(L, 6);
    check_response(L, 3, &r);
    r.streaming = lua_toboolean(L, 6);
    struct ltape *tape = adtL_newtape(L, r.body, r.body_n, ADTL_BIG_FLOAT, &err);
    if (adt_aws_response_read(m, op, &r, adtL_tape_events(tape), tape, &err) < 0)
        return adtL_fail(L, &err);
    adtL_tape_push(L, tape, false);
    return 1;
}

static void set_text(lua_State *L, const char *field, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

/* model:failure(op|nil, status, headers, body) -> table */
int adtL_model_failure(lua_State *L)
{
    struct adt_aws_response r;
    struct adt_aws_failure f;
    struct adt_error err = {0};
    const struct adt_aws_model *m = adtL_checkmodel(L);
    const struct adt_aws_operation *op = lua_isnoneornil(L, 2) ? NULL : adtL_checkoperation(L, m, 2);
    lua_settop(L, 5);
    check_response(L, 3, &r);
    struct lwriter *texts = adtL_newwriter(L, FAILURE_TEXTS);
    struct ltape *tape = adtL_newtape(L, r.body, r.body_n, ADTL_BIG_FLOAT, &err);
    if (adt_aws_failure_read(m, op, &r, &texts->buf, &f, adtL_tape_events(tape), tape, &err) < 0)
        return adtL_raise(L, &err);
    lua_createtable(L, 0, 9);
    set_text(L, "code", f.code);
    set_text(L, "message", f.message);
    set_text(L, "request_id", f.request_id);
    set_text(L, "host_id", f.host_id);
    set_text(L, "type", f.type);
    set_text(L, "shape", f.shape ? f.shape->name : NULL);
    lua_pushboolean(L, f.shape && f.shape->retryable);
    lua_setfield(L, -2, "retryable");
    lua_pushboolean(L, f.shape && f.shape->throttling);
    lua_setfield(L, -2, "throttling");
    adtL_tape_push(L, tape, false);
    lua_setfield(L, -2, "fields");
    return 1;
}

/* model:is_failure(op, status, headers, body) -> boolean */
int adtL_model_is_failure(lua_State *L)
{
    struct adt_aws_response r;
    const struct adt_aws_model *m = adtL_checkmodel(L);
    const struct adt_aws_operation *op = adtL_checkoperation(L, m, 2);
    lua_settop(L, 5);
    check_response(L, 3, &r);
    lua_pushboolean(L, adt_aws_is_failure(m, op, &r));
    return 1;
}
