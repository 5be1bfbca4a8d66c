/* SPDX-License-Identifier: MIT */
/*
 * What the tests of rings in event loops of others share: chains of requests, each started by the
 * completion of the one before. If a single completion were not told of, the chain would stand
 * still and the loop sleep for ever: so a test that ends has lost none.
 *
 * The loop polls what foreign_fd() says and calls foreign_ready() when it is readable; it has a
 * timer of its own that calls foreign_tick(), without which some requests would not complete; it
 * ends when foreign_done(). All helpers assert, so they belong to the main thread.
 */
#ifndef CONFORMANCE_FOREIGN_LOOP_H
#define CONFORMANCE_FOREIGN_LOOP_H

#include "harness.h"

enum {
	FOREIGN_CHAINS = 8,
	FOREIGN_STEPS = 100, /* in each chain */
	FOREIGN_TICK_MS = 1,
};

/* How the ring tells the loop, and of what kind it is. */
struct foreign_mode {
	unsigned flags; /* IORING_SETUP_* */
	bool eventfd;	/* rather than by its own descriptor */
};

/*
 * The kernel does not wake who polls a ring with DEFER_TASKRUN, but it does signal its eventfd.
 */
static const struct foreign_mode foreign_modes[] = {
	{0, false},
	{IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER, false},
	{IORING_SETUP_SQPOLL, false},
#ifndef TEST_ORACLE
	{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, false},
#endif
	{0, true},
	{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, true},
};

struct foreign_chain {
	int pipe[2];
	char byte;
	unsigned steps;	 /* completed */
	bool wants_byte; /* waits for one that the loop's timer sends */
};

struct foreign {
	struct io_uring ring;
	struct foreign_mode mode;
	int event_fd;
	struct foreign_chain chains[FOREIGN_CHAINS];
	unsigned ended; /* chains */
};

static inline int foreign_fd(const struct foreign *foreign)
{
	return foreign->mode.eventfd ? foreign->event_fd : foreign->ring.ring_fd;
}

static inline bool foreign_done(const struct foreign *foreign)
{
	return foreign->ended == FOREIGN_CHAINS;
}

/* Complete at once, by the loop's timer, by the ring's, by another thread, by both. */
static inline void foreign_step(struct foreign *foreign, unsigned number)
{
	static struct __kernel_timespec soon = {.tv_nsec = 1000000};
	struct foreign_chain *chain = &foreign->chains[number];
	struct io_uring_sqe *sqe = harness_sqe(&foreign->ring);

	switch ((number + chain->steps) % 5) {
	case 0:
		io_uring_prep_nop(sqe);
		break;
	case 1:
		io_uring_prep_read(sqe, chain->pipe[0], &chain->byte, 1, 0);
		chain->wants_byte = true;
		break;
	case 2:
		io_uring_prep_timeout(sqe, &soon, 0, IORING_TIMEOUT_ETIME_SUCCESS);
		break;
	case 3:
		io_uring_prep_nop(sqe);
		sqe->flags |= IOSQE_ASYNC;
		break;
	case 4:
		io_uring_prep_poll_add(sqe, chain->pipe[0], POLLIN);
		chain->wants_byte = true;
		break;
	}
	sqe->user_data = number;
}

static inline void foreign_begin(struct foreign *foreign, const struct foreign_mode *mode)
{
	*foreign = (struct foreign){.mode = *mode, .event_fd = -1};
	/* More than are in flight: an SQ thread gives entries back when it likes. */
	harness_init(&foreign->ring, 4 * FOREIGN_CHAINS, mode->flags);
	if (mode->eventfd) {
		foreign->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_true(foreign->event_fd >= 0);
		assert_int_equal(io_uring_register_eventfd(&foreign->ring, foreign->event_fd), 0);
	}
	for (unsigned i = 0; i < FOREIGN_CHAINS; i++) {
		harness_pipe(foreign->chains[i].pipe);
		foreign_step(foreign, i);
	}
	assert_true(io_uring_submit(&foreign->ring) >= 0);
}

static inline void foreign_completed(struct foreign *foreign, const struct harness_cqe *cqe)
{
	unsigned number = (unsigned)cqe->user_data;
	struct foreign_chain *chain = &foreign->chains[number];
	unsigned kind = (number + chain->steps) % 5;

	assert_true(number < FOREIGN_CHAINS);
	assert_int_equal(cqe->res, kind == 1 ? 1 : kind == 2 ? -ETIME : kind == 4 ? POLLIN : 0);
	if (kind == 4)
		assert_int_equal(read(chain->pipe[0], &chain->byte, 1), 1);
	if (++chain->steps < FOREIGN_STEPS)
		foreign_step(foreign, number);
	else
		foreign->ended++;
}

/* Whether there was one. Where completions are deferred each look asks for them. */
static inline bool foreign_take(struct foreign *foreign)
{
	struct harness_cqe cqe;

	if (foreign->mode.flags & IORING_SETUP_DEFER_TASKRUN)
		io_uring_get_events(&foreign->ring);
	if (!harness_peek(&foreign->ring, &cqe))
		return false;
	foreign_completed(foreign, &cqe);
	return true;
}

/* The descriptor is readable: takes completions until there are none, and submits what follows. */
static inline void foreign_ready(struct foreign *foreign)
{
	uint64_t times;

	/* First, so that what completes from here on signals it anew. */
	if (foreign->mode.eventfd && read(foreign->event_fd, &times, sizeof(times)) < 0)
		assert_int_equal(errno, EAGAIN);
	while (foreign_take(foreign))
		;
	assert_true(io_uring_submit(&foreign->ring) >= 0);
}

/* The loop's own timer has expired: those that wait for it get what they wait for. */
static inline void foreign_tick(struct foreign *foreign)
{
	for (unsigned i = 0; i < FOREIGN_CHAINS; i++) {
		if (!foreign->chains[i].wants_byte)
			continue;
		foreign->chains[i].wants_byte = false;
		assert_int_equal(write(foreign->chains[i].pipe[1], "x", 1), 1);
	}
}

static inline void foreign_end(struct foreign *foreign)
{
	for (unsigned i = 0; i < FOREIGN_CHAINS; i++) {
		assert_int_equal(foreign->chains[i].steps, FOREIGN_STEPS);
		harness_close_pipe(foreign->chains[i].pipe);
	}
	harness_assert_empty(&foreign->ring);
	io_uring_queue_exit(&foreign->ring);
	if (foreign->event_fd >= 0)
		close(foreign->event_fd);
}

#endif /* CONFORMANCE_FOREIGN_LOOP_H */
