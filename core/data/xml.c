/* xml.c - the XML reader: one scan for the encoding, then tags by table and text by memchr */
#include "data/xml.h"

#include "data/json.h"
#include "data/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NAME = 1, COLON = 2, INNER = 3 /* not as the first character */ };

/* Beyond ASCII every character may be in a name: telling letters apart there would reject nothing that harms. */
static const unsigned char classes[256] = {
    ['A' ... 'Z'] = NAME,  ['a' ... 'z'] = NAME, ['_'] = NAME,  [0x80 ... 0xFF] = NAME,
    ['0' ... '9'] = INNER, ['-'] = INNER,        ['.'] = INNER, [':'] = COLON,
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

enum { WHAT = 300 };

static int fail_text(struct adt_xml *x, const char *at, const char *code, const char *what)
{
    adt_error_set(x->err, x->opt.cause, code, "bad XML: %s", what);
    adt_json_where(x->opt.name, x->text, (size_t)(x->end - x->text), (size_t)(at - x->text), x->err);
    return -1;
}

__attribute__((format(printf, 4, 5))) static int fail(struct adt_xml *x, const char *at, const char *code,
                                                      const char *fmt, ...)
{
    char what[WHAT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return fail_text(x, at, code, what);
}

int adt_xml_fail(struct adt_xml *x, const char *code, const char *fmt, ...)
{
    char what[WHAT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return fail_text(x, x->at, code, what);
}

static int cut_off(struct adt_xml *x, const char *in)
{
    return fail(x, x->end, "BadXml", "the text ends within %s", in);
}

/* The scan before all: UTF-8, no characters that XML has not */

#define EVERY(byte) (UINT64_C(0x0101010101010101) * (byte))

static uint64_t zeros(uint64_t w)
{
    return (w - EVERY(1)) & ~w & EVERY(0x80);
}

static int scan_byte(struct adt_xml *x, struct adt_utf8 *utf8, const char *p)
{
    unsigned char c = (unsigned char)*p;
    if (adt_utf8_next(utf8, c) < 0)
        return fail(x, p, "BadXml", "not UTF-8");
    if (c < ' ' && !is_blank((char)c))
        return fail(x, p, "BadXml", "the control character %u", c);
    if (c >= 0xBE && !utf8->need && p - x->text >= 2 && (unsigned char)p[-1] == 0xBF && (unsigned char)p[-2] == 0xEF)
        return fail(x, p, "BadXml", "a character that is none (U+FFF%c)", c == 0xBE ? 'E' : 'F');
    x->references |= c == '&';
    x->returns |= c == '\r';
    return 0;
}

static int scan(struct adt_xml *x)
{
    struct adt_utf8 utf8 = {0};
    const char *p = x->text;
    while (p < x->end) {
        uint64_t w;
        if (x->end - p >= (ptrdiff_t)sizeof w && !utf8.need) {
            memcpy(&w, p, sizeof w);
            /* A byte below a blank borrows from the next one, so only "none at all" is exact; the rest is looked at. */
            if (!((w | ((w - EVERY(' ')) & ~w)) & EVERY(0x80))) {
                x->references |= zeros(w ^ EVERY('&')) != 0;
                p += sizeof w;
                continue;
            }
        }
        for (const char *stop = x->end - p >= 8 ? p + 8 : x->end; p < stop; p++)
            if (scan_byte(x, &utf8, p) < 0)
                return -1;
    }
    return utf8.need ? fail(x, p, "BadXml", "not UTF-8: the text ends within a character") : 0;
}

int adt_xml_begin(struct adt_xml *x, const char *text, size_t n, const struct adt_xml_options *opt,
                  struct adt_error *err)
{
    static const char bom[] = "\xEF\xBB\xBF";
    x->opt = opt ? *opt : (struct adt_xml_options){0};
    if (!x->opt.max_depth || x->opt.max_depth > ADT_XML_DEPTH)
        x->opt.max_depth = ADT_XML_DEPTH;
    if (!x->opt.max_size)
        x->opt.max_size = ADT_XML_SIZE;
    if (!x->opt.cause)
        x->opt.cause = ADT_CONFIG;
    x->err = err;
    x->text = x->at = text;
    x->end = text + n;
    x->depth = 0;
    x->attribute_count = 0;
    x->empty = x->references = x->returns = x->root = false;
    adt_buf_init(&x->buf, x->opt.max_size);
    if (n > x->opt.max_size)
        return fail(x, x->text, "TooBig", "more than %zu bytes", x->opt.max_size);
    if (n >= 3 && memcmp(text, bom, 3) == 0)
        x->at += 3;
    return scan(x);
}

void adt_xml_end(struct adt_xml *x)
{
    adt_buf_free(&x->buf);
}

/* References and line ends */

static int put_utf8(struct adt_buf *b, unsigned long c)
{
    char out[4];
    size_t n = 0;
    if (c < 0x80)
        out[n++] = (char)c;
    else if (c < 0x800)
        out[n++] = (char)(0xC0 | c >> 6);
    else if (c < 0x10000)
        out[n++] = (char)(0xE0 | c >> 12);
    else
        out[n++] = (char)(0xF0 | c >> 18);
    for (int shift = c < 0x80 ? -6 : c < 0x800 ? 0 : c < 0x10000 ? 6 : 12; shift >= 0; shift -= 6)
        out[n++] = (char)(0x80 | (c >> shift & 0x3F));
    return adt_buf_add(b, out, n);
}

/* [p] is behind "&#", [n] bytes up to the ';'. 0: no character of XML. */
static unsigned long character(const char *p, size_t n)
{
    unsigned base = n && *p == 'x' ? 16 : 10;
    unsigned long c = 0;
    size_t i = base == 16;
    if (i == n)
        return 0;
    for (; i < n; i++) {
        unsigned char digit = (unsigned char)p[i], v = 99;
        if (digit >= '0' && digit <= '9')
            v = digit - '0';
        else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
            v = (unsigned char)((digit | 0x20) - 'a' + 10);
        if (v >= base || (c = c * base + v) > 0x10FFFF)
            return 0;
    }
    bool good = c >= ' ' ? (c < 0xD800 || c > 0xDFFF) && c != 0xFFFE && c != 0xFFFF : is_blank((char)c);
    return good ? c : 0;
}

static int nomem(struct adt_xml *x)
{
    return adt_error_nomem(x->err);
}

/* Resolves the reference at [p], which is '&'; the place behind it, or NULL. */
static const char *resolve(struct adt_xml *x, const char *p, const char *end)
{
    static const struct {
        const char *name;
        char c;
    } named[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    const char *name = p + 1;
    size_t left = (size_t)(end - name), n = 0;
    while (n < left && n < 32 && name[n] != ';')
        n++;
    if (n == left || name[n] != ';')
        return fail(x, p, "BadXml", "'&' without a reference and ';'"), NULL;
    unsigned long c = 0;
    if (*name == '#')
        c = character(name + 1, n - 1);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (n == strlen(named[i].name) && memcmp(name, named[i].name, n) == 0)
            c = (unsigned char)named[i].c;
    if (!c)
        return fail(x, p, "BadXml", "the reference &%.*s; is unknown", (int)n, name), NULL;
    if (put_utf8(&x->buf, c) < 0)
        return nomem(x), NULL;
    return name + n + 1;
}

/* Adds [p, end) to x->buf with references resolved and line ends as "\n"; in attributes blanks become ' '. */
static int decode(struct adt_xml *x, const char *p, const char *end, bool references, bool attribute)
{
    while (p < end) {
        const char *from = p;
        while (p < end && *p != '\r' && !(references && *p == '&') && !(attribute && (*p == '\n' || *p == '\t')))
            p++;
        if (adt_buf_add(&x->buf, from, (size_t)(p - from)) < 0)
            return nomem(x);
        if (p == end)
            break;
        if (*p == '&') {
            if (!(p = resolve(x, p, end)))
                return -1;
            continue;
        }
        if (*p == '\r' && end - p > 1 && p[1] == '\n')
            p++;
        p++;
        if (adt_buf_addc(&x->buf, attribute ? ' ' : '\n') < 0)
            return nomem(x);
    }
    return 0;
}

static bool needs_decoding(const struct adt_xml *x, const char *p, size_t n, bool references)
{
    return (references && x->references && memchr(p, '&', n)) || (x->returns && memchr(p, '\r', n));
}

/* Text [p, p+n) as the value of a token. */
static int set_value(struct adt_xml *x, const char *p, size_t n, bool references)
{
    x->value = p;
    x->value_n = n;
    if (!needs_decoding(x, p, n, references))
        return 0;
    x->buf.len = 0;
    if (decode(x, p, p + n, references, false) < 0)
        return -1;
    x->value = x->buf.p;
    x->value_n = x->buf.len;
    return 0;
}

/* Tags */

static const char *skip_blanks(const struct adt_xml *x, const char *p)
{
    while (p < x->end && is_blank(*p))
        p++;
    return p;
}

/* The end of the name at [p] (p itself: none), and where its local part begins. */
static const char *scan_name(const struct adt_xml *x, const char *p, const char **local)
{
    unsigned char kind;
    *local = p;
    if (p == x->end || classes[(unsigned char)*p] != NAME)
        return p;
    for (p++; p < x->end && (kind = classes[(unsigned char)*p]); p++)
        if (kind == COLON)
            *local = p + 1;
    return p;
}

static int add_attribute(struct adt_xml *x, const struct adt_xml_attribute *a)
{
    if (x->attribute_count == ADT_XML_ATTRIBUTES)
        return fail(x, a->raw, "TooBig", "more than %d attributes in one tag", ADT_XML_ATTRIBUTES);
    for (size_t i = 0; i < x->attribute_count; i++)
        if (x->attributes[i].raw_n == a->raw_n && memcmp(x->attributes[i].raw, a->raw, a->raw_n) == 0)
            return fail(x, a->raw, "BadXml", "the attribute %.*s comes twice", a->raw_n > 60 ? 60 : (int)a->raw_n,
                        a->raw);
    x->attributes[x->attribute_count++] = *a;
    return 0;
}

/* References in attributes are checked when the value is asked for, or here so that bad ones never pass. */
static int check_references(struct adt_xml *x, const char *p, size_t n)
{
    if (!x->references || !memchr(p, '&', n))
        return 0;
    x->buf.len = 0;
    return decode(x, p, p + n, true, true);
}

/* The attributes from [p] on; where they end ('>' or "/>"), or NULL. */
static const char *read_attributes(struct adt_xml *x, const char *p)
{
    for (;;) {
        const char *behind = skip_blanks(x, p);
        if (behind == x->end)
            return cut_off(x, "a tag"), NULL;
        if (*behind == '>' || *behind == '/')
            return behind;
        struct adt_xml_attribute a = {.raw = behind};
        const char *q = scan_name(x, behind, &a.name);
        if (q == behind || behind == p)
            return fail(x, behind, "BadXml", "a character that cannot be in a tag"), NULL;
        a.raw_n = (size_t)(q - a.raw);
        a.name_n = (size_t)(q - a.name);
        q = skip_blanks(x, q);
        if (q < x->end && *q == '=')
            q = skip_blanks(x, q + 1);
        else if (q < x->end)
            return fail(x, q, "BadXml", "an attribute without '='"), NULL;
        if (q == x->end)
            return cut_off(x, "a tag"), NULL;
        if (*q != '"' && *q != '\'')
            return fail(x, q, "BadXml", "the value of an attribute without quotes"), NULL;
        const char *close = memchr(q + 1, *q, (size_t)(x->end - q - 1));
        if (!close)
            return cut_off(x, "the value of an attribute"), NULL;
        a.value = q + 1;
        a.value_n = (size_t)(close - a.value);
        const char *lt = memchr(a.value, '<', a.value_n);
        if (lt)
            return fail(x, lt, "BadXml", "'<' in the value of an attribute"), NULL;
        if (check_references(x, a.value, a.value_n) < 0 || add_attribute(x, &a) < 0)
            return NULL;
        p = close + 1;
    }
}

static enum adt_xml_token read_start(struct adt_xml *x, const char *lt)
{
    const char *p = scan_name(x, lt + 1, &x->name);
    x->raw = lt + 1;
    x->raw_n = (size_t)(p - x->raw);
    x->name_n = (size_t)(p - x->name);
    x->attribute_count = 0;
    if (!x->raw_n || !x->name_n)
        return p == x->end ? cut_off(x, "a tag") : fail(x, lt, "BadXml", "'<' without a name");
    if (!x->depth && x->root)
        return fail(x, lt, "BadXml", "a second root element");
    if (p < x->end && *p != '>' && !(p = read_attributes(x, p)))
        return ADT_XML_ERROR;
    if (p == x->end)
        return cut_off(x, "a tag");
    if ((x->empty = *p == '/') && ++p == x->end)
        return cut_off(x, "a tag");
    if (*p != '>')
        return fail(x, p, "BadXml", "'/' without '>' in a tag");
    if (x->depth == x->opt.max_depth)
        return fail(x, lt, "TooDeep", "more than %u elements inside each other", x->opt.max_depth);
    x->open[x->depth].raw = x->raw;
    x->open[x->depth++].n = x->raw_n;
    x->root = true;
    x->at = p + 1;
    return ADT_XML_START;
}

static enum adt_xml_token read_end(struct adt_xml *x, const char *lt)
{
    if (!x->depth)
        return fail(x, lt, "BadXml", "an end tag without a start");
    const char *raw = x->open[x->depth - 1].raw, *p = lt + 2;
    size_t n = x->open[x->depth - 1].n;
    if ((size_t)(x->end - p) <= n) /* the name and '>' */
        return cut_off(x, "an end tag");
    if (memcmp(p, raw, n) != 0 || classes[(unsigned char)p[n]])
        return fail(x, lt, "BadXml", "<%.*s> is closed by another name", n > 60 ? 60 : (int)n, raw);
    p = skip_blanks(x, p + n);
    if (p == x->end)
        return cut_off(x, "an end tag");
    if (*p != '>')
        return fail(x, p, "BadXml", "an end tag without '>'");
    x->at = p + 1;
    x->depth--;
    return ADT_XML_END;
}

/* Everything else that begins with '<' */

static const char *find(const char *p, const char *end, const char *what)
{
    size_t n = strlen(what);
    while ((size_t)(end - p) >= n && (p = memchr(p, *what, (size_t)(end - p) - n + 1))) {
        if (memcmp(p, what, n) == 0)
            return p;
        p++;
    }
    return NULL;
}

static bool begins(const struct adt_xml *x, const char *p, const char *with)
{
    size_t n = strlen(with);
    return (size_t)(x->end - p) >= n && memcmp(p, with, n) == 0;
}

static int skip_comment(struct adt_xml *x, const char *lt)
{
    const char *dashes = find(lt + 4, x->end, "--");
    if (!dashes || dashes + 2 == x->end)
        return cut_off(x, "a comment");
    if (dashes[2] != '>')
        return fail(x, dashes, "BadXml", "'--' within a comment");
    x->at = dashes + 3;
    return 0;
}

static int skip_instruction(struct adt_xml *x, const char *lt)
{
    const char *local, *p = scan_name(x, lt + 2, &local), *end = find(p, x->end, "?>");
    if (p == lt + 2 && p < x->end)
        return fail(x, lt, "BadXml", "'<?' without a name");
    if (!end)
        return cut_off(x, "a processing instruction");
    if (p - lt == 5 && memcmp(lt + 2, "xml", 3) == 0 && lt != x->text && lt != x->text + 3)
        return fail(x, lt, "BadXml", "an XML declaration that is not at the beginning");
    x->at = end + 2;
    return 0;
}

/* 1: a token is in [out]; 0: passed over; -1. */
static int read_markup(struct adt_xml *x, const char *lt, enum adt_xml_token *out)
{
    *out = ADT_XML_TEXT;
    if (begins(x, lt, "<!--"))
        return skip_comment(x, lt);
    if (begins(x, lt, "<?"))
        return skip_instruction(x, lt);
    if (begins(x, lt, "<![CDATA[") && x->depth) {
        const char *end = find(lt + 9, x->end, "]]>");
        if (!end)
            return cut_off(x, "CDATA");
        x->at = end + 3;
        return set_value(x, lt + 9, (size_t)(end - lt - 9), false) < 0 ? -1 : 1;
    }
    if (begins(x, lt, "<!DOCTYPE") || begins(x, lt, "<!doctype"))
        return fail(x, lt, "BadXml", "a document type declaration (DOCTYPE), which is not accepted");
    if (lt + 1 == x->end || lt[1] == '!')
        return x->end - lt < 9 ? cut_off(x, "a tag") : fail(x, lt, "BadXml", "'<!' that is unknown here");
    *out = lt[1] == '/' ? read_end(x, lt) : read_start(x, lt);
    return *out == ADT_XML_ERROR ? -1 : 1;
}

enum adt_xml_token adt_xml_next(struct adt_xml *x)
{
    for (;;) {
        if (x->empty) {
            x->empty = false;
            x->depth--;
            return ADT_XML_END;
        }
        const char *from = x->at;
        const char *lt = from < x->end ? memchr(from, '<', (size_t)(x->end - from)) : NULL;
        const char *to = lt ? lt : x->end;
        if (!x->depth && skip_blanks(x, from) < to)
            return fail(x, skip_blanks(x, from), "BadXml", "text outside the root element");
        if (!lt && (x->depth || !x->root))
            return x->depth ? cut_off(x, "an element") : fail(x, to, "BadXml", "no element");
        x->at = to;
        if (x->depth && to > from)
            return set_value(x, from, (size_t)(to - from), true) < 0 ? ADT_XML_ERROR : ADT_XML_TEXT;
        if (!lt)
            return ADT_XML_DONE;
        enum adt_xml_token token;
        int rc = read_markup(x, lt, &token);
        if (rc < 0)
            return ADT_XML_ERROR;
        if (rc > 0)
            return token;
    }
}

int adt_xml_child(struct adt_xml *x)
{
    enum adt_xml_token token;
    do
        token = adt_xml_next(x);
    while (token == ADT_XML_TEXT);
    return token == ADT_XML_START ? 1 : token == ADT_XML_ERROR ? -1 : 0;
}

int adt_xml_skip(struct adt_xml *x)
{
    unsigned outside = x->depth - 1;
    while (x->depth > outside)
        if (adt_xml_child(x) < 0)
            return -1;
    return 0;
}

/* The usual element: text without references, then its end tag. */
static bool plain_text(struct adt_xml *x, const char **value, size_t *n)
{
    const char *from = x->at, *lt = memchr(from, '<', (size_t)(x->end - from));
    size_t name = x->open[x->depth - 1].n;
    if (!lt || (size_t)(x->end - lt) < name + 3 || lt[1] != '/' || lt[name + 2] != '>' ||
        memcmp(lt + 2, x->open[x->depth - 1].raw, name) != 0 || needs_decoding(x, from, (size_t)(lt - from), true))
        return false;
    *value = from;
    *n = (size_t)(lt - from);
    x->at = lt + name + 3;
    x->depth--;
    return true;
}

static int gather_text(struct adt_xml *x, struct adt_buf *whole)
{
    bool before = true; /* the first child */
    enum adt_xml_token token;
    while ((token = adt_xml_next(x)) != ADT_XML_END) {
        if (token == ADT_XML_TEXT && before && adt_buf_add(whole, x->value, x->value_n) < 0)
            return nomem(x);
        if (token == ADT_XML_ERROR || (token == ADT_XML_START && adt_xml_skip(x) < 0))
            return -1;
        before &= token != ADT_XML_START;
    }
    return 0;
}

int adt_xml_text(struct adt_xml *x, const char **value, size_t *n)
{
    if (!x->empty && x->at < x->end && plain_text(x, value, n))
        return 0;
    struct adt_buf whole;
    adt_buf_init(&whole, x->opt.max_size);
    if (gather_text(x, &whole) < 0) {
        adt_buf_free(&whole);
        return -1;
    }
    adt_buf_free(&x->buf);
    x->buf = whole;
    *value = whole.len ? whole.p : "";
    *n = whole.len;
    return 0;
}

int adt_xml_attribute(struct adt_xml *x, const struct adt_xml_attribute *a, const char **value, size_t *n)
{
    x->buf.len = 0;
    if (decode(x, a->value, a->value + a->value_n, true, true) < 0)
        return -1;
    *value = x->buf.len ? x->buf.p : "";
    *n = x->buf.len;
    return 0;
}

struct adt_xml_mark adt_xml_mark(const struct adt_xml *x)
{
    return (struct adt_xml_mark){x->at, x->depth, x->empty};
}

void adt_xml_rewind(struct adt_xml *x, struct adt_xml_mark mark)
{
    x->at = mark.at;
    x->depth = mark.depth;
    x->empty = mark.empty;
    x->attribute_count = 0;
}
