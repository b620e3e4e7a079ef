/* answer_state.c - the words for states and flags of jobs and nodes, long and short, and what follows from them */
#include "slurm/answer_private.h"

#include <string.h>

struct word {
    const char *name;
    int state, flag; /* -1: none */
};

/* The name that is Slurm's own comes first for each value. */
static const struct word job_words[] = {
    {"PENDING", ADT_SLURM_PENDING, -1},
    {"RUNNING", ADT_SLURM_RUNNING, -1},
    {"SUSPENDED", ADT_SLURM_SUSPENDED, -1},
    {"COMPLETED", ADT_SLURM_COMPLETED, -1},
    {"CANCELLED", ADT_SLURM_CANCELLED, -1},
    {"FAILED", ADT_SLURM_FAILED, -1},
    {"TIMEOUT", ADT_SLURM_TIMEOUT, -1},
    {"NODE_FAIL", ADT_SLURM_NODE_FAIL, -1},
    {"PREEMPTED", ADT_SLURM_PREEMPTED, -1},
    {"BOOT_FAIL", ADT_SLURM_BOOT_FAIL, -1},
    {"DEADLINE", ADT_SLURM_DEADLINE, -1},
    {"OUT_OF_MEMORY", ADT_SLURM_OUT_OF_MEMORY, -1},
    {"COMPLETING", -1, ADT_SLURM_COMPLETING},
    {"CONFIGURING", -1, ADT_SLURM_CONFIGURING},
    {"REQUEUED", -1, ADT_SLURM_REQUEUED},
    {"REQUEUE_HOLD", -1, ADT_SLURM_REQUEUE_HOLD},
    {"REQUEUE_FED", -1, ADT_SLURM_REQUEUE_FED},
    {"SPECIAL_EXIT", -1, ADT_SLURM_SPECIAL_EXIT},
    {"RESIZING", -1, ADT_SLURM_RESIZING},
    {"STAGE_OUT", -1, ADT_SLURM_STAGE_OUT},
    {"SIGNALING", -1, ADT_SLURM_SIGNALING},
    {"STOPPED", -1, ADT_SLURM_STOPPED},
    {"REVOKED", -1, ADT_SLURM_REVOKED},
    {"RESV_DEL_HOLD", -1, ADT_SLURM_RESV_DEL_HOLD},
    {"POWER_UP_NODE", -1, ADT_SLURM_POWER_UP_NODE},
    {"RECONFIG_FAIL", -1, ADT_SLURM_RECONFIG_FAIL},
    {"LAUNCH_FAILED", -1, ADT_SLURM_LAUNCH_FAILED},
    {"UPDATE_DB", -1, ADT_SLURM_UPDATE_DB},
    {"EXPEDITING", -1, ADT_SLURM_EXPEDITING},
    {"PD", ADT_SLURM_PENDING, -1},
    {"R", ADT_SLURM_RUNNING, -1},
    {"S", ADT_SLURM_SUSPENDED, -1},
    {"CD", ADT_SLURM_COMPLETED, -1},
    {"CA", ADT_SLURM_CANCELLED, -1},
    {"F", ADT_SLURM_FAILED, -1},
    {"TO", ADT_SLURM_TIMEOUT, -1},
    {"NF", ADT_SLURM_NODE_FAIL, -1},
    {"PR", ADT_SLURM_PREEMPTED, -1},
    {"BF", ADT_SLURM_BOOT_FAIL, -1},
    {"DL", ADT_SLURM_DEADLINE, -1},
    {"OOM", ADT_SLURM_OUT_OF_MEMORY, -1},
    {"CG", -1, ADT_SLURM_COMPLETING},
    {"CF", -1, ADT_SLURM_CONFIGURING},
    {"RQ", -1, ADT_SLURM_REQUEUED},
    {"RH", -1, ADT_SLURM_REQUEUE_HOLD},
    {"RF", -1, ADT_SLURM_REQUEUE_FED},
    {"SE", -1, ADT_SLURM_SPECIAL_EXIT},
    {"RS", -1, ADT_SLURM_RESIZING},
    {"SO", -1, ADT_SLURM_STAGE_OUT},
    {"SI", -1, ADT_SLURM_SIGNALING},
    {"ST", -1, ADT_SLURM_STOPPED},
    {"RV", -1, ADT_SLURM_REVOKED},
    {"RD", -1, ADT_SLURM_RESV_DEL_HOLD},
    {NULL, -1, -1},
};

static const struct word node_words[] = {
    {"DOWN", ADT_SLURM_NODE_DOWN, -1},
    {"IDLE", ADT_SLURM_NODE_IDLE, -1},
    {"ALLOCATED", ADT_SLURM_NODE_ALLOCATED, -1},
    {"ERROR", ADT_SLURM_NODE_ERROR, -1},
    {"MIXED", ADT_SLURM_NODE_MIXED, -1},
    {"FUTURE", ADT_SLURM_NODE_FUTURE, -1},
    {"DRAIN", -1, ADT_SLURM_NODE_DRAIN},
    {"COMPLETING", -1, ADT_SLURM_NODE_COMPLETING},
    {"NOT_RESPONDING", -1, ADT_SLURM_NODE_NOT_RESPONDING},
    {"RESERVED", -1, ADT_SLURM_NODE_RESERVED},
    {"FAIL", -1, ADT_SLURM_NODE_FAIL_FLAG},
    {"MAINTENANCE", -1, ADT_SLURM_NODE_MAINTENANCE},
    {"PLANNED", -1, ADT_SLURM_NODE_PLANNED},
    {"POWERED_DOWN", -1, ADT_SLURM_NODE_POWERED_DOWN},
    {"POWERING_DOWN", -1, ADT_SLURM_NODE_POWERING_DOWN},
    {"POWERING_UP", -1, ADT_SLURM_NODE_POWERING_UP},
    {"POWER_DOWN", -1, ADT_SLURM_NODE_POWER_DOWN},
    {"POWER_UP", -1, ADT_SLURM_NODE_POWER_UP},
    {"POWER_DRAIN", -1, ADT_SLURM_NODE_POWER_DRAIN},
    {"REBOOT_REQUESTED", -1, ADT_SLURM_NODE_REBOOT_REQUESTED},
    {"REBOOT_ISSUED", -1, ADT_SLURM_NODE_REBOOT_ISSUED},
    {"CLOUD", -1, ADT_SLURM_NODE_CLOUD},
    {"DYNAMIC_NORM", -1, ADT_SLURM_NODE_DYNAMIC_NORM},
    {"DYNAMIC_FUTURE", -1, ADT_SLURM_NODE_DYNAMIC_FUTURE},
    {"INVALID_REG", -1, ADT_SLURM_NODE_INVALID_REG},
    {"BLOCKED", -1, ADT_SLURM_NODE_BLOCKED},
    {"EXTERNAL", -1, ADT_SLURM_NODE_EXTERNAL},
    {"NET", -1, ADT_SLURM_NODE_NET},
    {"RES", -1, ADT_SLURM_NODE_RES},
    {"UNDRAIN", -1, ADT_SLURM_NODE_UNDRAIN},
    {"PERFCTRS", -1, ADT_SLURM_NODE_PERFCTRS},
    /* sinfo's words for a base state and DRAIN do not say which base state. */
    {"DRAINED", -1, ADT_SLURM_NODE_DRAIN},
    {"DRAINING", -1, ADT_SLURM_NODE_DRAIN},
    {"DRNG", -1, ADT_SLURM_NODE_DRAIN},
    {"FAILING", -1, ADT_SLURM_NODE_FAIL_FLAG},
    {"FAILG", -1, ADT_SLURM_NODE_FAIL_FLAG},
    {"ALLOC", ADT_SLURM_NODE_ALLOCATED, -1},
    {"MIX", ADT_SLURM_NODE_MIXED, -1},
    {"ERR", ADT_SLURM_NODE_ERROR, -1},
    {"FUTR", ADT_SLURM_NODE_FUTURE, -1},
    {"COMP", -1, ADT_SLURM_NODE_COMPLETING},
    {"NO_RESPOND", -1, ADT_SLURM_NODE_NOT_RESPONDING},
    {"RESV", -1, ADT_SLURM_NODE_RESERVED},
    {"MAINT", -1, ADT_SLURM_NODE_MAINTENANCE},
    {"PLND", -1, ADT_SLURM_NODE_PLANNED},
    {"POW_DN", -1, ADT_SLURM_NODE_POWERING_DOWN},
    {"POW_UP", -1, ADT_SLURM_NODE_POWERING_UP},
    {"REBOOT", -1, ADT_SLURM_NODE_REBOOT_ISSUED},
    {"BOOT", -1, ADT_SLURM_NODE_REBOOT_ISSUED},
    {"INVAL", -1, ADT_SLURM_NODE_INVALID_REG},
    {"BLOCK", -1, ADT_SLURM_NODE_BLOCKED},
    {"NPC", -1, ADT_SLURM_NODE_PERFCTRS},
    {NULL, -1, -1},
};

/* Marks that sinfo puts behind a node's state. */
static const struct {
    char mark;
    int flag;
} node_marks[] = {
    {'*', ADT_SLURM_NODE_NOT_RESPONDING},   {'~', ADT_SLURM_NODE_POWERED_DOWN},  {'#', ADT_SLURM_NODE_POWERING_UP},
    {'!', ADT_SLURM_NODE_POWER_DOWN},       {'%', ADT_SLURM_NODE_POWERING_DOWN}, {'$', ADT_SLURM_NODE_MAINTENANCE},
    {'@', ADT_SLURM_NODE_REBOOT_REQUESTED}, {'^', ADT_SLURM_NODE_REBOOT_ISSUED}, {'-', ADT_SLURM_NODE_PLANNED},
};

static const char *name_of(const struct word *words, int state, int flag)
{
    for (; words->name; words++)
        if (words->state == state && words->flag == flag)
            return words->name;
    return "UNKNOWN";
}

const char *adt_slurm_state_name(enum adt_slurm_state state)
{
    return state ? name_of(job_words, (int)state, -1) : "UNKNOWN";
}

const char *adt_slurm_flag_name(enum adt_slurm_flag flag)
{
    return name_of(job_words, -1, (int)flag);
}

const char *adt_slurm_node_state_name(enum adt_slurm_node_state state)
{
    return state ? name_of(node_words, (int)state, -1) : "UNKNOWN";
}

const char *adt_slurm_node_flag_name(enum adt_slurm_node_flag flag)
{
    return name_of(node_words, -1, (int)flag);
}

bool adt_slurm_ended(enum adt_slurm_state state, uint32_t flags)
{
    const uint32_t moving = 1u << ADT_SLURM_COMPLETING | 1u << ADT_SLURM_REQUEUED | 1u << ADT_SLURM_REQUEUE_HOLD |
                            1u << ADT_SLURM_REQUEUE_FED | 1u << ADT_SLURM_SPECIAL_EXIT | 1u << ADT_SLURM_STAGE_OUT |
                            1u << ADT_SLURM_RESIZING;
    return state >= ADT_SLURM_COMPLETED && !(flags & moving);
}

bool adt_slurm_job_ended(const struct adt_slurm_job *job)
{
    return adt_slurm_ended(job->state, job->flags);
}

static const struct word *find_word(const struct word *words, const char *p, size_t n)
{
    for (; words->name; words++)
        if (slurm_same(words->name, strlen(words->name), p, n))
            return words;
    return NULL;
}

/* A command that cuts its columns marks the cut with a plus: "OUT_OF_ME+". */
static const struct word *find_cut(const struct word *words, const char *p, size_t n)
{
    const struct word *found = NULL;
    for (; n >= 4 && words->name; words++) {
        if (strlen(words->name) < n || !slurm_same(words->name, n, p, n))
            continue;
        if (found)
            return NULL;
        found = words;
    }
    return found;
}

static size_t word_end(const char *p, size_t from, size_t n)
{
    while (from < n && p[from] != '+' && p[from] != ' ' && p[from] != ',')
        from++;
    return from;
}

/* "CANCELLED by 1000" */
static void read_canceller(struct adt_slurm_text rest, int64_t *by)
{
    int64_t uid;
    if (rest.n > 4 && !memcmp(rest.p, " by ", 4) &&
        slurm_digits((struct adt_slurm_text){rest.p + 4, rest.n - 4}, &uid) == rest.n - 4)
        *by = uid;
}

void slurm_job_state(struct adt_slurm_text t, struct slurm_states *s)
{
    size_t from = 0, to;
    for (; from < t.n; from = to + 1) {
        to = word_end(t.p, from, t.n);
        const struct word *w = find_word(job_words, t.p + from, to - from);
        if (!w && to + 1 == t.n && t.p[to] == '+')
            w = find_cut(job_words, t.p + from, to - from);
        if (w && w->flag >= 0)
            *s->flags |= 1u << w->flag;
        bool base = w && w->state >= 0 && !*s->state;
        if (base)
            *s->state = (unsigned)w->state;
        if (to > from && (base || !s->text->n))
            *s->text = (struct adt_slurm_text){t.p + from, to - from};
        if (w && w->state == ADT_SLURM_CANCELLED && s->by) {
            read_canceller((struct adt_slurm_text){t.p + to, t.n - to}, s->by);
            if (to < t.n && t.p[to] == ' ')
                return;
        }
    }
}

static size_t take_marks(const char *p, size_t n, uint32_t *flags)
{
    for (size_t i = 0; n > 1 && i < sizeof node_marks / sizeof *node_marks; i++)
        if (p[n - 1] == node_marks[i].mark) {
            *flags |= 1u << node_marks[i].flag;
            n--;
            i = (size_t)-1;
        }
    return n;
}

void slurm_node_state(struct adt_slurm_text t, struct slurm_states *s)
{
    size_t from = 0, to;
    for (; from < t.n; from = to + 1) {
        to = word_end(t.p, from, t.n);
        size_t n = take_marks(t.p + from, to - from, s->flags);
        const struct word *w = find_word(node_words, t.p + from, n);
        if (!w && to + 1 == t.n && t.p[to] == '+')
            w = find_cut(node_words, t.p + from, n);
        if (w && w->flag >= 0)
            *s->flags |= 1u << w->flag;
        bool base = w && w->state >= 0 && !*s->state;
        if (base)
            *s->state = (unsigned)w->state;
        if (n && (base || !s->text->n))
            *s->text = (struct adt_slurm_text){t.p + from, n};
    }
}
