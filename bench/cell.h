/* SPDX-License-Identifier: MIT */
/*
 * One cell of the table in one round: a workload over an engine, in a child process, either
 * verified (untimed, data checked) or measured.
 */
#ifndef BENCH_CELL_H
#define BENCH_CELL_H

#include "driver.h"

struct cell {
	const struct engine *engine;
	const struct workload *workload;
	const struct file *file;
	unsigned round;
	double seconds; /* of measurement; what warms up comes on top */
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

void bench_cell_measure(const struct cell *cell, struct measurement *measurement);

#endif
