/* number.h - numbers from text and back, exact and the same in every locale */
#ifndef ADT_DATA_NUMBER_H
#define ADT_DATA_NUMBER_H

#include <stddef.h>
#include <stdint.h>

enum { ADT_NUMBER_TEXT = 32 /* holds any number written, NUL included */ };

int adt_number_integer(const char *p, size_t n, int64_t *out);
/* [p] is an optional sign and decimal digits. 0, or -1 when it does not fit. */

int adt_number_double(const char *p, size_t n, double *out);
/* [p] is a decimal number: sign, digits, point, exponent. 0, or -1 with errno ERANGE (infinite) or ENOMEM. What is too
 * small becomes zero. */

size_t adt_number_write_integer(int64_t v, char out[static ADT_NUMBER_TEXT]);
size_t adt_number_write_double(double v, char out[static ADT_NUMBER_TEXT]);
/* Writes and returns the length. A double (finite) gets the fewest digits that read back as the same value, and always
 * a point or an exponent, so that it stays apart from an integer: 1.0, 0.1, 1e+100. */

#endif
