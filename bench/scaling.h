/* SPDX-License-Identifier: MIT */
/*
 * What rings cost and how they scale: curves and facts from probes (probe.h), for the interfaces
 * that have rings.
 */
#ifndef BENCH_SCALING_H
#define BENCH_SCALING_H

#include "progress.h"
#include "report.h"

/* Gives the run the curves and facts whose names its options choose. */
void bench_scaling_choose(struct run *run);

/* How many steps bench_scaling_run takes. */
unsigned bench_scaling_steps(const struct run *run);

/* Fills them in; in each round each engine has its turn at each point. */
void bench_scaling_run(struct run *run, struct files *files, struct progress *progress);

#endif
