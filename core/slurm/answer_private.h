/* answer_private.h - what the readers of JSON and text share: values, and the fields they go to */
#ifndef ADT_SLURM_ANSWER_PRIVATE_H
#define ADT_SLURM_ANSWER_PRIVATE_H

#include "slurm/answer.h"

/* One value as it came. */
struct slurm_value {
    bool is_text, infinite;
    int64_t number; /* without is_text; true is 1 */
    struct adt_slurm_text text;
};

typedef void slurm_setter(void *record, size_t at, const struct slurm_value *v);

/* A field of a record: what it is called, and what a value does to it. A name that ends in "[]" is an array's members;
 * one setter sees them one by one, lists arrive joined by commas. */
struct slurm_field {
    const char *name;
    slurm_setter *set;
    size_t at;
};

enum slurm_record_kind { /* the first are enum adt_slurm_kind */
                         SLURM_PING = ADT_SLURM_RESERVATION + 1,
                         SLURM_ERROR,
                         SLURM_WARNING,
                         SLURM_STEP,
                         SLURM_KINDS
};

union slurm_record {
    struct adt_slurm_job job;
    struct adt_slurm_node node;
    struct adt_slurm_partition partition;
    struct adt_slurm_reservation reservation;
    struct adt_slurm_ping ping;
    struct adt_slurm_note note;
    struct adt_slurm_step step;
};

void slurm_record_init(unsigned kind, union slurm_record *r);
/* Everything "not said". */

int slurm_record_give(unsigned kind, union slurm_record *r, const struct adt_slurm_sink *sink, void *ctx);
/* Settles what fields say together and hands the record over; what the callback returned. */

bool slurm_record_named(unsigned kind, const union slurm_record *r);
/* Whether it has what makes it a record: an id or a name. */

const struct slurm_field *slurm_json_field(unsigned kind, const char *path, size_t n);
/* By the path of keys inside of the record: "time.start", "state.current[]"; NULL: of no interest. */

const struct slurm_field *slurm_text_field(unsigned kind, const char *name, size_t n);
/* By a column's or key's name, letter case and punctuation aside: "JobId", "JOBID", "job_id". */

bool slurm_is_list(const struct slurm_field *f);
bool slurm_is_hosts(const struct slurm_field *f);
/* Members that the JSON reader joins by commas: few, and possibly very many. */

/* Words */

struct slurm_states {
    unsigned *state;
    uint32_t *flags;
    struct adt_slurm_text *text;
    int64_t *by; /* NULL: nobody asks */
};

void slurm_job_state(struct adt_slurm_text t, struct slurm_states *s);
void slurm_node_state(struct adt_slurm_text t, struct slurm_states *s);
/* Adds a word, or several as "mixed+drain*". The first base state stays. */

bool slurm_same(const char *a, size_t an, const char *b, size_t bn);
/* Equal, letter case aside (ASCII). */

size_t slurm_digits(struct adt_slurm_text t, int64_t *value);
/* Reads the digits that [t] begins with (18 at most); how many there were. */

struct adt_slurm_text slurm_trim(struct adt_slurm_text t);
bool slurm_is_none(struct adt_slurm_text t);
/* Slurm's words for nothing: "", "(null)", "None", "N/A", "None assigned" ... */

void slurm_job_id(struct adt_slurm_text t, struct adt_slurm_job *job);
/* "12", "12_3", "12_[5-9%2]", "12+1", each perhaps with ".batch". */

int slurm_bad(struct adt_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* ADT_SERVICE, "BadAnswer"; -1. */

void slurm_excerpt(const char *text, size_t n, char out[static 128]);
/* The beginning of [text], printable and on one line. */

#endif
