/* error.c - filling a structured error without allocating */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const cause_names[ADT_CAUSES] = {
    "none", "usage",  "config", "auth",      "service", "capacity", "quota",     "image",    "program",
    "node", "fabric", "check",  "reference", "timeout", "unknown",  "cancelled", "internal",
};

const char *adt_cause_name(enum adt_cause cause)
{
    return (unsigned)cause < ADT_CAUSES ? cause_names[cause] : "unknown";
}

/* A cut in the middle of a UTF-8 sequence would make invalid text out of valid text. */
static void cut_at_character(char *text, size_t size)
{
    size_t n = strlen(text);
    if (n + 1 < size)
        return;
    size_t start = n;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start > 0 && ((unsigned char)text[start - 1] & 0x80)) {
        unsigned char lead = (unsigned char)text[start - 1];
        size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        if (n - (start - 1) < need)
            text[start - 1] = '\0';
    }
}

static void copy_text(char *dst, size_t size, const char *src)
{
    snprintf(dst, size, "%s", src ? src : "");
    cut_at_character(dst, size);
}

static void error_begin(struct adt_error *err, enum adt_cause cause, const char *code, const char *fmt, va_list ap)
{
    memset(err, 0, sizeof *err);
    err->cause = cause;
    copy_text(err->code, sizeof err->code, code);
    vsnprintf(err->message, sizeof err->message, fmt, ap);
    cut_at_character(err->message, sizeof err->message);
}

int adt_error_set(struct adt_error *err, enum adt_cause cause, const char *code, const char *fmt, ...)
{
    if (err) {
        int saved = errno;
        va_list ap;
        va_start(ap, fmt);
        error_begin(err, cause, code, fmt, ap);
        va_end(ap);
        errno = saved;
    }
    return -1;
}

int adt_error_errno(struct adt_error *err, enum adt_cause cause, int errnum, const char *fmt, ...)
{
    if (err) {
        int saved = errno;
        char name[16];
        va_list ap;
        va_start(ap, fmt);
        error_begin(err, cause, adt_errno_name(errnum, name), fmt, ap);
        va_end(ap);
        size_t n = strlen(err->message);
        snprintf(err->message + n, sizeof err->message - n, ": %s", strerror(errnum));
        err->retryable = errnum == EAGAIN || errnum == EINTR;
        errno = saved;
    }
    return -1;
}

int adt_error_nomem(struct adt_error *err)
{
    return adt_error_set(err, ADT_INTERNAL, "ENOMEM", "out of memory");
}

void adt_error_hint(struct adt_error *err, const char *fmt, ...)
{
    if (!err)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
    cut_at_character(err->hint, sizeof err->hint);
}

const char *adt_errno_name(int errnum, char buf[static 16])
{
    static const struct {
        int num;
        const char *name;
    } names[] = {
#define E(x) {x, #x}
        E(EPERM),   E(ENOENT),    E(ESRCH),        E(EINTR),        E(EIO),        E(E2BIG),        E(ENOEXEC),
        E(EBADF),   E(ECHILD),    E(EAGAIN),       E(ENOMEM),       E(EACCES),     E(EBUSY),        E(EEXIST),
        E(EXDEV),   E(ENODEV),    E(ENOTDIR),      E(EISDIR),       E(EINVAL),     E(ENFILE),       E(EMFILE),
        E(ETXTBSY), E(EFBIG),     E(ENOSPC),       E(ESPIPE),       E(EROFS),      E(EMLINK),       E(EPIPE),
        E(EDOM),    E(ERANGE),    E(EDEADLK),      E(ENAMETOOLONG), E(ENOLCK),     E(ENOSYS),       E(ENOTEMPTY),
        E(ELOOP),   E(ETIMEDOUT), E(ECONNREFUSED), E(ECONNRESET),   E(EADDRINUSE), E(EHOSTUNREACH), E(ENETUNREACH),
        E(EDQUOT),  E(ESTALE),    E(ECANCELED),    E(ENOTSUP),      E(EILSEQ),     E(EOVERFLOW),
#undef E
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].num == errnum) {
            snprintf(buf, 16, "%s", names[i].name);
            return buf;
        }
    snprintf(buf, 16, "E%d", errnum);
    return buf;
}
