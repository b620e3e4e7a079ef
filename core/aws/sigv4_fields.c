/* sigv4_fields.c - which headers are signed, and in what form */
#include "aws/sigv4_private.h"

#include <strings.h>

/* What proxies and HTTP clients add or change after the request was signed. */
static bool is_never_signed(const char *name, size_t n)
{
#define IS(text) (memcmp(name, text, n) == 0)
    switch (n) {
    case 2:
        return IS("te");
    case 6:
        return IS("expect");
    case 7:
        return IS("trailer") || IS("upgrade");
    case 10:
        return IS("connection") || IS("keep-alive") || IS("user-agent");
    case 15:
        return IS("x-amzn-trace-id");
    case 16:
        return IS("proxy-connection");
    case 17:
        return IS("sec-websocket-key") || IS("transfer-encoding");
    case 18:
        return IS("proxy-authenticate");
    case 19:
        return IS("proxy-authorization");
    case 21:
        return IS("sec-websocket-version");
    case 22:
        return IS("sec-websocket-protocol");
    default:
        return false;
    }
}

/* What signing adds, and no caller may have added before. */
static bool is_ours_alone(const char *name, size_t n)
{
    switch (n) {
    case 10:
        return IS("x-amz-date");
    case 13:
        return IS("authorization") || IS("x-amz-trailer");
    case 16:
        return IS("x-amz-region-set");
    case 20:
        return IS("x-amz-content-sha256") || IS("x-amz-security-token");
    case 28:
        return IS("x-amz-decoded-content-length");
    default:
        return false;
    }
#undef IS
}

/* The characters of a header's name, in lower case; 0 for any other. */
#define SAME(c) [c] = (c)
#define LOWER(c) [c] = (c), [(c) & ~0x20] = (c)
static const char token_chars[256] = {
    LOWER('a'), LOWER('b'), LOWER('c'), LOWER('d'), LOWER('e'), LOWER('f'), LOWER('g'), LOWER('h'), LOWER('i'),
    LOWER('j'), LOWER('k'), LOWER('l'), LOWER('m'), LOWER('n'), LOWER('o'), LOWER('p'), LOWER('q'), LOWER('r'),
    LOWER('s'), LOWER('t'), LOWER('u'), LOWER('v'), LOWER('w'), LOWER('x'), LOWER('y'), LOWER('z'), SAME('0'),
    SAME('1'),  SAME('2'),  SAME('3'),  SAME('4'),  SAME('5'),  SAME('6'),  SAME('7'),  SAME('8'),  SAME('9'),
    SAME('!'),  SAME('#'),  SAME('$'),  SAME('%'),  SAME('&'),  SAME('\''), SAME('*'),  SAME('+'),  SAME('-'),
    SAME('.'),  SAME('^'),  SAME('_'),  SAME('`'),  SAME('|'),  SAME('~'),
};

static int name_lower(char *d, const char *name, size_t n, struct adt_error *err)
{
    bool bad = n == 0;
    for (size_t i = 0; i < n; i++) {
        d[i] = token_chars[(unsigned char)name[i]];
        bad |= d[i] == 0;
    }
    if (!bad)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!d[i])
            return adt_error_set(err, ADT_USAGE, "BadHeader", "a header's name holds the byte 0x%02x",
                                 (unsigned char)name[i]);
    return adt_error_set(err, ADT_USAGE, "BadHeader", "a header has an empty name");
}

/* Nothing to refuse, trim or fold: no byte below a blank, no blank at an end or beside another. Without a jump in the
 * loop, so that compilers make it one over many bytes at a time; the NUL behind is read as well. */
static bool is_plain(const char *value, size_t n)
{
    unsigned char odd = value[0] == ' ';
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)value[i], next = (unsigned char)value[i + 1];
        odd |= (unsigned char)((c < ' ') | (c == 0x7f) | ((c == ' ') & (next <= ' ')));
    }
    return !odd;
}

/* Blanks, tabs and line breaks that fold; anything else below 0x20 would end the header or is none of HTTP's. */
static int value_check(struct sigv4_field *f, struct adt_error *err)
{
    if ((f->plain = is_plain(f->value, f->value_n)))
        return 0;
    for (size_t i = 0; i < f->value_n; i++) {
        unsigned char c = (unsigned char)f->value[i], next = (unsigned char)f->value[i + 1];
        if ((c >= 0x20 && c != 0x7f) || c == '\t' || (c == '\r' && next == '\n') ||
            (c == '\n' && (next == ' ' || next == '\t')))
            continue;
        return adt_error_set(err, ADT_USAGE, "BadHeader", "the value of the header %.*s holds a %s", (int)f->name_n,
                             f->name, c == '\r' || c == '\n' ? "line break" : "control character");
    }
    return 0;
}

static void field_insert(struct adt_sigv4 *s, const struct sigv4_field *f)
{
    size_t at = s->field_count++;
    for (; at > 0; at--) {
        const struct sigv4_field *left = &s->fields[at - 1];
        int c = memcmp(left->name, f->name, left->name_n < f->name_n ? left->name_n : f->name_n);
        if (c < 0 || (c == 0 && left->name_n <= f->name_n))
            break;
        s->fields[at] = *left;
    }
    s->fields[at] = *f;
}

static bool is_replaced(const struct adt_sigv4_signed *ours, const char *name, size_t n)
{
    for (size_t i = 0; i < ours->count; i++) {
        const char *other = ours->headers[i].name;
        if ((*other | 0x20) == *name && strncasecmp(other, name, n) == 0 && !other[n])
            return true;
    }
    return false;
}

/* One of the caller's headers, its name in lower case at [lower]. */
static int field_take(struct adt_sigv4 *s, const char *lower, size_t n, const char *value,
                      const struct adt_sigv4_signed *ours, bool *host, struct adt_error *err)
{
    if (is_never_signed(lower, n))
        return 0;
    if (is_ours_alone(lower, n)) {
        adt_error_set(err, ADT_USAGE, "AlreadySigned", "the request has the header %.*s, which signing adds", (int)n,
                      lower);
        adt_error_hint(err, "sign the request as it was before it was signed");
        return -1;
    }
    if (is_replaced(ours, lower, n))
        return 0;
    struct sigv4_field f = {.name = lower, .name_n = n, .value = value, .value_n = strlen(value)};
    if (value_check(&f, err) < 0)
        return -1;
    *host |= n == 4 && memcmp(lower, "host", 4) == 0;
    field_insert(s, &f);
    return 0;
}

static int names_write(struct adt_sigv4 *s, struct adt_error *err)
{
    size_t room = 0;
    for (size_t i = 0; i < s->field_count; i++)
        room += s->fields[i].name_n + 1;
    s->names.len = 0;
    char *begin = adt_buf_grow(&s->names, room), *d = begin;
    if (!begin)
        return sigv4_no_room(err);
    for (size_t i = 0; i < s->field_count; i++) {
        const struct sigv4_field *f = &s->fields[i];
        if (i > 0 && f->name_n == f[-1].name_n && memcmp(f->name, f[-1].name, f->name_n) == 0)
            continue;
        if (i > 0)
            *d++ = ';';
        d = sigv4_put(d, f->name, f->name_n);
    }
    *d = '\0';
    s->names.len = (size_t)(d - begin);
    return 0;
}

int sigv4_fields_read(struct adt_sigv4 *s, const struct adt_sigv4_request *req, const struct adt_sigv4_signed *ours,
                      struct adt_error *err)
{
    size_t room = 0;
    bool host = false;
    if (req->header_count > ADT_SIGV4_HEADERS)
        return adt_error_set(err, ADT_USAGE, "TooLarge", "the request has more than %d headers",
                             (int)ADT_SIGV4_HEADERS);
    for (size_t i = 0; i < req->header_count; i++)
        room += strlen(req->headers[i].name);
    for (size_t i = 0; i < ours->count; i++)
        room += strlen(ours->headers[i].name);
    s->field_count = 0;
    s->lower.len = 0;
    char *d = adt_buf_grow(&s->lower, room);
    if (!d)
        return sigv4_no_room(err);
    for (size_t i = 0; i < req->header_count; i++) {
        size_t n = strlen(req->headers[i].name);
        if (name_lower(d, req->headers[i].name, n, err) < 0 ||
            field_take(s, d, n, req->headers[i].value, ours, &host, err) < 0)
            return -1;
        d += n;
    }
    if (!host)
        return adt_error_set(err, ADT_USAGE, "NoHost", "the request has no header host, which must be signed");
    for (size_t i = 0; i < ours->count; i++) {
        const struct adt_sigv4_header *h = &ours->headers[i];
        struct sigv4_field f = {
            .name = d, .name_n = strlen(h->name), .value = h->value, .value_n = strlen(h->value), .plain = true};
        if (name_lower(d, h->name, f.name_n, err) < 0)
            return -1;
        d += f.name_n;
        field_insert(s, &f);
    }
    return names_write(s, err);
}

/* Without blanks at the ends, and with one for each run of them inside. */
static char *squeeze(char *d, const char *value, size_t n)
{
    char *begin = d;
    for (size_t i = 0; i < n; i++) {
        char c = value[i];
        if ((unsigned char)c > ' ')
            *d++ = c;
        else if (d > begin && d[-1] != ' ')
            *d++ = ' ';
    }
    return d > begin && d[-1] == ' ' ? d - 1 : d;
}

size_t sigv4_fields_room(const struct adt_sigv4 *s)
{
    size_t room = 0;
    for (size_t i = 0; i < s->field_count; i++)
        room += s->fields[i].name_n + s->fields[i].value_n + 2;
    return room;
}

char *sigv4_fields_write(const struct adt_sigv4 *s, char *d)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct sigv4_field *f = &s->fields[i];
        if (i > 0 && f->name_n == f[-1].name_n && memcmp(f->name, f[-1].name, f->name_n) == 0) {
            d[-1] = ',';
        } else {
            d = sigv4_put(d, f->name, f->name_n);
            *d++ = ':';
        }
        d = f->plain ? sigv4_put(d, f->value, f->value_n) : squeeze(d, f->value, f->value_n);
        *d++ = '\n';
    }
    return d;
}
