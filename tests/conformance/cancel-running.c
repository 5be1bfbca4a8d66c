/* SPDX-License-Identifier: MIT */
/*
 * Description: cancellation of what workers have: requests with IOSQE_ASYNC, requests that queue
 * behind a busy worker, and requests that are blocked in a system call.
 *
 * Whether a worker has already begun cannot be seen from here. Tests that want it to have begun
 * repeat themselves with growing patience until it had; what they assert holds in either case.
 */
#include "ops_helpers.h"

enum { CANCEL = 1000, ROUNDS = 16 };

/* The kernel lets this internal number out when it interrupts a splice; it means EINTR. */
enum { KERNEL_ERESTARTSYS = 512 };

static char sink[64];

/* From 50 microseconds on, doubling: all ROUNDS together are a few seconds. */
static void be_patient(unsigned round)
{
	struct timespec pause = {.tv_sec = 0, .tv_nsec = 50000l << (round < 14 ? round : 14)};

	nanosleep(&pause, NULL);
}

struct outcome {
	int answer;	    /* of the first cancellation */
	unsigned cancelled; /* requests that ended with -ECANCELED */
	unsigned interrupted;
};

/*
 * Cancel until count requests have ended, which they must not do otherwise. More than once, because
 * the kernel may miss a request that is just changing hands, from the queue to a worker or from
 * there to the poller.
 */
static struct outcome cancel_until_gone(struct io_uring *ring, uint64_t user_data, unsigned flags,
					unsigned count)
{
	struct outcome outcome = {0};
	bool first = true, answered = true;

	while (count > 0 || !answered) {
		struct harness_cqe cqe;

		if (answered) {
			if (harness_peek(ring, &cqe)) {
				assert_int_not_equal(cqe.user_data, CANCEL);
			} else {
				ops_prep(ring, CANCEL, 0, cancel64, user_data, (int)flags);
				harness_submit(ring, 1);
				answered = false;
				continue;
			}
		} else {
			cqe = harness_next(ring);
		}
		if (cqe.user_data == CANCEL) {
			answered = true;
			if (first)
				outcome.answer = cqe.res;
			first = false;
			continue;
		}
		if (cqe.res == -ECANCELED) {
			outcome.cancelled++;
		} else {
			assert_true(cqe.res == -EINTR || cqe.res == -KERNEL_ERESTARTSYS);
			outcome.interrupted++;
		}
		count--;
	}
	harness_assert_empty(ring);
	return outcome;
}

/* A request that blocks a worker: nothing to read, and splice is not polled. */
struct blocker {
	int in[2], out[2];
};

static void init_blocker(struct blocker *blocker)
{
	harness_pipe(blocker->in);
	harness_pipe(blocker->out);
}

static void queue_blocker(struct io_uring *ring, struct blocker *blocker, uint64_t user_data,
			  unsigned flags)
{
	ops_prep(ring, user_data, flags, splice, blocker->in[0], -1, blocker->out[1], -1, 1, 0);
}

static void close_blocker(struct blocker *blocker)
{
	harness_close_pipe(blocker->in);
	harness_close_pipe(blocker->out);
}

/* Eight reads of an empty pipe, all handed to workers, are all found and all cancelled. */
static void eight_of_eight(void **state)
{
	enum { COUNT = 8 };
	struct ops *ops = *state;
	struct outcome outcome = {0};
	int fds[2];

	harness_pipe(fds);
	for (unsigned round = 0; round < ROUNDS && outcome.answer != COUNT; round++) {
		for (unsigned i = 0; i < COUNT; i++)
			ops_prep(&ops->ring, i, IOSQE_ASYNC, read, fds[0], sink + i, 1, 0);
		harness_submit(&ops->ring, COUNT);
		be_patient(round);
		outcome = cancel_until_gone(&ops->ring, 0, IORING_ASYNC_CANCEL_ANY, COUNT);
		assert_int_equal(outcome.cancelled, COUNT);
	}
	assert_int_equal(outcome.answer, COUNT);
	harness_close_pipe(fds);
}

/* One after the other by user_data, without giving the workers time to settle. */
static void each_of_eight(void **state)
{
	enum { COUNT = 8 };
	struct ops *ops = *state;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < COUNT; i++)
		ops_prep(&ops->ring, i, IOSQE_ASYNC, read, fds[0], sink + i, 1, 0);
	harness_submit(&ops->ring, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		struct outcome outcome = cancel_until_gone(&ops->ring, i, 0, 1);

		assert_true(outcome.answer == 0 || outcome.answer == -EALREADY ||
			    outcome.answer == -ENOENT);
	}
	harness_close_pipe(fds);
}

/* What is already running cannot be taken back, but it is interrupted. */
static void a_running_request_is_interrupted(void **state)
{
	struct ops *ops = *state;
	struct blocker blocker;
	struct outcome outcome = {0};

	init_blocker(&blocker);
	for (unsigned round = 0; round < ROUNDS && outcome.answer != -EALREADY; round++) {
		queue_blocker(&ops->ring, &blocker, 5, 0);
		harness_submit(&ops->ring, 1);
		be_patient(round);
		outcome = cancel_until_gone(&ops->ring, 5, 0, 1);
		if (outcome.answer == 0)
			assert_int_equal(outcome.cancelled, 1);
		if (outcome.cancelled)
			outcome.answer = 0; /* it had not begun */
	}
	assert_int_equal(outcome.answer, -EALREADY);
	assert_int_equal(outcome.interrupted, 1);
	/* It has not taken anything. */
	assert_int_equal(write(blocker.in[1], "x", 1), 1);
	assert_int_equal(read(blocker.in[0], sink, 1), 1);
	close_blocker(&blocker);
}

static void an_interrupted_request_breaks_its_chain(void **state)
{
	struct ops *ops = *state;
	struct blocker blocker;
	struct outcome outcome = {0};

	init_blocker(&blocker);
	for (unsigned round = 0; round < ROUNDS && !outcome.interrupted; round++) {
		queue_blocker(&ops->ring, &blocker, 5, IOSQE_IO_LINK);
		ops_prep(&ops->ring, 6, 0, nop);
		harness_submit(&ops->ring, 2);
		be_patient(round);
		outcome = cancel_until_gone(&ops->ring, 5, 0, 2);
	}
	assert_int_equal(outcome.interrupted, 1);
	assert_int_equal(outcome.cancelled, 1);
	close_blocker(&blocker);
}

/* The flags that count do not count what could only be interrupted. */
static void running_requests_are_not_counted(void **state)
{
	enum { COUNT = 3 };
	struct ops *ops = *state;
	struct blocker blocker;
	struct outcome outcome = {0};

	init_blocker(&blocker);
	for (unsigned round = 0; round < ROUNDS && outcome.interrupted != COUNT; round++) {
		for (unsigned i = 0; i < COUNT; i++)
			queue_blocker(&ops->ring, &blocker, i, 0);
		harness_submit(&ops->ring, COUNT);
		be_patient(round);
		outcome = cancel_until_gone(&ops->ring, 0, IORING_ASYNC_CANCEL_ANY, COUNT);
	}
	assert_int_equal(outcome.interrupted, COUNT);
	assert_int_equal(outcome.answer, 0);
	close_blocker(&blocker);
}

/*
 * With one worker, and that busy, whatever comes next waits in a queue and is simply taken out.
 * This test comes first: workers that others have left behind would take from the queue.
 */
static void queued_requests_are_taken_back(void **state)
{
	enum { COUNT = 8 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct blocker blocker;
	unsigned limits[2] = {1, 1};

	init_blocker(&blocker);
	assert_int_equal(io_uring_register_iowq_max_workers(ring, limits), 0);
	for (unsigned i = 0; i < 1 + COUNT; i++)
		queue_blocker(ring, &blocker, i, 0);
	harness_submit(ring, 1 + COUNT);
	for (unsigned i = COUNT; i > 0; i--) {
		struct outcome outcome = cancel_until_gone(ring, i, 0, 1);

		assert_int_equal(outcome.answer, 0);
		assert_int_equal(outcome.cancelled, 1);
	}
	/* The one at work has not noticed. */
	assert_int_equal(write(blocker.in[1], "x", 1), 1);
	ops_expect(ring, 0, 1);
	assert_int_equal(io_uring_register_iowq_max_workers(ring, limits), 0);
	close_blocker(&blocker);
}

/* The register call stays until the request it interrupted has really ended. */
static void the_synchronous_call_waits_for_the_end(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct blocker blocker;

	init_blocker(&blocker);
	for (unsigned round = 0; round < 10; round++) {
		struct io_uring_sync_cancel_reg reg = {.addr = 5, .timeout = {-1, -1}};
		struct harness_cqe cqe;
		int answer;

		if (round & 1)
			reg.timeout = harness_deadline();
		queue_blocker(ring, &blocker, 5, 0);
		harness_submit(ring, 1);
		be_patient(round);
		/* Not found while it changes hands: it is there all the same, until it ended. */
		do {
			answer = io_uring_register_sync_cancel(ring, &reg);
		} while (answer == -ENOENT && !io_uring_cq_ready(ring));
		assert_true(answer == 0 || answer == -ENOENT);
		cqe = harness_next(ring);
		assert_int_equal(cqe.user_data, 5);
		assert_true(cqe.res == -ECANCELED || cqe.res == -EINTR ||
			    cqe.res == -KERNEL_ERESTARTSYS);
		assert_int_equal(io_uring_register_sync_cancel(ring, &reg), -ENOENT);
	}
	close_blocker(&blocker);
}

/* ---- another thread's requests ------------------------------------------------------------- */

struct submitter {
	struct io_uring *ring;
	struct blocker *blocker;
	int submitted;
	sem_t done, leave;
};

static void *submit_and_stay(void *arg)
{
	struct submitter *submitter = arg;
	struct io_uring_sqe *sqe = io_uring_get_sqe(submitter->ring);

	io_uring_prep_splice(sqe, submitter->blocker->in[0], -1, submitter->blocker->out[1], -1, 1,
			     0);
	sqe->user_data = 5;
	sqe = io_uring_get_sqe(submitter->ring);
	io_uring_prep_read(sqe, submitter->blocker->in[0], sink, 1, 0);
	sqe->user_data = 6;
	submitter->submitted = io_uring_submit(submitter->ring);
	sem_post(&submitter->done);
	sem_wait(&submitter->leave);
	return NULL;
}

static void requests_of_another_thread_are_found(void **state)
{
	struct ops *ops = *state;
	struct blocker blocker;
	struct submitter submitter = {.ring = &ops->ring, .blocker = &blocker};
	pthread_t thread;

	init_blocker(&blocker);
	sem_init(&submitter.done, 0, 0);
	sem_init(&submitter.leave, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, submit_and_stay, &submitter), 0);
	sem_wait(&submitter.done);
	assert_int_equal(submitter.submitted, 2);
	cancel_until_gone(&ops->ring, 5, 0, 1);
	assert_int_equal(cancel_until_gone(&ops->ring, 6, 0, 1).answer, 0);
	sem_post(&submitter.leave);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close_blocker(&blocker);
}

static void *submit_read_and_leave(void *arg)
{
	struct submitter *submitter = arg;
	struct io_uring_sqe *sqe = io_uring_get_sqe(submitter->ring);

	io_uring_prep_read(sqe, submitter->blocker->in[0], sink, 1, 0);
	sqe->user_data = 6;
	submitter->submitted = io_uring_submit(submitter->ring);
	return NULL;
}

/*
 * A thread that ends leaves its requests behind, and they stay pending. What a read that becomes
 * possible after that gives is the data or, in the kernel, which has lost the thread that was to
 * read, a cancellation; the data is not lost.
 */
static void the_end_of_a_thread_is_not_the_end_of_its_requests(void **state)
{
	struct ops *ops = *state;
	struct blocker blocker;
	struct submitter submitter = {.ring = &ops->ring, .blocker = &blocker};
	struct harness_cqe cqe;
	pthread_t thread;

	init_blocker(&blocker);
	assert_int_equal(pthread_create(&thread, NULL, submit_read_and_leave, &submitter), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(submitter.submitted, 1);
	harness_assert_empty(&ops->ring);
	assert_int_equal(write(blocker.in[1], "x", 1), 1);
	cqe = harness_next(&ops->ring);
	assert_int_equal(cqe.user_data, 6);
	if (cqe.res != 1) {
		assert_int_equal(cqe.res, -ECANCELED);
		assert_int_equal(read(blocker.in[0], sink, 1), 1);
	}
	close_blocker(&blocker);
}

/* ---- races --------------------------------------------------------------------------------- */

struct racer {
	int fd;
	sem_t go, done;
	bool stop;
};

static void *write_on_demand(void *arg)
{
	struct racer *racer = arg;

	for (;;) {
		sem_wait(&racer->go);
		if (racer->stop)
			return NULL;
		if (write(racer->fd, "x", 1) != 1)
			abort();
		sem_post(&racer->done);
	}
}

/*
 * Data and cancellation arrive together. Either the read has the byte, or it is cancelled and the
 * byte is still in the pipe; two completions come in any case, and never more.
 */
static void data_races_with_cancellation(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct racer racer = {0};
	pthread_t thread;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	racer.fd = fds[1];
	sem_init(&racer.go, 0, 0);
	sem_init(&racer.done, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, write_on_demand, &racer), 0);
	for (unsigned round = 0; round < 500; round++) {
		int answer = 1, result = 0;

		ops_prep(ring, 5, round & 1 ? IOSQE_ASYNC : 0, read, fds[0], sink, 1, 0);
		harness_submit(ring, 1);
		sem_post(&racer.go);
		if (round & 2)
			sched_yield();
		ops_prep(ring, CANCEL, 0, cancel64, 5, 0);
		harness_submit(ring, 1);
		for (unsigned i = 0; i < 2; i++) {
			struct harness_cqe cqe = harness_next(ring);

			*(cqe.user_data == CANCEL ? &answer : &result) = cqe.res;
		}
		sem_wait(&racer.done);
		assert_true(answer == 0 || answer == -ENOENT || answer == -EALREADY);
		if (result == 1) {
			assert_int_not_equal(answer, 0);
			assert_int_equal(read(fds[0], sink, 1), -1);
		} else {
			assert_true(result == -ECANCELED || result == -EINTR);
			assert_int_equal(read(fds[0], sink, 1), 1);
		}
		harness_assert_empty(ring);
	}
	racer.stop = true;
	sem_post(&racer.go);
	assert_int_equal(pthread_join(thread, NULL), 0);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(queued_requests_are_taken_back),
		ops_test(eight_of_eight),
		ops_test(each_of_eight),
		ops_test(a_running_request_is_interrupted),
		ops_test(an_interrupted_request_breaks_its_chain),
		ops_test(running_requests_are_not_counted),
		ops_test(the_synchronous_call_waits_for_the_end),
		ops_test(requests_of_another_thread_are_found),
		ops_test(the_end_of_a_thread_is_not_the_end_of_its_requests),
		ops_test(data_races_with_cancellation),
	};

	return harness_run(tests);
}
