/* timestamp.h - moments as AWS writes them, and seconds since the epoch */
#ifndef ADT_AWS_TIMESTAMP_H
#define ADT_AWS_TIMESTAMP_H

#include "aws/model.h"

#include <stdbool.h>
#include <stddef.h>

enum { ADT_AWS_TIME_TEXT = 48 /* holds any moment written, NUL included */ };

bool adt_aws_time_fits(double seconds);
/* Within the years 1 to 9999, which is what the formats hold. */

size_t adt_aws_time_write(double seconds, enum adt_aws_time format, char out[static ADT_AWS_TIME_TEXT]);
/* Writes a moment that fits and returns the length. ISO 8601 has six digits of a second when there is a fraction; the
 * other formats leave it out, as botocore does. */

int adt_aws_time_iso8601(const char *text, size_t n, double *seconds);
/* Reads "2024-02-29", "2024-02-29T12:30Z", "2024-02-29T12:30:05.25+02:00"; without a zone it is UTC. 0, or -1 when it
 * is no such date. */

#endif
