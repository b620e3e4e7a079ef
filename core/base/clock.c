/* clock.c - the two clocks */
#include "base/clock.h"

#include <time.h>

static double turned;

static double read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

double adt_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double adt_wall(void)
{
    return read_clock(CLOCK_REALTIME) + turned;
}

void adt_clock_turn(double seconds)
{
    turned += seconds;
}
