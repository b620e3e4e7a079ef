/* watch.h - a descriptor that is watched and a moment that can be moved, for libraries that drive their own sockets
 *
 * What they call back runs in the middle of the loop's turn: it feeds the library and finishes ops, no more. Loop
 * thread only. */
#ifndef ADT_LOOP_WATCH_H
#define ADT_LOOP_WATCH_H

#include "loop/loop.h"

enum { ADT_WATCH_IN = 1, ADT_WATCH_OUT = 2, ADT_WATCH_BAD = 4 /* reported only */ };

struct adt_watch;
struct adt_alarm;

struct adt_watch *adt_watch_open(struct adt_loop *loop, int fd, void (*ready)(void *arg, int fd, int events), void *arg,
                                 struct adt_error *err);
/* Watches nothing yet. The descriptor stays the caller's; one watch for each. */

int adt_watch_set(struct adt_watch *w, int events, struct adt_error *err);
/* From now on ready() is called whenever one of [events] holds; 0 stops. */

void adt_watch_close(struct adt_watch *w);
/* To be called before the descriptor is closed; also from within ready(). Takes NULL. */

struct adt_alarm *adt_alarm_open(struct adt_loop *loop, void (*due)(void *arg), void *arg, struct adt_error *err);
/* Not set yet. */

void adt_alarm_set(struct adt_alarm *a, double seconds);
/* due() is called once, [seconds] from now on, never within this call; negative: not any more. */

void adt_alarm_close(struct adt_alarm *a);
/* Also from within due(). Takes NULL. */

#endif
