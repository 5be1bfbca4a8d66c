/* SPDX-License-Identifier: MIT */
/*
 * Tells on the standard error output how far the run is: one line that is rewritten on a
 * terminal, one line per workload elsewhere.
 */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

#include <stdbool.h>
#include <time.h>

struct progress {
	bool terminal;
	struct timespec began;
	unsigned steps; /* in the whole run */
	unsigned done;
};

void bench_progress_begin(struct progress *progress, unsigned steps);

/* A new workload. */
void bench_progress_workload(struct progress *progress, const char *workload);

/* What is about to be done; afterwards it counts as one step. */
void bench_progress_step(struct progress *progress, const char *workload, const char *engine,
			 const char *what);

/* This many steps will not be done. */
void bench_progress_skip(struct progress *progress, unsigned steps);

/* Leaves the terminal with a clean line. */
void bench_progress_end(struct progress *progress);

#endif
