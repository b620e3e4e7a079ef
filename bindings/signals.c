/* signals.c - the table of signals */
#include "signals.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int number;
    const char *name;
} signals[] = {
#define S(x) \
    { \
        SIG##x, "SIG" #x \
    }
    S(HUP),  S(INT),  S(QUIT), S(ILL),  S(TRAP), S(ABRT), S(BUS),  S(FPE),  S(KILL),   S(USR1),
    S(SEGV), S(USR2), S(PIPE), S(ALRM), S(TERM), S(CHLD), S(CONT), S(STOP), S(TSTP),   S(TTIN),
    S(TTOU), S(URG),  S(XCPU), S(XFSZ), S(PROF), S(SYS),  S(IO),   S(PWR),  S(VTALRM), S(WINCH),
#undef S
};

const char *adt_signal_name(int signum, char buf[static 16])
{
    snprintf(buf, 16, "SIG%d", signum);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (signals[i].number == signum)
            snprintf(buf, 16, "%s", signals[i].name);
    return buf;
}

int adt_signal_number(const char *name)
{
    if (!strncmp(name, "SIG", 3))
        name += 3;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (!strcmp(signals[i].name + 3, name))
            return signals[i].number;
    return -1;
}

int adtL_checksignal(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return SIGTERM;
    int number =
        lua_type(L, arg) == LUA_TNUMBER ? (int)luaL_checkinteger(L, arg) : adt_signal_number(luaL_checkstring(L, arg));
    luaL_argcheck(L, number >= 0 && number < NSIG, arg, "not a signal");
    return number;
}
