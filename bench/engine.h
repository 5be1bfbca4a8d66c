/* SPDX-License-Identifier: MIT */
/*
 * What the benchmark asks of an asynchronous I/O interface.
 *
 * A workload is written once, against these functions; each interface that is compared is one
 * engine_*.c behind them. An engine is opened, driven and closed by one thread, inside a process
 * that was forked for one measurement (isolate.h), so it may leave idle threads behind and need
 * not share anything. Errors are negative errno everywhere.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum operation_kind {
	OPERATION_NOP,
	OPERATION_READ,
	OPERATION_WRITE,
	OPERATION_READV,
	OPERATION_FSYNC,
	/* Not the driver's (driver.h), but a service's (service.h): */
	OPERATION_ECHO,	  /* a message comes in and is sent back */
	OPERATION_WAKE,	  /* a message wakes the server */
	OPERATION_ACCEPT, /* a connection is accepted and closed */
	OPERATION_TIMER_CANCEL,
	OPERATION_TIMER_FIRE,
};

#define SUPPORTS(kind) (1U << (kind))
#define SUPPORTS_FILES                                                                             \
	(SUPPORTS(OPERATION_READ) | SUPPORTS(OPERATION_WRITE) | SUPPORTS(OPERATION_FSYNC))
#define SUPPORTS_CONNECTIONS                                                                       \
	(SUPPORTS(OPERATION_ECHO) | SUPPORTS(OPERATION_WAKE) | SUPPORTS(OPERATION_ACCEPT))
#define SUPPORTS_TIMERS (SUPPORTS(OPERATION_TIMER_CANCEL) | SUPPORTS(OPERATION_TIMER_FIRE))

/* The most pieces a vectored operation has. */
#define OPERATION_IOVECS 4

/*
 * One prepared operation. The driver owns it; the engine may read it from submit until the
 * completion of its slot has been reaped, and never writes to it.
 */
struct operation {
	enum operation_kind kind;
	unsigned slot; /* 0 .. depth - 1; at most one operation of a slot is in flight */
	int fd;
	unsigned length; /* bytes, over all iovecs where there are any */
	uint64_t offset;
	void *buffer;
	struct iovec *iovecs; /* OPERATION_READV only */
	unsigned iovec_count;
	int expected; /* the one result that counts as success */
};

struct completion {
	unsigned slot;
	int result; /* bytes or negative errno */
};

struct engine_setup {
	unsigned depth; /* the most operations ever in flight */
	const int *descriptors;
	unsigned descriptor_count; /* slot n works on descriptors[n % descriptor_count] */
	/*
	 * The operations sleep for a device. Engines whose threads are configured by the
	 * application take one per slot then, as somebody who knows the interface would; otherwise
	 * their own default, which is better for work that never sleeps.
	 */
	bool sleeps;
	/* Where an interface has that: nobody calls the kernel to submit, a thread of it looks. */
	bool watched;
};

struct probe;
struct service;
struct timer_service;

struct engine {
	const char *name;
	unsigned supported; /* SUPPORTS() of each kind it can carry out */

	/* The interface's version, or NULL where there is none to tell. May be a null pointer. */
	const char *(*version)(void);

	/* Where it supports connections, or timers. */
	const struct service *service;
	const struct timer_service *timers;

	/* Where it has rings: what is measured of them besides; ends with a null pointer. */
	const struct probe *const *probes;

	/* Sets *state; a null pointer where files are not supported. The answer to "does this
	 * machine have it?" is whether this succeeds. */
	int (*open)(void **state, const struct engine_setup *setup);

	/*
	 * Hands over count operations in their order. An engine whose interface can submit and wait
	 * in one call may leave them queued: reap always follows before anything else.
	 */
	int (*submit)(void *state, struct operation *const *batch, unsigned count);

	/*
	 * Waits until at_least completions are there, stores what there is, up to depth of them,
	 * and returns how many, or a negative errno.
	 */
	int (*reap)(void *state, unsigned at_least, struct completion *completions);

	/*
	 * Where NOPs are supported: count of them, at most depth, submitted and awaited together as
	 * in a program that does just that. They cost too little to be measured with what submit
	 * and reap add. Every result and user_data is checked; -EIO for one that is not right.
	 */
	int (*nops)(void *state, unsigned count);

	/* Nothing is in flight. */
	void (*close)(void *state);

	/* Why this engine is not part of the build; all functions are null pointers then. */
	const char *absent;
};

/* The engine whose columns the tables compare with all others. */
#define ENGINE_OURS "asyncring"

/* What ours makes system calls for, without the library around them: nobody's peer. */
#define ENGINE_FLOOR "floor"

/* In the order of the tables' columns; ends with NULL. */
extern const struct engine *const bench_engines[];

/* Completes everything at once and does nothing: what it shows is the cost of the harness. */
extern const struct engine bench_engine_null;

extern const struct engine bench_engine_asyncring;
extern const struct engine bench_engine_epoll;
extern const struct engine bench_engine_floor;
extern const struct engine bench_engine_io_uring;
extern const struct engine bench_engine_libaio;
extern const struct engine bench_engine_libuv;
extern const struct engine bench_engine_posix_aio;
extern const struct engine bench_engine_sync;

#endif
