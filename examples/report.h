/* SPDX-License-Identifier: MIT */
/*
 * report: what the example programs say on standard error, in coreutils' manner:
 * "arcp: cannot open 'x' for reading: Permission denied". Not thread-safe; the programs that use it
 * have one thread.
 */
#ifndef EXAMPLES_REPORT_H
#define EXAMPLES_REPORT_H

#include <stddef.h>

/*
 * Sets the program's name for all later messages. BEFORE, if not NULL, is called ahead of each
 * message; a program with a progress bar takes it off the screen there.
 */
void report_open(const char *program, void (*before)(void));

/*
 * Writes one message. FORMAT has a %s for each of the names FIRST and SECOND that is not NULL, in
 * this order; they are shown quoted. ERROR is a negative errno whose text ends the message, or 0.
 */
void report(int error, const char *format, const char *first, const char *second);

/*
 * NAME in single quotes, in a form that a shell reads back: whatever is not printable in the
 * current locale appears as $'\ooo'. The result is malloc'ed.
 */
char *quote(const char *name);

/* malloc, strdup and path concatenation that end the program when there is no memory. */
void *allocate(size_t size);
char *copy_string(const char *string);
char *join_path(const char *directory, const char *name);

#endif
