/* signrequest.h - what adt.c.aws is asked to sign, read from a table of options */
#ifndef ADT_SIGNREQUEST_H
#define ADT_SIGNREQUEST_H

#include "aws/sigv4.h"

#include <lua.h>

enum { ADTL_OPTIONS = 1 /* the argument that is the table */ };
enum { ADTL_SIGN = 1, ADTL_PRESIGN = 2, ADTL_STREAMED = 4 /* forms, which know different options */ };

struct lrequest {
    struct adt_sigv4_request r;
    struct adt_sigv4_credentials cred;
    struct adt_sigv4_url url;
    struct adt_sigv4_header headers[ADT_SIGV4_HEADERS];
    const char *text; /* the URL */
    double time, clock_offset, until;
    size_t count, anchors;
    int form;
    bool timed, s3_given;
    bool own_host;  /* the Host header is of ours, not the caller's */
    bool anonymous; /* nothing is to be signed; only [text] has been read */
};

void adtL_pushoptions(lua_State *L);
/* Pushes the names of all options, to be the first upvalue of every function that reads a request. */

void adtL_readrequest(lua_State *L, struct lrequest *q, int form);
/* Reads the argument ADTL_OPTIONS, and drops the others. What [q] points to lives as long as the caller's table and the
 * stack. Raises: a text for misuse, an error value for URLs that are none and credentials that have expired. */

#endif
