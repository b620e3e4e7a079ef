/* answer_json.c - Slurm's JSON, read as it streams in: a record at a time, found by where it stands
 *
 * Every value has a path of keys ("jobs[].time.start"). A path that begins a record opens one; what stands below it
 * goes to the record's fields by the rest of the path. {set, infinite, number} counts as the number that it stands for.
 * Kept are the texts of the record at hand, and a few of the answer itself. */
#include "slurm/answer_private.h"

#include "base/buf.h"
#include "base/mem.h"
#include "data/json.h"
#include "data/utf8.h"

#include <string.h>

enum { PATH = 256, NO_RECORD = SLURM_KINDS, CHUNK = 16 << 10 };

struct chunk {
    struct chunk *next;
    size_t size, used;
    char bytes[];
};

/* One array or object that is open. */
struct level {
    bool array;
    size_t path_n; /* of its own path */
    /* the members of {set, infinite, number}, when there are any */
    bool number_seen, set, infinite;
    int64_t number;
};

struct adt_slurm_reader {
    const struct adt_slurm_sink *sink;
    void *ctx;
    struct adt_error *err;
    struct adt_json_parser *json;
    bool blank;      /* nothing but blanks so far */
    char start[128]; /* the answer's beginning, should it be no JSON */
    size_t start_n;
    struct adt_utf8 utf8;
    char carry[4]; /* the beginning of a character that the last piece ended in */
    size_t carry_n;

    char path[PATH];
    size_t path_n;
    struct level level[ADT_SLURM_PATH];
    unsigned depth, skipped; /* open and looked into; open below those */

    unsigned kind; /* of the record at hand */
    unsigned record_depth, step_depth;
    size_t base, step_base; /* lengths of their paths */
    union slurm_record record, step;
    bool bare; /* the record is the answer itself, or a member of it, without a key */
    struct adt_slurm_step *steps;
    size_t steps_size;
    struct chunk *texts;
    size_t texts_size;
    struct adt_buf hosts;

    struct adt_slurm_summary summary;
    char version[64], parser[64], cluster[64], step_id[64], message[512];
    union slurm_record result; /* the error in the result of a submission */
    char result_text[256];
    bool known; /* something of Slurm's was seen */
};

/* --- texts of the record at hand ---------------------------------------------------------------------------------- */

static void drop_texts(struct adt_slurm_reader *r)
{
    /* One chunk stays for the next record. */
    while (r->texts && r->texts->next) {
        struct chunk *next = r->texts->next;
        adt_free(r->texts);
        r->texts = next;
    }
    if (r->texts)
        r->texts->used = 0;
    r->texts_size = 0;
    r->hosts.len = 0;
}

static char *new_text(struct adt_slurm_reader *r, size_t n)
{
    struct chunk *c = r->texts;
    r->texts_size += n;
    if (r->texts_size > ADT_SLURM_RECORD) {
        slurm_bad(r->err, "one record of Slurm's answer has more than %d bytes", ADT_SLURM_RECORD);
        return NULL;
    }
    if (!c || c->size - c->used < n) {
        size_t size = n > CHUNK ? n : CHUNK;
        if (!(c = adt_alloc(sizeof *c + size))) {
            adt_error_nomem(r->err);
            return NULL;
        }
        *c = (struct chunk){.next = r->texts, .size = size};
        r->texts = c;
    }
    c->used += n;
    return c->bytes + c->used - n;
}

/* A copy of [more], behind [old] and a comma when there is an [old]. */
static int keep_text(struct adt_slurm_reader *r, struct adt_slurm_text old, struct adt_slurm_text more,
                     struct adt_slurm_text *out)
{
    size_t comma = old.n ? 1 : 0, n = old.n + comma + more.n;
    char *p = new_text(r, n ? n : 1);
    if (!p)
        return -1;
    if (old.n)
        memcpy(p, old.p, old.n);
    if (comma)
        p[old.n] = ',';
    memcpy(p + old.n + comma, more.p, more.n);
    *out = (struct adt_slurm_text){p, n};
    return 0;
}

static int keep_host(struct adt_slurm_reader *r, struct adt_slurm_text more, struct adt_slurm_text *out)
{
    struct adt_buf *b = &r->hosts;
    if ((b->len && adt_buf_addc(b, ',') < 0) || adt_buf_add(b, more.p, more.n) < 0)
        return slurm_bad(r->err, "a list of nodes in Slurm's answer has more than %d bytes", ADT_SLURM_RECORD);
    *out = (struct adt_slurm_text){b->p, b->len};
    return 0;
}

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
        if (keep_host(r, v->text, &kept.text) < 0)
            return -1;
    } else if (v->is_text) {
        struct adt_slurm_text none = {0};
        if (keep_text(r, slurm_is_list(f) && f->name[strlen(f->name) - 1] == ']' ? *old : none, v->text, &kept.text) <
            0)
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
    if (r->kind == NO_RECORD || r->bare) {
        set_summary(r, r->path, r->path_n, v);
        if (plain_note(r, v) < 0)
            return -1;
    }
    return r->kind == NO_RECORD ? 0 : set_field(r, r->kind, &r->record, r->base, v);
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
    return NO_RECORD;
}

static void open_record(struct adt_slurm_reader *r, unsigned kind, bool bare)
{
    drop_texts(r);
    slurm_record_init(kind, &r->record);
    r->kind = kind;
    r->bare = bare;
    r->base = r->path_n;
    r->record_depth = r->depth + 1;
}

static void open_object(struct adt_slurm_reader *r)
{
    unsigned kind = record_at(r);
    if (kind != NO_RECORD) {
        open_record(r, kind, false);
    } else if (r->kind == NO_RECORD && (!r->path_n || at_path(r, "[]"))) {
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
    r->level[r->depth++] = (struct level){.array = array, .path_n = r->path_n};
    if (array && r->path_n + 2 <= PATH) {
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
    r->kind = NO_RECORD;
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
    struct level *l = &r->level[--r->depth];
    r->path_n = l->path_n;
    if (r->step_depth && r->depth + 1 == r->step_depth)
        return close_step(r);
    if (r->kind != NO_RECORD && r->depth + 1 == r->record_depth)
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
    if (r->path_n + dot + n + 2 > PATH) {
        text = "?"; /* no field has a path like this */
        n = 1;
    }
    if (r->path_n + dot + n > PATH)
        return 0;
    if (dot)
        r->path[r->path_n++] = '.';
    memcpy(r->path + r->path_n, text, n);
    r->path_n += n;
    return 0;
}

static bool key_is(const struct adt_slurm_reader *r, const struct level *l, const char *key)
{
    size_t from = l->path_n + (l->path_n ? 1 : 0);
    return r->path_n >= from && r->path_n - from == strlen(key) && !memcmp(r->path + from, key, r->path_n - from);
}

static int on_integer(void *ctx, int64_t number)
{
    struct adt_slurm_reader *r = ctx;
    struct level *l = r->skipped || !r->depth ? NULL : &r->level[r->depth - 1];
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
    struct level *l = r->skipped || !r->depth ? NULL : &r->level[r->depth - 1];
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

/* --- the reader --------------------------------------------------------------------------------------------------- */

struct adt_slurm_reader *adt_slurm_reader_new(const struct adt_slurm_sink *sink, void *ctx, struct adt_error *err)
{
    static const struct adt_events events = {
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
    const struct adt_json_options opt = {.max_size = ADT_SLURM_TEXT, .cause = ADT_SERVICE};
    struct adt_slurm_reader *r = adt_zalloc(sizeof *r);
    if (!r)
        return adt_error_nomem(err), NULL;
    r->sink = sink;
    r->ctx = ctx;
    r->err = err;
    r->kind = NO_RECORD;
    r->blank = true;
    adt_buf_init(&r->hosts, ADT_SLURM_RECORD);
    slurm_record_init(SLURM_ERROR, &r->result);
    if (!(r->json = adt_json_new(&opt, &events, r, err))) {
        adt_slurm_reader_free(r);
        return NULL;
    }
    return r;
}

/* Not JSON at all is what slurmrestd says in plain words: "Authentication failure". */
static int failed(struct adt_slurm_reader *r)
{
    char shown[128];
    if (r->err->cause == ADT_SERVICE && !strcmp(r->err->code, "BadJson") && r->start_n && r->start[0] != '{' &&
        r->start[0] != '[') {
        slurm_excerpt(r->start, r->start_n, shown);
        return slurm_bad(r->err, "Slurm answered with a text that is no JSON: '%s'", shown);
    }
    /* Whatever is wrong with the text, it is no answer; the message and the place stay. */
    if (r->err->cause == ADT_SERVICE)
        memcpy(r->err->code, "BadAnswer", sizeof "BadAnswer");
    return -1;
}

static int feed(struct adt_slurm_reader *r, const char *text, size_t n)
{
    for (size_t i = 0; i < n && r->start_n < sizeof r->start; i++) {
        bool blank = text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t';
        r->blank &= blank;
        if (!r->blank)
            r->start[r->start_n++] = text[i];
    }
    return n ? adt_json_feed(r->json, text, n) : 0;
}

/* The beginning of a character from the piece before; how many bytes of [text] belong to it. */
static int feed_carry(struct adt_slurm_reader *r, const char *text, size_t n, size_t *used)
{
    *used = 0;
    while (r->carry_n && *used < n) {
        if (adt_utf8_next(&r->utf8, (unsigned char)text[*used]) < 0) {
            r->carry_n = 0;
            r->utf8 = (struct adt_utf8){0};
            return feed(r, "\xEF\xBF\xBD", 3);
        }
        r->carry[r->carry_n++] = text[(*used)++];
        if (!r->utf8.need) {
            size_t whole = r->carry_n;
            r->carry_n = 0;
            return feed(r, r->carry, whole);
        }
    }
    return 0;
}

static int feed_checked(struct adt_slurm_reader *r, const char *text, size_t n)
{
    size_t at;
    if (feed_carry(r, text, n, &at) < 0)
        return -1;
    while (at < n) {
        size_t good = adt_utf8_valid(text + at, n - at);
        if (feed(r, text + at, good) < 0)
            return -1;
        at += good;
        struct adt_utf8 u = {0};
        size_t i = at;
        while (i < n && adt_utf8_next(&u, (unsigned char)text[i]) == 0)
            i++;
        if (i == n && at < n) {
            r->carry_n = n - at;
            memcpy(r->carry, text + at, r->carry_n);
            r->utf8 = u;
            return 0;
        }
        if (at < n && feed(r, "\xEF\xBF\xBD", 3) < 0)
            return -1;
        at += at < n;
    }
    return 0;
}

int adt_slurm_reader_feed(struct adt_slurm_reader *r, const char *text, size_t n)
{
    return feed_checked(r, text, n) < 0 ? failed(r) : 0;
}

int adt_slurm_reader_finish(struct adt_slurm_reader *r)
{
    char shown[128];
    if (r->carry_n && feed(r, "\xEF\xBF\xBD", 3) < 0)
        return failed(r);
    if (!r->start_n)
        return slurm_bad(r->err, "Slurm's answer is empty");
    if (adt_json_finish(r->json) < 0)
        return failed(r);
    if (!r->known && !r->summary.job_id) {
        slurm_excerpt(r->start, r->start_n, shown);
        return slurm_bad(r->err, "JSON, but no answer of Slurm's: '%s'", shown);
    }
    const struct adt_slurm_note *result = &r->result.note;
    if (result->code != ADT_SLURM_NO_CODE && result->code && r->sink->error && r->sink->error(r->ctx, result) < 0)
        return -1;
    return r->sink->summary ? r->sink->summary(r->ctx, &r->summary) : 0;
}

void adt_slurm_reader_free(struct adt_slurm_reader *r)
{
    if (!r)
        return;
    adt_json_free(r->json);
    while (r->texts) {
        struct chunk *next = r->texts->next;
        adt_free(r->texts);
        r->texts = next;
    }
    adt_buf_free(&r->hosts);
    adt_free(r->steps);
    adt_free(r);
}
