/* answer_scontrol.c - `scontrol show`: Key=Value, on one line a record or on many
 *
 * Values hold blanks, and job names, comments and reasons hold whatever their authors like, "State=FAILED" included.
 * Where records have lines, scontrol gives such texts the rest of theirs. On one line a value ends where a word looks
 * like a key; what a key said first stays, and a job's name ends where UserId= begins. */
#include "slurm/answer_private.h"

#include <string.h>

struct reader {
    enum adt_slurm_kind kind;
    const struct adt_slurm_sink *sink;
    void *ctx;
    struct adt_error *err;
    union slurm_record record;
    bool open, lines; /* a record has begun; it goes on over indented lines */
    size_t line;
};

static const char *const first_keys[] = {
    [ADT_SLURM_JOB] = "JobId=",
    [ADT_SLURM_NODE] = "NodeName=",
    [ADT_SLURM_PARTITION] = "PartitionName=",
    [ADT_SLURM_RESERVATION] = "ReservationName=",
};

static bool begins(struct adt_slurm_text t, const char *with)
{
    size_t n = strlen(with);
    return t.n >= n && !memcmp(t.p, with, n);
}

static bool is_free(struct adt_slurm_text key)
{
    static const char *const keys[] = {"JobName", "Comment", "AdminComment", "SystemComment", "Command", "WorkDir",
                                       "StdErr",  "StdIn",   "StdOut",       "SubmitLine",    "Extra",   "OS",
                                       NULL};
    for (const char *const *k = keys; *k; k++)
        if (strlen(*k) == key.n && begins(key, *k))
            return true;
    return false;
}

/* The length of a key that [t] begins with, its '=' not counted; 0: none. All of scontrol's begin with a capital. */
static size_t key_length(struct adt_slurm_text t)
{
    if (!t.n || t.p[0] < 'A' || t.p[0] > 'Z')
        return 0;
    for (size_t i = 1; i < t.n && i < 40; i++) {
        char c = t.p[i];
        if (c == '=')
            return i;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_:/.-", c)) || !c)
            return 0;
    }
    return 0;
}

/* Where the value ends that begins at [from]. */
static size_t value_end(struct adt_slurm_text t, size_t from, const char *next)
{
    for (size_t i = from; i < t.n; i++) {
        if (t.p[i] != ' ' && t.p[i] != '\t')
            continue;
        struct adt_slurm_text rest = {t.p + i + 1, t.n - i - 1};
        if (next ? begins(rest, next) : key_length(rest) > 0)
            return i;
    }
    return next ? value_end(t, from, NULL) : t.n;
}

/* On one line a heterogeneous job has one more key between its name and UserId=. */
static size_t name_end(struct adt_slurm_text t, size_t from, size_t end)
{
    size_t word = end;
    while (word > from && t.p[word - 1] != ' ')
        word--;
    struct adt_slurm_text last = {t.p + word, end - word};
    bool ids = begins(last, "HetJobIdSet=") || begins(last, "PackJobIdSet=");
    return ids && word > from ? word - 1 : end;
}

static void read_line(struct reader *r, struct adt_slurm_text t)
{
    size_t at = 0;
    while (at < t.n) {
        struct adt_slurm_text rest = {t.p + at, t.n - at};
        size_t n = key_length(rest);
        if (!n) {
            at++; /* a blank, or a word of no use: "NtasksPerTRES:0" */
            while (at < t.n && t.p[at - 1] != ' ' && t.p[at - 1] != '\t')
                at++;
            continue;
        }
        struct adt_slurm_text key = {rest.p, n};
        size_t from = at + n + 1, end;
        if (r->lines && is_free(key))
            end = t.n;
        else
            end = value_end(t, from, n == 7 && begins(key, "JobName") ? "UserId=" : NULL);
        if (!r->lines && begins(key, "JobName"))
            end = name_end(t, from, end);
        const struct slurm_field *f = slurm_text_field(r->kind, key.p, key.n);
        struct slurm_value v = {.is_text = true, .text = slurm_trim((struct adt_slurm_text){t.p + from, end - from})};
        /* Some versions quote: StartTime="None" */
        if (v.text.n >= 2 && v.text.p[0] == '"' && v.text.p[v.text.n - 1] == '"')
            v.text = (struct adt_slurm_text){v.text.p + 1, v.text.n - 2};
        if (f)
            f->set(&r->record, f->at, &v);
        at = end + 1;
    }
}

static int close_record(struct reader *r)
{
    if (!r->open)
        return 0;
    r->open = false;
    if (!slurm_record_named(r->kind, &r->record))
        return slurm_bad(r->err, "line %zu: the record before it has no id or name", r->line);
    return slurm_record_give(r->kind, &r->record, r->sink, r->ctx);
}

/* What scontrol says when there is nothing to show. */
static bool says_none(struct adt_slurm_text line)
{
    return begins(line, "No ") && line.n > 14 && !memcmp(line.p + line.n - 14, " in the system", 14);
}

int adt_slurm_scontrol(enum adt_slurm_kind kind, const char *text, size_t n, const struct adt_slurm_sink *sink,
                       void *ctx, struct adt_error *err)
{
    struct reader r = {.kind = kind, .sink = sink, .ctx = ctx, .err = err};
    const char *at = text, *end = text + n;
    char shown[128];
    if (n > ADT_SLURM_TEXT)
        return slurm_bad(err, "scontrol's answer has more than %d bytes", ADT_SLURM_TEXT);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct adt_slurm_text line = {at, (size_t)((newline ? newline : end) - at)};
        at = newline ? newline + 1 : end;
        r.line++;
        if (begins(line, first_keys[kind])) {
            if (close_record(&r) < 0)
                return -1;
            /* A record on many lines goes on, indented, on the next one. */
            r.lines = at < end && (*at == ' ' || *at == '\t');
            slurm_record_init(kind, &r.record);
            r.open = true;
        } else if (!r.open && slurm_trim(line).n && !says_none(line)) {
            slurm_excerpt(line.p, line.n, shown);
            return slurm_bad(err, "line %zu is no record of scontrol's: '%s'", r.line, shown);
        }
        if (r.open)
            read_line(&r, slurm_trim(line));
    }
    return close_record(&r);
}
