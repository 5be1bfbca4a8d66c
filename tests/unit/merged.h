/* SPDX-License-Identifier: MIT */
/*
 * What the tests of requests that are made with one call (test_merged_*.c) share: sizes, a row of
 * requests of odd lengths and what must become of it, the comparison of merged and unmerged runs.
 */
#ifndef UNIT_MERGED_H
#define UNIT_MERGED_H

#include "support.h"

enum {
	ENTRIES = 64,
	BLOCK = 4096,
	FILE_BYTES = 256 * 1024,
	PROGRAMS = 300, /* random ones */
	STEPS = 40,	/* of each */
	PARTS = 5,
};

/* Set to have each request make a call of its own (core/core.h). */
extern _Atomic bool asyncring__merges_nothing;

/* Every byte of @data gets the value that support_content() expects. */
void merged_fill(unsigned char data[FILE_BYTES]);

/* What the groups begin with: a bound, @ring, @hook for system calls. As a setup function's. */
int merged_setup(struct asyncring *ring,
		 bool (*hook)(long number, const long arguments[6], long *result));

/*
 * Submit the @count requests queued, named from 0 on, and take what they give: each one completes
 * once, in any order.
 */
void merged_run(struct asyncring *ring, unsigned count, int results[]);

/* The lengths of requests in a row. */
extern const unsigned merged_parts[PARTS];

/*
 * Calls @at with places in and behind that row: where one part ends and the next begins, and a
 * little before and behind. @boundary: how many parts lie before it.
 */
void merged_at_each_boundary(void (*at)(size_t place, unsigned boundary));

/* The row's results, where there was room for @limit bytes and what came then had @error. */
void merged_check_stopped(const int results[PARTS], size_t limit, int error);

/* The results of the program that @seed stands for, of requests called @what. */
void merged_check_same(uint64_t seed, const char *what, const int merged[STEPS],
		       const int unmerged[STEPS]);

#endif
