/* SPDX-License-Identifier: MIT */
/*
 * What is made of the rounds of a cell. Pure functions.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include "cell.h"

#define ROUNDS_MAX 99

enum figure {
	FIGURE_TIME,	    /* nanoseconds per operation */
	FIGURE_CPU,	    /* nanoseconds of CPU per operation */
	FIGURE_ALLOCATIONS, /* per operation */
};

/* The results of one engine on one workload. */
struct cell_result {
	bool applies; /* the workload is meant for the engine, and both are there */
	int error;    /* it was given up; message says why */
	struct message message;
	unsigned rounds; /* of measurements that are there */
	struct measurement measurements[ROUNDS_MAX];
	struct histogram latencies; /* of rounds that are not among these */
};

double bench_figure(const struct measurement *measurement, enum figure figure);

/* Of at most ROUNDS_MAX values in any order; of none: 0. */
double bench_median_of(const double *values, unsigned count);

/* The median over the rounds. */
double bench_median(const struct cell_result *result, enum figure figure);

/*
 * The median over the rounds of one's figure divided by the other's in the same round, in which
 * both had the machine as it was then: its speed changes within a run, and more than many a ratio
 * does. results.py says the same. Rounds in which the other's is 0 are left out; of none: 0.
 */
double bench_ratio(const struct cell_result *one, const struct cell_result *other,
		   enum figure figure);

/* How far these are apart, relative to their median, without a quarter of the rounds at each end.
 */
double bench_ratio_spread(const struct cell_result *one, const struct cell_result *other,
			  enum figure figure);

/* The same of the rounds of one alone. */
double bench_spread(const struct cell_result *result, enum figure figure);

/* There are figures, all rounds of them. */
static inline bool bench_measured(const struct cell_result *result)
{
	return result->applies && !result->error && result->rounds;
}

#endif
