/* error.h - one structured error, owned by the caller and of fixed size */
#ifndef ADT_BASE_ERROR_H
#define ADT_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

/* What went wrong, in the words that the program's exit codes follow. */
enum adt_cause {
    ADT_NONE = 0,
    ADT_USAGE,
    ADT_CONFIG,
    ADT_AUTH,
    ADT_SERVICE,
    ADT_CAPACITY,
    ADT_QUOTA,
    ADT_IMAGE,
    ADT_PROGRAM,
    ADT_NODE,
    ADT_FABRIC,
    ADT_CHECK,
    ADT_REFERENCE,
    ADT_TIMEOUT,
    ADT_UNKNOWN,
    ADT_CANCELLED,
    ADT_INTERNAL, /* our own fault: out of memory, a broken invariant */
    ADT_CAUSES
};

struct adt_error {
    enum adt_cause cause;
    bool retryable;
    char code[32];     /* "ENOENT", "TooDeep": for programs */
    char message[512]; /* one sentence: for people */
    char where[128];   /* file:line, path, or endpoint; may be empty */
    char hint[256];    /* what to do next; may be empty */
};

const char *adt_cause_name(enum adt_cause cause);
/* "usage", "config" ...; "none" for ADT_NONE. Never NULL. */

int adt_error_set(struct adt_error *err, enum adt_cause cause, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Fills [err] (which may be NULL) and returns -1, so that failing is one line. errno is kept. Text that does not fit is
 * cut at a character boundary. */

int adt_error_errno(struct adt_error *err, enum adt_cause cause, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* As adt_error_set(), with the name of [errnum] as code and its text appended: "open x: No such file or directory". */

int adt_error_nomem(struct adt_error *err);
/* Out of memory, cause ADT_INTERNAL, code "ENOMEM"; returns -1. */

void adt_error_hint(struct adt_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds what to do next. Does nothing when [err] is NULL. */

const char *adt_errno_name(int errnum, char buf[static 16]);
/* "ENOENT"; "E123" for a number without a name. Returns [buf]. */

#endif
