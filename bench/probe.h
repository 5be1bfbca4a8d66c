/* SPDX-License-Identifier: MIT */
/*
 * What is measured of rings beyond operations on files, connections and timers: what they cost, how
 * they grow, how they behave under load. A probe is a function in one of the probes_*_io_uring.c,
 * run in a process of its own; scaling.c says at which x, and which curves and facts its values
 * are. Errors are negative errno; -ENODATA: the machine did not do what was to be measured.
 */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include "files.h"

#define PROBE_VALUES 6

struct probe_task {
	unsigned x;
	double seconds;
	const char *directory;
	const struct file *cached; /* every page of it in the page cache */
	const struct file *large;  /* no page of it */
};

struct probe {
	const char *name;
	int (*run)(const struct probe_task *task, double values[PROBE_VALUES]);
};

/* Each ends with an entry that has no name. */
extern const struct probe bench_probes_rings_io_uring[];
extern const struct probe bench_probes_flight_io_uring[];
extern const struct probe bench_probes_threads_io_uring[];
extern const struct probe bench_probes_load_io_uring[];
extern const struct probe bench_probes_rings_asyncring[];
extern const struct probe bench_probes_flight_asyncring[];
extern const struct probe bench_probes_threads_asyncring[];
extern const struct probe bench_probes_load_asyncring[];

#endif
