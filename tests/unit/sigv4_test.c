/* sigv4_test.c - signatures by the published examples: headers, URLs, chunks, trailers; what is refused; kept keys */
#include "aws/sigv4.h"
#include "base/mem.h"
#include "base/secret.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static const struct adt_sigv4_credentials suite = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL};
static const struct adt_sigv4_credentials s3_docs = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                                     NULL};
static const struct adt_sigv4_header host = {"Host", "example.amazonaws.com"};

enum { SUITE_TIME = 1440938160 /* 2015-08-30T12:36:00Z */, S3_TIME = 1369353600 /* 2013-05-24T00:00:00Z */ };

static struct adt_sigv4_request suite_request(void)
{
    return (struct adt_sigv4_request){.method = "GET",
                                      .path = "/",
                                      .headers = &host,
                                      .header_count = 1,
                                      .service = "service",
                                      .region = "us-east-1",
                                      .time = SUITE_TIME};
}

/* The signature of a request, or the code of the error. */
static const char *signature(struct adt_sigv4 *s, const struct adt_sigv4_request *req,
                             const struct adt_sigv4_credentials *cred)
{
    static struct adt_error err;
    struct adt_sigv4_signed out;
    return adt_sigv4_sign_headers(s, req, cred, &out, &err) < 0 ? err.code : out.signature;
}

static const char *last_header(const struct adt_sigv4_signed *out, const char *name)
{
    for (size_t i = 0; i < out->count; i++)
        if (!strcmp(out->headers[i].name, name))
            return out->headers[i].value;
    return "";
}

/* --- the public suite --------------------------------------------------------------------------------------------- */

static void test_suite(struct adt_sigv4 *s)
{
    static const struct {
        const char *path, *query, *want;
        bool keep;
    } cases[] = {
        {"/", NULL, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", false},
        {"/example/..", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", false},
        {"//", NULL, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", false},
        {"//example//", NULL, "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84", false},
        {"/example space/", NULL, "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741", false},
        {"/./example", NULL, "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff", true},
        {"/example1/example2/../..", NULL, "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b", true},
        {"/", "Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", false},
        {"/", "\xe1\x88\xb4=bar", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct adt_sigv4_request req = suite_request();
        req.path = cases[i].path;
        req.query = cases[i].query;
        req.keep_path = cases[i].keep;
        const char *got = signature(s, &req, &suite);
        ok(!strcmp(got, cases[i].want), "%s%s%s signs as in the public suite", cases[i].path, cases[i].query ? "?" : "",
           cases[i].query ? cases[i].query : "");
    }
}

static void test_token_and_body(struct adt_sigv4 *s)
{
    struct adt_sigv4_credentials cred = suite;
    struct adt_sigv4_request req = suite_request();
    struct adt_sigv4_signed out;
    struct adt_error err;
    cred.session_token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSP"
                         "fIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT"
                         "7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlz"
                         "m8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
    req.method = "POST";
    ok(!strcmp(signature(s, &req, &cred), "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
       "a session token is signed");
    req.token_after = true;
    int rc = adt_sigv4_sign_headers(s, &req, &cred, &out, &err);
    ok(rc == 0 && !strcmp(out.signature, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b") &&
           !strcmp(last_header(&out, "X-Amz-Security-Token"), cred.session_token),
       "or sent beside a signature without it");

    const struct adt_sigv4_header headers[] = {
        {"Content-Type", "application/x-www-form-urlencoded"}, host, {"Content-Length", "13"}};
    req = suite_request();
    req.method = "POST";
    req.headers = headers;
    req.header_count = 3;
    req.body = "Param1=value1";
    req.body_n = 13;
    req.content_sha256 = true;
    ok(!strcmp(signature(s, &req, &suite), "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"),
       "a body is hashed, and its hash a signed header");
    req.payload = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
    req.body = NULL;
    ok(!strcmp(signature(s, &req, &suite), "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"),
       "or its hash is given");
}

static void test_presign(struct adt_sigv4 *s)
{
    struct adt_sigv4_request req = suite_request();
    struct adt_error err;
    const char *query;
    req.query = "Param2=value2&Param1=value1";
    int rc = adt_sigv4_presign(s, &req, &suite, 3600, &query, &err);
    ok(rc == 0 && !strcmp(query, "Param2=value2&Param1=value1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
                                 "AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request&X-Amz-Date="
                                 "20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600&X-Amz-Signature="
                                 "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5"),
       "a presigned query is that of the public suite");
    req = (struct adt_sigv4_request){.method = "GET",
                                     .path = "/test.txt",
                                     .headers =
                                         (const struct adt_sigv4_header[]){{"host", "examplebucket.s3.amazonaws.com"}},
                                     .header_count = 1,
                                     .service = "s3",
                                     .region = "us-east-1",
                                     .time = S3_TIME,
                                     .s3 = true};
    rc = adt_sigv4_presign(s, &req, &s3_docs, 86400, &query, &err);
    ok(rc == 0 && strstr(query, "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"),
       "a presigned URL of S3 is that of its documentation");
    req.payload = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
    ok(adt_sigv4_presign(s, &req, &s3_docs, 60, &query, &err) < 0 && !strcmp(err.code, "BadPayload"),
       "a URL of S3 that covers a body is refused");
    req.payload = NULL;
    bool short_ok = adt_sigv4_presign(s, &req, &s3_docs, 0, &query, &err) < 0;
    ok(short_ok && adt_sigv4_presign(s, &req, &s3_docs, 604801, &query, &err) < 0 && !strcmp(err.code, "BadExpires"),
       "an expiry outside of a second to a week is refused");
}

/* --- aws-chunked: the examples of S3's documentation -------------------------------------------------------------- */

static const struct adt_sigv4_header chunked_headers[] = {{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                                                          {"host", "s3.amazonaws.com"}};

static struct adt_sigv4_request chunked_request(void)
{
    return (struct adt_sigv4_request){.method = "PUT",
                                      .path = "/examplebucket/chunkObject.txt",
                                      .headers = chunked_headers,
                                      .header_count = 2,
                                      .service = "s3",
                                      .region = "us-east-1",
                                      .time = S3_TIME,
                                      .s3 = true};
}

/* 65 KiB of 'a' in pieces of [step] bytes. */
static int encode(struct adt_sigv4_stream *st, size_t step, const char *const *trailers, struct adt_buf *out)
{
    enum { ALL = 66560 };
    struct adt_error err;
    char *body = adt_alloc(ALL);
    int rc = 0;
    memset(body, 'a', ALL);
    for (size_t at = 0; at < ALL && rc == 0; at += step)
        rc = adt_sigv4_stream_add(st, body + at, ALL - at < step ? ALL - at : step, out, &err);
    adt_free(body);
    return rc < 0 ? -1 : adt_sigv4_stream_end(st, trailers, out, &err);
}

static bool holds(const struct adt_buf *b, const char *text)
{
    return b->p && memmem(b->p, b->len, text, strlen(text));
}

static void test_chunked(struct adt_sigv4 *s, size_t step)
{
    struct adt_sigv4_request req = chunked_request();
    struct adt_sigv4_signed out;
    struct adt_error err;
    struct adt_buf body;
    const struct adt_sigv4_stream_options opt = {.length = 66560};
    adt_buf_init(&body, 1 << 20);
    struct adt_sigv4_stream *st = adt_sigv4_stream_new(s, &req, &s3_docs, &opt, &out, &err);
    bool head = st && !strcmp(out.signature, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9") &&
                !strcmp(last_header(&out, "Content-Length"), "66824");
    ok(head, "the seed signature of chunks is that of the documentation");
    ok(encode(st, step, NULL, &body) == 0 &&
           holds(&body, "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n") &&
           holds(&body,
                 "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n") &&
           holds(&body,
                 "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"),
       "and so are those of its chunks, in pieces of %zu bytes", step);
    ok(body.len == adt_sigv4_stream_length(st) && body.len == 66824, "the length was known in advance");
    adt_sigv4_stream_free(st);
    adt_buf_free(&body);
}

static void test_trailers(struct adt_sigv4 *s)
{
    struct adt_sigv4_request req = chunked_request();
    struct adt_sigv4_signed out;
    struct adt_error err;
    struct adt_buf body;
    const struct adt_sigv4_trailer crc = {"x-amz-checksum-crc32c", 8};
    struct adt_sigv4_stream_options opt = {.length = 66560, .open_length = true, .trailers = &crc, .trailer_count = 1};
    const char *value = "sOO8/Q==";
    adt_buf_init(&body, 1 << 20);
    struct adt_sigv4_stream *st = adt_sigv4_stream_new(s, &req, &s3_docs, &opt, &out, &err);
    ok(st && !strcmp(out.signature, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"),
       "the seed signature with a trailer is that of the documentation");
    ok(encode(st, 1000, &value, &body) == 0 &&
           holds(&body, "\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
                        "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
                        "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"),
       "and so is that of the trailer");
    ok(body.len == adt_sigv4_stream_length(st), "the length with a trailer was known in advance");
    adt_sigv4_stream_free(st);
    adt_buf_free(&body);

    opt = (struct adt_sigv4_stream_options){
        .length = 9000, .chunk = 8192, .unsigned_chunks = true, .trailers = &crc, .trailer_count = 1};
    char data[9000];
    memset(data, 'b', sizeof data);
    st = adt_sigv4_stream_new(s, &req, &s3_docs, &opt, &out, &err);
    bool rc = st && adt_sigv4_stream_add(st, data, sizeof data, &body, &err) == 0;
    ok(rc && adt_sigv4_stream_end(st, &value, &body, &err) == 0 && body.len == adt_sigv4_stream_length(st) &&
           !strncmp(body.p, "2000\r\nbbb", 9) && holds(&body, "b\r\n328\r\nb") &&
           holds(&body, "\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n\r\n") &&
           !strcmp(last_header(&out, "x-amz-content-sha256"), "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
       "chunks without signatures end with their trailer");
    adt_sigv4_stream_free(st);
    adt_buf_free(&body);
}

static void test_stream_refusals(struct adt_sigv4 *s)
{
    struct adt_sigv4_request req = chunked_request();
    struct adt_sigv4_signed out;
    struct adt_error err;
    struct adt_buf body;
    struct adt_sigv4_stream_options opt = {.length = 10, .chunk = 100};
    adt_buf_init(&body, 1 << 20);
    ok(!adt_sigv4_stream_new(s, &req, &s3_docs, &opt, &out, &err) && !strcmp(err.code, "BadStream"),
       "chunks that S3 would refuse are refused");
    opt.chunk = 0;
    opt.unsigned_chunks = true;
    ok(!adt_sigv4_stream_new(s, &req, &s3_docs, &opt, &out, &err), "a body with neither signature nor checksum, too");
    opt.unsigned_chunks = false;
    struct adt_sigv4_stream *st = adt_sigv4_stream_new(s, &req, &s3_docs, &opt, &out, &err);
    ok(adt_sigv4_stream_add(st, "12345678901", 11, &body, &err) < 0 && !strcmp(err.code, "BadLength"),
       "more than was announced is an error");
    ok(adt_sigv4_stream_add(st, "123", 3, &body, &err) == 0 && adt_sigv4_stream_end(st, NULL, &body, &err) < 0 &&
           !strcmp(err.code, "BadLength"),
       "and so is less");
    adt_sigv4_stream_free(st);
    adt_buf_free(&body);
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

static void refused(struct adt_sigv4 *s, struct adt_sigv4_header second, const char *query, const char *code,
                    const char *title)
{
    const struct adt_sigv4_header headers[] = {host, second};
    struct adt_sigv4_request req = suite_request();
    req.headers = headers;
    req.header_count = second.name ? 2 : 1;
    req.query = query;
    const char *got = signature(s, &req, &suite);
    ok(!strcmp(got, code), "%s", title);
}

static void test_refusals(struct adt_sigv4 *s)
{
    const struct adt_sigv4_header none = {NULL, NULL};
    refused(s, (struct adt_sigv4_header){"X-Amz-Date", "20150830T123600Z"}, NULL, "AlreadySigned",
            "a header that signing adds");
    refused(s, (struct adt_sigv4_header){"authorization", "x"}, NULL, "AlreadySigned", "an authorization");
    refused(s, none, "a=b&x-amz-signature=1", "AlreadySigned", "a parameter that signing adds");
    refused(s, (struct adt_sigv4_header){"X-A", "a\r\nX-B: c"}, NULL, "BadHeader", "a line break in a value");
    refused(s, (struct adt_sigv4_header){"X-A", "a\n"}, NULL, "BadHeader", "a line break at its end");
    refused(s, (struct adt_sigv4_header){"X A", "a"}, NULL, "BadHeader", "a blank in a name");
    refused(s, (struct adt_sigv4_header){"", "a"}, NULL, "BadHeader", "an empty name");
    refused(s, none, "a=\r\nb", "BadUrl", "a line break in a query");
    struct adt_sigv4_request req = suite_request();
    req.header_count = 0;
    ok(!strcmp(signature(s, &req, &suite), "NoHost"), "a request without host");
    req = suite_request();
    req.region = "us/east";
    ok(!strcmp(signature(s, &req, &suite), "BadScope"), "a region that is two");
    req = suite_request();
    req.clock_offset = INT64_MAX;
    ok(!strcmp(signature(s, &req, &suite), "BadTime"), "a time beyond the calendar");
    req = suite_request();
    req.payload = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
    ok(!strcmp(signature(s, &req, &suite), "BadPayload"), "a hash in upper case");
    struct adt_sigv4_credentials cred = suite;
    cred.secret = "";
    req = suite_request();
    ok(!strcmp(signature(s, &req, &cred), "BadSecret"), "credentials without a secret");
}

/* --- forms -------------------------------------------------------------------------------------------------------- */

static void canonical(struct adt_sigv4 *s, struct adt_sigv4_request req, const char *line, const char *title)
{
    signature(s, &req, &suite);
    ok(strstr(adt_sigv4_canonical_request(s), line) != NULL, "%s", title);
}

static void test_forms(struct adt_sigv4 *s)
{
    struct adt_sigv4_request req = suite_request();
    req.query = "b=2&a-b=1&a=2&a=10&&flag&e=&p=1+2&q=a%2fb%zz&=v";
    canonical(s, req, "\n=v&a=10&a=2&a-b=1&b=2&e=&flag=&p=1%202&q=a%2Fb%25zz\n",
              "a query is decoded, encoded and sorted by name, then value");
    req = suite_request();
    req.path = "/a%2Fb/./c=d/../e f//%C3%A9/";
    canonical(s, req, "\n/a%252Fb/e%20f/%25C3%25A9/\n", "a path is resolved and encoded twice");
    req.s3 = true;
    canonical(s, req, "\n/a%2Fb/./c%3Dd/../e%20f//%C3%A9/\n", "a path of S3 stays, encoded once");
    req = suite_request();
    const struct adt_sigv4_header headers[] = {
        {"User-Agent", "x"}, {"X-B", "  \"a   b\"\r\n\t c "}, host,         {"Expect", "100-continue"}, {"x-a", "1"},
        {"X-B", ""},         {"X-Amzn-Trace-Id", "y"},        {"x-bc", "2"}};
    req.headers = headers;
    req.header_count = sizeof headers / sizeof *headers;
    canonical(s, req,
              "\nhost:example.amazonaws.com\nx-a:1\nx-amz-date:20150830T123600Z\nx-b:\"a b\" c,\nx-bc:2\n\n"
              "host;x-a;x-amz-date;x-b;x-bc\n",
              "headers are folded, joined and sorted, and those that change on the way left out");
    req.clock_offset = 3600 * 24;
    canonical(s, req, "\nx-amz-date:20150831T123600Z\n", "the server's clock counts");
}

static void test_keys(struct adt_sigv4 *s)
{
    struct adt_sigv4_request req = suite_request();
    struct adt_sigv4_credentials other = suite;
    char region[16], kept[65];
    snprintf(kept, sizeof kept, "%s", signature(s, &req, &suite));
    other.secret = "another secret under the same name";
    bool differs = strcmp(signature(s, &req, &other), kept) != 0;
    ok(differs && !strcmp(signature(s, &req, &suite), kept), "a new secret under an old name has a key of its own");
    for (int i = 0; i < 40; i++) {
        snprintf(region, sizeof region, "region-%d", i);
        req.region = region;
        signature(s, &req, &suite);
    }
    req = suite_request();
    ok(!strcmp(signature(s, &req, &suite), kept), "a key that was pushed out is derived anew");
    adt_sigv4_forget(s, "AKIDEXAMPLE");
    ok(!strcmp(signature(s, &req, &suite), kept), "and so is one that was forgotten");
    long live = adt_mem_live();
    for (int i = 0; i < 100; i++)
        signature(s, &req, &suite);
    adt_mem_fail_after(0);
    const char *got = signature(s, &req, &suite);
    bool none = adt_mem_fail_left() == 0;
    adt_mem_fail_after(-1);
    ok(none && !strcmp(got, kept) && adt_mem_live() == live, "a signer that is warm allocates nothing");
    struct adt_buf text;
    adt_buf_init(&text, 1000);
    adt_secret_redact(suite.secret, strlen(suite.secret), &text);
    ok(!strcmp(text.p, "<secret>"), "the secret is redacted from then on");
    adt_buf_free(&text);
}

static void test_urls(void)
{
    static const struct {
        const char *url, *host, *path, *query;
    } good[] = {
        {"https://Example.COM", "example.com", "", NULL},
        {"https://example.com:443/a?b#", NULL, NULL, NULL},
        {"HTTP://example.com:443/a/../b?x=1?y", "example.com:443", "/a/../b", "x=1?y"},
        {"http://example.com:80?x", "example.com", "", "x"},
        {"https://[2001:DB8::1]:8443/", "[2001:db8::1]:8443", "/", NULL},
        {"https://user@example.com/", NULL, NULL, NULL},
        {"https://exa mple.com/", NULL, NULL, NULL},
        {"https://example.com:x/", NULL, NULL, NULL},
        {"https://example.com:/", NULL, NULL, NULL},
        {"https:///", NULL, NULL, NULL},
        {"https://[::1/", NULL, NULL, NULL},
        {"https://a/\n", NULL, NULL, NULL},
        {"ftp://a/", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct adt_sigv4_url u;
        struct adt_error err;
        bool taken = adt_sigv4_url_split(good[i].url, &u, &err) == 0;
        bool same = taken && good[i].host && !strcmp(u.host, good[i].host) && u.path_n == strlen(good[i].path) &&
                    !memcmp(u.path, good[i].path, u.path_n) && !u.query == !good[i].query &&
                    (!u.query || !strcmp(u.query, good[i].query));
        ok(good[i].host ? same : !taken && !strcmp(err.code, "BadUrl"), "URL %zu is %s", i + 1,
           good[i].host ? "taken apart" : "refused");
    }
}

int main(void)
{
    struct adt_error err;
    long live = adt_mem_live();
    struct adt_sigv4 *s = adt_sigv4_new(&err);
    if (!s) {
        printf("1..0 # SKIP %s\n", err.message);
        return 0;
    }
    test_suite(s);
    test_token_and_body(s);
    test_presign(s);
    test_chunked(s, 66560);
    test_chunked(s, 777);
    test_trailers(s);
    test_stream_refusals(s);
    test_refusals(s);
    test_forms(s);
    test_keys(s);
    test_urls();
    adt_sigv4_free(s);
    adt_secret_forget();
    ok(adt_mem_live() <= live + 2, "nothing but the digest's spare is left");
    return tap_done();
}
