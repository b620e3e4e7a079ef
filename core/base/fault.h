/* fault.h - named places where a test can make the program die or fail */
#ifndef ADT_BASE_FAULT_H
#define ADT_BASE_FAULT_H

#include <stdbool.h>

int adt_fault_arm(const char *spec);
/* [spec] is "name:action[:count]": at the [count]th passing (default 1) of the named place the action happens once.
 * Actions: "kill" (SIGKILL to this process), "fail" (adt_fault() answers true). NULL or "" disarms. -1: malformed.
 * The program arms it from ADTLUA_FAULT; crash tests are the users. */

bool adt_fault(const char *name);
/* True when the place is to fail now. One predictable branch when nothing is armed. */

#endif
