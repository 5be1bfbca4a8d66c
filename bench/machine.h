/* SPDX-License-Identifier: MIT */
/*
 * Where and when the benchmark ran: what somebody needs to know who reads the figures later.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

struct machine {
	char date[32]; /* UTC, ISO 8601 */
	char kernel[160];
	char architecture[70];
	char processor[96];
	char filesystem[96]; /* of the measured directory: its type */
	char compiler[96];
	long processors;
	long memory_mib;
	double system_call; /* nanoseconds that the cheapest one takes: how fast the machine is
			       today */
	double load;	    /* average of the last minute, when the run began */
};

/*
 * CPU seconds that the whole machine, and of these the children of this process, have used so far:
 * who else was at work during the run shows in the difference.
 */
struct machine_usage {
	double elapsed; /* CPU seconds there were, over all processors */
	double busy;	/* of these not idle */
	double children;
};

void bench_machine_usage(struct machine_usage *usage);

void bench_machine_describe(struct machine *machine, const char *directory);

#endif
