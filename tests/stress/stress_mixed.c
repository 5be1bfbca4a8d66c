/* SPDX-License-Identifier: MIT */
/*
 * Description: random batches of reads, writes, syncs, links and drains on real files, each batch
 * checked against what the file must hold, and the whole file at the end.
 *
 * A batch never has two requests on one block unless their order is given: both in one chain, or
 * the later one behind a drain. So the result of each request is known beforehand.
 */
#include "stress.h"

enum { THREADS = 3, BLOCKS = 64, BLOCK = 1024, BATCH = 24, ROUNDS = 3000 };

/* What a request of the batch has to answer, and where it has its data. */
struct expectation {
	bool read;
	unsigned block, offset, length;
	int answer;
	unsigned char data[BLOCK];  /* the application's buffer */
	unsigned char model[BLOCK]; /* what a read must find */
};

struct job {
	struct asyncring ring;
	struct random random;
	int fd;
	unsigned char file[BLOCKS][BLOCK]; /* what the file must hold once all is done */
	bool touched[BLOCKS];		   /* in this batch, since the last drain */
	struct expectation expectations[BATCH];
};

static void prepare_transfer(struct job *job, struct asyncring_sqe *sqe, unsigned index,
			     unsigned block)
{
	struct expectation *expectation = &job->expectations[index];
	unsigned offset = random_below(&job->random, BLOCK);
	unsigned length = 1 + random_below(&job->random, BLOCK - offset);
	uint64_t place = (uint64_t)block * BLOCK + offset;

	expectation->read = random_chance(&job->random, 50);
	expectation->offset = offset;
	expectation->length = length;
	expectation->answer = (int)length;
	if (expectation->read) {
		memset(expectation->data, 0xee, sizeof(expectation->data));
		memcpy(expectation->model, job->file[block] + offset, length);
		asyncring_prep_read(sqe, job->fd, expectation->data, length, place);
		return;
	}
	for (unsigned i = 0; i < length; i++)
		expectation->data[i] = (unsigned char)random_next(&job->random);
	memcpy(job->file[block] + offset, expectation->data, length);
	asyncring_prep_write(sqe, job->fd, expectation->data, length, place);
}

/* A block nobody in this batch has touched since the last drain, or BLOCKS: none found. */
static unsigned free_block(struct job *job)
{
	for (unsigned tries = 0; tries < BLOCKS; tries++) {
		unsigned block = random_below(&job->random, BLOCKS);

		if (!job->touched[block])
			return block;
	}
	return BLOCKS;
}

static unsigned some_flags(struct job *job)
{
	return random_chance(&job->random, 25) ? ASYNCRING_SQE_ASYNC : 0;
}

static void prepare_batch(struct job *job, unsigned count)
{
	unsigned chain_left = 0, block = 0;

	memset(job->touched, 0, sizeof(job->touched));
	for (unsigned i = 0; i < count; i++) {
		struct asyncring_sqe *sqe = stress_sqe(&job->ring, 0);
		unsigned flags = some_flags(job);

		/* A chain stays with its block; otherwise a new one, behind a drain any. */
		if (chain_left) {
			chain_left--;
		} else {
			if (random_chance(&job->random, 8)) {
				flags |= ASYNCRING_SQE_IO_DRAIN;
				memset(job->touched, 0, sizeof(job->touched));
			}
			block = free_block(job);
			check(block < BLOCKS);
			job->touched[block] = true;
			if (random_chance(&job->random, 25))
				chain_left = random_below(&job->random, 4);
		}
		if (chain_left && i + 1 < count)
			flags |= random_chance(&job->random, 30) ? ASYNCRING_SQE_IO_HARDLINK
								 : ASYNCRING_SQE_IO_LINK;
		if (random_chance(&job->random, 5)) {
			job->expectations[i].read = false;
			job->expectations[i].answer = 0;
			asyncring_prep_fsync(sqe, job->fd, ASYNCRING_FSYNC_DATASYNC);
		} else {
			prepare_transfer(job, sqe, i, block);
		}
		stress_name(sqe, i, flags);
	}
}

static void judge(struct job *job, const struct completion *cqe, bool seen[BATCH])
{
	const struct expectation *expectation;

	check(cqe->user_data < BATCH);
	check(!seen[cqe->user_data]);
	seen[cqe->user_data] = true;
	expectation = &job->expectations[cqe->user_data];
	check_equal(cqe->res, expectation->answer);
	if (!expectation->read)
		return;
	for (unsigned i = 0; i < expectation->length; i++)
		check_equal(expectation->data[i], expectation->model[i]);
}

static void play(struct job *job)
{
	unsigned count = 1 + random_below(&job->random, BATCH);
	bool seen[BATCH] = {false};

	prepare_batch(job, count);
	stress_submit(&job->ring, count);
	for (unsigned i = 0; i < count; i++) {
		struct completion cqe = stress_next(&job->ring);

		judge(job, &cqe, seen);
	}
}

static void *working_thread(void *argument)
{
	static const unsigned flags[THREADS] = {
		0,
		ASYNCRING_SETUP_SQPOLL,
		ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN,
	};
	unsigned number = (unsigned)(uintptr_t)argument;
	uint64_t start = stress_now_ns();
	struct job *job = calloc(1, sizeof(*job));
	unsigned char found[BLOCK];

	check(job);
	job->random = random_stream(number);
	job->fd = stress_file(job->file, sizeof(job->file));
	stress_ring(&job->ring, 32, flags[number]);
	for (unsigned i = 0; i < ROUNDS && stress_time_left(start); i++)
		play(job);
	for (unsigned block = 0; block < BLOCKS; block++) {
		check_equal(pread(job->fd, found, BLOCK, (off_t)block * BLOCK), BLOCK);
		for (unsigned i = 0; i < BLOCK; i++)
			check_equal(found[i], job->file[block][i]);
	}
	asyncring_queue_exit(&job->ring);
	close(job->fd);
	free(job);
	return NULL;
}

static void files_hold_what_was_written(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		stress_thread(&threads[i], working_thread, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < THREADS; i++)
		stress_join(threads[i]);
}

/* ---- a drain waits for everything before it, and everything after it for the drain ---- */

static void drains_keep_their_place(void **state)
{
	enum { COUNT = 16 };
	struct random random = random_stream(100);
	uint64_t start = stress_now_ns();
	struct asyncring ring;

	(void)state;
	stress_ring(&ring, COUNT, 0);
	for (unsigned i = 0; i < ROUNDS && stress_time_left(start); i++) {
		unsigned drain = random_below(&random, COUNT), place = COUNT;

		for (unsigned n = 0; n < COUNT; n++) {
			struct asyncring_sqe *sqe = stress_sqe(&ring, 0);

			asyncring_prep_nop(sqe);
			stress_name(sqe, n,
				    (n == drain ? ASYNCRING_SQE_IO_DRAIN : 0) |
					    (random_chance(&random, 50) ? ASYNCRING_SQE_ASYNC : 0));
			/* Sometimes in pieces, so that completions race with submissions. */
			if (random_chance(&random, 20))
				check(asyncring_submit(&ring) > 0);
		}
		check(asyncring_submit(&ring) >= 0);
		for (unsigned n = 0; n < COUNT; n++) {
			struct completion cqe = stress_next(&ring);

			check_equal(cqe.res, 0);
			if (cqe.user_data == drain)
				place = n;
			else
				check(cqe.user_data < drain ? place == COUNT : place < COUNT);
		}
		check_equal(place, drain);
	}
	asyncring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_hold_what_was_written),
		cmocka_unit_test(drains_keep_their_place),
	};

	return stress_run(tests);
}
