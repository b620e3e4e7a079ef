/* adt.h - libadt, the engine behind adtlua
 *
 * One engine is one thread, one event loop and one Lua state; several may live in a process, each in a thread of its
 * own. Process-wide effects: SIGPIPE is ignored once an engine's loop exists, and an engine that has children watches
 * SIGCHLD (a host that reaps children it did not start makes their exit states unknown). */
#ifndef ADT_H
#define ADT_H

#ifdef __cplusplus
extern "C" {
#endif

int adt_program(int argc, char **argv);
/* The whole program adtlua: what main() is to return. [argv] as main() got it. Handles SIGINT while it runs. */

const char *adt_version(void);
/* "MAJOR.MINOR.PATCH" */

#ifdef __cplusplus
}
#endif

#endif
