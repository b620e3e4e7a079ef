/* modules.c - the list of C modules as a look-up */
#include "modules.h"

#include <string.h>

lua_CFunction adt_module_find(const char *name)
{
    static const struct {
        const char *name;
        lua_CFunction open;
    } modules[] = {
#define ENTRY(name) {"adt.c." #name, luaopen_adt_c_##name},
        ADT_MODULES(ENTRY)};
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
        if (!strcmp(modules[i].name, name))
            return modules[i].open;
    return NULL;
}
