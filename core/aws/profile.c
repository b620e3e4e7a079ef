/* profile.c - reading the shared files of the AWS tools */
#include "aws/profile.h"

#include "data/utf8.h"

#include <stdio.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_comment(char c)
{
    return c == '#' || c == ';';
}

static struct span trimmed(struct span s)
{
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    while (s.n && is_blank(*s.p))
        s.p++, s.n--;
    return s;
}

static bool is_name(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (!c || !strchr("-_/.%@:+", c)))
            return false;
    }
    return s.n > 0;
}

static bool is_word(struct span s, const char *word)
{
    return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

/* The text up to a comment; behind a value that needs a blank before it. */
static struct span without_comment(struct span s, bool need_blank)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_comment(s.p[i]) && (!need_blank || (i && is_blank(s.p[i - 1])))) {
            s.n = i;
            break;
        }
    return trimmed(s);
}

static int fail(const struct adt_awsprofile *p, struct adt_error *err, const char *code, const char *message)
{
    adt_error_set(err, ADT_CONFIG, code, "%s", message);
    if (err) {
        /* A long path is known by its end. */
        size_t n = strlen(p->file), keep = sizeof err->where - 20;
        bool cut = n > keep;
        snprintf(err->where, sizeof err->where, "%s%s:%u", cut ? "..." : "", cut ? p->file + n - keep : p->file,
                 p->line);
    }
    return -1;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static struct span this_line(const struct adt_awsprofile *p)
{
    const char *nl = memchr(p->at, '\n', (size_t)(p->end - p->at));
    return (struct span){p->at, (size_t)((nl ? nl : p->end) - p->at)};
}

static void go_on(struct adt_awsprofile *p, struct span line)
{
    p->at = line.p + line.n;
    if (p->at < p->end)
        p->at++;
    p->line++;
}

/* Skips what says nothing; true when a line follows. A comment may stand indented, too, as the aws program has it:
 * nobody means it to be the end of the value above. */
static bool at_line(struct adt_awsprofile *p, struct span *line)
{
    while (p->at < p->end) {
        *line = this_line(p);
        struct span text = trimmed(*line);
        if (text.n && !is_comment(*text.p))
            return true;
        go_on(p, *line);
    }
    return false;
}

/* --- sections ----------------------------------------------------------------------------------------------------- */

/* The rest of [s] behind [word] and a blank. */
static bool has_prefix(struct span s, const char *word, struct span *rest)
{
    size_t n = strlen(word);
    if (s.n <= n || memcmp(s.p, word, n) != 0 || !is_blank(s.p[n]))
        return false;
    *rest = trimmed((struct span){s.p + n, s.n - n});
    return true;
}

/* What is between the brackets; false when they do not close. */
static bool in_brackets(struct span line, struct span *inside)
{
    line = without_comment(line, false);
    if (line.n < 2 || line.p[0] != '[' || line.p[line.n - 1] != ']')
        return false;
    *inside = trimmed((struct span){line.p + 1, line.n - 2});
    return true;
}

static bool is_prefixed_default(struct span line)
{
    struct span inside, name;
    return in_brackets(line, &inside) && has_prefix(inside, "profile", &name) && is_word(name, "default");
}

/* Which section a header of a configuration file opens; the reason why none in [why]. */
static bool config_section(const struct adt_awsprofile *p, struct span inside, struct adt_awsprofile_item *item,
                           struct span *name, const char **why)
{
    static const struct {
        const char *word;
        enum adt_awsprofile_section section;
    } kinds[] = {{"profile", ADT_AWSPROFILE_PROFILE},
                 {"sso-session", ADT_AWSPROFILE_SSO_SESSION},
                 {"services", ADT_AWSPROFILE_SERVICES}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (has_prefix(inside, kinds[i].word, name)) {
            item->section = kinds[i].section;
            *why = "is ignored: its name has characters other than letters, digits and - _ / . % @ : +";
            return is_name(*name);
        }
    item->section = ADT_AWSPROFILE_PROFILE;
    *name = inside;
    *why = is_word(inside, "default") ? "is ignored: there is a [profile default], too"
                                      : "is ignored: a profile in this file is written [profile NAME]";
    return is_word(inside, "default") && !p->default_prefixed;
}

static bool credentials_section(struct span inside, struct adt_awsprofile_item *item, struct span *name,
                                const char **why)
{
    struct span rest;
    item->section = ADT_AWSPROFILE_PROFILE;
    *name = inside;
    *why = has_prefix(inside, "profile", &rest)
               ? "is ignored: a profile in this file is written [NAME], without \"profile\""
               : "is ignored: its name has characters other than letters, digits and - _ / . % @ : +";
    return is_name(inside);
}

static void warn(struct adt_awsprofile *p, struct adt_awsprofile_item *item, struct span name, const char *why)
{
    int n = name.n > 60 ? 60 : (int)name.n;
    while (n && (size_t)n < name.n && ((unsigned char)name.p[n] & 0xC0) == 0x80)
        n--;
    item->type = ADT_AWSPROFILE_WARNING;
    item->value_n = (size_t)(name.p ? snprintf(p->warning, sizeof p->warning, "[%.*s] %s", n, name.p, why)
                                    : snprintf(p->warning, sizeof p->warning, "%s", why));
    item->value = p->warning;
}

/* 1: an item, 0: nothing to tell, -1: an error. */
static int read_section(struct adt_awsprofile *p, struct span line, struct adt_awsprofile_item *item,
                        struct adt_error *err)
{
    struct span inside, name;
    const char *why;
    if (!in_brackets(line, &inside))
        return fail(p, err, "BadProfile", "a section's name must end with ']'");
    if (++p->sections > ADT_AWSPROFILE_SECTIONS)
        return fail(p, err, "TooBig", "more than 20000 sections");
    p->in_section = true;
    p->in_parent = p->parent_muted = false;
    bool good = p->kind == ADT_AWSPROFILE_CONFIG ? config_section(p, inside, item, &name, &why)
                                                 : credentials_section(inside, item, &name, &why);
    if (good && name.n > ADT_AWSPROFILE_NAME)
        return fail(p, err, "TooBig", "a section's name has more than 255 bytes");
    p->muted = !good;
    if (good) {
        item->type = ADT_AWSPROFILE_SECTION;
        item->name = name.p;
        item->name_n = name.n;
        return 1;
    }
    /* The aws program's own section. */
    if (is_word(inside, "plugins") || p->warnings >= ADT_AWSPROFILE_WARNINGS)
        return 0;
    p->warnings++;
    warn(p, item, inside, why);
    return 1;
}

/* --- properties --------------------------------------------------------------------------------------------------- */

/* Splits at the first '='. */
static int split(struct adt_awsprofile *p, struct span line, const char *what, struct span *name, struct span *value,
                 struct adt_error *err)
{
    char message[64];
    line = without_comment(line, true);
    const char *eq = memchr(line.p, '=', line.n);
    if (!eq) {
        snprintf(message, sizeof message, "a %s without a '='", what);
        return fail(p, err, "BadProfile", message);
    }
    *name = trimmed((struct span){line.p, (size_t)(eq - line.p)});
    *value = trimmed((struct span){eq + 1, (size_t)(line.p + line.n - eq - 1)});
    if (!name->n) {
        snprintf(message, sizeof message, "a %s without a name before its '='", what);
        return fail(p, err, "BadProfile", message);
    }
    if (name->n > ADT_AWSPROFILE_NAME)
        return fail(p, err, "TooBig", "a property's name has more than 255 bytes");
    if (++p->items > ADT_AWSPROFILE_ITEMS)
        return fail(p, err, "TooBig", "more than 200000 properties");
    return 0;
}

static void set_name(struct adt_awsprofile *p, struct adt_awsprofile_item *item, struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        p->name[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    p->name[name.n] = 0;
    item->name = p->name;
    item->name_n = name.n;
}

/* Tells of a property whose name is none, once its lines are behind us. */
static int ignored(struct adt_awsprofile *p, struct adt_awsprofile_item *item)
{
    if (p->muted || p->warnings >= ADT_AWSPROFILE_WARNINGS)
        return 0;
    p->warnings++;
    warn(p, item, (struct span){NULL, 0},
         "a property is ignored: its name has characters other than letters, digits and - _ / . % @ : +");
    return 1;
}

/* The lines that go on with a value, each trimmed, comments kept. */
static int read_continuation(struct adt_awsprofile *p, struct span *value, struct adt_error *err)
{
    struct span line;
    adt_buf_free(&p->value);
    while (at_line(p, &line) && is_blank(*line.p)) {
        struct span more = trimmed(line);
        if (p->value.len + value->n + more.n + 1 > ADT_AWSPROFILE_LINE)
            return fail(p, err, "TooBig", "a value has more than 65536 bytes");
        if ((!p->value.len && adt_buf_add(&p->value, value->p, value->n) < 0) || adt_buf_addc(&p->value, '\n') < 0 ||
            adt_buf_add(&p->value, more.p, more.n) < 0)
            return adt_error_nomem(err);
        go_on(p, line);
    }
    if (p->value.len)
        *value = (struct span){p->value.p, p->value.len};
    return 0;
}

static int read_property(struct adt_awsprofile *p, struct span line, struct adt_awsprofile_item *item,
                         struct adt_error *err)
{
    struct span name, value, next;
    if (!p->in_section)
        return fail(p, err, "BadProfile", "a property before the first section");
    if (split(p, line, "property", &name, &value, err) < 0)
        return -1;
    p->in_parent = p->parent_muted = false;
    go_on(p, line);
    if (value.n && read_continuation(p, &value, err) < 0)
        return -1;
    p->in_parent = !value.n && at_line(p, &next) && is_blank(*next.p);
    if (!is_name(name)) {
        p->parent_muted = true;
        return ignored(p, item);
    }
    set_name(p, item, name);
    item->type = ADT_AWSPROFILE_PROPERTY;
    item->parent = p->in_parent;
    item->value = value.p;
    item->value_n = value.n;
    return !p->muted;
}

static int read_nested(struct adt_awsprofile *p, struct span line, struct adt_awsprofile_item *item,
                       struct adt_error *err)
{
    struct span name, value;
    if (!p->in_section)
        return fail(p, err, "BadProfile", "an indented line before the first section");
    if (!p->in_parent)
        return fail(p, err, "BadProfile", "an indented line that goes on with no property");
    if (split(p, line, "nested property", &name, &value, err) < 0)
        return -1;
    go_on(p, line);
    if (!is_name(name))
        return p->parent_muted ? 0 : ignored(p, item);
    set_name(p, item, name);
    item->type = ADT_AWSPROFILE_NESTED;
    item->value = value.p;
    item->value_n = value.n;
    return !p->muted && !p->parent_muted;
}

/* --- the pass ----------------------------------------------------------------------------------------------------- */

int adt_awsprofile_begin(struct adt_awsprofile *p, enum adt_awsprofile_kind kind, const char *file, const char *text,
                         size_t n, struct adt_error *err)
{
    memset(p, 0, sizeof *p);
    adt_buf_init(&p->value, ADT_AWSPROFILE_LINE);
    p->kind = kind;
    p->file = file;
    p->line = 1;
    if (n > ADT_AWSPROFILE_TEXT)
        return fail(p, err, "TooBig", "the file has more than 4 MiB");
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        text += 3, n -= 3;
    p->at = text;
    p->end = text + n;
    size_t valid = adt_utf8_valid(text, n);
    while (p->at < p->end) {
        struct span line = this_line(p);
        if (line.n > ADT_AWSPROFILE_LINE)
            return fail(p, err, "TooBig", "a line has more than 65536 bytes");
        if ((size_t)(line.p - text) + line.n > valid)
            return fail(p, err, "NotUtf8", "the text is not UTF-8");
        if (memchr(line.p, 0, line.n))
            return fail(p, err, "BadProfile", "a NUL byte");
        if (kind == ADT_AWSPROFILE_CONFIG && line.n && *line.p == '[' && is_prefixed_default(line))
            p->default_prefixed = true;
        go_on(p, line);
    }
    p->at = text;
    p->line = 1;
    return 0;
}

int adt_awsprofile_next(struct adt_awsprofile *p, struct adt_awsprofile_item *item, struct adt_error *err)
{
    struct span line;
    while (at_line(p, &line)) {
        int rc;
        memset(item, 0, sizeof *item);
        item->line = p->line;
        if (*line.p == '[') {
            rc = read_section(p, line, item, err);
            go_on(p, line);
        } else {
            rc = is_blank(*line.p) ? read_nested(p, line, item, err) : read_property(p, line, item, err);
        }
        if (rc)
            return rc;
    }
    return 0;
}

void adt_awsprofile_end(struct adt_awsprofile *p)
{
    adt_buf_free(&p->value);
}
