/* SPDX-License-Identifier: MIT */
/*
 * What the library has done so far, counted for the whole process if somebody wants to know
 * (asyncring-run --stats); otherwise each of these calls is a look at a constant.
 *
 * The counters stand at the seams: a call comes in (enter.c), a request is
 * born (submit.c), handed to an engine (issue.c), its completion posted (cq.c), a thread started
 * (each engine). Relaxed: they order nothing.
 */
#ifndef ASYNCRING__STATISTICS_H
#define ASYNCRING__STATISTICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <asyncring/abi.h>

enum statistic {
	STATISTIC_RINGS,      /* rings that were set up */
	STATISTIC_ENTERS,     /* calls of asyncring_enter() and its kin */
	STATISTIC_POLLED,     /* times a request was given to the poller */
	STATISTIC_PUNTED,     /* times one was given to a worker */
	STATISTIC_WAITERS,    /* of these, what a thread that waited has carried out instead */
	STATISTIC_KERNEL_AIO, /* times one was given to the kernel to carry out by itself */
	STATISTIC_PARKED,     /* times one began to wait for a time or a number of completions */
	STATISTIC_INLINE,     /* requests that were carried out at once, by the submitter */
	STATISTIC_OVERFLOWS,  /* completions that found the queue full */
	STATISTIC_THREADS,    /* threads of the library that were started */
	STATISTICS,
};

struct statistics {
	bool enabled; /* set before the first ring is, constant from then on */
	_Atomic uint64_t counts[STATISTICS];
	_Atomic uint64_t operations[ASYNCRING_OP_LAST]; /* requests by opcode; not the refused */
};

extern struct statistics asyncring__statistics;

static inline void statistics_count(enum statistic which)
{
	if (__builtin_expect(asyncring__statistics.enabled, 0))
		atomic_fetch_add_explicit(&asyncring__statistics.counts[which], 1,
					  memory_order_relaxed);
}

static inline void statistics_count_operation(uint8_t opcode)
{
	if (__builtin_expect(asyncring__statistics.enabled, 0))
		atomic_fetch_add_explicit(&asyncring__statistics.operations[opcode], 1,
					  memory_order_relaxed);
}

#endif
