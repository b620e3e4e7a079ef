/* sigv4_url.c - a URL taken apart as it stands: a signature covers every byte of it */
#include "aws/sigv4_private.h"

#include <strings.h>

static int bad(struct adt_error *err, const char *why)
{
    return adt_error_set(err, ADT_USAGE, "BadUrl", "%s", why);
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

/* The bytes of the host in an authority, brackets included; 0: it has none. */
static size_t host_length(const char *p, size_t n)
{
    size_t i = 0;
    if (n && p[0] == '[') {
        for (i = 1; i < n && p[i] != ']'; i++)
            if (!strchr("0123456789abcdefABCDEF:.", p[i]))
                return 0;
        return i < n && i > 1 ? i + 1 : 0;
    }
    while (i < n && is_host_char(p[i]))
        i++;
    return i;
}

static int host_set(struct adt_sigv4_url *u, bool https, struct adt_error *err)
{
    const char *p = u->authority, *usual = https ? ":443" : ":80";
    if (memchr(p, '@', u->authority_n))
        return bad(err, "the URL holds a user name or password");
    size_t host_n = host_length(p, u->authority_n), port_n = u->authority_n - host_n; /* with its colon */
    const char *port = p + host_n;
    if (host_n == 0 || host_n > 253)
        return bad(err, "the URL has no valid host");
    if (port_n && (port_n < 2 || port_n > 6 || *port != ':' || strspn(port + 1, "0123456789") < port_n - 1))
        return bad(err, "the URL has no valid host and port");
    char *d = u->host;
    for (size_t i = 0; i < host_n; i++)
        *d++ = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] | 0x20) : p[i];
    if (port_n != strlen(usual) || memcmp(port, usual, port_n) != 0)
        d = sigv4_put(d, port, port_n);
    *d = '\0';
    return 0;
}

int adt_sigv4_url_split(const char *url, struct adt_sigv4_url *out, struct adt_error *err)
{
    bool https = strncasecmp(url, "https://", 8) == 0;
    if (!https && strncasecmp(url, "http://", 7) != 0)
        return bad(err, "the URL must begin with http:// or https://");
    if (sigv4_check_text("URL", url, err) < 0)
        return -1;
    if (strchr(url, '#')) {
        bad(err, "the URL holds a '#'");
        adt_error_hint(err, "in a path or query it is written %%23");
        return -1;
    }
    out->authority = url + (https ? 8 : 7);
    out->authority_n = strcspn(out->authority, "/?");
    out->path = out->authority + out->authority_n;
    out->path_n = strcspn(out->path, "?");
    out->query = out->path[out->path_n] == '?' ? out->path + out->path_n + 1 : NULL;
    out->query_n = out->query ? strlen(out->query) : 0;
    return host_set(out, https, err);
}
