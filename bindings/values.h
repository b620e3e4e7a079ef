/* values.h - plain data between Lua values and events: what the bindings of JSON and YAML share
 *
 * null is a light userdata of NULL; arrays carry the metatable "adt.array", so that an empty one stays an array. */
#ifndef ADT_VALUES_H
#define ADT_VALUES_H

#include "adtL.h"
#include "base/buf.h"
#include "data/events.h"

enum adtL_big { ADTL_BIG_FLOAT, ADTL_BIG_STRING, ADTL_BIG_ERROR };

enum adtL_big adtL_checkbig(lua_State *L, int idx);
/* The option `big` of the table at [idx]: what becomes of integers beyond 64 bits. */

lua_Integer adtL_checkrange(lua_State *L, int idx, const char *field, lua_Integer otherwise, lua_Integer max);
/* The option [field], 1 to [max]. */

struct ltape;

struct ltape *adtL_newtape(lua_State *L, const char *text, size_t n, enum adtL_big big, struct adt_error *err);
/* Pushes a consumer of events that records them: no Lua code runs and nothing raises while a parser is at work, and the
 * tables can then be made in their final sizes. Strings inside [text] are not copied; it must outlive the tape. The
 * userdata is marked to be closed. */

const struct adt_events *adtL_tape_events(const struct ltape *tape);
/* What to give to the parser, with the tape as context. */

bool adtL_tape_push(lua_State *L, struct ltape *tape, bool unique);
/* Pushes the recorded value. With [unique], false (nothing pushed) when an object holds a key twice. */

size_t adtL_tape_twin(const struct ltape *tape);
/* After such a refusal: which event was that key, counting from 1 all but the ends of arrays and objects. */

struct lwriter {
    struct adt_buf buf;
    struct adt_error err;
    struct lkey *keys; /* of the objects being written, sorted */
    size_t count, cap;
    bool reveal; /* adt.Secret objects become strings; the events' consumer wipes what it keeps */
};

struct lwriter *adtL_newwriter(lua_State *L, size_t max);
/* Pushes what an encoder holds, marked to be closed: a buffer of at most [max] bytes and an error. */

int adtL_walk(lua_State *L, int idx, struct lwriter *w, unsigned max_depth, const struct adt_events *events, void *ctx);
/* The value at [idx] as events; keys in the order of their bytes. Tables are read raw. 0, or -1 with w->err, whose
 * `where` is the path of the value ("$.items[3].cost"), for what is no plain data: other types, keys that are neither
 * all strings nor 1..n, more depth than [max_depth], tables inside themselves. */

void adtL_pusharraymt(lua_State *L);
/* Pushes the metatable of arrays. */

int adtL_values_array(lua_State *L);
/* Lua function: array(t?) -> t, marked as an array. */

#endif
