/* net.c - adt.c.net: small questions about this machine's network */
#include "adtL.h"
#include "modules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* free_port() -> a TCP port of 127.0.0.1 on which nobody listens now. Whoever uses it binds at once: another process
 * can take it meanwhile. */
static int net_free_port(lua_State *L)
{
    struct adt_error err;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bad = fd < 0 || bind(fd, (struct sockaddr *)&at, n) < 0 || getsockname(fd, (struct sockaddr *)&at, &n) < 0;
    int errnum = errno;
    if (fd >= 0)
        close(fd);
    if (bad) {
        adt_error_errno(&err, ADT_NODE, errnum, "looking for a free port");
        return adtL_fail(L, &err);
    }
    lua_pushinteger(L, ntohs(at.sin_port));
    return 1;
}

int luaopen_adt_c_net(lua_State *L)
{
    static const luaL_Reg functions[] = {{"free_port", net_free_port}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
