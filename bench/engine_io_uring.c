/* SPDX-License-Identifier: MIT */
/*
 * The kernel's io_uring through liburing, and, by the mechanical rename that the build applies to
 * this file (CMakeLists.txt), libasyncring through asyncring.h: both are driven by the very same
 * code, flag for flag. So this file uses nothing that only one of the two has.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "engine.h"
#include "probe.h"
#include "service.h"

struct ring_engine {
	struct io_uring ring;
	unsigned depth;
	uint64_t nops;
	bool watched; /* completions are looked for, too: no call at all */
};

static int ring_open(void **state, const struct engine_setup *setup)
{
	/* What was fastest here, over all workloads, for one thread that submits and waits. */
	unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN;
	struct ring_engine *engine = calloc(1, sizeof(*engine));
	int error;

	if (!engine)
		return -ENOMEM;
	engine->depth = setup->depth;
	engine->watched = setup->watched;
	/* Entries are free again some time after their completions are there. */
	if (setup->watched)
		error = io_uring_queue_init(2 * setup->depth, &engine->ring, IORING_SETUP_SQPOLL);
	else
		error = io_uring_queue_init(setup->depth, &engine->ring, flags);
	if (error == -EINVAL && !setup->watched) /* older than these flags */
		error = io_uring_queue_init(setup->depth, &engine->ring, 0);
	if (error) {
		free(engine);
		return error;
	}
	*state = engine;
	return 0;
}

static int prepare(struct io_uring_sqe *sqe, const struct operation *operation)
{
	switch (operation->kind) {
	case OPERATION_READ:
		io_uring_prep_read(sqe, operation->fd, operation->buffer, operation->length,
				   operation->offset);
		return 0;
	case OPERATION_WRITE:
		io_uring_prep_write(sqe, operation->fd, operation->buffer, operation->length,
				    operation->offset);
		return 0;
	case OPERATION_READV:
		io_uring_prep_readv(sqe, operation->fd, operation->iovecs, operation->iovec_count,
				    operation->offset);
		return 0;
	case OPERATION_FSYNC:
		io_uring_prep_fsync(sqe, operation->fd, 0);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int ring_submit(void *state, struct operation *const *batch, unsigned count)
{
	struct ring_engine *engine = state;

	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&engine->ring);
		int error;

		if (!sqe)
			return -EBUSY;
		error = prepare(sqe, batch[i]);
		if (error)
			return error;
		io_uring_sqe_set_data64(sqe, batch[i]->slot);
	}
	return 0;
}

static int submit_and_look(struct io_uring *ring, unsigned at_least)
{
	int result = io_uring_submit(ring);

	while (result >= 0 && io_uring_cq_ready(ring) < at_least)
		continue;
	return result;
}

static int ring_reap(void *state, unsigned at_least, struct completion *completions)
{
	struct ring_engine *engine = state;
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;
	int result;

	do
		result = engine->watched ? submit_and_look(&engine->ring, at_least)
					 : io_uring_submit_and_wait(&engine->ring, at_least);
	while (result == -EINTR);
	if (result < 0)
		return result;
	io_uring_for_each_cqe (&engine->ring, head, cqe) {
		completions[count].slot = (unsigned)cqe->user_data;
		completions[count].result = cqe->res;
		if (++count == engine->depth)
			break;
	}
	io_uring_cq_advance(&engine->ring, count);
	return (int)count;
}

/* No user_data comes again, so what belongs to another batch makes the sum a wrong one. */
static int ring_nops(void *state, unsigned count)
{
	struct ring_engine *engine = state;
	struct io_uring *ring = &engine->ring;
	uint64_t first = engine->nops, sum = 0;
	unsigned done = 0;
	int failed = 0;

	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		if (!sqe)
			return -EBUSY;
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data64(sqe, first + i);
	}
	while (done < count) {
		int result = engine->watched ? submit_and_look(ring, count - done)
					     : io_uring_submit_and_wait(ring, count - done);
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;

		if (result < 0 && result != -EINTR)
			return result;
		io_uring_for_each_cqe (ring, head, cqe) {
			failed |= cqe->res;
			sum += cqe->user_data;
			seen++;
		}
		io_uring_cq_advance(ring, seen);
		done += seen;
	}
	engine->nops += count;
	if (failed || done != count || sum != count * first + count * (count - 1ULL) / 2)
		return -EIO;
	return 0;
}

static void ring_close(void *state)
{
	struct ring_engine *engine = state;

	io_uring_queue_exit(&engine->ring);
	free(engine);
}

static const char *ring_version(void)
{
	return BENCH_VERSION_io_uring;
}

static const struct probe *const probes[] = {
	bench_probes_rings_io_uring,
	bench_probes_flight_io_uring,
	bench_probes_threads_io_uring,
	bench_probes_load_io_uring,
	NULL,
};

const struct engine bench_engine_io_uring = {
	.name = "io_uring",
	.version = ring_version,
	.supported = SUPPORTS_FILES | SUPPORTS(OPERATION_NOP) | SUPPORTS(OPERATION_READV) |
		     SUPPORTS_CONNECTIONS | SUPPORTS_TIMERS,
	.service = &bench_service_io_uring,
	.timers = &bench_timers_io_uring,
	.probes = probes,
	.open = ring_open,
	.submit = ring_submit,
	.reap = ring_reap,
	.nops = ring_nops,
	.close = ring_close,
};
