/* answer_json.c - Slurm's JSON as events: a record at a time, found by where it stands
 *
 * Every value has a path of keys ("jobs[].time.start"). A path that begins a record opens one; what stands below it
 * goes to the record's fields by the rest of the path. {set, infinite, number} counts as the number that it stands
 * for. */
#include "slurm/answer_reader.h"

#include "base/mem.h"

#include <string.h>

/* --- the answer itself -------------------------------------------------------------------------------------------- */

static void keep_short(struct adt_slurm_text *field, char *out, size_t size, struct adt_slurm_text t)
{
    size_t n = t.n < size ? t.n : size;
    memcpy(out, t.p, n);
    *field = (struct adt_slurm_text){out, n};
}

/* "data_parser/v0.0.41", "openapi/dbv0.0.38"; not "openapi/slurmctld", which names no version. */
static void set_parser(struct adt_slurm_reader *r, struct adt_slurm_text t)
{
    const char *slash = memchr(t.p, '/', t.n);
    if (slash)
        t = (struct adt_slurm_text){slash + 1, t.n - (size_t)(slash + 1 - t.p)};
    bool version = false;
    for (size_t i = 0; i + 1 < t.n; i++)
        version = version || (t.p[i] == 'v' && t.p[i + 1] >= '0' && t.p[i + 1] <= '9');
    if (version)
        keep_short(&r->summary.parser, r->parser, sizeof r->parser, t);
}

static void set_summary(struct adt_slurm_reader *r, const char *path, size_t n, const struct slurm_value *v)
{
    static const struct {
        const char *path;
        int what;
    } known[] = {{"meta.slurm.release", 'v'},
                 {"meta.Slurm.release", 'v'},
                 {"meta.plugin.data_parser", 'p'},
                 {"meta.plugins.data_parser", 'p'},
                 {"meta.plugin.type", 'p'},
                 {"meta.slurm.cluster", 'c'},
                 {"job_id", 'j'},
                 {"result.job_id", 'j'},
                 {"step_id", 's'},
                 {"result.step_id", 's'},
                 {"job_submit_user_msg", 'm'},
                 {"result.job_submit_user_msg", 'm'},
                 {"result.error_code", 'e'},
                 {"result.error", 't'}};
    int what = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known && !what; i++)
        if (strlen(known[i].path) == n && !memcmp(known[i].path, path, n))
            what = known[i].what;
    int64_t id = v->number;
    if (what == 'j') {
        if (v->is_text && slurm_digits(v->text, &id) != v->text.n)
            id = 0;
        if (id > 0)
            r->summary.job_id = id;
        return;
    }
    if (what == 'e' && !v->is_text)
        r->result.note.code = v->number;
    if (!what || !v->is_text || !v->text.n)
        return;
    if (what == 'v')
        keep_short(&r->summary.version, r->version, sizeof r->version, v->text);
    else if (what == 'p')
        set_parser(r, v->text);
    else if (what == 'c')
        keep_short(&r->summary.cluster, r->cluster, sizeof r->cluster, v->text);
    else if (what == 's')
        keep_short(&r->summary.step_id, r->step_id, sizeof r->step_id, v->text);
    else if (what == 'm')
        keep_short(&r->summary.message, r->message, sizeof r->message, v->text);
    else if (what == 't')
        keep_short(&r->result.note.text, r->result_text, sizeof r->result_text, v->text);
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static int set_field(struct adt_slurm_reader *r, unsigned kind, union slurm_record *record, size_t base,
                     const struct slurm_value *v)
{
    if (r->path_n <= base || (base && r->path[base] != '.'))
        return 0;
    size_t from = base ? base + 1 : 0;
    const struct slurm_field *f = slurm_json_field(kind, r->path + from, r->path_n - from);
    if (!f)
        return 0;
    struct slurm_value kept = *v;
    struct adt_slurm_text *old = (struct adt_slurm_text *)(void *)((char *)record + f->at);
    if (v->is_text && slurm_is_hosts(f)) {
        if (slurm_reader_keep_host(r, v->text, &kept.text) < 0)
            return -1;
    } else if (v->is_text) {
        struct adt_slurm_text none = {0};
        if (slurm_reader_keep(r, slurm_is_list(f) && f->name[strlen(f->name) - 1] == ']' ? *old : none, v->text,
                              &kept.text) < 0)
            return -1;
    }
    f->set(record, f->at, &kept);
    return 0;
}

static int give(struct adt_slurm_reader *r, unsigned kind, union slurm_record *record)
{
    return slurm_record_give(kind, record, r->sink, r->ctx);
}

/* An entry of errors[] that is a text alone. */
static int plain_note(struct adt_slurm_reader *r, const struct slurm_value *v)
{
    static const struct {
        const char *path;
        unsigned kind;
    } lists[] = {{"errors[]", SLURM_ERROR}, {"warnings[]", SLURM_WARNING}};
    for (size_t i = 0; i < 2; i++) {
        if (!v->is_text || strlen(lists[i].path) != r->path_n || memcmp(lists[i].path, r->path, r->path_n) != 0)
            continue;
        union slurm_record note;
        slurm_record_init(lists[i].kind, &note);
        note.note.text = v->text;
        return give(r, lists[i].kind, &note);
    }
    return 0;
}

static int value(struct adt_slurm_reader *r, const struct slurm_value *v)
{
    if (r->skipped)
        return 0;
    if (r->step_depth)
        return set_field(r, SLURM_STEP, &r->step, r->step_base, v);
    if (r->kind == SLURM_NO_RECORD || r->bare) {
        set_summary(r, r->path, r->path_n, v);
        if (plain_note(r, v) < 0)
            return -1;
    }
    return r->kind == SLURM_NO_RECORD ? 0 : set_field(r, r->kind, &r->record, r->base, v);
}

/* --- structure ---------------------------------------------------------------------------------------------------- */

static bool at_path(const struct adt_slurm_reader *r, const char *path)
{
    return strlen(path) == r->path_n && !memcmp(path, r->path, r->path_n);
}

static void see_list(struct adt_slurm_reader *r)
{
    struct adt_slurm_summary *s = &r->summary;
    static const char *const others[] = {"meta", "errors", "warnings", "result", "statistics", NULL};
    bool jobs = at_path(r, "jobs"), nodes = at_path(r, "nodes") || at_path(r, "sinfo");
    bool partitions = at_path(r, "partitions"), reservations = at_path(r, "reservations");
    bool pings = at_path(r, "pings") || at_path(r, "ping");
    s->has_jobs |= jobs;
    s->has_nodes |= nodes;
    s->has_partitions |= partitions;
    s->has_reservations |= reservations;
    s->has_pings |= pings;
    r->known |= jobs || nodes || partitions || reservations || pings;
    for (const char *const *name = others; *name; name++)
        r->known |= at_path(r, *name);
}

/* Which record an object at the path begins. */
static unsigned record_at(const struct adt_slurm_reader *r)
{
    static const struct {
        const char *path;
        unsigned kind;
    } places[] = {{"jobs[]", ADT_SLURM_JOB},
                  {"nodes[]", ADT_SLURM_NODE},
                  {"sinfo[]", ADT_SLURM_NODE},
                  {"partitions[]", ADT_SLURM_PARTITION},
                  {"reservations[]", ADT_SLURM_RESERVATION},
                  {"pings[]", SLURM_PING},
                  {"ping[]", SLURM_PING},
                  {"errors[]", SLURM_ERROR},
                  {"warnings[]", SLURM_WARNING}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (at_path(r, places[i].path))
            return places[i].kind;
    return SLURM_NO_RECORD;
}

static void open_record(struct adt_slurm_reader *r, unsigned kind, bool bare)
{
    slurm_reader_drop(r);
    slurm_record_init(kind, &r->record);
    r->kind = kind;
    r->bare = bare;
    r->base = r->path_n;
    r->record_depth = r->depth + 1;
}

static void open_object(struct adt_slurm_reader *r)
{
    unsigned kind = record_at(r);
    if (kind != SLURM_NO_RECORD) {
        open_record(r, kind, false);
    } else if (r->kind == SLURM_NO_RECORD && (!r->path_n || at_path(r, "[]"))) {
        /* A job kept alone, without the answer around it; whether it is one shows at its end. */
        open_record(r, ADT_SLURM_JOB, true);
    } else if (r->kind == ADT_SLURM_JOB && !r->step_depth && r->path_n > r->base && r->depth == r->record_depth + 1 &&
               r->path_n >= 7 && !memcmp(r->path + r->path_n - 7, "steps[]", 7)) {
        slurm_record_init(SLURM_STEP, &r->step);
        r->step_base = r->path_n;
        r->step_depth = r->depth + 1;
    }
}

static int push(struct adt_slurm_reader *r, bool array)
{
    if (r->skipped || r->depth == ADT_SLURM_PATH) {
        r->skipped++;
        return 0;
    }
    if (r->depth == 1)
        see_list(r);
    if (!array)
        open_object(r);
    r->level[r->depth++] = (struct slurm_level){.array = array, .path_n = r->path_n};
    if (array && r->path_n + 2 <= SLURM_PATH) {
        memcpy(r->path + r->path_n, "[]", 2);
        r->path_n += 2;
    }
    return 0;
}

static int close_step(struct adt_slurm_reader *r)
{
    struct adt_slurm_job *job = &r->record.job;
    r->step_depth = 0;
    slurm_record_give(SLURM_STEP, &r->step, r->sink, r->ctx);
    if (job->step_count == ADT_SLURM_STEPS) {
        job->steps_left_out++;
        return 0;
    }
    if (job->step_count == r->steps_size) {
        size_t size = r->steps_size ? r->steps_size * 2 : 8;
        struct adt_slurm_step *more = adt_realloc(r->steps, size * sizeof *more);
        if (!more)
            return adt_error_nomem(r->err);
        r->steps = more;
        r->steps_size = size;
    }
    r->steps[job->step_count++] = r->step.step;
    job->steps = r->steps;
    return 0;
}

static int close_record(struct adt_slurm_reader *r)
{
    unsigned kind = r->kind;
    bool wanted = slurm_record_named(kind, &r->record), bare = r->bare;
    r->kind = SLURM_NO_RECORD;
    r->bare = false;
    if (bare) {
        wanted = wanted && r->record.job.state_text.n;
        if (!wanted)
            return 0;
        r->known = r->summary.has_jobs = true;
        r->summary.job_id = 0;
    }
    /* Without a name it is no record, but no reason either to lose all others. */
    return wanted ? give(r, kind, &r->record) : 0;
}

static int pop(struct adt_slurm_reader *r)
{
    if (r->skipped) {
        r->skipped--;
        return 0;
    }
    struct slurm_level *l = &r->level[--r->depth];
    r->path_n = l->path_n;
    if (r->step_depth && r->depth + 1 == r->step_depth)
        return close_step(r);
    if (r->kind != SLURM_NO_RECORD && r->depth + 1 == r->record_depth)
        return close_record(r);
    if (!l->array && ((l->set && l->number_seen) || l->infinite)) {
        struct slurm_value v = {.number = l->number, .infinite = l->infinite};
        return value(r, &v);
    }
    return 0;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static int on_key(void *ctx, const char *text, size_t n)
{
    struct adt_slurm_reader *r = ctx;
    if (r->skipped)
        return 0;
    r->path_n = r->level[r->depth - 1].path_n;
    size_t dot = r->path_n ? 1 : 0;
    if (r->path_n + dot + n + 2 > SLURM_PATH) {
        text = "?"; /* no field has a path like this */
        n = 1;
    }
    if (r->path_n + dot + n > SLURM_PATH)
        return 0;
    if (dot)
        r->path[r->path_n++] = '.';
    memcpy(r->path + r->path_n, text, n);
    r->path_n += n;
    return 0;
}

static bool key_is(const struct adt_slurm_reader *r, const struct slurm_level *l, const char *key)
{
    size_t from = l->path_n + (l->path_n ? 1 : 0);
    return r->path_n >= from && r->path_n - from == strlen(key) && !memcmp(r->path + from, key, r->path_n - from);
}

static int on_integer(void *ctx, int64_t number)
{
    struct adt_slurm_reader *r = ctx;
    struct slurm_level *l = r->skipped || !r->depth ? NULL : &r->level[r->depth - 1];
    if (l && !l->array && key_is(r, l, "number")) {
        l->number = number;
        l->number_seen = true;
    }
    struct slurm_value v = {.number = number};
    return value(r, &v);
}

static int on_number(void *ctx, double number)
{
    return on_integer(ctx, number > -9e18 && number < 9e18 ? (int64_t)number : -1);
}

static int on_boolean(void *ctx, bool yes)
{
    struct adt_slurm_reader *r = ctx;
    struct slurm_level *l = r->skipped || !r->depth ? NULL : &r->level[r->depth - 1];
    if (l && !l->array && key_is(r, l, "set"))
        l->set = yes;
    else if (l && !l->array && key_is(r, l, "infinite"))
        l->infinite = yes;
    struct slurm_value v = {.number = yes};
    return value(r, &v);
}

static int on_string(void *ctx, const char *text, size_t n)
{
    struct slurm_value v = {.is_text = true, .text = {text, n}};
    return value(ctx, &v);
}

static int on_begin_array(void *ctx)
{
    return push(ctx, true);
}

static int on_begin_object(void *ctx)
{
    return push(ctx, false);
}

static int on_end(void *ctx)
{
    return pop(ctx);
}

const struct adt_events slurm_answer_events = {
    .boolean = on_boolean,
    .integer = on_integer,
    .number = on_number,
    .string = on_string,
    .begin_array = on_begin_array,
    .end_array = on_end,
    .begin_object = on_begin_object,
    .key = on_key,
    .end_object = on_end,
};
