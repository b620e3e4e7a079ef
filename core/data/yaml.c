/* yaml.c - the nodes of a YAML document as events: aliases followed, merge keys merged, types told apart */
#include "data/yaml.h"

#include "base/mem.h"
#include "data/number.h"
#include "data/yaml_private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EMIT(r, node, event, ...) went(r, node, (r)->events->event ? (r)->events->event(__VA_ARGS__) : 0)

static int went(struct reader *r, const struct node *at, int rc)
{
    if (rc < 0 && r->err && !r->err->where[0])
        adt_yaml_where(r, at);
    return rc;
}

static const char *text_of(const struct reader *r, const struct node *node)
{
    return r->text.p ? r->text.p + node->text : "";
}

static const struct node *target(const struct reader *r, uint32_t i)
{
    const struct node *node = &r->nodes[i];
    return node->type == ALIAS ? &r->nodes[node->first] : node;
}

/* What is paid for is bounded: each value delivered and each key merged, so that neither aliases nor merges of merges
 * can make much out of little. */
static int spend(struct reader *r, const struct node *at)
{
    if (++r->spent <= r->opt.max_nodes)
        return 0;
    return adt_yaml_fail(r, at, "TooBig", "more than %zu values with each alias written out", r->opt.max_nodes);
}

/* Scalars */

static int deliver_integer(struct reader *r, const struct node *node)
{
    const char *text = text_of(r, node);
    int64_t integer;
    double number;
    if (adt_number_integer(text, node->n, &integer) == 0)
        return EMIT(r, node, integer, r->ctx, integer);
    if (r->events->big)
        return EMIT(r, node, big, r->ctx, text + (*text == '+'), node->n - (*text == '+'));
    if (adt_number_double(text, node->n, &number) < 0)
        return errno == ENOMEM ? adt_error_nomem(r->err)
                               : adt_yaml_fail(r, node, "BadYaml", "bad YAML: a number too big for a double");
    return EMIT(r, node, number, r->ctx, number);
}

static int deliver_radix(struct reader *r, const struct node *node)
{
    const char *text = text_of(r, node);
    unsigned shift = text[1] == 'x' ? 4 : 3;
    uint64_t v = 0;
    for (uint32_t i = 2; i < node->n; i++) {
        unsigned c = (unsigned char)text[i], digit = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
        if (v >> (63 - shift))
            return adt_yaml_fail(r, node, "BadYaml", "bad YAML: %.40s is beyond 64 bits", text);
        v = v << shift | digit;
    }
    return EMIT(r, node, integer, r->ctx, (int64_t)v);
}

static int deliver_float(struct reader *r, const struct node *node)
{
    double number;
    if (adt_number_double(text_of(r, node), node->n, &number) < 0)
        return errno == ENOMEM ? adt_error_nomem(r->err)
                               : adt_yaml_fail(r, node, "BadYaml", "bad YAML: a number too big for a double");
    return EMIT(r, node, number, r->ctx, number);
}

static int deliver_scalar(struct reader *r, const struct node *node)
{
    const char *text = text_of(r, node);
    switch ((enum adt_yaml_kind)node->kind) {
    case YAML_NULL:
        return EMIT(r, node, null, r->ctx);
    case YAML_TRUE:
    case YAML_FALSE:
        return EMIT(r, node, boolean, r->ctx, node->kind == YAML_TRUE);
    case YAML_INTEGER:
        return deliver_integer(r, node);
    case YAML_RADIX:
        return deliver_radix(r, node);
    case YAML_FLOAT:
        return deliver_float(r, node);
    case YAML_SPECIAL:
        return EMIT(r, node, number, r->ctx,
                    (text[node->n - 1] | 32) == 'n' ? NAN
                    : *text == '-'                  ? -INFINITY
                                                    : INFINITY);
    case YAML_STRING:
        break;
    }
    return EMIT(r, node, string, r->ctx, text, node->n);
}

/* Mappings */

static bool is_merge(const struct reader *r, const struct node *key)
{
    return key->type == SCALAR && key->plain && key->n == 2 && !memcmp(text_of(r, key), "<<", 2);
}

static int add_entry(struct reader *r, uint32_t key, uint32_t value, uint32_t source)
{
    const struct node *node = target(r, key);
    if (node->type != SCALAR)
        return adt_yaml_fail(r, &r->nodes[key], "BadYaml", "bad YAML: a list or mapping as a key");
    if (node->kind == YAML_NULL)
        return adt_yaml_fail(r, &r->nodes[key], "BadYaml", "bad YAML: null as a key (quote it if it is text)");
    if (spend(r, node) < 0)
        return -1;
    if (r->entry_count == r->entry_cap) {
        size_t cap = r->entry_cap ? 2 * r->entry_cap : 64;
        struct entry *entries = adt_realloc(r->entries, cap * sizeof *entries);
        if (!entries)
            return adt_error_nomem(r->err);
        r->entries = entries;
        r->entry_cap = cap;
    }
    r->entries[r->entry_count++] = (struct entry){text_of(r, node), node->n, key, value, r->order++, source};
    return 0;
}

static int collect(struct reader *r, const struct node *map, unsigned depth);

static int collect_merge(struct reader *r, const struct node *at, const struct node *value, unsigned depth)
{
    if (depth >= r->opt.max_depth)
        return adt_yaml_fail(r, at, "TooDeep", "merges more than %u levels deep", r->opt.max_depth);
    if (value->type == MAPPING)
        return collect(r, value, depth + 1);
    if (value->type != SEQUENCE)
        return adt_yaml_fail(r, at, "BadYaml", "bad YAML: << wants a mapping or a list of them");
    for (uint32_t i = value->first; i != NO_NODE; i = r->nodes[i].next) {
        const struct node *map = target(r, i);
        if (map->type != MAPPING)
            return adt_yaml_fail(r, at, "BadYaml", "bad YAML: << wants a mapping or a list of them");
        if (spend(r, at) < 0 || collect(r, map, depth + 1) < 0)
            return -1;
    }
    return 0;
}

/* The entries of a mapping in the order of their right to a key: its own first, then those it merges. */
static int collect(struct reader *r, const struct node *map, unsigned depth)
{
    uint32_t source = r->source++, merge = NO_NODE;
    for (uint32_t key = map->first; key != NO_NODE; key = r->nodes[r->nodes[key].next].next) {
        if (!is_merge(r, &r->nodes[key])) {
            if (add_entry(r, key, r->nodes[key].next, source) < 0)
                return -1;
        } else if (merge != NO_NODE) {
            return adt_yaml_fail(r, &r->nodes[key], "DuplicateKey", "the key '<<' comes twice in one mapping");
        } else {
            merge = key;
        }
    }
    if (merge == NO_NODE)
        return 0;
    return collect_merge(r, &r->nodes[merge], target(r, r->nodes[merge].next), depth);
}

static int by_text(const struct entry *x, const struct entry *y)
{
    int rc = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);
    return rc ? rc : (x->n > y->n) - (x->n < y->n);
}

static int by_text_and_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int rc = by_text(x, y);
    return rc ? rc : (x->order > y->order) - (x->order < y->order);
}

static int by_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

/* Leaves one entry a key behind [first]. */
static int settle(struct reader *r, size_t first)
{
    size_t n = r->entry_count - first, kept = 0;
    if (n < 2)
        return 0;
    struct entry *e = r->entries + first;
    qsort(e, n, sizeof *e, by_text_and_order);
    for (size_t i = 0; i < n; i++) {
        if (!i || by_text(&e[kept - 1], &e[i]) != 0) {
            e[kept++] = e[i];
        } else if (e[kept - 1].source == e[i].source || e[i - 1].source == e[i].source) {
            return adt_yaml_fail(r, &r->nodes[e[i].key], "DuplicateKey", "the key '%.*s' comes twice in one mapping",
                                 (int)(e[i].n < 100 ? e[i].n : 100), e[i].text);
        }
    }
    qsort(e, kept, sizeof *e, by_order);
    r->entry_count = first + kept;
    return 0;
}

static int deliver(struct reader *r, uint32_t i, unsigned depth);

static int deliver_mapping(struct reader *r, const struct node *node, unsigned depth)
{
    size_t first = r->entry_count;
    if (collect(r, node, 0) < 0 || settle(r, first) < 0 || EMIT(r, node, begin_object, r->ctx) < 0)
        return -1;
    size_t end = r->entry_count;
    for (size_t i = first; i < end; i++) {
        struct entry e = r->entries[i];
        const struct node *key = &r->nodes[e.key];
        if (EMIT(r, key, key, r->ctx, e.text, e.n) < 0 || deliver(r, e.value, depth + 1) < 0)
            return -1;
    }
    r->entry_count = first;
    return EMIT(r, node, end_object, r->ctx);
}

static int deliver_sequence(struct reader *r, const struct node *node, unsigned depth)
{
    if (EMIT(r, node, begin_array, r->ctx) < 0)
        return -1;
    for (uint32_t i = node->first; i != NO_NODE; i = r->nodes[i].next)
        if (deliver(r, i, depth + 1) < 0)
            return -1;
    return EMIT(r, node, end_array, r->ctx);
}

static int deliver(struct reader *r, uint32_t i, unsigned depth)
{
    const struct node *node = target(r, i);
    if (spend(r, &r->nodes[i]) < 0)
        return -1;
    if (node->type == SCALAR)
        return deliver_scalar(r, node);
    if (depth >= r->opt.max_depth)
        return adt_yaml_fail(r, &r->nodes[i], "TooDeep", "more than %u levels deep", r->opt.max_depth);
    return node->type == MAPPING ? deliver_mapping(r, node, depth) : deliver_sequence(r, node, depth);
}

int adt_yaml_deliver(struct reader *r)
{
    return deliver(r, 0, 0);
}

static int read_all(struct reader *r)
{
    size_t documents = 0;
    int rc;
    while ((rc = adt_yaml_compose(r)) > 0) {
        if (documents++ && !r->opt.all) {
            adt_yaml_fail(r, &r->nodes[0], "BadYaml", "bad YAML: more than one document");
            adt_error_hint(r->err, "read it as a stream of documents");
            return -1;
        }
        if (adt_yaml_deliver(r) < 0)
            return -1;
    }
    if (rc == 0 && !documents && !r->opt.all && r->events->null)
        return r->events->null(r->ctx);
    return rc;
}

int adt_yaml_parse(const char *text, size_t n, const struct adt_yaml_options *opt, const struct adt_events *events,
                   void *ctx, struct adt_error *err)
{
    struct reader *r = adt_zalloc(sizeof *r);
    if (!r)
        return adt_error_nomem(err);
    if (opt)
        r->opt = *opt;
    if (!r->opt.max_depth || r->opt.max_depth > ADT_YAML_DEPTH)
        r->opt.max_depth = ADT_YAML_DEPTH;
    r->opt.max_size = r->opt.max_size ? r->opt.max_size : ADT_YAML_SIZE;
    r->opt.max_nodes = r->opt.max_nodes ? r->opt.max_nodes : ADT_YAML_NODES;
    r->opt.cause = r->opt.cause ? r->opt.cause : ADT_CONFIG;
    r->events = events;
    r->ctx = ctx;
    r->err = err;
    r->input = text;
    r->input_len = n;
    adt_buf_init(&r->text, SIZE_MAX / 2);
    int rc;
    if (n > r->opt.max_size) {
        rc = adt_error_set(err, r->opt.cause, "TooBig", "YAML text of more than %zu bytes", r->opt.max_size);
    } else if (!yaml_parser_initialize(&r->yaml)) {
        rc = adt_error_nomem(err);
    } else {
        yaml_parser_set_encoding(&r->yaml, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r->yaml, (const unsigned char *)text, n);
        rc = read_all(r);
    }
    yaml_parser_delete(&r->yaml);
    adt_buf_free(&r->text);
    adt_free(r->nodes);
    adt_free(r->entries);
    adt_free(r);
    return rc;
}
