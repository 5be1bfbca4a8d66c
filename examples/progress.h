/* SPDX-License-Identifier: MIT */
/*
 * progress: a bar on the terminal that standard error is, in its last line, redrawn at most ten
 * times a second and as wide as the terminal. All functions do nothing unless progress_open() was
 * called.
 */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <stddef.h>

/* Starts showing how many files have been counted so far. */
void progress_open(void);
void progress_counting(unsigned long files);

/* From now on there are so many files and bytes to do. */
void progress_totals(unsigned long files, unsigned long long bytes);

/* So much more has been done. */
void progress_bytes(size_t bytes);
void progress_file(void);

/* Redraws the bar if it is time to. */
void progress_draw(void);

/* Takes the bar off the screen, before something else is written; it comes back when redrawn. */
void progress_clear(void);

/* Takes the bar off the screen for good. */
void progress_close(void);

#endif
