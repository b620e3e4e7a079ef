/* prompt.h - the interactive prompt */
#ifndef ADT_PROMPT_H
#define ADT_PROMPT_H

#include <lua.h>

void adt_prompt_version(void);

void adt_prompt_run(lua_State *L, const char *progname);
/* Reads and evaluates until the input ends. */

int adt_docall(lua_State *L, int nargs, int nresults);
/* lua_pcall() with a traceback, interruptible by SIGINT. */

#endif
