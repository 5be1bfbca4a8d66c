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

/* (largest - smallest) / median over the rounds: how far they can be trusted. */
double bench_spread(const struct cell_result *result, enum figure figure);

/* There are figures, all rounds of them. */
static inline bool bench_measured(const struct cell_result *result)
{
	return result->applies && !result->error && result->rounds;
}

#endif
