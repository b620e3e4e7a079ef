/* response.c - a successful response as the members of its operation's output */
#include "aws/response_private.h"

#include "base/mem.h"
#include "data/utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SCRATCH = 256 << 20 };

void adt_aws_reader_init(struct adt_aws_reader *rd, const struct adt_aws_model *m, const struct adt_aws_operation *op,
                         const struct adt_aws_response *r, const struct adt_events *events, void *ctx,
                         struct adt_error *err)
{
    const char *p = r->body, *end = p + (r->streaming || !p ? 0 : r->body_n);
    while (p < end && memchr(" \t\r\n", *p, 4))
        p++;
    while (end > p && memchr(" \t\r\n", end[-1], 4))
        end--;
    *rd = (struct adt_aws_reader){.model = m, .op = op, .r = r, .events = events, .ctx = ctx, .err = err};
    rd->body = p ? p : "";
    rd->body_n = (size_t)(end - p);
    adt_buf_init(&rd->scratch, SCRATCH);
    adt_buf_init(&rd->key, SCRATCH);
    adt_buf_init(&rd->seen, SCRATCH);
}

void adt_aws_reader_free(struct adt_aws_reader *rd)
{
    adt_buf_free(&rd->scratch);
    adt_buf_free(&rd->key);
    adt_buf_free(&rd->seen);
}

bool adt_aws_in_body(const struct adt_aws_member *m)
{
    return m->location == ADT_AWS_BODY || m->location == ADT_AWS_URI || m->location == ADT_AWS_QUERYSTRING;
}

bool adt_aws_reads_body(const struct adt_aws_shape *s)
{
    for (size_t i = 0; i < s->member_count; i++)
        if (adt_aws_in_body(&s->members[i]))
            return true;
    return false;
}

static const struct adt_aws_member *look_up(const struct adt_aws_shape *s, const char *name, size_t n)
{
    const struct adt_aws_member *m = adt_aws_shape_wire(s, name, n);
    for (size_t i = 0; i < s->member_count && !m; i++) {
        const struct adt_aws_member *other = &s->members[i];
        if (other->location != ADT_AWS_BODY && adt_aws_in_body(other) && adt_aws_name_is(other->name, name, n))
            m = other;
    }
    return m;
}

/* Answers are long rows of equal structures: a table of what was asked before is faster than a search each time. */
const struct adt_aws_member *adt_aws_find_member(struct adt_aws_reader *rd, const struct adt_aws_shape *s,
                                                 const char *name, size_t n)
{
    if (!n)
        return NULL;
    size_t at = (uintptr_t)s / 16 + n * 37 + (unsigned char)*name * 5U + (unsigned char)name[n - 1] * 131U +
                (unsigned char)name[n / 2] * 29U;
    const struct adt_aws_member *m = rd->found[at %= ADT_AWS_FOUND].member;
    if (m && rd->found[at].shape == s && adt_aws_name_is(m->wire_name ? m->wire_name : m->name, name, n))
        return m;
    m = look_up(s, name, n);
    rd->found[at].shape = s;
    rd->found[at].member = m;
    return m;
}

static bool is_xml(const struct adt_aws_reader *rd)
{
    return rd->model->protocol != ADT_AWS_JSON && rd->model->protocol != ADT_AWS_REST_JSON;
}

static bool is_rest(const struct adt_aws_reader *rd)
{
    return rd->model->protocol == ADT_AWS_REST_JSON || rd->model->protocol == ADT_AWS_REST_XML;
}

/* Errors: whose answer it was, what is wrong, and what came */

static bool is_html(const struct adt_aws_reader *rd)
{
    static const char *const begins[] = {"<!doctype html", "<html"};
    for (size_t i = 0; i < 2; i++)
        if (rd->body_n >= strlen(begins[i]) && !strncasecmp(rd->body, begins[i], strlen(begins[i])))
            return true;
    return false;
}

/* The beginning of a body that is not in the protocol's language; one that is might hold secrets, so nothing of it. */
static void put_beginning(const struct adt_aws_reader *rd, char *out, size_t cap)
{
    size_t n = rd->body_n < 60 ? rd->body_n : 60;
    bool expected = rd->body_n && (is_xml(rd) ? *rd->body == '<' : *rd->body == '{' || *rd->body == '[');
    *out = '\0';
    if (!n || (expected && !is_html(rd)))
        return;
    char text[64];
    for (size_t i = 0; i < n; i++)
        text[i] = (unsigned char)rd->body[i] < ' ' || rd->body[i] == 0x7F ? ' ' : rd->body[i];
    n = adt_utf8_valid(text, n);
    snprintf(out, cap, ": \"%.*s%s\"", (int)n, text, n < rd->body_n ? "..." : "");
}

static int answer_bad(struct adt_aws_reader *rd, const char *code, const char *what)
{
    char beginning[96], where[sizeof rd->err->where] = "";
    const char *type = adt_aws_response_header(rd->r, "content-type");
    if (!rd->err)
        return -1;
    snprintf(where, sizeof where, "%s", rd->err->where);
    put_beginning(rd, beginning, sizeof beginning);
    adt_error_set(rd->err, ADT_SERVICE, code, "%.60s%s%.80s: %s (status %d, %.60s)%s", rd->model->service_id,
                  *rd->model->service_id ? " " : "", rd->op ? rd->op->name : "", what, rd->r->status,
                  type ? type : "no content type", beginning);
    adt_error_hint(rd->err, "ask again; if it stays so, look what stands between here and the service (a proxy, "
                            "an endpoint that is not the service)");
    snprintf(rd->err->where, sizeof rd->err->where, "%s", where);
    rd->err->retryable = true;
    return -1;
}

/* A reader's error in the words of the whole. What the JSON parser quotes of the text is left out. */
static int reading_failed(struct adt_aws_reader *rd)
{
    struct adt_error was;
    if (!rd->err || rd->err->cause != ADT_SERVICE)
        return -1;
    was = *rd->err;
    char *near = strstr(was.message, ", near '");
    if (near)
        *near = '\0';
    return answer_bad(rd, was.code, was.message);
}

static int no_page(struct adt_aws_reader *rd)
{
    rd->err->where[0] = '\0';
    return is_xml(rd) ? answer_bad(rd, "NotXml", "the answer is no XML but an HTML page")
                      : answer_bad(rd, "NotJson", "the answer is no JSON but an HTML page");
}

static int no_language(struct adt_aws_reader *rd)
{
    rd->err->where[0] = '\0';
    return is_xml(rd) ? answer_bad(rd, "NotXml", "the answer is no XML")
                      : answer_bad(rd, "NotJson", "the answer is no JSON");
}

/* Payloads: one member is the whole body */

static int emit_empty(struct adt_aws_reader *rd, const struct adt_aws_member *m)
{
    enum adt_aws_type type = m->shape->type;
    if (m->shape->is_union || type == ADT_AWS_DOCUMENT)
        return 0;
    if (ADT_AWS_EMIT(rd, key, m->name, strlen(m->name)) < 0)
        return -1;
    if (type == ADT_AWS_LIST)
        return ADT_AWS_EMIT(rd, begin_array) < 0 ? -1 : ADT_AWS_EMIT(rd, end_array);
    return ADT_AWS_EMIT(rd, begin_object) < 0 ? -1 : ADT_AWS_EMIT(rd, end_object);
}

static int read_payload(struct adt_aws_reader *rd, const struct adt_aws_member *m)
{
    const struct adt_aws_response *r = rd->r;
    enum adt_aws_type type = m->shape->type;
    if (m->shape->event_stream)
        return adt_aws_read_event_stream(rd, m);
    if (type == ADT_AWS_STRING || type == ADT_AWS_BLOB) {
        if (!r->body_n && !m->streaming)
            return 0;
        if (ADT_AWS_EMIT(rd, key, m->name, strlen(m->name)) < 0)
            return -1;
        return ADT_AWS_EMIT(rd, string, r->body_n ? r->body : "", r->body_n);
    }
    if (is_html(rd))
        return no_page(rd);
    if (!rd->body_n)
        return emit_empty(rd, m);
    return (is_xml(rd) ? adt_aws_read_xml_shape : adt_aws_read_json_shape)(rd, m, m->name, rd->body, rd->body_n);
}

/* The whole */

static int read_body(struct adt_aws_reader *rd)
{
    const struct adt_aws_member *output = rd->op->output;
    bool due = output && adt_aws_reads_body(output->shape);
    bool rpc_xml = rd->model->protocol == ADT_AWS_QUERY || rd->model->protocol == ADT_AWS_EC2;
    if (rd->r->streaming)
        return 0;
    if (is_rest(rd) && output && output->shape->payload)
        return read_payload(rd, output->shape->payload);
    if (is_html(rd))
        return no_page(rd);
    if (!rd->body_n)
        return due && rpc_xml ? answer_bad(rd, "NotXml", "the answer is empty") : 0;
    if (!due && !rpc_xml)
        return 0;
    if (is_xml(rd) ? *rd->body != '<' && memcmp(rd->body, "\xEF\xBB\xBF", rd->body_n < 3 ? rd->body_n : 3) != 0
                   : *rd->body == '<')
        return no_language(rd);
    return is_xml(rd) ? adt_aws_read_xml(rd, output) : adt_aws_read_json(rd, output);
}

static int read_response(struct adt_aws_reader *rd)
{
    const struct adt_aws_member *output = rd->op->output;
    if (ADT_AWS_EMIT(rd, begin_object) < 0)
        return -1;
    if (output && is_rest(rd) && adt_aws_read_headers(rd, output->shape) < 0)
        return -1;
    if (output && rd->op->event_stream && !is_rest(rd) && !rd->r->streaming) {
        if (adt_aws_read_event_stream(rd, NULL) < 0)
            return -1;
    } else if (read_body(rd) < 0) {
        return -1;
    }
    return ADT_AWS_EMIT(rd, end_object);
}

int adt_aws_response_read(const struct adt_aws_model *m, const struct adt_aws_operation *op,
                          const struct adt_aws_response *r, const struct adt_events *events, void *ctx,
                          struct adt_error *err)
{
    struct adt_aws_reader rd;
    struct adt_error own;
    struct adt_error *into = err ? err : &own;
    memset(into, 0, sizeof *into);
    adt_aws_reader_init(&rd, m, op, r, events, ctx, into);
    int rc = read_response(&rd);
    if (rc < 0 && !into->retryable)
        reading_failed(&rd);
    adt_aws_reader_free(&rd);
    return rc;
}
