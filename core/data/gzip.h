/* gzip.h - compressed bytes made whole again, by zlib */
#ifndef ADT_DATA_GZIP_H
#define ADT_DATA_GZIP_H

#include "base/buf.h"
#include "base/error.h"

#include <stddef.h>

int adt_gunzip(const void *p, size_t n, struct adt_buf *out, struct adt_error *err);
/* Appends to [out] what the gzip file [p] holds, all of its members. 0, or -1 with [err]: "BadGzip" (not one, cut,
 * damaged, bytes behind its end) or "TooBig" (more than out->max; no more than that is ever written), both ADT_CONFIG;
 * out of memory. What [out] holds is then of no use. */

int adt_inflate(const void *p, size_t n, void *dst, size_t size, struct adt_error *err);
/* Fills [dst] from a zlib stream (RFC 1950) that must hold exactly [size] bytes. Errors as above. */

#endif
