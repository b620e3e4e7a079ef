/* options.c - any words as a command line */
#include "lua/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_lua("options", data, n);
    return 0;
}
