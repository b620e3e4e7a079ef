/* secret.h - values that must not be printed: wiped when freed, replaced by value wherever text leaves the process */
#ifndef ADT_BASE_SECRET_H
#define ADT_BASE_SECRET_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { ADT_SECRET_MIN = 8 /* shorter values would redact ordinary words */ };

void adt_wipe(void *p, size_t n);
/* Overwrites memory in a way that the compiler keeps. */

int adt_secret_add(const char *value, size_t n);
/* Registers a value (copied); also its JSON-escaped form where that differs. Values under ADT_SECRET_MIN bytes are
 * accepted and not redacted. 0, or -1 when out of memory. Process-wide; thread-safe. */

bool adt_secret_any(void);
/* True when redaction has something to look for. */

int adt_secret_redact(const char *text, size_t n, struct adt_buf *out);
/* Appends [text] with every registered value, and the signature of every presigned URL, replaced by "<secret>". 0 or -1
 * as adt_buf_add(). */

void adt_secret_forget(void);
/* Wipes and drops every registered value. */

#endif
