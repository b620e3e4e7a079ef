/* response_private.h - what the parts that read responses share */
#ifndef ADT_AWS_RESPONSE_PRIVATE_H
#define ADT_AWS_RESPONSE_PRIVATE_H

#include "aws/protocol.h"

enum { ADT_AWS_FOUND = 256 };

/* One response being read. */
struct adt_aws_reader {
    const struct adt_aws_model *model;
    const struct adt_aws_operation *op; /* NULL: not known (failures) */
    const struct adt_aws_response *r;
    const struct adt_events *events;
    void *ctx;
    struct adt_error *err;
    const char *body; /* without the blanks around it */
    size_t body_n;
    struct adt_buf scratch, key; /* a decoded blob; a map's key */
    struct adt_buf seen;         /* bits of members that have come, one piece per open structure */
    size_t looked_ahead;         /* bytes */
    struct {
        const struct adt_aws_shape *shape;
        const struct adt_aws_member *member;
    } found[ADT_AWS_FOUND]; /* members that were looked up, by a hash of shape and name */
};

#define ADT_AWS_EMIT(rd, event, ...) \
    ((rd)->events->event ? (rd)->events->event((rd)->ctx __VA_OPT__(, ) __VA_ARGS__) : 0)

void adt_aws_reader_init(struct adt_aws_reader *rd, const struct adt_aws_model *m, const struct adt_aws_operation *op,
                         const struct adt_aws_response *r, const struct adt_events *events, void *ctx,
                         struct adt_error *err);
void adt_aws_reader_free(struct adt_aws_reader *rd);

const char *adt_aws_response_header(const struct adt_aws_response *r, const char *name);
/* NULL: not there. */

/* [name], NUL-terminated, is these [n] bytes. */
static inline bool adt_aws_name_is(const char *name, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (name[i] != text[i] || !name[i])
            return false;
    return name[n] == '\0';
}

/* Scalars that are written as text */

bool adt_aws_text_absent(enum adt_aws_type type, const char *p, size_t n);
/* Nothing but blanks where a number, a time or a truth is due: as good as not there. */

int adt_aws_emit_text(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *p, size_t n);
/* One event. -1 "WrongType". */

int adt_aws_emit_big(struct adt_aws_reader *rd, const char *digits, size_t n);

int adt_aws_wrong_type(struct adt_aws_reader *rd, const struct adt_aws_member *ref);
/* The error "WrongType"; the value is not told, it may be a secret. */

int adt_aws_no_union(struct adt_aws_reader *rd, const struct adt_aws_shape *s, size_t count);
/* The error of a union with [count] members. */

int adt_aws_emit_unknown(struct adt_aws_reader *rd, const char *name, size_t n);
/* What stands for a union's member that the model does not know: SDK_UNKNOWN_MEMBER with its name. */

int adt_aws_time_read(const char *p, size_t n, int64_t *whole, double *exact);
/* Seconds since the epoch from a number, a date of ISO 8601 (UTC unless it says else) or one of RFC 822. 0 when [whole]
 * is all, 1 when there is a fraction (then [exact] has it), -1 for what is no time. */

/* Parts of a response. Each emits members (a key and a value each) of the object that the caller has opened. */

int adt_aws_read_headers(struct adt_aws_reader *rd, const struct adt_aws_shape *s);
int adt_aws_read_xml(struct adt_aws_reader *rd, const struct adt_aws_member *output);
int adt_aws_read_json(struct adt_aws_reader *rd, const struct adt_aws_member *output);

int adt_aws_read_event_stream(struct adt_aws_reader *rd, const struct adt_aws_member *m);
/* A body that is a row of binary messages, all there: the member [m] as an array of events. */

int adt_aws_read_xml_error(struct adt_aws_reader *rd, const struct adt_aws_shape *s);
/* The members of an error's shape, from the element that holds the error. */

int adt_aws_read_json_shape(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *key,
                            const char *text, size_t n);
/* A whole text as one value. With [key] a member of that name (none if the text is null), without it the members of the
 * structure. */

int adt_aws_read_xml_shape(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *key,
                           const char *text, size_t n);

struct adt_xml;
int adt_aws_xml_begin(struct adt_aws_reader *rd, struct adt_xml *x, const char *text, size_t n);
/* Begins and reads up to the root element. */

int adt_aws_xml_find_error(struct adt_xml *x);
/* From the root to the element that holds the error; the root itself where there is none. */

const struct adt_aws_member *adt_aws_find_member(struct adt_aws_reader *rd, const struct adt_aws_shape *s,
                                                 const char *name, size_t n);
/* The member of that name in a body. What requests carry in their URI has no place of its own in responses, so it may
 * be in a body. */

bool adt_aws_in_body(const struct adt_aws_member *m);

bool adt_aws_reads_body(const struct adt_aws_shape *s);
/* Some member is in the body. */

#endif
