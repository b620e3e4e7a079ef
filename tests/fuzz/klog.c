/* klog.c - any lines as the kernel's log: classified, counted, and the summary stays bounded */
#include "lua/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_lua("klog", data, n);
    return 0;
}
