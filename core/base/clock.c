/* clock.c - the two clocks */
#include "base/clock.h"

#include <sys/timex.h>
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

int adt_clock_sync(struct adt_clock_sync *sync)
{
    struct timex t = {.modes = 0};
    int state = adjtimex(&t);
    if (state < 0)
        return -1;
    sync->synchronised = state != TIME_ERROR && !(t.status & STA_UNSYNC);
    sync->offset = (double)t.offset * (t.status & STA_NANO ? 1e-9 : 1e-6);
    sync->max_error = (double)t.maxerror * 1e-6;
    return 0;
}
