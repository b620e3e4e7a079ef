/* protocol.h - an operation's parameters as an HTTP request, and its response as plain data, as the service's model
 * says
 *
 * Requests and responses are those of the wire before signing; nothing here talks to a server. */
#ifndef ADT_AWS_PROTOCOL_H
#define ADT_AWS_PROTOCOL_H

#include "aws/model.h"
#include "base/buf.h"
#include "data/events.h"
#include "data/value.h"

enum {
    ADT_AWS_DEPTH = 128,            /* structures, lists and maps inside each other, both ways */
    ADT_AWS_REQUEST_MAX = 64 << 20, /* bytes of a body that is built */
};

struct adt_aws_header {
    const char *name, *value; /* the name as the model spells it */
};

struct adt_aws_request {
    const char *method;
    struct adt_buf path;        /* begins with '/', percent-encoded */
    struct adt_buf query;       /* percent-encoded, without the '?'; empty: none */
    struct adt_buf host_prefix; /* labels filled in; empty: none */
    struct adt_buf body;
    bool has_body;                  /* false: the operation sends none, not even an empty object */
    bool streaming;                 /* the body is the caller's own: the streaming member is in no buffer */
    struct adt_aws_header *headers; /* from parameters, Content-Type and X-Amz-Target included */
    size_t header_count;
    struct adt_buf text; /* what headers points into */
};

struct adt_aws_request_options {
    const char *token; /* for idempotency members that are not given; NULL: left out */
};

int adt_aws_request_build(const struct adt_aws_model *m, const struct adt_aws_operation *op,
                          const struct adt_value *params, const struct adt_aws_request_options *opt,
                          struct adt_aws_request *out, struct adt_error *err);
/* [params] is an object, or NULL for none. Null members count as absent. -1 (ADT_USAGE) with err->where the path of the
 * value, elements counted from 1 ("$.Filters[1].Nme"): "UnknownMember" (its hint names the nearest one),
 * "MissingMember", "WrongType" (says what is needed), "BadUnion" (not exactly one member), "EmptyLabel" (a path label
 * without text), "TooDeep", "NotUtf8"; and without a path "BadHostLabel", "BadHeader" and "BadText" (control characters
 * where HTTP or XML has no place for them), "TooBig". An event stream is refused as "EventStream". Nothing is
 * converted: a number is no string. Timestamps are seconds since the epoch (number) or a text that is a date in
 * ISO 8601; floats may be "NaN", "Infinity" and "-Infinity". Where a path of the model has no member,
 * ADT_CONFIG, "BadModel". An empty array is an empty object, and the other way round. */

void adt_aws_request_free(struct adt_aws_request *r);
/* Wipes bodies and headers, which may hold secrets. An all-zero one may be freed. */

struct adt_aws_response {
    int status;
    const struct adt_aws_header *headers; /* names in any case */
    size_t header_count;
    const char *body;
    size_t body_n;
    bool streaming; /* the body went elsewhere: nothing of it is looked at */
};

int adt_aws_response_read(const struct adt_aws_model *m, const struct adt_aws_operation *op,
                          const struct adt_aws_response *r, const struct adt_events *events, void *ctx,
                          struct adt_error *err);
/* A successful response, as the events of one object in which members have the names that callers use. Timestamps are
 * numbers, seconds since the epoch. What the model does not know is passed over. -1 (ADT_SERVICE, retryable): the body
 * is not what the protocol says ("BadXml", "BadJson", "BadEvents"; "NotXml" or "NotJson" for an HTML page, another
 * language, an empty body where one is due; "WrongType"; "TooDeep"); the message tells status, content type and the
 * beginning of a body in the wrong language. One in the right language is not quoted: it may hold secrets. A body with
 * an event stream that has come as a whole is an array of events. */

struct adt_aws_failure {
    const char *code, *message, *request_id, *host_id,
        *type;                         /* "" where the response says nothing; type: Sender, Receiver */
    const struct adt_aws_shape *shape; /* of the model, or NULL */
};

int adt_aws_failure_read(const struct adt_aws_model *m, const struct adt_aws_operation *op,
                         const struct adt_aws_response *r, struct adt_buf *text, struct adt_aws_failure *out,
                         const struct adt_events *events, void *ctx, struct adt_error *err);
/* A response that is an error. What [out] points to lies in [text] (emptied first). [op] may be NULL. The members of
 * the error's own shape come as the events of one object (an empty one without a shape); [events] may be NULL. A
 * response that says nothing of the kind (an HTML page, nothing at all) is no failure of this call: the code is then ""
 * and the message the beginning of a text body. -1: out of memory only. */

bool adt_aws_is_failure(const struct adt_aws_model *m, const struct adt_aws_operation *op,
                        const struct adt_aws_response *r);
/* Status 300 and above; and S3's answers that begin with 200 and end as <Error>. */

#endif
