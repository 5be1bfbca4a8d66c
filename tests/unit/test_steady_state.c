/* SPDX-License-Identifier: MIT */
/*
 * Description: what the library does not do. In the steady state it allocates nothing per
 * operation; a ring with cached I/O alone has no thread; idle threads go away, and all of them
 * with the last ring; what cannot block makes no more calls than it must.
 */
#include "support.h"

#include <sys/socket.h>

enum { ENTRIES = 32, SIZE = 16384, ROUNDS = 200 };

static struct asyncring ring;
static unsigned char buffer[SIZE];
static int file;
static _Atomic unsigned allocations, calls;

static bool count_allocation(size_t size)
{
	(void)size;
	atomic_fetch_add(&allocations, 1);
	return true;
}

static bool count_call(long number, const long arguments[6], long *result)
{
	(void)number;
	(void)arguments;
	(void)result;
	if (support_thread_id() == getpid())
		atomic_fetch_add(&calls, 1);
	return false;
}

static void transfer(unsigned flags)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);

		if (i % 4 == 3)
			asyncring_prep_nop(sqe);
		else
			asyncring_prep_read(sqe, file, buffer, SIZE / ENTRIES,
					    (uint64_t)i * SIZE / ENTRIES);
		sqe->flags |= (unsigned char)flags;
	}
	assert_int_equal(asyncring_submit_and_wait(&ring, ENTRIES), ENTRIES);
	for (unsigned i = 0; i < ENTRIES; i++)
		assert_true(support_result(&ring, NULL) >= 0);
}

static void steady_state_of_cached_reads_allocates_nothing(void **state)
{
	(void)state;
	transfer(0);
	atomic_store(&allocations, 0);
	for (int i = 0; i < ROUNDS; i++)
		transfer(0);
	assert_int_equal(atomic_load(&allocations), 0);
	assert_int_equal(support_threads(), 1);
}

static void steady_state_of_fixed_reads_allocates_nothing(void **state)
{
	struct iovec vector = {buffer, SIZE};

	(void)state;
	assert_int_equal(asyncring_register_files(&ring, &file, 1), 0);
	assert_int_equal(asyncring_register_buffers(&ring, &vector, 1), 0);
	for (int round = 0; round < ROUNDS; round++) {
		if (round == 1)
			atomic_store(&allocations, 0);
		for (int i = 0; i < ENTRIES; i++) {
			struct asyncring_sqe *sqe = support_sqe(&ring);

			asyncring_prep_read_fixed(sqe, 0, buffer, 100, 0, 0);
			sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
		}
		assert_int_equal(asyncring_submit(&ring), ENTRIES);
		for (int i = 0; i < ENTRIES; i++)
			assert_int_equal(support_result(&ring, NULL), 100);
	}
	assert_int_equal(atomic_load(&allocations), 0);
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	assert_int_equal(asyncring_unregister_buffers(&ring), 0);
	assert_int_equal(support_threads(), 1);
}

static void steady_state_of_overflow_allocates_nothing(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		if (round == 1)
			atomic_store(&allocations, 0);
		for (int i = 0; i < 4 * ENTRIES; i++) {
			asyncring_prep_nop(support_sqe(&ring));
			if (i % ENTRIES == ENTRIES - 1)
				assert_int_equal(asyncring_submit(&ring), ENTRIES);
		}
		for (int i = 0; i < 4 * ENTRIES; i++)
			assert_int_equal(support_result(&ring, NULL), 0);
	}
	assert_int_equal(atomic_load(&allocations), 0);
}

static void write_with_workers(void)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);

		asyncring_prep_write(sqe, file, buffer, SIZE / ENTRIES,
				     (uint64_t)i * SIZE / ENTRIES);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
	}
	assert_int_equal(asyncring_submit_and_wait(&ring, ENTRIES), ENTRIES);
	for (unsigned i = 0; i < ENTRIES; i++)
		assert_int_equal(support_result(&ring, NULL), SIZE / ENTRIES);
}

/* Threads come, pins come and go; in the end there is nothing to allocate for. */
static void steady_state_of_workers_allocates_nothing(void **state)
{
	unsigned limits[2] = {2, 0};

	(void)state;
	/* Or the workers would come late. */
	atomic_store(&asyncring__waiters_only_wait, true);
	assert_int_equal(asyncring_register_iowq_max_workers(&ring, limits), 0);
	for (int round = 0; round < ROUNDS + 20; round++) {
		if (round == 20)
			atomic_store(&allocations, 0);
		transfer(ASYNCRING_SQE_ASYNC);
		write_with_workers();
	}
	atomic_store(&asyncring__waiters_only_wait, false);
	assert_int_equal(atomic_load(&allocations), 0);
	assert_int_equal(asyncring_register_iowq_max_workers(&ring, limits), 0);
}

static bool alone(void *argument)
{
	(void)argument;
	return support_threads() == 1;
}

static void idle_threads_go_away(void **state)
{
	(void)state;
	transfer(ASYNCRING_SQE_ASYNC);
	assert_true(support_threads() > 1);
	/* The ring stays open. */
	assert_true(support_eventually(alone, NULL));
	transfer(ASYNCRING_SQE_ASYNC);
	assert_true(support_threads() > 1);
}

static void threads_go_with_the_last_ring(void **state)
{
	uint64_t start;

	(void)state;
	for (int i = 0; i < 20; i++) {
		transfer(ASYNCRING_SQE_ASYNC);
		start = support_now_ns();
		asyncring_queue_exit(&ring);
		assert_true(support_eventually(alone, NULL));
		/* Not by becoming idle, which takes longer. */
		assert_true(support_now_ns() - start < 1500000000ull * support_slowness());
		assert_int_equal(asyncring_queue_init(ENTRIES, &ring, 0), 0);
	}
}

static void a_lone_ring_has_no_thread(void **state)
{
	static const unsigned flags[] = {0, ASYNCRING_SETUP_SINGLE_ISSUER,
					 ASYNCRING_SETUP_SINGLE_ISSUER |
						 ASYNCRING_SETUP_DEFER_TASKRUN,
					 ASYNCRING_SETUP_COOP_TASKRUN};
	struct asyncring other;

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		assert_int_equal(asyncring_queue_init(4, &other, flags[i]), 0);
		assert_int_equal(support_threads(), 1);
		asyncring_queue_exit(&other);
	}
}

static void looking_at_completions_makes_no_call(void **state)
{
	struct asyncring_cqe *cqe;
	unsigned head, seen = 0;

	(void)state;
	/* Once, to find the queue empty and make the descriptor unreadable again. */
	assert_int_equal(asyncring_peek_cqe(&ring, &cqe), -EAGAIN);
	atomic_store(&calls, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(asyncring_peek_cqe(&ring, &cqe), -EAGAIN);
	assert_int_equal(atomic_load(&calls), 0);
	for (int i = 0; i < ENTRIES; i++)
		asyncring_prep_nop(support_sqe(&ring));
	assert_int_equal(asyncring_submit(&ring), ENTRIES);
	/* The ring's descriptor becomes readable. */
	assert_int_equal(atomic_load(&calls), 1);
	assert_int_equal(asyncring_wait_cqe_nr(&ring, &cqe, ENTRIES), 0);
	asyncring_for_each_cqe (&ring, head, cqe) {
		seen++;
	}
	assert_int_equal(seen, ENTRIES);
	asyncring_cq_advance(&ring, seen);
	for (int i = 0; i < ENTRIES; i++)
		asyncring_prep_nop(support_sqe(&ring));
	assert_int_equal(asyncring_submit_and_wait(&ring, ENTRIES), ENTRIES);
	asyncring_cq_advance(&ring, ENTRIES);
	assert_int_equal(atomic_load(&calls), 1);
	/* Nor does a wait that could be limited and is not. */
	for (int i = 0; i < ENTRIES; i++)
		asyncring_prep_nop(support_sqe(&ring));
	assert_int_equal(asyncring_submit_and_wait_timeout(&ring, &cqe, ENTRIES, NULL, NULL),
			 ENTRIES);
	asyncring_cq_advance(&ring, ENTRIES);
	assert_int_equal(atomic_load(&calls), 1);
}

/* ---- messages ---- */

static struct asyncring owned; /* by the main thread: nobody else makes calls for it */

static int setup_messages(void **state)
{
	static int ends[2];

	*state = ends;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -1;
	return asyncring_queue_init(ENTRIES, &owned,
				    ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN);
}

static int teardown_messages(void **state)
{
	const int *ends = *state;

	asyncring_queue_exit(&owned);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* One message that is waited for; how many calls that was. */
static unsigned await_message(int peer, bool submit)
{
	atomic_store(&calls, 0);
	if (submit)
		assert_int_equal(asyncring_submit(&owned), 1);
	assert_int_equal(send(peer, "x", 1, 0), 1);
	assert_int_equal(support_result(&owned, NULL), 1);
	return atomic_load(&calls);
}

/* Tried, pinned, watched; then the wait, the receive, and the pin given up. */
static void a_receive_that_waits_makes_six_calls(void **state)
{
	const int *ends = *state;

	for (int i = 0; i < ROUNDS; i++) {
		unsigned made;

		asyncring_prep_recv(support_sqe(&owned), ends[0], buffer, SIZE, 0);
		made = await_message(ends[1], true);
		if (i)
			assert_int_equal(made, 6);
	}
}

static void a_receive_on_a_registered_socket_makes_four(void **state)
{
	const int *ends = *state;

	assert_int_equal(asyncring_register_files(&owned, ends, 1), 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct asyncring_sqe *sqe = support_sqe(&owned);
		unsigned made;

		asyncring_prep_recv(sqe, 0, buffer, SIZE, 0);
		sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
		made = await_message(ends[1], true);
		if (i)
			assert_int_equal(made, 4);
	}
}

static void a_message_of_a_multishot_makes_two(void **state)
{
	const int *ends = *state;
	struct asyncring_sqe *sqe = support_sqe(&owned);
	int error;
	struct asyncring_buf_ring *group = asyncring_setup_buf_ring(&owned, 256, 1, 0, &error);

	assert_non_null(group);
	for (int i = 0; i < ROUNDS; i++)
		asyncring_buf_ring_add(group, &buffer[i], 16, (unsigned short)i, 255, i);
	asyncring_buf_ring_advance(group, ROUNDS);
	asyncring_prep_recv_multishot(sqe, ends[0], NULL, 0, 0);
	sqe->flags |= ASYNCRING_SQE_BUFFER_SELECT;
	sqe->buf_group = 1;
	assert_int_equal(asyncring_submit(&owned), 1);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned made = await_message(ends[1], false);

		if (i)
			assert_int_equal(made, 2);
	}
	assert_int_equal(asyncring_free_buf_ring(&owned, group, 256, 1), 0);
}

/* The times of many timeouts that lie together are copied together. */
static void timeouts_make_few_calls(void **state)
{
	static struct __kernel_timespec times[ENTRIES];
	struct __kernel_timespec *far = times;

	(void)state;
	for (int i = 0; i < ENTRIES; i++)
		times[i].tv_sec = 3600;
	asyncring_prep_timeout(support_sqe(&owned), far, 0, 0);
	assert_int_equal(asyncring_submit(&owned), 1);
	atomic_store(&calls, 0);
	for (int i = 0; i < ENTRIES; i++)
		asyncring_prep_timeout(support_sqe(&owned), &times[i], 0, 0);
	assert_int_equal(asyncring_submit(&owned), ENTRIES);
	/* In one page or in two, and each copy asks who we are. */
	assert_in_range(atomic_load(&calls), 0, 4);
}

static int setup(void **state)
{
	(void)state;
	support_bound(120);
	asyncring__alloc_hook = count_allocation;
	asyncring__sys_hook = count_call;
	file = support_file("/tmp", SIZE);
	return asyncring_queue_init(ENTRIES, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

#define MESSAGES(test) cmocka_unit_test_setup_teardown(test, setup_messages, teardown_messages)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steady_state_of_cached_reads_allocates_nothing),
		cmocka_unit_test(steady_state_of_fixed_reads_allocates_nothing),
		cmocka_unit_test(steady_state_of_overflow_allocates_nothing),
		cmocka_unit_test(a_lone_ring_has_no_thread),
		cmocka_unit_test(looking_at_completions_makes_no_call),
		MESSAGES(a_receive_that_waits_makes_six_calls),
		MESSAGES(a_receive_on_a_registered_socket_makes_four),
		MESSAGES(a_message_of_a_multishot_makes_two),
		MESSAGES(timeouts_make_few_calls),
		cmocka_unit_test(steady_state_of_workers_allocates_nothing),
		cmocka_unit_test(idle_threads_go_away),
		cmocka_unit_test(threads_go_with_the_last_ring),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
