/* SPDX-License-Identifier: MIT */
/* Requests in flight: up to more than the completion queue has room for. */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "footprint.h"
#include "meter.h"
#include "probe.h"

#define SQ_ENTRIES   32768U
#define CQ_ENTRIES   65536U
#define CANCELLED    20000U /* at most, and for SHARE of the time of the probe */
#define SHARE	     0.2
#define CANCELLATION UINT64_MAX

static const struct __kernel_timespec an_hour = {.tv_sec = 3600};

static int open_ring(struct io_uring *ring)
{
	struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE, .cq_entries = CQ_ENTRIES};
	int error = io_uring_queue_init_params(SQ_ENTRIES, ring, &params);

	if (error)
		return error;
	/* The rings' own memory is not what is asked for. */
	memset(ring->sq.sqes, 0, SQ_ENTRIES * sizeof(*ring->sq.sqes));
	memset(ring->cq.cqes, 0, CQ_ENTRIES * sizeof(*ring->cq.cqes));
	return 0;
}

static struct io_uring_sqe *next_sqe(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (sqe || io_uring_submit(ring) < 0)
		return sqe;
	return io_uring_get_sqe(ring);
}

/* What waits for @fd, or for an hour if that is negative; none of it ends by itself. */
static int arm(struct io_uring *ring, unsigned count, int fd)
{
	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = next_sqe(ring);

		if (!sqe)
			return -EBUSY;
		if (fd < 0)
			io_uring_prep_timeout(sqe, (struct __kernel_timespec *)&an_hour, 0, 0);
		else
			io_uring_prep_poll_add(sqe, fd, POLLIN);
		io_uring_sqe_set_data64(sqe, i);
	}
	if (io_uring_submit(ring) < 0)
		return -EIO;
	return io_uring_cq_ready(ring) ? -EIO : 0;
}

static int cancel_one(struct io_uring *ring, uint64_t user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0, good = 0;

	io_uring_prep_cancel64(sqe, user_data, 0);
	io_uring_sqe_set_data64(sqe, CANCELLATION);
	if (io_uring_submit_and_wait(ring, 2) < 0)
		return -EIO;
	io_uring_for_each_cqe (ring, head, cqe) {
		good += cqe->user_data == CANCELLATION
				? cqe->res == 0
				: cqe->user_data == user_data && cqe->res == -ECANCELED;
		seen++;
	}
	io_uring_cq_advance(ring, seen);
	return seen == 2 && good == 2 ? 0 : -EIO;
}

/* Some of them, from all over; nanoseconds for each. */
static int cancel_some(struct io_uring *ring, const struct probe_task *task, double *each)
{
	unsigned most = task->x < CANCELLED ? task->x : CANCELLED, step = task->x / most;
	uint64_t begin = bench_now(), now = begin;
	uint64_t end = begin + (uint64_t)(task->seconds * SHARE * NANOSECONDS);
	unsigned count = 0;
	int error = 0;

	while (!error && count < most && now < end) {
		error = cancel_one(ring, (uint64_t)count * 7919 % most * step);
		count++;
		now = bench_now();
	}
	*each = (double)(now - begin) / count;
	return error;
}

/*
 * To arm one of x, to cancel one among x, to end one with the ring: nanoseconds; memory of each in
 * bytes, that with what the kernel keeps for it.
 */
static int hold(const struct probe_task *task, int fd, double *values)
{
	double memory, kernel;
	struct io_uring ring;
	uint64_t begin;
	int error = open_ring(&ring);

	if (error)
		return error;
	memory = bench_memory();
	kernel = bench_kernel_memory();
	begin = bench_now();
	error = arm(&ring, task->x, fd);
	values[0] = (double)(bench_now() - begin) / task->x;
	values[3] = (bench_memory() - memory) / task->x;
	values[4] = values[3] + (bench_kernel_memory() - kernel) / task->x;
	if (!error)
		error = cancel_some(&ring, task, &values[1]);
	if (error)
		return error;
	begin = bench_now();
	io_uring_queue_exit(&ring);
	values[2] = (double)(bench_now() - begin) / task->x;
	return 0;
}

static int hold_polls(const struct probe_task *task, double *values)
{
	return hold(task, eventfd(0, EFD_CLOEXEC), values);
}

static int hold_timeouts(const struct probe_task *task, double *values)
{
	return hold(task, -1, values);
}

const struct probe bench_probes_flight_io_uring[] = {
	{"flight-polls", hold_polls},
	{"flight-timeouts", hold_timeouts},
	{.name = NULL},
};
