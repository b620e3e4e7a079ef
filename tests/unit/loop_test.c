/* loop_test.c - timers, work on threads, wakes: what completes, what is cancelled, what is left */
#include "base/mem.h"
#include "looped.h"
#include "tap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static struct adt_loop *loop;

static void count_done(struct adt_op *op)
{
    ++*(int *)op->user;
}

static void test_timers(void)
{
    struct adt_error err;
    int done = 0;
    double begin = adt_now();
    struct adt_op *a = adt_timer_start(loop, 0.05, &err), *b = adt_timer_start(loop, 0.01, &err);
    struct adt_op *never = adt_timer_start(loop, 0.01, &err), *at_once = adt_timer_start(loop, 0, &err);
    a->user = b->user = never->user = at_once->user = &done;
    a->done = b->done = never->done = at_once->done = count_done;
    ok(at_once->state == ADT_OP_PENDING, "an op never completes inside the call that starts it");
    adt_op_free(never);
    ok(finished(loop, a) && adt_now() - begin >= 0.045, "a timer ends after its time");
    ok(b->state == ADT_OP_DONE && at_once->state == ADT_OP_DONE, "shorter ones have ended by then");
    ok(done == 3, "each was told once, and the freed one not at all (%d)", done);
    adt_op_free(a);
    adt_op_free(b);
    adt_op_free(at_once);
    ok(nothing_lives(loop), "no timer is left");
}

static atomic_int runs, drops;

static void work_run(void *arg)
{
    nanosleep(&(struct timespec){0, *(long *)arg}, NULL);
    runs++;
}

static void work_drop(void *arg)
{
    (void)arg;
    drops++;
}

static void test_work(void)
{
    struct adt_error err;
    long quick = 1000000, slow = 50000000;
    runs = drops = 0;
    struct adt_op *op = adt_work_start(loop, work_run, work_drop, &quick, &err);
    ok(finished(loop, op) && runs == 1 && drops == 0, "work runs, and keeps its argument while the op is there");
    adt_op_free(op);
    ok(drops == 1, "freeing the op gives the argument back");

    op = adt_work_start(loop, work_run, work_drop, &slow, &err);
    while (adt_loop_step(loop, 0.005, &err) == 0 && adt_loop_next(loop) > 0)
        ;
    adt_op_free(op);
    double until = adt_now() + 5;
    while (drops < 2 && adt_now() < until)
        adt_loop_step(loop, 0.02, &err);
    ok(drops == 2, "an op freed while its thread runs gives the argument back when the thread returns");
    ok(nothing_lives(loop), "no work is left");
}

static void *wake_soon(void *arg)
{
    (void)arg;
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    adt_loop_wake(loop);
    return NULL;
}

static void test_wake(void)
{
    struct adt_error err;
    pthread_t thread;
    double begin = adt_now();
    pthread_create(&thread, NULL, wake_soon, NULL);
    adt_loop_step(loop, 5, &err);
    pthread_join(thread, NULL);
    ok(adt_now() - begin < 4, "a wake from another thread ends a sleep");
    begin = adt_now();
    adt_loop_step(loop, 0.02, &err);
    ok(adt_now() - begin >= 0.015, "a turn without anything to do sleeps as long as it may");
}

static void test_idle(void)
{
    struct adt_error err;
    for (int i = 0; i < 3; i++)
        adt_loop_step(loop, 0, &err);
    ok(adt_loop_next(loop) < 0, "an idle loop does not ask its host to come back at once");
    struct adt_op *op = adt_timer_start(loop, 5, &err);
    ok(adt_loop_next(loop) > 1, "with a timer it tells when");
    adt_op_free(op);
}

static void test_no_memory(void)
{
    struct adt_error err;
    int failed = 0;
    for (long n = 0; n < 3; n++) {
        adt_mem_fail_after(n);
        struct adt_op *op = adt_timer_start(loop, 0, &err);
        adt_mem_fail_after(-1);
        failed += !op;
        adt_op_free(op);
    }
    drops = 0;
    long quick = 0;
    adt_mem_fail_after(0);
    struct adt_op *op = adt_work_start(loop, work_run, work_drop, &quick, &err);
    adt_mem_fail_after(-1);
    ok(!op && drops == 1, "work that cannot start gives its argument back");
    ok(failed >= 1 && nothing_lives(loop), "starting fails without memory, and leaves nothing");
}

int main(void)
{
    struct adt_error err;
    loop = adt_loop_new(&err);
    ok(loop != NULL, "a loop starts");
    test_timers();
    test_work();
    test_wake();
    test_idle();
    test_no_memory();
    adt_loop_free(loop);
    ok(adt_mem_live() == 0, "no memory is left (%ld blocks)", adt_mem_live());
    return tap_done();
}
