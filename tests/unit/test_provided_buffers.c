/* SPDX-License-Identifier: MIT */
/*
 * Description: what the conformance tests cannot reach of provided buffers: several picked at once
 * (bundles), from rings with tails and entries that are nonsense, on the side of a worker; memory
 * that cannot be had; the ring the application side sets up.
 */
#include "support.h"

#include "core/buffer_group.h"
#include "core/core.h"
#include "core/provided.h"

enum { ENTRIES = 8, GROUP = 3, PAGE = 4096 };

static struct asyncring ring;
static struct asyncring_buf_ring *buffers;
static char memory[ENTRIES * 16];
static struct ring *core;
static struct request request;
static struct picked_buffers picked;
static struct iovec vectors[2 * ENTRIES];

static void add(uint32_t length, uint16_t id)
{
	asyncring_buf_ring_add(buffers, memory + 16 * (id % ENTRIES), length, id,
			       asyncring_buf_ring_mask(ENTRIES), 0);
	asyncring_buf_ring_advance(buffers, 1);
}

static void make_ring(unsigned flags)
{
	int error = 0;

	buffers = asyncring_setup_buf_ring(&ring, ENTRIES, GROUP, flags, &error);
	assert_int_equal(error, 0);
	assert_non_null(buffers);
}

static unsigned head(void)
{
	uint16_t place = 0;

	assert_int_equal(asyncring_buf_ring_head(&ring, GROUP, &place), 0);
	return place;
}

static int pick(unsigned flags, unsigned max, uint32_t wanted)
{
	return asyncring__buffers_pick(&request, flags, vectors, max, wanted, &picked);
}

/* Pick, as the submitter does, and say that @bytes were moved. */
static uint32_t use(unsigned max, uint32_t wanted, int count, uint64_t bytes)
{
	uint32_t flags;

	ring_lock(core);
	assert_int_equal(pick(ISSUE_NONBLOCK | ISSUE_LOCKED, max, wanted), count);
	flags = asyncring__buffers_commit(&request, &picked, bytes);
	ring_unlock(core);
	return flags;
}

static uint32_t with_id(uint16_t id, uint32_t flags)
{
	return ASYNCRING_CQE_F_BUFFER | flags | (uint32_t)id << ASYNCRING_CQE_BUFFER_SHIFT;
}

static int setup(void **state)
{
	int error;

	(void)state;
	assert_int_equal(asyncring_queue_init(8, &ring, 0), 0);
	core = asyncring__ring_get((unsigned)ring.ring_fd, &error);
	assert_non_null(core);
	request.ring = core;
	request.buf_index = GROUP;
	request.completion.flags = 0;
	buffers = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	asyncring__ring_put(core);
	if (buffers)
		assert_int_equal(asyncring_free_buf_ring(&ring, buffers, ENTRIES, GROUP), 0);
	asyncring_queue_exit(&ring);
	return 0;
}

static void bundle_uses_what_it_fills(void **state)
{
	(void)state;
	make_ring(0);
	for (uint16_t i = 0; i < ENTRIES; i++)
		add(10, i);
	/* 25 bytes: two buffers and a part of a third. */
	assert_int_equal(use(ENTRIES, 0, ENTRIES, 25), with_id(0, 0));
	assert_int_equal(head(), 3);
	assert_int_equal(vectors[1].iov_len, 10);
	assert_ptr_equal(vectors[1].iov_base, memory + 16);
	assert_int_equal(use(ENTRIES, 0, 5, 10), with_id(3, 0));
	assert_int_equal(head(), 4);
	/* Nothing uses nothing. */
	assert_int_equal(use(ENTRIES, 0, 4, 0), with_id(4, 0));
	assert_int_equal(head(), 4);
	/* One that there is room for only in part is left alone, but for the first. */
	assert_int_equal(use(ENTRIES, 25, 2, 20), with_id(4, 0));
	assert_int_equal(head(), 6);
	assert_int_equal(use(ENTRIES, 4, 1, 4), with_id(6, 0));
	assert_int_equal(vectors[0].iov_len, 4);
	assert_int_equal(use(1, 0, 1, 10), with_id(7, 0));
	assert_int_equal(head(), 8);
	ring_lock(core);
	assert_int_equal(pick(ISSUE_LOCKED, ENTRIES, 0), -ENOBUFS);
	ring_unlock(core);
}

static void incremental_bundle(void **state)
{
	(void)state;
	make_ring(ASYNCRING_PBUF_RING_INC);
	for (uint16_t i = 0; i < 4; i++)
		add(10, i);
	assert_int_equal(use(ENTRIES, 25, 3, 25), with_id(0, ASYNCRING_CQE_F_BUF_MORE));
	assert_int_equal(vectors[2].iov_len, 5);
	assert_int_equal(head(), 2);
	assert_int_equal(use(ENTRIES, 0, 2, 15), with_id(2, 0));
	assert_int_equal(vectors[0].iov_len, 5);
	assert_ptr_equal(vectors[0].iov_base, memory + 2 * 16 + 5);
	assert_int_equal(head(), 4);
}

/* However far the tail is, no entry is looked at twice. */
static void tail_beyond_the_ring(void **state)
{
	static const uint16_t tails[] = {ENTRIES + 1, 1000, 32768, UINT16_MAX};

	(void)state;
	make_ring(0);
	for (uint16_t i = 0; i < ENTRIES; i++)
		add(1, i);
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		__atomic_store_n(&buffers->tail, tails[i], __ATOMIC_RELEASE);
		ring_lock(core);
		assert_int_equal(pick(ISSUE_LOCKED, 2 * ENTRIES, 0), ENTRIES);
		asyncring__buffers_return(&request, &picked);
		ring_unlock(core);
	}
	/* Behind the head it is nearly a whole turn in front of it. */
	assert_int_equal(use(2 * ENTRIES, 0, ENTRIES, 3), with_id(0, 0));
	__atomic_store_n(&buffers->tail, 2, __ATOMIC_RELEASE);
	ring_lock(core);
	assert_int_equal(pick(ISSUE_LOCKED, 2 * ENTRIES, 0), ENTRIES);
	asyncring__buffers_return(&request, &picked);
	ring_unlock(core);
	assert_int_equal(head(), 3);
}

/* Entries change between the pick and the commit, as data received may overwrite them. */
static void entries_that_change(void **state)
{
	(void)state;
	make_ring(0);
	for (uint16_t i = 0; i < 3; i++)
		add(10, i);
	ring_lock(core);
	assert_int_equal(pick(ISSUE_LOCKED, ENTRIES, 0), 3);
	for (unsigned i = 0; i < ENTRIES; i++) {
		buffers->bufs[i].addr = UINT64_MAX;
		buffers->bufs[i].len = UINT32_MAX;
		buffers->bufs[i].bid = UINT16_MAX;
	}
	assert_int_equal(asyncring__buffers_commit(&request, &picked, 15), with_id(0, 0));
	ring_unlock(core);
	assert_int_equal(head(), 2);
}

static void incremental_entries_that_change(void **state)
{
	(void)state;
	make_ring(ASYNCRING_PBUF_RING_INC);
	for (uint16_t i = 0; i < ENTRIES; i++)
		add(10, i);
	ring_lock(core);
	assert_int_equal(pick(ISSUE_LOCKED, ENTRIES, 0), ENTRIES);
	for (unsigned i = 0; i < ENTRIES; i++)
		buffers->bufs[i].len = 0;
	assert_int_equal(asyncring__buffers_commit(&request, &picked, 15),
			 with_id(0, ASYNCRING_CQE_F_BUF_MORE));
	ring_unlock(core);
	assert_int_equal(head(), 0);
	/* Without room there is nothing to begin a bundle with. */
	ring_lock(core);
	assert_int_equal(pick(ISSUE_LOCKED, ENTRIES, 0), -ENOBUFS);
	ring_unlock(core);
}

/* A worker's pick holds the lock until the commit or return. */
static void on_a_worker(void **state)
{
	(void)state;
	make_ring(0);
	add(10, 5);
	assert_int_equal(pick(0, 1, 0), 1);
	assert_false(lock_try(&core->submit_lock));
	asyncring__buffers_return(&request, &picked);
	assert_int_equal(head(), 0);
	assert_int_equal(pick(0, 1, 0), 1);
	assert_int_equal(asyncring__buffers_commit(&request, &picked, 10), with_id(5, 0));
	assert_int_equal(head(), 1);
	assert_int_equal(pick(0, 1, 0), -ENOBUFS);
	assert_true(lock_try(&core->submit_lock));
	ring_unlock(core);
}

static void taken_for_good(void **state)
{
	struct iovec vector;

	(void)state;
	make_ring(ASYNCRING_PBUF_RING_INC);
	add(10, 5);
	assert_int_equal(asyncring__buffers_take(&request, 0, &vector, 4), 0);
	assert_int_equal(vector.iov_len, 4);
	assert_int_equal(request.completion.flags, with_id(5, ASYNCRING_CQE_F_BUF_MORE));
	request.completion.flags = 0;
	assert_int_equal(asyncring__buffers_take(&request, 0, &vector, 0), 0);
	assert_ptr_equal(vector.iov_base, memory + 5 * 16 + 4);
	assert_int_equal(vector.iov_len, 6);
	assert_int_equal(request.completion.flags, with_id(5, 0));
	assert_int_equal(asyncring__buffers_take(&request, 0, &vector, 0), -ENOBUFS);
}

static void single_buffers_never_come_in_bundles(void **state)
{
	(void)state;
	asyncring_prep_provide_buffers(support_sqe(&ring), memory, 10, 3, GROUP, 7);
	assert_int_equal(support_run(&ring), 0);
	assert_int_equal(use(ENTRIES, 0, 1, 10), with_id(7, 0));
	assert_int_equal(use(ENTRIES, 4, 1, 4), with_id(8, 0));
	assert_int_equal(vectors[0].iov_len, 4);
	assert_int_equal(use(1, 0, 1, 0), with_id(9, 0));
	ring_lock(core);
	assert_int_equal(pick(ISSUE_LOCKED, 1, 0), -ENOBUFS);
	ring_unlock(core);
}

/* ---- the ring the application side sets up ---- */

static void set_up_and_freed(void **state)
{
	static const unsigned flags[] = {0, ASYNCRING_PBUF_RING_INC, ASYNCRING_PBUF_RING_MMAP,
					 ASYNCRING_PBUF_RING_MMAP | ASYNCRING_PBUF_RING_INC};

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		int error = 0;

		make_ring(flags[i]);
		assert_int_equal(asyncring_buf_ring_available(&ring, buffers, GROUP), 0);
		add(10, 1);
		add(10, 2);
		assert_int_equal(asyncring_buf_ring_available(&ring, buffers, GROUP), 2);
		assert_int_equal(use(1, 0, 1, 10), with_id(1, 0));
		assert_int_equal(asyncring_buf_ring_available(&ring, buffers, GROUP), 1);
		assert_null(asyncring_setup_buf_ring(&ring, ENTRIES, GROUP, flags[i], &error));
		assert_int_equal(error, -EEXIST);
		assert_null(asyncring_setup_buf_ring(&ring, 3, GROUP + 1, flags[i], &error));
		assert_int_equal(error, -EINVAL);
		assert_null(asyncring_setup_buf_ring(&ring, 3, GROUP + 1, flags[i], NULL));
		assert_int_equal(asyncring_free_buf_ring(&ring, buffers, ENTRIES, GROUP + 1),
				 -ENOENT);
		assert_int_equal(asyncring_free_buf_ring(&ring, buffers, ENTRIES, GROUP), 0);
		assert_int_equal(asyncring_buf_ring_available(&ring, buffers, GROUP), -ENOENT);
		buffers = NULL;
	}
}

/* ---- memory that cannot be had ---- */

static long refused_call = -1;

static bool refuse(long number, const long arguments[6], long *result)
{
	(void)arguments;
	if (number != refused_call)
		return false;
	*result = -ENOMEM;
	return true;
}

static void no_memory_for_the_ring(void **state)
{
	static const long calls[] = {SYS_mmap, SYS_mremap};

	(void)state;
	asyncring__sys_hook = refuse;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct asyncring_buf_reg reg = {.ring_entries = ENTRIES, .bgid = GROUP};

#ifdef SYS_MEMORY_THROUGH_LIBC
		if (calls[i] == SYS_mmap)
			continue;
#endif
		refused_call = calls[i];
		assert_int_equal(asyncring_register_buf_ring(&ring, &reg, ASYNCRING_PBUF_RING_MMAP),
				 -ENOMEM);
		refused_call = -1;
		assert_int_equal(asyncring_buf_ring_head(&ring, GROUP, &(uint16_t){0}), -ENOENT);
	}
	asyncring__sys_hook = NULL;
	make_ring(ASYNCRING_PBUF_RING_MMAP);
}

/* A registration that may be read only has no place for the address. */
static void no_place_for_the_address(void **state)
{
	struct asyncring_buf_reg *reg =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(reg, MAP_FAILED);
	*reg = (struct asyncring_buf_reg){
		.ring_entries = ENTRIES,
		.bgid = GROUP,
		.flags = ASYNCRING_PBUF_RING_MMAP,
	};
	assert_int_equal(mprotect(reg, PAGE, PROT_READ), 0);
	assert_int_equal(
		asyncring_register((unsigned)ring.ring_fd, ASYNCRING_REGISTER_PBUF_RING, reg, 1),
		-EFAULT);
	assert_int_equal(asyncring_buf_ring_head(&ring, GROUP, &(uint16_t){0}), -ENOENT);
	munmap(reg, PAGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int bound(void **state)
{
	(void)state;
	support_bound(60);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bundle_uses_what_it_fills),
		TEST(incremental_bundle),
		TEST(tail_beyond_the_ring),
		TEST(entries_that_change),
		TEST(incremental_entries_that_change),
		TEST(on_a_worker),
		TEST(taken_for_good),
		TEST(single_buffers_never_come_in_bundles),
		TEST(set_up_and_freed),
		TEST(no_memory_for_the_ring),
		TEST(no_place_for_the_address),
	};

	return cmocka_run_group_tests(tests, bound, NULL);
}
