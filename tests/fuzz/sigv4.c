/* sigv4.c - any bytes as URL, header and query: what is signed has its form, and signing it anew changes nothing */
#include "aws/sigv4.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct adt_sigv4_credentials cred = {"AKIDEXAMPLE", "the secret of a fuzzer", NULL};

static void must(bool good)
{
    if (!good)
        abort();
}

/* Of the canonical request: the line with the path or the query. */
static char *line(const char *text, int n)
{
    for (; n > 0; n--)
        text = strchr(text, '\n') + 1;
    return adt_memdup(text, strcspn(text, "\n"));
}

static bool is_canonical(const char *text, const char *more)
{
    for (; *text; text++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%", *text) &&
            !strchr(more, *text))
            return false;
    return true;
}

/* A canonical path and query of S3 are their own canonical forms. */
static void sign_again(struct adt_sigv4 *s, struct adt_sigv4_request *req)
{
    struct adt_sigv4_signed out;
    struct adt_error err;
    char *path = line(adt_sigv4_canonical_request(s), 1), *query = line(adt_sigv4_canonical_request(s), 2);
    must(is_canonical(path, "/") && is_canonical(query, "=&"));
    req->query = query;
    if (req->s3)
        req->path = path;
    if (adt_sigv4_sign_headers(s, req, &cred, &out, &err) == 0) {
        char *again = line(adt_sigv4_canonical_request(s), 1), *same = line(adt_sigv4_canonical_request(s), 2);
        must(strcmp(path, again) == 0 && strcmp(query, same) == 0);
        adt_free(again);
        adt_free(same);
    } else {
        must(strlen(path) + strlen(query) > ADT_BUF_SIGV4 / 6);
    }
    adt_free(path);
    adt_free(query);
}

static void sign(struct adt_sigv4 *s, unsigned flags, const char *url, const char *name, const char *value)
{
    struct adt_sigv4_url u;
    struct adt_sigv4_signed out;
    struct adt_error err;
    const char *query;
    if (adt_sigv4_url_split(url, &u, &err) < 0)
        return;
    char *path = adt_memdup(u.path, u.path_n);
    const struct adt_sigv4_header headers[] = {{"Host", u.host}, {name, value}};
    struct adt_sigv4_request req = {.method = "GET",
                                    .path = path,
                                    .query = u.query,
                                    .headers = headers,
                                    .header_count = 2,
                                    .service = "s3",
                                    .region = "us-east-1",
                                    .time = 1440938160,
                                    .s3 = flags & 1,
                                    .keep_path = flags & 2};
    if (adt_sigv4_presign(s, &req, &cred, 60, &query, &err) == 0)
        must(strstr(query, "&X-Amz-Signature="));
    if (adt_sigv4_sign_headers(s, &req, &cred, &out, &err) == 0)
        sign_again(s, &req);
    adt_free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct adt_sigv4 *s;
    struct adt_error err;
    if (!s)
        s = adt_sigv4_new(&err);
    if (!s || size < 1 || size > 1 << 14)
        return 0;
    /* Flags, then URL, name and value, a NUL between them. */
    char *text = adt_memdup(data + 1, size - 1), *end = text + size - 1;
    char *name = text + strlen(text), *value;
    name += name < end;
    value = name + strlen(name);
    value += value < end;
    char *url = adt_alloc(strlen(text) + sizeof "https://h/");
    strcpy(url, data[0] & 4 ? "https://h/" : "");
    strcat(url, text);
    sign(s, data[0], url, name, value);
    adt_free(url);
    adt_free(text);
    return 0;
}
