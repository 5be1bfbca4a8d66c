/* SPDX-License-Identifier: MIT */
/*
 * arsum: what its parts know of each other.
 *
 *	arsum.c        the command line, which files, the output
 *	arsum_read.c   many reads in flight, each file's bytes in order
 *	arsum_check.c  lists of checksums
 *	digest.c       the checksums themselves
 */
#ifndef EXAMPLES_ARSUM_H
#define EXAMPLES_ARSUM_H

#include "digest.h"

#include <stdbool.h>

/* A file and its checksum. */
struct sum {
	char *path;
	enum algorithm algorithm;
	char expected[DIGEST_TEXT]; /* when checking */
	char text[DIGEST_TEXT];	    /* the result */
	int error;		    /* or a negative errno */
	bool done;
};

/* A list that grows. */
struct sums {
	struct sum *list;
	size_t count;
	size_t capacity;
};

/* Adds a file; the path becomes the list's. */
struct sum *sums_add(struct sums *sums, char *path, enum algorithm algorithm);

/*
 * arsum_read.c: computes all checksums and calls FINISHED for one after the other, in the list's
 * order. 0 or a negative errno if the ring does not work.
 */
int sums_compute(struct sums *sums, void (*finished)(const struct sum *sum));

/*
 * arsum_check.c: adds the files of the list at PATH ("-": standard input) with what their checksums
 * should be. WANTED is the algorithm, or ALGORITHMS to tell it by the checksum's length. Returns 0,
 * or a negative errno; lines that are not understood are counted in *BAD_LINES.
 */
int sums_load(struct sums *sums, const char *path, enum algorithm wanted, size_t *bad_lines);

/* PATH as it stands in a list: if it has a line break or a backslash, escaped, and *ESCAPED is
 * true. */
char *escape_path(const char *path, bool *escaped);

#endif
