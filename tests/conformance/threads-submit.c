/* SPDX-License-Identifier: MIT */
/*
 * Description: several threads at one ring, and a ring handed from thread to thread. The
 * application keeps its own side of the queues in order by a lock, as liburing demands; the calls
 * overlap.
 */
#include "harness.h"

#define THREADS	   4
#define PER_THREAD 2000
#define TOTAL	   (THREADS * PER_THREAD)

struct crowd {
	struct io_uring *ring;
	pthread_mutex_t sq_lock;
	pthread_mutex_t cq_lock;
	unsigned char seen[TOTAL]; /* under cq_lock */
	unsigned reaped;	   /* under cq_lock */
	bool failed;		   /* atomic */
};

struct member {
	struct crowd *crowd;
	unsigned number;
	unsigned sqe_flags;
};

static void note_failure(struct crowd *crowd)
{
	__atomic_store_n(&crowd->failed, true, __ATOMIC_RELAXED);
}

static bool failed(struct crowd *crowd)
{
	return __atomic_load_n(&crowd->failed, __ATOMIC_RELAXED);
}

static void *submit_many(void *argument)
{
	struct member *member = argument;
	struct crowd *crowd = member->crowd;

	for (unsigned i = 0; i < PER_THREAD; i++) {
		struct io_uring_sqe *sqe;

		pthread_mutex_lock(&crowd->sq_lock);
		sqe = io_uring_get_sqe(crowd->ring);
		if (sqe) {
			io_uring_prep_nop(sqe);
			sqe->flags = (uint8_t)member->sqe_flags;
			sqe->user_data = member->number * PER_THREAD + i;
		}
		if (!sqe || io_uring_submit(crowd->ring) != 1)
			note_failure(crowd);
		pthread_mutex_unlock(&crowd->sq_lock);
	}
	return NULL;
}

/* Take what is there; only to be called with cq_lock held. */
static void reap(struct crowd *crowd)
{
	struct harness_cqe cqe;

	while (harness_peek(crowd->ring, &cqe)) {
		if (cqe.res || cqe.user_data >= TOTAL || crowd->seen[cqe.user_data]++)
			note_failure(crowd);
		crowd->reaped++;
	}
}

static void *reap_many(void *argument)
{
	struct crowd *crowd = argument;
	bool done = false;

	while (!done && !failed(crowd)) {
		/* Everybody waits at once; who gets the lock first takes what has come. */
		io_uring_enter((unsigned)crowd->ring->ring_fd, 0, 1, IORING_ENTER_GETEVENTS, NULL);
		pthread_mutex_lock(&crowd->cq_lock);
		reap(crowd);
		done = crowd->reaped >= TOTAL;
		pthread_mutex_unlock(&crowd->cq_lock);
	}
	return NULL;
}

static void run_crowd(unsigned setup_flags, unsigned sqe_flags)
{
	static struct crowd crowd;
	struct member members[THREADS];
	pthread_t threads[THREADS], reaper;
	struct io_uring ring;

	memset(&crowd, 0, sizeof(crowd));
	harness_init(&ring, 64, setup_flags);
	crowd.ring = &ring;
	pthread_mutex_init(&crowd.sq_lock, NULL);
	pthread_mutex_init(&crowd.cq_lock, NULL);
	assert_int_equal(pthread_create(&reaper, NULL, reap_many, &crowd), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		members[i] = (struct member){&crowd, i, sqe_flags};
		assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &members[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(reaper, NULL);
	assert_false(failed(&crowd));
	assert_int_equal(crowd.reaped, TOTAL);
	for (unsigned i = 0; i < TOTAL; i++)
		assert_int_equal(crowd.seen[i], 1);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

static void many_submit_one_reaps(void **state)
{
	(void)state;
	run_crowd(0, 0);
}

static void many_submit_to_workers(void **state)
{
	(void)state;
	run_crowd(0, IOSQE_ASYNC);
}

/* No lock round the calls themselves: the ring's entries have all been published before. */
struct racer {
	int fd;
	unsigned consumed;
};

static void *enter_for_one(void *argument)
{
	struct racer *racer = argument;

	for (unsigned i = 0; i < 64; i++) {
		int ret = io_uring_enter((unsigned)racer->fd, 1, 0, 0, NULL);

		if (ret > 0)
			racer->consumed += (unsigned)ret;
	}
	return NULL;
}

static void concurrent_enters_take_each_sqe_once(void **state)
{
	struct racer racers[THREADS];
	pthread_t threads[THREADS];
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 64, 0);
	for (unsigned round = 0; round < 20; round++) {
		unsigned consumed = 0;

		for (unsigned i = 0; i < 64; i++)
			harness_nop(&ring, i);
		__atomic_store_n(ring.sq.ktail, ring.sq.sqe_tail, __ATOMIC_RELEASE);
		for (unsigned i = 0; i < THREADS; i++) {
			racers[i] = (struct racer){.fd = ring.ring_fd};
			assert_int_equal(
				pthread_create(&threads[i], NULL, enter_for_one, &racers[i]), 0);
		}
		for (unsigned i = 0; i < THREADS; i++) {
			pthread_join(threads[i], NULL);
			consumed += racers[i].consumed;
		}
		assert_int_equal(consumed, 64);
		assert_int_equal(io_uring_cq_ready(&ring), 64);
		for (unsigned i = 0; i < 64; i++)
			harness_assert_cqe(harness_next(&ring), i, 0);
	}
	io_uring_queue_exit(&ring);
}

/*
 * A thread's end does not cancel what it has submitted. When the data comes, the kernel finds that
 * it has no task any more to read it in, and only then gives the request up; in user space the read
 * is done. Either way there is one completion, and it tells the truth about the byte.
 */
struct lone_read {
	struct io_uring *ring;
	int fd;
	char byte;
	int ret;
};

static void *submit_read_and_go(void *argument)
{
	struct lone_read *lone = argument;

	io_uring_prep_read(io_uring_get_sqe(lone->ring), lone->fd, &lone->byte, 1, 0);
	lone->ret = io_uring_submit(lone->ring);
	return NULL;
}

static void requests_survive_their_thread(void **state)
{
	struct io_uring ring;
	struct lone_read lone;
	struct harness_cqe cqe;
	pthread_t thread;
	int pipe_fds[2];

	(void)state;
	harness_init(&ring, 8, 0);
	harness_pipe(pipe_fds);
	lone = (struct lone_read){.ring = &ring, .fd = pipe_fds[0]};
	assert_int_equal(pthread_create(&thread, NULL, submit_read_and_go, &lone), 0);
	pthread_join(thread, NULL);
	assert_int_equal(lone.ret, 1);
	harness_assert_empty(&ring);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	cqe = harness_next(&ring);
	if (cqe.res == -ECANCELED) {
		assert_true(harness_readable(pipe_fds[0]));
	} else {
		assert_int_equal(cqe.res, 1);
		assert_int_equal(lone.byte, 'x');
		assert_false(harness_readable(pipe_fds[0]));
	}
	harness_assert_empty(&ring);
	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&ring);
}

static void *own_ring(void *argument)
{
	struct io_uring ring;
	intptr_t bad = 0;

	(void)argument;
	if (io_uring_queue_init(8, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN))
		return (void *)1;
	for (unsigned i = 0; i < 2000; i++) {
		struct io_uring_cqe *cqe = NULL;
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_nop(sqe);
		sqe->user_data = i;
		bad |= io_uring_submit_and_wait(&ring, 1) != 1;
		bad |= io_uring_peek_cqe(&ring, &cqe) != 0 || cqe->user_data != i || cqe->res;
		if (bad)
			break;
		io_uring_cqe_seen(&ring, cqe);
	}
	io_uring_queue_exit(&ring);
	return (void *)bad;
}

static void each_thread_a_ring(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, own_ring, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		void *bad;

		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
}

/* A ring is made by one thread, used by another, and released by a third. */
static void *use_ring(void *argument)
{
	struct io_uring *ring = argument;
	struct io_uring_cqe *cqe = NULL;

	io_uring_prep_nop(io_uring_get_sqe(ring));
	if (io_uring_submit_and_wait(ring, 1) != 1 || io_uring_peek_cqe(ring, &cqe))
		return (void *)1;
	io_uring_cqe_seen(ring, cqe);
	return NULL;
}

static void *release_ring(void *argument)
{
	io_uring_queue_exit(argument);
	return NULL;
}

static void a_ring_goes_from_hand_to_hand(void **state)
{
	unsigned before = harness_fd_count();
	struct io_uring ring;
	pthread_t thread;
	void *bad;

	(void)state;
	harness_init(&ring, 8, 0);
	assert_int_equal(pthread_create(&thread, NULL, use_ring, &ring), 0);
	pthread_join(thread, &bad);
	assert_null(bad);
	assert_int_equal(pthread_create(&thread, NULL, release_ring, &ring), 0);
	pthread_join(thread, NULL);
	assert_int_equal(harness_fd_count(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_submit_one_reaps),
		cmocka_unit_test(many_submit_to_workers),
		cmocka_unit_test(concurrent_enters_take_each_sqe_once),
		cmocka_unit_test(requests_survive_their_thread),
		cmocka_unit_test(each_thread_a_ring),
		cmocka_unit_test(a_ring_goes_from_hand_to_hand),
	};

	return harness_run(tests);
}
