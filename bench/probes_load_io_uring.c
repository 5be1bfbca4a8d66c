/* SPDX-License-Identifier: MIT */
/*
 * How long a cached read takes while far more is queued than there are threads to do it: a thousand
 * cold reads and a hundred fsyncs, at all times, on the same ring or on another.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "content.h"
#include "footprint.h"
#include "meter.h"
#include "probe.h"

#define COLD_READS 1000U
#define FSYNCS	   100U
#define ENTRIES	   2048U
#define BLOCK	   4096U
#define SAMPLES	   65536U
#define PAUSE	   50000L /* ns, between two reads */
#define OF_CACHED  UINT64_MAX

struct load {
	const struct probe_task *task;
	struct io_uring rings[2];
	struct io_uring *quick, *slow; /* for the cached reads, for the rest; may be the same */
	int files[FSYNCS];
	char *buffers;
	unsigned *ended; /* numbers of those that are to be begun again */
	unsigned ended_count;
	uint64_t next_cold, next_cached;
	uint64_t cold_reads, fsyncs; /* ended well */
	double samples[SAMPLES];
	unsigned sample_count;
};

static uint64_t cold_offset(struct load *load)
{
	return load->next_cold++ * UINT64_C(2654435761) % (load->task->large->size / BLOCK) * BLOCK;
}

/* Of number @number, from COLD_READS on an fsync, of a file that has something to be written. */
static int begin_one(struct load *load, unsigned number)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(load->slow);
	char *buffer = load->buffers + (size_t)number * BLOCK;

	if (!sqe)
		return -EBUSY;
	if (number < COLD_READS) {
		io_uring_prep_read(sqe, load->task->large->fd, buffer, BLOCK, cold_offset(load));
	} else {
		int fd = load->files[number - COLD_READS];

		if (pwrite(fd, buffer, BLOCK, 0) != (ssize_t)BLOCK)
			return -errno;
		io_uring_prep_fsync(sqe, fd, 0);
	}
	io_uring_sqe_set_data64(sqe, number);
	return 0;
}

static int begin_ended(struct load *load)
{
	int error = 0;

	while (!error && load->ended_count)
		error = begin_one(load, load->ended[--load->ended_count]);
	if (!error && io_uring_submit(load->slow) < 0)
		error = -EIO;
	return error;
}

/* What has ended on @ring; *cached: the read of cached data has. */
static int take(struct load *load, struct io_uring *ring, bool *cached)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;
	int error = 0;

	io_uring_for_each_cqe (ring, head, cqe) {
		uint64_t number = cqe->user_data;
		bool fsync = number != OF_CACHED && number >= COLD_READS;

		seen++;
		if (cqe->res != (fsync ? 0 : (int)BLOCK))
			error = cqe->res < 0 ? cqe->res : -EIO;
		if (number == OF_CACHED) {
			*cached = true;
			continue;
		}
		load->fsyncs += fsync;
		load->cold_reads += !fsync;
		load->ended[load->ended_count++] = (unsigned)number;
	}
	io_uring_cq_advance(ring, seen);
	return error;
}

static int read_cached(struct load *load)
{
	const struct file *file = load->task->cached;
	uint64_t offset = load->next_cached++ * UINT64_C(2654435761) % (file->size / BLOCK) * BLOCK;
	static char buffer[BLOCK];
	struct io_uring_sqe *sqe;
	uint64_t from = bench_now();
	bool done = false;
	int error = 0;

	sqe = io_uring_get_sqe(load->quick);
	if (!sqe)
		return -EBUSY;
	io_uring_prep_read(sqe, file->fd, buffer, BLOCK, offset);
	io_uring_sqe_set_data64(sqe, OF_CACHED);
	if (io_uring_submit(load->quick) < 0)
		return -EIO;
	while (!error && !done) {
		struct io_uring_cqe *cqe;

		error = io_uring_wait_cqe(load->quick, &cqe);
		if (!error)
			error = take(load, load->quick, &done);
	}
	load->samples[load->sample_count++] = (double)(bench_now() - from) / 1000;
	if (!error && !bench_content_matches(buffer, BLOCK, offset))
		error = -EIO;
	return error;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The time of reads over @seconds: the median, and what one in a hundred exceeds; microseconds. */
static int sample(struct load *load, double seconds, double *median, double *slow)
{
	const struct timespec pause = {.tv_nsec = PAUSE};
	uint64_t end = bench_now() + (uint64_t)(seconds * NANOSECONDS);
	int error = 0;
	bool ignored;

	load->sample_count = 0;
	while (!error && bench_now() < end && load->sample_count < SAMPLES) {
		error = read_cached(load);
		if (!error && load->slow)
			error = take(load, load->slow, &ignored);
		if (!error && load->slow)
			error = begin_ended(load);
		nanosleep(&pause, NULL);
	}
	qsort(load->samples, load->sample_count, sizeof(load->samples[0]), compare);
	*median = load->samples[load->sample_count / 2];
	*slow = load->samples[load->sample_count * 99 / 100];
	return error;
}

static int make_files(struct load *load)
{
	for (unsigned i = 0; i < FSYNCS; i++) {
		load->files[i] = open(load->task->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (load->files[i] < 0)
			return -errno;
		/* The block is there already: what an fsync waits for is its data. */
		if (pwrite(load->files[i], load->buffers, BLOCK, 0) != (ssize_t)BLOCK ||
		    fsync(load->files[i]))
			return -errno;
	}
	return 0;
}

static int open_load(struct load *load)
{
	int error = bench_descriptors_check(1000);

	load->buffers = calloc(COLD_READS + FSYNCS, BLOCK);
	load->ended = calloc(COLD_READS + FSYNCS, sizeof(*load->ended));
	if (!load->buffers || !load->ended)
		return -ENOMEM;
	for (unsigned i = 0; !error && i < 2; i++)
		error = io_uring_queue_init(ENTRIES, &load->rings[i], 0);
	return error ? error : make_files(load);
}

static int drain(struct load *load)
{
	unsigned outstanding = COLD_READS + FSYNCS - load->ended_count;
	int error = 0;
	bool ignored;

	while (!error && outstanding) {
		struct io_uring_cqe *cqe;

		error = io_uring_wait_cqe(load->slow, &cqe);
		if (!error)
			error = take(load, load->slow, &ignored);
		outstanding = COLD_READS + FSYNCS - load->ended_count;
	}
	return error;
}

/* Have the reads come from a device, and have the fsyncs had something to write? */
static bool was_loaded(const struct load *load, const struct rusage *before)
{
	const uint64_t sectors = BLOCK / 512;
	struct rusage after;

	getrusage(RUSAGE_SELF, &after);
	return load->cold_reads && load->fsyncs &&
	       (uint64_t)(after.ru_inblock - before->ru_inblock) >=
		       load->cold_reads * sectors * 9 / 10 &&
	       (uint64_t)(after.ru_oublock - before->ru_oublock) >= load->fsyncs * sectors * 9 / 10;
}

/*
 * With x = 0 on another ring, with x = 1 on the same: median and 99th percentile on an idle machine
 * and under load, and how many times as long that is.
 */
static int load_and_read(const struct probe_task *task, double *values)
{
	static struct load load;
	struct rusage before;
	int error;

	load.task = task;
	load.quick = &load.rings[0];
	error = open_load(&load);
	if (!error)
		error = sample(&load, task->seconds, &values[0], &values[1]);
	if (error)
		return error;
	getrusage(RUSAGE_SELF, &before);
	load.slow = &load.rings[task->x ? 0 : 1];
	for (unsigned i = 0; i < COLD_READS + FSYNCS; i++)
		load.ended[load.ended_count++] = (i * 131) % (COLD_READS + FSYNCS);
	error = begin_ended(&load);
	if (!error)
		error = sample(&load, task->seconds, &values[2], &values[3]);
	if (!error)
		error = drain(&load);
	if (!error && !was_loaded(&load, &before))
		error = -ENODATA;
	values[4] = values[2] / values[0];
	values[5] = values[3] / values[1];
	io_uring_queue_exit(&load.rings[0]);
	io_uring_queue_exit(&load.rings[1]);
	return error;
}

const struct probe bench_probes_load_io_uring[] = {
	{"loaded-read", load_and_read},
	{.name = NULL},
};
