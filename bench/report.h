/* SPDX-License-Identifier: MIT */
/*
 * A whole run and its two reports: tables for people (they are Markdown as well, so that they can
 * be pasted) and JSON for programs.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "figures.h"
#include "machine.h"
#include "options.h"
#include "stats.h"

#define ENGINES_MAX   SERIES_MAX
#define WORKLOADS_MAX 48

struct column {
	const struct engine *engine;
	bool absent; /* the machine does not have it */
	struct message reason;
};

struct row {
	const struct workload *workload;
	bool absent; /* the machine does not have what the workload needs */
	struct message reason;
	struct cell_result results[ENGINES_MAX]; /* by column */
};

struct run {
	const struct options *options;
	struct machine machine;
	double foreign;		/* share of all CPU time that others took during the run */
	double harness_deep;	/* nanoseconds per operation at depth 32 */
	double harness_single;	/* the same, one operation at a time */
	double harness_nop;	/* the same of a NOP in a batch of 32 */
	double harness_latency; /* what an operation's latency costs on top, one at a time */
	struct histogram harness_latencies; /* nobody looks at these */
	bool allocations_counted;
	struct column columns[ENGINES_MAX];
	unsigned column_count;
	struct row rows[WORKLOADS_MAX];
	unsigned row_count;
	struct curve curves[CURVES_MAX];
	unsigned curve_count;
	struct fact facts[FACTS_MAX];
	unsigned fact_count;
};

/*
 * The column of the peer to which our ratio is the largest, so that who is ahead of it is ahead of
 * all; where ours has no figures, of that with the least median. The floor is none. -1 where no
 * peer has figures.
 */
int bench_best_peer(const struct run *run, const struct row *row, enum figure figure);

void bench_report_tables(const struct run *run, FILE *out);

struct json_t;

/* The curves and facts of the run, as arrays. */
struct json_t *bench_curves_json(const struct run *run);
struct json_t *bench_facts_json(const struct run *run);

/* 0 or a negative errno. */
int bench_report_json(const struct run *run, const char *path);

#endif
