/* awsmodel.c - adt.c.awsmodel: service models, and what they say of requests and responses */
#include "awsmodel.h"
#include "aws/protocol.h"
#include "modules.h"
#include "values.h"

#include <string.h>

#define MODEL "adt.aws.model"
#define REQUEST "adt.aws.request"

struct lmodel {
    struct adt_aws_model *m; /* NULL: closed */
};

static int model_close(lua_State *L)
{
    struct lmodel *u = luaL_checkudata(L, 1, MODEL);
    adt_aws_model_free(u->m);
    u->m = NULL;
    return 0;
}

const struct adt_aws_model *adtL_checkmodel(lua_State *L)
{
    struct lmodel *u = luaL_checkudata(L, 1, MODEL);
    luaL_argcheck(L, u->m, 1, "the model is closed");
    return u->m;
}

const struct adt_aws_operation *adtL_checkoperation(lua_State *L, const struct adt_aws_model *m, int arg)
{
    const struct adt_aws_operation *op = adt_aws_model_operation(m, adtL_checktext(L, arg, NULL));
    luaL_argcheck(L, op, arg, "the service has no such operation");
    return op;
}

/* load(text, name) -> model | nil, err */
static int awsmodel_load(lua_State *L)
{
    size_t n;
    struct adt_error err = {0};
    const char *text = luaL_checklstring(L, 1, &n), *name = adtL_checktext(L, 2, NULL);
    struct lmodel *u = adtL_newhandle(L, sizeof *u, MODEL, 0);
    if (!(u->m = adt_aws_model_load(text, n, name, &err)))
        return adtL_fail(L, &err);
    return 1;
}

/* --- what a model says of itself ---------------------------------------------------------------------------------- */

static void set_text(lua_State *L, const char *field, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

static void set_flag(lua_State *L, const char *field, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, field);
}

/* model:metadata() -> table */
static int model_metadata(lua_State *L)
{
    static const char *const protocols[] = {
        [ADT_AWS_QUERY] = "query",         [ADT_AWS_EC2] = "ec2",           [ADT_AWS_JSON] = "json",
        [ADT_AWS_REST_JSON] = "rest-json", [ADT_AWS_REST_XML] = "rest-xml",
    };
    const struct adt_aws_model *m = adtL_checkmodel(L);
    lua_createtable(L, 0, 10);
    set_text(L, "protocol", protocols[m->protocol]);
    set_text(L, "service_id", m->service_id);
    set_text(L, "endpoint_prefix", m->endpoint_prefix);
    set_text(L, "signing_name", m->signing_name);
    set_text(L, "api_version", m->api_version);
    set_text(L, "json_version", m->json_version);
    set_text(L, "target_prefix", m->target_prefix);
    set_text(L, "global_endpoint", m->global_endpoint);
    set_text(L, "full_name", m->full_name);
    set_flag(L, "query_compatible", m->query_compatible);
    return 1;
}

/* model:operations() -> sorted names */
static int model_operations(lua_State *L)
{
    const struct adt_aws_model *m = adtL_checkmodel(L);
    lua_createtable(L, (int)m->operation_count, 0);
    for (size_t i = 0; i < m->operation_count; i++) {
        lua_pushstring(L, m->operations[i].name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* Pushes the sorted names of the input's members: all, or those that take idempotency tokens. */
static void set_members(lua_State *L, const char *field, const struct adt_aws_member *input, bool tokens)
{
    const struct adt_aws_shape *s = input ? input->shape : NULL;
    lua_Integer n = 0;
    lua_newtable(L);
    for (size_t i = 0; s && i < s->member_count; i++) {
        const struct adt_aws_member *m = &s->members[s->by_name[i]];
        if (tokens && !m->idempotency_token)
            continue;
        lua_pushstring(L, m->name);
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, field);
}

/* model:operation(name) -> nil | table */
static int model_operation(lua_State *L)
{
    const struct adt_aws_operation *op = adt_aws_model_operation(adtL_checkmodel(L), adtL_checktext(L, 2, NULL));
    if (!op)
        return 0;
    lua_createtable(L, 0, 18);
    set_text(L, "name", op->name);
    set_text(L, "method", op->method);
    if (op->status) {
        lua_pushinteger(L, op->status);
        lua_setfield(L, -2, "status");
    }
    set_text(L, "streaming_input", op->streaming_input ? op->streaming_input->name : NULL);
    set_text(L, "streaming_output", op->streaming_output ? op->streaming_output->name : NULL);
    set_flag(L, "unsigned_request", op->unsigned_request);
    set_flag(L, "unsigned_payload", op->unsigned_payload);
    set_flag(L, "checksum_required", op->checksum_required);
    set_text(L, "checksum_algorithm_member", op->checksum_algorithm_member);
    set_text(L, "checksum_mode_member", op->checksum_mode_member);
    set_flag(L, "event_stream", op->event_stream);
    set_flag(L, "gzip", op->gzip);
    set_text(L, "host_prefix", op->host_prefix);
    if (op->input)
        set_members(L, "input_members", op->input, false);
    set_members(L, "idempotency", op->input, true);
    return 1;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* Owned by Lua, since walking its tables may raise. */
struct lrequest {
    struct adt_value_builder *params;
    struct adt_aws_request r;
};

static int request_close(lua_State *L)
{
    struct lrequest *u = lua_touserdata(L, 1);
    adt_value_builder_free(u->params);
    adt_aws_request_free(&u->r);
    u->params = NULL;
    return 0;
}

static void set_bytes(lua_State *L, const char *field, const struct adt_buf *b)
{
    lua_pushlstring(L, b->p ? b->p : "", b->len);
    lua_setfield(L, -2, field);
}

static int push_request(lua_State *L, const struct adt_aws_request *r)
{
    lua_createtable(L, 0, 7);
    set_text(L, "method", r->method);
    set_bytes(L, "path", &r->path);
    set_bytes(L, "query", &r->query);
    set_bytes(L, "host_prefix", &r->host_prefix);
    set_flag(L, "streaming", r->streaming);
    if (r->has_body)
        set_bytes(L, "body", &r->body);
    lua_createtable(L, 0, (int)r->header_count);
    for (size_t i = 0; i < r->header_count; i++)
        set_text(L, r->headers[i].name, r->headers[i].value);
    lua_setfield(L, -2, "headers");
    return 1;
}

/* model:request(operation, params|nil, token|nil) -> { method, path, query, host_prefix, headers, body, streaming }
 * | nil, err */
static int model_request(lua_State *L)
{
    const struct adt_aws_model *m = adtL_checkmodel(L);
    const struct adt_aws_operation *op = adtL_checkoperation(L, m, 2);
    struct adt_aws_request_options opt = {.token = lua_isnoneornil(L, 4) ? NULL : adtL_checktext(L, 4, NULL)};
    lua_settop(L, 4);
    struct lrequest *u = adtL_newhandle(L, sizeof *u, REQUEST, 0);
    lua_toclose(L, -1);
    struct lwriter *w = adtL_newwriter(L, 1);
    w->reveal = true;
    if (!lua_isnil(L, 3)) {
        if (!(u->params = adt_value_builder_new(4 * (size_t)ADT_AWS_REQUEST_MAX, &w->err)) ||
            adtL_walk(L, 3, w, ADT_AWS_DEPTH + 1, &adt_value_events, u->params) < 0)
            return adtL_fail(L, &w->err);
    }
    const struct adt_value *params = u->params ? adt_value_built(u->params) : NULL;
    if (adt_aws_request_build(m, op, params, &opt, &u->r, &w->err) < 0)
        return adtL_fail(L, &w->err);
    return push_request(L, &u->r);
}

int luaopen_adt_c_awsmodel(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", model_close}, {"__close", model_close}, {NULL, NULL}};
    static const luaL_Reg request_meta[] = {{"__gc", request_close}, {"__close", request_close}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"metadata", model_metadata},          {"operations", model_operations},
        {"operation", model_operation},        {"request", model_request},
        {"response", adtL_model_response},     {"failure", adtL_model_failure},
        {"is_failure", adtL_model_is_failure}, {NULL, NULL},
    };
    static const luaL_Reg functions[] = {{"load", awsmodel_load}, {NULL, NULL}};
    adtL_newclass(L, MODEL, meta, methods);
    adtL_newclass(L, REQUEST, request_meta, NULL);
    luaL_newlib(L, functions);
    return 1;
}
