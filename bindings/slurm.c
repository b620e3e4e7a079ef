/* slurm.c - adt.c.slurm: host lists, and what Slurm says as tables; what was not said is absent */
#include "adtL.h"
#include "base/buf.h"
#include "modules.h"
#include "slurm/answer.h"
#include "slurm/hostlist.h"

#include <math.h>
#include <string.h>

/* --- host lists --------------------------------------------------------------------------------------------------- */

/* check(name) -> true | nil, err */
static int slurm_check(lua_State *L)
{
    struct adt_error err;
    size_t n;
    const char *name = luaL_checklstring(L, 1, &n);
    if (adt_hostlist_check(name, n, &err) < 0)
        return adtL_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* expand(text) -> names | nil, err */
static int slurm_expand(lua_State *L)
{
    struct adt_error err;
    struct adt_hostlist hosts;
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n), *name;
    if (adt_hostlist_begin(&hosts, text, n, &err) < 0)
        return adtL_fail(L, &err);
    lua_createtable(L, (int)hosts.count, 0);
    for (lua_Integer i = 1; (name = adt_hostlist_next(&hosts, &n)); i++) {
        lua_pushlstring(L, name, n);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static int buf_close(lua_State *L)
{
    adt_buf_free(lua_touserdata(L, 1));
    return 0;
}

/* fold(names) -> text | nil, err */
static int slurm_fold(lua_State *L)
{
    struct adt_error err;
    struct adt_hostlist_fold fold;
    size_t n;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct adt_buf *out = adtL_newhandle(L, sizeof *out, "adt.slurm.text", 0);
    lua_toclose(L, -1);
    adt_buf_init(out, ADT_HOSTLIST_TEXT);
    adt_hostlist_fold_begin(&fold, out);
    for (lua_Integer i = 1; lua_rawgeti(L, 1, i) != LUA_TNIL; i++) {
        if (lua_type(L, -1) != LUA_TSTRING)
            return luaL_error(L, "slurm.fold: name %I is a %s", (LUAI_UACINT)i, luaL_typename(L, -1));
        const char *name = lua_tolstring(L, -1, &n);
        if (adt_hostlist_fold_add(&fold, name, n, &err) < 0)
            return adtL_fail(L, &err);
        lua_pop(L, 1);
    }
    if (adt_hostlist_fold_end(&fold, &err) < 0)
        return adtL_fail(L, &err);
    lua_pushlstring(L, out->p ? out->p : "", out->len);
    return 1;
}

/* --- fields of the table on top ----------------------------------------------------------------------------------- */

static void put_text(lua_State *L, const char *field, struct adt_slurm_text t)
{
    if (!t.n)
        return;
    lua_pushlstring(L, t.p, t.n);
    lua_setfield(L, -2, field);
}

/* [none] is what stands for "not said". */
static void put_integer(lua_State *L, const char *field, int64_t value, int64_t none)
{
    if (value == none)
        return;
    lua_pushinteger(L, value);
    lua_setfield(L, -2, field);
}

static void put_limit(lua_State *L, const char *field, int64_t seconds)
{
    if (seconds < 0)
        return;
    if (seconds == ADT_SLURM_UNLIMITED)
        lua_pushnumber(L, (lua_Number)HUGE_VAL);
    else
        lua_pushinteger(L, seconds);
    lua_setfield(L, -2, field);
}

static void put_upper(lua_State *L, const char *field, struct adt_slurm_text t)
{
    char word[64];
    size_t n = t.n < sizeof word ? t.n : sizeof word;
    for (size_t i = 0; i < n; i++)
        word[i] = t.p[i] >= 'a' && t.p[i] <= 'z' ? (char)(t.p[i] - 'a' + 'A') : t.p[i];
    put_text(L, field, (struct adt_slurm_text){word, n});
}

static void put_flags(lua_State *L, uint32_t flags, int count, const char *(*name)(int flag))
{
    lua_newtable(L);
    for (int i = 0; flags && i < count; i++) {
        if (!(flags & 1u << i))
            continue;
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, name(i));
    }
    lua_setfield(L, -2, "flags");
}

static const char *job_flag(int flag)
{
    return adt_slurm_flag_name((enum adt_slurm_flag)flag);
}

static const char *node_flag(int flag)
{
    return adt_slurm_node_flag_name((enum adt_slurm_node_flag)flag);
}

/* Names between commas as a list. */
static void put_list(lua_State *L, const char *field, struct adt_slurm_text t)
{
    lua_Integer i = 1;
    if (!t.n)
        return;
    lua_newtable(L);
    for (const char *at = t.p, *end = t.p + t.n; at <= end; i++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        lua_pushlstring(L, at, (size_t)((comma ? comma : end) - at));
        lua_rawseti(L, -2, i);
        at = comma ? comma + 1 : end + 1;
    }
    lua_setfield(L, -2, field);
}

static void put_state(lua_State *L, enum adt_slurm_state state, uint32_t flags, struct adt_slurm_text text,
                      const struct adt_slurm_exit *exit)
{
    if (state) {
        lua_pushstring(L, adt_slurm_state_name(state));
        lua_setfield(L, -2, "state");
    } else {
        put_upper(L, "state", text);
    }
    put_flags(L, flags, ADT_SLURM_FLAGS, job_flag);
    lua_pushboolean(L, adt_slurm_ended(state, flags));
    lua_setfield(L, -2, "ended");
    put_integer(L, "exit", exit->code, -1);
    put_integer(L, "signal", exit->signal, 0);
}

/* --- records ------------------------------------------------------------------------------------------------------ */

/* Lists that records go to, as indices of the stack. */
struct lists {
    lua_State *L;
    int jobs, nodes, partitions, reservations, pings, errors, warnings, result;
};

/* The table on top becomes the last of [list]. */
static int append(lua_State *L, int list)
{
    lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
    return 0;
}

static void put_steps(lua_State *L, const struct adt_slurm_job *job)
{
    lua_createtable(L, (int)job->step_count, 0);
    for (size_t i = 0; i < job->step_count; i++) {
        const struct adt_slurm_step *s = &job->steps[i];
        lua_createtable(L, 0, 10);
        put_text(L, "name", s->name);
        put_text(L, "id", s->id);
        put_state(L, s->state, s->flags, s->state_text, &s->exit);
        put_text(L, "nodes", s->nodes);
        put_integer(L, "node_count", s->node_count, -1);
        put_integer(L, "start", s->start_time, 0);
        put_integer(L, "finish", s->end_time, 0);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "steps");
    put_integer(L, "steps_left_out", (int64_t)job->steps_left_out, 0);
}

static int on_job(void *ctx, const struct adt_slurm_job *job)
{
    const struct lists *to = ctx;
    lua_State *L = to->L;
    lua_createtable(L, 0, 24);
    put_integer(L, "id", job->id, 0);
    put_integer(L, "array_id", job->array_job_id, 0);
    put_integer(L, "array_task", job->array_task_id, -1);
    put_text(L, "array_tasks", job->array_task_string);
    put_integer(L, "het_id", job->het_job_id, 0);
    put_integer(L, "het_offset", job->het_offset, -1);
    put_text(L, "step", job->step);
    put_text(L, "name", job->name);
    put_text(L, "user", job->user);
    put_integer(L, "uid", job->uid, -1);
    put_text(L, "account", job->account);
    put_text(L, "partition", job->partition);
    put_text(L, "qos", job->qos);
    put_text(L, "cluster", job->cluster);
    put_state(L, job->state, job->flags, job->state_text, &job->exit);
    put_integer(L, "cancelled_by", job->cancelled_by, -1);
    put_text(L, "reason", job->reason);
    put_text(L, "nodes", job->nodes);
    put_list(L, "hosts", job->hosts);
    put_integer(L, "node_count", job->node_count, -1);
    put_integer(L, "submit", job->submit_time, 0);
    put_integer(L, "eligible", job->eligible_time, 0);
    put_integer(L, "start", job->start_time, 0);
    put_integer(L, "finish", job->end_time, 0);
    put_limit(L, "limit", job->time_limit);
    put_integer(L, "restarts", job->restarts, -1);
    put_text(L, "comment", job->comment);
    put_text(L, "dir", job->directory);
    put_text(L, "stdout", job->output);
    put_text(L, "command", job->command);
    put_text(L, "container", job->container);
    if (job->step_count)
        put_steps(L, job);
    return append(L, to->jobs);
}

static int on_node(void *ctx, const struct adt_slurm_node *node)
{
    const struct lists *to = ctx;
    lua_State *L = to->L;
    lua_createtable(L, 0, 20);
    put_text(L, "name", node->name);
    put_text(L, "nodes", node->nodes);
    put_text(L, "hostname", node->hostname);
    put_text(L, "address", node->address);
    if (node->state) {
        lua_pushstring(L, adt_slurm_node_state_name(node->state));
        lua_setfield(L, -2, "state");
    } else {
        put_upper(L, "state", node->state_text);
    }
    put_flags(L, node->flags, ADT_SLURM_NODE_FLAGS, node_flag);
    put_text(L, "reason", node->reason);
    put_text(L, "reason_user", node->reason_user);
    put_integer(L, "reason_time", node->reason_time, 0);
    put_integer(L, "node_count", node->node_count, -1);
    put_integer(L, "cpus", node->cpus, -1);
    put_integer(L, "cpus_allocated", node->cpus_allocated, -1);
    put_integer(L, "memory", node->memory, -1);
    put_integer(L, "memory_allocated", node->memory_allocated, -1);
    put_integer(L, "memory_free", node->memory_free, -1);
    put_integer(L, "boot", node->boot_time, 0);
    put_text(L, "gres", node->gres);
    put_text(L, "gres_used", node->gres_used);
    put_text(L, "features", node->features);
    put_list(L, "partitions", node->partitions);
    put_text(L, "version", node->version);
    put_text(L, "comment", node->comment);
    return append(L, to->nodes);
}

static int on_partition(void *ctx, const struct adt_slurm_partition *partition)
{
    const struct lists *to = ctx;
    lua_State *L = to->L;
    lua_createtable(L, 0, 12);
    put_text(L, "name", partition->name);
    put_upper(L, "state", partition->state);
    put_text(L, "node_state", partition->node_state);
    put_text(L, "nodes", partition->nodes);
    put_integer(L, "total_nodes", partition->total_nodes, -1);
    put_integer(L, "node_count", partition->node_count, -1);
    put_integer(L, "total_cpus", partition->total_cpus, -1);
    put_integer(L, "max_nodes", partition->max_nodes, -1);
    put_limit(L, "max_time", partition->max_time);
    put_limit(L, "default_time", partition->default_time);
    put_text(L, "qos", partition->qos);
    put_text(L, "tres", partition->tres);
    put_text(L, "cluster", partition->cluster);
    if (partition->is_default >= 0) {
        lua_pushboolean(L, partition->is_default);
        lua_setfield(L, -2, "default");
    }
    return append(L, to->partitions);
}

static int on_reservation(void *ctx, const struct adt_slurm_reservation *reservation)
{
    const struct lists *to = ctx;
    lua_State *L = to->L;
    lua_createtable(L, 0, 12);
    put_text(L, "name", reservation->name);
    put_upper(L, "state", reservation->state);
    put_text(L, "nodes", reservation->nodes);
    put_integer(L, "node_count", reservation->node_count, -1);
    put_integer(L, "start", reservation->start_time, 0);
    put_integer(L, "finish", reservation->end_time, 0);
    put_list(L, "flags", reservation->flags);
    put_list(L, "users", reservation->users);
    put_list(L, "accounts", reservation->accounts);
    put_text(L, "partition", reservation->partition);
    put_text(L, "tres", reservation->tres);
    return append(L, to->reservations);
}

static int on_ping(void *ctx, const struct adt_slurm_ping *ping)
{
    const struct lists *to = ctx;
    lua_State *L = to->L;
    lua_createtable(L, 0, 5);
    put_text(L, "hostname", ping->hostname);
    put_text(L, "mode", ping->mode);
    put_text(L, "pinged", ping->pinged);
    if (ping->up >= 0) {
        lua_pushboolean(L, ping->up);
        lua_setfield(L, -2, "up");
    }
    if (ping->latency >= 0) {
        lua_pushnumber(L, (lua_Number)ping->latency / 1e6);
        lua_setfield(L, -2, "latency");
    }
    return append(L, to->pings);
}

static int add_note(lua_State *L, int list, const struct adt_slurm_note *note)
{
    lua_createtable(L, 0, 4);
    put_integer(L, "code", note->code, ADT_SLURM_NO_CODE);
    put_text(L, "text", note->text);
    put_text(L, "detail", note->detail);
    put_text(L, "source", note->source);
    return append(L, list);
}

static int on_error(void *ctx, const struct adt_slurm_note *note)
{
    const struct lists *to = ctx;
    return add_note(to->L, to->errors, note);
}

static int on_warning(void *ctx, const struct adt_slurm_note *note)
{
    const struct lists *to = ctx;
    return add_note(to->L, to->warnings, note);
}

static void put_value(lua_State *L, int result, const char *field, int list, bool there)
{
    if (!there)
        return;
    lua_pushvalue(L, list);
    lua_setfield(L, result, field);
}

static int on_summary(void *ctx, const struct adt_slurm_summary *s)
{
    const struct lists *to = ctx;
    lua_State *L = to->L;
    lua_pushvalue(L, to->result);
    put_text(L, "version", s->version);
    put_text(L, "parser", s->parser);
    put_text(L, "cluster", s->cluster);
    put_integer(L, "job_id", s->job_id, 0);
    put_text(L, "step_id", s->step_id);
    put_text(L, "message", s->message);
    lua_pop(L, 1);
    put_value(L, to->result, "jobs", to->jobs, s->has_jobs);
    put_value(L, to->result, "nodes", to->nodes, s->has_nodes);
    put_value(L, to->result, "partitions", to->partitions, s->has_partitions);
    put_value(L, to->result, "reservations", to->reservations, s->has_reservations);
    put_value(L, to->result, "pings", to->pings, s->has_pings);
    put_value(L, to->result, "errors", to->errors, true);
    put_value(L, to->result, "warnings", to->warnings, true);
    return 0;
}

static const struct adt_slurm_sink sink = {
    .job = on_job,
    .node = on_node,
    .partition = on_partition,
    .reservation = on_reservation,
    .ping = on_ping,
    .error = on_error,
    .warning = on_warning,
    .summary = on_summary,
};

/* --- answers ------------------------------------------------------------------------------------------------------ */

static int reader_close(lua_State *L)
{
    struct adt_slurm_reader **slot = lua_touserdata(L, 1);
    adt_slurm_reader_free(*slot);
    *slot = NULL;
    return 0;
}

static int new_list(lua_State *L)
{
    lua_newtable(L);
    return lua_gettop(L);
}

/* answer(text) -> answer | nil, err */
static int slurm_answer(lua_State *L)
{
    struct adt_error err = {0};
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    lua_settop(L, 1);
    luaL_checkstack(L, 24, "slurm.answer");
    struct adt_slurm_reader **reader = adtL_newhandle(L, sizeof *reader, "adt.slurm.reader", 0);
    lua_toclose(L, -1);
    struct lists to = {.L = L};
    to.jobs = new_list(L);
    to.nodes = new_list(L);
    to.partitions = new_list(L);
    to.reservations = new_list(L);
    to.pings = new_list(L);
    to.errors = new_list(L);
    to.warnings = new_list(L);
    to.result = new_list(L);
    if (!(*reader = adt_slurm_reader_new(&sink, &to, &err)) || adt_slurm_reader_feed(*reader, text, n) < 0 ||
        adt_slurm_reader_finish(*reader) < 0)
        return adtL_fail(L, &err);
    lua_settop(L, to.result);
    return 1;
}

static struct lists one_list(lua_State *L)
{
    int list = new_list(L);
    return (struct lists){.L = L, .jobs = list, .nodes = list, .partitions = list, .reservations = list};
}

static enum adt_slurm_kind check_kind(lua_State *L, int arg)
{
    static const char *const kinds[] = {"job", "node", "partition", "reservation", NULL};
    return (enum adt_slurm_kind)luaL_checkoption(L, arg, NULL, kinds);
}

/* records(kind, text) -> list | nil, err */
static int slurm_records(lua_State *L)
{
    struct adt_error err = {0};
    size_t n;
    enum adt_slurm_kind kind = check_kind(L, 1);
    const char *text = luaL_checklstring(L, 2, &n);
    lua_settop(L, 2);
    luaL_checkstack(L, 16, "slurm.records");
    struct lists to = one_list(L);
    if (adt_slurm_scontrol(kind, text, n, &sink, &to, &err) < 0)
        return adtL_fail(L, &err);
    return 1;
}

static const char *check_separator(lua_State *L, int idx, const char *field, const char *otherwise)
{
    const char *text = adtL_optstring(L, idx, field, otherwise);
    if (!*text)
        luaL_error(L, "option '%s' must not be empty", field);
    return text;
}

/* rows(kind, text, { columns =, separator =, record =, header = }) -> list | nil, err */
static int slurm_rows(lua_State *L)
{
    static const char *const known[] = {"columns", "separator", "record", "header", NULL};
    struct adt_error err = {0};
    struct adt_slurm_table table = {0};
    size_t n;
    enum adt_slurm_kind kind = check_kind(L, 1);
    const char *text = luaL_checklstring(L, 2, &n);
    lua_settop(L, 3);
    luaL_checkstack(L, 24 + ADT_SLURM_COLUMNS, "slurm.rows");
    if (lua_isnil(L, 3)) {
        lua_newtable(L);
        lua_replace(L, 3);
    }
    luaL_checktype(L, 3, LUA_TTABLE);
    adtL_checkfields(L, 3, "slurm.rows", known);
    table.separator = check_separator(L, 3, "separator", "|");
    table.record = check_separator(L, 3, "record", "\n");
    table.header = adtL_optboolean(L, 3, "header", false);
    if (lua_getfield(L, 3, "columns") != LUA_TNIL) {
        int columns = lua_gettop(L);
        luaL_checktype(L, columns, LUA_TTABLE);
        lua_Integer count = luaL_len(L, columns);
        if (count < 1 || count > ADT_SLURM_COLUMNS)
            return luaL_error(L, "option 'columns' must name 1 to %d columns", ADT_SLURM_COLUMNS);
        struct adt_slurm_text *names = adtL_scratch(L, (size_t)count * sizeof *names);
        for (lua_Integer i = 0; i < count; i++) {
            /* Anchored by staying on the stack. */
            if (lua_rawgeti(L, columns, i + 1) != LUA_TSTRING)
                return luaL_error(L, "option 'columns' must hold names alone");
            names[i].p = lua_tolstring(L, -1, &names[i].n);
        }
        table.columns = names;
        table.column_count = (size_t)count;
    }
    struct lists to = one_list(L);
    if (adt_slurm_rows(kind, text, n, &table, &sink, &to, &err) < 0)
        return adtL_fail(L, &err);
    return 1;
}

/* submitted(text) -> id, cluster? | nil, err */
static int slurm_submitted(lua_State *L)
{
    struct adt_error err = {0};
    struct adt_slurm_text cluster;
    int64_t id;
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    if (adt_slurm_submitted(text, n, &id, &cluster, &err) < 0)
        return adtL_fail(L, &err);
    lua_pushinteger(L, id);
    if (!cluster.n)
        return 1;
    lua_pushlstring(L, cluster.p, cluster.n);
    return 2;
}

/* exit(text) -> code, signal | nil */
static int slurm_exit(lua_State *L)
{
    struct adt_slurm_exit exit = {0};
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    if (adt_slurm_exit_parse(text, n, &exit) < 0)
        return 0;
    lua_pushinteger(L, exit.code);
    lua_pushinteger(L, exit.signal);
    return 2;
}

int luaopen_adt_c_slurm(lua_State *L)
{
    static const luaL_Reg reader[] = {{"__gc", reader_close}, {"__close", reader_close}, {NULL, NULL}};
    static const luaL_Reg text[] = {{"__gc", buf_close}, {"__close", buf_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"check", slurm_check},         {"expand", slurm_expand},   {"fold", slurm_fold},
        {"answer", slurm_answer},       {"records", slurm_records}, {"rows", slurm_rows},
        {"submitted", slurm_submitted}, {"exit", slurm_exit},       {NULL, NULL}};
    adtL_newclass(L, "adt.slurm.reader", reader, NULL);
    adtL_newclass(L, "adt.slurm.text", text, NULL);
    luaL_newlib(L, functions);
    return 1;
}
