/* list.h - a circular list whose links live inside its members */
#ifndef ADT_BASE_LIST_H
#define ADT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct adt_list {
    struct adt_list *prev, *next;
};

static inline void adt_list_init(struct adt_list *l)
{
    l->prev = l->next = l;
}

static inline bool adt_list_empty(const struct adt_list *l)
{
    return l->next == l;
}

static inline void adt_list_push(struct adt_list *head, struct adt_list *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

/* Taking a member out of no list is harmless, provided that it was initialised. */
static inline void adt_list_remove(struct adt_list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    adt_list_init(item);
}

static inline struct adt_list *adt_list_pop(struct adt_list *head)
{
    struct adt_list *first = head->next;
    if (first == head)
        return NULL;
    adt_list_remove(first);
    return first;
}

#define adt_container(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
