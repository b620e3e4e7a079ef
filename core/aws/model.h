/* model.h - a service's operations and shapes, read from a botocore-style service description
 *
 * A model is read once, never changed, and may be shared. Traits that the description puts on a reference to a shape
 * and on the shape itself are already merged into the reference (the reference wins), so readers look in one place. */
#ifndef ADT_AWS_MODEL_H
#define ADT_AWS_MODEL_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum adt_aws_protocol { ADT_AWS_QUERY, ADT_AWS_EC2, ADT_AWS_JSON, ADT_AWS_REST_JSON, ADT_AWS_REST_XML };

enum adt_aws_type {
    ADT_AWS_STRUCTURE, /* unions, too: adt_aws_shape.is_union */
    ADT_AWS_LIST,
    ADT_AWS_MAP,
    ADT_AWS_STRING, /* "character", too */
    ADT_AWS_BLOB,
    ADT_AWS_BOOLEAN,
    ADT_AWS_INTEGER, /* "byte", "short", "long" and "bigInteger", too */
    ADT_AWS_FLOAT,   /* "double" and "bigDecimal", too */
    ADT_AWS_TIMESTAMP,
    ADT_AWS_DOCUMENT, /* plain data of any form: a structure with "document": true */
};

enum adt_aws_location {
    ADT_AWS_BODY,
    ADT_AWS_HEADER,
    ADT_AWS_HEADERS, /* a map whose keys follow a prefix, wire_name */
    ADT_AWS_URI,
    ADT_AWS_QUERYSTRING,
    ADT_AWS_STATUS,
};

enum adt_aws_time { ADT_AWS_TIME_ANY, ADT_AWS_TIME_ISO8601, ADT_AWS_TIME_RFC822, ADT_AWS_TIME_UNIX };

struct adt_aws_shape;

/* A reference to a shape: a structure's member, a list's element, a map's key or value, an input or output. */
struct adt_aws_member {
    const char *name;                  /* "" for elements, keys and values; the shape's for inputs and outputs */
    const char *wire_name;             /* locationName, or NULL */
    const char *query_name;            /* queryName (ec2), or NULL */
    const char *root;                  /* the element's name where this is a whole body of XML; NULL: no structure */
    const struct adt_aws_shape *shape; /* never NULL */
    const char *xml_prefix, *xml_uri;  /* xmlNamespace; NULL: none */
    const char *result_wrapper;        /* outputs of query: the element around the result; NULL: none */
    enum adt_aws_location location;
    enum adt_aws_time time; /* timestampFormat; ADT_AWS_TIME_ANY: the protocol's own for this location */
    bool required, flattened, xml_attribute, idempotency_token, json_value, host_label, event, streaming;
    bool event_payload, event_header; /* of an event: it is the message's whole payload, or one of its headers */
};

struct adt_aws_shape {
    const char *name;
    enum adt_aws_type type;
    bool is_union, sparse, sensitive, event_stream;
    /* structures */
    const struct adt_aws_member *members; /* in the description's order */
    size_t member_count;
    const uint16_t *by_wire; /* indices of members, sorted by the name on the wire in a body (wire_name, else name) */
    const uint16_t *by_name; /* and by the name that callers use */
    const struct adt_aws_member *payload; /* the member that is the whole body; NULL: none */
    /* lists and maps; a list's key is NULL */
    const struct adt_aws_member *element, *key;
    /* errors */
    bool exception, fault, retryable, throttling;
    const char *error_code; /* error.code, else the shape's name; NULL for what is no error */
    int error_status;       /* error.httpStatusCode; 0: none */
};

struct adt_aws_operation {
    const char *name, *method, *uri;             /* uri with its labels, a query behind '?' included */
    int status;                                  /* responseCode; 0: none given */
    const struct adt_aws_member *input, *output; /* NULL: none */
    const struct adt_aws_shape *const *errors;
    size_t error_count;
    const char *host_prefix;                                         /* with labels; NULL: none */
    const char *checksum_algorithm_member;                           /* requestAlgorithmMember; NULL: none */
    const char *checksum_mode_member;                                /* requestValidationModeMember; NULL: none */
    const struct adt_aws_member *streaming_input, *streaming_output; /* payload blobs marked as streams; NULL: none */
    bool unsigned_request;  /* "authtype": "none" or an auth list of "smithy.api#noAuth" alone */
    bool unsigned_payload;  /* "v4-unsigned-body" or "unsignedPayload" */
    bool checksum_required; /* httpChecksumRequired or httpChecksum.requestChecksumRequired */
    bool event_stream;      /* the output holds one */
    bool gzip;              /* requestcompression lists it */
};

struct adt_aws_model {
    enum adt_aws_protocol protocol;
    const char *service_id, *endpoint_prefix, *signing_name, *api_version; /* never NULL; signing_name falls back */
    const char *target_prefix, *json_version;                              /* "" unless json */
    const char *global_endpoint, *full_name, *xml_uri; /* NULL: none; xml_uri: metadata.xmlNamespace */
    bool query_compatible;                             /* awsQueryCompatible: x-amzn-query-error is honoured */
    const struct adt_aws_operation *operations;        /* sorted by name */
    size_t operation_count;
    const struct adt_aws_shape *const *exceptions; /* every shape that is an error, sorted by error_code */
    size_t exception_count;
};

enum { ADT_AWS_MODEL_SIZE = 64 << 20 }; /* bytes of a description at most */

struct adt_aws_model *adt_aws_model_load(const char *text, size_t n, const char *name, struct adt_error *err);
/* Reads a service-2.json. [name] is what errors call it. NULL with [err]: not JSON, a shape that is missing or of an
 * unknown type, a member without a shape, an unknown protocol, more than 65,535 members in one shape, out of memory.
 * Traits that are not known are passed over. Where a service lists several protocols the first one known is taken. */

void adt_aws_model_free(struct adt_aws_model *m);
/* Takes NULL. */

const struct adt_aws_operation *adt_aws_model_operation(const struct adt_aws_model *m, const char *name);
/* NULL: there is none. */

const struct adt_aws_member *adt_aws_shape_member(const struct adt_aws_shape *s, const char *name, size_t n);
/* By the name that callers use. NULL: there is none. */

const struct adt_aws_member *adt_aws_shape_wire(const struct adt_aws_shape *s, const char *name, size_t n);
/* By the name on the wire in a body. NULL: there is none. */

#endif
