/* slurm_answer_test.c - Slurm's answers, one small case a shape; JSON whole and in pieces alike, and out of memory */
#include "base/buf.h"
#include "base/mem.h"
#include "slurm/answer.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

/* What the callbacks saw, as text: the tests compare that. */
static char seen[1 << 16];
static size_t seen_n;

__attribute__((format(printf, 1, 2))) static void see(const char *fmt, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    int n = vsnprintf(seen + seen_n, sizeof seen - seen_n, fmt, ap);
    __builtin_va_end(ap);
    seen_n += n > 0 && (size_t)n < sizeof seen - seen_n ? (size_t)n : 0;
}

/* What was seen, on one line for a title. */
static const char *line(void)
{
    static char copy[sizeof seen];
    for (size_t i = 0; (copy[i] = seen[i] == '\n' ? '/' : seen[i]); i++)
        ;
    return copy;
}

#define TEXT(t) (int)(t).n, (t).n ? (t).p : ""

static int on_job(void *ctx, const struct adt_slurm_job *j)
{
    (void)ctx;
    see("job %lld/%lld_%lld %s f%x %d:%d [%.*s] %.*s limit %lld %lld-%lld steps %zu%s\n", (long long)j->id,
        (long long)j->array_job_id, (long long)j->array_task_id, adt_slurm_state_name(j->state), (unsigned)j->flags,
        j->exit.code, j->exit.signal, TEXT(j->nodes), TEXT(j->name), (long long)j->time_limit, (long long)j->start_time,
        (long long)j->end_time, j->step_count, adt_slurm_job_ended(j) ? " ended" : "");
    for (size_t i = 0; i < j->step_count; i++)
        see(" step %.*s %s %d:%d\n", TEXT(j->steps[i].name), adt_slurm_state_name(j->steps[i].state),
            j->steps[i].exit.code, j->steps[i].exit.signal);
    if (j->hosts.n)
        see(" hosts %.*s\n", TEXT(j->hosts));
    return 0;
}

static int on_node(void *ctx, const struct adt_slurm_node *n)
{
    (void)ctx;
    see("node %.*s%.*s %s f%x %.*s\n", TEXT(n->name), TEXT(n->nodes), adt_slurm_node_state_name(n->state),
        (unsigned)n->flags, TEXT(n->partitions));
    return 0;
}

static int on_partition(void *ctx, const struct adt_slurm_partition *p)
{
    (void)ctx;
    see("partition %.*s %.*s [%.*s] %lld %d\n", TEXT(p->name), TEXT(p->state), TEXT(p->nodes), (long long)p->max_time,
        p->is_default);
    return 0;
}

static int on_reservation(void *ctx, const struct adt_slurm_reservation *r)
{
    (void)ctx;
    see("reservation %.*s [%.*s] %.*s\n", TEXT(r->name), TEXT(r->nodes), TEXT(r->flags));
    return 0;
}

static int on_ping(void *ctx, const struct adt_slurm_ping *p)
{
    (void)ctx;
    see("ping %.*s %d\n", TEXT(p->hostname), p->up);
    return 0;
}

static int on_error(void *ctx, const struct adt_slurm_note *n)
{
    (void)ctx;
    see("error %lld %.*s\n", (long long)n->code, TEXT(n->text));
    return 0;
}

static int on_summary(void *ctx, const struct adt_slurm_summary *s)
{
    (void)ctx;
    see("summary %.*s %.*s job %lld\n", TEXT(s->version), TEXT(s->parser), (long long)s->job_id);
    return 0;
}

static const struct adt_slurm_sink sink = {
    .job = on_job,
    .node = on_node,
    .partition = on_partition,
    .reservation = on_reservation,
    .ping = on_ping,
    .error = on_error,
    .summary = on_summary,
};

static int read_json(const char *text, size_t piece, struct adt_error *err)
{
    size_t n = strlen(text);
    seen_n = 0;
    seen[0] = '\0';
    *err = (struct adt_error){0};
    struct adt_slurm_reader *r = adt_slurm_reader_new(&sink, NULL, err);
    int rc = r ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < n; i += piece) {
        size_t part = n - i < piece ? n - i : piece;
        char *copy = malloc(part);
        rc = adt_slurm_reader_feed(r, memcpy(copy, text + i, part), part);
        free(copy);
    }
    if (rc == 0)
        rc = adt_slurm_reader_finish(r);
    adt_slurm_reader_free(r);
    return rc;
}

static const char whole[] =
    "{\"meta\":{\"plugin\":{\"type\":\"openapi/v0.0.38\"},\"Slurm\":{\"release\":\"22.05.8\"}},\"jobs\":["
    "{\"job_id\":1,\"job_state\":\"FAILED\",\"exit_code\":768,\"time_limit\":null,\"name\":\"caf\xC3\xA9 \xFF\"},"
    "{\"job_id\":2,\"job_state\":[\"COMPLETED\",\"COMPLETING\"],\"nodes\":\"n[1-2]\",\"job_resources\":{\"nodes\":{"
    "\"allocation\":[{\"name\":\"n1\"},{\"name\":\"n2\"}]}},\"time_limit\":{\"set\":false,\"infinite\":true,"
    "\"number\":0},\"start_time\":{\"infinite\":false,\"number\":5,\"set\":true}},"
    "{\"state\":{\"current\":\"TIMEOUT\"},\"array\":{\"job_id\":3,\"task_id\":4},\"job_id\":9,\"time\":{\"end\":7},"
    "\"steps\":[{\"step\":{\"name\":\"batch\"},\"state\":\"CANCELLED\",\"exit_code\":{\"signal\":{\"signal_id\":15}}}]}"
    "],"
    "\"nodes\":[{\"name\":\"n1\",\"state\":\"idle\",\"state_flags\":[\"DRAIN\"],\"partitions\":[\"a\",\"b\"]}],"
    "\"partitions\":[{\"name\":\"p\",\"state\":\"UP\",\"nodes\":\"n1\",\"max_time_limit\":-1,\"flags\":[\"default\"]}],"
    "\"reservations\":[{\"name\":\"r\",\"node_list\":\"n1\",\"flags\":[\"A\",\"B\"]}],"
    "\"pings\":[{\"hostname\":\"h\",\"ping\":\"UP\"}],\"errors\":[{\"error_number\":-1,\"description\":\"d\"}],"
    "\"warnings\":[]}";

static const char expected[] = "job 1/0_-1 FAILED f0 3:0 [] caf\xC3\xA9 \xEF\xBF\xBD limit -1 0-0 steps 0 ended\n"
                               "job 2/0_-1 COMPLETED f1 -1:0 [n[1-2]]  limit 9223372036854775807 5-0 steps 0\n"
                               " hosts n1,n2\n"
                               "job 9/3_4 TIMEOUT f0 -1:0 []  limit -1 0-7 steps 1 ended\n"
                               " step batch CANCELLED 0:15\n"
                               "node n1 IDLE f1 a,b\n"
                               "partition p UP [n1] 9223372036854775807 1\n"
                               "reservation r [n1] A,B\n"
                               "ping h 1\n"
                               "error -1 d\n"
                               "summary 22.05.8 v0.0.38 job 0\n";

static void test_json(void)
{
    struct adt_error err;
    static const size_t pieces[] = {1 << 20, 1, 2, 3, 7};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        ok(read_json(whole, pieces[i], &err) == 0 && !strcmp(seen, expected), "JSON in pieces of %zu: %s", pieces[i],
           strcmp(seen, expected) ? line() : "all of it");
    ok(read_json("{\"job_id\":3,\"job_state\":[\"RUNNING\"]}", 99, &err) == 0 && !strncmp(seen, "job 3/", 6),
       "a job alone is one");
    ok(read_json("[{\"job_id\":3,\"job_state\":[\"RUNNING\"]},{\"job_id\":4,\"job_state\":\"PENDING\"}]", 99, &err) ==
               0 &&
           strstr(seen, "job 3/") && strstr(seen, "job 4/"),
       "so are jobs in a list");
    ok(read_json("{\"job_id\":42,\"step_id\":\"BATCH\",\"errors\":[]}", 99, &err) == 0 &&
           !strcmp(seen, "summary   job 42\n"),
       "a submission is no job yet: %s", line());
    ok(read_json("{\"a\":[1]}", 99, &err) == -1 && !strcmp(err.code, "BadAnswer"), "not Slurm's: %s", err.message);
    ok(read_json("Authentication failure\n", 99, &err) == -1 && strstr(err.message, "'Authentication failure'"),
       "no JSON: %s", err.message);
    ok(read_json("{\"jobs\":[", 99, &err) == -1 && err.cause == ADT_SERVICE && !strcmp(err.code, "BadAnswer"),
       "cut off: %s", err.message);
}

static void test_json_memory(void)
{
    struct adt_error err;
    long before = adt_mem_live();
    int n = 0, rc = -1, clean = 1;
    for (; rc < 0 && n < 2000; n++) {
        adt_mem_fail_after(n);
        rc = read_json(whole, 64, &err);
        if (adt_mem_fail_left() >= 0)
            break;
        adt_mem_fail_after(-1);
        clean &= adt_mem_live() == before && (rc == 0 || err.cause != ADT_NONE);
    }
    adt_mem_fail_after(-1);
    ok(clean && n > 3 && adt_mem_live() == before, "each of %d allocations may fail, and nothing is left", n);
}

static int scontrol(enum adt_slurm_kind kind, const char *text, struct adt_error *err)
{
    seen_n = 0;
    seen[0] = '\0';
    return adt_slurm_scontrol(kind, text, strlen(text), &sink, NULL, err);
}

static void test_scontrol(void)
{
    struct adt_error err;
    ok(scontrol(ADT_SLURM_JOB,
                "JobId=7 ArrayJobId=3 ArrayTaskId=0 JobName=a b JobState=X\n   JobState=RUNNING Reason=None "
                "ExitCode=0:0\n   TimeLimit=00:10:00\n   NodeList=n1\n\n"
                "JobId=8 JobName=z\n   JobState=FAILED ExitCode=1:0\n   NodeList=(null)\n",
                &err) == 0 &&
           !strcmp(seen, "job 7/3_0 RUNNING f0 0:0 [n1] a b JobState=X limit 600 0-0 steps 0\n"
                         "job 8/0_-1 FAILED f0 1:0 [] z limit -1 0-0 steps 0 ended\n"),
       "records on lines: %s", line());
    ok(scontrol(ADT_SLURM_JOB,
                "JobId=5 JobName=a b UserId=x(1) JobState=CANCELLED ExitCode=0:15 TimeLimit=UNLIMITED \n", &err) == 0 &&
           !strcmp(seen, "job 5/0_-1 CANCELLED f0 0:15 [] a b limit 9223372036854775807 0-0 steps 0 ended\n"),
       "records on one line: %s", line());
    ok(scontrol(ADT_SLURM_NODE, "NodeName=n1 State=IDLE+DRAIN Partitions=a,b Reason=x y [root@2026-01-01T00:00:00]",
                &err) == 0 &&
           !strcmp(seen, "node n1 IDLE f1 a,b\n"),
       "a node: %s", line());
    ok(scontrol(ADT_SLURM_JOB, "slurm_load_jobs error: Invalid job id specified\n", &err) == -1 &&
           strstr(err.message, "Invalid job id"),
       "what is no record: %s", err.message);
}

static void test_rows(void)
{
    struct adt_error err;
    struct adt_slurm_table table = {0};
    static const char text[] =
        "JobID|State|ExitCode|NodeList\n1|COMPLETED|0:0|n1\n1.batch|OUT_OF_ME+|0:125|n1\n2_[1-4%2]|"
        "PENDING|0:0|None assigned\n3|CANCELLED by 5|0:0|n1\n";
    seen_n = 0;
    ok(adt_slurm_rows(ADT_SLURM_JOB, text, sizeof text - 1, &table, &sink, NULL, &err) == 0 &&
           !strcmp(seen, "job 1/0_-1 COMPLETED f0 0:0 [n1]  limit -1 0-0 steps 0 ended\n"
                         "job 1/0_-1 OUT_OF_MEMORY f0 0:125 [n1]  limit -1 0-0 steps 0 ended\n"
                         "job 2/2_-1 PENDING f0 0:0 []  limit -1 0-0 steps 0\n"
                         "job 3/0_-1 CANCELLED f0 0:0 [n1]  limit -1 0-0 steps 0 ended\n"),
       "rows, a step and a cut word among them: %s", line());
    ok(adt_slurm_rows(ADT_SLURM_JOB, "JobID|State\n1\n", 14, &table, &sink, NULL, &err) == -1 &&
           strstr(err.message, "row 2"),
       "a short row is refused: %s", err.message);
}

static void test_values(void)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } limits[] = {{"1-02:03:04", 93784},
                  {"10:00", 600},
                  {"30", 1800},
                  {"1-0", 86400},
                  {"1-02:03", 93780},
                  {"01:00:00", 3600},
                  {"UNLIMITED", ADT_SLURM_UNLIMITED},
                  {"infinite", ADT_SLURM_UNLIMITED},
                  {"Partition_Limit", -1},
                  {"", -1},
                  {"1:2:3:4", -1},
                  {"x", -1},
                  {"1-", -1},
                  {"5:", -1},
                  {"INVALID", -1}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        ok(adt_slurm_limit_parse(limits[i].text, strlen(limits[i].text)) == limits[i].seconds, "the limit '%s'",
           limits[i].text);
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    static const struct {
        const char *text;
        int64_t time;
    } times[] = {{"1700000000", 1700000000},
                 {"2023-11-14T23:13:20", 1700000000},
                 {"2023-11-14T22:13:20Z", 1700000000},
                 {"2023-11-15T00:13:20+02:00", 1700000000},
                 {"2023-07-01T12:00:00", 1688205600},
                 {"Unknown", 0},
                 {"N/A", 0},
                 {"None", 0},
                 {"", 0},
                 {"4294967294", 0},
                 {"2023-13-01T00:00:00", 0},
                 {"2023-11-14 23:13:20", 0}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        ok(adt_slurm_time_parse(times[i].text, strlen(times[i].text)) == times[i].time, "the time '%s'", times[i].text);
    struct adt_slurm_exit exit = {0};
    ok(adt_slurm_exit_parse("0:15", 4, &exit) == 0 && exit.code == 0 && exit.signal == 15, "an exit by a signal");
    ok(adt_slurm_exit_parse("256", 3, &exit) == 0 && exit.code == 1 && exit.signal == 0, "a wait status");
    ok(adt_slurm_exit_parse("1:", 2, &exit) < 0 && adt_slurm_exit_parse("x", 1, &exit) < 0 &&
           adt_slurm_exit_parse("256:0", 5, &exit) < 0,
       "what is no exit code");
    ok(!strcmp(adt_slurm_state_name(ADT_SLURM_OUT_OF_MEMORY), "OUT_OF_MEMORY") &&
           !strcmp(adt_slurm_flag_name(ADT_SLURM_EXPEDITING), "EXPEDITING") &&
           !strcmp(adt_slurm_node_flag_name(ADT_SLURM_NODE_PERFCTRS), "PERFCTRS"),
       "states and flags have Slurm's names");
    int named = 1;
    for (int i = 0; i < ADT_SLURM_FLAGS; i++)
        named &= strcmp(adt_slurm_flag_name((enum adt_slurm_flag)i), "UNKNOWN") != 0;
    for (int i = 0; i < ADT_SLURM_NODE_FLAGS; i++)
        named &= strcmp(adt_slurm_node_flag_name((enum adt_slurm_node_flag)i), "UNKNOWN") != 0;
    for (int i = 1; i < ADT_SLURM_STATES; i++)
        named &= strcmp(adt_slurm_state_name((enum adt_slurm_state)i), "UNKNOWN") != 0;
    ok(named, "all of them");
}

int main(void)
{
    test_json();
    test_json_memory();
    test_scontrol();
    test_rows();
    test_values();
    return tap_done();
}
