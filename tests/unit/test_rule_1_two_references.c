/* SPDX-License-Identifier: MIT */
/*
 * Description: rule 1. A request is born with two references, the submission side's and the I/O
 * side's, and completes when the last is put, whoever puts it. Order does not matter.
 */
#include "support.h"

#include "core/core.h"

enum { ROUNDS = 20000, BATCH = 32 };

static struct asyncring ring;

/* A request as it is when it has just been handed over: in both hands. */
static struct request *hand_made(struct ring *insides, uint64_t user_data)
{
	struct request *request;

	ring_lock(insides);
	request = asyncring__request_alloc(insides);
	ring_unlock(insides);
	assert_non_null(request);
	request->op = asyncring__op(ASYNCRING_OP_NOP);
	request->opcode = ASYNCRING_OP_NOP;
	request->flags = 0;
	request->completion.user_data = user_data;
	request->completion.res = 0;
	request->completion.flags = 0;
	request->completion.extended = false;
	request->file = NULL;
	request->buffer = NULL;
	request->async_data = NULL;
	atomic_store(&request->references, 2);
	ring_lock(insides);
	asyncring__activate_chain(request);
	ring_unlock(insides);
	return request;
}

static void put_submitter(struct ring *insides, struct request *request)
{
	ring_lock(insides);
	asyncring__request_put_submitter(request);
	asyncring__batch_finish(insides);
	ring_unlock(insides);
}

static void rule_1_two_references_in_either_order(void **state)
{
	int error = 0;
	struct ring *insides = asyncring__ring_get((unsigned)ring.ring_fd, &error);
	uint64_t user_data;

	(void)state;
	assert_non_null(insides);
	for (uint64_t i = 0; i < 100; i++) {
		struct request *request = hand_made(insides, i);

		if (i % 2) {
			put_submitter(insides, request);
			assert_int_equal(asyncring_cq_ready(&ring), 0);
			assert_null(asyncring__request_put_worker(request));
		} else {
			assert_null(asyncring__request_put_worker(request));
			assert_int_equal(asyncring_cq_ready(&ring), 0);
			put_submitter(insides, request);
		}
		assert_int_equal(asyncring_cq_ready(&ring), 1);
		assert_int_equal(support_result(&ring, &user_data), 0);
		assert_int_equal(user_data, i);
		assert_int_equal(atomic_load(&insides->active), 0);
	}
	asyncring__ring_put(insides);
}

static void rule_1_two_references_racing(void **state)
{
	unsigned rounds = ROUNDS / support_slowness(), seen = 0;
	static unsigned char counts[ROUNDS + BATCH];

	(void)state;
	for (unsigned submitted = 0; submitted < rounds; submitted += BATCH) {
		for (unsigned i = 0; i < BATCH; i++) {
			struct asyncring_sqe *sqe = support_sqe(&ring);

			asyncring_prep_nop(sqe);
			sqe->user_data = submitted + i;
			sqe->flags |= ASYNCRING_SQE_ASYNC;
		}
		assert_int_equal(asyncring_submit(&ring), BATCH);
		for (unsigned i = 0; i < BATCH; i++) {
			uint64_t user_data;

			assert_int_equal(support_result(&ring, &user_data), 0);
			assert_true(user_data < submitted + BATCH);
			assert_int_equal(counts[user_data]++, 0);
			seen++;
		}
	}
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	assert_true(seen >= rounds);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	return asyncring_queue_init(BATCH, &ring, 0);
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
		cmocka_unit_test(rule_1_two_references_in_either_order),
		cmocka_unit_test(rule_1_two_references_racing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
