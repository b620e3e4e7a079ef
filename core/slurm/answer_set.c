/* answer_set.c - the setters behind the tables of fields: one value, however it was written, into one form */
#include "slurm/answer_set.h"

#include <string.h>

#define FIELD(type) ((type *)(void *)((char *)record + at))

/* Slurm's two numbers for "not set" and "no end", 32 and 64 bits wide, signed and not. */
static bool is_unset(int64_t n)
{
    return n == -2 || n == (int64_t)UINT32_MAX - 1;
}

static bool is_endless(int64_t n)
{
    return n == -1 || n == (int64_t)UINT32_MAX;
}

void slurm_set_over(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_text t = slurm_trim(v->text);
    if (v->is_text && t.n && !slurm_same("(null)", 6, t.p, t.n))
        *FIELD(struct adt_slurm_text) = t;
}

void slurm_set_text(void *record, size_t at, const struct slurm_value *v)
{
    if (!FIELD(struct adt_slurm_text)->n)
        slurm_set_over(record, at, v);
}

void slurm_set_word(void *record, size_t at, const struct slurm_value *v)
{
    if (!slurm_is_none(slurm_trim(v->text)))
        slurm_set_text(record, at, v);
}

void slurm_set_list(void *record, size_t at, const struct slurm_value *v)
{
    if (!slurm_is_none(slurm_trim(v->text)))
        slurm_set_over(record, at, v);
}

void slurm_set_hosts(void *record, size_t at, const struct slurm_value *v)
{
    slurm_set_list(record, at, v);
}

/* The number in [v]: -1 when there is none. */
static int64_t number_of(const struct slurm_value *v)
{
    int64_t n = v->number;
    struct adt_slurm_text t = slurm_trim(v->text);
    if (v->is_text && (!t.n || !slurm_digits(t, &n)))
        return -1;
    return v->infinite || n < 0 || is_unset(n) || is_endless(n) ? -1 : n;
}

void slurm_set_count(void *record, size_t at, const struct slurm_value *v)
{
    if (*FIELD(int64_t) < 0)
        *FIELD(int64_t) = number_of(v);
}

void slurm_set_number(void *record, size_t at, const struct slurm_value *v)
{
    if (*FIELD(int64_t) == ADT_SLURM_NO_CODE && !v->is_text)
        *FIELD(int64_t) = v->number;
}

void slurm_set_id(void *record, size_t at, const struct slurm_value *v)
{
    int64_t n = number_of(v);
    if (*FIELD(int64_t) == 0 && n > 0)
        *FIELD(int64_t) = n;
}

void slurm_set_time(void *record, size_t at, const struct slurm_value *v)
{
    int64_t n = v->is_text ? adt_slurm_time_parse(v->text.p, v->text.n) : number_of(v);
    if (*FIELD(int64_t) == 0 && n > 0)
        *FIELD(int64_t) = n;
}

void slurm_set_limit(void *record, size_t at, const struct slurm_value *v)
{
    if (*FIELD(int64_t) < 0)
        *FIELD(int64_t) = v->is_text ? adt_slurm_limit_parse(v->text.p, v->text.n) : -1;
}

void slurm_set_minutes(void *record, size_t at, const struct slurm_value *v)
{
    if (v->is_text) {
        slurm_set_limit(record, at, v);
        return;
    }
    if (*FIELD(int64_t) >= 0)
        return;
    if (v->infinite || is_endless(v->number))
        *FIELD(int64_t) = ADT_SLURM_UNLIMITED;
    else if (v->number >= 0 && !is_unset(v->number) && v->number < INT64_MAX / 60)
        *FIELD(int64_t) = v->number * 60;
}

void slurm_set_exit(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_exit *exit = FIELD(struct adt_slurm_exit);
    if (exit->code >= 0)
        return;
    if (v->is_text) {
        adt_slurm_exit_parse(v->text.p, v->text.n, exit);
    } else if (v->number >= 0 && v->number <= UINT16_MAX) {
        exit->code = (int)(v->number >> 8 & 0xFF);
        exit->signal = (int)(v->number & 0x7F);
    }
}

void slurm_set_code(void *record, size_t at, const struct slurm_value *v)
{
    int64_t n = number_of(v);
    if (n >= 0 && n <= 255)
        FIELD(struct adt_slurm_exit)->code = (int)n;
}

void slurm_set_signal(void *record, size_t at, const struct slurm_value *v)
{
    int64_t n = number_of(v);
    if (n > 0 && n <= 255)
        FIELD(struct adt_slurm_exit)->signal = (int)n;
}

/* --- jobs and steps ----------------------------------------------------------------------------------------------- */

void slurm_set_job_id(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_job *job = record;
    if (v->is_text)
        slurm_job_id(v->text, job);
    else
        slurm_set_id(record, at, v);
}

void slurm_set_job_state(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_job *job = record;
    unsigned state = job->state;
    struct slurm_states s = {&state, &job->flags, &job->state_text, &job->cancelled_by};
    (void)at;
    if (v->is_text)
        slurm_job_state(slurm_trim(v->text), &s);
    job->state = (enum adt_slurm_state)state;
}

void slurm_set_step_state(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_step *step = record;
    unsigned state = step->state;
    struct slurm_states s = {&state, &step->flags, &step->state_text, NULL};
    (void)at;
    if (v->is_text)
        slurm_job_state(slurm_trim(v->text), &s);
    step->state = (enum adt_slurm_state)state;
}

void slurm_set_tasks(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_job *job = record;
    struct adt_slurm_text t = slurm_trim(v->text);
    int64_t n;
    if (!v->is_text)
        slurm_set_count(record, at, v);
    else if (t.n && slurm_digits(t, &n) == t.n)
        job->array_task_id = n;
    else if (!slurm_is_none(t))
        job->array_task_string = t;
}

/* "name(1000)", a name, or a number alone. */
void slurm_set_user(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_job *job = record;
    struct adt_slurm_text t = slurm_trim(v->text);
    int64_t uid;
    if (!v->is_text)
        return;
    if (t.n && slurm_digits(t, &uid) == t.n) {
        job->uid = uid;
        return;
    }
    const char *open = memchr(t.p, '(', t.n);
    if (open && open > t.p) {
        struct adt_slurm_text inside = {open + 1, t.n - (size_t)(open + 1 - t.p)};
        if (slurm_digits(inside, &uid))
            job->uid = uid;
        t.n = (size_t)(open - t.p);
    }
    struct slurm_value name = {.is_text = true, .text = t};
    slurm_set_word(record, at, &name);
}

/* Nodes, or in brackets the reason why there are none. */
void slurm_set_where(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_job *job = record;
    struct adt_slurm_text t = slurm_trim(v->text);
    (void)at;
    struct slurm_value value = {.is_text = v->is_text, .text = t};
    if (t.n < 2 || t.p[0] != '(' || t.p[t.n - 1] != ')') {
        slurm_set_word(&job->nodes, 0, &value);
        return;
    }
    if (slurm_is_none(t))
        return;
    value.text = (struct adt_slurm_text){t.p + 1, t.n - 2};
    slurm_set_word(&job->reason, 0, &value);
}

/* --- nodes, partitions, pings ------------------------------------------------------------------------------------- */

void slurm_set_node_state(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_node *node = record;
    unsigned state = node->state;
    struct slurm_states s = {&state, &node->flags, &node->state_text, NULL};
    (void)at;
    if (v->is_text)
        slurm_node_state(slurm_trim(v->text), &s);
    node->state = (enum adt_slurm_node_state)state;
}

/* A row of sinfo may stand for many nodes. */
void slurm_set_node_name(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_node *node = record;
    struct adt_slurm_text t = slurm_trim(v->text);
    bool many = t.n && (memchr(t.p, '[', t.n) || memchr(t.p, ',', t.n));
    (void)at;
    slurm_set_word(many ? &node->nodes : &node->name, 0, v);
}

/* "Kill task failed [root@2024-05-01T10:00:00]" */
void slurm_set_node_reason(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_node *node = record;
    struct adt_slurm_text t = slurm_trim(v->text);
    (void)at;
    if (!v->is_text || slurm_is_none(t))
        return;
    size_t open = t.n;
    while (open && t.p[open - 1] != '[')
        open--;
    const char *sign = open ? memchr(t.p + open, '@', t.n - open) : NULL;
    if (sign && t.p[t.n - 1] == ']') {
        struct adt_slurm_text time = {sign + 1, t.n - 1 - (size_t)(sign + 1 - t.p)};
        node->reason_user = (struct adt_slurm_text){t.p + open, (size_t)(sign - t.p) - open};
        node->reason_time = adt_slurm_time_parse(time.p, time.n);
        t = slurm_trim((struct adt_slurm_text){t.p, open - 1});
    }
    struct slurm_value value = {.is_text = true, .text = t};
    slurm_set_text(&node->reason, 0, &value);
}

/* Allocated, idle, other, all: "2/0/2/4" */
void slurm_set_cpus(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_node *node = record;
    struct adt_slurm_text t = slurm_trim(v->text);
    int64_t part[4];
    (void)at;
    for (int i = 0; i < 4; i++) {
        size_t got = slurm_digits(t, &part[i]);
        if (!got || (i < 3 && (got == t.n || t.p[got] != '/')))
            return;
        got += i < 3;
        t = (struct adt_slurm_text){t.p + got, t.n - got};
    }
    node->cpus_allocated = part[0];
    node->cpus = part[3];
}

static bool has_star(struct adt_slurm_text t)
{
    return t.n > 1 && t.p[t.n - 1] == '*';
}

void slurm_set_starless(void *record, size_t at, const struct slurm_value *v)
{
    struct slurm_value name = *v;
    name.text = slurm_trim(v->text);
    name.text.n -= has_star(name.text);
    slurm_set_word(record, at, &name);
}

/* The star marks the default one. */
void slurm_set_partition(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_partition *partition = record;
    if (has_star(slurm_trim(v->text)))
        partition->is_default = 1;
    slurm_set_starless(record, at, v);
}

/* scontrol's state is the partition's own, in capitals; sinfo's is its nodes'. */
void slurm_set_partition_state(void *record, size_t at, const struct slurm_value *v)
{
    static const char *const own[] = {"UP", "DOWN", "DRAIN", "INACTIVE", NULL};
    struct adt_slurm_partition *partition = record;
    struct adt_slurm_text t = slurm_trim(v->text);
    (void)at;
    for (const char *const *word = own; *word; word++)
        if (strlen(*word) == t.n && !memcmp(*word, t.p, t.n)) {
            slurm_set_text(&partition->state, 0, v);
            return;
        }
    slurm_set_text(&partition->node_state, 0, v);
}

void slurm_set_default(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_text t = slurm_trim(v->text);
    if (slurm_same("YES", 3, t.p, t.n) || slurm_same("default", 7, t.p, t.n))
        *FIELD(int) = 1;
    else if (slurm_same("NO", 2, t.p, t.n))
        *FIELD(int) = 0;
}

/* scontrol has a host list where sinfo has a number. */
void slurm_set_nodes_or_count(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_partition *partition = record;
    struct adt_slurm_text t = slurm_trim(v->text);
    int64_t n;
    (void)at;
    if (!v->is_text || (t.n && slurm_digits(t, &n) == t.n))
        slurm_set_count(&partition->node_count, 0, v);
    else
        slurm_set_word(&partition->nodes, 0, v);
}

void slurm_set_up(void *record, size_t at, const struct slurm_value *v)
{
    struct adt_slurm_ping *ping = record;
    struct adt_slurm_text t = slurm_trim(v->text);
    (void)at;
    if (!v->is_text) {
        ping->up = v->number != 0;
        return;
    }
    slurm_set_text(&ping->pinged, 0, v);
    ping->up = slurm_same("UP", 2, t.p, t.n);
}
