/* clock.h - what time it is, in seconds, with a clock that tests can turn */
#ifndef ADT_BASE_CLOCK_H
#define ADT_BASE_CLOCK_H

#include <stdbool.h>

double adt_now(void);
/* Monotonic seconds since some fixed moment; never goes back. */

double adt_wall(void);
/* Seconds since the Unix epoch, plus what adt_clock_turn() added. */

void adt_clock_turn(double seconds);
/* Test hook: moves adt_wall() by [seconds] from now on. */

struct adt_clock_sync {
    bool synchronised;
    double offset;    /* seconds that the kernel is still correcting */
    double max_error; /* seconds, as the kernel's estimate grows without news of a better clock */
};

int adt_clock_sync(struct adt_clock_sync *sync);
/* What the kernel knows of this machine's clock; changes nothing. -1 with errno set where it cannot be asked. */

#endif
