/* SPDX-License-Identifier: MIT */
/*
 * One cell of the table in one round: a workload over an engine, in a child process, either
 * verified (untimed, data checked) or measured. Latencies are measured in rounds of their own,
 * because reading the clock for each operation would be in the other figures.
 */
#ifndef BENCH_CELL_H
#define BENCH_CELL_H

#include "driver.h"
#include "histogram.h"

struct cell {
	const struct engine *engine;
	const struct workload *workload;
	const struct file *file;
	unsigned round;
	double seconds; /* of measurement; what warms up comes on top */
	/* If there: each operation's time from submission to completion is added to it. */
	struct histogram *latencies;
};

struct measurement {
	int error; /* 0, or why there are no figures; message says more */
	struct message message;
	bool evicted; /* not all of it came from the page cache, although it was there at first */
	uint64_t operations;
	double seconds;
	double cpu_seconds; /* user and system, of all threads of the process */
	uint64_t allocations;
	int threads_idle;   /* besides the one that drives, with all work done, before the engine is
			       closed */
	int threads_closed; /* after that */
};

/* Whether the engine opens here at all. Fills in error and message. */
void bench_cell_probe(const struct cell *cell, struct measurement *measurement);

/* A thousand operations whose data is checked. Fills in error and message. */
void bench_cell_verify(const struct cell *cell, struct measurement *measurement);

/*
 * Repeated when somebody has taken pages of a cached file away in the middle of it, because it says
 * nothing about cached reads then.
 */
void bench_cell_measure(const struct cell *cell, struct measurement *measurement);

/* Whether its operations have latencies that say something. */
bool bench_cell_latencies(const struct workload *workload);

#endif
