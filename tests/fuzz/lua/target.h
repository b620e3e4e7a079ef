/* target.h - a fuzz target whose parser is written in Lua */
#ifndef ADT_FUZZ_LUA_TARGET_H
#define ADT_FUZZ_LUA_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

void fuzz_lua(const char *driver, const void *bytes, size_t n);
/* Calls the function that tests/fuzz/lua/[driver].lua returns with the bytes as a string. It may raise structured
 * errors (adt.Error, of another cause than "internal"); whatever else it raises ends the process. The state is made at
 * the first call and lives as long as the process. */

#endif
