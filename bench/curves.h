/* SPDX-License-Identifier: MIT */
/*
 * Throughput against depth, or against the number of connections: workloads of the table once more,
 * with other depths.
 */
#ifndef BENCH_CURVES_H
#define BENCH_CURVES_H

#include "progress.h"
#include "report.h"

/* Gives the run the curves whose names its options choose. */
void bench_curves_choose(struct run *run);

/* How many steps bench_curves_run takes. */
unsigned bench_curves_steps(const struct run *run);

/* Fills the curves in; in each round each engine has its turn at each point. */
void bench_curves_run(struct run *run, struct files *files, struct progress *progress);

#endif
