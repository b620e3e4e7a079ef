/* modules.h - the C modules adt.c.*, one line each */
#ifndef ADT_MODULES_H
#define ADT_MODULES_H

#include <lua.h>
#include <stdbool.h>

/* X(name): module adt.c.name, opened by luaopen_adt_c_name() in bindings/name.c. */
/* One line each, so that changes do not meet. */
/* clang-format off */
#define ADT_MODULES(X) \
    X(aws) \
    X(awsmodel) \
    X(awsprofile) \
    X(bare) \
    X(child) \
    X(clock) \
    X(data) \
    X(error) \
    X(fault) \
    X(file) \
    X(fs) \
    X(hash) \
    X(http) \
    X(json) \
    X(net) \
    X(process) \
    X(random) \
    X(secret) \
    X(slurm) \
    X(startup) \
    X(task) \
    X(term) \
    X(upload) \
    X(yaml) \
    /* end of the list */
/* clang-format on */

#define ADT_DECLARE_MODULE(name) int luaopen_adt_c_##name(lua_State *L);
ADT_MODULES(ADT_DECLARE_MODULE)

lua_CFunction adt_module_find(const char *name);
/* The opener of module [name] ("adt.c.fs"), or NULL. */

void adt_error_open(lua_State *L);
/* Makes the class adt.Error of a new state. */

bool adt_error_is(lua_State *L, int idx);

void adt_error_locate(lua_State *L, int idx, const char *lua_dir);
/* For message handlers: gives an adt.Error at [idx] that names no place the line of the author's code that led to it.
 */

#endif
