/* SPDX-License-Identifier: MIT */
/*
 * The workloads: what is asked for, of which file, in which order, in which state. One table;
 * the driver (driver.c) carries out any row of it over any engine.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdbool.h>

#include "engine.h"

/* The files the workloads work on; files.c makes them. */
enum file_id {
	FILE_NONE,
	FILE_CACHED,	    /* small enough to stay in the page cache */
	FILE_LARGE,	    /* large enough never to be read twice in a round */
	FILE_FRESH,	    /* begins each round empty */
	FILE_TMPFS,	    /* on a tmpfs */
	FILE_TMPFS_WRITTEN, /* on a tmpfs, overwritten */
	FILE_COUNT,
};

/* What is done to the file before each round. */
enum file_state {
	STATE_RESIDENT, /* every page of it is in the page cache */
	STATE_COLD,	/* no page of it is */
	STATE_MIXED,	/* nine tenths of its pages are, in stretches */
	STATE_EMPTY,	/* truncated to nothing */
	STATE_ZERO,	/* full size, all of it zero bytes */
};

enum access_order {
	ORDER_SEQUENTIAL,
	ORDER_SCATTERED, /* each block once, in an order that looks random; then all over again */
};

struct workload {
	const char *name;
	const char *title;
	const char *engines; /* a blank-separated list, or NULL for every engine that can */
	enum operation_kind kind;
	enum file_id file;
	enum file_state state;
	enum access_order order;
	unsigned depth;	   /* operations in flight; NOPs of a batch; connections; timers */
	unsigned wait_for; /* completions waited for at a time; what else is there is taken too */
	unsigned length;   /* bytes per operation */
	unsigned iovecs;
	unsigned descriptors; /* open descriptions of the file that the slots share out */
	bool direct;	      /* O_DIRECT */
	bool once;	      /* no block twice in a round: the end of the file is the end of it */
	bool durable; /* each write is followed by an fsync; both together are one operation */
	bool sleeps;  /* the operations wait for a device */
	bool tcp;     /* connections: over the loopback device, not UNIX sockets */
	bool watched; /* submitted without a call: a thread looks (SQPOLL) */
	bool floored; /* ours are system calls of the thread that submits or waits, alone */
	bool oneshot; /* connections: each receive is asked for, where there is another way */
};

/* Ends with an entry that has no name. */
extern const struct workload bench_workloads[];

/* Whether this workload is meant for this engine, and the engine can carry it out. */
bool bench_workload_fits(const struct workload *workload, const struct engine *engine);

#endif
