/* crc.h - the cyclic redundancy checks that S3 knows: CRC-32, CRC-32C, CRC-64/NVME */
#ifndef ADT_DATA_CRC_H
#define ADT_DATA_CRC_H

#include <stddef.h>
#include <stdint.h>

enum adt_crc { ADT_CRC_32, ADT_CRC_32C, ADT_CRC_64NVME, ADT_CRCS };

uint64_t adt_crc_add(enum adt_crc kind, uint64_t crc, const void *p, size_t n);
/* The check of all that came before, whose check is [crc] (0: nothing did), and these bytes. Thread-safe. */

size_t adt_crc_size(enum adt_crc kind);
/* Bytes of a check, which is written with its highest byte first. */

/* For tests: the same by tables alone, and what folds 64 bytes at a time where the processor can multiply without
 * carries (NULL elsewhere). [state] is not inverted; [n] is a multiple of 16, 64 at least. */
uint64_t adt_crc_add_by_table(enum adt_crc kind, uint64_t crc, const void *p, size_t n);

typedef void adt_crc_fold_fn(const uint64_t by64[2], const uint64_t by16[2], uint64_t state, const unsigned char *p,
                             size_t n, unsigned char out[16]);
/* Writes 16 bytes that leave the remainder that [state] and the [n] bytes leave. */

adt_crc_fold_fn *adt_crc_fold(void);

#endif
