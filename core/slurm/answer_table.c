/* answer_table.c - rows of cells: sacct --parsable2, squeue and sinfo with a separator */
#include "slurm/answer_private.h"

#include <string.h>

struct reader {
    enum adt_slurm_kind kind;
    const struct adt_slurm_sink *sink;
    void *ctx;
    struct adt_error *err;
    struct adt_slurm_text separator;
    const struct slurm_field *field[ADT_SLURM_COLUMNS];
    struct adt_slurm_text column[ADT_SLURM_COLUMNS];
    size_t columns, row;
    size_t loose; /* the last column of free text, which may hold separators; columns: none */
};

/* The cell at [*at]; false behind the last one. */
static bool next_cell(const struct reader *r, struct adt_slurm_text row, size_t *at, struct adt_slurm_text *cell)
{
    const struct adt_slurm_text *sep = &r->separator;
    if (*at > row.n)
        return false;
    size_t i = *at;
    while (i + sep->n <= row.n) {
        const char *hit = memchr(row.p + i, sep->p[0], row.n - i);
        i = hit ? (size_t)(hit - row.p) : row.n;
        if (i + sep->n <= row.n && !memcmp(row.p + i, sep->p, sep->n))
            break;
        i += hit != NULL;
        if (!hit)
            break;
    }
    if (i + sep->n > row.n)
        i = row.n;
    *cell = (struct adt_slurm_text){row.p + *at, i - *at};
    *at = i == row.n ? row.n + 1 : i + sep->n;
    /* Blanks fill columns up, so as many as there are set two cells apart. */
    while (sep->n == 1 && sep->p[0] == ' ' && *at < row.n && row.p[*at] == ' ')
        (*at)++;
    return true;
}

/* sacct's columns may have a width, and squeue's a separator of their own: "JobName%30", "JobID:|" */
static struct adt_slurm_text column_name(struct adt_slurm_text t)
{
    t = slurm_trim(t);
    for (size_t i = 1; i < t.n; i++)
        if (t.p[i] == '%' || t.p[i] == ':')
            t.n = i;
    return t;
}

static bool is_loose(struct adt_slurm_text name)
{
    static const char *const names[] = {"JobName",  "Name",       "Comment", "Command", "WorkDir",
                                        "WORK_DIR", "SubmitLine", "Reason",  NULL};
    for (const char *const *n = names; *n; n++)
        if (slurm_same(*n, strlen(*n), name.p, name.n))
            return true;
    return false;
}

static int add_column(struct reader *r, struct adt_slurm_text name)
{
    if (r->columns == ADT_SLURM_COLUMNS)
        return slurm_bad(r->err, "more than %d columns", ADT_SLURM_COLUMNS);
    r->column[r->columns] = name = column_name(name);
    r->field[r->columns++] = slurm_text_field(r->kind, name.p, name.n);
    return 0;
}

static int set_columns(struct reader *r)
{
    bool known = false;
    r->loose = r->columns;
    for (size_t i = 0; i < r->columns; i++) {
        known = known || r->field[i];
        if (is_loose(r->column[i]))
            r->loose = i;
    }
    return known ? 0 : slurm_bad(r->err, "row %zu: none of its columns is known", r->row);
}

static int read_header(struct reader *r, struct adt_slurm_text row)
{
    struct adt_slurm_text cell;
    size_t at = 0;
    while (next_cell(r, row, &at, &cell))
        if (add_column(r, cell) < 0)
            return -1;
    /* A separator at the end of the row begins no column. */
    if (r->columns > 1 && !r->column[r->columns - 1].n)
        r->columns--;
    return set_columns(r);
}

/* A header that was not asked for: the cells are the columns' names. */
static bool repeats_columns(const struct reader *r, struct adt_slurm_text row)
{
    struct adt_slurm_text cell;
    size_t at = 0, seen = 0;
    while (next_cell(r, row, &at, &cell)) {
        cell = slurm_trim(cell);
        const struct slurm_field *f = slurm_text_field(r->kind, cell.p, cell.n);
        if (seen == 0 && (!cell.n || !f))
            return false;
        if (cell.n && f)
            seen++;
        else if (cell.n && ((cell.p[0] >= '0' && cell.p[0] <= '9') || cell.p[0] == '/'))
            return false;
    }
    /* Names throughout, and not one number: no row of jobs or nodes looks like this. */
    return seen >= 2;
}

static size_t count_cells(const struct reader *r, struct adt_slurm_text row)
{
    struct adt_slurm_text cell;
    size_t at = 0, n = 0;
    while (next_cell(r, row, &at, &cell))
        n++;
    return n;
}

static int read_row(struct reader *r, struct adt_slurm_text row)
{
    union slurm_record record;
    struct adt_slurm_text cell, more;
    size_t at = 0, cells = count_cells(r, row);
    size_t extra = cells > r->columns ? cells - r->columns : 0;
    if (extra && row.n >= r->separator.n && !memcmp(row.p + row.n - r->separator.n, r->separator.p, r->separator.n)) {
        row.n -= r->separator.n;
        extra--;
    }
    if (cells < r->columns || (extra && r->loose == r->columns))
        return slurm_bad(r->err, "row %zu has %zu cells where there are %zu columns", r->row, cells, r->columns);
    slurm_record_init(r->kind, &record);
    for (size_t i = 0; i < r->columns && next_cell(r, row, &at, &cell); i++) {
        for (size_t k = 0; i == r->loose && k < extra && next_cell(r, row, &at, &more); k++)
            cell.n = (size_t)(more.p + more.n - cell.p);
        struct slurm_value v = {.is_text = true, .text = slurm_trim(cell)};
        if (r->field[i] && v.text.n)
            r->field[i]->set(&record, r->field[i]->at, &v);
    }
    if (!slurm_record_named(r->kind, &record))
        return slurm_bad(r->err, "row %zu has no id or name", r->row);
    return slurm_record_give(r->kind, &record, r->sink, r->ctx);
}

static int begin(struct reader *r, const struct adt_slurm_table *table)
{
    for (size_t i = 0; table->columns && i < table->column_count; i++)
        if (add_column(r, table->columns[i]) < 0)
            return -1;
    return table->columns ? set_columns(r) : 0;
}

int adt_slurm_rows(enum adt_slurm_kind kind, const char *text, size_t n, const struct adt_slurm_table *table,
                   const struct adt_slurm_sink *sink, void *ctx, struct adt_error *err)
{
    const char *separator = table->separator ? table->separator : "|", *record = table->record ? table->record : "\n";
    struct reader r = {.kind = kind, .sink = sink, .ctx = ctx, .err = err, .separator = {separator, strlen(separator)}};
    struct reader rows = {.separator = {record, strlen(record)}};
    struct adt_slurm_text all = {text, n}, row;
    size_t at = 0;
    if (n > ADT_SLURM_TEXT)
        return slurm_bad(err, "a table of Slurm's with more than %d bytes", ADT_SLURM_TEXT);
    if (begin(&r, table) < 0)
        return -1;
    bool names = !r.columns, skip = table->header && !names;
    while (next_cell(&rows, all, &at, &row)) {
        r.row++;
        if (row.n && row.p[row.n - 1] == '\r')
            row.n--;
        while (row.n && row.p[0] == '\n') {
            row.p++;
            row.n--;
        }
        if (!slurm_trim(row).n)
            continue;
        if (!strcmp(separator, " "))
            row = slurm_trim(row);
        int rc = 0;
        if (names)
            rc = read_header(&r, row);
        else if (!skip && !(r.row == 1 && repeats_columns(&r, row)))
            rc = read_row(&r, row);
        names = skip = false;
        if (rc < 0)
            return -1;
    }
    return 0;
}
