/* sign.c - signatures a second of CPU by the core alone: sign [seconds] prints the signature, then the rate */
#include "aws/sigv4.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000 };

static const struct adt_sigv4_credentials credentials = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                                         NULL};
static const struct adt_sigv4_header headers[] = {{"Host", "ec2.us-east-1.amazonaws.com"},
                                                  {"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
static const char body[] = "Action=DescribeInstances&Version=2016-11-15";

static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const struct adt_error *err)
{
    fprintf(stderr, "sign: %s\n", err->message);
    return 1;
}

int main(int argc, char **argv)
{
    const double limit = argc > 1 ? atof(argv[1]) : 1;
    const struct adt_sigv4_request req = {.method = "POST",
                                          .path = "/",
                                          .headers = headers,
                                          .header_count = 2,
                                          .body = body,
                                          .body_n = sizeof body - 1,
                                          .service = "ec2",
                                          .region = "us-east-1",
                                          .time = 1440938160};
    struct adt_error err;
    struct adt_sigv4_signed out;
    struct adt_sigv4 *s = adt_sigv4_new(&err);
    if (!s || adt_sigv4_sign_headers(s, &req, &credentials, &out, &err) < 0)
        return fail(&err);
    long count = 0;
    double began = cpu(), took;
    do {
        for (int i = 0; i < BATCH; i++)
            if (adt_sigv4_sign_headers(s, &req, &credentials, &out, &err) < 0)
                return fail(&err);
        count += BATCH;
        took = cpu() - began;
    } while (took < limit);
    printf("%s %.0f\n", out.signature, (double)count / took);
    adt_sigv4_free(s);
    return 0;
}
