/* SPDX-License-Identifier: MIT */
/*
 * Description: rings with a thread that takes the SQ (SQPOLL): who has to wake it, when it sleeps,
 * where it runs, and what enter means for them.
 */
#include "harness.h"

static void init_sqpoll(struct io_uring *ring, unsigned entries, unsigned more_flags,
			unsigned idle_msec)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQPOLL | more_flags,
		.sq_thread_idle = idle_msec,
	};

	harness_init_params(ring, entries, &params);
}

static unsigned sq_flags(struct io_uring *ring)
{
	return __atomic_load_n(ring->sq.kflags, __ATOMIC_ACQUIRE);
}

static void wait_for_sleep(struct io_uring *ring)
{
	uint64_t end = harness_now_ns() + HARNESS_WAIT_MS * 1000000ull * harness_timeout_factor();

	while (!(sq_flags(ring) & IORING_SQ_NEED_WAKEUP)) {
		assert_true(harness_now_ns() < end);
		sched_yield();
	}
}

/* Hand the queued SQEs over without a call, as an application does that knows the thread awake. */
static void publish(struct io_uring *ring)
{
	__atomic_store_n(ring->sq.ktail, ring->sq.sqe_tail, __ATOMIC_RELEASE);
}

static void the_thread_takes_what_is_published(void **state)
{
	struct io_uring ring;

	(void)state;
	init_sqpoll(&ring, 8, 0, 20000);
	/* Awake at the latest after this; with this idle time it stays so. */
	harness_nop(&ring, 1);
	harness_submit(&ring, 1);
	harness_assert_cqe(harness_next(&ring), 1, 0);
	for (unsigned i = 0; i < 100; i++) {
		harness_nop(&ring, i);
		publish(&ring);
		while (!io_uring_cq_ready(&ring))
			sched_yield();
		harness_assert_cqe(harness_next(&ring), i, 0);
		assert_false(sq_flags(&ring) & IORING_SQ_NEED_WAKEUP);
	}
	io_uring_queue_exit(&ring);
}

static void it_sleeps_after_the_idle_time(void **state)
{
	struct io_uring ring;
	uint64_t start;

	(void)state;
	init_sqpoll(&ring, 8, 0, 100);
	for (unsigned i = 0; i < 2; i++) {
		start = harness_now_ns();
		harness_nop(&ring, i);
		harness_submit(&ring, 1);
		harness_assert_cqe(harness_next(&ring), i, 0);
		wait_for_sleep(&ring);
		/* The clock of the kernel's idle time is coarse. */
		assert_true(harness_now_ns() - start >= 90 * 1000000ull);
	}
	io_uring_queue_exit(&ring);
}

static void a_sleeping_thread_must_be_woken(void **state)
{
	struct io_uring ring;

	(void)state;
	init_sqpoll(&ring, 8, 0, 1);
	for (unsigned i = 0; i < 5; i++) {
		wait_for_sleep(&ring);
		harness_nop(&ring, i);
		publish(&ring);
		/* Only a call with the flag wakes it, even one that waits does not. */
		assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 1, 0, 0, NULL), 1);
		assert_true(sq_flags(&ring) & IORING_SQ_NEED_WAKEUP);
		assert_int_equal(io_uring_cq_ready(&ring), 0);
		assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 1, 1,
						IORING_ENTER_SQ_WAKEUP | IORING_ENTER_GETEVENTS,
						NULL),
				 1);
		harness_assert_cqe(harness_next(&ring), i, 0);
	}
	io_uring_queue_exit(&ring);
}

static void enter_believes_the_caller(void **state)
{
	struct io_uring ring;

	(void)state;
	init_sqpoll(&ring, 8, 0, 100);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 0, 0, NULL), 0);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 5, 0, 0, NULL), 5);
	assert_int_equal(
		io_uring_enter((unsigned)ring.ring_fd, 100, 0, IORING_ENTER_SQ_WAKEUP, NULL), 100);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 0, 0, IORING_ENTER_SQ_WAIT, NULL),
			 0);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

/* Keep the SQ full: SQ_WAIT brings free slots, every time. */
static void sq_wait_returns_with_space(void **state)
{
	unsigned submitted = 0, reaped = 0;
	struct io_uring ring;

	(void)state;
	init_sqpoll(&ring, 4, 0, 100);
	while (submitted < 2000) {
		struct harness_cqe cqe;

		while (io_uring_sq_space_left(&ring)) {
			harness_nop(&ring, submitted++);
			harness_submit(&ring, 1);
		}
		/* Like any wait it may end early, when the task has something else to do. */
		do {
			assert_true(io_uring_sqring_wait(&ring) >= 0);
		} while (!io_uring_sq_space_left(&ring));
		while (harness_peek(&ring, &cqe)) {
			harness_assert_cqe(cqe, reaped, 0);
			reaped++;
		}
	}
	for (; reaped < submitted; reaped++)
		harness_assert_cqe(harness_next(&ring), reaped, 0);
	io_uring_queue_exit(&ring);
}

static void a_bad_sqe_does_not_stop_the_thread(void **state)
{
	struct harness_cqe cqes[3];
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	(void)state;
	init_sqpoll(&ring, 8, 0, 100);
	harness_nop(&ring, 0);
	sqe = harness_sqe(&ring);
	sqe->opcode = 250;
	sqe->user_data = 1;
	harness_nop(&ring, 2);
	harness_submit(&ring, 3);
	harness_reap(&ring, cqes, 3);
	harness_assert_cqe(cqes[0], 0, 0);
	harness_assert_cqe(cqes[1], 1, -EINVAL);
	harness_assert_cqe(cqes[2], 2, 0);
	io_uring_queue_exit(&ring);
}

static void plain_descriptors_may_be_used(void **state)
{
	struct io_uring ring;
	unsigned char bytes[100];
	int file = harness_temp_file(1000), pipe_fds[2];
	char byte = 0;

	(void)state;
	harness_pipe(pipe_fds);
	init_sqpoll(&ring, 8, 0, 100);
	io_uring_prep_read(harness_sqe(&ring), file, bytes, sizeof(bytes), 500);
	assert_int_equal(harness_result(&ring), 100);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(bytes[i], harness_byte(500 + i));

	io_uring_prep_read(harness_sqe(&ring), pipe_fds[0], &byte, 1, 0);
	harness_submit(&ring, 1);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	assert_int_equal(harness_next(&ring).res, 1);
	assert_int_equal(byte, 'x');
	harness_close_pipe(pipe_fds);
	close(file);
	io_uring_queue_exit(&ring);
}

static void *submit_in_thread(void *argument)
{
	struct io_uring *ring = argument;

	io_uring_prep_nop(io_uring_get_sqe(ring));
	return (void *)(intptr_t)io_uring_submit(ring);
}

/* The one issuer of such a ring is the SQ thread, so anybody may feed it. */
static void any_thread_may_feed_a_single_issuer(void **state)
{
	struct io_uring ring;
	pthread_t thread;
	void *ret;

	(void)state;
	init_sqpoll(&ring, 8, IORING_SETUP_SINGLE_ISSUER, 100);
	assert_int_equal(pthread_create(&thread, NULL, submit_in_thread, &ring), 0);
	pthread_join(thread, &ret);
	assert_true((intptr_t)ret >= 0);
	harness_assert_cqe(harness_next(&ring), 0, 0);
	harness_nop(&ring, 2);
	harness_submit(&ring, 1);
	harness_assert_cqe(harness_next(&ring), 2, 0);
	io_uring_queue_exit(&ring);
}

static void a_disabled_ring_is_not_polled(void **state)
{
	struct io_uring ring;

	(void)state;
	init_sqpoll(&ring, 8, IORING_SETUP_R_DISABLED, 100);
	harness_nop(&ring, 1);
	publish(&ring);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 1, 0, IORING_ENTER_SQ_WAKEUP, NULL),
			 -EBADFD);
	assert_int_equal(io_uring_cq_ready(&ring), 0);
	assert_int_equal(io_uring_enable_rings(&ring), 0);
	assert_int_equal(io_uring_enter((unsigned)ring.ring_fd, 1, 0, IORING_ENTER_SQ_WAKEUP, NULL),
			 1);
	harness_assert_cqe(harness_next(&ring), 1, 0);
	io_uring_queue_exit(&ring);
}

/* Remember the threads of the process, up to a limit that no test program comes near. */
struct threads {
	pid_t tids[64];
	unsigned count;
};

static void list_threads(struct threads *threads)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;

	assert_non_null(dir);
	threads->count = 0;
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    threads->count < ARRAY_SIZE(threads->tids))
			threads->tids[threads->count++] = atoi(entry->d_name);
	closedir(dir);
}

static bool knows_thread(const struct threads *threads, pid_t tid)
{
	for (unsigned i = 0; i < threads->count; i++)
		if (threads->tids[i] == tid)
			return true;
	return false;
}

static int last_allowed_cpu(void)
{
	cpu_set_t cpus;
	int last = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			last = cpu;
	return last;
}

static void the_thread_runs_where_it_is_told(void **state)
{
	struct threads before, now;
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF,
		.sq_thread_idle = 10000,
		.sq_thread_cpu = (unsigned)last_allowed_cpu(),
	};
	struct io_uring ring;
	unsigned found = 0;

	(void)state;
	list_threads(&before);
	harness_init_params(&ring, 8, &params);
	harness_nop(&ring, 1);
	harness_submit(&ring, 1);
	harness_assert_cqe(harness_next(&ring), 1, 0);
	list_threads(&now);
	for (unsigned i = 0; i < now.count; i++) {
		cpu_set_t cpus;

		if (knows_thread(&before, now.tids[i]))
			continue;
		if (sched_getaffinity(now.tids[i], sizeof(cpus), &cpus))
			continue;
		if (CPU_COUNT(&cpus) == 1 && CPU_ISSET(params.sq_thread_cpu, &cpus))
			found++;
	}
	assert_true(found >= 1);
	io_uring_queue_exit(&ring);
}

/* ATTACH_WQ: several rings, one thread. */
static void rings_share_a_thread(void **state)
{
	struct io_uring rings[4];

	(void)state;
	init_sqpoll(&rings[0], 8, 0, 50);
	for (unsigned i = 1; i < 4; i++) {
		struct io_uring_params params = {
			.flags = IORING_SETUP_SQPOLL | IORING_SETUP_ATTACH_WQ,
			.sq_thread_idle = 50,
			.wq_fd = (unsigned)rings[0].ring_fd,
		};

		harness_init_params(&rings[i], 8, &params);
	}
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 4; i++) {
			harness_nop(&rings[i], round);
			harness_submit(&rings[i], 1);
		}
		for (unsigned i = 0; i < 4; i++)
			harness_assert_cqe(harness_next(&rings[i]), round, 0);
	}
	/* The thread lives on as long as one of them does. */
	for (unsigned i = 0; i < 4; i++) {
		harness_nop(&rings[i], i);
		harness_submit(&rings[i], 1);
		harness_assert_cqe(harness_next(&rings[i]), i, 0);
		io_uring_queue_exit(&rings[i]);
	}
}

static void a_ring_may_go_while_the_thread_works(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		struct io_uring ring;
		int pipe_fds[2];
		char byte;

		harness_pipe(pipe_fds);
		init_sqpoll(&ring, 8, 0, 1000);
		io_uring_prep_read(harness_sqe(&ring), pipe_fds[0], &byte, 1, 0);
		for (unsigned j = 0; j < 6; j++)
			harness_nop(&ring, j);
		harness_submit(&ring, 7);
		io_uring_queue_exit(&ring);
		harness_close_pipe(pipe_fds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_thread_takes_what_is_published),
		cmocka_unit_test(it_sleeps_after_the_idle_time),
		cmocka_unit_test(a_sleeping_thread_must_be_woken),
		cmocka_unit_test(enter_believes_the_caller),
		cmocka_unit_test(sq_wait_returns_with_space),
		cmocka_unit_test(a_bad_sqe_does_not_stop_the_thread),
		cmocka_unit_test(plain_descriptors_may_be_used),
		cmocka_unit_test(any_thread_may_feed_a_single_issuer),
		cmocka_unit_test(a_disabled_ring_is_not_polled),
		cmocka_unit_test(the_thread_runs_where_it_is_told),
		cmocka_unit_test(rings_share_a_thread),
		cmocka_unit_test(a_ring_may_go_while_the_thread_works),
	};

	return harness_run(tests);
}
