/* fault.c - one armed fault at a time, counted down */
#include "base/fault.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    bool armed, kill;
    long left;
    char name[48];
} fault;

int adt_fault_arm(const char *spec)
{
    fault.armed = false;
    if (!spec || !*spec)
        return 0;
    const char *colon = strchr(spec, ':');
    if (!colon || (size_t)(colon - spec) >= sizeof fault.name)
        return -1;
    memcpy(fault.name, spec, (size_t)(colon - spec));
    fault.name[colon - spec] = '\0';
    const char *action = colon + 1;
    size_t n = strcspn(action, ":");
    if (n == 4 && !strncmp(action, "kill", 4))
        fault.kill = true;
    else if (n == 4 && !strncmp(action, "fail", 4))
        fault.kill = false;
    else
        return -1;
    fault.left = action[n] ? strtol(action + n + 1, NULL, 10) : 1;
    if (fault.left < 1)
        return -1;
    fault.armed = true;
    return 0;
}

bool adt_fault(const char *name)
{
    if (!fault.armed || strcmp(name, fault.name) != 0 || --fault.left > 0)
        return false;
    fault.armed = false;
    if (fault.kill)
        kill(getpid(), SIGKILL);
    return true;
}
