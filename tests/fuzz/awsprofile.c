/* awsprofile.c - any text as a shared file of the AWS tools: names are names, values lie within bounds, items follow
 * each other as the header says */
#include "aws/profile.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void must(int good)
{
    if (!good)
        abort();
}

static void check_item(const struct adt_awsprofile_item *i, const char *text, size_t size, int in_section, int parent)
{
    must(i->line >= 1 && i->line <= size + 1);
    must(i->value_n <= ADT_AWSPROFILE_LINE);
    if (i->type == ADT_AWSPROFILE_WARNING) {
        must(i->value && strlen(i->value) == i->value_n);
        return;
    }
    must(i->name && i->name_n >= 1 && i->name_n <= ADT_AWSPROFILE_NAME);
    for (size_t k = 0; k < i->name_n; k++) {
        char c = i->name[k];
        must(c > ' ' && c < 127 && c != '=' && c != ']');
        must(i->type == ADT_AWSPROFILE_SECTION || c < 'A' || c > 'Z');
    }
    if (i->type == ADT_AWSPROFILE_SECTION) {
        must(i->name >= text && i->name + i->name_n <= text + size);
        return;
    }
    must(in_section && (i->type != ADT_AWSPROFILE_NESTED || parent));
    must(!memchr(i->value ? i->value : "", 0, i->value_n));
    must(!i->parent || (i->type == ADT_AWSPROFILE_PROPERTY && !i->value_n));
}

static void pass(enum adt_awsprofile_kind kind, const char *text, size_t size)
{
    struct adt_error err = {0};
    struct adt_awsprofile p;
    struct adt_awsprofile_item i;
    int in_section = 0, parent = 0, rc = adt_awsprofile_begin(&p, kind, "f", text, size, &err);
    size_t warnings = 0;
    while (rc >= 0 && (rc = adt_awsprofile_next(&p, &i, &err)) > 0) {
        check_item(&i, text, size, in_section, parent);
        in_section |= i.type == ADT_AWSPROFILE_SECTION;
        if (i.type == ADT_AWSPROFILE_PROPERTY)
            parent = i.parent;
        warnings += i.type == ADT_AWSPROFILE_WARNING;
    }
    must(rc == 0 || (err.cause == ADT_CONFIG && err.message[0] && err.where[0]) || err.cause == ADT_INTERNAL);
    must(warnings <= ADT_AWSPROFILE_WARNINGS);
    adt_awsprofile_end(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = adt_memdup(data, size);
    pass(ADT_AWSPROFILE_CONFIG, text, size);
    pass(ADT_AWSPROFILE_CREDENTIALS, text, size);
    adt_free(text);
    return 0;
}
