/* xml.c - any bytes as XML: tokens lie where the reader says, and each way of walking agrees about what is well-formed
 */
#include "data/xml.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void must(int good)
{
    if (!good)
        abort();
}

/* Every token; 0 or -1. [elements] counts starts. */
static int tokens(const char *text, size_t n, size_t *elements)
{
    struct adt_error err = {0};
    struct adt_xml x;
    int rc = adt_xml_begin(&x, text, n, NULL, &err);
    unsigned depth = 0;
    *elements = 0;
    while (rc == 0) {
        enum adt_xml_token token = adt_xml_next(&x);
        if (token == ADT_XML_DONE)
            break;
        if (token == ADT_XML_ERROR)
            rc = -1;
        depth += token == ADT_XML_START;
        depth -= token == ADT_XML_END;
        must(token == ADT_XML_ERROR || depth == x.depth);
        *elements += token == ADT_XML_START;
        if (token == ADT_XML_START)
            must(x.name_n && x.raw_n >= x.name_n && x.raw >= text && x.raw + x.raw_n < text + n);
        for (size_t i = 0; token == ADT_XML_START && i < x.attribute_count; i++) {
            const char *value;
            size_t value_n;
            must(adt_xml_attribute(&x, &x.attributes[i], &value, &value_n) == 0 && value_n <= x.attributes[i].value_n);
        }
    }
    must(rc == 0 || (err.code[0] && err.where[0] && err.message[0]));
    adt_xml_end(&x);
    return rc;
}

/* By children and texts: leaves by text, every other one after a look and a return. */
static int children(struct adt_xml *x, size_t *elements)
{
    int rc;
    while ((rc = adt_xml_child(x)) == 1) {
        const char *value;
        size_t n;
        struct adt_xml_mark mark = adt_xml_mark(x);
        ++*elements;
        if (*elements % 2 == 0) {
            if (adt_xml_text(x, &value, &n) < 0)
                return -1;
            must(x->depth == mark.depth - 1);
            adt_xml_rewind(x, mark);
        }
        if (children(x, elements) < 0)
            return -1;
    }
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct adt_error err = {0};
    struct adt_xml x;
    size_t all, walked = 0;
    int rc = tokens((const char *)data, n, &all);
    int other = adt_xml_begin(&x, (const char *)data, n, NULL, &err);
    if (other == 0)
        other = children(&x, &walked);
    adt_xml_end(&x);
    must(other == rc && (rc < 0 || walked == all));
    return 0;
}
