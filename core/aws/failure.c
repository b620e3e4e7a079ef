/* failure.c - a response that is an error: its code, its words, and the members of its shape */
#include "aws/response_private.h"

#include "data/json.h"
#include "data/utf8.h"
#include "data/xml.h"

#include <string.h>

/* Bytes of each text that is kept; a message of this length is none any more. */
enum { TEXT_MAX = 64 << 10, SUMMARY = 200 };

enum field { CODE, MESSAGE, REQUEST_ID, HOST_ID, TYPE, FIELDS };

/* The texts of a failure while they are being gathered: offsets into one buffer, which may still move. */
struct gathered {
    struct adt_aws_reader *rd;
    struct adt_buf *text;
    size_t at[FIELDS], n[FIELDS];
    bool has[FIELDS], nomem;
    size_t query_code, query_code_n; /* x-amzn-query-error's, in code's place */
    bool query;
};

static void keep(struct gathered *g, enum field field, const char *p, size_t n)
{
    n = n > TEXT_MAX ? adt_utf8_valid(p, TEXT_MAX) : n;
    g->at[field] = g->text->len;
    g->n[field] = n;
    g->has[field] = true;
    if (adt_buf_add(g->text, p, n) < 0 || adt_buf_addc(g->text, '\0') < 0)
        g->nomem = true;
}

static void keep_first(struct gathered *g, enum field field, const char *p, size_t n)
{
    if (!g->has[field] && !g->nomem)
        keep(g, field, p, n);
}

static void keep_header(struct gathered *g, enum field field, const char *name)
{
    const char *value = adt_aws_response_header(g->rd->r, name);
    if (value && *value)
        keep_first(g, field, value, strlen(value));
}

/* "aws.protocols#FooError:http://..." is FooError. */
static void keep_code(struct gathered *g, const char *p, size_t n)
{
    const char *colon = n ? memchr(p, ':', n) : NULL, *hash;
    if (colon)
        n = (size_t)(colon - p);
    while (n && (hash = memchr(p, '#', n))) {
        n -= (size_t)(hash + 1 - p);
        p = hash + 1;
    }
    if (n)
        keep_first(g, CODE, p, n);
}

/* JSON: the texts of the outermost object that may say something */

enum key { NO_KEY, K_TYPE, K_CODE, K_CODE_UPPER, K_MESSAGE, K_MESSAGE_UPPER, K_ERROR_MESSAGE, KEYS };

struct outermost {
    struct adt_buf texts[KEYS];
    bool has[KEYS];
    unsigned depth;
    enum key key;
    struct adt_error *err;
};

static int json_begin(void *ctx)
{
    struct outermost *o = ctx;
    o->depth++;
    o->key = NO_KEY;
    return 0;
}

static int json_end(void *ctx)
{
    struct outermost *o = ctx;
    o->depth--;
    o->key = NO_KEY;
    return 0;
}

static int json_key(void *ctx, const char *text, size_t n)
{
    static const char *const names[KEYS] = {"", "__type", "code", "Code", "message", "Message", "errorMessage"};
    struct outermost *o = ctx;
    o->key = NO_KEY;
    for (enum key k = K_TYPE; k < KEYS && o->depth == 1; k++)
        if (adt_aws_name_is(names[k], text, n))
            o->key = k;
    return 0;
}

static int json_string(void *ctx, const char *text, size_t n)
{
    struct outermost *o = ctx;
    if (o->depth != 1 || !o->key)
        return 0;
    struct adt_buf *b = &o->texts[o->key];
    b->len = 0;
    o->has[o->key] = true;
    return adt_buf_add(b, text, n > TEXT_MAX ? adt_utf8_valid(text, TEXT_MAX) : n) < 0 ? adt_error_nomem(o->err) : 0;
}

static void gather_json(struct gathered *g)
{
    static const struct adt_events events = {.begin_object = json_begin,
                                             .end_object = json_end,
                                             .begin_array = json_begin,
                                             .end_array = json_end,
                                             .key = json_key,
                                             .string = json_string};
    static const enum key rpc[] = {K_TYPE, K_CODE, K_CODE_UPPER}, rest[] = {K_CODE, K_CODE_UPPER, K_TYPE},
                          message[] = {K_MESSAGE, K_MESSAGE_UPPER, K_ERROR_MESSAGE};
    const enum key *code = g->rd->model->protocol == ADT_AWS_JSON ? rpc : rest;
    struct adt_error err = {0};
    struct outermost o = {.err = &err};
    for (size_t i = 0; i < KEYS; i++)
        adt_buf_init(&o.texts[i], TEXT_MAX + 1);
    const char *type = adt_aws_response_header(g->rd->r, "x-amzn-errortype");
    if (type)
        keep_code(g, type, strlen(type));
    if (adt_json_parse(g->rd->body, g->rd->body_n, NULL, &events, &o, &err) == 0) {
        for (size_t i = 0; i < 3; i++)
            if (o.texts[code[i]].len)
                keep_code(g, o.texts[code[i]].p, o.texts[code[i]].len);
        for (size_t i = 0; i < 3; i++)
            if (o.texts[message[i]].len)
                keep_first(g, MESSAGE, o.texts[message[i]].p, o.texts[message[i]].len);
        g->has[MESSAGE] |= g->has[CODE]; /* an error that says no more is understood */
    }
    g->nomem |= err.cause == ADT_INTERNAL;
    for (size_t i = 0; i < KEYS; i++)
        adt_buf_free(&o.texts[i]);
}

/* What an earlier protocol of the service would have said: "Code;Type". The shape keeps its own name. */
static void gather_query_error(struct gathered *g)
{
    const char *value = adt_aws_response_header(g->rd->r, "x-amzn-query-error"), *semicolon;
    if (!value || !(semicolon = strchr(value, ';')) || semicolon == value || strchr(semicolon + 1, ';') || g->nomem)
        return;
    g->query = true;
    g->query_code = g->text->len;
    g->query_code_n = (size_t)(semicolon - value);
    if (adt_buf_add(g->text, value, g->query_code_n) < 0 || adt_buf_addc(g->text, '\0') < 0)
        g->nomem = true;
    else
        keep_first(g, TYPE, semicolon + 1, strlen(semicolon + 1));
}

/* XML */

static int gather_children(struct gathered *g, struct adt_xml *x, bool error)
{
    static const struct {
        const char *name;
        enum field field;
        bool only_in_error;
    } names[] = {{"Code", CODE, true},
                 {"Message", MESSAGE, true},
                 {"message", MESSAGE, true},
                 {"Type", TYPE, true},
                 {"RequestId", REQUEST_ID, false},
                 {"RequestID", REQUEST_ID, false},
                 {"requestId", REQUEST_ID, false},
                 {"HostId", HOST_ID, false}};
    int rc;
    while ((rc = adt_xml_child(x)) == 1) {
        const char *value;
        size_t n, i = 0;
        while (i < sizeof names / sizeof *names &&
               (!adt_aws_name_is(names[i].name, x->name, x->name_n) || (names[i].only_in_error && !error)))
            i++;
        bool known = i < sizeof names / sizeof *names;
        bool inner = !error && adt_aws_name_is("ResponseMetadata", x->name, x->name_n);
        if (inner) {
            if (gather_children(g, x, false) < 0)
                return -1;
        } else if (known ? adt_xml_text(x, &value, &n) < 0 : adt_xml_skip(x) < 0) {
            return -1;
        } else if (known && names[i].field == CODE) {
            keep_first(g, CODE, value, n);
        } else if (known) {
            keep_first(g, names[i].field, value, n);
        }
    }
    return rc;
}

static void gather_xml(struct gathered *g)
{
    struct adt_error err = {0}, *was = g->rd->err;
    struct adt_xml x;
    g->rd->err = &err;
    if (adt_aws_xml_begin(g->rd, &x, g->rd->body, g->rd->body_n) == 0 && !adt_aws_name_is("html", x.name, x.name_n)) {
        struct adt_xml_mark root = adt_xml_mark(&x);
        if (adt_aws_xml_find_error(&x) == 0 && gather_children(g, &x, true) == 0) {
            adt_xml_rewind(&x, root);
            gather_children(g, &x, false);
        }
    }
    adt_xml_end(&x);
    g->nomem |= err.cause == ADT_INTERNAL;
    g->rd->err = was;
    g->has[MESSAGE] |= g->has[CODE];
}

/* A body that says nothing of the kind, so that people see what came. */
static void keep_summary(struct gathered *g)
{
    char text[SUMMARY];
    size_t n = g->rd->body_n < SUMMARY ? g->rd->body_n : SUMMARY, out = 0;
    n = adt_utf8_valid(g->rd->body, n);
    for (size_t i = 0; i < n; i++) {
        char c = g->rd->body[i];
        if ((unsigned char)c >= ' ' && c != 0x7F)
            text[out++] = c;
        else if (out && text[out - 1] != ' ')
            text[out++] = ' ';
    }
    keep_first(g, MESSAGE, text, out);
}

/* The shape */

static const struct adt_aws_shape *find_shape(const struct adt_aws_model *m, const struct adt_aws_operation *op,
                                              const char *code)
{
    const struct adt_aws_shape *const *lists[] = {op ? op->errors : NULL, m->exceptions};
    const size_t counts[] = {op ? op->error_count : 0, m->exception_count};
    if (!*code)
        return NULL;
    for (size_t list = 0; list < 2; list++)
        for (int by_name = 0; by_name < 2; by_name++)
            for (size_t i = 0; i < counts[list]; i++) {
                const struct adt_aws_shape *s = lists[list][i];
                const char *key = by_name ? s->name : s->error_code;
                if (key && strcmp(key, code) == 0)
                    return s;
            }
    return NULL;
}

static int read_fields(struct adt_aws_reader *rd, const struct adt_aws_shape *s)
{
    const struct adt_aws_member ref = {.name = "", .shape = s};
    bool rest = rd->model->protocol == ADT_AWS_REST_JSON || rd->model->protocol == ADT_AWS_REST_XML;
    if (rest && adt_aws_read_headers(rd, s) < 0)
        return -1;
    if (!rd->body_n)
        return 0;
    if (rd->model->protocol == ADT_AWS_JSON || rd->model->protocol == ADT_AWS_REST_JSON)
        return adt_aws_read_json(rd, &ref);
    return adt_aws_read_xml_error(rd, s);
}

/* First without a listener: an error's body that does not fit its shape makes no second error. */
static int emit_fields(struct adt_aws_reader *rd, const struct adt_aws_shape *s)
{
    static const struct adt_events nobody = {0};
    const struct adt_events *events = rd->events;
    struct adt_error err = {0}, *was = rd->err;
    rd->events = &nobody;
    rd->err = &err;
    bool fits = s && read_fields(rd, s) == 0;
    rd->events = events;
    rd->err = was;
    if (err.cause == ADT_INTERNAL) /* out of memory */
        return adt_error_nomem(was);
    if (ADT_AWS_EMIT(rd, begin_object) < 0 || (fits && read_fields(rd, s) < 0))
        return -1;
    return ADT_AWS_EMIT(rd, end_object);
}

static const char *text_of(const struct gathered *g, enum field field)
{
    return g->has[field] && g->n[field] ? g->text->p + g->at[field] : "";
}

static void gather(struct gathered *g)
{
    bool json = g->rd->model->protocol == ADT_AWS_JSON || g->rd->model->protocol == ADT_AWS_REST_JSON;
    keep_header(g, REQUEST_ID, "x-amzn-requestid");
    keep_header(g, REQUEST_ID, "x-amz-request-id");
    keep_header(g, HOST_ID, "x-amz-id-2");
    /* Layers in front of a service answer in XML even where it speaks JSON. */
    if (json)
        gather_json(g);
    if (g->rd->body_n && *g->rd->body == '<' && !g->has[CODE])
        gather_xml(g);
    if (json)
        gather_query_error(g);
    if (!g->has[CODE])
        keep_summary(g);
}

int adt_aws_failure_read(const struct adt_aws_model *m, const struct adt_aws_operation *op,
                         const struct adt_aws_response *r, struct adt_buf *text, struct adt_aws_failure *out,
                         const struct adt_events *events, void *ctx, struct adt_error *err)
{
    struct adt_aws_reader rd;
    struct gathered g = {.rd = &rd, .text = text};
    text->len = 0;
    adt_aws_reader_init(&rd, m, op, r, events, ctx, err);
    gather(&g);
    if (g.nomem) {
        adt_aws_reader_free(&rd);
        return adt_error_nomem(err);
    }
    *out = (struct adt_aws_failure){
        .code = g.query ? text->p + g.query_code : text_of(&g, CODE),
        .message = text_of(&g, MESSAGE),
        .request_id = text_of(&g, REQUEST_ID),
        .host_id = text_of(&g, HOST_ID),
        .type = text_of(&g, TYPE),
    };
    out->shape = find_shape(m, op, text_of(&g, CODE));
    if (!out->shape && g.query)
        out->shape = find_shape(m, op, out->code);
    int rc = events ? emit_fields(&rd, out->shape) : 0;
    adt_aws_reader_free(&rd);
    return rc;
}

/* Is the body an <Error>? Keep-alive blanks, the declaration and comments may stand before it. */
static bool is_error_element(const char *p, size_t n)
{
    const char *end = p + n;
    if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
        p += 3;
    for (;;) {
        while (p < end && memchr(" \t\r\n", *p, 4))
            p++;
        if (end - p < 7 || *p != '<' || (p[1] != '?' && p[1] != '!'))
            break;
        if (!(p = memchr(p, '>', (size_t)(end - p))))
            return false;
        p++;
    }
    return end - p > 7 && memcmp(p, "<Error", 6) == 0 && memchr("> \t\r\n", p[6], 5);
}

bool adt_aws_is_failure(const struct adt_aws_model *m, const struct adt_aws_operation *op,
                        const struct adt_aws_response *r)
{
    if (r->status >= 300)
        return true;
    if (m->protocol != ADT_AWS_REST_XML || r->streaming || !r->body)
        return false;
    const struct adt_aws_member *payload = op && op->output ? op->output->shape->payload : NULL;
    if (payload && (payload->shape->type == ADT_AWS_BLOB || payload->shape->type == ADT_AWS_STRING))
        return false;
    return is_error_element(r->body, r->body_n);
}
