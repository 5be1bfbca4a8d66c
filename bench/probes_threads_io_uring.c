/* SPDX-License-Identifier: MIT */
/* Many files, many threads with a ring each, many threads that complete to one ring. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "footprint.h"
#include "meter.h"
#include "probe.h"

#define BATCH	     32U
#define MESSAGES     8U
#define BLOCK	     4096U
#define THREADS_MAX  64U
#define ON_THEIR_WAY 16384U /* at most, of messages: a full queue is not what is measured */
#define LOOKS	     16U    /* batches between two looks at the clock */

struct reader {
	struct io_uring ring;
	const struct file *file;
	const int *descriptors;
	unsigned descriptor_count;
	bool registered, nops, async;
	unsigned batch;
	uint64_t next;
	char *buffer;
};

/* One batch, awaited; with @check the data, too. */
static int turn(struct reader *reader, bool check)
{
	uint64_t offsets[BATCH];
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;
	int error = 0;

	for (unsigned i = 0; i < reader->batch; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&reader->ring);
		uint64_t n = reader->next++;
		unsigned file = (unsigned)(n * 2654435761U % reader->descriptor_count);

		offsets[i] = n * UINT64_C(0x9e3779b1) % (reader->file->size / BLOCK) * BLOCK;
		if (reader->nops)
			io_uring_prep_nop(sqe);
		else
			io_uring_prep_read(
				sqe, reader->registered ? (int)file : reader->descriptors[file],
				reader->buffer + i * BLOCK, BLOCK, offsets[i]);
		sqe->flags |= (reader->registered ? IOSQE_FIXED_FILE : 0) |
			      (reader->async ? IOSQE_ASYNC : 0);
	}
	if (io_uring_submit_and_wait(&reader->ring, reader->batch) < 0)
		return -EIO;
	io_uring_for_each_cqe (&reader->ring, head, cqe) {
		if (cqe->res != (reader->nops ? 0 : (int)BLOCK))
			error = cqe->res < 0 ? cqe->res : -EIO;
		seen++;
	}
	io_uring_cq_advance(&reader->ring, seen);
	for (unsigned i = 0; check && !error && i < reader->batch; i++)
		if (!bench_content_matches(reader->buffer + i * BLOCK, BLOCK, offsets[i]))
			error = -EIO;
	return seen == reader->batch ? error : -EIO;
}

static int open_reader(struct reader *reader)
{
	reader->buffer = malloc((size_t)BATCH * BLOCK);
	if (!reader->buffer)
		return -ENOMEM;
	return io_uring_queue_init(BATCH, &reader->ring, 0);
}

static void close_reader(struct reader *reader)
{
	io_uring_queue_exit(&reader->ring);
	free(reader->buffer);
}

/* Operations until @end. */
static int read_until(struct reader *reader, uint64_t end, uint64_t *operations)
{
	int error = turn(reader, !reader->nops);

	while (!error && bench_now() < end) {
		for (unsigned i = 0; !error && i < LOOKS; i++) {
			error = turn(reader, false);
			*operations += reader->batch;
		}
	}
	return error;
}

/* ---- many files ---- */

/* Cached reads from x open files, operations per second; by their numbers or registered. */
static int read_files(const struct probe_task *task, bool registered, double *values)
{
	struct reader reader = {
		.file = task->cached,
		.descriptor_count = task->x,
		.registered = registered,
		.batch = BATCH,
	};
	int *descriptors = calloc(task->x, sizeof(int));
	int error = descriptors ? bench_descriptors_check(2 * task->x + 100) : -ENOMEM;
	uint64_t operations = 0, begin;

	for (unsigned i = 0; !error && i < task->x; i++) {
		descriptors[i] = bench_file_reopen(task->cached, O_RDONLY);
		error = descriptors[i] < 0 ? descriptors[i] : 0;
	}
	reader.descriptors = descriptors;
	if (!error)
		error = open_reader(&reader);
	if (!error && registered)
		error = io_uring_register_files(&reader.ring, descriptors, task->x);
	/* Each file is known after this. */
	for (unsigned i = 0; !error && i < task->x; i += BATCH)
		error = turn(&reader, true);
	if (error)
		return error;
	begin = bench_now();
	error = read_until(&reader, begin + (uint64_t)(task->seconds * NANOSECONDS), &operations);
	values[0] = (double)operations * NANOSECONDS / (double)(bench_now() - begin);
	close_reader(&reader);
	free(descriptors);
	return error;
}

static int read_plain_files(const struct probe_task *task, double *values)
{
	return read_files(task, false, values);
}

static int read_registered_files(const struct probe_task *task, double *values)
{
	return read_files(task, true, values);
}

/* ---- many threads ---- */

struct submitter {
	pthread_t thread;
	pthread_barrier_t *start;
	double seconds;
	struct reader reader;
	uint64_t operations;
	int error;
};

static void *submit_thread(void *argument)
{
	struct submitter *self = argument;

	self->error = open_reader(&self->reader);
	pthread_barrier_wait(self->start);
	if (self->error)
		return NULL;
	self->error =
		read_until(&self->reader, bench_now() + (uint64_t)(self->seconds * NANOSECONDS),
			   &self->operations);
	close_reader(&self->reader);
	return NULL;
}

/* x threads with a ring each: operations of all per second. */
static int submit_from(const struct probe_task *task, bool nops, double *values)
{
	struct submitter *submitters = calloc(task->x, sizeof(*submitters));
	pthread_barrier_t start;
	uint64_t operations = 0, begin;
	int error = 0;

	if (!submitters)
		return -ENOMEM;
	pthread_barrier_init(&start, NULL, task->x + 1);
	for (unsigned i = 0; i < task->x; i++) {
		submitters[i] = (struct submitter){
			.start = &start,
			.seconds = task->seconds,
			.reader =
				{
					.file = task->cached,
					.descriptors = &task->cached->fd,
					.descriptor_count = 1,
					.nops = nops,
					.batch = BATCH,
					.next = (uint64_t)i << 20,
				},
		};
		if (pthread_create(&submitters[i].thread, NULL, submit_thread, &submitters[i]))
			return -EAGAIN;
	}
	pthread_barrier_wait(&start);
	begin = bench_now();
	for (unsigned i = 0; i < task->x; i++) {
		pthread_join(submitters[i].thread, NULL);
		operations += submitters[i].operations;
		error = error ? error : submitters[i].error;
	}
	values[0] = (double)operations * NANOSECONDS / (double)(bench_now() - begin);
	free(submitters);
	return error;
}

static int submit_nops(const struct probe_task *task, double *values)
{
	return submit_from(task, true, values);
}

static int submit_reads(const struct probe_task *task, double *values)
{
	return submit_from(task, false, values);
}

/* ---- many that complete to one ring ---- */

struct producers {
	struct io_uring target;
	atomic_bool stop;
	_Atomic uint64_t sent, received;
	_Atomic int error;
};

/* Messages until it is time; a few at a time. */
static void *send_messages(void *argument)
{
	struct producers *all = argument;
	struct io_uring ring;
	int error = io_uring_queue_init(MESSAGES, &ring, 0);

	while (!error && !all->stop) {
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;

		if (all->sent - all->received > ON_THEIR_WAY) {
			sched_yield();
			continue;
		}
		for (unsigned i = 0; i < MESSAGES; i++)
			io_uring_prep_msg_ring(io_uring_get_sqe(&ring), all->target.ring_fd, i, 1,
					       0);
		if (io_uring_submit_and_wait(&ring, MESSAGES) < 0)
			error = -EIO;
		io_uring_for_each_cqe (&ring, head, cqe) {
			if (cqe->res)
				error = cqe->res;
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		all->sent += seen;
	}
	if (error)
		all->error = error;
	io_uring_queue_exit(&ring);
	return NULL;
}

static int receive_messages(struct producers *all, uint64_t end)
{
	while (!all->error && bench_now() < end) {
		struct __kernel_timespec moment = {.tv_nsec = 1000000};
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;
		int result = io_uring_wait_cqe_timeout(&all->target, &cqe, &moment);

		if (result == -ETIME)
			continue;
		if (result)
			return result;
		io_uring_for_each_cqe (&all->target, head, cqe) {
			if (cqe->user_data != 1 || cqe->res < 0 || cqe->res >= (int)MESSAGES)
				return -EIO;
			seen++;
		}
		io_uring_cq_advance(&all->target, seen);
		all->received += seen;
	}
	return all->error;
}

/* x threads send messages to one ring, whose owner takes them: messages per second. */
static int produce_messages(const struct probe_task *task, double *values)
{
	struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE, .cq_entries = 65536};
	static struct producers all;
	pthread_t threads[THREADS_MAX];
	unsigned running = 0;
	uint64_t begin;
	int error = io_uring_queue_init_params(8, &all.target, &params);

	if (error)
		return error;
	begin = bench_now();
	while (!error && running < task->x && running < THREADS_MAX) {
		error = -pthread_create(&threads[running], NULL, send_messages, &all);
		running += !error;
	}
	if (!error)
		error = receive_messages(&all, begin + (uint64_t)(task->seconds * NANOSECONDS));
	values[0] = (double)all.received * NANOSECONDS / (double)(bench_now() - begin);
	all.stop = true;
	while (running)
		pthread_join(threads[--running], NULL);
	io_uring_queue_exit(&all.target);
	return error ? error : all.error;
}

/* NOPs that threads of a pool have to carry out, x at a time: per second. */
static int produce_async(const struct probe_task *task, double *values)
{
	struct reader reader = {
		.file = task->cached,
		.descriptor_count = 1,
		.nops = true,
		.async = true,
		.batch = task->x,
	};
	uint64_t operations = 0, begin;
	int error = task->x > BATCH ? -EINVAL : open_reader(&reader);

	if (error)
		return error;
	begin = bench_now();
	error = read_until(&reader, begin + (uint64_t)(task->seconds * NANOSECONDS), &operations);
	values[0] = (double)operations * NANOSECONDS / (double)(bench_now() - begin);
	close_reader(&reader);
	return error;
}

const struct probe bench_probes_threads_io_uring[] = {
	{"files-plain", read_plain_files},
	{"files-registered", read_registered_files},
	{"submitters-nops", submit_nops},
	{"submitters-reads", submit_reads},
	{"producers-messages", produce_messages},
	{"producers-async", produce_async},
	{.name = NULL},
};
