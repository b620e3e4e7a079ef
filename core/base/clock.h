/* clock.h - what time it is, in seconds, with a clock that tests can turn */
#ifndef ADT_BASE_CLOCK_H
#define ADT_BASE_CLOCK_H

double adt_now(void);
/* Monotonic seconds since some fixed moment; never goes back. */

double adt_wall(void);
/* Seconds since the Unix epoch, plus what adt_clock_turn() added. */

void adt_clock_turn(double seconds);
/* Test hook: moves adt_wall() by [seconds] from now on. */

#endif
