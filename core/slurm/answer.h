/* answer.h - what Slurm says, in one form for all of its versions and for JSON and text alike
 *
 * Fields are known by their names, wherever they come from, and by the shape of their values; what is not known is
 * passed over. Records are handed over one by one and live until the callback returns. */
#ifndef ADT_SLURM_ANSWER_H
#define ADT_SLURM_ANSWER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ceilings. */
enum {
    ADT_SLURM_TEXT = 256 << 20,  /* bytes of one answer */
    ADT_SLURM_RECORD = 16 << 20, /* bytes of the texts that are kept of one record */
    ADT_SLURM_STEPS = 16384,     /* steps kept of one job; the rest is counted */
    ADT_SLURM_COLUMNS = 256,     /* of a table */
    ADT_SLURM_PATH = 12,         /* arrays and objects inside each other that are looked into */
};

#define ADT_SLURM_UNLIMITED INT64_MAX /* as a time limit */

/* Not NUL-terminated; n is 0 where there is none. Bytes as they came, not always UTF-8 in text answers. */
struct adt_slurm_text {
    const char *p;
    size_t n;
};

/* Base states of jobs and steps. */
enum adt_slurm_state {
    ADT_SLURM_UNKNOWN, /* none was given, or one that is not known: state_text has it */
    ADT_SLURM_PENDING,
    ADT_SLURM_RUNNING,
    ADT_SLURM_SUSPENDED,
    ADT_SLURM_COMPLETED,
    ADT_SLURM_CANCELLED,
    ADT_SLURM_FAILED,
    ADT_SLURM_TIMEOUT,
    ADT_SLURM_NODE_FAIL,
    ADT_SLURM_PREEMPTED,
    ADT_SLURM_BOOT_FAIL,
    ADT_SLURM_DEADLINE,
    ADT_SLURM_OUT_OF_MEMORY,
    ADT_SLURM_STATES
};

/* What is true of a job besides, as bits. */
enum adt_slurm_flag {
    ADT_SLURM_COMPLETING,
    ADT_SLURM_CONFIGURING,
    ADT_SLURM_REQUEUED,
    ADT_SLURM_REQUEUE_HOLD,
    ADT_SLURM_REQUEUE_FED,
    ADT_SLURM_SPECIAL_EXIT,
    ADT_SLURM_RESIZING,
    ADT_SLURM_STAGE_OUT,
    ADT_SLURM_SIGNALING,
    ADT_SLURM_STOPPED,
    ADT_SLURM_REVOKED,
    ADT_SLURM_RESV_DEL_HOLD,
    ADT_SLURM_POWER_UP_NODE,
    ADT_SLURM_RECONFIG_FAIL,
    ADT_SLURM_LAUNCH_FAILED,
    ADT_SLURM_UPDATE_DB,
    ADT_SLURM_EXPEDITING,
    ADT_SLURM_FLAGS
};

enum adt_slurm_node_state {
    ADT_SLURM_NODE_UNKNOWN, /* as for jobs */
    ADT_SLURM_NODE_DOWN,
    ADT_SLURM_NODE_IDLE,
    ADT_SLURM_NODE_ALLOCATED,
    ADT_SLURM_NODE_ERROR,
    ADT_SLURM_NODE_MIXED,
    ADT_SLURM_NODE_FUTURE,
    ADT_SLURM_NODE_STATES
};

enum adt_slurm_node_flag {
    ADT_SLURM_NODE_DRAIN,
    ADT_SLURM_NODE_COMPLETING,
    ADT_SLURM_NODE_NOT_RESPONDING,
    ADT_SLURM_NODE_RESERVED,
    ADT_SLURM_NODE_FAIL_FLAG,
    ADT_SLURM_NODE_MAINTENANCE,
    ADT_SLURM_NODE_PLANNED,
    ADT_SLURM_NODE_POWERED_DOWN,
    ADT_SLURM_NODE_POWERING_DOWN,
    ADT_SLURM_NODE_POWERING_UP,
    ADT_SLURM_NODE_POWER_DOWN,
    ADT_SLURM_NODE_POWER_UP,
    ADT_SLURM_NODE_POWER_DRAIN,
    ADT_SLURM_NODE_REBOOT_REQUESTED,
    ADT_SLURM_NODE_REBOOT_ISSUED,
    ADT_SLURM_NODE_CLOUD,
    ADT_SLURM_NODE_DYNAMIC_NORM,
    ADT_SLURM_NODE_DYNAMIC_FUTURE,
    ADT_SLURM_NODE_INVALID_REG,
    ADT_SLURM_NODE_BLOCKED,
    ADT_SLURM_NODE_EXTERNAL,
    ADT_SLURM_NODE_NET,
    ADT_SLURM_NODE_RES,
    ADT_SLURM_NODE_UNDRAIN,
    ADT_SLURM_NODE_PERFCTRS,
    ADT_SLURM_NODE_FLAGS
};

struct adt_slurm_exit {
    int code;   /* 0-255; -1: not said */
    int signal; /* 0: none */
};

/* Everywhere: ids and times (seconds since the epoch) are 0 where not said, counts and limits (seconds) are -1. */
struct adt_slurm_step {
    struct adt_slurm_text name, id; /* "batch"; "5737.batch" */
    enum adt_slurm_state state;
    uint32_t flags;
    struct adt_slurm_text state_text, nodes;
    struct adt_slurm_exit exit;
    int64_t node_count, start_time, end_time;
};

struct adt_slurm_job {
    int64_t id; /* 0 for a row that names its array or group alone ("12_3") */
    int64_t array_job_id, array_task_id;
    struct adt_slurm_text array_task_string; /* tasks not split off yet: "5-9%2" */
    int64_t het_job_id, het_offset;
    struct adt_slurm_text step; /* of a row that is a step: "batch", "0" */
    struct adt_slurm_text name, user, account, partition, qos, cluster;
    int64_t uid, cancelled_by; /* -1 where not said */
    enum adt_slurm_state state;
    uint32_t flags; /* bits of enum adt_slurm_flag */
    struct adt_slurm_text state_text, reason;
    struct adt_slurm_exit exit;
    struct adt_slurm_text nodes; /* a host list; none while there are no nodes */
    struct adt_slurm_text hosts; /* the same as names between commas, where the answer has them */
    int64_t node_count, submit_time, eligible_time, start_time, end_time, time_limit, restarts;
    struct adt_slurm_text comment, directory, output, command, container;
    const struct adt_slurm_step *steps;
    size_t step_count, steps_left_out;
};

struct adt_slurm_node {
    struct adt_slurm_text name;  /* of one node */
    struct adt_slurm_text nodes; /* of a row that stands for several: a host list */
    struct adt_slurm_text hostname, address;
    enum adt_slurm_node_state state;
    uint32_t flags; /* bits of enum adt_slurm_node_flag */
    struct adt_slurm_text state_text, reason, reason_user;
    int64_t reason_time, node_count, cpus, cpus_allocated, memory, memory_allocated, memory_free; /* MiB */
    int64_t boot_time;
    struct adt_slurm_text gres, gres_used, features, partitions, version, comment; /* lists: between commas */
};

struct adt_slurm_partition {
    struct adt_slurm_text name, state, nodes, qos, tres, cluster, node_state;
    int64_t total_nodes, total_cpus, max_nodes, max_time, default_time;
    int64_t node_count; /* of a row of sinfo: in that state */
    int is_default;     /* -1 where not said */
};

struct adt_slurm_reservation {
    struct adt_slurm_text name, state, nodes, flags, users, accounts, partition, tres;
    int64_t node_count, start_time, end_time;
};

struct adt_slurm_ping {
    struct adt_slurm_text hostname, mode, pinged;
    int up;          /* 1 or 0; -1 where not said */
    int64_t latency; /* microseconds; -1 where not said */
};

#define ADT_SLURM_NO_CODE INT64_MIN

/* An entry of errors[] or warnings[]. */
struct adt_slurm_note {
    int64_t code; /* or ADT_SLURM_NO_CODE */
    struct adt_slurm_text text, detail, source;
};

/* What else an answer says; handed over last. */
struct adt_slurm_summary {
    struct adt_slurm_text version, parser, cluster;                        /* "24.05.3"; "v0.0.41" */
    int64_t job_id;                                                        /* of a submission */
    struct adt_slurm_text step_id, message;                                /* what a job_submit plugin told the user */
    bool has_jobs, has_nodes, has_partitions, has_reservations, has_pings; /* such a list was there, maybe empty */
};

enum adt_slurm_kind {
    ADT_SLURM_JOB,
    ADT_SLURM_NODE,
    ADT_SLURM_PARTITION,
    ADT_SLURM_RESERVATION,
};

/* Each returns 0 to go on or -1 to stop, after filling the error that the reader was given. NULL: of no interest. A
 * callback may leave by longjmp when the reader is freed afterwards; the text readers hold nothing. */
struct adt_slurm_sink {
    int (*job)(void *ctx, const struct adt_slurm_job *job);
    int (*node)(void *ctx, const struct adt_slurm_node *node);
    int (*partition)(void *ctx, const struct adt_slurm_partition *partition);
    int (*reservation)(void *ctx, const struct adt_slurm_reservation *reservation);
    int (*ping)(void *ctx, const struct adt_slurm_ping *ping);
    int (*error)(void *ctx, const struct adt_slurm_note *note);
    int (*warning)(void *ctx, const struct adt_slurm_note *note);
    int (*summary)(void *ctx, const struct adt_slurm_summary *summary);
};

/* JSON, as slurmrestd and the commands' --json write it since 20.11. */
struct adt_slurm_reader;

struct adt_slurm_reader *adt_slurm_reader_new(const struct adt_slurm_sink *sink, void *ctx, struct adt_error *err);
/* [sink] must live as long as the reader. Later calls fill this same [err], which may
 * not be NULL. NULL when out of memory. */

int adt_slurm_reader_feed(struct adt_slurm_reader *r, const char *text, size_t n);
/* The next piece, cut anywhere. Bytes that are no UTF-8, as in the odd job's name, are read as U+FFFD. -1 after an
 * error (ADT_SERVICE, "BadAnswer"; a callback's own); only freeing is allowed then. */

int adt_slurm_reader_finish(struct adt_slurm_reader *r);
/* The text has ended. -1 with "BadAnswer" when it is JSON, but not Slurm's. */

void adt_slurm_reader_free(struct adt_slurm_reader *r);

/* Text. Both fail with ADT_SERVICE, "BadAnswer", and say which line. */

int adt_slurm_scontrol(enum adt_slurm_kind kind, const char *text, size_t n, const struct adt_slurm_sink *sink,
                       void *ctx, struct adt_error *err);
/* `scontrol show KIND`, with -o or without, any number of records. */

/* Zero is the default of every field. */
struct adt_slurm_table {
    const struct adt_slurm_text *columns; /* names as the commands' options or headers have them, in any case; "" and
                                             unknown ones are passed over. NULL: the first row names them */
    size_t column_count;
    const char *separator; /* "|"; of blanks there may be several in a row */
    const char *record;    /* between rows: "\n" */
    bool header;           /* skip the first row, though columns are given; one that repeats them is always skipped */
};

int adt_slurm_rows(enum adt_slurm_kind kind, const char *text, size_t n, const struct adt_slurm_table *table,
                   const struct adt_slurm_sink *sink, void *ctx, struct adt_error *err);
/* `sacct --parsable2`, `squeue -o`, `sinfo -o`: ADT_SLURM_JOB, _NODE or _PARTITION. A row may end in a separator; where
 * one has too many, they belong to the last column of free text. */

int adt_slurm_submitted(const char *text, size_t n, int64_t *id, struct adt_slurm_text *cluster, struct adt_error *err);
/* What sbatch prints, with --parsable or without. */

/* Words and values */

const char *adt_slurm_state_name(enum adt_slurm_state state);
const char *adt_slurm_flag_name(enum adt_slurm_flag flag);
const char *adt_slurm_node_state_name(enum adt_slurm_node_state state);
const char *adt_slurm_node_flag_name(enum adt_slurm_node_flag flag);
/* Exactly Slurm's; "UNKNOWN" for zero. */

bool adt_slurm_ended(enum adt_slurm_state state, uint32_t flags);
bool adt_slurm_job_ended(const struct adt_slurm_job *job);
/* Whether the job will not change any more: a final base state, and nothing that says it is still being cleaned up or
 * goes back into the queue. */

int adt_slurm_exit_parse(const char *text, size_t n, struct adt_slurm_exit *exit);
/* "0:15"; a number alone is a wait status. 0, or -1. */

int64_t adt_slurm_time_parse(const char *text, size_t n);
/* An ISO time (local unless it ends in Z or an offset) or the epoch; 0 for anything else ("Unknown", "N/A"). */

int64_t adt_slurm_limit_parse(const char *text, size_t n);
/* "1-02:03:04", "10:00", minutes, "UNLIMITED"; -1 for anything else. */

#endif
