/* SPDX-License-Identifier: MIT */
/*
 * Description: requests, cancellations, data and the close of the ring, racing each other.
 *
 * What must hold: each request completes exactly once; one that ends with -ECANCELED or -EINTR has
 * taken nothing (what was written into a pipe is either in a buffer or still in the pipe); after a
 * close nothing is taken any more.
 */
#include "stress.h"

enum { PIPES = 8, THREADS = 3, ROUNDS = 2000 };

#define CANCEL_NAME 1000
#define FILE_NAME   2000

struct round {
	struct asyncring *ring;
	struct random *random;
	int pipes[PIPES][2];
	char buffers[PIPES];
	bool written[PIPES];
	unsigned ends[PIPES]; /* completions seen */
	int results[PIPES];
	unsigned expected; /* completions still to come */
};

static void submit_reads(struct round *round, int file)
{
	static char scratch[4096];

	for (unsigned i = 0; i < PIPES; i++) {
		struct asyncring_sqe *sqe = stress_sqe(round->ring, 0);

		stress_pipe(round->pipes[i]);
		asyncring_prep_read(sqe, round->pipes[i][0], &round->buffers[i], 1, 0);
		stress_name(sqe, i, random_chance(round->random, 50) ? ASYNCRING_SQE_ASYNC : 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct asyncring_sqe *sqe = stress_sqe(round->ring, 0);

		asyncring_prep_write(sqe, file, scratch, sizeof(scratch), 4096 * i);
		stress_name(sqe, FILE_NAME, ASYNCRING_SQE_ASYNC);
	}
	round->expected = PIPES + 2;
	stress_submit(round->ring, PIPES + 2);
}

static void cancel_one(struct round *round, unsigned which)
{
	struct asyncring_sync_cancel_reg reg = {.addr = which, .timeout = {0, 0}};
	struct asyncring_sqe *sqe;
	int error;

	switch (random_below(round->random, 4)) {
	case 0:
		reg.fd = -1;
		error = asyncring_register_sync_cancel(round->ring, &reg);
		check(error == 0 || error == -ENOENT || error == -ETIME || error == -EALREADY);
		return;
	case 1:
		sqe = stress_sqe(round->ring, 0);
		asyncring_prep_cancel_fd(sqe, round->pipes[which][0], 0);
		break;
	case 2:
		sqe = stress_sqe(round->ring, 0);
		asyncring_prep_cancel64(sqe, which, ASYNCRING_ASYNC_CANCEL_ALL);
		break;
	default:
		sqe = stress_sqe(round->ring, 0);
		asyncring_prep_cancel64(sqe, which, 0);
	}
	stress_name(sqe, CANCEL_NAME, random_chance(round->random, 30) ? ASYNCRING_SQE_ASYNC : 0);
	round->expected++;
	stress_submit(round->ring, 1);
}

static void take(struct round *round)
{
	struct completion cqe = stress_next(round->ring);

	round->expected--;
	if (cqe.user_data == CANCEL_NAME) {
		check(cqe.res == 0 || cqe.res == 1 || cqe.res == -ENOENT || cqe.res == -EALREADY);
	} else if (cqe.user_data == FILE_NAME) {
		check_equal(cqe.res, 4096);
	} else {
		check(cqe.user_data < PIPES);
		check_equal(++round->ends[cqe.user_data], 1);
		round->results[cqe.user_data] = cqe.res;
	}
}

static void judge(struct round *round, unsigned i)
{
	char byte;

	check_equal(round->ends[i], 1);
	if (round->results[i] == 1) {
		check(round->written[i]);
		check_equal(round->buffers[i], 'x');
	} else {
		check(round->results[i] == -ECANCELED || round->results[i] == -EINTR);
		check_equal(round->buffers[i], 0);
		if (round->written[i])
			check_equal(read(round->pipes[i][0], &byte, 1), 1);
	}
	stress_close_pipe(round->pipes[i]);
}

static void play(struct asyncring *ring, struct random *random, int file)
{
	struct round round = {.ring = ring, .random = random};

	submit_reads(&round, file);
	for (unsigned i = 0; i < PIPES; i++) {
		unsigned which = random_below(random, PIPES);

		if (random_chance(random, 50)) {
			cancel_one(&round, which);
		} else if (!round.written[which]) {
			round.written[which] = true;
			check_equal(write(round.pipes[which][1], "x", 1), 1);
		}
	}
	/* Whatever has neither data nor a cancellation behind it gets data now. */
	for (unsigned i = 0; i < PIPES; i++) {
		if (round.written[i])
			continue;
		round.written[i] = true;
		check_equal(write(round.pipes[i][1], "x", 1), 1);
	}
	while (round.expected)
		take(&round);
	for (unsigned i = 0; i < PIPES; i++)
		judge(&round, i);
}

static void *cancelling_thread(void *argument)
{
	static const unsigned flags[THREADS] = {0, ASYNCRING_SETUP_SQPOLL,
						ASYNCRING_SETUP_COOP_TASKRUN};
	unsigned number = (unsigned)(uintptr_t)argument;
	struct random random = random_stream(number);
	uint64_t start = stress_now_ns();
	struct asyncring ring;
	int file = stress_file("", 0);

	stress_ring(&ring, 32, flags[number]);
	for (unsigned i = 0; i < ROUNDS && stress_time_left(start); i++)
		play(&ring, &random, file);
	asyncring_queue_exit(&ring);
	close(file);
	return NULL;
}

static void cancelled_or_done_never_both(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		stress_thread(&threads[i], cancelling_thread, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < THREADS; i++)
		stress_join(threads[i]);
}

/* ---- opening FIFOs, which sits in a system call ---- */

static void fifo_round(struct asyncring *ring, struct random *random, const char *path)
{
	struct asyncring_sqe *sqe = stress_sqe(ring, 0);
	unsigned expected = 1;
	bool cancel = random_chance(random, 60);
	int other = -1;

	asyncring_prep_openat(sqe, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	stress_name(sqe, 0, 0);
	stress_submit(ring, 1);
	if (cancel) {
		sqe = stress_sqe(ring, 0);
		asyncring_prep_cancel64(sqe, 0, 0);
		stress_name(sqe, CANCEL_NAME, 0);
		stress_submit(ring, 1);
		expected++;
	}
	/* O_RDWR on a FIFO does not wait for anybody. */
	if (!cancel || random_chance(random, 50))
		other = open(path, O_RDWR | O_CLOEXEC);
	while (expected--) {
		struct completion cqe = stress_next(ring);

		if (cqe.user_data == CANCEL_NAME)
			check(cqe.res == 0 || cqe.res == -ENOENT || cqe.res == -EALREADY);
		else if (cqe.res >= 0)
			close(cqe.res);
		else
			check(cancel && (cqe.res == -ECANCELED || cqe.res == -EINTR));
	}
	if (other >= 0)
		close(other);
}

static void opening_a_fifo_can_be_cancelled(void **state)
{
	struct random random = random_stream(100);
	char directory[] = "/tmp/asyncring-stress-XXXXXX", path[64];
	uint64_t start = stress_now_ns();
	struct asyncring ring;

	(void)state;
	check(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/fifo", directory);
	check_equal(mkfifo(path, 0600), 0);
	stress_ring(&ring, 8, 0);
	for (unsigned i = 0; i < 200 && stress_time_left(start); i++)
		fifo_round(&ring, &random, path);
	asyncring_queue_exit(&ring);
	unlink(path);
	rmdir(directory);
}

/* ---- the ring is closed under way ---- */

/*
 * One thread submits reads of pipes, another waits, a third closes the ring. The ring lies in
 * memory of ours, so that the first two may still write and look there when it is gone.
 */
struct closing {
	struct asyncring ring;
	int pipes[PIPES][2];
	char buffers[PIPES];
	unsigned wait_for; /* completions, of which there are none */
	pthread_barrier_t start;
};

static void *submitting_thread(void *argument)
{
	struct closing *closing = argument;

	pthread_barrier_wait(&closing->start);
	for (unsigned i = 0; i < PIPES; i++) {
		struct asyncring_sqe *sqe = stress_sqe(&closing->ring, 0);
		int submitted;

		asyncring_prep_read(sqe, closing->pipes[i][0], &closing->buffers[i], 1, 0);
		stress_name(sqe, i, i % 2 ? ASYNCRING_SQE_ASYNC : 0);
		submitted = asyncring_submit(&closing->ring);
		check(submitted == 1 || submitted == -EBADF || submitted == -EOPNOTSUPP);
	}
	return NULL;
}

static void *waiting_thread(void *argument)
{
	struct closing *closing = argument;
	int error;

	pthread_barrier_wait(&closing->start);
	/* One long call, or one after the other until there is no ring any more. */
	do
		error = asyncring_enter((unsigned)closing->ring.ring_fd, 0, closing->wait_for,
					ASYNCRING_ENTER_GETEVENTS, NULL);
	while (!error);
	check(error == -EBADF || error == -EOPNOTSUPP);
	return NULL;
}

static void close_round(struct closing *closing, struct random *random, void *memory, size_t size)
{
	struct asyncring_params params = {0};
	pthread_t submitter, waiter;
	unsigned pauses = random_below(random, 30);

	check(asyncring_queue_init_mem(16, &closing->ring, &params, memory, size) > 0);
	memset(closing->buffers, 0, sizeof(closing->buffers));
	closing->wait_for = random_below(random, 2);
	for (unsigned i = 0; i < PIPES; i++)
		stress_pipe(closing->pipes[i]);
	check_equal(pthread_barrier_init(&closing->start, NULL, 3), 0);
	stress_thread(&submitter, submitting_thread, closing);
	stress_thread(&waiter, waiting_thread, closing);
	pthread_barrier_wait(&closing->start);
	while (pauses--)
		sched_yield();
	check_equal(asyncring_close(closing->ring.ring_fd), 0);
	/* From here on nobody reads these pipes but us. */
	for (unsigned i = 0; i < PIPES; i++)
		check_equal(write(closing->pipes[i][1], "y", 1), 1);
	stress_join(submitter);
	stress_join(waiter);
	for (unsigned i = 0; i < PIPES; i++) {
		char byte = 0;

		check_equal(fcntl(closing->pipes[i][0], F_SETFL, O_NONBLOCK), 0);
		check_equal(read(closing->pipes[i][0], &byte, 1), 1);
		check_equal(byte, 'y');
		check_equal(closing->buffers[i], 0);
		stress_close_pipe(closing->pipes[i]);
	}
	pthread_barrier_destroy(&closing->start);
}

static void a_closed_ring_takes_nothing(void **state)
{
	struct random random = random_stream(200);
	uint64_t start = stress_now_ns();
	static struct closing closing;
	size_t size = 1 << 16;
	void *memory;

	(void)state;
	memory = aligned_alloc(65536, size);
	check(memory);
	for (unsigned i = 0; i < 500 && stress_time_left(start); i++) {
		memset(memory, 0, size);
		close_round(&closing, &random, memory, size);
	}
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cancelled_or_done_never_both),
		cmocka_unit_test(opening_a_fifo_can_be_cancelled),
		cmocka_unit_test(a_closed_ring_takes_nothing),
	};

	return stress_run(tests);
}
