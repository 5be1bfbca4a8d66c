/* SPDX-License-Identifier: MIT */
/*
 * Description: asyncring.h is C++17 as well, and the same binary interface there: no warning with
 * -Wall -Wextra -pedantic, C's sizes and offsets, and functions that can be called and linked.
 */
#pragma GCC diagnostic error "-Wall"
#pragma GCC diagnostic error "-Wextra"
#pragma GCC diagnostic error "-Wpedantic"

#include <asyncring.h>

/* May come after, with its own names. */
#include <linux/io_uring.h>

#include <algorithm>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
#include <cmocka.h>
}

static_assert(sizeof(asyncring_sqe) == 64);
static_assert(offsetof(asyncring_sqe, off) == 8);
static_assert(offsetof(asyncring_sqe, addr) == 16);
static_assert(offsetof(asyncring_sqe, user_data) == 32);
static_assert(offsetof(asyncring_sqe, buf_group) == 40);
static_assert(offsetof(asyncring_sqe, personality) == 42);
static_assert(offsetof(asyncring_sqe, file_index) == 44);
static_assert(offsetof(asyncring_sqe, cmd) == 48);
static_assert(sizeof(asyncring_cqe) == 16);
static_assert(offsetof(asyncring_cqe, big_cqe) == 16);
static_assert(sizeof(asyncring_params) == 120);
static_assert(offsetof(asyncring_params, cq_off) == 80);
static_assert(sizeof(asyncring_buf_ring) == 16);
static_assert(offsetof(asyncring_buf_ring, tail) == 14);
static_assert(offsetof(asyncring_buf_ring, bufs) == 0);
static_assert(sizeof(asyncring_probe) == 16);
static_assert(offsetof(asyncring_probe, ops) == 16);

/* A completion queue made by hand, as the inline functions need no more than that. */
class queue
{
      public:
	queue()
	{
		ring.cq.khead = &head;
		ring.cq.ktail = &tail;
		ring.cq.cqes = reinterpret_cast<asyncring_cqe *>(words);
		ring.cq.ring_mask = 3;
		ring.sq.kflags = &flags;
	}

	void complete(int res)
	{
		asyncring_cqe *cqe = &ring.cq.cqes[tail++ & 3];

		cqe->user_data = tail;
		cqe->res = res;
		cqe->flags = 0;
	}

	asyncring ring = {};

      private:
	unsigned head = 0xfffffffe, tail = 0xfffffffe, flags = 0;
	__u64 words[8] = {};
};

static void test_completions(void **)
{
	queue queue;
	asyncring_cqe *cqe = nullptr;
	unsigned head = 0, seen = 0;
	__u64 last = 0;
	int sum = 0;

	queue.complete(1);
	queue.complete(2);
	queue.complete(4);
	assert_int_equal(asyncring_cq_ready(&queue.ring), 3);
	asyncring_for_each_cqe (&queue.ring, head, cqe) {
		sum += cqe->res;
		last = std::max(cqe->user_data, last);
		seen++;
	}
	assert_int_equal(seen, 3);
	assert_int_equal(sum, 7);
	assert_int_equal(head, 1);
	assert_int_equal(last, 0xffffffff);

	asyncring_cq_advance(&queue.ring, 2);
	assert_int_equal(asyncring_peek_cqe(&queue.ring, &cqe), 0);
	assert_int_equal(cqe->res, 4);
	asyncring_cqe_seen(&queue.ring, cqe);
	assert_int_equal(asyncring_cq_ready(&queue.ring), 0);
	assert_int_equal(asyncring_peek_cqe(&queue.ring, &cqe), -EAGAIN);
	assert_null(cqe);
}

static void test_entries(void **)
{
	asyncring_sqe sqe = {};
	char buffer[16];

	asyncring_prep_read(&sqe, 3, buffer, sizeof(buffer), 4096);
	asyncring_sqe_set_data(&sqe, buffer);
	assert_int_equal(sqe.opcode, ASYNCRING_OP_READ);
	assert_int_equal(sqe.fd, 3);
	assert_int_equal(sqe.len, sizeof(buffer));
	assert_int_equal(sqe.off, 4096);
	assert_int_equal(sqe.addr, reinterpret_cast<std::uintptr_t>(buffer));
	assert_int_equal(sqe.user_data, sqe.addr);
}

static void test_buffer_ring(void **)
{
	alignas(16) unsigned char memory[4 * sizeof(asyncring_buf)] = {};
	/* volatile: who sees what lies there takes the C++ form, bufs[0], for an array of none. */
	unsigned char *volatile place = memory;
	auto *ring = reinterpret_cast<asyncring_buf_ring *>(place);
	char buffer[8];

	asyncring_buf_ring_init(ring);
	asyncring_buf_ring_add(ring, buffer, sizeof(buffer), 7, asyncring_buf_ring_mask(4), 0);
	asyncring_buf_ring_add(ring, buffer, 4, 8, asyncring_buf_ring_mask(4), 1);
	asyncring_buf_ring_advance(ring, 2);
	assert_int_equal(ring->tail, 2);
	assert_int_equal(ring->bufs[0].bid, 7);
	assert_int_equal(ring->bufs[1].bid, 8);
	assert_int_equal(ring->bufs[1].len, 4);
}

/* Links against the library, so the declarations have C's linkage. */
static void test_linkage(void **)
{
	assert_int_equal(asyncring_queue_init(8, nullptr, 0), -EFAULT);
	assert_int_equal(asyncring_memory_size(0, 0), -EINVAL);
}

int main()
{
	const CMUnitTest tests[] = {
		cmocka_unit_test(test_completions),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_buffer_ring),
		cmocka_unit_test(test_linkage),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
