/* reader_test.c - lines and chunks out of pipes: ceilings, carriage returns, two streams, cancelled waits */
#include "base/mem.h"
#include "loop/reader.h"
#include "looped.h"
#include "tap.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct adt_loop *loop;

struct source {
    int to;
    struct adt_reader *r;
};

static struct source open_source(size_t max_line)
{
    struct adt_error err;
    int fds[2];
    struct source s = {-1, NULL};
    if (pipe2(fds, O_CLOEXEC) == 0) {
        s.to = fds[1];
        s.r = adt_reader_new(loop, adt_stream_open(loop, fds[0], &err), max_line, &err);
    }
    return s;
}

static void put(struct source *s, const char *text)
{
    ssize_t n = write(s->to, text, strlen(text));
    (void)n;
}

static void end(struct source *s)
{
    close(s->to);
    s->to = -1;
}

static void close_source(struct source *s)
{
    if (s->to >= 0)
        close(s->to);
    adt_reader_free(s->r);
}

/* The next line in a static buffer, "..." behind a cut one; "<end>" at the end, "<none>" when none comes in time. */
static const char *next_line(struct source *s, enum adt_cr cr)
{
    static char text[4096];
    struct adt_error err;
    struct adt_text line;
    enum adt_taken t;
    while ((t = adt_reader_line(s->r, cr, &line)) == ADT_TAKEN_NONE) {
        struct adt_op *op = adt_reader_wait(&s->r, 1, true, cr, &err);
        bool came = op && finished(loop, op);
        adt_op_free(op);
        if (!came)
            return "<none>";
    }
    if (t == ADT_TAKEN_END)
        return "<end>";
    snprintf(text, sizeof text, "%.*s%s", (int)line.n, line.p, line.cut ? "..." : "");
    return text;
}

#define is_line(s, cr, want, title) ok(!strcmp(next_line(s, cr), want), title)

static void test_lines(void)
{
    struct source s = open_source(100);
    put(&s, "one\ntwo\r\n\nth");
    is_line(&s, ADT_CR_STRIP, "one", "a line comes without its newline");
    is_line(&s, ADT_CR_STRIP, "two", "a carriage return before the newline is dropped");
    is_line(&s, ADT_CR_STRIP, "", "an empty line is a line");
    put(&s, "ree\nlast");
    is_line(&s, ADT_CR_STRIP, "three", "a line may come in pieces");
    end(&s);
    is_line(&s, ADT_CR_STRIP, "last", "the last one may lack its newline");
    is_line(&s, ADT_CR_STRIP, "<end>", "then comes the end");
    is_line(&s, ADT_CR_STRIP, "<end>", "and stays");
    close_source(&s);
}

static void test_carriage_returns(void)
{
    struct source s = open_source(100);
    put(&s, "10%\r20%\r\n30%\r");
    is_line(&s, ADT_CR_SPLIT, "10%", "a progress bar's carriage return can end a line");
    is_line(&s, ADT_CR_SPLIT, "20%", "with its newline it ends one line");
    is_line(&s, ADT_CR_SPLIT, "30%", "alone at the end of what has come it ends one at once");
    put(&s, "\nnext\r\n");
    is_line(&s, ADT_CR_SPLIT, "next", "and the newline that follows later belongs to it");
    put(&s, "a\rb\r\n");
    is_line(&s, ADT_CR_KEEP, "a\rb\r", "or carriage returns are kept");
    end(&s);
    is_line(&s, ADT_CR_KEEP, "<end>", "the end");
    close_source(&s);
}

static void test_ceiling(void)
{
    struct source s = open_source(10);
    put(&s, "0123456789\n0123456789A\n0123456789ABCDEFGHIJ");
    is_line(&s, ADT_CR_STRIP, "0123456789", "a line of just the ceiling is whole");
    is_line(&s, ADT_CR_STRIP, "0123456789...", "one byte more and it is cut");
    struct adt_error err;
    struct adt_text text;
    struct adt_op *op = adt_reader_wait(&s.r, 1, true, ADT_CR_STRIP, &err);
    for (int i = 0; i < 5; i++)
        adt_loop_step(loop, 0.01, &err);
    adt_op_free(op);
    ok(adt_reader_line(s.r, ADT_CR_STRIP, &text) == ADT_TAKEN_NONE, "an endless line is no line yet");
    put(&s, "KLMNOP\nshort\n");
    is_line(&s, ADT_CR_STRIP, "0123456789...", "its rest is dropped up to its newline");
    is_line(&s, ADT_CR_STRIP, "short", "and the next line is whole");
    put(&s, "unfinished business");
    end(&s);
    is_line(&s, ADT_CR_STRIP, "unfinished...", "a long last line is cut, too");
    is_line(&s, ADT_CR_STRIP, "<end>", "the end");
    close_source(&s);
}

static void test_chunks(void)
{
    struct source s = open_source(100);
    struct adt_error err;
    struct adt_text text;
    put(&s, "line\nrest of it");
    is_line(&s, ADT_CR_STRIP, "line", "after a line");
    ok(adt_reader_chunk(s.r, &text) == ADT_TAKEN_TEXT && text.n == 10 && !memcmp(text.p, "rest of it", 10),
       "what was read ahead comes as bytes");
    ok(adt_reader_chunk(s.r, &text) == ADT_TAKEN_NONE, "once");
    struct adt_op *op = adt_reader_wait(&s.r, 1, false, ADT_CR_KEEP, &err);
    put(&s, "x");
    ok(finished(loop, op) && adt_reader_chunk(s.r, &text) == ADT_TAKEN_TEXT && text.n == 1, "a byte is enough to wake");
    adt_op_free(op);
    close_source(&s);
}

static void test_two_streams(void)
{
    struct source a = open_source(100), b = open_source(100);
    struct adt_reader *both[] = {a.r, b.r};
    struct adt_error err;
    struct adt_text text;
    struct adt_op *op = adt_reader_wait(both, 2, true, ADT_CR_STRIP, &err);
    ok(!adt_reader_wait(&b.r, 1, true, ADT_CR_STRIP, &err) && !strcmp(err.code, "Busy"), "one waits for a stream");
    put(&a, "no line");
    put(&b, "line\n");
    ok(finished(loop, op) && adt_reader_line(b.r, ADT_CR_STRIP, &text) == ADT_TAKEN_TEXT, "a line of either wakes");
    adt_op_free(op);
    op = adt_reader_wait(both, 2, true, ADT_CR_STRIP, &err);
    end(&b);
    for (int i = 0; i < 5; i++)
        adt_loop_step(loop, 0.01, &err);
    ok(op->state == ADT_OP_PENDING, "the end of one is not the end of both");
    end(&a);
    ok(finished(loop, op) && adt_reader_line(a.r, ADT_CR_STRIP, &text) == ADT_TAKEN_TEXT, "the other's last line is");
    adt_op_free(op);
    close_source(&a);
    close_source(&b);
}

static void test_cancelled_wait(void)
{
    struct source s = open_source(100);
    struct adt_error err;
    struct adt_op *op = adt_reader_wait(&s.r, 1, true, ADT_CR_STRIP, &err);
    adt_op_free(op);
    put(&s, "kept\n");
    for (int i = 0; i < 5; i++)
        adt_loop_step(loop, 0.01, &err);
    is_line(&s, ADT_CR_STRIP, "kept", "what comes after a wait was cancelled is not lost");
    op = adt_reader_wait(&s.r, 1, true, ADT_CR_STRIP, &err);
    close_source(&s);
    ok(finished(loop, op) && op->err.cause == ADT_CANCELLED, "freeing a reader ends who waits");
    adt_op_free(op);
    ok(nothing_lives(loop), "no op or stream is left");
}

static void test_no_memory(void)
{
    struct adt_error err;
    bool clean = true, ended = false;
    for (long n = 0; n < 20 && !ended; n++) {
        struct source s = open_source(100);
        put(&s, "line\n");
        end(&s);
        adt_mem_fail_after(n);
        struct adt_op *op = adt_reader_wait(&s.r, 1, true, ADT_CR_STRIP, &err);
        clean &= op ? finished(loop, op) : err.cause == ADT_INTERNAL;
        adt_mem_fail_after(-1);
        struct adt_text text;
        ended = op && adt_reader_line(s.r, ADT_CR_STRIP, &text) == ADT_TAKEN_TEXT;
        clean &= ended || !op || adt_reader_error(s.r)->cause == ADT_INTERNAL;
        adt_op_free(op);
        close_source(&s);
        clean &= nothing_lives(loop);
    }
    ok(clean && ended, "whichever allocation fails, the reader says so and leaves nothing");
}

int main(void)
{
    struct adt_error err;
    loop = adt_loop_new(&err);
    test_lines();
    test_carriage_returns();
    test_ceiling();
    test_chunks();
    test_two_streams();
    test_cancelled_wait();
    test_no_memory();
    adt_loop_free(loop);
    ok(adt_mem_live() == 0, "no memory is left (%ld blocks)", adt_mem_live());
    return tap_done();
}
