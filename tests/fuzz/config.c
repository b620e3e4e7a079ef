/* config.c - any bytes as adtlua.yaml */
#include "lua/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_lua("config", data, n);
    return 0;
}
