/* child_private.h - what the loop itself needs of its children */
#ifndef ADT_LOOP_CHILD_PRIVATE_H
#define ADT_LOOP_CHILD_PRIVATE_H

#include "loop/loop.h"

struct adt_children;

struct adt_children *adt_children_new(struct adt_loop *loop, struct adt_error *err);
void adt_children_free(struct adt_children *children);
struct adt_children *adt_loop_children(struct adt_loop *loop);

#endif
