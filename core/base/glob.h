/* glob.h - shell patterns over names and paths, in time that no pattern can blow up */
#ifndef ADT_BASE_GLOB_H
#define ADT_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool adt_glob_name(const char *pattern, size_t pn, const char *name, size_t n);
/* Whether one name (no '/') matches: '*' any run, '?' one UTF-8 character, '[a-z]' '[!a-z]' one byte, '\' takes the
 * next one literally. A leading dot is matched by a dot only. */

bool adt_glob_path(const char *pattern, size_t pn, const char *path, size_t n);
/* Name by name between slashes; a part that is "**" stands for any number of names that do not begin with a dot. */

bool adt_glob_magic(const char *text, size_t n);
/* Whether [text] holds anything that a pattern gives a meaning. */

#endif
