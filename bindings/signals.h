/* signals.h - signals by name, for the bindings that send and report them */
#ifndef ADT_SIGNALS_H
#define ADT_SIGNALS_H

#include <lua.h>

const char *adt_signal_name(int signum, char buf[static 16]);
/* "SIGTERM"; "SIG34" for a number without a name. Returns [buf]. */

int adt_signal_number(const char *name);
/* "TERM" and "SIGTERM" alike; -1 for no signal's name. */

int adtL_checksignal(lua_State *L, int arg);
/* A signal's number or name; TERM when absent. Raises otherwise. */

#endif
