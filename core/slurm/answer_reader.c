/* answer_reader.c - the reader of Slurm's JSON: fed in pieces, made UTF-8 where it is not, and keeping one record's
 * texts
 */
#include "slurm/answer_reader.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

enum { CHUNK = 16 << 10 };

/* --- texts of the record at hand ---------------------------------------------------------------------------------- */

void slurm_reader_drop(struct adt_slurm_reader *r)
{
    /* One chunk stays for the next record. */
    while (r->texts && r->texts->next) {
        struct slurm_chunk *next = r->texts->next;
        adt_free(r->texts);
        r->texts = next;
    }
    if (r->texts)
        r->texts->used = 0;
    r->texts_size = 0;
    r->hosts.len = 0;
}

static char *new_text(struct adt_slurm_reader *r, size_t n)
{
    struct slurm_chunk *c = r->texts;
    r->texts_size += n;
    if (r->texts_size > ADT_SLURM_RECORD) {
        slurm_bad(r->err, "one record of Slurm's answer has more than %d bytes", ADT_SLURM_RECORD);
        return NULL;
    }
    if (!c || c->size - c->used < n) {
        size_t size = n > CHUNK ? n : CHUNK;
        if (!(c = adt_alloc(sizeof *c + size))) {
            adt_error_nomem(r->err);
            return NULL;
        }
        *c = (struct slurm_chunk){.next = r->texts, .size = size};
        r->texts = c;
    }
    c->used += n;
    return c->bytes + c->used - n;
}

int slurm_reader_keep(struct adt_slurm_reader *r, struct adt_slurm_text old, struct adt_slurm_text more,
                      struct adt_slurm_text *out)
{
    size_t comma = old.n ? 1 : 0, n = old.n + comma + more.n;
    char *p = new_text(r, n ? n : 1);
    if (!p)
        return -1;
    if (old.n)
        memcpy(p, old.p, old.n);
    if (comma)
        p[old.n] = ',';
    memcpy(p + old.n + comma, more.p, more.n);
    *out = (struct adt_slurm_text){p, n};
    return 0;
}

int slurm_reader_keep_host(struct adt_slurm_reader *r, struct adt_slurm_text more, struct adt_slurm_text *out)
{
    struct adt_buf *b = &r->hosts;
    if ((b->len && adt_buf_addc(b, ',') < 0) || adt_buf_add(b, more.p, more.n) < 0) {
        if (errno == ENOMEM)
            return adt_error_nomem(r->err);
        return slurm_bad(r->err, "a list of nodes in Slurm's answer has more than %d bytes", ADT_SLURM_RECORD);
    }
    *out = (struct adt_slurm_text){b->p, b->len};
    return 0;
}

/* --- the reader --------------------------------------------------------------------------------------------------- */

struct adt_slurm_reader *adt_slurm_reader_new(const struct adt_slurm_sink *sink, void *ctx, struct adt_error *err)
{
    const struct adt_json_options opt = {.max_size = ADT_SLURM_TEXT, .cause = ADT_SERVICE};
    struct adt_slurm_reader *r = adt_zalloc(sizeof *r);
    if (!r)
        return adt_error_nomem(err), NULL;
    r->sink = sink;
    r->ctx = ctx;
    r->err = err;
    r->kind = SLURM_NO_RECORD;
    r->blank = true;
    adt_buf_init(&r->hosts, ADT_SLURM_RECORD);
    slurm_record_init(SLURM_ERROR, &r->result);
    if (!(r->json = adt_json_new(&opt, &slurm_answer_events, r, err))) {
        adt_slurm_reader_free(r);
        return NULL;
    }
    return r;
}

/* Not JSON at all is what slurmrestd says in plain words: "Authentication failure". */
static int failed(struct adt_slurm_reader *r)
{
    char shown[128];
    if (r->err->cause == ADT_SERVICE && !strcmp(r->err->code, "BadJson") && r->start_n && r->start[0] != '{' &&
        r->start[0] != '[') {
        slurm_excerpt(r->start, r->start_n, shown);
        return slurm_bad(r->err, "Slurm answered with a text that is no JSON: '%s'", shown);
    }
    /* Whatever is wrong with the text, it is no answer; the message and the place stay. */
    if (r->err->cause == ADT_SERVICE)
        memcpy(r->err->code, "BadAnswer", sizeof "BadAnswer");
    return -1;
}

static int feed(struct adt_slurm_reader *r, const char *text, size_t n)
{
    for (size_t i = 0; i < n && r->start_n < sizeof r->start; i++) {
        bool blank = text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t';
        r->blank &= blank;
        if (!r->blank)
            r->start[r->start_n++] = text[i];
    }
    return n ? adt_json_feed(r->json, text, n) : 0;
}

/* The beginning of a character from the piece before; how many bytes of [text] belong to it. */
static int feed_carry(struct adt_slurm_reader *r, const char *text, size_t n, size_t *used)
{
    *used = 0;
    while (r->carry_n && *used < n) {
        if (adt_utf8_next(&r->utf8, (unsigned char)text[*used]) < 0) {
            r->carry_n = 0;
            r->utf8 = (struct adt_utf8){0};
            return feed(r, "\xEF\xBF\xBD", 3);
        }
        r->carry[r->carry_n++] = text[(*used)++];
        if (!r->utf8.need) {
            size_t whole = r->carry_n;
            r->carry_n = 0;
            return feed(r, r->carry, whole);
        }
    }
    return 0;
}

static int feed_checked(struct adt_slurm_reader *r, const char *text, size_t n)
{
    size_t at;
    if (feed_carry(r, text, n, &at) < 0)
        return -1;
    while (at < n) {
        size_t good = adt_utf8_valid(text + at, n - at);
        if (feed(r, text + at, good) < 0)
            return -1;
        at += good;
        struct adt_utf8 u = {0};
        size_t i = at;
        while (i < n && adt_utf8_next(&u, (unsigned char)text[i]) == 0)
            i++;
        if (i == n && at < n) {
            r->carry_n = n - at;
            memcpy(r->carry, text + at, r->carry_n);
            r->utf8 = u;
            return 0;
        }
        if (at < n && feed(r, "\xEF\xBF\xBD", 3) < 0)
            return -1;
        at += at < n;
    }
    return 0;
}

int adt_slurm_reader_feed(struct adt_slurm_reader *r, const char *text, size_t n)
{
    return feed_checked(r, text, n) < 0 ? failed(r) : 0;
}

int adt_slurm_reader_finish(struct adt_slurm_reader *r)
{
    char shown[128];
    if (r->carry_n && feed(r, "\xEF\xBF\xBD", 3) < 0)
        return failed(r);
    if (!r->start_n)
        return slurm_bad(r->err, "Slurm's answer is empty");
    if (adt_json_finish(r->json) < 0)
        return failed(r);
    if (!r->known && !r->summary.job_id) {
        slurm_excerpt(r->start, r->start_n, shown);
        return slurm_bad(r->err, "JSON, but no answer of Slurm's: '%s'", shown);
    }
    const struct adt_slurm_note *result = &r->result.note;
    if (result->code != ADT_SLURM_NO_CODE && result->code && r->sink->error && r->sink->error(r->ctx, result) < 0)
        return -1;
    return r->sink->summary ? r->sink->summary(r->ctx, &r->summary) : 0;
}

void adt_slurm_reader_free(struct adt_slurm_reader *r)
{
    if (!r)
        return;
    adt_json_free(r->json);
    while (r->texts) {
        struct slurm_chunk *next = r->texts->next;
        adt_free(r->texts);
        r->texts = next;
    }
    adt_buf_free(&r->hosts);
    adt_free(r->steps);
    adt_free(r);
}
