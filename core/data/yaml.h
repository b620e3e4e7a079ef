/* yaml.h - plain data from YAML 1.2 as events, and events as YAML */
#ifndef ADT_DATA_YAML_H
#define ADT_DATA_YAML_H

#include "base/buf.h"
#include "base/error.h"
#include "data/events.h"

enum {
    ADT_YAML_DEPTH = 64,
    ADT_YAML_SIZE = 16 << 20,
    ADT_YAML_NODES = 200000,
    ADT_YAML_ALIASES = 1000, /* a ceiling for anchors as well */
};

/* Zero is the default of every field. */
struct adt_yaml_options {
    unsigned max_depth;   /* at most ADT_YAML_DEPTH, the default */
    size_t max_size;      /* bytes of text */
    size_t max_nodes;     /* keys and values in all documents, an alias as all that it stands for */
    bool all;             /* any number of documents, one value after the other; otherwise more than one is an error */
    bool cloudformation;  /* "!Name value" is { "Fn::Name": value }; see below */
    const char *name;     /* what the text is, for errors: a file's name */
    enum adt_cause cause; /* of errors in the text; 0: ADT_CONFIG */
};

int adt_yaml_parse(const char *text, size_t n, const struct adt_yaml_options *opt, const struct adt_events *events,
                   void *ctx, struct adt_error *err);
/* [opt] may be NULL. The events of each document come when the whole of it was read; without [all] an empty text is
 * null. Plain scalars are, in this order: null ("null", "~", "" and their capitalised forms), booleans (true, false:
 * yes, no, on, off are strings), integers (decimal, 0x, 0o), floats (.inf and .nan too), strings. Decimal digits that
 * start with a superfluous 0 are a string, since they are a number in one version of YAML, another one in the other,
 * and in practice an account's number. Quoted ones are strings. Keys are the text of scalars, whatever their type.
 * Merge keys (<<) are followed. Refused: tags other than the core ones, lists or mappings as keys, keys that come twice
 * or are null, aliases inside their own anchor, more than the ceilings. Codes: "BadYaml", "UnknownTag", "DuplicateKey",
 * "TooDeep", "TooBig", "ENOMEM"; line and column (from 1) in err->where.
 * With [cloudformation] the tags of its functions are read as what they are short for: "!Ref" and "!Condition" as a
 * mapping with that key, "!GetAtt A.B" as { "Fn::GetAtt": [A, B] }, others with "Fn::" before; their scalars are
 * strings. */

/* Writing: adt_yaml_write is a consumer of events whose context is a struct adt_yaml_writer. Block style; strings that
 * any version of YAML could read as something else are quoted; text of several lines stands as it is. Strings that are
 * not UTF-8 ("NotUtf8") and more than ADT_YAML_DEPTH levels ("TooDeep") are refused. */
struct adt_yaml_writer {
    struct adt_buf *out; /* emptied by a failure */
    struct adt_error *err;
    unsigned depth; /* the rest is the writer's own; zero at the start */
    bool empty;     /* the innermost array or object has no member yet */
    struct {
        bool array;
        unsigned short indent;
    } level[ADT_YAML_DEPTH + 1];
};

extern const struct adt_events adt_yaml_write;

#endif
