/* response_xml.c - XML by shape: the answers of query, ec2 and rest-xml
 *
 * One walk over the text, events as it goes. Where members may stand in any order but events may not (the items of a
 * flattened list scattered among other members, a map's value before its key) the reader looks ahead and comes back. */
#include "aws/response_private.h"

#include "data/xml.h"

#include <stdio.h>
#include <string.h>

/* Bytes of looking ahead, as a multiple of the body: enough for any real answer, too little to keep us busy. */
enum { LOOK_AHEAD = 64 };

static int read_value(struct adt_aws_reader *rd, struct adt_xml *x, const struct adt_aws_member *ref, const char *key,
                      size_t key_n);

static int emit_key(struct adt_aws_reader *rd, const char *key, size_t n)
{
    return key ? ADT_AWS_EMIT(rd, key, key, n) : 0;
}

static bool is_flattened(const struct adt_aws_member *m)
{
    return m->flattened && (m->shape->type == ADT_AWS_LIST || m->shape->type == ADT_AWS_MAP);
}

/* The member that the element is. The items of a flattened list may have the name that the list gives them instead of
 * the member's. */
static const struct adt_aws_member *find_member(struct adt_aws_reader *rd, const struct adt_aws_shape *s,
                                                const struct adt_xml *x)
{
    const struct adt_aws_member *m = adt_aws_find_member(rd, s, x->name, x->name_n);
    for (size_t i = 0; i < s->member_count && !m; i++) {
        const struct adt_aws_member *list = &s->members[i];
        if (is_flattened(list) && list->shape->element->wire_name && adt_aws_in_body(list) &&
            adt_aws_name_is(list->shape->element->wire_name, x->name, x->name_n))
            m = list;
    }
    return m;
}

/* Maps */

/* The text of the next child called [name]: 1, with a copy in rd->key; 0: there is none; -1. */
static int find_key(struct adt_aws_reader *rd, struct adt_xml *x, const char *name, bool *first)
{
    const char *text;
    size_t n;
    int rc;
    for (*first = true; (rc = adt_xml_child(x)) == 1; *first = false) {
        if (!adt_aws_name_is(name, x->name, x->name_n)) {
            if (adt_xml_skip(x) < 0)
                return -1;
            continue;
        }
        if (adt_xml_text(x, &text, &n) < 0)
            return -1;
        rd->key.len = 0;
        return adt_buf_add(&rd->key, text, n) < 0 ? adt_error_nomem(rd->err) : 1;
    }
    return rc;
}

/* Behind the start of an entry. One without a key or without a value is none. */
static int read_entry(struct adt_aws_reader *rd, struct adt_xml *x, const struct adt_aws_shape *map)
{
    const char *value_name = map->element->wire_name ? map->element->wire_name : "value";
    struct adt_xml_mark begin = adt_xml_mark(x);
    bool first, read = false;
    int rc = find_key(rd, x, map->key->wire_name ? map->key->wire_name : "key", &first);
    if (rc <= 0)
        return rc;
    if (!first)
        adt_xml_rewind(x, begin);
    while ((rc = adt_xml_child(x)) == 1) {
        bool value = !read && adt_aws_name_is(value_name, x->name, x->name_n);
        read |= value;
        if (value ? read_value(rd, x, map->element, rd->key.p ? rd->key.p : "", rd->key.len) < 0 : adt_xml_skip(x) < 0)
            return -1;
    }
    return rc;
}

/* Lists and maps in an element of their own, or flattened into the structure around them */

static int read_items(struct adt_aws_reader *rd, struct adt_xml *x, const struct adt_aws_shape *s)
{
    int rc;
    while ((rc = adt_xml_child(x)) == 1)
        if ((s->type == ADT_AWS_MAP ? read_entry(rd, x, s) : read_value(rd, x, s->element, NULL, 0)) < 0)
            return -1;
    return rc;
}

static int begin_many(struct adt_aws_reader *rd, const struct adt_aws_shape *s)
{
    return s->type == ADT_AWS_MAP ? ADT_AWS_EMIT(rd, begin_object) : ADT_AWS_EMIT(rd, begin_array);
}

static int end_many(struct adt_aws_reader *rd, const struct adt_aws_shape *s)
{
    return s->type == ADT_AWS_MAP ? ADT_AWS_EMIT(rd, end_object) : ADT_AWS_EMIT(rd, end_array);
}

/* Behind the start of a first item: that one, those that follow, and, by looking ahead, those further behind. The
 * reader then stands behind the first row of them. */
static int read_flattened(struct adt_aws_reader *rd, struct adt_xml *x, const struct adt_aws_shape *around,
                          const struct adt_aws_member *m)
{
    const struct adt_aws_shape *s = m->shape;
    struct adt_xml_mark behind = adt_xml_mark(x);
    bool row = true;
    int rc = 1;
    if (emit_key(rd, m->name, strlen(m->name)) < 0 || begin_many(rd, s) < 0)
        return -1;
    do {
        bool mine = find_member(rd, around, x) == m;
        row &= mine;
        if (!mine ? adt_xml_skip(x) < 0
                  : (s->type == ADT_AWS_MAP ? read_entry(rd, x, s) : read_value(rd, x, s->element, NULL, 0)) < 0)
            return -1;
        if (row)
            behind = adt_xml_mark(x);
    } while ((rc = adt_xml_child(x)) == 1);
    if (rc < 0 || end_many(rd, s) < 0)
        return -1;
    rd->looked_ahead += (size_t)(x->at - behind.at);
    if (rd->looked_ahead / LOOK_AHEAD > rd->body_n)
        return adt_xml_fail(x, "TooBig", "items of lists are scattered too far");
    adt_xml_rewind(x, behind);
    return 0;
}

/* Structures */

static int read_attributes(struct adt_aws_reader *rd, struct adt_xml *x, const struct adt_aws_shape *s)
{
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_aws_member *m = &s->members[i];
        if (!m->xml_attribute || m->location != ADT_AWS_BODY)
            continue;
        const char *wire = m->wire_name ? m->wire_name : m->name, *colon = strchr(wire, ':');
        const char *local = colon ? colon + 1 : wire, *value;
        for (size_t k = 0; k < x->attribute_count; k++) {
            const struct adt_xml_attribute *a = &x->attributes[k];
            size_t n;
            if (!adt_aws_name_is(local, a->name, a->name_n) || (a->raw_n != a->name_n) != (colon != NULL))
                continue;
            if (adt_xml_attribute(x, a, &value, &n) < 0 || emit_key(rd, m->name, strlen(m->name)) < 0 ||
                adt_aws_emit_text(rd, m, value, n) < 0)
                return -1;
            break;
        }
    }
    return 0;
}

static bool test_and_set(struct adt_aws_reader *rd, size_t base, size_t bit)
{
    unsigned char *byte = (unsigned char *)rd->seen.p + base + bit / 8, mask = (unsigned char)(1U << bit % 8);
    bool was = *byte & mask;
    *byte |= mask;
    return was;
}

/* The children of the open element as members; the first of equal ones counts. */
static int read_children(struct adt_aws_reader *rd, struct adt_xml *x, const struct adt_aws_shape *s, size_t base)
{
    const char *unknown = NULL;
    size_t unknown_n = 0, count = 0;
    int rc;
    while ((rc = adt_xml_child(x)) == 1) {
        const struct adt_aws_member *m = find_member(rd, s, x);
        if (!m && s->is_union && !adt_aws_name_is("__type", x->name, x->name_n)) {
            unknown = x->name;
            unknown_n = x->name_n;
            count++;
        }
        if (!m || test_and_set(rd, base, (size_t)(m - s->members))) {
            if (adt_xml_skip(x) < 0)
                return -1;
            continue;
        }
        count++;
        if ((is_flattened(m) ? read_flattened(rd, x, s, m) : read_value(rd, x, m, m->name, strlen(m->name))) < 0)
            return -1;
    }
    if (rc < 0 || !s->is_union)
        return rc;
    if (count != 1)
        return adt_aws_no_union(rd, s, count);
    return unknown ? adt_aws_emit_unknown(rd, unknown, unknown_n) : 0;
}

static int read_members(struct adt_aws_reader *rd, struct adt_xml *x, const struct adt_aws_shape *s)
{
    size_t base = rd->seen.len, n = s->member_count / 8 + 1;
    if (x->attribute_count && read_attributes(rd, x, s) < 0)
        return -1;
    char *bits = adt_buf_grow(&rd->seen, n);
    if (!bits)
        return adt_error_nomem(rd->err);
    memset(bits, 0, n);
    rd->seen.len += n;
    int rc = read_children(rd, x, s, base);
    rd->seen.len = base;
    return rc;
}

static int read_scalar(struct adt_aws_reader *rd, struct adt_xml *x, const struct adt_aws_member *ref, const char *key,
                       size_t key_n)
{
    const char *text;
    size_t n;
    if (adt_xml_text(x, &text, &n) < 0)
        return -1;
    if (adt_aws_text_absent(ref->shape->type, text, n))
        return 0;
    return emit_key(rd, key, key_n) < 0 ? -1 : adt_aws_emit_text(rd, ref, text, n);
}

/* Behind a start: the element as a value, under [key] unless that is NULL. */
static int read_value(struct adt_aws_reader *rd, struct adt_xml *x, const struct adt_aws_member *ref, const char *key,
                      size_t key_n)
{
    const struct adt_aws_shape *s = ref->shape;
    switch (s->type) {
    case ADT_AWS_STRUCTURE:
        if (emit_key(rd, key, key_n) < 0 || ADT_AWS_EMIT(rd, begin_object) < 0 || read_members(rd, x, s) < 0)
            return -1;
        return ADT_AWS_EMIT(rd, end_object);
    case ADT_AWS_LIST:
    case ADT_AWS_MAP:
        if (emit_key(rd, key, key_n) < 0 || begin_many(rd, s) < 0 || read_items(rd, x, s) < 0)
            return -1;
        return end_many(rd, s);
    default:
        return read_scalar(rd, x, ref, key, key_n);
    }
}

/* Whole texts */

int adt_aws_xml_begin(struct adt_aws_reader *rd, struct adt_xml *x, const char *text, size_t n)
{
    static const struct adt_xml_options opt = {.max_depth = ADT_AWS_DEPTH, .cause = ADT_SERVICE};
    if (adt_xml_begin(x, text, n, &opt, rd->err) < 0)
        return -1;
    return adt_xml_child(x) == 1 ? 0 : -1;
}

/* What is left of the text must be XML, too: a cut answer is no answer. */
static int finish(struct adt_xml *x)
{
    enum adt_xml_token token;
    while ((token = adt_xml_next(x)) != ADT_XML_DONE)
        if (token == ADT_XML_ERROR)
            return -1;
    return 0;
}

static int close_reader(struct adt_aws_reader *rd, struct adt_xml *x, int rc)
{
    if (rc < 0 && rd->err && rd->err->cause == ADT_SERVICE && !rd->err->where[0]) {
        struct adt_error was = *rd->err;
        adt_xml_fail(x, was.code, "%s", was.message);
        memcpy(rd->err->message, was.message, sizeof was.message);
    }
    adt_xml_end(x);
    return rc;
}

int adt_aws_read_xml_shape(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *key,
                           const char *text, size_t n)
{
    struct adt_xml x;
    int rc = adt_aws_xml_begin(rd, &x, text, n);
    if (rc == 0)
        rc = key ? read_value(rd, &x, ref, key, strlen(key)) : read_members(rd, &x, ref->shape);
    if (rc == 0)
        rc = finish(&x);
    return close_reader(rd, &x, rc);
}

/* From the root into the element around the result: the one that the model names, else one called as the protocol
 * says, where there is one. */
static int find_wrapper(struct adt_aws_reader *rd, struct adt_xml *x, const char *name)
{
    char usual[128];
    struct adt_xml_mark root = adt_xml_mark(x);
    const char *root_name = x->name;
    size_t root_n = x->name_n < 80 ? x->name_n : 80;
    int rc;
    snprintf(usual, sizeof usual, "%sResult", rd->op->name);
    while ((rc = adt_xml_child(x)) == 1) {
        if (adt_aws_name_is(name ? name : usual, x->name, x->name_n))
            return 0;
        if (adt_xml_skip(x) < 0)
            return -1;
    }
    if (rc < 0)
        return -1;
    if (name)
        return adt_error_set(rd->err, ADT_SERVICE, "BadXml", "there is no <%.80s> in the answer's <%.*s>", name,
                             (int)root_n, root_name);
    adt_xml_rewind(x, root);
    return 0;
}

/* Without a modelled output the text is only checked: a page of a proxy is no success. */
int adt_aws_read_xml(struct adt_aws_reader *rd, const struct adt_aws_member *output)
{
    struct adt_xml x;
    int rc = adt_aws_xml_begin(rd, &x, rd->body, rd->body_n);
    if (rc == 0 && output && rd->model->protocol == ADT_AWS_QUERY && adt_aws_reads_body(output->shape))
        rc = find_wrapper(rd, &x, output->result_wrapper);
    if (rc == 0 && output)
        rc = read_members(rd, &x, output->shape);
    if (rc == 0)
        rc = finish(&x);
    return close_reader(rd, &x, rc);
}

/* Errors */

int adt_aws_xml_find_error(struct adt_xml *x)
{
    struct adt_xml_mark root = adt_xml_mark(x);
    int rc = 0;
    if (adt_aws_name_is("Error", x->name, x->name_n))
        return 0;
    while ((rc = adt_xml_child(x)) == 1) {
        if (adt_aws_name_is("Error", x->name, x->name_n))
            return 0;
        if (!adt_aws_name_is("Errors", x->name, x->name_n) && adt_xml_skip(x) < 0)
            return -1;
    }
    if (rc < 0)
        return -1;
    adt_xml_rewind(x, root);
    return 0;
}

int adt_aws_read_xml_error(struct adt_aws_reader *rd, const struct adt_aws_shape *s)
{
    struct adt_xml x;
    int rc = adt_aws_xml_begin(rd, &x, rd->body, rd->body_n);
    if (rc == 0)
        rc = adt_aws_xml_find_error(&x);
    if (rc == 0)
        rc = read_members(rd, &x, s);
    return close_reader(rd, &x, rc);
}
