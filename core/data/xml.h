/* xml.h - XML (1.0, the part that services send) read token by token from a text that is in memory as a whole
 *
 * Elements, attributes, text, CDATA, the five named entities, character references, comments, processing instructions.
 * No document type: a DOCTYPE is refused, so there are no entities of its own and nothing external. What is an error:
 * text that is not UTF-8 or holds characters that XML has not, tags that do not match, references to unknown entities
 * or characters, a second root, text outside the root, equal attributes in one tag, more depth, text or attributes than
 * allowed. Not looked at: what an XML declaration says (the text is UTF-8), and "]]>" in text. */
#ifndef ADT_DATA_XML_H
#define ADT_DATA_XML_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ADT_XML_DEPTH = 256,     /* elements inside each other at most */
    ADT_XML_ATTRIBUTES = 64, /* of one element, xmlns included */
    ADT_XML_SIZE = 256 << 20,
};

/* Zero is the default of every field. */
struct adt_xml_options {
    unsigned max_depth;   /* 0, or more than it: ADT_XML_DEPTH */
    size_t max_size;      /* bytes of text; 0: ADT_XML_SIZE */
    const char *name;     /* what the text is, for errors; must live as long as the reader */
    enum adt_cause cause; /* of errors in the text; 0: ADT_CONFIG */
};

enum adt_xml_token { ADT_XML_ERROR = -1, ADT_XML_END, ADT_XML_START, ADT_XML_TEXT, ADT_XML_DONE };

struct adt_xml_attribute {
    const char *raw; /* the name with its prefix */
    size_t raw_n;
    const char *name; /* the name behind the prefix */
    size_t name_n;
    const char *value; /* as written, references not resolved */
    size_t value_n;
};

/* A reader: on the caller's stack, nothing in it is allocated but [buf]. Members up to the line are for the caller. */
struct adt_xml {
    const char *raw, *name; /* of the element that began: with its prefix, and behind it */
    size_t raw_n, name_n;
    const char *value; /* of ADT_XML_TEXT */
    size_t value_n;
    struct adt_xml_attribute attributes[ADT_XML_ATTRIBUTES]; /* of the element that began */
    size_t attribute_count;
    unsigned depth; /* elements that are open */
    /* ---- */
    struct adt_xml_options opt;
    struct adt_error *err;
    const char *text, *at, *end;
    bool empty;               /* <a/>: its end comes next */
    bool references, returns; /* the text holds '&', or '\r' */
    bool root;                /* there was one */
    struct adt_buf buf;
    struct {
        const char *raw;
        size_t n;
    } open[ADT_XML_DEPTH];
};

int adt_xml_begin(struct adt_xml *x, const char *text, size_t n, const struct adt_xml_options *opt,
                  struct adt_error *err);
/* A reader at the beginning of [text], which must outlive it. [opt] may be NULL. Every later call fills this same
 * [err] (code "BadXml", "TooDeep", "TooBig" or "ENOMEM"; line and column in `where`, from 1, in bytes). -1 when the
 * text is too big, or not UTF-8; adt_xml_end() is needed in no such case and allowed in every. */

enum adt_xml_token adt_xml_next(struct adt_xml *x);
/* The next token. Text comes in pieces, cut at references, CDATA and comments; a piece points into the text unless it
 * held a reference, and lives until the next call. <a/> is a start and an end. After ADT_XML_ERROR and ADT_XML_DONE
 * only adt_xml_end() is allowed. */

int adt_xml_child(struct adt_xml *x);
/* Passes over text: 1 when a child of the innermost open element begins, 0 when that element ends, -1. */

int adt_xml_text(struct adt_xml *x, const char **value, size_t *n);
/* Behind a start: all text of the element up to its first child, in one piece, which lives until the next call; the
 * reader then stands behind the element's end. 0 or -1. */

int adt_xml_skip(struct adt_xml *x);
/* Behind a start: passes over the rest of the element. 0 or -1. */

int adt_xml_attribute(struct adt_xml *x, const struct adt_xml_attribute *a, const char **value, size_t *n);
/* Behind a start: the value of one of its attributes, references resolved; lives until the next call. 0 or -1. */

struct adt_xml_mark {
    const char *at;
    unsigned depth;
    bool empty;
};

struct adt_xml_mark adt_xml_mark(const struct adt_xml *x);
void adt_xml_rewind(struct adt_xml *x, struct adt_xml_mark mark);
/* Back to a place whose open elements have not been followed by others since: the innermost may have ended, no more. */

int adt_xml_fail(struct adt_xml *x, const char *code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* An error of the caller's at this place. Returns -1. */

void adt_xml_end(struct adt_xml *x);
/* Frees what was allocated. */

#endif
