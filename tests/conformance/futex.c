/* SPDX-License-Identifier: MIT */
/*
 * Description: FUTEX_WAIT, FUTEX_WAKE and FUTEX_WAITV: waiters of a ring and of futex(2) are the
 * same to each other; order, masks, kinds of futexes, bad input, cancellation.
 */
#include "ops_helpers.h"

#include <linux/futex.h>
#include <sys/mman.h>

/* Of newer header packages. */
#ifndef FUTEX2_SIZE_U8
#define FUTEX2_SIZE_U8	0x00
#define FUTEX2_SIZE_U16 0x01
#define FUTEX2_SIZE_U32 0x02
#define FUTEX2_SIZE_U64 0x03
#define FUTEX2_PRIVATE	128
#endif

#define PRIVATE (FUTEX2_SIZE_U32 | FUTEX2_PRIVATE)
#define SHARED	FUTEX2_SIZE_U32
#define ANY	FUTEX_BITSET_MATCH_ANY

/* Plain futex(2), the other side of many of these tests. */
static int plain_wake(uint32_t *word, int count, bool private)
{
	return (int)syscall(SYS_futex, word, FUTEX_WAKE | (private ? FUTEX_PRIVATE_FLAG : 0), count,
			    NULL, NULL, 0);
}

/* A request that waits on *word; it is waiting when this returns. */
static void start_wait(struct io_uring *ring, uint64_t user_data, uint32_t *word)
{
	ops_prep(ring, user_data, 0, futex_wait, word, *word, ANY, PRIVATE, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
}

static void a_wake_request_wakes(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t word = 0;
	int results[2];

	start_wait(ring, 0, &word);
	ops_prep(ring, 1, 0, futex_wake, &word, 1, ANY, PRIVATE, 0);
	harness_submit(ring, 1);
	ops_collect(ring, results, 2);
	ops_assert_results(results, 0, 1);
}

/* Once it is submitted it waits: a wake-up that changes no value is enough, and counts it. */
static void a_plain_wake_wakes(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t word = 3;

	for (unsigned round = 0; round < 20; round++) {
		start_wait(ring, round, &word);
		assert_int_equal(plain_wake(&word, 1, true), 1);
		ops_expect(ring, round, 0);
		assert_int_equal(plain_wake(&word, 1, true), 0);
	}
}

struct sleeper {
	uint32_t word;
	long result;
	_Atomic pid_t tid;
};

static void *sleep_on_word(void *argument)
{
	struct sleeper *sleeper = argument;

	sleeper->tid = harness_thread_id();
	sleeper->result = syscall(SYS_futex, &sleeper->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static void a_wake_request_wakes_a_thread(void **state)
{
	struct ops *ops = *state;
	struct sleeper sleeper = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, sleep_on_word, &sleeper), 0);
	while (!sleeper.tid)
		sched_yield();
	assert_true(harness_wait_asleep(sleeper.tid));
	assert_int_equal(ops_run(&ops->ring, futex_wake, &sleeper.word, 5, ANY, PRIVATE, 0), 1);
	pthread_join(thread, NULL);
	assert_int_equal(sleeper.result, 0);
}

static void another_value_is_not_waited_for(void **state)
{
	struct ops *ops = *state;
	struct harness_cqe cqe;
	uint32_t word = 1;

	ops_prep(&ops->ring, 8, 0, futex_wait, &word, 2, ANY, PRIVATE, 0);
	harness_submit(&ops->ring, 1);
	assert_true(harness_peek(&ops->ring, &cqe));
	harness_assert_cqe(cqe, 8, -EAGAIN);
	assert_int_equal(cqe.flags, 0);
}

static void waiters_are_woken_in_order(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t word = 0;

	for (unsigned i = 0; i < 4; i++)
		start_wait(ring, i, &word);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(plain_wake(&word, 1, true), 1);
		ops_expect(ring, i, 0);
		harness_assert_empty(ring);
	}
	ops_prep(ring, 9, 0, futex_wake, &word, 1, ANY, PRIVATE, 0);
	harness_submit(ring, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct harness_cqe cqe = harness_next(ring);

		harness_assert_cqe(cqe, cqe.user_data == 9 ? 9 : 2, cqe.user_data == 9);
	}
	harness_assert_empty(ring);
	assert_int_equal(plain_wake(&word, 1, true), 1);
	ops_expect(ring, 3, 0);
}

static void as_many_are_woken_as_asked_for(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t word = 0;

	for (unsigned i = 0; i < 5; i++)
		start_wait(ring, i, &word);
	ops_prep(ring, 9, 0, futex_wake, &word, 0, ANY, PRIVATE, 0);
	harness_submit(ring, 1);
	ops_expect(ring, 9, 0);
	harness_assert_empty(ring);
	assert_int_equal(plain_wake(&word, 3, true), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(harness_next(ring).user_data < 3);
	harness_assert_empty(ring);
	assert_int_equal(plain_wake(&word, INT_MAX, true), 2);
	for (unsigned i = 0; i < 2; i++)
		assert_true(harness_next(ring).user_data >= 3);
}

/* More of them than anybody would want threads for; woken one at a time, each gets its own. */
static void many_waiters(void **state)
{
	enum { COUNT = 300 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	static uint32_t words[COUNT];
	unsigned before = harness_thread_count();

	for (unsigned i = 0; i < COUNT; i++)
		start_wait(ring, i, &words[i]);
	assert_true(harness_thread_count() < before + 60);
	for (unsigned i = 0; i < COUNT; i++) {
		unsigned which = i * 7 % COUNT;

		words[which] = 1;
		plain_wake(&words[which], 1, true);
		ops_expect(ring, which, 0);
	}
	harness_assert_empty(ring);
}

static void many_waiters_of_one_word(void **state)
{
	enum { COUNT = 100 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t word = 0;

	for (unsigned i = 0; i < COUNT; i++)
		start_wait(ring, i, &word);
	for (unsigned i = 0; i < COUNT / 2; i++) {
		ops_prep(ring, 1000, 0, futex_wake, &word, 1, ANY, PRIVATE, 0);
		harness_submit(ring, 1);
		for (unsigned j = 0; j < 2; j++) {
			struct harness_cqe cqe = harness_next(ring);

			harness_assert_cqe(cqe, cqe.user_data == 1000 ? 1000 : i,
					   cqe.user_data == 1000);
		}
		harness_assert_empty(ring);
	}
	ops_prep(ring, 1000, 0, futex_wake, &word, INT_MAX, ANY, PRIVATE, 0);
	harness_submit(ring, 1);
	for (unsigned i = 0; i < COUNT / 2 + 1; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.res, cqe.user_data == 1000 ? COUNT / 2 : 0);
	}
}

static void masks_select(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t word = 0;

	ops_prep(ring, 0, 0, futex_wait, &word, 0, 1, PRIVATE, 0);
	ops_prep(ring, 1, 0, futex_wait, &word, 0, 2, PRIVATE, 0);
	harness_submit(ring, 2);
	harness_assert_empty(ring);
	ops_prep(ring, 9, 0, futex_wake, &word, 5, 4, PRIVATE, 0);
	harness_submit(ring, 1);
	ops_expect(ring, 9, 0);
	word = 1;
	for (unsigned i = 2; i-- > 0;) {
		ops_prep(ring, 9, 0, futex_wake, &word, 5, i + 1, PRIVATE, 0);
		harness_submit(ring, 1);
		for (unsigned j = 0; j < 2; j++) {
			struct harness_cqe cqe = harness_next(ring);

			harness_assert_cqe(cqe, cqe.user_data == 9 ? 9 : i, cqe.user_data == 9);
		}
	}
	harness_assert_empty(ring);
}

/* Shared futexes are known by where their memory comes from, private ones by their address. */
static void shared_futexes(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int file = harness_temp_file(4096);
	uint32_t *first = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	uint32_t *second = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	assert_ptr_not_equal(first, MAP_FAILED);
	assert_ptr_not_equal(second, MAP_FAILED);
	ops_prep(ring, 0, 0, futex_wait, first, *first, ANY, SHARED, 0);
	harness_submit(ring, 1);
	assert_int_equal(plain_wake(second, 1, true), 0);
	assert_int_equal(plain_wake(second, 1, false), 1);
	ops_expect(ring, 0, 0);
	ops_prep(ring, 0, 0, futex_wait, first, *first, ANY, PRIVATE, 0);
	harness_submit(ring, 1);
	assert_int_equal(plain_wake(first, 1, false), 0);
	assert_int_equal(plain_wake(first, 1, true), 1);
	ops_expect(ring, 0, 0);
	munmap(first, 4096);
	munmap(second, 4096);
	close(file);
}

static void bad_flags_and_values(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	static const uint32_t sizes[] = {FUTEX2_SIZE_U8, FUTEX2_SIZE_U16, FUTEX2_SIZE_U64};
	struct io_uring_sqe *sqe;
	uint32_t word = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(ops_run(ring, futex_wait, &word, 1, ANY, sizes[i], 0), -EINVAL);
		assert_int_equal(ops_run(ring, futex_wake, &word, 1, ANY, sizes[i], 0), -EINVAL);
	}
	assert_int_equal(ops_run(ring, futex_wait, &word, 1, ANY, PRIVATE | 16, 0), -EINVAL);
	assert_int_equal(ops_run(ring, futex_wake, &word, 1, ANY, PRIVATE | 1u << 31, 0), -EINVAL);
	/* Values and masks have to fit. */
	assert_int_equal(ops_run(ring, futex_wait, &word, 1ull << 32, ANY, PRIVATE, 0), -EINVAL);
	assert_int_equal(ops_run(ring, futex_wake, &word, 1ull << 32, ANY, PRIVATE, 0), -EINVAL);
	assert_int_equal(ops_run(ring, futex_wait, &word, 1, 1ull << 32, PRIVATE, 0), -EINVAL);
	assert_int_equal(ops_run(ring, futex_wait, &word, 1, 0, PRIVATE, 0), -EINVAL);
	assert_int_equal(ops_run(ring, futex_wake, &word, 1, 0, PRIVATE, 0), -EINVAL);
	assert_int_equal(ops_run(ring, futex_wait, &word, 1, ANY, PRIVATE, 1), -EINVAL);
	assert_int_equal(ops_run(ring, futex_wake, &word, 1, ANY, PRIVATE, 1), -EINVAL);
	for (unsigned i = 0; i < 4; i++) {
		sqe = ops_prep(ring, 0, 0, futex_wait, &word, 1, ANY, PRIVATE, 0);
		sqe->len = i == 0;
		sqe->buf_index = i == 1;
		sqe->file_index = i == 2;
		sqe->ioprio = i == 3;
		assert_int_equal(harness_result(ring), -EINVAL);
	}
	/* A negative number of wake-ups is no number at all: some kernels take it as one. */
	assert_int_equal(ops_run(ring, futex_wake, &word, 0, 0, PRIVATE, 0), -EINVAL);
}

static void bad_addresses(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t words[2] = {0};
	uint32_t *odd = (uint32_t *)(void *)((char *)words + 1);

	assert_int_equal(ops_run(ring, futex_wait, NULL, 0, ANY, PRIVATE, 0), -EFAULT);
	assert_int_equal(ops_run(ring, futex_wait, (uint32_t *)64, 0, ANY, SHARED, 0), -EFAULT);
	assert_int_equal(ops_run(ring, futex_wait, odd, 0, ANY, PRIVATE, 0), -EINVAL);
	assert_int_equal(ops_run(ring, futex_wake, odd, 1, ANY, PRIVATE, 0), -EINVAL);
	assert_int_equal(ops_run(ring, futex_wake, (uint32_t *)64, 1, ANY, SHARED, 0), -EFAULT);
	/* A private wake never looks at the memory. */
	assert_int_equal(ops_run(ring, futex_wake, (uint32_t *)64, 1, ANY, PRIVATE, 0), 0);
}

static void failures_break_links(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t word = 0;
	int results[3];

	ops_prep(ring, 0, IOSQE_IO_LINK, futex_wait, &word, 1, ANY, PRIVATE, 0);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -EAGAIN, -ECANCELED);
	ops_prep(ring, 0, IOSQE_IO_LINK, futex_wait, &word, 0, ANY, PRIVATE, 0);
	ops_prep(ring, 1, IOSQE_IO_LINK, futex_wake, &word, 1, ANY, PRIVATE, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 3);
	harness_assert_empty(ring);
	assert_int_equal(plain_wake(&word, 1, true), 1);
	ops_collect(ring, results, 3);
	ops_assert_results(results, 0, 0, 0);
}

/* A waiter behind another request starts to wait when that one is done. */
static void a_waiter_in_a_chain(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t word = 0;
	int results[3], fds[2];
	char byte;

	harness_pipe(fds);
	ops_prep(ring, 0, IOSQE_IO_LINK, read, fds[0], &byte, 1, 0);
	ops_prep(ring, 1, IOSQE_IO_LINK, futex_wait, &word, 0, ANY, PRIVATE, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 3);
	assert_int_equal(plain_wake(&word, 1, true), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	ops_expect(ring, 0, 1);
	while (!plain_wake(&word, 1, true))
		sched_yield();
	ops_collect(ring, results, 0);
	ops_expect(ring, 1, 0);
	ops_expect(ring, 2, 0);
	harness_close_pipe(fds);
}

/* ---- several words ---- */

static struct futex_waitv waitv_entry(uint32_t *word, uint32_t flags)
{
	return (struct futex_waitv){.val = *word, .uaddr = (uintptr_t)word, .flags = flags};
}

static void any_of_several_words(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t words[4] = {1, 2, 3, 4};
	struct futex_waitv vector[4];

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 4; i++)
			vector[i] = waitv_entry(&words[i], PRIVATE);
		ops_prep(ring, 7, 0, futex_waitv, vector, 4, 0);
		harness_submit(ring, 1);
		harness_assert_empty(ring);
		memset(vector, 0xff, sizeof(vector));
		assert_int_equal(plain_wake(&words[round], 1, true), 1);
		ops_expect(ring, 7, round);
		/* It waits for none of them any more. */
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(plain_wake(&words[i], 1, true), 0);
	}
}

static void a_full_vector(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	static struct futex_waitv vector[FUTEX_WAITV_MAX + 1];
	static uint32_t words[FUTEX_WAITV_MAX + 1];

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		vector[i] = waitv_entry(&words[i], PRIVATE);
	assert_int_equal(ops_run(ring, futex_waitv, vector, FUTEX_WAITV_MAX + 1, 0), -EINVAL);
	assert_int_equal(ops_run(ring, futex_waitv, vector, 0, 0), -EINVAL);
	ops_prep(ring, 1, 0, futex_waitv, vector, FUTEX_WAITV_MAX, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	words[FUTEX_WAITV_MAX - 1] = 1;
	assert_int_equal(plain_wake(&words[FUTEX_WAITV_MAX - 1], 1, true), 1);
	ops_expect(ring, 1, FUTEX_WAITV_MAX - 1);
}

static void bad_vectors(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t words[3] = {0};
	struct futex_waitv vector[2] = {waitv_entry(&words[0], PRIVATE),
					waitv_entry(&words[1], PRIVATE)};
	struct io_uring_sqe *sqe;

	assert_int_equal(ops_run(ring, futex_waitv, NULL, 1, 0), -EFAULT);
	assert_int_equal(ops_run(ring, futex_waitv, vector, 2, 1), -EINVAL);
	for (unsigned i = 0; i < 6; i++) {
		sqe = ops_prep(ring, 0, 0, futex_waitv, vector, 2, 0);
		sqe->fd = i == 0;
		sqe->buf_index = i == 1;
		sqe->file_index = i == 2;
		sqe->addr2 = i == 3;
		sqe->addr3 = i == 4;
		sqe->ioprio = i == 5;
		assert_int_equal(harness_result(ring), -EINVAL);
	}
	vector[1].__reserved = 1;
	assert_int_equal(ops_run(ring, futex_waitv, vector, 2, 0), -EINVAL);
	vector[1].__reserved = 0;
	vector[1].flags = FUTEX2_SIZE_U16 | FUTEX2_PRIVATE;
	assert_int_equal(ops_run(ring, futex_waitv, vector, 2, 0), -EINVAL);
	vector[1].flags = PRIVATE | 16;
	assert_int_equal(ops_run(ring, futex_waitv, vector, 2, 0), -EINVAL);
	vector[1].flags = PRIVATE;
	vector[1].val = 1ull << 32;
	assert_int_equal(ops_run(ring, futex_waitv, vector, 2, 0), -EINVAL);
	vector[1].val = 1;
	assert_int_equal(ops_run(ring, futex_waitv, vector, 2, 0), -EAGAIN);
	vector[1].val = 0;
	vector[1].uaddr = 64;
	assert_int_equal(ops_run(ring, futex_waitv, vector, 2, 0), -EFAULT);
	vector[1].uaddr = (uintptr_t)&words[1] + 1;
	assert_int_equal(ops_run(ring, futex_waitv, vector, 2, 0), -EINVAL);
	/* None of these left a waiter behind. */
	assert_int_equal(plain_wake(&words[0], 1, true), 0);
}

/* ---- cancellation ---- */

static void cancelling_a_waiter_answers_one(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct futex_waitv vector[2];
	uint32_t words[2] = {0};
	int results[2];

	start_wait(ring, 0, &words[0]);
	ops_prep(ring, 1, 0, cancel64, 0, 0);
	harness_submit(ring, 1);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -ECANCELED, 1);
	assert_int_equal(plain_wake(&words[0], 1, true), 0);
	for (unsigned i = 0; i < 2; i++)
		vector[i] = waitv_entry(&words[i], PRIVATE);
	ops_prep(ring, 0, 0, futex_waitv, vector, 2, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	ops_prep(ring, 1, 0, cancel64, 0, 0);
	harness_submit(ring, 1);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -ECANCELED, 1);
	ops_prep(ring, 1, 0, cancel64, 0, 0);
	harness_submit(ring, 1);
	ops_expect(ring, 1, -ENOENT);
}

static void cancelling_by_other_keys(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring_sync_cancel_reg reg = {.timeout = {-1, -1}};
	struct io_uring_sqe *sqe;
	uint32_t word = 0;

	/* One of two, the first of them. */
	start_wait(ring, 5, &word);
	start_wait(ring, 5, &word);
	ops_prep(ring, 9, 0, cancel64, 5, 0);
	harness_submit(ring, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.res, cqe.user_data == 9 ? 1 : -ECANCELED);
	}
	harness_assert_empty(ring);
	/* By opcode. */
	sqe = ops_prep(ring, 9, 0, cancel64, 0, IORING_ASYNC_CANCEL_OP);
	sqe->len = IORING_OP_FUTEX_WAIT;
	harness_submit(ring, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.res, cqe.user_data == 9 ? 1 : -ECANCELED);
	}
	/* By a register call. */
	start_wait(ring, 5, &word);
	reg.addr = 5;
	assert_int_equal(io_uring_register_sync_cancel(ring, &reg), 1);
	ops_expect(ring, 5, -ECANCELED);
}

/* A time limit that takes a waiter back says so in the same way. */
static void a_time_limit(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct __kernel_timespec limit = harness_msec(5);
	uint32_t word = 0;
	int results[2];

	for (unsigned mask = 1; mask; mask = mask == 1 ? ANY : 0) {
		ops_prep(ring, 0, IOSQE_IO_LINK, futex_wait, &word, 0, mask, PRIVATE, 0);
		ops_prep(ring, 1, 0, link_timeout, &limit, 0);
		harness_submit(ring, 2);
		ops_collect(ring, results, 2);
		ops_assert_results(results, -ECANCELED, 1);
	}
	limit = harness_deadline();
	ops_prep(ring, 0, IOSQE_IO_LINK, futex_wait, &word, 0, ANY, PRIVATE, 0);
	ops_prep(ring, 1, 0, link_timeout, &limit, 0);
	harness_submit(ring, 2);
	assert_int_equal(plain_wake(&word, 1, true), 1);
	ops_collect(ring, results, 2);
	ops_assert_results(results, 0, -ECANCELED);
}

/* All at once: the number is told, but that of one kind counts once. */
static void cancelling_all(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint32_t word = 0;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 3; i++)
			start_wait(ring, 5, &word);
		ops_prep(ring, 9, 0, cancel64, 5,
			 round ? IORING_ASYNC_CANCEL_ANY : IORING_ASYNC_CANCEL_ALL);
		harness_submit(ring, 1);
		for (unsigned i = 0; i < 4; i++) {
			struct harness_cqe cqe = harness_next(ring);
			int count = round ? 3 : 1;

			assert_int_equal(cqe.res, cqe.user_data == 9 ? count : -ECANCELED);
		}
	}
}

static void closing_the_ring_ends_waiters(void **state)
{
	struct io_uring ring;
	uint32_t word = 0;

	(void)state;
	harness_init(&ring, 8, 0);
	for (unsigned i = 0; i < 4; i++)
		start_wait(&ring, i, &word);
	io_uring_queue_exit(&ring);
	while (plain_wake(&word, 1, true))
		sched_yield();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_wake_request_wakes),
		ops_test(a_plain_wake_wakes),
		ops_test(a_wake_request_wakes_a_thread),
		ops_test(another_value_is_not_waited_for),
		ops_test(waiters_are_woken_in_order),
		ops_test(as_many_are_woken_as_asked_for),
		ops_test(many_waiters),
		ops_test(many_waiters_of_one_word),
		ops_test(masks_select),
		ops_test(shared_futexes),
		ops_test(bad_flags_and_values),
		ops_test(bad_addresses),
		ops_test(failures_break_links),
		ops_test(a_waiter_in_a_chain),
		ops_test(any_of_several_words),
		ops_test(a_full_vector),
		ops_test(bad_vectors),
		ops_test(cancelling_a_waiter_answers_one),
		ops_test(cancelling_by_other_keys),
		ops_test(a_time_limit),
		ops_test(cancelling_all),
		cmocka_unit_test(closing_the_ring_ends_waiters),
	};

	return harness_run(tests);
}
