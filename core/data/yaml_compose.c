/* yaml_compose.c - one YAML document from libyaml's events into nodes, within the ceilings */
#include "base/mem.h"
#include "data/yaml_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CORE_TAG "tag:yaml.org,2002:"
#define CFN_KNOWN \
    "!Ref !Sub !GetAtt !If !Select !Join !Equals !And !Or !Not !Condition !Split !FindInMap !ImportValue !GetAZs " \
    "!Cidr !Base64 !Transform !Length !ToJsonString"

static void put_where(struct reader *r, size_t line, size_t column)
{
    if (!r->err)
        return;
    if (r->opt.name)
        snprintf(r->err->where, sizeof r->err->where, "%.90s:%zu:%zu", r->opt.name, line, column);
    else
        snprintf(r->err->where, sizeof r->err->where, "line %zu, column %zu", line, column);
}

void adt_yaml_where(struct reader *r, const struct node *at)
{
    put_where(r, at->line, at->column);
}

int adt_yaml_fail(struct reader *r, const struct node *at, const char *code, const char *fmt, ...)
{
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    adt_error_set(r->err, r->opt.cause, code, "%s", what);
    put_where(r, at->line, at->column);
    return -1;
}

/* The start of a line of the text, printable. */
static const char *excerpt(const struct reader *r, size_t line, char out[static 48])
{
    const char *p = r->input, *end = p + r->input_len;
    while (line-- && p && p < end)
        p = (p = memchr(p, '\n', (size_t)(end - p))) ? p + 1 : NULL;
    size_t n = 0;
    while (p && p < end && n < 47 && (*p == ' ' || *p == '\t'))
        p++;
    for (; p && p < end && n < 47 && *p != '\n' && *p != '\r'; p++)
        out[n++] = *p >= ' ' && *p < 0x7F ? *p : '?';
    out[n] = '\0';
    return out;
}

/* libyaml marks what it has decoded, not the byte that it could not decode. */
static yaml_mark_t mark_of_byte(const struct reader *r, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < r->input_len; i++) {
        mark.column++;
        if (r->input[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static int fail_syntax(struct reader *r)
{
    const yaml_parser_t *y = &r->yaml;
    if (y->error == YAML_MEMORY_ERROR)
        return adt_error_nomem(r->err);
    yaml_mark_t mark = y->error == YAML_READER_ERROR ? mark_of_byte(r, y->problem_offset) : y->problem_mark;
    char near[48];
    adt_error_set(r->err, r->opt.cause, "BadYaml", "bad YAML: %s%s%s, near '%s'", y->context ? y->context : "",
                  y->context ? ": " : "", y->problem ? y->problem : "unreadable", excerpt(r, mark.line, near));
    put_where(r, mark.line + 1, mark.column + 1);
    return -1;
}

static struct node *new_node(struct reader *r, const yaml_event_t *event, enum node_type type)
{
    struct node here = {.line = (uint32_t)event->start_mark.line + 1,
                        .column = (uint32_t)event->start_mark.column + 1,
                        .first = NO_NODE,
                        .last = NO_NODE,
                        .next = NO_NODE,
                        .type = (uint8_t)type};
    if (r->count + r->spent >= r->opt.max_nodes) {
        adt_yaml_fail(r, &here, "TooBig", "more than %zu values", r->opt.max_nodes);
        return NULL;
    }
    if (r->count == r->cap) {
        uint32_t cap = r->cap ? r->cap * 2 : 64;
        struct node *nodes = adt_realloc(r->nodes, cap * sizeof *nodes);
        if (!nodes)
            return adt_error_nomem(r->err), NULL;
        r->nodes = nodes;
        r->cap = cap;
    }
    if (r->depth) {
        struct node *up = &r->nodes[r->open[r->depth - 1]];
        if (up->first == NO_NODE)
            up->first = r->count;
        else
            r->nodes[up->last].next = r->count;
        up->last = r->count;
    }
    r->nodes[r->count] = here;
    return &r->nodes[r->count++];
}

static int add_text(struct reader *r, const void *text, size_t n, size_t *at)
{
    *at = r->text.len;
    return adt_buf_add(&r->text, text, n) < 0 ? adt_error_nomem(r->err) : 0;
}

static int set_anchor(struct reader *r, const yaml_char_t *name, const struct node *node)
{
    if (!name)
        return 0;
    if (r->anchor_count == ADT_YAML_ALIASES)
        return adt_yaml_fail(r, node, "TooBig", "more than %d anchors", ADT_YAML_ALIASES);
    struct anchor *a = &r->anchors[r->anchor_count++];
    a->node = (uint32_t)(node - r->nodes);
    return add_text(r, name, strlen((const char *)name) + 1, &a->name);
}

static int add_alias(struct reader *r, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct node *node = new_node(r, event, ALIAS);
    if (!node)
        return -1;
    if (r->alias_count++ == ADT_YAML_ALIASES)
        return adt_yaml_fail(r, node, "TooBig", "more than %d aliases", ADT_YAML_ALIASES);
    uint32_t i = r->anchor_count;
    while (i && strcmp(r->text.p + r->anchors[i - 1].name, name) != 0)
        i--;
    if (!i)
        return adt_yaml_fail(r, node, "BadYaml", "bad YAML: the alias *%.60s has no anchor before it", name);
    node->first = r->anchors[i - 1].node;
    for (unsigned d = 0; d < r->depth; d++)
        if (r->open[d] == node->first)
            return adt_yaml_fail(r, node, "BadYaml", "bad YAML: the alias *%.60s stands inside its own anchor", name);
    return 0;
}

static int bad_tag(struct reader *r, const struct node *node, const char *tag)
{
    if (r->opt.cloudformation && tag[0] == '!') {
        adt_yaml_fail(r, node, "UnknownTag", "the tag %.80s is no function of CloudFormation", tag);
        adt_error_hint(r->err, "known: " CFN_KNOWN);
        return -1;
    }
    adt_yaml_fail(r, node, "UnknownTag", "the tag %.80s is not of plain data", tag);
    adt_error_hint(r->err, "only !!str, !!int, !!float, !!bool, !!null, !!seq and !!map are read");
    return -1;
}

static int set_tag(struct reader *r, struct node *node, const yaml_char_t *tag, const char *wanted)
{
    const char *name = (const char *)tag;
    if (!name || !strcmp(name, "!") ||
        (!strncmp(name, CORE_TAG, sizeof CORE_TAG - 1) && !strcmp(name + sizeof CORE_TAG - 1, wanted)))
        return 0;
    return bad_tag(r, node, name);
}

static int set_scalar_tag(struct reader *r, struct node *node, const char *tag)
{
    const char *name = strncmp(tag, CORE_TAG, sizeof CORE_TAG - 1) ? tag : tag + sizeof CORE_TAG - 1;
    uint8_t kind = (uint8_t)adt_yaml_resolve(r->text.p + node->text, node->n);
    bool fits;
    if (!strcmp(name, "!") || (name != tag && !strcmp(name, "str"))) {
        node->kind = YAML_STRING;
        return 0;
    }
    if (name == tag)
        return bad_tag(r, node, tag);
    if (!strcmp(name, "int")) {
        fits = kind == YAML_INTEGER || kind == YAML_RADIX;
    } else if (!strcmp(name, "float")) {
        fits = kind == YAML_INTEGER || kind == YAML_FLOAT || kind == YAML_SPECIAL;
        kind = kind == YAML_INTEGER ? YAML_FLOAT : kind;
    } else if (!strcmp(name, "bool")) {
        fits = kind == YAML_TRUE || kind == YAML_FALSE;
    } else if (!strcmp(name, "null")) {
        fits = kind == YAML_NULL;
    } else {
        return bad_tag(r, node, tag);
    }
    node->kind = kind;
    return fits ? 0 : adt_yaml_fail(r, node, "BadYaml", "bad YAML: '%.40s' is no %s", r->text.p + node->text, name);
}

/* Whether a tag is short for a function of CloudFormation. */
static bool is_short(const struct reader *r, const char *tag)
{
    if (!r->opt.cloudformation || !tag || tag[0] != '!' || strchr(tag, ' '))
        return false;
    size_t n = strlen(tag);
    for (const char *p = CFN_KNOWN; (p = strstr(p, tag)); p += n)
        if (n > 1 && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

/* Opens the mapping that "!Name value" is short for, and puts its key in. The value follows. */
static int open_short(struct reader *r, const yaml_event_t *event, const char *tag, const yaml_char_t *anchor)
{
    struct node *node = new_node(r, event, MAPPING);
    char key[32];
    if (!node || set_anchor(r, anchor, node) < 0)
        return -1;
    if (r->depth == r->opt.max_depth)
        return adt_yaml_fail(r, node, "TooDeep", "more than %u levels deep", r->opt.max_depth);
    node->is_short = true;
    r->open[r->depth++] = (uint32_t)(node - r->nodes);
    bool bare = !strcmp(tag, "!Ref") || !strcmp(tag, "!Condition");
    int n = snprintf(key, sizeof key, "%s%s", bare ? "" : "Fn::", tag + 1);
    struct node *name = new_node(r, event, SCALAR);
    if (!name || add_text(r, key, (size_t)n, &name->text) < 0)
        return -1;
    name->n = (uint32_t)n;
    name->kind = YAML_STRING;
    return 0;
}

static void close_short(struct reader *r)
{
    if (r->depth && r->nodes[r->open[r->depth - 1]].is_short)
        r->depth--;
}

static int add_string(struct reader *r, const yaml_event_t *event, const char *text, size_t n)
{
    struct node *node = new_node(r, event, SCALAR);
    if (!node || add_text(r, text, n, &node->text) < 0)
        return -1;
    node->n = (uint32_t)n;
    node->kind = YAML_STRING;
    return 0;
}

/* "!GetAtt Name.Attribute" is a list of both; what stands behind the first point belongs to the attribute. */
static int add_attribute(struct reader *r, const yaml_event_t *event, const char *text, size_t n)
{
    const char *point = memchr(text, '.', n);
    struct node *node = new_node(r, event, SEQUENCE);
    if (!node)
        return -1;
    if (!point)
        return adt_yaml_fail(r, node, "BadYaml", "bad YAML: '!GetAtt %.60s' names no attribute", text);
    if (r->depth == r->opt.max_depth)
        return adt_yaml_fail(r, node, "TooDeep", "more than %u levels deep", r->opt.max_depth);
    r->open[r->depth++] = (uint32_t)(node - r->nodes);
    size_t head = (size_t)(point - text);
    int rc = add_string(r, event, text, head) < 0 ? -1 : add_string(r, event, point + 1, n - head - 1);
    r->depth--;
    return rc;
}

static int add_short_scalar(struct reader *r, const yaml_event_t *event, const char *tag)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t n = event->data.scalar.length;
    if (open_short(r, event, tag, event->data.scalar.anchor) < 0)
        return -1;
    int rc = !strcmp(tag, "!GetAtt") ? add_attribute(r, event, text, n) : add_string(r, event, text, n);
    close_short(r);
    return rc;
}

static int add_scalar(struct reader *r, const yaml_event_t *event)
{
    if (is_short(r, (const char *)event->data.scalar.tag))
        return add_short_scalar(r, event, (const char *)event->data.scalar.tag);
    struct node *node = new_node(r, event, SCALAR);
    const char *tag = (const char *)event->data.scalar.tag;
    size_t n = event->data.scalar.length;
    if (!node || set_anchor(r, event->data.scalar.anchor, node) < 0 ||
        add_text(r, event->data.scalar.value, n, &node->text) < 0)
        return -1;
    node->n = (uint32_t)n;
    if (tag)
        return set_scalar_tag(r, node, tag);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->kind = node->plain ? (uint8_t)adt_yaml_resolve(r->text.p + node->text, n) : YAML_STRING;
    return 0;
}

static int open_node(struct reader *r, const yaml_event_t *event, enum node_type type)
{
    bool list = type == SEQUENCE;
    const yaml_char_t *tag = list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    const yaml_char_t *anchor = list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
    if (is_short(r, (const char *)tag)) {
        if (open_short(r, event, (const char *)tag, anchor) < 0)
            return -1;
        tag = anchor = NULL;
    }
    struct node *node = new_node(r, event, type);
    if (!node)
        return -1;
    if (r->depth == r->opt.max_depth)
        return adt_yaml_fail(r, node, "TooDeep", "more than %u levels deep", r->opt.max_depth);
    r->open[r->depth++] = (uint32_t)(node - r->nodes);
    return set_tag(r, node, tag, list ? "seq" : "map") < 0 ? -1 : set_anchor(r, anchor, node);
}

/* 1: the document has ended; 2: the stream has. */
static int take_event(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return add_alias(r, event);
    case YAML_SCALAR_EVENT:
        return add_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_node(r, event, SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        return open_node(r, event, MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        close_short(r);
        return 0;
    case YAML_DOCUMENT_END_EVENT:
        return 1;
    case YAML_STREAM_END_EVENT:
        return 2;
    default:
        return 0;
    }
}

int adt_yaml_compose(struct reader *r)
{
    r->count = r->anchor_count = 0;
    r->depth = 0;
    r->text.len = 0;
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->yaml, &event))
            return fail_syntax(r);
        int rc = take_event(r, &event);
        yaml_event_delete(&event);
        if (rc)
            return rc == 2 ? 0 : rc;
    }
}
