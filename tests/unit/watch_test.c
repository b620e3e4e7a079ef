/* watch_test.c - watched descriptors and alarms: what is called, how often, and that both may end inside of their call
 */
#include "loop/watch.h"

#include "base/mem.h"
#include "looped.h"
#include "tap.h"

#include <sys/socket.h>

static struct adt_loop *loop;

struct seen {
    int times, events;
    struct adt_watch *close; /* closed when it calls */
    struct adt_alarm *alarm;
};

static void on_ready(void *arg, int fd, int events)
{
    struct seen *s = arg;
    char byte;
    s->times++;
    s->events = events;
    if (events & ADT_WATCH_IN && read(fd, &byte, 1) < 0)
        s->events = 0;
    adt_watch_close(s->close);
    s->close = NULL;
}

static void turns(int n)
{
    struct adt_error err;
    while (n-- > 0)
        adt_loop_step(loop, 0.01, &err);
}

static void test_watch(void)
{
    struct adt_error err;
    struct seen s = {0};
    int fd[2];
    ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0, "a pair of sockets");
    struct adt_watch *w = adt_watch_open(loop, fd[0], on_ready, &s, &err);
    ok(write(fd[1], "abc", 3) == 3, "bytes are there");
    turns(2);
    ok(s.times == 0, "a watch that is not set calls nobody");
    ok(adt_watch_set(w, ADT_WATCH_IN, &err) == 0, "it is set");
    turns(5);
    ok(s.times == 3 && s.events == ADT_WATCH_IN, "it calls as long as there is something to read (%d)", s.times);
    adt_watch_set(w, ADT_WATCH_IN | ADT_WATCH_OUT, &err);
    turns(1);
    ok(s.times > 3 && s.events == ADT_WATCH_OUT, "it can be changed to wait for room");
    adt_watch_set(w, 0, &err);
    int before = s.times;
    turns(2);
    ok(s.times == before, "and be stopped");
    ok(adt_watch_open(loop, 99999, on_ready, &s, &err) == NULL && err.cause == ADT_INTERNAL, "no descriptor, no watch");
    s.close = w;
    adt_watch_set(w, ADT_WATCH_OUT, &err);
    turns(3);
    ok(s.times == before + 1, "closed inside of its call it calls no more");
    adt_watch_close(NULL);
    close(fd[0]);
    close(fd[1]);
}

static void on_due(void *arg)
{
    struct seen *s = arg;
    if (++s->times == 3) {
        adt_alarm_close(s->alarm);
        s->alarm = NULL;
    } else if (s->times < 3) {
        adt_alarm_set(s->alarm, 0);
    }
}

static void test_alarm(void)
{
    struct adt_error err;
    struct seen s = {0};
    double begin = adt_now();
    s.alarm = adt_alarm_open(loop, on_due, &s, &err);
    turns(2);
    ok(s.times == 0, "an alarm that is not set calls nobody");
    adt_alarm_set(s.alarm, 60);
    adt_alarm_set(s.alarm, 0.05);
    while (s.times == 0 && adt_now() < begin + 10)
        turns(1);
    ok(s.times > 0 && adt_now() - begin >= 0.045, "the last moment counts");
    for (int i = 0; i < 100 && s.alarm; i++)
        turns(1);
    ok(s.times == 3 && !s.alarm, "it may set itself again and close itself inside of its call (%d)", s.times);
    s.times = 5;
    s.alarm = adt_alarm_open(loop, on_due, &s, &err);
    adt_alarm_set(s.alarm, 0.01);
    adt_alarm_set(s.alarm, -1);
    turns(5);
    ok(s.times == 5, "it can be taken back");
    adt_alarm_close(s.alarm);
    adt_alarm_close(NULL);
}

int main(void)
{
    struct adt_error err;
    long before = adt_mem_live();
    loop = adt_loop_new(&err);
    test_watch();
    test_alarm();
    adt_loop_free(loop);
    ok(adt_mem_live() == before, "no memory is left");
    return tap_done();
}
