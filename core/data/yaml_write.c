/* yaml_write.c - events as YAML text in block style, safe with readers of YAML 1.1 as well */
#include "data/number.h"
#include "data/utf8.h"
#include "data/yaml.h"
#include "data/yaml_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LONG_KEY = 1000 /* readers look at most 1024 characters ahead for the colon */ };

enum style { PLAIN, QUOTED, BLOCK };

/* How a string may stand */

static uint32_t character(const char *p, size_t *n)
{
    const unsigned char *u = (const unsigned char *)p;
    *n = u[0] < 0x80 ? 1 : u[0] < 0xE0 ? 2 : u[0] < 0xF0 ? 3 : 4;
    uint32_t c = *n == 1 ? u[0] : u[0] & (0xFFU >> (*n + 1));
    for (size_t i = 1; i < *n; i++)
        c = c << 6 | (u[i] & 0x3F);
    return c;
}

/* Characters that YAML forbids or that some version takes for the end of a line. */
static bool is_special(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF || c == 0xFFFE ||
           c == 0xFFFF;
}

/* Words and numbers of YAML 1.1: yes and no, 0b1, 1_000, 1:30 (a number to the base 60), dates. */
static bool is_old_type(const char *text, size_t n)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == n && !strncasecmp(words[i], text, n))
            return true;
    if (*text < '0' || *text > '9')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!strchr("0123456789abcdefABCDEFxXoO_.:+-TtZz ", text[i]))
            return false;
    return true;
}

static bool is_plain(const char *text, size_t n)
{
    if (!n || strchr("-?:,[]{}#&*!|>'\"%@`=<~.+ ", *text) || text[n - 1] == ' ' || text[n - 1] == ':')
        return false;
    for (size_t i = 0; i + 1 < n; i++)
        if ((text[i] == ':' || text[i] == ' ') && text[i + 1] == (text[i] == ':' ? ' ' : '#'))
            return false;
    return adt_yaml_resolve(text, n) == YAML_STRING && !is_old_type(text, n);
}

static enum style choose(const char *text, size_t n)
{
    bool lines = false, special = false;
    for (size_t i = 0, step; i < n; i += step) {
        uint32_t c = character(text + i, &step);
        lines |= c == '\n';
        special |= is_special(c) && c != '\n' && !(c == '\t' && lines);
    }
    if (special)
        return QUOTED;
    if (lines)
        return *text == ' ' || *text == '\n' || *text == '\t' ? QUOTED : BLOCK;
    return is_plain(text, n) ? PLAIN : QUOTED;
}

/* Putting text */

static int no_room(struct adt_yaml_writer *w)
{
    if (errno == ENOMEM)
        return adt_error_nomem(w->err);
    return adt_error_set(w->err, ADT_USAGE, "TooBig", "YAML text of more than %zu bytes", w->out->max);
}

static int put(struct adt_yaml_writer *w, const char *text, size_t n)
{
    return adt_buf_add(w->out, text, n) < 0 ? no_room(w) : 0;
}

static int put_indent(struct adt_yaml_writer *w, unsigned n)
{
    char *p = adt_buf_grow(w->out, n);
    if (!p)
        return no_room(w);
    memset(p, ' ', n);
    p[n] = '\0';
    w->out->len += n;
    return 0;
}

static int put_quoted(struct adt_yaml_writer *w, const char *text, size_t n)
{
    if (put(w, "\"", 1) < 0)
        return -1;
    for (size_t i = 0, step; i < n; i += step) {
        uint32_t c = character(text + i, &step);
        char escape[16];
        int rc;
        if (c == '"' || c == '\\')
            rc = put(w, escape, (size_t)snprintf(escape, sizeof escape, "\\%c", (int)c));
        else if (c == '\n')
            rc = put(w, "\\n", 2);
        else if (c == '\t')
            rc = put(w, "\\t", 2);
        else if (is_special(c))
            rc = put(w, escape, (size_t)snprintf(escape, sizeof escape, c < 0x100 ? "\\x%02X" : "\\u%04X", c));
        else
            rc = put(w, text + i, step);
        if (rc < 0)
            return -1;
    }
    return put(w, "\"", 1);
}

static int put_block(struct adt_yaml_writer *w, const char *text, size_t n)
{
    unsigned indent = w->depth ? w->level[w->depth].indent + 2U : 2U;
    bool ends = text[n - 1] == '\n', more = ends && text[n - 2] == '\n';
    if (put(w, more ? "|+" : ends ? "|" : "|-", more || !ends ? 2 : 1) < 0)
        return -1;
    for (size_t i = 0; i < n;) {
        const char *end = memchr(text + i, '\n', n - i);
        size_t line = end ? (size_t)(end - text) - i : n - i;
        if (put(w, "\n", 1) < 0 || (line && (put_indent(w, indent) < 0 || put(w, text + i, line) < 0)))
            return -1;
        i += line + 1;
    }
    return put(w, "\n", 1);
}

/* Places. Each member starts behind its own indentation, but for the first of what stands in a list: that goes on
 * behind the dash. */

static int start_member(struct adt_yaml_writer *w)
{
    bool first = w->empty;
    w->empty = false;
    if (first && w->depth > 1) {
        if (w->level[w->depth - 1].array)
            return 0;
        if (put(w, "\n", 1) < 0)
            return -1;
    }
    return put_indent(w, w->level[w->depth].indent);
}

/* Before a value that is not an array or object with members: [space] where it follows a key. */
static int start_value(struct adt_yaml_writer *w, bool space)
{
    if (!w->depth)
        return 0;
    if (w->level[w->depth].array)
        return start_member(w) < 0 ? -1 : put(w, "- ", 2);
    return space ? put(w, " ", 1) : 0;
}

static int put_scalar(struct adt_yaml_writer *w, const char *text, size_t n)
{
    return start_value(w, true) < 0 || put(w, text, n) < 0 ? -1 : put(w, "\n", 1);
}

static int write_null(void *ctx)
{
    return put_scalar(ctx, "null", 4);
}

static int write_boolean(void *ctx, bool value)
{
    return value ? put_scalar(ctx, "true", 4) : put_scalar(ctx, "false", 5);
}

static int write_integer(void *ctx, int64_t value)
{
    char text[ADT_NUMBER_TEXT];
    return put_scalar(ctx, text, adt_number_write_integer(value, text));
}

static int write_number(void *ctx, double value)
{
    char text[ADT_NUMBER_TEXT + 2];
    if (isnan(value))
        return put_scalar(ctx, ".nan", 4);
    if (isinf(value))
        return value < 0 ? put_scalar(ctx, "-.inf", 5) : put_scalar(ctx, ".inf", 4);
    size_t n = adt_number_write_double(value, text);
    char *e = memchr(text, 'e', n);
    if (e && !memchr(text, '.', n)) { /* to YAML 1.1 a number without a point is no float */
        memmove(e + 2, e, n - (size_t)(e - text));
        memcpy(e, ".0", 2);
        n += 2;
    }
    return put_scalar(ctx, text, n);
}

static int write_big(void *ctx, const char *digits, size_t n)
{
    return put_scalar(ctx, digits, n);
}

static int check_utf8(struct adt_yaml_writer *w, const char *text, size_t n)
{
    size_t good = adt_utf8_valid(text, n);
    if (good == n)
        return 0;
    adt_error_set(w->err, ADT_USAGE, "NotUtf8", "a string that is not UTF-8 (byte %zu)", good + 1);
    adt_error_hint(w->err, "YAML holds text only; write bytes as hexadecimal or base64");
    return -1;
}

static int write_string(void *ctx, const char *text, size_t n)
{
    struct adt_yaml_writer *w = ctx;
    if (check_utf8(w, text, n) < 0)
        return -1;
    enum style style = choose(text, n);
    if (style == PLAIN)
        return put_scalar(w, text, n);
    if (start_value(w, true) < 0)
        return -1;
    if (style == BLOCK)
        return put_block(w, text, n);
    return put_quoted(w, text, n) < 0 ? -1 : put(w, "\n", 1);
}

static int write_key(void *ctx, const char *text, size_t n)
{
    struct adt_yaml_writer *w = ctx;
    if (check_utf8(w, text, n) < 0 || start_member(w) < 0)
        return -1;
    size_t start = w->out->len;
    int rc = choose(text, n) == PLAIN ? put(w, text, n) : put_quoted(w, text, n);
    if (rc == 0 && w->out->len - start > LONG_KEY) {
        if (put(w, "\n", 1) < 0 || put_indent(w, w->level[w->depth].indent + 2U) < 0)
            return -1;
        size_t end = w->out->len - w->level[w->depth].indent - 2;
        memmove(w->out->p + start + 2, w->out->p + start, end - start);
        memcpy(w->out->p + start, "? ", 2);
        w->out->len = end + 2;
        rc = put_indent(w, w->level[w->depth].indent);
    }
    return rc < 0 ? -1 : put(w, ":", 1);
}

static int begin(struct adt_yaml_writer *w, bool array)
{
    if (w->depth == ADT_YAML_DEPTH)
        return adt_error_set(w->err, ADT_USAGE, "TooDeep", "YAML of more than %d levels", ADT_YAML_DEPTH);
    unsigned indent = 0;
    if (w->depth) {
        /* A list under a key stands in the key's own column. */
        bool same = array && !w->level[w->depth].array;
        indent = w->level[w->depth].indent + (same ? 0U : 2U);
        if (start_value(w, false) < 0)
            return -1;
    }
    w->depth++;
    w->level[w->depth].array = array;
    w->level[w->depth].indent = (unsigned short)indent;
    w->empty = true;
    return 0;
}

static int end(struct adt_yaml_writer *w, const char *brackets)
{
    bool empty = w->empty;
    w->depth--;
    w->empty = false;
    if (!empty)
        return 0;
    bool key = w->depth && !w->level[w->depth].array;
    return (key && put(w, " ", 1) < 0) || put(w, brackets, 2) < 0 ? -1 : put(w, "\n", 1);
}

static int begin_array(void *ctx)
{
    return begin(ctx, true);
}

static int end_array(void *ctx)
{
    return end(ctx, "[]");
}

static int begin_object(void *ctx)
{
    return begin(ctx, false);
}

static int end_object(void *ctx)
{
    return end(ctx, "{}");
}

const struct adt_events adt_yaml_write = {
    .null = write_null,
    .boolean = write_boolean,
    .integer = write_integer,
    .number = write_number,
    .big = write_big,
    .string = write_string,
    .begin_array = begin_array,
    .end_array = end_array,
    .begin_object = begin_object,
    .key = write_key,
    .end_object = end_object,
};
