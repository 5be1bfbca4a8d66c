/* SPDX-License-Identifier: MIT */
/*
 * Description: io_uring_setup: sizes, which flags go together, reserved words, features, and what a
 * failed call leaves behind.
 */
#include "harness.h"

#define SQ_ENTRIES_MAX 32768
#define CQ_ENTRIES_MAX 65536
#define KNOWN_FLAGS    19 /* bits 0 (IOPOLL) to 18 (CQE_MIXED) */

/* Set up and close again; returns 0 or the error. */
static int try_setup(unsigned entries, struct io_uring_params *params)
{
	int fd = io_uring_setup(entries, params);

	if (fd < 0)
		return fd;
	harness_close_ring(fd);
	return 0;
}

static int try_flags(unsigned flags)
{
	struct io_uring_params params = {.flags = flags};

	return try_setup(4, &params);
}

static int try_cq_size(unsigned entries, unsigned cq_entries, unsigned more_flags, unsigned *got)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE | more_flags,
		.cq_entries = cq_entries,
	};
	int ret = try_setup(entries, &params);

	*got = params.cq_entries;
	return ret;
}

static void params_pointer_is_checked(void **state)
{
	(void)state;
	assert_int_equal(io_uring_setup(4, NULL), -EFAULT);
}

static void entries_are_rounded_and_bounded(void **state)
{
	static const struct {
		unsigned entries, flags;
		int ret;
		unsigned sq_entries;
	} cases[] = {
		{0, 0, -EINVAL, 0},
		{0, IORING_SETUP_CLAMP, -EINVAL, 0},
		{1, 0, 0, 1},
		{2, 0, 0, 2},
		{3, 0, 0, 4},
		{100, 0, 0, 128},
		{SQ_ENTRIES_MAX - 1, 0, 0, SQ_ENTRIES_MAX},
		{SQ_ENTRIES_MAX, 0, 0, SQ_ENTRIES_MAX},
		{SQ_ENTRIES_MAX + 1, 0, -EINVAL, 0},
		{UINT_MAX, 0, -EINVAL, 0},
		{SQ_ENTRIES_MAX + 1, IORING_SETUP_CLAMP, 0, SQ_ENTRIES_MAX},
		{UINT_MAX, IORING_SETUP_CLAMP, 0, SQ_ENTRIES_MAX},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct io_uring_params params = {.flags = cases[i].flags};

		assert_int_equal(try_setup(cases[i].entries, &params), cases[i].ret);
		if (cases[i].ret)
			continue;
		assert_int_equal(params.sq_entries, cases[i].sq_entries);
		assert_int_equal(params.cq_entries, 2 * cases[i].sq_entries);
		assert_int_equal(params.flags, cases[i].flags);
	}
}

static void cq_size_is_rounded_and_bounded(void **state)
{
	unsigned got;

	(void)state;
	assert_int_equal(try_cq_size(4, 0, 0, &got), -EINVAL);
	assert_int_equal(try_cq_size(4, 0, IORING_SETUP_CLAMP, &got), -EINVAL);
	assert_int_equal(try_cq_size(8, 4, 0, &got), -EINVAL);
	assert_int_equal(try_cq_size(8, 4, IORING_SETUP_CLAMP, &got), -EINVAL);
	assert_int_equal(try_cq_size(8, CQ_ENTRIES_MAX + 1, 0, &got), -EINVAL);
	assert_int_equal(try_cq_size(8, UINT_MAX, 0, &got), -EINVAL);

	assert_int_equal(try_cq_size(8, 8, 0, &got), 0);
	assert_int_equal(got, 8);
	/* Both sizes are rounded before they are compared. */
	assert_int_equal(try_cq_size(8, 5, 0, &got), 0);
	assert_int_equal(got, 8);
	assert_int_equal(try_cq_size(5, 6, 0, &got), 0);
	assert_int_equal(got, 8);
	assert_int_equal(try_cq_size(8, 100, 0, &got), 0);
	assert_int_equal(got, 128);
	assert_int_equal(try_cq_size(8, CQ_ENTRIES_MAX, 0, &got), 0);
	assert_int_equal(got, CQ_ENTRIES_MAX);
	assert_int_equal(try_cq_size(8, CQ_ENTRIES_MAX + 1, IORING_SETUP_CLAMP, &got), 0);
	assert_int_equal(got, CQ_ENTRIES_MAX);
}

static void cq_entries_without_cqsize_is_ignored(void **state)
{
	struct io_uring_params params = {.cq_entries = 1024};

	(void)state;
	assert_int_equal(try_setup(4, &params), 0);
	assert_int_equal(params.cq_entries, 8);
}

static void unknown_flags_are_refused(void **state)
{
	(void)state;
	/* Bits 19 to 23 are left alone: kernels after 6.18 have begun to use them. */
	for (unsigned bit = 24; bit < 32; bit++)
		assert_int_equal(try_flags(1U << bit), -EINVAL);
}

static void reserved_words_must_be_zero(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct io_uring_params params = {.flags = 0};

		params.resv[i] = 1;
		assert_int_equal(try_setup(4, &params), -EINVAL);
	}
}

/* Members that only some flag gives a meaning, and output members, may hold anything. */
static void members_without_meaning_are_ignored(void **state)
{
	struct io_uring_params params = {
		.sq_entries = 77,
		.sq_thread_cpu = 1u << 30,
		.sq_thread_idle = 12345,
		.features = ~0U,
		.wq_fd = ~0U,
	};

	(void)state;
	params.sq_off.ring_mask = 9999;
	params.cq_off.cqes = 9999;
	assert_int_equal(try_setup(4, &params), 0);
	assert_int_equal(params.sq_entries, 4);
	assert_true(params.sq_off.ring_mask < params.cq_off.cqes);
	assert_true(params.cq_off.cqes < 9999);
	assert_int_not_equal(params.features, ~0U);
	assert_int_equal(params.sq_thread_idle, 12345);
	assert_int_equal(params.wq_fd, ~0U);
}

static void failed_setup_leaves_params_alone(void **state)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SQ_AFF, .features = 0x5a5a};
	struct io_uring_params before = params;

	(void)state;
	assert_int_equal(try_setup(4, &params), -EINVAL);
	assert_memory_equal(&params, &before, sizeof(params));
}

/* The rules for flags that need or exclude each other. */
static int expected_for(unsigned flags)
{
	bool sqpoll = flags & IORING_SETUP_SQPOLL;
	bool coop = flags & IORING_SETUP_COOP_TASKRUN;
	bool taskrun_flag = flags & IORING_SETUP_TASKRUN_FLAG;
	bool defer = flags & IORING_SETUP_DEFER_TASKRUN;

	if (sqpoll && (coop || taskrun_flag || defer))
		return -EINVAL;
	if (!sqpoll && (flags & IORING_SETUP_SQ_AFF))
		return -EINVAL;
	if (taskrun_flag && !coop && !defer)
		return -EINVAL;
	if (defer && !(flags & IORING_SETUP_SINGLE_ISSUER))
		return -EINVAL;
	if ((flags & IORING_SETUP_REGISTERED_FD_ONLY) && !(flags & IORING_SETUP_NO_MMAP))
		return -EINVAL;
	if ((flags & IORING_SETUP_HYBRID_IOPOLL) && !(flags & IORING_SETUP_IOPOLL))
		return -EINVAL;
	if ((flags & IORING_SETUP_CQE32) && (flags & IORING_SETUP_CQE_MIXED))
		return -EINVAL;
	return 0;
}

static int first_allowed_cpu(void)
{
	cpu_set_t cpus;

	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			return cpu;
	return 0;
}

struct flag_check {
	int attach_fd; /* an SQPOLL ring, for ATTACH_WQ */
	int cpu;
	char *rings, *sqes; /* for NO_MMAP */
};

/* Whatever else the flags need is given, so that only their being together is judged. */
static void check_flags(const struct flag_check *check, unsigned flags)
{
	struct io_uring_params params = {
		.flags = flags,
		.cq_entries = 8,
		.wq_fd = (unsigned)check->attach_fd,
		.sq_thread_cpu = (unsigned)check->cpu,
	};
	int fd, want = expected_for(flags);

	if (flags & IORING_SETUP_NO_MMAP) {
		params.cq_off.user_addr = (uintptr_t)check->rings;
		params.sq_off.user_addr = (uintptr_t)check->sqes;
	}
	fd = io_uring_setup(4, &params);
	if ((fd < 0 ? fd : 0) != want)
		print_error("flags 0x%x\n", flags);
	assert_int_equal(fd < 0 ? fd : 0, want);
	if (fd < 0)
		return;
	assert_int_equal(params.flags, flags);
	if (flags & IORING_SETUP_REGISTERED_FD_ONLY) {
		struct io_uring_rsrc_update update = {.offset = (unsigned)fd};

		assert_int_equal(io_uring_register((unsigned)check->attach_fd,
						   IORING_UNREGISTER_RING_FDS, &update, 1),
				 1);
	} else {
		harness_close_ring(fd);
	}
}

static void flags_go_together_as_in_the_kernel(void **state)
{
	const unsigned always = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	struct io_uring_params base = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 1};
	size_t size = 16384;
	struct flag_check check;

	(void)state;
	check.attach_fd = io_uring_setup(1, &base);
	assert_true(check.attach_fd >= 0);
	check.cpu = first_allowed_cpu();
	check.rings =
		mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(check.rings != MAP_FAILED);
	check.sqes = check.rings + size;

	/* All sets of up to three flags, alone and with the pair that DEFER_TASKRUN asks for. */
	for (unsigned flags = 0; flags < 1U << KNOWN_FLAGS; flags++) {
		if (__builtin_popcount(flags) > 3)
			continue;
		check_flags(&check, flags);
		if (!(flags & always))
			check_flags(&check, flags | always);
	}
	munmap(check.rings, 2 * size);
	harness_close_ring(check.attach_fd);
}

static void sq_thread_cpu_must_exist(void **state)
{
	static const unsigned cpus[] = {UINT_MAX, 1u << 20, INT_MAX};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cpus); i++) {
		struct io_uring_params params = {
			.flags = IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF,
			.sq_thread_cpu = cpus[i],
		};

		assert_int_equal(try_setup(4, &params), -EINVAL);
	}
}

static int try_attach(unsigned flags, int fd)
{
	struct io_uring_params params = {
		.flags = flags | IORING_SETUP_ATTACH_WQ,
		.wq_fd = (unsigned)fd,
	};

	return try_setup(4, &params);
}

static void attach_wq_wants_a_ring(void **state)
{
	struct io_uring plain, polled;
	int pipe_fds[2];

	(void)state;
	harness_init(&plain, 4, 0);
	harness_init(&polled, 4, IORING_SETUP_SQPOLL);
	harness_pipe(pipe_fds);

	assert_int_equal(try_attach(0, -1), -ENXIO);
	assert_int_equal(try_attach(0, pipe_fds[0]), -EINVAL);
	assert_int_equal(try_attach(0, plain.ring_fd), 0);
	assert_int_equal(try_attach(0, polled.ring_fd), 0);

	/* An SQPOLL ring can share only an SQ thread that exists. */
	assert_int_equal(try_attach(IORING_SETUP_SQPOLL, -1), -ENXIO);
	assert_int_equal(try_attach(IORING_SETUP_SQPOLL, pipe_fds[0]), -EINVAL);
	assert_int_equal(try_attach(IORING_SETUP_SQPOLL, plain.ring_fd), -EINVAL);
	assert_int_equal(try_attach(IORING_SETUP_SQPOLL, polled.ring_fd), 0);

	harness_close_pipe(pipe_fds);
	io_uring_queue_exit(&polled);
	io_uring_queue_exit(&plain);
}

static void features_do_not_depend_on_flags(void **state)
{
	const unsigned wanted =
		IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
		IORING_FEAT_RW_CUR_POS | IORING_FEAT_CUR_PERSONALITY | IORING_FEAT_SQPOLL_NONFIXED |
		IORING_FEAT_EXT_ARG | IORING_FEAT_RSRC_TAGS | IORING_FEAT_CQE_SKIP |
		IORING_FEAT_LINKED_FILE | IORING_FEAT_REG_REG_RING | IORING_FEAT_MIN_TIMEOUT;
	static const unsigned flags[] = {
		0,
		IORING_SETUP_SQPOLL,
		IORING_SETUP_IOPOLL,
		IORING_SETUP_R_DISABLED,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
		IORING_SETUP_NO_SQARRAY,
	};
	unsigned features = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_uring_params params = {.flags = flags[i]};

		assert_int_equal(try_setup(4, &params), 0);
		assert_int_equal(params.features & wanted, wanted);
		if (i == 0)
			features = params.features;
		assert_int_equal(params.features, features);
	}
}

static void setup_and_close_leave_no_descriptor(void **state)
{
	unsigned before = harness_fd_count();

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(try_flags(0), 0);
	assert_int_equal(try_flags(IORING_SETUP_SQ_AFF), -EINVAL);
	assert_int_equal(harness_fd_count(), before);
}

/* Some servers make a ring per core and connection: many may live at once. */
static void a_hundred_rings_at_once(void **state)
{
	struct io_uring rings[100];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rings); i++)
		harness_init(&rings[i], 8, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(rings); i++) {
		harness_nop(&rings[i], i);
		harness_submit(&rings[i], 1);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(rings); i++) {
		struct harness_cqe cqe = harness_next(&rings[i]);

		harness_assert_cqe(cqe, i, 0);
		harness_assert_empty(&rings[i]);
		io_uring_queue_exit(&rings[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(params_pointer_is_checked),
		cmocka_unit_test(entries_are_rounded_and_bounded),
		cmocka_unit_test(cq_size_is_rounded_and_bounded),
		cmocka_unit_test(cq_entries_without_cqsize_is_ignored),
		cmocka_unit_test(unknown_flags_are_refused),
		cmocka_unit_test(reserved_words_must_be_zero),
		cmocka_unit_test(members_without_meaning_are_ignored),
		cmocka_unit_test(failed_setup_leaves_params_alone),
		cmocka_unit_test(flags_go_together_as_in_the_kernel),
		cmocka_unit_test(sq_thread_cpu_must_exist),
		cmocka_unit_test(attach_wq_wants_a_ring),
		cmocka_unit_test(features_do_not_depend_on_flags),
		cmocka_unit_test(setup_and_close_leave_no_descriptor),
		cmocka_unit_test(a_hundred_rings_at_once),
	};

	return harness_run(tests);
}
