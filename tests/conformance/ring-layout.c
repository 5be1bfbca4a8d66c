/* SPDX-License-Identifier: MIT */
/*
 * Description: where the words and entries of a ring lie, how large they are, and that nothing
 * outside of them is written when the application supplies the memory.
 */
#include "harness.h"

#define PAGE	4096u
#define PATTERN 0xa5

/*
 * Kernels to 6.6 gave each of the four indices a cache line, later ones pack all words into one.
 * Programs that know neither (they use the offsets) run on both; programs that hard-code one run on
 * the kernels that have it.
 */
static const struct layout {
	unsigned sq_head, sq_tail, cq_head, cq_tail, sq_mask, cq_mask, sq_entries, cq_entries;
	unsigned sq_dropped, sq_flags, cq_flags, cq_overflow, cqes;
} known_layouts[] = {
	{0, 64, 128, 192, 256, 260, 264, 268, 272, 276, 280, 284, 320},
	{0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 64},
};

static void words_lie_where_a_kernel_has_them(void **state)
{
	struct harness_raw raw;
	const struct io_sqring_offsets *sq = &raw.params.sq_off;
	const struct io_cqring_offsets *cq = &raw.params.cq_off;
	struct layout layout;
	unsigned which = 0;

	(void)state;
	harness_raw_setup(&raw, 8, NULL);
	layout = (struct layout){
		.sq_head = sq->head,
		.sq_tail = sq->tail,
		.cq_head = cq->head,
		.cq_tail = cq->tail,
		.sq_mask = sq->ring_mask,
		.cq_mask = cq->ring_mask,
		.sq_entries = sq->ring_entries,
		.cq_entries = cq->ring_entries,
		.sq_dropped = sq->dropped,
		.sq_flags = sq->flags,
		.cq_flags = cq->flags,
		.cq_overflow = cq->overflow,
		.cqes = cq->cqes,
	};
	if (layout.sq_tail == known_layouts[1].sq_tail)
		which = 1;
	assert_memory_equal(&layout, &known_layouts[which], sizeof(layout));
	assert_int_equal(sq->array, layout.cqes + 16 * 16);
	harness_raw_close(&raw);
}

static void a_new_ring_is_empty(void **state)
{
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 8, NULL);
	assert_int_equal(*raw.sq_head, 0);
	assert_int_equal(*raw.sq_tail, 0);
	assert_int_equal(*raw.sq_mask, 7);
	assert_int_equal(*raw.sq_entries, 8);
	assert_int_equal(*raw.sq_flags, 0);
	assert_int_equal(*raw.sq_dropped, 0);
	assert_int_equal(*raw.cq_head, 0);
	assert_int_equal(*raw.cq_tail, 0);
	assert_int_equal(*raw.cq_mask, 15);
	assert_int_equal(*raw.cq_entries, 16);
	assert_int_equal(*raw.cq_flags, 0);
	assert_int_equal(*raw.cq_overflow, 0);
	harness_raw_close(&raw);
}

/*
 * With 16-byte CQEs the array begins on the next cache line. For CQE32 the kernel doubles the
 * header along with the entries; a program only needs that the array lies behind the CQEs and not
 * beyond.
 */
static void array_follows_the_cqes(void **state)
{
	static const struct {
		unsigned entries, flags;
	} cases[] = {
		{1, 0},
		{4, 0},
		{256, 0},
		{4096, 0},
		{32768, 0},
		{64, IORING_SETUP_CQE_MIXED},
		{1, IORING_SETUP_CQE32},
		{64, IORING_SETUP_CQE32},
		{4096, IORING_SETUP_CQE32 | IORING_SETUP_SQE128},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct io_uring_params params = {.flags = cases[i].flags};
		struct harness_raw raw;
		size_t end, slack;

		harness_raw_setup(&raw, cases[i].entries, &params);
		end = raw.params.cq_off.cqes +
		      raw.params.cq_entries * harness_cqe_size(&raw.params);
		slack = cases[i].flags & IORING_SETUP_CQE32 ? raw.params.cq_off.cqes : 0;
		assert_int_equal(raw.params.sq_off.array % sizeof(unsigned), 0);
		assert_in_range(raw.params.sq_off.array, end, ((end + 63) & ~(size_t)63) + slack);
		harness_raw_close(&raw);
	}
}

static void without_array_its_offset_is_zero(void **state)
{
	struct io_uring_params params = {.flags = IORING_SETUP_NO_SQARRAY};
	struct harness_raw raw;

	(void)state;
	harness_raw_setup(&raw, 8, &params);
	assert_int_equal(raw.params.sq_off.array, 0);
	harness_raw_close(&raw);
}

/* Submit count nops through the raw ring, one at a time, and take their completions. */
static void run_nops(struct harness_raw *raw, unsigned fd, unsigned count, unsigned enter_flags)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned slot = i & *raw->sq_mask;
		struct io_uring_sqe *sqe = harness_raw_sqe(raw, slot);
		struct io_uring_cqe *cqe;

		sqe->opcode = IORING_OP_NOP;
		sqe->user_data = 1000 + i;
		harness_raw_queue(raw, slot);
		assert_int_equal(
			io_uring_enter(fd, 1, 1, enter_flags | IORING_ENTER_GETEVENTS, NULL), 1);
		assert_int_equal(harness_raw_ready(raw), 1);
		cqe = harness_raw_cqe(raw, *raw->cq_head);
		harness_assert_cqe(*cqe, 1000 + i, 0);
		assert_int_equal(cqe->flags, 0);
		if (raw->params.flags & IORING_SETUP_CQE32) {
			assert_int_equal(cqe->big_cqe[0], 0);
			assert_int_equal(cqe->big_cqe[1], 0);
		}
		harness_store(raw->cq_head, *raw->cq_head + 1);
	}
}

static void entry_sizes_hold_while_indices_wrap(void **state)
{
	static const unsigned flags[] = {
		0,
		IORING_SETUP_SQE128,
		IORING_SETUP_CQE32,
		IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
		IORING_SETUP_NO_SQARRAY,
		IORING_SETUP_NO_SQARRAY | IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
		IORING_SETUP_CQE_MIXED,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring_params params = {.flags = flags[i]};
		struct harness_raw raw;

		harness_raw_setup(&raw, 4, &params);
		run_nops(&raw, (unsigned)raw.fd, 41, 0);
		assert_int_equal(*raw.sq_head, 41);
		assert_int_equal(*raw.cq_tail, 41);
		harness_raw_close(&raw);
	}
}

/* Large SQEs of which every byte is the application's own until it hands them over. */
static void sqe_slots_do_not_overlap(void **state)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SQE128};
	struct io_uring ring;
	struct io_uring_sqe *first, *second;

	(void)state;
	harness_init_params(&ring, 4, &params);
	first = io_uring_get_sqe(&ring);
	second = io_uring_get_sqe(&ring);
	assert_int_equal((char *)second - (char *)first, 128);
	io_uring_queue_exit(&ring);
}

/* ---- memory of the application (NO_MMAP) --------------------------------------------------- */

struct zone {
	char *start; /* red page, the memory in question, red page */
	size_t size; /* of the whole */
	char *memory;
};

static struct zone make_zone(size_t size)
{
	struct zone zone;

	zone.size = ((size + PAGE - 1) & ~(size_t)(PAGE - 1)) + 2 * PAGE;
	zone.start =
		mmap(NULL, zone.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(zone.start != MAP_FAILED);
	zone.memory = zone.start + PAGE;
	memset(zone.start, PATTERN, zone.size);
	memset(zone.memory, 0, size);
	return zone;
}

/* Everything but the first "used" bytes of the memory must still hold the pattern. */
static void check_zone(const struct zone *zone, size_t used)
{
	for (size_t i = 0; i < zone->size; i++) {
		if (i >= PAGE && i < PAGE + used)
			continue;
		if ((unsigned char)zone->start[i] != PATTERN)
			print_error("byte %zd of %zu was written\n", (ssize_t)i - (ssize_t)PAGE,
				    used);
		assert_int_equal((unsigned char)zone->start[i], PATTERN);
	}
}

/*
 * The size of the ring memory, asked from a ring that brings its own: what the application has to
 * supply, and what the ring may write to.
 */
static size_t needed_rings_size(unsigned entries, unsigned flags)
{
	struct io_uring_params params = {
		.flags = flags & (IORING_SETUP_CQE32 | IORING_SETUP_NO_SQARRAY),
	};
	struct harness_raw raw;
	size_t size;

	harness_raw_setup(&raw, entries, &params);
	size = raw.rings_size;
	harness_raw_close(&raw);
	return size;
}

static void check_no_mmap(unsigned entries, unsigned flags, unsigned nops)
{
	size_t rings_size = needed_rings_size(entries, flags);
	size_t sqes_size = entries * (flags & IORING_SETUP_SQE128 ? 128u : 64u);
	struct zone rings = make_zone(rings_size), sqes = make_zone(sqes_size);
	struct harness_raw raw = {.fd = -1};

	raw.params.flags = flags | IORING_SETUP_NO_MMAP;
	raw.params.cq_off.user_addr = (uintptr_t)rings.memory;
	raw.params.sq_off.user_addr = (uintptr_t)sqes.memory;
	raw.fd = io_uring_setup(entries, &raw.params);
	assert_true(raw.fd >= 0);
	assert_int_equal(raw.params.cq_off.user_addr, (uintptr_t)rings.memory);
	assert_int_equal(raw.params.sq_off.user_addr, (uintptr_t)sqes.memory);
	harness_point(&raw, rings.memory, sqes.memory);
	assert_int_equal(raw.rings_size, rings_size);
	assert_int_equal(*raw.sq_entries, entries);
	assert_int_equal(*raw.cq_entries, 2 * entries);

	run_nops(&raw, (unsigned)raw.fd, nops, 0);
	harness_raw_close(&raw);
	check_zone(&rings, rings_size);
	check_zone(&sqes, sqes_size);
	munmap(rings.start, rings.size);
	munmap(sqes.start, sqes.size);
}

static void own_memory_has_red_zones(void **state)
{
	static const unsigned flags[] = {
		0,
		IORING_SETUP_NO_SQARRAY,
		IORING_SETUP_SQE128,
		IORING_SETUP_CQE32,
		IORING_SETUP_SQE128 | IORING_SETUP_CQE32 | IORING_SETUP_NO_SQARRAY,
		IORING_SETUP_CQE_MIXED,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		check_no_mmap(1, flags[i], 5);
		check_no_mmap(8, flags[i], 40);
		check_no_mmap(4096, flags[i], 10000);
	}
	check_no_mmap(32768, IORING_SETUP_SQE128 | IORING_SETUP_CQE32, 70000);
}

/* The ring goes on with it, as its SQ thread does in any case, until it is closed. */
static void check_unmapped_first(unsigned flags)
{
	struct zone rings = make_zone(needed_rings_size(8, 0)), sqes = make_zone(8 * 64);
	struct harness_raw raw = {.fd = -1};
	struct io_uring_sqe *sqe;
	int fds[2];
	char byte;

	raw.params.flags = flags | IORING_SETUP_NO_MMAP;
	raw.params.cq_off.user_addr = (uintptr_t)rings.memory;
	raw.params.sq_off.user_addr = (uintptr_t)sqes.memory;
	raw.fd = io_uring_setup(8, &raw.params);
	assert_true(raw.fd >= 0);
	harness_point(&raw, rings.memory, sqes.memory);
	assert_int_equal(pipe(fds), 0);
	if (!(flags & IORING_SETUP_SQPOLL)) {
		sqe = harness_raw_sqe(&raw, 0);
		sqe->opcode = IORING_OP_READ;
		sqe->fd = fds[0];
		sqe->addr = (uintptr_t)&byte;
		sqe->len = 1;
		harness_raw_queue(&raw, 0);
		assert_int_equal(io_uring_enter((unsigned)raw.fd, 1, 0, 0, NULL), 1);
	}
	munmap(rings.start, rings.size);
	munmap(sqes.start, sqes.size);
	if (!(flags & IORING_SETUP_SQPOLL)) {
		/* It completes into what is not there for the application any more. */
		assert_int_equal(write(fds[1], "x", 1), 1);
		assert_int_equal(
			io_uring_enter((unsigned)raw.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL), 0);
	}
	harness_close_ring(raw.fd);
	close(fds[0]);
	close(fds[1]);
}

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

/* Under ThreadSanitizer the library keeps to the addresses that are told (sys_map_again). */
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
enum { MAPPED_AGAIN = false };
#else
enum { MAPPED_AGAIN = true };
#endif

static void own_memory_may_be_unmapped_first(void **state)
{
	(void)state;
	if (!MAPPED_AGAIN)
		skip();
	for (unsigned i = 0; i < 20; i++) {
		check_unmapped_first(0);
		check_unmapped_first(IORING_SETUP_SQPOLL);
	}
}

static int try_no_mmap(uintptr_t rings, uintptr_t sqes)
{
	struct io_uring_params params = {.flags = IORING_SETUP_NO_MMAP};
	int fd;

	params.cq_off.user_addr = rings;
	params.sq_off.user_addr = sqes;
	fd = io_uring_setup(8, &params);
	if (fd < 0)
		return fd;
	harness_close_ring(fd);
	return 0;
}

static void own_memory_must_be_there(void **state)
{
	char *memory =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uintptr_t good, other;

	(void)state;
	assert_true(memory != MAP_FAILED);
	good = (uintptr_t)memory;
	other = good + PAGE;
	assert_int_equal(try_no_mmap(good, other), 0);

	assert_int_equal(try_no_mmap(0, other), -EFAULT);
	assert_int_equal(try_no_mmap(good, 0), -EFAULT);
	assert_int_equal(try_no_mmap(good + 64, other), -EINVAL);
	assert_int_equal(try_no_mmap(good, other + 64), -EINVAL);

	/* No hole, into which some other mapping of the process might fall. */
	assert_int_equal(mprotect(memory + 2 * PAGE, PAGE, PROT_NONE), 0);
	assert_int_equal(try_no_mmap(good + 2 * PAGE, other), -EFAULT);
	assert_int_equal(try_no_mmap(good, good + 2 * PAGE), -EFAULT);
	assert_int_equal(mprotect(memory + 3 * PAGE, PAGE, PROT_READ), 0);
	assert_int_equal(try_no_mmap(good + 3 * PAGE, other), -EFAULT);
	munmap(memory, 4 * PAGE);
}

/* Both regions may be given from one buffer, as liburing does. */
static void queue_init_mem_fits_its_buffer(void **state)
{
#if HARNESS_LIBURING_BEFORE(2, 5)
	(void)state;
	skip();
#else
	static const unsigned entries[] = {1, 8, 64, 256};
	size_t size = 256 * 1024;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
		struct io_uring_params params = {.flags = IORING_SETUP_NO_SQARRAY};
		struct zone zone = make_zone(size);
		struct io_uring ring;
		int used;

		memset(zone.start, PATTERN, zone.size);
		used = io_uring_queue_init_mem(entries[i], &ring, &params, zone.memory, size);
		assert_true(used > 0);
		for (unsigned j = 0; j < 4 * entries[i]; j++) {
			struct harness_cqe cqe;

			harness_nop(&ring, j);
			cqe = harness_complete(&ring);
			harness_assert_cqe(cqe, j, 0);
		}
		io_uring_queue_exit(&ring);
		check_zone(&zone, (size_t)used);

		assert_true(io_uring_queue_init_mem(entries[i], &ring, &params, zone.memory,
						    (size_t)used - 1) < 0);
		munmap(zone.start, zone.size);
	}
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_lie_where_a_kernel_has_them),
		cmocka_unit_test(a_new_ring_is_empty),
		cmocka_unit_test(array_follows_the_cqes),
		cmocka_unit_test(without_array_its_offset_is_zero),
		cmocka_unit_test(entry_sizes_hold_while_indices_wrap),
		cmocka_unit_test(sqe_slots_do_not_overlap),
		cmocka_unit_test(own_memory_has_red_zones),
		cmocka_unit_test(own_memory_may_be_unmapped_first),
		cmocka_unit_test(own_memory_must_be_there),
		cmocka_unit_test(queue_init_mem_fits_its_buffer),
	};

	return harness_run(tests);
}
