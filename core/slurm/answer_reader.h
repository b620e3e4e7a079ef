/* answer_reader.h - the reader of Slurm's JSON from inside: its feeding, and its events, share this */
#ifndef ADT_SLURM_ANSWER_READER_H
#define ADT_SLURM_ANSWER_READER_H

#include "base/buf.h"
#include "data/json.h"
#include "data/utf8.h"
#include "slurm/answer_private.h"

enum { SLURM_PATH = 256, SLURM_NO_RECORD = SLURM_KINDS };

struct slurm_chunk {
    struct slurm_chunk *next;
    size_t size, used;
    char bytes[];
};

/* One array or object that is open. */
struct slurm_level {
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

    char path[SLURM_PATH];
    size_t path_n;
    struct slurm_level level[ADT_SLURM_PATH];
    unsigned depth, skipped; /* open and looked into; open below those */

    unsigned kind; /* of the record at hand */
    unsigned record_depth, step_depth;
    size_t base, step_base; /* lengths of their paths */
    union slurm_record record, step;
    bool bare; /* the record is the answer itself, or a member of it, without a key */
    struct adt_slurm_step *steps;
    size_t steps_size;
    struct slurm_chunk *texts;
    size_t texts_size;
    struct adt_buf hosts;

    struct adt_slurm_summary summary;
    char version[64], parser[64], cluster[64], step_id[64], message[512];
    union slurm_record result; /* the error in the result of a submission */
    char result_text[256];
    bool known; /* something of Slurm's was seen */
};

extern const struct adt_events slurm_answer_events; /* the context is the reader */

void slurm_reader_drop(struct adt_slurm_reader *r);
/* Forgets the texts of the record before. */

int slurm_reader_keep(struct adt_slurm_reader *r, struct adt_slurm_text old, struct adt_slurm_text more,
                      struct adt_slurm_text *out);
/* A copy of [more], behind [old] and a comma when there is an [old]. 0 or -1. */

int slurm_reader_keep_host(struct adt_slurm_reader *r, struct adt_slurm_text more, struct adt_slurm_text *out);
/* The same for what grows one by one to very many; [out] is all of them. */

#endif
