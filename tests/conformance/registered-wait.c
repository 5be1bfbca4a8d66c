/* SPDX-License-Identifier: MIT */
/* Description: ENTER_EXT_ARG_REG: waits whose arguments lie in the ring's registered region. */
#include "harness.h"

struct fixture {
	struct io_uring ring;
	struct io_uring_reg_wait *waits; /* a page of them */
	size_t page;
};

static int fixture_open(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct io_uring_region_desc region = {.flags = IORING_MEM_REGION_TYPE_USER};
	struct io_uring_mem_region_reg reg = {
		.region_uptr = (uintptr_t)&region,
		.flags = IORING_MEM_REGION_REG_WAIT_ARG,
	};

	assert_non_null(fixture);
	fixture->page = (size_t)sysconf(_SC_PAGESIZE);
	fixture->waits = mmap(NULL, fixture->page, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(fixture->waits, MAP_FAILED);
	region.user_addr = (uintptr_t)fixture->waits;
	region.size = fixture->page;
	harness_init(&fixture->ring, 8, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_register((unsigned)fixture->ring.ring_fd,
					   IORING_REGISTER_MEM_REGION, &reg, 1),
			 0);
	assert_int_equal(io_uring_enable_rings(&fixture->ring), 0);
	*state = fixture;
	return 0;
}

static int fixture_close(void **state)
{
	struct fixture *fixture = *state;

	io_uring_queue_exit(&fixture->ring);
	munmap(fixture->waits, fixture->page);
	free(fixture);
	return 0;
}

static int enter(const struct io_uring *ring, unsigned submit, unsigned wait, uint64_t offset,
		 size_t size)
{
	return io_uring_enter2((unsigned)ring->ring_fd, submit, wait,
			       IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG |
				       IORING_ENTER_EXT_ARG_REG,
			       (void *)(uintptr_t)offset, size);
}

/* A wait for one with the entry of this index. */
static int wait_with(struct fixture *fixture, unsigned index)
{
	return enter(&fixture->ring, 0, 1, index * sizeof(fixture->waits[0]),
		     sizeof(fixture->waits[0]));
}

static void a_time_limit(void **state)
{
	struct fixture *fixture = *state;
	/* Not the very last: the kernel takes the first for that. */
	unsigned last = (unsigned)(fixture->page / sizeof(fixture->waits[0])) - 2;
	uint64_t before = harness_now_ns();

	fixture->waits[3].flags = IORING_REG_WAIT_TS;
	fixture->waits[3].ts = harness_msec(30);
	assert_int_equal(wait_with(fixture, 3), -ETIME);
	assert_in_range(harness_now_ns() - before, 20000000, 20000000000);
	/* It is read anew each time. */
	fixture->waits[3].ts = harness_msec(1);
	assert_int_equal(wait_with(fixture, 3), -ETIME);
	fixture->waits[last] = fixture->waits[3];
	assert_int_equal(wait_with(fixture, last), -ETIME);
}

static void completions_end_it(void **state)
{
	struct fixture *fixture = *state;
	struct harness_cqe cqe;

	/* Without the flag there is no limit, whatever the time says. */
	fixture->waits[0].ts = harness_msec(1);
	harness_nop(&fixture->ring, 4);
	harness_submit(&fixture->ring, 1);
	assert_int_equal(wait_with(fixture, 0), 0);
	assert_true(harness_peek(&fixture->ring, &cqe));
	harness_assert_cqe(cqe, 4, 0);
}

static void submitting_counts_more_than_the_time(void **state)
{
	struct fixture *fixture = *state;
	struct io_uring *ring = &fixture->ring;

	fixture->waits[0].flags = IORING_REG_WAIT_TS;
	fixture->waits[0].ts = harness_msec(1);
	harness_nop(ring, 4);
	__atomic_store_n(ring->sq.ktail, *ring->sq.ktail + 1, __ATOMIC_RELEASE);
	assert_int_equal(enter(ring, 1, 2, 0, sizeof(fixture->waits[0])), 1);
	harness_assert_cqe(harness_next(ring), 4, 0);
}

static void a_minimal_wait(void **state)
{
	struct fixture *fixture = *state;
	uint64_t before;

	fixture->waits[1].flags = IORING_REG_WAIT_TS;
	fixture->waits[1].ts = harness_deadline();
	fixture->waits[1].min_wait_usec = 30000;
	harness_nop(&fixture->ring, 4);
	harness_submit(&fixture->ring, 1);
	before = harness_now_ns();
	assert_int_equal(
		enter(&fixture->ring, 0, 2, sizeof(fixture->waits[0]), sizeof(fixture->waits[0])),
		0);
	assert_in_range(harness_now_ns() - before, 20000000, 4000000000);
}

static void a_signal_mask(void **state)
{
	struct fixture *fixture = *state;
	sigset_t mask;

	sigemptyset(&mask);
	fixture->waits[0].flags = IORING_REG_WAIT_TS;
	fixture->waits[0].ts = harness_msec(1);
	fixture->waits[0].sigmask = (uintptr_t)&mask;
	fixture->waits[0].sigmask_sz = _NSIG / 8;
	assert_int_equal(wait_with(fixture, 0), -ETIME);
	fixture->waits[0].sigmask_sz = 4;
	assert_int_equal(wait_with(fixture, 0), -EINVAL);
	fixture->waits[0].sigmask = 8;
	fixture->waits[0].sigmask_sz = _NSIG / 8;
	assert_int_equal(wait_with(fixture, 0), -EFAULT);
}

static void bad_entries(void **state)
{
	struct fixture *fixture = *state;
	const size_t size = sizeof(fixture->waits[0]);
	static const long long outside[] = {4, -8, -64, -1};
	struct io_uring *ring = &fixture->ring;

	assert_int_equal(enter(ring, 0, 1, 0, size - 8), -EINVAL);
	assert_int_equal(enter(ring, 0, 1, 0, sizeof(struct io_uring_getevents_arg)), -EINVAL);
	assert_int_equal(enter(ring, 0, 1, fixture->page, size), -EFAULT);
	assert_int_equal(enter(ring, 0, 1, fixture->page - size / 2, size), -EFAULT);
	for (unsigned i = 0; i < ARRAY_SIZE(outside); i++)
		assert_int_equal(enter(ring, 0, 1, (uint64_t)outside[i], size), -EFAULT);
	fixture->waits[0].flags = 2;
	assert_int_equal(wait_with(fixture, 0), -EINVAL);
	/* What is reserved is not looked at. */
	fixture->waits[0].flags = IORING_REG_WAIT_TS;
	fixture->waits[0].ts = harness_msec(1);
	fixture->waits[0].pad2[0] = 1;
	assert_int_equal(wait_with(fixture, 0), -ETIME);
}

static void without_a_region(void **state)
{
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	assert_int_equal(enter(&ring, 0, 1, 0, sizeof(struct io_uring_reg_wait)), -EFAULT);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_time_limit, fixture_open, fixture_close),
		cmocka_unit_test_setup_teardown(completions_end_it, fixture_open, fixture_close),
		cmocka_unit_test_setup_teardown(submitting_counts_more_than_the_time, fixture_open,
						fixture_close),
		cmocka_unit_test_setup_teardown(a_minimal_wait, fixture_open, fixture_close),
		cmocka_unit_test_setup_teardown(a_signal_mask, fixture_open, fixture_close),
		cmocka_unit_test_setup_teardown(bad_entries, fixture_open, fixture_close),
		cmocka_unit_test(without_a_region),
	};

	return harness_run(tests);
}
