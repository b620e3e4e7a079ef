/* request_private.h - what the serialisers of the protocols share */
#ifndef ADT_AWS_REQUEST_PRIVATE_H
#define ADT_AWS_REQUEST_PRIVATE_H

#include "aws/protocol.h"
#include "aws/timestamp.h"
#include "base/arena.h"

struct adt_aws_maker {
    const struct adt_aws_model *model;
    const struct adt_aws_operation *op;
    const struct adt_value *params; /* checked; an object of non-null members, the idempotency token included */
    struct adt_aws_request *out;
    struct adt_arena scratch; /* wiped in the end */
    struct adt_error *err;
};

/* A scalar as text: in the value's own memory, or here. */
struct adt_aws_text {
    const char *p;
    size_t n;
    char own[ADT_AWS_TIME_TEXT];
};

/* --- checking (request_check.c) ----------------------------------------------------------------------------------- */

int adt_aws_request_check(struct adt_aws_maker *m, const struct adt_value *params);
/* All of [params] against the input's shape, so that the serialisers need not look again. */

/* --- writing (request_text.c): each returns 0, or -1 with the maker's error --------------------------------------- */

int adt_aws_failed(struct adt_aws_maker *m);
/* By errno: out of memory, or past a ceiling. Returns -1. */

int adt_aws_put(struct adt_aws_maker *m, struct adt_buf *b, const char *p, size_t n);
int adt_aws_puts(struct adt_aws_maker *m, struct adt_buf *b, const char *s);
/* As adt_buf_add(), but what the buffer leaves behind when it grows is wiped. */

void adt_aws_buf_wipe(struct adt_buf *b);
/* Wipes and frees. */

int adt_aws_put_base64(struct adt_aws_maker *m, struct adt_buf *b, const char *p, size_t n);

int adt_aws_put_percent(struct adt_aws_maker *m, struct adt_buf *b, const char *p, size_t n, const char *safe);
/* Percent-encoded but for letters, digits, "-._~" and [safe]. */

void adt_aws_scalar(const struct adt_aws_member *ref, const struct adt_value *v, enum adt_aws_time otherwise,
                    struct adt_aws_text *out);
/* A string, boolean, number or timestamp as text; [otherwise] is the format of timestamps that name none. */

/* --- looking (request.c) ------------------------------------------------------------------------------------------ */

const struct adt_value *adt_aws_given(const struct adt_value *object, const struct adt_aws_member *member);
/* The member's value; NULL: not given, or null. */

const size_t *adt_aws_sorted_keys(struct adt_aws_maker *m, const struct adt_value *map);
/* The order of a map's keys by their bytes, in the maker's scratch memory. NULL with the maker's error. */

int adt_aws_header(struct adt_aws_maker *m, const char *name, size_t name_n, const char *value, size_t value_n);
/* Adds a header, both parts copied. -1 also for a value that no header can carry. */

bool adt_aws_has_header(const struct adt_aws_maker *m, const char *name);

/* --- protocols ---------------------------------------------------------------------------------------------------- */

int adt_aws_request_form(struct adt_aws_maker *m); /* query, ec2 */
int adt_aws_request_json(struct adt_aws_maker *m);
int adt_aws_request_rest(struct adt_aws_maker *m); /* rest-json, rest-xml */

int adt_aws_json_value(struct adt_aws_maker *m, const struct adt_aws_member *ref, const struct adt_value *v,
                       struct adt_buf *b);
/* A value by its shape. */

int adt_aws_json_plain(struct adt_aws_maker *m, const struct adt_value *v, bool compact, struct adt_buf *b);
/* A value as it is. */

int adt_aws_xml_value(struct adt_aws_maker *m, const struct adt_aws_member *ref, const char *name,
                      const struct adt_value *v, struct adt_buf *b);
/* A value as the element [name]; flattened lists and maps are several elements, or none. */

#endif
