/* SPDX-License-Identifier: MIT */
/*
 * Description: rule 10. A full completion queue grows a backlog: nothing is lost, order is kept,
 * not even for want of memory.
 */
#include "support.h"

enum { ENTRIES = 64, CQ_ENTRIES = 64, BACKLOG = 100000 };

static _Atomic unsigned allocations;

static struct asyncring ring;
static _Atomic bool memory_is_out;

static bool allow(size_t size)
{
	(void)size;
	atomic_fetch_add(&allocations, 1);
	return !atomic_load(&memory_is_out);
}

static bool overflowed(void)
{
	return asyncring_cq_has_overflow(&ring);
}

/* Submit NOPs @from to @to; how many were taken. */
static unsigned submit_nops(unsigned from, unsigned to, unsigned flags)
{
	unsigned submitted = 0;

	while (from + submitted < to) {
		unsigned batch = 0;
		int result;

		while (batch < ENTRIES && from + submitted + batch < to) {
			struct asyncring_sqe *sqe = asyncring_get_sqe(&ring);

			if (!sqe)
				break;
			asyncring_prep_nop(sqe);
			sqe->flags |= (unsigned char)flags;
			sqe->user_data = from + submitted + batch++;
		}
		result = asyncring_submit(&ring);
		if (result < 0)
			break;
		submitted += (unsigned)result;
		if ((unsigned)result < batch)
			break;
	}
	return submitted;
}

static void rule_10_no_completion_is_lost_of_100000(void **state)
{
	(void)state;
	assert_int_equal(submit_nops(0, BACKLOG, 0), BACKLOG);
	assert_true(overflowed());
	for (unsigned i = 0; i < BACKLOG; i++) {
		uint64_t user_data;

		assert_int_equal(support_result(&ring, &user_data), 0);
		assert_int_equal(user_data, i);
	}
	assert_int_equal(asyncring_get_events(&ring), 0);
	assert_false(overflowed());
	assert_int_equal(asyncring_cq_ready(&ring), 0);
}

static void rule_10_no_completion_is_lost_from_workers(void **state)
{
	enum { MANY = 5000 };
	static unsigned char seen[MANY];
	unsigned async = MANY / support_slowness();

	(void)state;
	assert_int_equal(submit_nops(0, async, ASYNCRING_SQE_ASYNC), async);
	for (unsigned i = 0; i < async; i++) {
		uint64_t user_data;

		assert_int_equal(support_result(&ring, &user_data), 0);
		assert_true(user_data < async);
		assert_int_equal(seen[user_data]++, 0);
	}
	assert_int_equal(asyncring_cq_ready(&ring), 0);
}

/* What was taken completes; what could not be taken stays in the submission queue. */
static void rule_10_no_completion_is_lost_without_memory(void **state)
{
	unsigned submitted, rest;

	(void)state;
	submitted = submit_nops(0, 2 * CQ_ENTRIES, 0);
	assert_int_equal(submitted, 2 * CQ_ENTRIES);
	atomic_store(&memory_is_out, true);
	submitted += submit_nops(submitted, submitted + BACKLOG / 10, 0);
	rest = asyncring_sq_ready(&ring);
	for (unsigned i = 0; i < submitted; i++) {
		uint64_t user_data;

		assert_int_equal(support_result(&ring, &user_data), 0);
		assert_int_equal(user_data, i);
	}
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	atomic_store(&memory_is_out, false);
	if (rest)
		assert_int_equal(asyncring_submit(&ring), rest);
	for (unsigned i = 0; i < rest; i++)
		assert_int_equal(support_result(&ring, NULL), 0);
}

/* A message to a full ring needs memory: the sender is told, or it arrives. */
static void rule_10_no_message_is_lost_without_memory(void **state)
{
	struct asyncring sender;
	unsigned arrived = 0, sent = 0;

	(void)state;
	assert_int_equal(asyncring_queue_init(8, &sender, 0), 0);
	asyncring_prep_nop(support_sqe(&sender));
	assert_int_equal(support_run(&sender), 0);
	for (unsigned i = 0; i < 4 * CQ_ENTRIES; i++) {
		int result;

		atomic_store(&memory_is_out, i % 3 == 1);
		asyncring_prep_msg_ring(support_sqe(&sender), ring.ring_fd, (unsigned)i, i, 0);
		result = support_run(&sender);
		if (!result)
			sent++;
		else
			assert_int_equal(result, -EOVERFLOW);
	}
	atomic_store(&memory_is_out, false);
	assert_true(sent > 2 * CQ_ENTRIES);
	while (arrived < sent) {
		uint64_t user_data;
		int result = support_result(&ring, &user_data);

		assert_int_equal((uint64_t)result, user_data);
		arrived++;
	}
	assert_int_equal(asyncring_get_events(&ring), 0);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	asyncring_queue_exit(&sender);
}

/* Registered at a time when memory was to be had, so the tag has to come. */
static void rule_10_no_tag_is_lost_without_memory(void **state)
{
	const __u64 tags[2] = {111, 222};
	int files[2] = {0, 0};
	static char bytes[64];
	struct iovec vector = {bytes, sizeof(bytes)};
	uint64_t sum = 0;

	(void)state;
	assert_int_equal(asyncring_register_files_tags(&ring, files, tags, 1), 0);
	assert_int_equal(asyncring_register_buffers_tags(&ring, &vector, tags + 1, 1), 0);
	atomic_store(&memory_is_out, true);
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	assert_int_equal(asyncring_unregister_buffers(&ring), 0);
	atomic_store(&memory_is_out, false);
	for (int i = 0; i < 2; i++) {
		uint64_t user_data;

		assert_int_equal(asyncring_cq_ready(&ring), 2 - i);
		assert_int_equal(support_result(&ring, &user_data), 0);
		sum += user_data;
	}
	assert_int_equal(sum, 333);
}

/*
 * Completions that are kept as results and those that stay with their requests, in one order, with
 * any room in the queue and at any place of it.
 */
static void rule_10_all_kinds_of_completions_keep_their_order(void **state)
{
	enum { ROUNDS = 2000 };
	unsigned submitted = 0, seen = 0, random = 1;
	int expected[1024];

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned batch, reaped;

		random = random * 1664525 + 1013904223;
		batch = 1 + (random >> 8) % ENTRIES;
		for (unsigned i = 0; i < batch; i++) {
			struct asyncring_sqe *sqe = asyncring_get_sqe(&ring);

			asyncring_prep_nop(sqe);
			random = random * 1664525 + 1013904223;
			switch ((random >> 8) % 24) {
			case 0: /* fails */
				sqe->nop_flags = ASYNCRING_NOP_INJECT_RESULT;
				sqe->len = (unsigned)-EIO;
				break;
			case 1: /* waits for those before it, as do those behind for it */
				sqe->flags = ASYNCRING_SQE_IO_DRAIN;
				break;
			case 2: /* succeeds, with a result */
				sqe->nop_flags = ASYNCRING_NOP_INJECT_RESULT;
				sqe->len = i;
				break;
			}
			expected[(submitted + i) % 1024] = sqe->nop_flags ? (int)sqe->len : 0;
			sqe->user_data = submitted + i;
		}
		assert_int_equal(asyncring_submit(&ring), batch);
		submitted += batch;
		reaped = (random >> 16) % (2 * ENTRIES);
		while (seen < submitted && (reaped-- || submitted - seen > 512)) {
			uint64_t user_data;
			int result = support_result(&ring, &user_data);

			assert_int_equal(user_data, seen);
			assert_int_equal(result, expected[seen++ % 1024]);
		}
	}
	while (seen < submitted)
		assert_int_equal(support_result(&ring, NULL), expected[seen++ % 1024]);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
}

/* ---- room that is made at the very moment at which there is none ---- */

enum { WIDE = 512, LEFT = 32 }; /* entries of a queue of several pages, and its room at the time */

static struct asyncring wide;
static char *guarded; /* the page into which the next CQE goes */

/* The library has seen how much room there is, and writes: now the application reaps. */
static void reap_in_between(int number)
{
	(void)number;
	if (mprotect(guarded, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE))
		_exit(1);
	asyncring_cq_advance(&wide, WIDE - LEFT);
}

static char *page_of(const void *address)
{
	return (char *)((uintptr_t)address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1));
}

static void run_nops(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		asyncring_prep_nop(support_sqe(&wide));
	assert_int_equal(asyncring_submit(&wide), count);
}

static char *page_of_next(unsigned ahead)
{
	return page_of(&wide.cq.cqes[(*wide.cq.ktail + ahead) & wide.cq.ring_mask]);
}

/* Nor are requests: all are given back, so those of the first round are enough for the others. */
static void rule_10_no_completion_is_lost_while_room_is_made(void **state)
{
	enum { ROUNDS = 100 };
	struct sigaction action = {.sa_handler = reap_in_between}, old;
	unsigned known = 0;

	(void)state;
	assert_int_equal(asyncring_queue_init_params(WIDE, &wide,
						     &(struct asyncring_params){
							     .flags = ASYNCRING_SETUP_CQSIZE,
							     .cq_entries = WIDE,
						     }),
			 0);
	assert_int_equal(sigaction(SIGSEGV, &action, &old), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		/* Not in the page of the words that both sides write. */
		while (page_of_next(WIDE - LEFT) == page_of(wide.cq.khead)) {
			run_nops(LEFT);
			asyncring_cq_advance(&wide, LEFT);
		}
		run_nops(WIDE - LEFT);
		for (unsigned i = 0; i < 2 * LEFT; i++)
			asyncring_prep_nop(support_sqe(&wide));
		guarded = page_of_next(0);
		assert_int_equal(mprotect(guarded, (size_t)sysconf(_SC_PAGESIZE), PROT_READ), 0);
		assert_int_equal(asyncring_submit(&wide), 2 * LEFT);
		assert_int_equal(asyncring_get_events(&wide), 0);
		assert_int_equal(asyncring_cq_ready(&wide), 2 * LEFT);
		asyncring_cq_advance(&wide, 2 * LEFT);
		if (!round)
			known = atomic_load(&allocations);
	}
	assert_int_equal(sigaction(SIGSEGV, &old, NULL), 0);
	assert_int_equal(atomic_load(&allocations), known);
	asyncring_queue_exit(&wide);
}

static int setup(void **state)
{
	struct asyncring_params params = {.flags = ASYNCRING_SETUP_CQSIZE,
					  .cq_entries = CQ_ENTRIES};

	(void)state;
	support_bound(60);
	asyncring__alloc_hook = allow;
	return asyncring_queue_init_params(ENTRIES, &ring, &params);
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
		cmocka_unit_test(rule_10_no_completion_is_lost_of_100000),
		cmocka_unit_test(rule_10_all_kinds_of_completions_keep_their_order),
		cmocka_unit_test(rule_10_no_completion_is_lost_while_room_is_made),
		cmocka_unit_test(rule_10_no_completion_is_lost_from_workers),
		cmocka_unit_test(rule_10_no_completion_is_lost_without_memory),
		cmocka_unit_test(rule_10_no_message_is_lost_without_memory),
		cmocka_unit_test(rule_10_no_tag_is_lost_without_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
