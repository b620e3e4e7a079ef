/* yaml_private.h - what the files of the YAML reader and writer share */
#ifndef ADT_DATA_YAML_PRIVATE_H
#define ADT_DATA_YAML_PRIVATE_H

#include "data/yaml.h"

#include <yaml.h>

enum adt_yaml_kind {
    YAML_STRING,
    YAML_NULL,
    YAML_TRUE,
    YAML_FALSE,
    YAML_INTEGER,
    YAML_RADIX,
    YAML_FLOAT,
    YAML_SPECIAL
};

enum adt_yaml_kind adt_yaml_resolve(const char *text, size_t n);
/* What a plain scalar is. YAML_RADIX: 0x or 0o; YAML_SPECIAL: infinities and NaN. */

enum node_type { SCALAR, SEQUENCE, MAPPING, ALIAS };

enum { NO_NODE = UINT32_MAX };

struct node {
    size_t text; /* SCALAR: offset in the reader's text */
    uint32_t n;  /* its length */
    uint32_t line, column;
    uint32_t first, last, next; /* members, and the one after this; ALIAS: first is the node it stands for */
    uint8_t type, kind;
    bool plain;    /* no quotes, no tag: may be a merge key */
    bool is_short; /* MAPPING: made for a tag; it ends with its value */
};

struct anchor {
    size_t name; /* offset in the reader's text */
    uint32_t node;
};

struct entry {
    const char *text; /* of the key */
    uint32_t n, key, value;
    uint32_t order, source; /* earlier wins; which mapping it came from */
};

struct reader {
    struct adt_yaml_options opt;
    const struct adt_events *events;
    void *ctx;
    struct adt_error *err;
    const char *input;
    size_t input_len;
    yaml_parser_t yaml;
    struct adt_buf text; /* of the scalars and anchors of one document */
    struct node *nodes;
    uint32_t count, cap;
    struct anchor anchors[ADT_YAML_ALIASES];
    uint32_t anchor_count, alias_count;
    uint32_t open[ADT_YAML_DEPTH + 1];
    unsigned depth;
    size_t spent; /* nodes of the documents before, aliases as all they stand for */
    struct entry *entries;
    size_t entry_count, entry_cap;
    uint32_t order, source;
};

int adt_yaml_fail(struct reader *r, const struct node *at, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* An error at the place of a node; returns -1. */

void adt_yaml_where(struct reader *r, const struct node *at);
/* Adds the place of a node to the error. */

int adt_yaml_compose(struct reader *r);
/* Reads one document into r->nodes, its value the first of them. 1, 0 at the end of the stream, -1. */

int adt_yaml_deliver(struct reader *r);
/* The document as events. 0 or -1. */

#endif
