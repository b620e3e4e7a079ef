/* child_raw.h - system calls that touch neither errno nor anything else of the C library */
#ifndef ADT_LOOP_CHILD_RAW_H
#define ADT_LOOP_CHILD_RAW_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Code that a child runs on our memory: its stack is none that a sanitizer knows. */
#if defined(__clang__)
#define ADT_CHILD_SIDE __attribute__((no_sanitize("address", "undefined", "thread", "coverage")))
#else
#define ADT_CHILD_SIDE __attribute__((no_sanitize("address"), no_sanitize("undefined"), no_sanitize("thread")))
#endif

/* Whether adt_raw() is safe in a process that shares our memory, errno and the rest of the thread's own included. */
#if defined(__LP64__) && (defined(__x86_64__) || defined(__aarch64__))
#define ADT_RAW_SHARES 1
#else
#define ADT_RAW_SHARES 0
#endif

/* The kernel's answer: a value, or minus an errno. */
ADT_CHILD_SIDE static inline long adt_raw(long number, long a, long b, long c, long d)
{
#if ADT_RAW_SHARES && defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
#elif ADT_RAW_SHARES
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#else
    long result = syscall(number, a, b, c, d);
    return result == -1 ? -errno : result;
#endif
}

#endif
