/* uri.c - any bytes as a URL, alone and against a base: what is signed is what is asked for, at the same host */
#include "aws/sigv4.h"
#include "base/mem.h"
#include "net/http.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static bool is_usual(const struct adt_http_url *u)
{
    return strcmp(u->port, strcmp(u->scheme, "https") == 0 ? "443" : "80") == 0;
}

/* A client that signs for one host and talks to another hands the signature to a stranger. */
static void same_place(const struct adt_http_url *asked, const struct adt_sigv4_url *signed_for)
{
    char host[600];
    snprintf(host, sizeof host, "%s%s%s", asked->host, is_usual(asked) ? "" : ":", is_usual(asked) ? "" : asked->port);
    must(strcmp(host, signed_for->host) == 0);
    const char *path = strstr(asked->url, "://") + 3;
    path += strcspn(path, "/?");
    must(strncmp(path, signed_for->path, signed_for->path_n) == 0);
}

static void check(const char *text, const char *base)
{
    struct adt_http_url u;
    struct adt_error err = {0};
    if (adt_http_url_parse(text, base, &u, &err) < 0) {
        must(err.cause == ADT_USAGE && err.message[0]);
        return;
    }
    must(strcmp(u.scheme, "http") == 0 || strcmp(u.scheme, "https") == 0);
    for (const char *p = u.where; *p; p++)
        must((unsigned char)*p > ' ' && *p != 127 && *p != '?');
    struct adt_sigv4_url s;
    if (adt_sigv4_url_split(u.url, &s, &err) == 0)
        same_place(&u, &s);
    adt_http_url_free(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    char *text = adt_memdup(data, size);
    check(text, NULL);
    check(text, "https://bucket.example:8443/a/b?c=d");
    adt_free(text);
    return 0;
}
