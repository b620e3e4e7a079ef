/* params.c - any text as the value of a parameter of each type */
#include "lua/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_lua("params", data, n);
    return 0;
}
