/* process.c - adt.c.process: this process and others, by pid and start time */
#include "adtL.h"
#include "loop/child.h"
#include "modules.h"
#include "signals.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t check_pid(lua_State *L, int arg)
{
    lua_Integer pid = luaL_checkinteger(L, arg);
    luaL_argcheck(L, pid > 0 && pid <= INT_MAX, arg, "not a process id");
    return (pid_t)pid;
}

/* find(program) -> path | nil */
static int process_find(lua_State *L)
{
    char path[PATH_MAX];
    if (adt_path_find(adtL_checktext(L, 1, NULL), getenv("PATH"), path, sizeof path) < 0)
        lua_pushnil(L);
    else
        lua_pushstring(L, path);
    return 1;
}

/* start_time(pid) -> ticks | nil */
static int process_start_time(lua_State *L)
{
    unsigned long long ticks;
    if (adt_process_start_time(check_pid(L, 1), &ticks) < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)ticks);
    return 1;
}

static int send_error(struct adt_error *err, int errnum, int signum, pid_t pid)
{
    if (errnum == ESRCH)
        return adt_error_set(err, ADT_USAGE, "ESRCH", "process %d has ended", (int)pid);
    return adt_error_errno(err, errnum == EPERM ? ADT_AUTH : ADT_INTERNAL, errnum, "sending signal %d to process %d",
                           signum, (int)pid);
}

static int not_the_same(struct adt_error *err, pid_t pid)
{
    adt_error_set(err, ADT_USAGE, "Replaced", "process %d is not the one that was meant: it started at another time",
                  (int)pid);
    return -1;
}

/* The descriptor holds on to one process, so that the number cannot change hands between the look and the signal. */
static int send_checked(pid_t pid, int signum, bool group, unsigned long long expected, struct adt_error *err)
{
    unsigned long long ticks;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0U);
    if (fd < 0 && errno != ENOSYS)
        return send_error(err, errno, signum, pid);
    int rc = adt_process_start_time(pid, &ticks);
    if (rc < 0)
        send_error(err, ESRCH, signum, pid);
    else if (ticks != expected)
        rc = not_the_same(err, pid);
    else if (group || fd < 0)
        rc = kill(group ? -pid : pid, signum) < 0 ? send_error(err, errno, signum, pid) : 0;
    else
        rc = (int)syscall(SYS_pidfd_send_signal, fd, signum, NULL, 0U) < 0 ? send_error(err, errno, signum, pid) : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* kill(pid, signal, start ticks | nil, group) -> true */
static int process_kill(lua_State *L)
{
    struct adt_error err;
    pid_t pid = check_pid(L, 1);
    int signum = adtL_checksignal(L, 2), rc;
    bool group = lua_toboolean(L, 4);
    luaL_argcheck(L, pid > 1, 1, "not a process to be signalled");
    if (!lua_isnoneornil(L, 3))
        rc = send_checked(pid, signum, group, (unsigned long long)luaL_checkinteger(L, 3), &err);
    else
        rc = kill(group ? -pid : pid, signum) < 0 ? send_error(&err, errno, signum, pid) : 0;
    if (rc < 0)
        return adtL_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

static int push_one(lua_State *L, const char *pid)
{
    char path[48], text[1024], state[2] = "";
    int ppid, pgrp, session;
    unsigned long long ticks;
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    char *open_paren = strchr(text, '('), *close_paren = strrchr(text, ')');
    if (!open_paren || !close_paren ||
        sscanf(close_paren + 1, " %1c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", state,
               &ppid, &pgrp, &session, &ticks) != 5)
        return 0;
    lua_createtable(L, 0, 7);
    lua_pushinteger(L, strtol(pid, NULL, 10));
    lua_setfield(L, -2, "pid");
    lua_pushlstring(L, open_paren + 1, (size_t)(close_paren - open_paren - 1));
    lua_setfield(L, -2, "name");
    lua_pushlstring(L, state, 1);
    lua_setfield(L, -2, "state");
    lua_pushinteger(L, ppid);
    lua_setfield(L, -2, "ppid");
    lua_pushinteger(L, pgrp);
    lua_setfield(L, -2, "group");
    lua_pushinteger(L, session);
    lua_setfield(L, -2, "session");
    lua_pushinteger(L, (lua_Integer)ticks);
    lua_setfield(L, -2, "start_time");
    return 1;
}

static int close_dir(lua_State *L)
{
    DIR **d = lua_touserdata(L, 1);
    if (*d)
        closedir(*d);
    *d = NULL;
    return 0;
}

/* list() -> { { pid, ppid, group, session, start_time, state, name }, ... }, zombies included */
static int process_list(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", close_dir}, {"__close", close_dir}, {NULL, NULL}};
    struct adt_error err;
    lua_settop(L, 0);
    adtL_newclass(L, "adt.process.dir", meta, NULL);
    DIR **d = adtL_newhandle(L, sizeof *d, "adt.process.dir", 0);
    lua_toclose(L, 1);
    if (!(*d = opendir("/proc"))) {
        adt_error_errno(&err, ADT_NODE, errno, "listing processes in /proc");
        return adtL_fail(L, &err);
    }
    lua_newtable(L);
    lua_Integer count = 0;
    for (struct dirent *e; (e = readdir(*d));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && push_one(L, e->d_name))
            lua_rawseti(L, 2, ++count);
    return 1;
}

static void set_text(lua_State *L, const char *field, const char *text)
{
    if (*text) {
        lua_pushstring(L, text);
        lua_setfield(L, -2, field);
    }
}

/* self() -> { pid, start_time, uid, exe, host, boot_id, user, home } */
static int process_self(lua_State *L)
{
    char exe[PATH_MAX] = "", host[256] = "", boot[64] = "", names[4096];
    struct passwd pw, *found = NULL;
    unsigned long long ticks = 0;
    lua_createtable(L, 0, 7);
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    gethostname(host, sizeof host - 1);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : read(fd, boot, sizeof boot - 1);
    if (fd >= 0)
        close(fd);
    boot[n > 0 ? strcspn(boot, "\n") : 0] = '\0';
    if (adt_process_start_time(getpid(), &ticks) == 0) {
        lua_pushinteger(L, (lua_Integer)ticks);
        lua_setfield(L, -2, "start_time");
    }
    lua_pushinteger(L, getpid());
    lua_setfield(L, -2, "pid");
    lua_pushinteger(L, getuid());
    lua_setfield(L, -2, "uid");
    set_text(L, "exe", exe);
    set_text(L, "host", host);
    set_text(L, "boot_id", boot);
    if (getpwuid_r(getuid(), &pw, names, sizeof names, &found) == 0 && found) {
        set_text(L, "user", pw.pw_name);
        set_text(L, "home", pw.pw_dir);
    }
    return 1;
}

/* reaper() -> true: orphaned descendants become our children, and are reaped */
static int process_reaper(lua_State *L)
{
    struct adt_error err;
    if (adt_child_adopt(adtL_loop(L), &err) < 0)
        return adtL_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

/* env() -> all variables; env(name) -> value | nil */
static int process_env(lua_State *L)
{
    extern char **environ;
    if (!lua_isnoneornil(L, 1)) {
        lua_pushstring(L, getenv(adtL_checktext(L, 1, NULL)));
        return 1;
    }
    lua_newtable(L);
    for (char **e = environ; e && *e; e++) {
        const char *eq = strchr(*e, '=');
        if (!eq)
            continue;
        lua_pushlstring(L, *e, (size_t)(eq - *e));
        lua_pushstring(L, eq + 1);
        lua_rawset(L, -3);
    }
    return 1;
}

/* setenv(name, value | nil) */
static int process_setenv(lua_State *L)
{
    size_t n;
    const char *name = adtL_checktext(L, 1, &n);
    const char *value = lua_isnoneornil(L, 2) ? NULL : adtL_checktext(L, 2, NULL);
    luaL_argcheck(L, n > 0 && !strchr(name, '='), 1, "not the name of a variable");
    if ((value ? setenv(name, value, 1) : unsetenv(name)) < 0)
        return luaL_error(L, "out of memory");
    return 0;
}

static int process_signal_name(lua_State *L)
{
    char name[16];
    lua_pushstring(L, adt_signal_name((int)luaL_checkinteger(L, 1), name));
    return 1;
}

static int process_signal_number(lua_State *L)
{
    int number = adt_signal_number(luaL_checkstring(L, 1));
    if (number < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, number);
    return 1;
}

int luaopen_adt_c_process(lua_State *L)
{
    static const luaL_Reg functions[] = {{"find", process_find},
                                         {"start_time", process_start_time},
                                         {"kill", process_kill},
                                         {"list", process_list},
                                         {"self", process_self},
                                         {"reaper", process_reaper},
                                         {"env", process_env},
                                         {"setenv", process_setenv},
                                         {"signal_name", process_signal_name},
                                         {"signal_number", process_signal_number},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
