/* hostlist.h - host lists as Slurm writes them: "rack[1-2]n[01-16],head" to names and back */
#ifndef ADT_SLURM_HOSTLIST_H
#define ADT_SLURM_HOSTLIST_H

#include "base/buf.h"
#include "base/error.h"

#include <stdint.h>

enum {
    ADT_HOSTLIST_HOSTS = 65536,  /* names that one list stands for */
    ADT_HOSTLIST_NAME = 253,     /* bytes of one name, as the DNS has it */
    ADT_HOSTLIST_GROUPS = 32,    /* brackets in one name */
    ADT_HOSTLIST_DIGITS = 18,    /* of a number in brackets */
    ADT_HOSTLIST_TEXT = 16 << 20 /* bytes of a list's text */
};

/* One bracket group of the name at hand. */
struct adt_hostlist_group {
    const char *text; /* behind the '[' */
    size_t n, at;     /* its length, and where the next range begins */
    uint64_t value, last;
    int width;
};

/* An expansion. All of it lies here, so there is nothing to free. */
struct adt_hostlist {
    size_t count; /* the names that the whole list stands for */
    const char *text, *end;
    const char *part; /* the part between commas that is being worked off; NULL: none */
    size_t part_n;
    unsigned groups;
    struct adt_hostlist_group group[ADT_HOSTLIST_GROUPS];
    char name[ADT_HOSTLIST_NAME + 1];
};

int adt_hostlist_check(const char *name, size_t n, struct adt_error *err);
/* 0 when [name] is one host's name: not empty, no blank, control character or bracket in it, and no leading dash, which
 * would make it an option to the programs that get it. -1 with ADT_USAGE, "BadHost". */

int adt_hostlist_begin(struct adt_hostlist *h, const char *text, size_t n, struct adt_error *err);
/* Checks all of [text], which must stay while [h] is used, and counts its names. -1 with ADT_USAGE, "BadHostList" or
 * "TooMany", and what and where; nothing can fail after it. Empty text is no list: callers know what absence means. */

const char *adt_hostlist_next(struct adt_hostlist *h, size_t *n);
/* The next name, valid until the next call; NULL at the end. Several groups in one name turn as Slurm turns them, the
 * last one fastest. */

/* The other way: names in, in order, text out. */
struct adt_hostlist_fold {
    struct adt_buf *out; /* the caller's; any ceiling */
    size_t count;
    /* what is not written yet: the last range, and the open group it belongs to */
    char prefix[ADT_HOSTLIST_NAME + 1];
    size_t prefix_n;
    uint64_t first, last;
    int width;                 /* of the range's first number as written */
    unsigned padded, shortest; /* widths in the group: of numbers with leading zeros, and the least of the others */
    size_t open;               /* where the group's numbers begin in out */
    unsigned ranges;           /* of the group, in out */
    bool pending;
};

void adt_hostlist_fold_begin(struct adt_hostlist_fold *f, struct adt_buf *out);

int adt_hostlist_fold_add(struct adt_hostlist_fold *f, const char *name, size_t n, struct adt_error *err);
int adt_hostlist_fold_end(struct adt_hostlist_fold *f, struct adt_error *err);
/* The text as `scontrol show hostlist` has it: neighbours that differ in their last number share a bracket, order and
 * leading zeros are kept, so expanding gives the same names again. -1 with ADT_USAGE for what is no host or too many.
 */

#endif
