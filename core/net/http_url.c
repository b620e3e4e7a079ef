/* http_url.c - what a URL says, and how much of it an error may tell */
#include "base/mem.h"
#include "net/curl.h"
#include "net/http.h"

#include <string.h>
#include <strings.h>

static int no_url(struct adt_error *err, const char *why)
{
    return adt_error_set(err, ADT_USAGE, "BadUrl", "%s", why);
}

/* One part, in memory of ours. */
static char *part(const struct adt_curl *c, CURLU *u, CURLUPart what, unsigned flags)
{
    char *text = NULL;
    if (c->url_get(u, what, &text, flags) != CURLUE_OK)
        return NULL;
    char *copy = adt_strdup(text);
    c->free(text);
    return copy;
}

static char *tell(const struct adt_http_url *u, const char *path)
{
    struct adt_buf b;
    const char *usual = strcmp(u->scheme, "https") == 0 ? "443" : "80";
    adt_buf_init(&b, 1 << 20);
    if (adt_buf_addf(&b, "%s://%s", u->scheme, u->host) < 0)
        return NULL;
    if (strcmp(u->port, usual) != 0 && adt_buf_addf(&b, ":%s", u->port) < 0)
        return NULL;
    return adt_buf_adds(&b, path) < 0 ? NULL : adt_buf_take(&b, NULL);
}

static bool has(const struct adt_curl *c, CURLU *u, CURLUPart what)
{
    char *text = NULL;
    bool there = c->url_get(u, what, &text, 0) == CURLUE_OK;
    c->free(text);
    return there;
}

static int take_apart(const struct adt_curl *c, CURLU *u, struct adt_http_url *out, struct adt_error *err)
{
    adt_autofree char *scheme = part(c, u, CURLUPART_SCHEME, 0);
    adt_autofree char *path = part(c, u, CURLUPART_PATH, 0);
    if (!scheme)
        return adt_error_nomem(err);
    if (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0)
        return no_url(err, "the URL must begin with http:// or https://");
    if (has(c, u, CURLUPART_USER) || has(c, u, CURLUPART_PASSWORD)) {
        no_url(err, "the URL holds a user name or password");
        adt_error_hint(err, "send them in a header: URLs end up in logs");
        return -1;
    }
    out->scheme = strlen(scheme) == 4 ? "http" : "https";
    out->host = part(c, u, CURLUPART_HOST, 0);
    out->port = part(c, u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    out->url = part(c, u, CURLUPART_URL, 0);
    for (char *p = out->host; p && *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p |= 0x20;
    if (!path || !out->host || !out->port || !out->url || !(out->where = tell(out, path)))
        return adt_error_nomem(err);
    return 0;
}

int adt_http_url_parse(const char *text, const char *base, struct adt_http_url *out, struct adt_error *err)
{
    memset(out, 0, sizeof *out);
    const struct adt_curl *c = adt_curl_open(err);
    if (!c)
        return -1;
    CURLU *u = c->url();
    if (!u)
        return adt_error_nomem(err);
    /* S3 keys may hold "..", and a signature covers the path as it was written. */
    CURLUcode rc = base ? c->url_set(u, CURLUPART_URL, base, CURLU_PATH_AS_IS) : CURLUE_OK;
    if (rc == CURLUE_OK)
        rc = c->url_set(u, CURLUPART_URL, text, CURLU_PATH_AS_IS);
    int bad = rc == CURLUE_OUT_OF_MEMORY ? adt_error_nomem(err)
              : rc != CURLUE_OK          ? no_url(err, "the URL is not one that can be requested")
                                         : take_apart(c, u, out, err);
    if (bad && rc != CURLUE_OK && rc != CURLUE_OUT_OF_MEMORY)
        adt_error_hint(err, "write http://HOST/PATH or https://HOST/PATH, with %%XX for blanks and the like");
    c->url_cleanup(u);
    if (bad)
        adt_http_url_free(out);
    return bad;
}

void adt_http_url_free(struct adt_http_url *u)
{
    adt_free(u->host);
    adt_free(u->port);
    adt_free(u->url);
    adt_free(u->where);
    memset(u, 0, sizeof *u);
}
