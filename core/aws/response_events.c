/* response_events.c - event streams that have come as a whole: binary messages as an array of events */
#include "aws/response_private.h"

#include <string.h>

enum { PRELUDE = 12, TRAILER = 4, HEADERS = 128 };

enum type { YES, NO, BYTE, SHORT, INT, LONG, BYTES, TEXT, TIME, UUID };

struct header {
    const char *name, *value;
    size_t name_n, value_n;
    enum type type;
};

struct message {
    struct header headers[HEADERS];
    size_t header_count;
    const char *payload;
    size_t payload_n;
};

static uint64_t big_endian(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static uint32_t crc32_of(const char *p, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0);
    }
    return ~crc;
}

static int bad(struct adt_aws_reader *rd, const char *what)
{
    return adt_error_set(rd->err, ADT_SERVICE, "BadEvents", "bad event stream: %s", what);
}

/* One header of [n] bytes at most; the bytes it took, 0 when it is cut. */
static size_t read_header(const char *p, size_t n, struct header *h)
{
    static const unsigned char sizes[] = {[BYTE] = 1, [SHORT] = 2, [INT] = 4, [LONG] = 8, [TIME] = 8, [UUID] = 16};
    size_t name_n = n ? (unsigned char)*p : 0, at = name_n + 2;
    if (!name_n || n < at || (unsigned char)p[at - 1] > UUID)
        return 0;
    *h = (struct header){.name = p + 1, .name_n = name_n, .type = (enum type)p[at - 1]};
    h->value_n = sizes[h->type];
    if (h->type == BYTES || h->type == TEXT) {
        if (n - at < 2)
            return 0;
        h->value_n = (size_t)big_endian(p + at, 2);
        at += 2;
    }
    h->value = p + at;
    return n - at < h->value_n ? 0 : at + h->value_n;
}

/* The message at [p]; its length, or 0 with the error. */
static size_t read_message(struct adt_aws_reader *rd, const char *p, size_t n, struct message *m)
{
    size_t total = n < PRELUDE ? 0 : (size_t)big_endian(p, 4), headers = n < PRELUDE ? 0 : (size_t)big_endian(p + 4, 4);
    if (n < PRELUDE || total > n)
        return bad(rd, "it ends within a message"), 0;
    if (big_endian(p + 8, 4) != crc32_of(p, 8) || total < PRELUDE + TRAILER || headers > total - PRELUDE - TRAILER)
        return bad(rd, "the beginning of a message is damaged"), 0;
    if (big_endian(p + total - TRAILER, 4) != crc32_of(p, total - TRAILER))
        return bad(rd, "a message is damaged"), 0;
    m->header_count = 0;
    for (size_t at = 0; at < headers;) {
        size_t took = read_header(p + PRELUDE + at, headers - at, &m->headers[m->header_count]);
        if (!took || ++m->header_count == HEADERS)
            return bad(rd, "the headers of a message cannot be read"), 0;
        at += took;
    }
    m->payload = p + PRELUDE + headers;
    m->payload_n = total - PRELUDE - headers - TRAILER;
    return total;
}

static const struct header *find_header(const struct message *m, const char *name)
{
    for (size_t i = 0; i < m->header_count; i++)
        if (adt_aws_name_is(name, m->headers[i].name, m->headers[i].name_n))
            return &m->headers[i];
    return NULL;
}

static bool header_is(const struct message *m, const char *name, const char *value)
{
    const struct header *h = find_header(m, name);
    return h && h->type == TEXT && adt_aws_name_is(value, h->value, h->value_n);
}

static int emit_header(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const struct header *h)
{
    int shift = 64 - 8 * (int)h->value_n;
    int64_t integer = 0;
    if (h->value_n && h->value_n <= 8) /* the sign, too */
        integer = (int64_t)(big_endian(h->value, h->value_n) << shift) >> shift;
    switch (h->type) {
    case YES:
    case NO:
        return ADT_AWS_EMIT(rd, boolean, h->type == YES);
    case BYTES:
    case UUID:
        return ADT_AWS_EMIT(rd, string, h->value, h->value_n);
    case TEXT:
        return ref->shape->type == ADT_AWS_BLOB ? adt_aws_wrong_type(rd, ref)
                                                : adt_aws_emit_text(rd, ref, h->value, h->value_n);
    case TIME: /* milliseconds */
        return integer % 1000 ? ADT_AWS_EMIT(rd, number, (double)integer / 1000)
                              : ADT_AWS_EMIT(rd, integer, integer / 1000);
    default:
        return ADT_AWS_EMIT(rd, integer, integer);
    }
}

static bool is_xml(const struct adt_aws_reader *rd)
{
    return rd->model->protocol == ADT_AWS_REST_XML;
}

static int read_payload(struct adt_aws_reader *rd, const struct adt_aws_member *ref, const char *key,
                        const struct message *m)
{
    if (key && (ref->shape->type == ADT_AWS_BLOB || ref->shape->type == ADT_AWS_STRING))
        return ADT_AWS_EMIT(rd, key, key, strlen(key)) < 0 ? -1 : ADT_AWS_EMIT(rd, string, m->payload, m->payload_n);
    if (!m->payload_n)
        return 0;
    return (is_xml(rd) ? adt_aws_read_xml_shape : adt_aws_read_json_shape)(rd, ref, key, m->payload, m->payload_n);
}

/* The members of one event: its headers, and its payload as one member or as all that is left. */
static int read_event(struct adt_aws_reader *rd, const struct adt_aws_member *event, const struct message *m)
{
    const struct adt_aws_shape *s = event->shape;
    const struct adt_aws_member *payload = NULL;
    bool only_headers = true;
    for (size_t i = 0; i < s->member_count; i++) {
        const struct adt_aws_member *one = &s->members[i];
        const struct header *h = one->event_header ? find_header(m, one->name) : NULL;
        if (one->event_payload)
            payload = one;
        only_headers &= one->event_header;
        if (h && (ADT_AWS_EMIT(rd, key, one->name, strlen(one->name)) < 0 || emit_header(rd, one, h) < 0))
            return -1;
    }
    if (payload)
        return read_payload(rd, payload, payload->name, m);
    return only_headers ? 0 : read_payload(rd, event, NULL, m);
}

static int emit_event(struct adt_aws_reader *rd, const struct adt_aws_shape *stream, const struct message *m)
{
    const struct header *type = find_header(m, ":event-type");
    const struct adt_aws_member *event = type ? adt_aws_shape_member(stream, type->value, type->value_n) : NULL;
    if (!header_is(m, ":message-type", "event")) {
        const struct header *what = find_header(m, ":exception-type");
        if (!what)
            what = find_header(m, ":error-code");
        size_t n = !what ? 0 : what->value_n > 80 ? 80 : what->value_n;
        return adt_error_set(rd->err, ADT_SERVICE, "EventError", "the event stream ends with the error '%.*s'", (int)n,
                             what ? what->value : "");
    }
    if (!event)
        return type ? 0 : bad(rd, "an event without a type");
    if (ADT_AWS_EMIT(rd, begin_object) < 0 || ADT_AWS_EMIT(rd, key, event->name, strlen(event->name)) < 0 ||
        ADT_AWS_EMIT(rd, begin_object) < 0 || read_event(rd, event, m) < 0 || ADT_AWS_EMIT(rd, end_object) < 0)
        return -1;
    return ADT_AWS_EMIT(rd, end_object);
}

static const struct adt_aws_member *find_stream(const struct adt_aws_shape *s)
{
    for (size_t i = 0; i < s->member_count; i++)
        if (s->members[i].shape->event_stream)
            return &s->members[i];
    return NULL;
}

int adt_aws_read_event_stream(struct adt_aws_reader *rd, const struct adt_aws_member *m)
{
    const char *p = rd->r->body;
    size_t n = rd->r->body_n, took;
    struct message message;
    bool rpc = !m; /* then the first message has the other members of the output */
    if (rpc && !(m = find_stream(rd->op->output->shape)))
        return 0;
    if (rpc && n) {
        if (!(took = read_message(rd, p, n, &message)))
            return -1;
        if (header_is(&message, ":event-type", "initial-response")) {
            if (read_payload(rd, rd->op->output, NULL, &message) < 0)
                return -1;
            p += took;
            n -= took;
        }
    }
    if (ADT_AWS_EMIT(rd, key, m->name, strlen(m->name)) < 0 || ADT_AWS_EMIT(rd, begin_array) < 0)
        return -1;
    for (; n; p += took, n -= took)
        if (!(took = read_message(rd, p, n, &message)) || emit_event(rd, m->shape, &message) < 0)
            return -1;
    return ADT_AWS_EMIT(rd, end_array);
}
