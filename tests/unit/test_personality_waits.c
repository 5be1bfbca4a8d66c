/* SPDX-License-Identifier: MIT */
/*
 * Description: requests with a personality wait for readiness in the poller, as all others do. A
 * worker takes on the credentials only when there is something to be done.
 */
#include "support.h"

#include <poll.h>
#include <sys/socket.h>

enum { PAIRS = 16 };

static struct asyncring ring;
static int personality, pairs[PAIRS][2];
static char bytes[2][PAIRS];

static void queue(struct asyncring_sqe *sqe, uint64_t user_data, unsigned flags)
{
	sqe->user_data = user_data;
	sqe->flags |= (uint8_t)flags;
	sqe->personality = (uint16_t)personality;
}

static void queue_receives(unsigned first_flags)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		struct asyncring_sqe *sqe;

		if (first_flags) {
			sqe = support_sqe(&ring);
			asyncring_prep_nop(sqe);
			queue(sqe, 100, first_flags);
		}
		sqe = support_sqe(&ring);
		if (i % 2)
			asyncring_prep_recv(sqe, pairs[i][0], &bytes[0][i], 1, 0);
		else
			asyncring_prep_read(sqe, pairs[i][0], &bytes[0][i], 1, 0);
		queue(sqe, i, 0);
	}
}

static bool few_threads(void *argument)
{
	/* The attendant may have come. */
	return support_threads() <= *(unsigned *)argument + 1;
}

static void take(unsigned count, bool write_first)
{
	unsigned nops = 0;

	while (count) {
		struct asyncring_cqe *cqe;

		assert_int_equal(asyncring_wait_cqe(&ring, &cqe), 0);
		if (cqe->user_data == 100) {
			assert_int_equal(cqe->res, 0);
			nops++;
		} else {
			assert_true(write_first);
			assert_int_equal(cqe->res, 1);
		}
		asyncring_cqe_seen(&ring, cqe);
		count--;
	}
}

static void waiting_takes_no_thread(void **state)
{
	unsigned threads = support_threads();

	(void)state;
	queue_receives(0);
	assert_int_equal(asyncring_submit(&ring), PAIRS);
	assert_true(few_threads(&threads));
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	for (unsigned i = 0; i < PAIRS; i++)
		assert_int_equal(write(pairs[i][1], "x", 1), 1);
	take(PAIRS, true);
}

static void nor_does_it_in_a_chain(void **state)
{
	unsigned threads = support_threads();

	(void)state;
	queue_receives(ASYNCRING_SQE_IO_LINK);
	assert_int_equal(asyncring_submit(&ring), 2 * PAIRS);
	take(PAIRS, false);
	/* Workers that have done a nop may be there, idle, for a while. */
	assert_true(support_eventually(few_threads, &threads));
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	for (unsigned i = 0; i < PAIRS; i++)
		assert_int_equal(write(pairs[i][1], "x", 1), 1);
	take(PAIRS, true);
}

static void polls_need_no_worker_at_all(void **state)
{
	unsigned threads = support_threads();
	struct asyncring_sqe *sqe = support_sqe(&ring);
	struct asyncring_cqe *cqe;
	char byte;

	(void)state;
	asyncring_prep_poll_multishot(sqe, pairs[0][0], POLLIN);
	queue(sqe, 7, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(write(pairs[0][1], "x", 1), 1);
		assert_int_equal(asyncring_wait_cqe(&ring, &cqe), 0);
		assert_int_equal(cqe->res, POLLIN);
		assert_true(cqe->flags & ASYNCRING_CQE_F_MORE);
		asyncring_cqe_seen(&ring, cqe);
		assert_int_equal(read(pairs[0][0], &byte, 1), 1);
	}
	assert_true(few_threads(&threads));
	asyncring_prep_cancel64(support_sqe(&ring), 7, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_result(&ring, NULL) <= 0);
	assert_true(support_result(&ring, NULL) <= 0);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	if (asyncring_queue_init(64, &ring, 0))
		return -1;
	for (unsigned i = 0; i < PAIRS; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]))
			return -1;
	personality = asyncring_register_personality(&ring);
	return personality > 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_takes_no_thread),
		cmocka_unit_test(nor_does_it_in_a_chain),
		cmocka_unit_test(polls_need_no_worker_at_all),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
