/* SPDX-License-Identifier: MIT */
/*
 * Carries out a workload over an engine: keeps the workload's depth of operations in flight,
 * checks every result, and in the untimed verification pass the data as well.
 *
 * One thread, one driver per process. Whatever turn adds per operation is in every figure, so it
 * is kept to a few nanoseconds; main.c measures it with the null engine and the report states it.
 * Latencies cost two looks at the clock in each turn, and a few nanoseconds per operation: only a
 * driver that was told to notes the times they take.
 */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include "engine.h"
#include "files.h"
#include "histogram.h"
#include "workload.h"

struct driver {
	const struct workload *workload;
	const struct engine *engine;
	struct message *message; /* says why a call has failed */
	void *state;		 /* the engine's */

	uint64_t next;	    /* blocks asked for so far */
	uint64_t limit;	    /* nothing is asked for once next has got here */
	uint64_t first;	    /* where in the order this round begins */
	uint64_t mask;	    /* blocks in the file - 1 */
	uint64_t length;    /* of a block */
	unsigned half_bits; /* half as many, rounded up, as the mask has */
	unsigned in_flight;
	bool scattered;
	bool durable;
	bool verify;

	struct operation *operations; /* one per slot */
	struct iovec *iovecs;	      /* OPERATION_IOVECS per slot */
	struct operation **batch;     /* what the next submit hands over */
	struct completion *completions;
	uint64_t *submitted;	     /* when, per slot; a null pointer where nobody asks */
	struct histogram *latencies; /* takes them while it is there; may come and go */
	int *descriptors;
	unsigned descriptor_count; /* of those that are open */
	char *buffers;
	size_t buffers_size;
};

/*
 * The functions return a negative errno and leave a message when something fails.
 * With file a null pointer no descriptor is opened (for engines that do no I/O).
 */
int bench_driver_open(struct driver *driver, const struct engine *engine,
		      const struct workload *workload, const struct file *file, unsigned round,
		      struct message *message);

/* From now on latencies can be taken. Before the start. */
int bench_driver_note_times(struct driver *driver);

/* Submits the first operations, unless they are NOPs: a turn is a whole batch of these. */
int bench_driver_start(struct driver *driver);

/* Waits for completions and submits as many new operations: returns how many have finished. */
int bench_driver_turn(struct driver *driver);

/* Asks for nothing more and waits for all that is in flight. */
int bench_driver_drain(struct driver *driver);

/* Where in the file the n-th operation of this round goes. */
uint64_t bench_driver_offset(const struct driver *driver, uint64_t n);

/* Nothing is in flight, or a call has failed and the process is about to end. */
void bench_driver_close(struct driver *driver);

/* There are turns left. */
static inline bool bench_driver_busy(const struct driver *driver)
{
	return driver->in_flight || driver->next < driver->limit;
}

static inline bool bench_driver_exhausted(const struct driver *driver)
{
	return driver->next >= driver->limit;
}

#endif
