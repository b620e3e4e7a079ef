/* slurm_text.c - any bytes as the commands' text: records of scontrol, rows of the others, sbatch, single values */
#include "base/mem.h"
#include "slurm/answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *begin, *end;

/* Texts are parts of the input. */
static void within(struct adt_slurm_text t)
{
    if (t.n && (t.p < begin || t.p + t.n > end))
        abort();
}

static int on_job(void *ctx, const struct adt_slurm_job *j)
{
    (void)ctx;
    within(j->array_task_string);
    within(j->step);
    within(j->name);
    within(j->user);
    within(j->reason);
    within(j->nodes);
    within(j->state_text);
    within(j->comment);
    if ((!j->id && !j->array_job_id && !j->het_job_id) || j->exit.code < -1 || j->exit.code > 255 || j->time_limit < -1)
        abort();
    return 0;
}

static int on_node(void *ctx, const struct adt_slurm_node *n)
{
    (void)ctx;
    within(n->name);
    within(n->nodes);
    within(n->state_text);
    within(n->reason);
    within(n->reason_user);
    within(n->partitions);
    return 0;
}

static int on_partition(void *ctx, const struct adt_slurm_partition *p)
{
    (void)ctx;
    within(p->name);
    within(p->state);
    within(p->node_state);
    within(p->nodes);
    return 0;
}

static int on_reservation(void *ctx, const struct adt_slurm_reservation *r)
{
    (void)ctx;
    within(r->name);
    within(r->users);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct adt_slurm_sink sink = {
        .job = on_job, .node = on_node, .partition = on_partition, .reservation = on_reservation};
    static const struct adt_slurm_text columns[] = {{"JobID", 5}, {"JobName", 7}, {"State", 5}, {"NodeList", 8}};
    static const struct adt_slurm_table tables[] = {
        {0}, {.columns = columns, .column_count = 4}, {.separator = "::", .record = ";;"}};
    struct adt_error err;
    struct adt_slurm_text cluster;
    struct adt_slurm_exit exit;
    int64_t id;
    if (size < 1)
        return 0;
    enum adt_slurm_kind kind = (enum adt_slurm_kind)(data[0] % 4);
    size_t n = size - 1;
    char *text = adt_memdup(data + 1, n);
    begin = text;
    end = text + n;
    (void)adt_slurm_scontrol(kind, text, n, &sink, NULL, &err);
    (void)adt_slurm_rows(kind, text, n, &tables[data[0] / 4 % 3], &sink, NULL, &err);
    if (adt_slurm_submitted(text, n, &id, &cluster, &err) == 0) {
        within(cluster);
        if (id <= 0)
            abort();
    }
    (void)adt_slurm_exit_parse(text, n, &exit);
    if (adt_slurm_time_parse(text, n) < 0 || adt_slurm_limit_parse(text, n) < -1)
        abort();
    adt_free(text);
    return 0;
}
