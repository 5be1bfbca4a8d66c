/* SPDX-License-Identifier: MIT */
/*
 * The command line.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	const char *engines;   /* comma-separated globs */
	const char *workloads; /* the same */
	const char *directory;
	const char *tmpfs_directory;
	const char *json; /* where to write the results, or NULL */
	unsigned rounds;
	unsigned latency_rounds; /* 0: no latencies */
	unsigned curve_rounds;	 /* 0: no curves */
	double seconds;		 /* of measurement per cell and round */
	uint64_t large_size;	 /* bytes of the file for cold and direct reads */
	bool list;
};

enum options_outcome {
	OPTIONS_RUN,
	OPTIONS_HELP,  /* help was asked for, and has been printed */
	OPTIONS_WRONG, /* what is wrong has been printed on the standard error output */
};

enum options_outcome bench_options_parse(struct options *options, int argc, char **argv);

/* Whether the name matches one of the comma-separated globs. */
bool bench_options_choose(const char *globs, const char *name);

#endif
