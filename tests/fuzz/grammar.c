/* grammar.c - any lines as the log of a training job, by every log grammar */
#include "lua/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_lua("grammar", data, n);
    return 0;
}
