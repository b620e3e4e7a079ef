/* fleet.c - any bytes as what nodes answer to a health check: read, compared, told */
#include "lua/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_lua("fleet", data, n);
    return 0;
}
