/* SPDX-License-Identifier: MIT */
/*
 * Description: rule 3. A waiting request has one owner: readiness and cancellation race for it, one
 * of them takes and finishes it, the other goes away. Exactly one completion, and it tells the
 * truth: the byte was read, or it is still in the pipe.
 */
#include "support.h"

enum { ROUNDS = 10000, READ = 1, CANCEL = 2 };

static struct asyncring ring;
static int ends[2];

/* The writer's turn is the number of the round, given by the main thread. */
static _Atomic unsigned turn;
static _Atomic bool write_failed;

static void *write_each_turn(void *argument)
{
	unsigned rounds = *(const unsigned *)argument;

	for (unsigned round = 1; round <= rounds; round++) {
		while (atomic_load(&turn) < round)
			sched_yield();
		/* A little later or earlier each time. */
		for (unsigned i = 0; i < round % 16; i++)
			sched_yield();
		if (write(ends[1], "x", 1) != 1)
			atomic_store(&write_failed, true);
	}
	return NULL;
}

struct outcome {
	int read, cancel;
	unsigned reads, cancels;
};

static void collect(struct outcome *outcome)
{
	*outcome = (struct outcome){0};
	for (int i = 0; i < 2; i++) {
		uint64_t user_data;
		int result = support_result(&ring, &user_data);

		if (user_data == READ) {
			outcome->read = result;
			outcome->reads++;
		} else {
			outcome->cancel = result;
			outcome->cancels++;
		}
	}
	assert_int_equal(outcome->reads, 1);
	assert_int_equal(outcome->cancels, 1);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
}

/* Wait for the byte that was not read. */
static void take_the_byte(void)
{
	char byte;

	assert_int_equal(read(ends[0], &byte, 1), 1);
}

static void check(const struct outcome *outcome)
{
	if (outcome->read == 1) {
		/* Cancelled in vain. */
		assert_true(outcome->cancel == -ENOENT || outcome->cancel == -EALREADY);
		return;
	}
	assert_int_equal(outcome->read, -ECANCELED);
	assert_int_equal(outcome->cancel, 0);
	take_the_byte();
}

static void rule_3_one_owner_of_a_waiting_request(void **state)
{
	unsigned rounds = ROUNDS / support_slowness(), read_first = 0;
	pthread_t writer;
	char byte;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_each_turn, &rounds), 0);
	for (unsigned round = 1; round <= rounds; round++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);
		struct outcome outcome;

		asyncring_prep_read(sqe, ends[0], &byte, 1, 0);
		sqe->user_data = READ;
		assert_int_equal(asyncring_submit(&ring), 1);
		atomic_store(&turn, round);
		for (unsigned i = 0; i < round % 13; i++)
			sched_yield();
		sqe = support_sqe(&ring);
		asyncring_prep_cancel64(sqe, READ, 0);
		sqe->user_data = CANCEL;
		assert_int_equal(asyncring_submit(&ring), 1);
		collect(&outcome);
		check(&outcome);
		read_first += outcome.read == 1;
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_false(atomic_load(&write_failed));
	print_message("read first in %u of %u rounds\n", read_first, rounds);
}

static void *cancel_synchronously(void *argument)
{
	struct asyncring_sync_cancel_reg reg = {
		.addr = READ, .timeout = {-1, -1}, .flags = ASYNCRING_ASYNC_CANCEL_ALL};
	int *result = argument;

	*result = asyncring_register_sync_cancel(&ring, &reg);
	return NULL;
}

/* Two threads cancel one request: one of them has taken it. */
static void rule_3_one_owner_among_cancellers(void **state)
{
	unsigned rounds = 300 / support_slowness() + 10;
	char byte;

	(void)state;
	for (unsigned round = 0; round < rounds; round++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);
		int results[2] = {99, 99};
		pthread_t threads[2];

		asyncring_prep_read(sqe, ends[0], &byte, 1, 0);
		sqe->user_data = READ;
		assert_int_equal(asyncring_submit(&ring), 1);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, cancel_synchronously,
							&results[i]),
					 0);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(support_result(&ring, NULL), -ECANCELED);
		assert_int_equal(asyncring_cq_ready(&ring), 0);
	}
}

static int setup(void **state)
{
	(void)state;
	support_bound(120);
	if (pipe2(ends, O_CLOEXEC))
		return -1;
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
		cmocka_unit_test(rule_3_one_owner_of_a_waiting_request),
		cmocka_unit_test(rule_3_one_owner_among_cancellers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
