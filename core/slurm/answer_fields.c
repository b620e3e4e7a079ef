/* answer_fields.c - which names, in JSON and in text, are which fields; and what fields say together */
#include "slurm/answer_set.h"

#include <stddef.h>
#include <string.h>

#define JOB(member) offsetof(struct adt_slurm_job, member)
#define STEP(member) offsetof(struct adt_slurm_step, member)
#define NODE(member) offsetof(struct adt_slurm_node, member)
#define PART(member) offsetof(struct adt_slurm_partition, member)
#define RESV(member) offsetof(struct adt_slurm_reservation, member)
#define PING(member) offsetof(struct adt_slurm_ping, member)
#define NOTE(member) offsetof(struct adt_slurm_note, member)

/* --- JSON: slurmctld's names, then those of slurmdbd where they differ -------------------------------------------- */

static const struct slurm_field json_job[] = {
    {"job_id", slurm_set_job_id, JOB(id)},
    {"array_job_id", slurm_set_id, JOB(array_job_id)},
    {"array_task_id", slurm_set_tasks, JOB(array_task_id)},
    {"array_task_string", slurm_set_tasks, JOB(array_task_string)},
    {"array.job_id", slurm_set_id, JOB(array_job_id)},
    {"array.task_id", slurm_set_tasks, JOB(array_task_id)},
    {"array.task", slurm_set_tasks, JOB(array_task_string)},
    {"het_job_id", slurm_set_id, JOB(het_job_id)},
    {"het_job_offset", slurm_set_count, JOB(het_offset)},
    {"het.job_id", slurm_set_id, JOB(het_job_id)},
    {"het.job_offset", slurm_set_count, JOB(het_offset)},
    {"name", slurm_set_text, JOB(name)},
    {"user_name", slurm_set_text, JOB(user)},
    {"user", slurm_set_text, JOB(user)},
    {"user_id", slurm_set_count, JOB(uid)},
    {"account", slurm_set_text, JOB(account)},
    {"partition", slurm_set_text, JOB(partition)},
    {"qos", slurm_set_word, JOB(qos)},
    {"cluster", slurm_set_text, JOB(cluster)},
    {"job_state", slurm_set_job_state, JOB(state)},
    {"job_state[]", slurm_set_job_state, JOB(state)},
    {"state", slurm_set_job_state, JOB(state)},
    {"state[]", slurm_set_job_state, JOB(state)},
    {"state.current", slurm_set_job_state, JOB(state)},
    {"state.current[]", slurm_set_job_state, JOB(state)},
    {"state_reason", slurm_set_word, JOB(reason)},
    {"state.reason", slurm_set_word, JOB(reason)},
    {"exit_code", slurm_set_exit, JOB(exit)},
    {"exit_code.return_code", slurm_set_code, JOB(exit)},
    {"exit_code.signal.id", slurm_set_signal, JOB(exit)},
    {"exit_code.signal.signal_id", slurm_set_signal, JOB(exit)},
    {"nodes", slurm_set_word, JOB(nodes)},
    {"node_count", slurm_set_count, JOB(node_count)},
    {"allocation_nodes", slurm_set_count, JOB(node_count)},
    {"submit_time", slurm_set_time, JOB(submit_time)},
    {"eligible_time", slurm_set_time, JOB(eligible_time)},
    {"start_time", slurm_set_time, JOB(start_time)},
    {"end_time", slurm_set_time, JOB(end_time)},
    {"time_limit", slurm_set_minutes, JOB(time_limit)},
    {"time.submission", slurm_set_time, JOB(submit_time)},
    {"time.eligible", slurm_set_time, JOB(eligible_time)},
    {"time.start", slurm_set_time, JOB(start_time)},
    {"time.end", slurm_set_time, JOB(end_time)},
    {"time.limit", slurm_set_minutes, JOB(time_limit)},
    {"restart_cnt", slurm_set_count, JOB(restarts)},
    {"comment", slurm_set_text, JOB(comment)},
    {"comment.job", slurm_set_text, JOB(comment)},
    {"current_working_directory", slurm_set_text, JOB(directory)},
    {"working_directory", slurm_set_text, JOB(directory)},
    {"standard_output", slurm_set_text, JOB(output)},
    {"stdout", slurm_set_text, JOB(output)},
    {"stdout_expanded", slurm_set_over, JOB(output)},
    {"command", slurm_set_text, JOB(command)},
    {"container", slurm_set_text, JOB(container)},
    {"job_resources.allocated_nodes[].nodename", slurm_set_hosts, JOB(hosts)},
    {"job_resources.nodes.allocation[].name", slurm_set_hosts, JOB(hosts)},
    {0},
};

static const struct slurm_field json_step[] = {
    {"step.id", slurm_set_text, STEP(id)},
    {"step.name", slurm_set_text, STEP(name)},
    {"state", slurm_set_step_state, STEP(state)},
    {"state[]", slurm_set_step_state, STEP(state)},
    {"exit_code", slurm_set_exit, STEP(exit)},
    {"exit_code.return_code", slurm_set_code, STEP(exit)},
    {"exit_code.signal.id", slurm_set_signal, STEP(exit)},
    {"exit_code.signal.signal_id", slurm_set_signal, STEP(exit)},
    {"nodes.range", slurm_set_word, STEP(nodes)},
    {"nodes.count", slurm_set_count, STEP(node_count)},
    {"time.start", slurm_set_time, STEP(start_time)},
    {"time.end", slurm_set_time, STEP(end_time)},
    {0},
};

/* The last lines are sinfo's own answer since 23.02, whose entries stand for several nodes each. */
static const struct slurm_field json_node[] = {
    {"name", slurm_set_node_name, NODE(name)},
    {"hostname", slurm_set_text, NODE(hostname)},
    {"address", slurm_set_text, NODE(address)},
    {"state", slurm_set_node_state, NODE(state)},
    {"state[]", slurm_set_node_state, NODE(state)},
    {"state_flags[]", slurm_set_node_state, NODE(state)},
    {"reason", slurm_set_node_reason, NODE(reason)},
    {"reason_changed_at", slurm_set_time, NODE(reason_time)},
    {"reason_set_by_user", slurm_set_word, NODE(reason_user)},
    {"cpus", slurm_set_count, NODE(cpus)},
    {"alloc_cpus", slurm_set_count, NODE(cpus_allocated)},
    {"real_memory", slurm_set_count, NODE(memory)},
    {"alloc_memory", slurm_set_count, NODE(memory_allocated)},
    {"free_memory", slurm_set_count, NODE(memory_free)},
    {"free_mem", slurm_set_count, NODE(memory_free)},
    {"boot_time", slurm_set_time, NODE(boot_time)},
    {"gres", slurm_set_word, NODE(gres)},
    {"gres_used", slurm_set_word, NODE(gres_used)},
    {"features", slurm_set_word, NODE(features)},
    {"features[]", slurm_set_list, NODE(features)},
    {"partitions", slurm_set_word, NODE(partitions)},
    {"partitions[]", slurm_set_list, NODE(partitions)},
    {"version", slurm_set_word, NODE(version)},
    {"slurmd_version", slurm_set_word, NODE(version)},
    {"comment", slurm_set_text, NODE(comment)},
    {"node.state", slurm_set_node_state, NODE(state)},
    {"node.state[]", slurm_set_node_state, NODE(state)},
    {"nodes.nodes[]", slurm_set_hosts, NODE(nodes)},
    {"nodes.total", slurm_set_count, NODE(node_count)},
    {"cpus.total", slurm_set_count, NODE(cpus)},
    {"cpus.allocated", slurm_set_count, NODE(cpus_allocated)},
    {"memory.maximum", slurm_set_count, NODE(memory)},
    {"gres.total", slurm_set_word, NODE(gres)},
    {"gres.used", slurm_set_word, NODE(gres_used)},
    {"features.total", slurm_set_word, NODE(features)},
    {"partition.name", slurm_set_word, NODE(partitions)},
    {"reason.description", slurm_set_node_reason, NODE(reason)},
    {"reason.time", slurm_set_time, NODE(reason_time)},
    {"reason.user", slurm_set_word, NODE(reason_user)},
    {0},
};

static const struct slurm_field json_partition[] = {
    {"name", slurm_set_partition, PART(name)},
    {"state", slurm_set_list, PART(state)},
    {"partition.state", slurm_set_list, PART(state)},
    {"partition.state[]", slurm_set_list, PART(state)},
    {"nodes", slurm_set_word, PART(nodes)},
    {"nodes.configured", slurm_set_word, PART(nodes)},
    {"nodes.total", slurm_set_count, PART(total_nodes)},
    {"total_nodes", slurm_set_count, PART(total_nodes)},
    {"cpus.total", slurm_set_count, PART(total_cpus)},
    {"total_cpus", slurm_set_count, PART(total_cpus)},
    {"maximums.nodes", slurm_set_count, PART(max_nodes)},
    {"maximum_nodes_per_job", slurm_set_count, PART(max_nodes)},
    {"maximums.time", slurm_set_minutes, PART(max_time)},
    {"max_time_limit", slurm_set_minutes, PART(max_time)},
    {"defaults.time", slurm_set_minutes, PART(default_time)},
    {"default_time_limit", slurm_set_minutes, PART(default_time)},
    {"flags[]", slurm_set_default, PART(is_default)},
    {"qos", slurm_set_word, PART(qos)},
    {"qos.assigned", slurm_set_word, PART(qos)},
    {"tres", slurm_set_word, PART(tres)},
    {"tres.configured", slurm_set_word, PART(tres)},
    {"cluster", slurm_set_word, PART(cluster)},
    {0},
};

static const struct slurm_field json_reservation[] = {
    {"name", slurm_set_text, RESV(name)},
    {"node_list", slurm_set_word, RESV(nodes)},
    {"node_count", slurm_set_count, RESV(node_count)},
    {"start_time", slurm_set_time, RESV(start_time)},
    {"end_time", slurm_set_time, RESV(end_time)},
    {"flags", slurm_set_word, RESV(flags)},
    {"flags[]", slurm_set_list, RESV(flags)},
    {"users", slurm_set_word, RESV(users)},
    {"accounts", slurm_set_word, RESV(accounts)},
    {"partition", slurm_set_word, RESV(partition)},
    {"tres", slurm_set_word, RESV(tres)},
    {0},
};

static const struct slurm_field json_ping[] = {
    {"hostname", slurm_set_text, PING(hostname)},
    {"mode", slurm_set_text, PING(mode)},
    {"pinged", slurm_set_up, PING(up)},
    {"ping", slurm_set_up, PING(up)},
    {"responding", slurm_set_up, PING(up)},
    {"latency", slurm_set_count, PING(latency)},
    {0},
};

static const struct slurm_field json_note[] = {
    {"error_number", slurm_set_number, NOTE(code)},
    {"error_code", slurm_set_number, NOTE(code)},
    {"errno", slurm_set_number, NOTE(code)},
    {"error", slurm_set_text, NOTE(text)},
    {"description", slurm_set_text, NOTE(detail)},
    {"source", slurm_set_text, NOTE(source)},
    {0},
};

/* --- text: letters and digits of the names alone, in lower case --------------------------------------------------- */

static const struct slurm_field text_job[] = {
    {"jobid", slurm_set_job_id, JOB(id)},
    {"jobidraw", slurm_set_job_id, JOB(id)},
    {"id", slurm_set_job_id, JOB(id)},
    {"arrayjobid", slurm_set_id, JOB(array_job_id)},
    {"arraytaskid", slurm_set_tasks, JOB(array_task_id)},
    {"hetjobid", slurm_set_id, JOB(het_job_id)},
    {"hetjoboffset", slurm_set_count, JOB(het_offset)},
    {"jobname", slurm_set_text, JOB(name)},
    {"name", slurm_set_text, JOB(name)},
    {"userid", slurm_set_user, JOB(user)},
    {"user", slurm_set_user, JOB(user)},
    {"username", slurm_set_user, JOB(user)},
    {"uid", slurm_set_count, JOB(uid)},
    {"account", slurm_set_text, JOB(account)},
    {"partition", slurm_set_text, JOB(partition)},
    {"qos", slurm_set_word, JOB(qos)},
    {"cluster", slurm_set_text, JOB(cluster)},
    {"jobstate", slurm_set_job_state, JOB(state)},
    {"state", slurm_set_job_state, JOB(state)},
    {"statecompact", slurm_set_job_state, JOB(state)},
    {"st", slurm_set_job_state, JOB(state)},
    {"reason", slurm_set_word, JOB(reason)},
    {"exitcode", slurm_set_exit, JOB(exit)},
    {"nodelist", slurm_set_where, JOB(nodes)},
    {"reasonlist", slurm_set_where, JOB(nodes)},
    {"nodelistreason", slurm_set_where, JOB(nodes)},
    {"numnodes", slurm_set_count, JOB(node_count)},
    {"nnodes", slurm_set_count, JOB(node_count)},
    {"allocnodes", slurm_set_count, JOB(node_count)},
    {"nodes", slurm_set_count, JOB(node_count)},
    {"submittime", slurm_set_time, JOB(submit_time)},
    {"submit", slurm_set_time, JOB(submit_time)},
    {"eligibletime", slurm_set_time, JOB(eligible_time)},
    {"eligible", slurm_set_time, JOB(eligible_time)},
    {"starttime", slurm_set_time, JOB(start_time)},
    {"start", slurm_set_time, JOB(start_time)},
    {"endtime", slurm_set_time, JOB(end_time)},
    {"end", slurm_set_time, JOB(end_time)},
    {"timelimit", slurm_set_limit, JOB(time_limit)},
    {"timelimitraw", slurm_set_limit, JOB(time_limit)},
    {"restarts", slurm_set_count, JOB(restarts)},
    {"restartcnt", slurm_set_count, JOB(restarts)},
    {"comment", slurm_set_text, JOB(comment)},
    {"workdir", slurm_set_text, JOB(directory)},
    {"stdout", slurm_set_text, JOB(output)},
    {"command", slurm_set_text, JOB(command)},
    {"container", slurm_set_text, JOB(container)},
    {0},
};

static const struct slurm_field text_node[] = {
    {"nodename", slurm_set_node_name, NODE(name)},
    {"nodelist", slurm_set_node_name, NODE(name)},
    {"hostnames", slurm_set_text, NODE(hostname)},
    {"nodehost", slurm_set_text, NODE(hostname)},
    {"nodehostname", slurm_set_text, NODE(hostname)},
    {"nodeaddr", slurm_set_text, NODE(address)},
    {"state", slurm_set_node_state, NODE(state)},
    {"statelong", slurm_set_node_state, NODE(state)},
    {"statecompact", slurm_set_node_state, NODE(state)},
    {"statecomplete", slurm_set_node_state, NODE(state)},
    {"reason", slurm_set_node_reason, NODE(reason)},
    {"user", slurm_set_word, NODE(reason_user)},
    {"userlong", slurm_set_word, NODE(reason_user)},
    {"timestamp", slurm_set_time, NODE(reason_time)},
    {"nodes", slurm_set_count, NODE(node_count)},
    {"cputot", slurm_set_count, NODE(cpus)},
    {"cpus", slurm_set_count, NODE(cpus)},
    {"cpualloc", slurm_set_count, NODE(cpus_allocated)},
    {"cpusaiot", slurm_set_cpus, NODE(cpus)},
    {"cpusstate", slurm_set_cpus, NODE(cpus)},
    {"realmemory", slurm_set_count, NODE(memory)},
    {"memory", slurm_set_count, NODE(memory)},
    {"allocmem", slurm_set_count, NODE(memory_allocated)},
    {"freemem", slurm_set_count, NODE(memory_free)},
    {"boottime", slurm_set_time, NODE(boot_time)},
    {"gres", slurm_set_word, NODE(gres)},
    {"gresused", slurm_set_word, NODE(gres_used)},
    {"availablefeatures", slurm_set_word, NODE(features)},
    {"availfeatures", slurm_set_word, NODE(features)},
    {"features", slurm_set_word, NODE(features)},
    {"partitions", slurm_set_word, NODE(partitions)},
    {"partition", slurm_set_starless, NODE(partitions)},
    {"partitionname", slurm_set_word, NODE(partitions)},
    {"version", slurm_set_word, NODE(version)},
    {"comment", slurm_set_text, NODE(comment)},
    {0},
};

static const struct slurm_field text_partition[] = {
    {"partitionname", slurm_set_partition, PART(name)},
    {"partition", slurm_set_partition, PART(name)},
    {"avail", slurm_set_list, PART(state)},
    {"available", slurm_set_list, PART(state)},
    {"state", slurm_set_partition_state, PART(state)},
    {"statelong", slurm_set_text, PART(node_state)},
    {"statecompact", slurm_set_text, PART(node_state)},
    {"nodelist", slurm_set_word, PART(nodes)},
    {"nodes", slurm_set_nodes_or_count, PART(nodes)},
    {"totalnodes", slurm_set_count, PART(total_nodes)},
    {"totalcpus", slurm_set_count, PART(total_cpus)},
    {"maxnodes", slurm_set_count, PART(max_nodes)},
    {"maxtime", slurm_set_limit, PART(max_time)},
    {"timelimit", slurm_set_limit, PART(max_time)},
    {"time", slurm_set_limit, PART(max_time)},
    {"defaulttime", slurm_set_limit, PART(default_time)},
    {"default", slurm_set_default, PART(is_default)},
    {"qos", slurm_set_word, PART(qos)},
    {"tres", slurm_set_word, PART(tres)},
    {"cluster", slurm_set_word, PART(cluster)},
    {0},
};

static const struct slurm_field text_reservation[] = {
    {"reservationname", slurm_set_text, RESV(name)},
    {"resvname", slurm_set_text, RESV(name)},
    {"state", slurm_set_word, RESV(state)},
    {"nodes", slurm_set_word, RESV(nodes)},
    {"nodelist", slurm_set_word, RESV(nodes)},
    {"nodecnt", slurm_set_count, RESV(node_count)},
    {"starttime", slurm_set_time, RESV(start_time)},
    {"endtime", slurm_set_time, RESV(end_time)},
    {"flags", slurm_set_word, RESV(flags)},
    {"users", slurm_set_word, RESV(users)},
    {"accounts", slurm_set_word, RESV(accounts)},
    {"partitionname", slurm_set_word, RESV(partition)},
    {"tres", slurm_set_word, RESV(tres)},
    {0},
};

/* --- look-up ------------------------------------------------------------------------------------------------------ */

static const struct slurm_field *find(const struct slurm_field *f, const char *name, size_t n)
{
    for (; f->name; f++)
        if (f->name[0] == name[0] && strlen(f->name) == n && !memcmp(f->name, name, n))
            return f;
    return NULL;
}

const struct slurm_field *slurm_json_field(unsigned kind, const char *path, size_t n)
{
    static const struct slurm_field *const tables[SLURM_KINDS] = {
        [ADT_SLURM_JOB] = json_job,  [ADT_SLURM_NODE] = json_node, [ADT_SLURM_PARTITION] = json_partition,
        [SLURM_PING] = json_ping,    [SLURM_ERROR] = json_note,    [ADT_SLURM_RESERVATION] = json_reservation,
        [SLURM_WARNING] = json_note, [SLURM_STEP] = json_step,
    };
    return n ? find(tables[kind], path, n) : NULL;
}

const struct slurm_field *slurm_text_field(unsigned kind, const char *name, size_t n)
{
    static const struct slurm_field *const tables[] = {
        [ADT_SLURM_JOB] = text_job,
        [ADT_SLURM_NODE] = text_node,
        [ADT_SLURM_PARTITION] = text_partition,
        [ADT_SLURM_RESERVATION] = text_reservation,
    };
    char plain[32];
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9'))
            continue;
        if (at == sizeof plain)
            return NULL;
        plain[at++] = c;
    }
    return at ? find(tables[kind], plain, at) : NULL;
}

bool slurm_is_list(const struct slurm_field *f)
{
    return f->set == slurm_set_list;
}

bool slurm_is_hosts(const struct slurm_field *f)
{
    return f->set == slurm_set_hosts;
}

/* --- records ------------------------------------------------------------------------------------------------------ */

void slurm_record_init(unsigned kind, union slurm_record *r)
{
    memset(r, 0, sizeof *r);
    switch (kind) {
    case ADT_SLURM_JOB:
        r->job.array_task_id = r->job.het_offset = r->job.uid = r->job.cancelled_by = -1;
        r->job.node_count = r->job.time_limit = r->job.restarts = -1;
        r->job.exit.code = -1;
        break;
    case ADT_SLURM_NODE:
        r->node.node_count = r->node.cpus = r->node.cpus_allocated = -1;
        r->node.memory = r->node.memory_allocated = r->node.memory_free = -1;
        break;
    case ADT_SLURM_PARTITION:
        r->partition.total_nodes = r->partition.total_cpus = r->partition.max_nodes = r->partition.node_count = -1;
        r->partition.max_time = r->partition.default_time = r->partition.is_default = -1;
        break;
    case ADT_SLURM_RESERVATION:
        r->reservation.node_count = -1;
        break;
    case SLURM_PING:
        r->ping.up = -1;
        r->ping.latency = -1;
        break;
    case SLURM_STEP:
        r->step.exit.code = -1;
        r->step.node_count = -1;
        break;
    default:
        r->note.code = ADT_SLURM_NO_CODE;
    }
}

bool slurm_record_named(unsigned kind, const union slurm_record *r)
{
    switch (kind) {
    case ADT_SLURM_JOB:
        return r->job.id || r->job.array_job_id || r->job.het_job_id;
    case ADT_SLURM_NODE:
        return r->node.name.n || r->node.nodes.n;
    case ADT_SLURM_PARTITION:
        return r->partition.name.n;
    case ADT_SLURM_RESERVATION:
        return r->reservation.name.n;
    default:
        return true;
    }
}

/* Slurm's own text form of an end by a signal is "0:15", which JSON says as no code at all. */
static void settle_exit(struct adt_slurm_exit *exit)
{
    if (exit->signal && exit->code < 0)
        exit->code = 0;
}

static void settle_job(struct adt_slurm_job *job)
{
    settle_exit(&job->exit);
    /* squeue's columns name the job itself where there is no array or group. */
    if (job->array_job_id == job->id && job->array_task_id < 0 && !job->array_task_string.n)
        job->array_job_id = 0;
    if (!job->array_job_id) {
        job->array_task_id = -1;
        job->array_task_string.n = 0;
    }
    if (!job->het_job_id)
        job->het_offset = -1;
}

int slurm_record_give(unsigned kind, union slurm_record *r, const struct adt_slurm_sink *sink, void *ctx)
{
    switch (kind) {
    case ADT_SLURM_JOB:
        settle_job(&r->job);
        return sink->job ? sink->job(ctx, &r->job) : 0;
    case ADT_SLURM_NODE:
        return sink->node ? sink->node(ctx, &r->node) : 0;
    case ADT_SLURM_PARTITION:
        return sink->partition ? sink->partition(ctx, &r->partition) : 0;
    case ADT_SLURM_RESERVATION:
        return sink->reservation ? sink->reservation(ctx, &r->reservation) : 0;
    case SLURM_PING:
        return sink->ping ? sink->ping(ctx, &r->ping) : 0;
    case SLURM_STEP:
        settle_exit(&r->step.exit);
        return 0;
    default:
        if (!r->note.text.n) {
            r->note.text = r->note.detail;
            r->note.detail.n = 0;
        }
        if (kind == SLURM_ERROR)
            return sink->error ? sink->error(ctx, &r->note) : 0;
        return sink->warning ? sink->warning(ctx, &r->note) : 0;
    }
}
