/* model_private.h - what the files of the model's loader share */
#ifndef ADT_AWS_MODEL_PRIVATE_H
#define ADT_AWS_MODEL_PRIVATE_H

#include "aws/model.h"
#include "base/arena.h"
#include "data/value.h"

/* One shape of the description: its text and what is made of it. */
struct adt_aws_entry {
    const char *name;
    size_t n;
    const struct adt_value *text;
    struct adt_aws_shape *shape;
};

struct adt_aws_loader {
    struct adt_arena *arena; /* the model's own memory */
    struct adt_aws_model *model;
    struct adt_aws_entry *entries; /* sorted by name */
    size_t entry_count;
    const char *file; /* what errors call the description */
    struct adt_error *err;
};

int adt_aws_loader_bad(struct adt_aws_loader *l, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "BadModel" at a shape or operation; returns -1. */

int adt_aws_loader_nomem(struct adt_aws_loader *l);
/* By errno: out of memory, or past the ceiling; returns -1. */

int adt_aws_loader_text(struct adt_aws_loader *l, const struct adt_value *v, const char **out);
/* Copies a string into the model; what is no string leaves [out] as it is. */

int adt_aws_loader_shapes(struct adt_aws_loader *l, const struct adt_value *shapes);
/* Every shape of the description, members linked. */

const struct adt_aws_entry *adt_aws_loader_find(const struct adt_aws_loader *l, const struct adt_value *name);
/* NULL: no string, or no such shape. */

int adt_aws_loader_reference(struct adt_aws_loader *l, const char *where, const struct adt_value *ref,
                             struct adt_aws_member *out);
/* A reference to a shape, the shape's own traits merged in. A member's name is there already; inputs and outputs get
 * theirs afterwards. */

int adt_aws_loader_operations(struct adt_aws_loader *l, const struct adt_value *operations);

bool adt_aws_value_true(const struct adt_value *v);
bool adt_aws_value_is(const struct adt_value *v, const char *text);

#endif
