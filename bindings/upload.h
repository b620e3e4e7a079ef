/* upload.h - uploads as other bindings see them, and what they take from others */
#ifndef ADT_UPLOAD_H
#define ADT_UPLOAD_H

#include "aws/upload.h"

#include <lua.h>

#define ADTL_UPLOAD "adt.upload"

struct lupload {
    struct adt_upload *up; /* NULL: closed */
};

struct lupload *adtL_checkupload(lua_State *L, int arg);
/* Raises for anything else, and for one that is closed. */

struct adt_sigv4_stream *adtL_takestream(lua_State *L, int arg);
/* The stream of adt.c.aws at [arg], which has ended for Lua from then on. In bindings/aws.c. */

#endif
