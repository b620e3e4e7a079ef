/* template.c - any text as a template, any text as its values */
#include "lua/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_lua("template", data, n);
    return 0;
}
