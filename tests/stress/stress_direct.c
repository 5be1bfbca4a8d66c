/* SPDX-License-Identifier: MIT */
/*
 * Description: reads and writes with O_DIRECT, of several rings to one file, with links, drains,
 * cancellations, and rings that are closed while the device is at work.
 *
 * What must hold: each request completes exactly once; one that ends with its length is done, one
 * that ends with -ECANCELED has not been begun; of a ring that was closed each write is in the file
 * as a whole or not at all, and nothing goes to or from memory any more.
 */
#include "stress.h"

#include <linux/falloc.h>
#include <sys/uio.h>

enum {
	THREADS = 4,
	ROUNDS = 2000,
	BLOCK = 4096,
	CELL_BLOCKS = 4, /* at most, of one request */
	CELL = CELL_BLOCKS * BLOCK,
	CELLS = 24,
	AREA = CELLS * CELL, /* of the file, a thread's own */
	BATCH = CELLS,
	CANCELLATION = 1000,
	UNKNOWN = INT32_MIN, /* no completion has come */
};

static const unsigned ring_flags[THREADS] = {
	0,
	ASYNCRING_SETUP_SQPOLL,
	ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN,
	0,
};

/* All threads', O_DIRECT; -1: the file system does not know that. */
static int file;

static void *aligned_memory(size_t size)
{
	void *memory = aligned_alloc(BLOCK, size);

	check(memory);
	memset(memory, 0, size);
	return memory;
}

/* ---- what was written is read ---- */

enum kind { READ, WRITE, SYNC };

struct step {
	enum kind kind;
	unsigned cell, offset, length; /* in the cell */
	unsigned link;		       /* ASYNCRING_SQE_IO_LINK, _HARDLINK: what follows it */
	bool targeted;		       /* by a cancellation */
	int result;
	struct iovec vector[2];
	unsigned char *data; /* a cell */
};

struct job {
	struct asyncring ring;
	struct random random;
	uint64_t base;		/* of its area */
	unsigned char *content; /* what the area must hold */
	unsigned char *memory;	/* a registered buffer: a cell for each step */
	bool touched[CELLS];	/* in this batch, since the last drain */
	struct step steps[BATCH];
	unsigned count;
	bool cancels;
};

static void fill(struct random *random, void *bytes, size_t length)
{
	uint64_t *words = bytes;

	for (size_t i = 0; i < length / sizeof(*words); i++)
		words[i] = random_next(random);
}

static unsigned char *place(struct job *job, const struct step *step)
{
	return job->content + (size_t)step->cell * CELL + step->offset;
}

/* In one of three forms. */
static void prepare_transfer(struct job *job, struct asyncring_sqe *sqe, struct step *step, int fd)
{
	uint64_t offset = job->base + (uint64_t)step->cell * CELL + step->offset;
	bool write = step->kind == WRITE;
	unsigned first = random_below(&job->random, step->length / BLOCK) * BLOCK;

	switch (random_below(&job->random, 3)) {
	case 0:
		step->vector[0] = (struct iovec){step->data, first};
		step->vector[1] = (struct iovec){step->data + first, step->length - first};
		if (write)
			asyncring_prep_writev(sqe, fd, step->vector, 2, offset);
		else
			asyncring_prep_readv(sqe, fd, step->vector, 2, offset);
		break;
	case 1:
		if (write)
			asyncring_prep_write_fixed(sqe, fd, step->data, step->length, offset, 0);
		else
			asyncring_prep_read_fixed(sqe, fd, step->data, step->length, offset, 0);
		break;
	default:
		if (write)
			asyncring_prep_write(sqe, fd, step->data, step->length, offset);
		else
			asyncring_prep_read(sqe, fd, step->data, step->length, offset);
	}
}

static void prepare_step(struct job *job, unsigned number, unsigned cell, unsigned flags)
{
	struct asyncring_sqe *sqe = stress_sqe(&job->ring, 0);
	struct step *step = &job->steps[number];
	bool registered = random_chance(&job->random, 30);
	int fd = registered ? 0 : file;
	unsigned blocks = 1 + random_below(&job->random, CELL_BLOCKS);

	step->kind = random_chance(&job->random, 4) ? SYNC : random_chance(&job->random, 50);
	step->cell = cell;
	step->length = blocks * BLOCK;
	step->offset = random_below(&job->random, CELL_BLOCKS - blocks + 1) * BLOCK;
	step->data = job->memory + (size_t)number * CELL;
	memset(step->data, 0xee, step->length);
	if (step->kind == WRITE)
		fill(&job->random, step->data, step->length);
	if (step->kind == SYNC)
		asyncring_prep_fsync(sqe, fd, ASYNCRING_FSYNC_DATASYNC);
	else
		prepare_transfer(job, sqe, step, fd);
	if (registered)
		flags |= ASYNCRING_SQE_FIXED_FILE;
	if (random_chance(&job->random, 10))
		flags |= ASYNCRING_SQE_ASYNC;
	stress_name(sqe, number, flags);
}

/* One that nobody in this batch has touched since the last drain; there are enough. */
static unsigned free_cell(struct job *job)
{
	unsigned cell;

	do
		cell = random_below(&job->random, CELLS);
	while (job->touched[cell]);
	job->touched[cell] = true;
	return cell;
}

/* A chain stays in its cell, so what its members must find is known. */
static void prepare_batch(struct job *job)
{
	unsigned chain_left = 0, cell = 0;

	memset(job->touched, 0, sizeof(job->touched));
	for (unsigned i = 0; i < job->count; i++) {
		struct step *step = &job->steps[i];
		unsigned flags = 0;

		*step = (struct step){.result = UNKNOWN};
		if (chain_left) {
			chain_left--;
		} else {
			/* What becomes of a drain that is cancelled is not the subject here. */
			if (!job->cancels && random_chance(&job->random, 8)) {
				flags |= ASYNCRING_SQE_IO_DRAIN;
				memset(job->touched, 0, sizeof(job->touched));
			}
			cell = free_cell(job);
			if (random_chance(&job->random, 25))
				chain_left = random_below(&job->random, 4);
		}
		if (chain_left && i + 1 < job->count)
			step->link = random_chance(&job->random, 30) ? ASYNCRING_SQE_IO_HARDLINK
								     : ASYNCRING_SQE_IO_LINK;
		prepare_step(job, i, cell, flags | step->link);
	}
}

static void target(struct job *job, unsigned first, unsigned end)
{
	while (first < end)
		job->steps[first++].targeted = true;
}

/* Returns how many completions are to come for it. */
static unsigned cancel_some(struct job *job)
{
	unsigned which = random_below(&job->random, job->count);
	struct asyncring_sync_cancel_reg reg = {.addr = which, .fd = -1, .timeout = {0, 0}};
	struct asyncring_sqe *sqe;
	int error;

	target(job, which, which + 1);
	switch (random_below(&job->random, 4)) {
	case 0:
		error = asyncring_register_sync_cancel(&job->ring, &reg);
		check(error == 0 || error == -ENOENT || error == -ETIME || error == -EALREADY);
		return 0;
	case 1:
		target(job, 0, job->count);
		sqe = stress_sqe(&job->ring, 0);
		asyncring_prep_cancel_fd(sqe, file, ASYNCRING_ASYNC_CANCEL_ALL);
		break;
	default:
		sqe = stress_sqe(&job->ring, 0);
		asyncring_prep_cancel64(sqe, which, 0);
	}
	stress_name(sqe, CANCELLATION, 0);
	stress_submit(&job->ring, 1);
	return 1;
}

static void take(struct job *job)
{
	struct completion cqe = stress_next(&job->ring);

	if (cqe.user_data == CANCELLATION) {
		check((cqe.res >= 0 && cqe.res <= BATCH) || cqe.res == -ENOENT ||
		      cqe.res == -EALREADY);
		return;
	}
	check(cqe.user_data < job->count);
	check_equal(job->steps[cqe.user_data].result, UNKNOWN);
	job->steps[cqe.user_data].result = cqe.res;
}

static void check_untouched(const struct step *step)
{
	for (unsigned i = 0; i < step->length; i++)
		check_equal(step->data[i], 0xee);
}

/* In the order of submission, which is that of all that concerns a cell. */
static void judge(struct job *job)
{
	bool broken = false; /* the chain: the rest of it is not begun */

	for (unsigned i = 0; i < job->count; i++) {
		const struct step *step = &job->steps[i];
		bool cancelled = step->result == -ECANCELED;

		if (cancelled) {
			check(broken || step->targeted);
			if (step->kind == READ)
				check_untouched(step);
		} else {
			check(!broken);
			check_equal(step->result, step->kind == SYNC ? 0 : (int)step->length);
		}
		if (!cancelled && step->kind == WRITE)
			memcpy(place(job, step), step->data, step->length);
		if (!cancelled && step->kind == READ)
			check(!memcmp(place(job, step), step->data, step->length));
		broken = broken ? step->link : cancelled && step->link == ASYNCRING_SQE_IO_LINK;
	}
}

/* Blocks have to be allocated again, which not even a write with O_DIRECT does without waiting. */
static void make_a_hole(struct job *job)
{
	unsigned first = random_below(&job->random, CELLS),
		 count = 1 + random_below(&job->random, CELLS - first);

	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)(job->base + (uint64_t)first * CELL), (off_t)count * CELL))
		return;
	memset(job->content + (size_t)first * CELL, 0, (size_t)count * CELL);
}

static void play(struct job *job)
{
	unsigned expected;

	if (random_chance(&job->random, 10))
		make_a_hole(job);
	job->count = 1 + random_below(&job->random, BATCH);
	job->cancels = random_chance(&job->random, 50);
	prepare_batch(job);
	stress_submit(&job->ring, job->count);
	expected = job->count;
	if (job->cancels)
		for (unsigned i = 1 + random_below(&job->random, 6); i--;)
			expected += cancel_some(job);
	while (expected--)
		take(job);
	judge(job);
}

static void check_area(const struct job *job)
{
	unsigned char *found = aligned_memory(AREA);

	check_equal(pread(file, found, AREA, (off_t)job->base), AREA);
	check(!memcmp(found, job->content, AREA));
	free(found);
}

static void *transferring_thread(void *argument)
{
	unsigned number = (unsigned)(uintptr_t)argument;
	struct job *job = calloc(1, sizeof(*job));
	uint64_t start = stress_now_ns();
	struct iovec buffer;

	check(job);
	job->random = random_stream(number);
	job->base = (uint64_t)number * AREA;
	job->content = aligned_memory(AREA);
	job->memory = aligned_memory(AREA);
	buffer = (struct iovec){job->memory, AREA};
	stress_ring(&job->ring, 32, ring_flags[number]);
	check_equal(asyncring_register_buffers(&job->ring, &buffer, 1), 0);
	check_equal(asyncring_register_files(&job->ring, &file, 1), 0);
	for (unsigned i = 0; i < ROUNDS && stress_time_left(start); i++)
		play(job);
	asyncring_queue_exit(&job->ring);
	check_area(job);
	free(job->memory);
	free(job->content);
	free(job);
	return NULL;
}

static void in_all_threads(void *(*body)(void *))
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		stress_thread(&threads[i], body, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < THREADS; i++)
		stress_join(threads[i]);
}

static void what_was_written_is_read(void **state)
{
	(void)state;
	if (file < 0)
		skip();
	in_all_threads(transferring_thread);
}

/* ---- rings are closed under way ---- */

enum { BLOCKS = AREA / BLOCK, AT_ONCE = 32 };

struct closing {
	struct asyncring ring;
	struct random random;
	uint64_t base;
	unsigned char *before; /* what the area holds */
	unsigned char *data;   /* a block for each of its blocks */
	unsigned char *found;
	bool writes[BLOCKS]; /* the others are read, or left alone */
	pthread_barrier_t start;
};

static void begin_closing(struct closing *closing, unsigned number)
{
	closing->random = random_stream(100 + number);
	closing->base = (uint64_t)number * AREA;
	closing->before = aligned_memory(AREA);
	closing->data = aligned_memory(AREA);
	closing->found = aligned_memory(AREA);
	check_equal(pread(file, closing->before, AREA, (off_t)closing->base), AREA);
}

static void end_closing(struct closing *closing)
{
	free(closing->found);
	free(closing->data);
	free(closing->before);
}

/* Decided beforehand, so that nobody else need look while they are submitted. */
static void decide(struct closing *closing)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		closing->writes[i] = random_chance(&closing->random, 50);
	fill(&closing->random, closing->data, AREA);
}

static void prepare_block(struct closing *closing, unsigned i, unsigned flags)
{
	struct asyncring_sqe *sqe = stress_sqe(&closing->ring, 0);
	unsigned char *data = closing->data + (size_t)i * BLOCK;
	uint64_t offset = closing->base + (uint64_t)i * BLOCK;

	if (closing->writes[i])
		asyncring_prep_write(sqe, file, data, BLOCK, offset);
	else
		asyncring_prep_read(sqe, file, data, BLOCK, offset);
	stress_name(sqe, i, flags);
}

/*
 * The ring is gone. Each block is as it was, or as it was to be; and stays so, as does the memory
 * that was read to.
 */
static void check_closed(struct closing *closing)
{
	check_equal(pread(file, closing->found, AREA, (off_t)closing->base), AREA);
	for (unsigned i = 0; i < BLOCKS; i++) {
		size_t at = (size_t)i * BLOCK;

		if (!memcmp(closing->found + at, closing->before + at, BLOCK))
			continue;
		check(closing->writes[i]);
		check(!memcmp(closing->found + at, closing->data + at, BLOCK));
	}
	memcpy(closing->before, closing->found, AREA);
	memset(closing->data, 0x11, AREA);
}

static void check_quiet(struct closing *closing)
{
	for (unsigned i = 0; i < AREA; i++)
		check_equal(closing->data[i], 0x11);
	check_equal(pread(file, closing->found, AREA, (off_t)closing->base), AREA);
	check(!memcmp(closing->found, closing->before, AREA));
}

/* By who has submitted, with more in flight than a small context has room for. */
static void close_round(struct closing *closing, unsigned flags)
{
	unsigned count = 1 + random_below(&closing->random, BLOCKS), ready = 0;

	stress_ring(&closing->ring, AT_ONCE, flags);
	decide(closing);
	for (unsigned i = 0; i < count; i++) {
		unsigned choice = random_below(&closing->random, 10);

		prepare_block(closing, i,
			      choice == 0   ? ASYNCRING_SQE_ASYNC
			      : choice == 1 ? ASYNCRING_SQE_IO_LINK
					    : 0);
		if (++ready < AT_ONCE && i + 1 < count)
			continue;
		stress_submit(&closing->ring, ready);
		ready = 0;
	}
	if (random_chance(&closing->random, 30))
		stress_next(&closing->ring);
	for (unsigned pauses = random_below(&closing->random, 30); pauses--;)
		sched_yield();
	asyncring_queue_exit(&closing->ring);
	check_closed(closing);
}

static void *short_lived_thread(void *argument)
{
	unsigned number = (unsigned)(uintptr_t)argument;
	uint64_t start = stress_now_ns();
	struct closing *closing = calloc(1, sizeof(*closing));

	check(closing);
	begin_closing(closing, number);
	for (unsigned i = 0; i < ROUNDS && stress_time_left(start); i++) {
		close_round(closing, ring_flags[number]);
		if (random_chance(&closing->random, 20))
			check_quiet(closing);
	}
	end_closing(closing);
	free(closing);
	return NULL;
}

static void a_closed_ring_has_done_all_or_nothing(void **state)
{
	(void)state;
	if (file < 0)
		skip();
	in_all_threads(short_lived_thread);
}

/* ---- by somebody else, while they are submitted ---- */

static void *submitting_thread(void *argument)
{
	struct closing *closing = argument;
	int submitted = 1;

	pthread_barrier_wait(&closing->start);
	for (unsigned i = 0; i < BLOCKS && submitted == 1; i++) {
		prepare_block(closing, i, i % 8 ? 0 : ASYNCRING_SQE_ASYNC);
		submitted = asyncring_submit(&closing->ring);
	}
	check(submitted == 1 || submitted == -EBADF || submitted == -EOPNOTSUPP);
	return NULL;
}

static void *waiting_thread(void *argument)
{
	struct closing *closing = argument;
	int error;

	pthread_barrier_wait(&closing->start);
	/* One long call: there are never so many. */
	do
		error = asyncring_enter((unsigned)closing->ring.ring_fd, 0, BLOCKS + 1,
					ASYNCRING_ENTER_GETEVENTS, NULL);
	while (!error);
	check(error == -EBADF || error == -EOPNOTSUPP);
	return NULL;
}

/* The ring lies in memory of ours, where the others may still look when it is gone. */
static void close_from_outside(struct closing *closing, void *memory, size_t size)
{
	struct asyncring_params params = {0};
	unsigned pauses = random_below(&closing->random, 60);
	pthread_t submitter, waiter;

	memset(memory, 0, size);
	check(asyncring_queue_init_mem(2 * BLOCKS, &closing->ring, &params, memory, size) > 0);
	decide(closing);
	check_equal(pthread_barrier_init(&closing->start, NULL, 3), 0);
	stress_thread(&submitter, submitting_thread, closing);
	stress_thread(&waiter, waiting_thread, closing);
	pthread_barrier_wait(&closing->start);
	while (pauses--)
		sched_yield();
	check_equal(asyncring_close(closing->ring.ring_fd), 0);
	check_closed(closing);
	stress_join(submitter);
	stress_join(waiter);
	check_quiet(closing);
	pthread_barrier_destroy(&closing->start);
}

static void a_closed_ring_transfers_nothing(void **state)
{
	static struct closing closing;
	uint64_t start = stress_now_ns();
	size_t size = 1 << 18;
	void *memory;

	(void)state;
	if (file < 0)
		skip();
	memory = aligned_alloc(65536, size);
	check(memory);
	begin_closing(&closing, 0);
	for (unsigned i = 0; i < ROUNDS && stress_time_left(start); i++)
		close_from_outside(&closing, memory, size);
	end_closing(&closing);
	free(memory);
}

/* ---- set-up ---- */

/* Where there is a disk, mostly. It has its size, but no blocks yet. */
static int open_file(void **state)
{
	char name[] = "/var/tmp/asyncring-stress-XXXXXX";

	(void)state;
	file = mkostemp(name, O_DIRECT | O_CLOEXEC);
	if (file < 0) {
		check_equal(errno, EINVAL);
		unlink(name);
		return 0;
	}
	check_equal(unlink(name), 0);
	check_equal(ftruncate(file, (off_t)THREADS * AREA), 0);
	return 0;
}

static int close_file(void **state)
{
	(void)state;
	if (file >= 0)
		close(file);
	return 0;
}

#define direct_test(name) cmocka_unit_test_setup_teardown(name, open_file, close_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		direct_test(what_was_written_is_read),
		direct_test(a_closed_ring_has_done_all_or_nothing),
		direct_test(a_closed_ring_transfers_nothing),
	};

	return stress_run(tests);
}
