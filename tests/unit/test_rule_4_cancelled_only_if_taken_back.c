/* SPDX-License-Identifier: MIT */
/*
 * Description: rule 4. -ECANCELED means that nothing was done, and a successful cancellation that
 * the request was taken back. What runs already completes with its true result. A gate in front of
 * the worker's system call holds requests where the test wants them.
 */
#include "support.h"

enum { SIZE = 4096, TARGET = 1, CANCEL = 2, OTHER = 3 };

static struct asyncring ring;
static struct support_gate gate;
static int file;
static unsigned char data[SIZE];
static unsigned old_limits[2];

static bool at_the_gate(long number, const long arguments[6], long *result)
{
	(void)arguments;
	(void)result;
	support_gate_pass(&gate, number);
	return false;
}

/*
 * One letter per request shows in the file whether it was carried out. They stand apart: writes
 * that continue each other would run together.
 */
static off_t place_of(char letter)
{
	return 2 * letter;
}

static void queue_write(char letter, uint64_t user_data)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	data[(int)letter] = (unsigned char)letter;
	asyncring_prep_write(sqe, file, &data[(int)letter], 1, (uint64_t)place_of(letter));
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = user_data;
}

static bool written(char letter)
{
	char byte = 0;

	return pread(file, &byte, 1, place_of(letter)) == 1 && byte == letter;
}

static void forget_writes(void)
{
	assert_int_equal(ftruncate(file, 0), 0);
}

static int cancel(uint64_t target, unsigned flags)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);
	uint64_t user_data;
	int result;

	asyncring_prep_cancel64(sqe, target, (int)flags);
	sqe->user_data = CANCEL;
	assert_int_equal(asyncring_submit(&ring), 1);
	/* What was taken back may be told first. */
	result = support_result(&ring, &user_data);
	if (user_data != CANCEL) {
		struct asyncring_cqe *cqe;

		assert_int_equal(user_data, TARGET);
		assert_int_equal(result, -ECANCELED);
		assert_int_equal(asyncring_wait_cqe(&ring, &cqe), 0);
		assert_int_equal(cqe->user_data, CANCEL);
		result = cqe->res;
		cqe->user_data = TARGET;
		cqe->res = -ECANCELED; /* stays in the queue, for the caller to find */
	}
	return result;
}

static void expect(uint64_t user_data, int result)
{
	uint64_t seen;

	assert_int_equal(support_result(&ring, &seen), result);
	assert_int_equal(seen, user_data);
}

static void rule_4_running_request_tells_its_true_result(void **state)
{
	(void)state;
	forget_writes();
	support_gate_close(&gate, SYS_pwritev2);
	queue_write('a', TARGET);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_gate_held(&gate, 1));
	assert_int_equal(cancel(TARGET, 0), -EALREADY);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	support_gate_open(&gate);
	expect(TARGET, 1);
	assert_true(written('a'));
}

static void rule_4_queued_request_is_taken_back(void **state)
{
	(void)state;
	forget_writes();
	support_gate_close(&gate, SYS_pwritev2);
	/* Writes of one inode run one after another: the second waits for the first. */
	queue_write('a', OTHER);
	queue_write('b', TARGET);
	queue_write('c', OTHER);
	assert_int_equal(asyncring_submit(&ring), 3);
	assert_true(support_gate_held(&gate, 1));
	assert_int_equal(cancel(TARGET, 0), 0);
	expect(TARGET, -ECANCELED);
	support_gate_open(&gate);
	expect(OTHER, 1);
	expect(OTHER, 1);
	assert_true(written('a'));
	assert_false(written('b'));
	assert_true(written('c'));
}

static void rule_4_request_behind_all_workers_is_taken_back(void **state)
{
	int other = support_file("/tmp", SIZE);
	unsigned limits[2] = {1, 0};
	struct asyncring_sqe *sqe;
	char byte;

	(void)state;
	/* One bounded worker, at the gate: a request on another file waits in the queue. */
	assert_int_equal(asyncring_register_iowq_max_workers(&ring, limits), 0);
	old_limits[0] = limits[0];
	support_gate_close(&gate, SYS_pwritev2);
	queue_write('a', OTHER);
	sqe = support_sqe(&ring);
	asyncring_prep_read(sqe, other, &byte, 1, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = TARGET;
	assert_int_equal(asyncring_submit(&ring), 2);
	assert_true(support_gate_held(&gate, 1));
	assert_int_equal(cancel(TARGET, 0), 0);
	expect(TARGET, -ECANCELED);
	support_gate_open(&gate);
	expect(OTHER, 1);
	assert_int_equal(asyncring_register_iowq_max_workers(&ring, old_limits), 0);
	close(other);
}

static void rule_4_waiting_request_is_taken_back(void **state)
{
	int ends[2];
	char byte;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	fcntl(ends[0], F_SETFL, 0);
	asyncring_prep_read(support_sqe(&ring), ends[0], &byte, 1, 0);
	ring.sq.sqes[(ring.sq.sqe_tail - 1) & ring.sq.ring_mask].user_data = TARGET;
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_int_equal(cancel(TARGET, 0), 0);
	expect(TARGET, -ECANCELED);
	/* It is really gone: what comes now is for others. */
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
}

static void rule_4_finished_request_is_not_found(void **state)
{
	(void)state;
	queue_write('a', TARGET);
	assert_int_equal(support_run(&ring), 1);
	assert_int_equal(cancel(TARGET, 0), -ENOENT);
	assert_int_equal(cancel(TARGET, ASYNCRING_ASYNC_CANCEL_ALL), 0);
}

static void rule_4_count_is_of_those_taken_back(void **state)
{
	(void)state;
	forget_writes();
	support_gate_close(&gate, SYS_pwritev2);
	queue_write('a', OTHER);
	for (char letter = 'b'; letter <= 'e'; letter++)
		queue_write(letter, 100);
	assert_int_equal(asyncring_submit(&ring), 5);
	assert_true(support_gate_held(&gate, 1));
	asyncring_prep_cancel64(support_sqe(&ring), 0, ASYNCRING_ASYNC_CANCEL_ANY);
	ring.sq.sqes[(ring.sq.sqe_tail - 1) & ring.sq.ring_mask].user_data = CANCEL;
	assert_int_equal(asyncring_submit(&ring), 1);
	for (int i = 0; i < 5; i++) {
		uint64_t user_data;
		int result = support_result(&ring, &user_data);

		assert_int_equal(result, user_data == CANCEL ? 4 : -ECANCELED);
	}
	support_gate_open(&gate);
	expect(OTHER, 1);
	assert_true(written('a'));
	for (char letter = 'b'; letter <= 'e'; letter++)
		assert_false(written(letter));
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	atomic_store(&asyncring__waiters_only_wait, true);
	asyncring__sys_hook = at_the_gate;
	file = support_file("/tmp", 0);
	return asyncring_queue_init(8, &ring, 0);
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
		/* First, as long as there are no more workers than its limit. */
		cmocka_unit_test(rule_4_request_behind_all_workers_is_taken_back),
		cmocka_unit_test(rule_4_running_request_tells_its_true_result),
		cmocka_unit_test(rule_4_queued_request_is_taken_back),
		cmocka_unit_test(rule_4_waiting_request_is_taken_back),
		cmocka_unit_test(rule_4_finished_request_is_not_found),
		cmocka_unit_test(rule_4_count_is_of_those_taken_back),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
