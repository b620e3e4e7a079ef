/* jmespath.c - any text as a JMESPath expression, any JSON as what it searches */
#include "lua/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_lua("jmespath", data, n);
    return 0;
}
