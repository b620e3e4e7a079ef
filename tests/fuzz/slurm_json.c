/* slurm_json.c - any bytes as an answer in JSON: whole and in pieces alike, every text of a record readable */
#include "base/mem.h"
#include "slurm/answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct sum {
    uint64_t records, bytes;
};

/* Reads all of it, so that a text without memory shows. */
static void add(struct sum *s, struct adt_slurm_text t)
{
    for (size_t i = 0; i < t.n; i++)
        s->bytes = s->bytes * 31 + (unsigned char)t.p[i];
}

static int on_job(void *ctx, const struct adt_slurm_job *j)
{
    struct sum *s = ctx;
    s->records++;
    const struct adt_slurm_text texts[] = {
        j->array_task_string, j->step,    j->name,       j->user,  j->account, j->partition, j->qos,
        j->cluster,           j->reason,  j->state_text, j->nodes, j->hosts,   j->comment,   j->output,
        j->directory,         j->command, j->container};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add(s, texts[i]);
    for (size_t i = 0; i < j->step_count; i++) {
        add(s, j->steps[i].name);
        add(s, j->steps[i].id);
        add(s, j->steps[i].state_text);
        add(s, j->steps[i].nodes);
    }
    if (j->exit.code < -1 || j->exit.code > 255 || j->time_limit < -1 || j->start_time < 0)
        abort();
    return 0;
}

static int on_node(void *ctx, const struct adt_slurm_node *n)
{
    struct sum *s = ctx;
    s->records++;
    add(s, n->name);
    add(s, n->nodes);
    add(s, n->state_text);
    add(s, n->reason);
    add(s, n->reason_user);
    add(s, n->features);
    add(s, n->partitions);
    return 0;
}

static int on_partition(void *ctx, const struct adt_slurm_partition *p)
{
    add(ctx, p->name);
    add(ctx, p->state);
    add(ctx, p->nodes);
    return 0;
}

static int on_reservation(void *ctx, const struct adt_slurm_reservation *r)
{
    add(ctx, r->name);
    add(ctx, r->flags);
    return 0;
}

static int on_ping(void *ctx, const struct adt_slurm_ping *p)
{
    add(ctx, p->hostname);
    add(ctx, p->pinged);
    return 0;
}

static int on_note(void *ctx, const struct adt_slurm_note *n)
{
    add(ctx, n->text);
    add(ctx, n->detail);
    add(ctx, n->source);
    return 0;
}

static int on_summary(void *ctx, const struct adt_slurm_summary *s)
{
    add(ctx, s->version);
    add(ctx, s->parser);
    add(ctx, s->cluster);
    add(ctx, s->step_id);
    add(ctx, s->message);
    return 0;
}

static int read_all(const uint8_t *data, size_t size, size_t piece, struct sum *sum)
{
    static const struct adt_slurm_sink sink = {on_job,  on_node, on_partition, on_reservation,
                                               on_ping, on_note, on_note,      on_summary};
    struct adt_error err = {0};
    *sum = (struct sum){0};
    struct adt_slurm_reader *r = adt_slurm_reader_new(&sink, sum, &err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < size; i += piece) {
        size_t n = size - i < piece ? size - i : piece;
        char *copy = adt_memdup(data + i, n);
        rc = adt_slurm_reader_feed(r, copy, n);
        adt_free(copy);
    }
    if (rc == 0)
        rc = adt_slurm_reader_finish(r);
    if (rc < 0 && (err.cause != ADT_SERVICE || strcmp(err.code, "BadAnswer") != 0))
        abort();
    adt_slurm_reader_free(r);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sum whole, pieces;
    int rc = read_all(data, size, size ? size : 1, &whole);
    if (read_all(data, size, 1 + size % 5, &pieces) != rc)
        abort();
    if (rc == 0 && (whole.bytes != pieces.bytes || whole.records != pieces.records))
        abort();
    return 0;
}
