/* profile.h - the shared files of the AWS tools, ~/.aws/config and ~/.aws/credentials, item by item
 *
 * The rules are those the AWS SDKs share: sections [default], [profile x], [sso-session x] and [services x] in the one
 * file, [x] in the other; `name = value` lines; lines that begin with a blank go on with the value above, or are
 * properties of their own below a value that is empty; '#' and ';' begin a comment at a line's start and, behind a
 * value, after a blank. */
#ifndef ADT_AWS_PROFILE_H
#define ADT_AWS_PROFILE_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ADT_AWSPROFILE_TEXT = 4 << 20,   /* bytes of a file */
    ADT_AWSPROFILE_LINE = 64 << 10,  /* bytes of a line, and of a value over its lines */
    ADT_AWSPROFILE_NAME = 255,       /* bytes of a section's or a property's name */
    ADT_AWSPROFILE_SECTIONS = 20000, /* sections of a file */
    ADT_AWSPROFILE_ITEMS = 200000,   /* properties of a file */
    ADT_AWSPROFILE_WARNINGS = 100,   /* what is wrong in the same file beyond that is not told */
};

enum adt_awsprofile_kind { ADT_AWSPROFILE_CONFIG, ADT_AWSPROFILE_CREDENTIALS };

enum adt_awsprofile_section { ADT_AWSPROFILE_PROFILE, ADT_AWSPROFILE_SSO_SESSION, ADT_AWSPROFILE_SERVICES };

enum adt_awsprofile_type {
    ADT_AWSPROFILE_SECTION,  /* [name]: what follows belongs to it; the same name may come again and adds to it */
    ADT_AWSPROFILE_PROPERTY, /* a later one of the same name replaces an earlier one */
    ADT_AWSPROFILE_NESTED,   /* a property of the property before */
    ADT_AWSPROFILE_WARNING,  /* [value] says what was ignored */
};

struct adt_awsprofile_item {
    enum adt_awsprofile_type type;
    enum adt_awsprofile_section section;
    bool parent; /* a property whose value is the nested ones that follow */
    unsigned line;
    const char *name, *value; /* not NUL-ended; valid until the next call */
    size_t name_n, value_n;   /* names of properties are in lower case */
};

/* A pass over a file. Only [value] owns memory. */
struct adt_awsprofile {
    const char *file, *at, *end;
    enum adt_awsprofile_kind kind;
    unsigned line, sections, items, warnings;
    bool in_section, muted, in_parent, parent_muted, default_prefixed;
    char name[ADT_AWSPROFILE_NAME + 1];
    char warning[256];
    struct adt_buf value;
};

int adt_awsprofile_begin(struct adt_awsprofile *p, enum adt_awsprofile_kind kind, const char *file, const char *text,
                         size_t n, struct adt_error *err);
/* [text] and [file], its name in messages, must stay while [p] is used. -1 with ADT_CONFIG: "TooBig", "NotUtf8" or
 * "BadProfile". A `[profile default]` anywhere makes every `[default]` an ignored section. */

int adt_awsprofile_next(struct adt_awsprofile *p, struct adt_awsprofile_item *item, struct adt_error *err);
/* 1: [item] is filled; 0: the end; -1 with ADT_CONFIG, [where] being file:line, for what is no section and no property.
 * Messages hold no text of the file but names of sections, since the rest may be a secret. */

void adt_awsprofile_end(struct adt_awsprofile *p);
/* At any time after begin, also when that failed. */

#endif
