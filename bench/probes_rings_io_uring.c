/* SPDX-License-Identifier: MIT */
/* What rings cost that do little or nothing. */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "content.h"
#include "footprint.h"
#include "meter.h"
#include "probe.h"

#define ENTRIES 8
#define BLOCK	4096

static int submit_and_expect(struct io_uring *ring, int expected)
{
	struct io_uring_cqe *cqe;
	int result = io_uring_submit_and_wait(ring, 1);

	if (result < 0)
		return result;
	result = io_uring_wait_cqe(ring, &cqe);
	if (result)
		return result;
	result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	if (result == expected)
		return 0;
	return result < 0 ? result : -EIO;
}

static int make_nop(struct io_uring *ring)
{
	io_uring_prep_nop(io_uring_get_sqe(ring));
	return submit_and_expect(ring, 0);
}

/* Made and taken down, with x entries: microseconds. */
static int cycle(const struct probe_task *task, double *values)
{
	uint64_t begin = bench_now(), end = begin + (uint64_t)(task->seconds * NANOSECONDS);
	unsigned count = 0;
	uint64_t now;

	do {
		struct io_uring ring;
		int error = io_uring_queue_init(task->x, &ring, 0);

		if (error)
			return error;
		io_uring_queue_exit(&ring);
		count++;
		now = bench_now();
	} while (now < end);
	values[0] = (double)(now - begin) / 1000 / count;
	return 0;
}

static struct io_uring *make_rings(unsigned count, int *error)
{
	struct io_uring *rings = calloc(count, sizeof(*rings));

	*error = rings ? bench_descriptors_check(8 * count) : -ENOMEM;
	/* Touched now, or it would count as what a ring takes. */
	for (unsigned i = 0; rings && i < count; i++)
		rings[i].ring_fd = -1;
	return rings;
}

static int open_rings(struct io_uring *rings, unsigned count)
{
	int error = 0;

	for (unsigned i = 0; !error && i < count; i++)
		error = io_uring_queue_init(ENTRIES, &rings[i], 0);
	return error;
}

/* A NOP and a read on each. */
static int use_rings(struct io_uring *rings, unsigned count, const struct file *file)
{
	static char buffer[BLOCK];
	int error = 0;

	for (unsigned i = 0; !error && i < count; i++) {
		uint64_t offset = (uint64_t)i * BLOCK;

		error = make_nop(&rings[i]);
		if (error)
			break;
		io_uring_prep_read(io_uring_get_sqe(&rings[i]), file->fd, buffer, BLOCK, offset);
		error = submit_and_expect(&rings[i], BLOCK);
		if (!error && !bench_content_matches(buffer, BLOCK, offset))
			error = -EIO;
	}
	return error;
}

/* One poll on each, of a file of its own that is never ready. */
static int arm_rings(struct io_uring *rings, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int fd = eventfd(0, EFD_CLOEXEC);

		if (fd < 0)
			return -errno;
		io_uring_prep_poll_add(io_uring_get_sqe(&rings[i]), fd, POLLIN);
		if (io_uring_submit(&rings[i]) != 1)
			return -EIO;
	}
	return 0;
}

static double switches_in(double seconds)
{
	/* What the work before has started may have some time to come to rest. */
	const struct timespec rest = {.tv_nsec = 300000000};
	struct timespec while_idle = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * NANOSECONDS),
	};
	long switches;

	nanosleep(&rest, NULL);
	switches = bench_switches();
	nanosleep(&while_idle, NULL);
	return (double)(bench_switches() - switches) / seconds;
}

/*
 * x rings, used once: memory of each in KiB, that with what the kernel keeps for it, descriptors of
 * each; threads of the process; switches to these a second, and that with a poll armed on each.
 */
static int many(const struct probe_task *task, double *values)
{
	int error, descriptors;
	struct io_uring *rings = make_rings(task->x, &error);
	double memory, kernel;

	memory = bench_memory();
	kernel = bench_kernel_memory();
	descriptors = bench_descriptors();
	if (!error)
		error = open_rings(rings, task->x);
	if (!error)
		error = use_rings(rings, task->x, task->cached);
	if (error)
		return error;
	values[0] = (bench_memory() - memory) / 1024 / task->x;
	values[1] = values[0] + (bench_kernel_memory() - kernel) / 1024 / task->x;
	values[2] = (double)(bench_descriptors() - descriptors) / task->x;
	values[3] = bench_other_threads();
	values[4] = switches_in(task->seconds);
	error = arm_rings(rings, task->x);
	values[5] = switches_in(task->seconds);
	for (unsigned i = 0; i < task->x; i++)
		io_uring_queue_exit(&rings[i]);
	free(rings);
	return error;
}

/* A NOP, alone, on one ring while x others have a poll armed each: nanoseconds. */
static int among(const struct probe_task *task, double *values)
{
	int error;
	struct io_uring *rings = make_rings(task->x + 1, &error);
	uint64_t begin, end, now;
	unsigned count = 0;

	if (!error)
		error = open_rings(rings, task->x + 1);
	if (!error)
		error = arm_rings(rings + 1, task->x);
	begin = now = bench_now();
	end = begin + (uint64_t)(task->seconds * NANOSECONDS);
	while (!error && now < end) {
		for (unsigned i = 0; !error && i < 64; i++)
			error = make_nop(&rings[0]);
		count += 64;
		now = bench_now();
	}
	if (error)
		return error;
	values[0] = (double)(now - begin) / count;
	for (unsigned i = 0; i <= task->x; i++)
		io_uring_queue_exit(&rings[i]);
	free(rings);
	return 0;
}

const struct probe bench_probes_rings_io_uring[] = {
	{"ring-cycle", cycle},
	{"rings-many", many},
	{"rings-among", among},
	{.name = NULL},
};
