/* hash.h - digests over parts as other bindings see them */
#ifndef ADT_HASH_H
#define ADT_HASH_H

#include "data/digest.h"

#include <lua.h>

#define ADTL_TALLY "adt.hash"

struct ltally {
    struct adt_digest *d; /* NULL: closed */
    enum adt_hash hash;
};

enum adt_hash adtL_checkhash(lua_State *L, int arg);
/* By its name, as adt.hash has it. */

struct ltally *adtL_checktally(lua_State *L, int arg);
/* Raises for anything else, and for one that is closed. */

#endif
