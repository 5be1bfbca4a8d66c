/* SPDX-License-Identifier: MIT */
/*
 * Description: what io_uring_register() answers to arguments that make no sense, opcode by opcode:
 * no argument, an unreadable one, one of zeroes, each with fitting and absurd counts, on enabled
 * and on disabled rings; and to descriptors and opcodes that are none.
 *
 * The table was taken from the kernel. Opcodes that are not in it (buffer rings, resizing, ...)
 * have tests of their own.
 */
#include "rsrc_helpers.h"

enum ring_state { ENABLED = 1, DISABLED = 2, ANY_RING = ENABLED | DISABLED };
enum argument { NO_ARGUMENT, BAD_POINTER, ZEROES };

#define FIRST_UNUSED 36
#define COUNTS	     8

/* The answers for counts[]: the same for all, or a different one for the first, or first two. */
/* clang-format off */
#define ALL(every)		{every, every, every, every, every, every, every, every}
#define FIRST(one, rest)	{one, rest, rest, rest, rest, rest, rest, rest}
#define TWO(one, two, rest)	{one, two, rest, rest, rest, rest, rest, rest}
/* clang-format on */

static const unsigned counts[COUNTS] = {0, 1, 2, 3, 32, 256, INT_MAX, UINT_MAX};

struct expectation {
	unsigned opcode;
	enum ring_state state;
	enum argument argument;
	int want[COUNTS];
};

static const struct expectation expectations[] = {
	{IORING_REGISTER_BUFFERS, ANY_RING, NO_ARGUMENT, ALL(-EFAULT)},
	{IORING_REGISTER_BUFFERS,
	 ANY_RING,
	 BAD_POINTER,
	 {-EINVAL, -EFAULT, -EFAULT, -EFAULT, -EFAULT, -EFAULT, -EINVAL, -EINVAL}},
	{IORING_REGISTER_BUFFERS, ANY_RING, ZEROES, {-EINVAL, 0, 0, 0, 0, 0, -EINVAL, -EINVAL}},
	{IORING_UNREGISTER_BUFFERS, ANY_RING, NO_ARGUMENT, FIRST(-ENXIO, -EINVAL)},
	{IORING_UNREGISTER_BUFFERS, ANY_RING, BAD_POINTER, ALL(-EINVAL)},
	{IORING_UNREGISTER_BUFFERS, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_FILES, ANY_RING, NO_ARGUMENT, ALL(-EFAULT)},
	{IORING_REGISTER_FILES,
	 ANY_RING,
	 BAD_POINTER,
	 {-EINVAL, -EFAULT, -EFAULT, -EFAULT, -EFAULT, -EFAULT, -EMFILE, -EMFILE}},
	{IORING_REGISTER_FILES, ANY_RING, ZEROES, {-EINVAL, 0, 0, 0, 0, 0, -EMFILE, -EMFILE}},
	{IORING_UNREGISTER_FILES, ANY_RING, NO_ARGUMENT, FIRST(-ENXIO, -EINVAL)},
	{IORING_UNREGISTER_FILES, ANY_RING, BAD_POINTER, ALL(-EINVAL)},
	{IORING_UNREGISTER_FILES, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_EVENTFD, ANY_RING, NO_ARGUMENT, TWO(-EINVAL, -EFAULT, -EINVAL)},
	{IORING_REGISTER_EVENTFD, ANY_RING, BAD_POINTER, TWO(-EINVAL, -EFAULT, -EINVAL)},
	{IORING_REGISTER_EVENTFD, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_UNREGISTER_EVENTFD, ANY_RING, NO_ARGUMENT, FIRST(-ENXIO, -EINVAL)},
	{IORING_UNREGISTER_EVENTFD, ANY_RING, BAD_POINTER, ALL(-EINVAL)},
	{IORING_UNREGISTER_EVENTFD, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_FILES_UPDATE, ANY_RING, NO_ARGUMENT, FIRST(-EINVAL, -EFAULT)},
	{IORING_REGISTER_FILES_UPDATE, ANY_RING, BAD_POINTER, FIRST(-EINVAL, -EFAULT)},
	{IORING_REGISTER_FILES_UPDATE, ANY_RING, ZEROES, FIRST(-EINVAL, -ENXIO)},
	{IORING_REGISTER_EVENTFD_ASYNC, ANY_RING, NO_ARGUMENT, TWO(-EINVAL, -EFAULT, -EINVAL)},
	{IORING_REGISTER_EVENTFD_ASYNC, ANY_RING, BAD_POINTER, TWO(-EINVAL, -EFAULT, -EINVAL)},
	{IORING_REGISTER_EVENTFD_ASYNC, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_PROBE, ANY_RING, NO_ARGUMENT, ALL(-EINVAL)},
	{IORING_REGISTER_PROBE,
	 ANY_RING,
	 BAD_POINTER,
	 {-EFAULT, -EFAULT, -EFAULT, -EFAULT, -EFAULT, -EFAULT, -EINVAL, -EINVAL}},
	{IORING_REGISTER_PROBE, ANY_RING, ZEROES, {0, 0, 0, 0, 0, 0, -EINVAL, -EINVAL}},
	{IORING_REGISTER_PERSONALITY, ANY_RING, NO_ARGUMENT, FIRST(1, -EINVAL)},
	{IORING_REGISTER_PERSONALITY, ANY_RING, BAD_POINTER, ALL(-EINVAL)},
	{IORING_REGISTER_PERSONALITY, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_UNREGISTER_PERSONALITY, ANY_RING, NO_ARGUMENT, ALL(-EINVAL)},
	{IORING_UNREGISTER_PERSONALITY, ANY_RING, BAD_POINTER, ALL(-EINVAL)},
	{IORING_UNREGISTER_PERSONALITY, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_RESTRICTIONS, ENABLED, NO_ARGUMENT, ALL(-EBADFD)},
	{IORING_REGISTER_RESTRICTIONS, DISABLED, NO_ARGUMENT, ALL(-EINVAL)},
	{IORING_REGISTER_RESTRICTIONS, ENABLED, BAD_POINTER, ALL(-EBADFD)},
	{IORING_REGISTER_RESTRICTIONS,
	 DISABLED,
	 BAD_POINTER,
	 {0, -EFAULT, -EFAULT, -EFAULT, -EFAULT, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_RESTRICTIONS, ENABLED, ZEROES, ALL(-EBADFD)},
	{IORING_REGISTER_RESTRICTIONS,
	 DISABLED,
	 ZEROES,
	 {0, 0, 0, 0, 0, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_ENABLE_RINGS, ENABLED, NO_ARGUMENT, FIRST(-EBADFD, -EINVAL)},
	{IORING_REGISTER_ENABLE_RINGS, DISABLED, NO_ARGUMENT, FIRST(0, -EINVAL)},
	{IORING_REGISTER_ENABLE_RINGS, ANY_RING, BAD_POINTER, ALL(-EINVAL)},
	{IORING_REGISTER_ENABLE_RINGS, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_FILES2,
	 ANY_RING,
	 NO_ARGUMENT,
	 {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_FILES2,
	 ANY_RING,
	 BAD_POINTER,
	 {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_FILES2, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_FILES_UPDATE2,
	 ANY_RING,
	 NO_ARGUMENT,
	 {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_FILES_UPDATE2,
	 ANY_RING,
	 BAD_POINTER,
	 {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_FILES_UPDATE2, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_BUFFERS2,
	 ANY_RING,
	 NO_ARGUMENT,
	 {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_BUFFERS2,
	 ANY_RING,
	 BAD_POINTER,
	 {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_BUFFERS2, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_BUFFERS_UPDATE,
	 ANY_RING,
	 NO_ARGUMENT,
	 {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_BUFFERS_UPDATE,
	 ANY_RING,
	 BAD_POINTER,
	 {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_BUFFERS_UPDATE, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_IOWQ_AFF, ANY_RING, NO_ARGUMENT, ALL(-EINVAL)},
	{IORING_REGISTER_IOWQ_AFF, ANY_RING, BAD_POINTER, FIRST(-EINVAL, -EFAULT)},
	{IORING_REGISTER_IOWQ_AFF, ANY_RING, ZEROES, FIRST(-EINVAL, 0)},
	{IORING_UNREGISTER_IOWQ_AFF, ANY_RING, NO_ARGUMENT, FIRST(0, -EINVAL)},
	{IORING_UNREGISTER_IOWQ_AFF, ANY_RING, BAD_POINTER, ALL(-EINVAL)},
	{IORING_UNREGISTER_IOWQ_AFF, ANY_RING, ZEROES, ALL(-EINVAL)},
	{IORING_REGISTER_IOWQ_MAX_WORKERS, ANY_RING, NO_ARGUMENT, ALL(-EINVAL)},
	{IORING_REGISTER_IOWQ_MAX_WORKERS,
	 ANY_RING,
	 BAD_POINTER,
	 {-EINVAL, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_IOWQ_MAX_WORKERS,
	 ANY_RING,
	 ZEROES,
	 {-EINVAL, -EINVAL, 0, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_RING_FDS,
	 ANY_RING,
	 NO_ARGUMENT,
	 {-EINVAL, -EFAULT, -EFAULT, -EFAULT, -EINVAL, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_RING_FDS,
	 ANY_RING,
	 BAD_POINTER,
	 {-EINVAL, -EFAULT, -EFAULT, -EFAULT, -EINVAL, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_RING_FDS,
	 ANY_RING,
	 ZEROES,
	 {-EINVAL, -EOPNOTSUPP, -EOPNOTSUPP, -EOPNOTSUPP, -EINVAL, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_UNREGISTER_RING_FDS,
	 ANY_RING,
	 NO_ARGUMENT,
	 {-EINVAL, -EFAULT, -EFAULT, -EFAULT, -EINVAL, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_UNREGISTER_RING_FDS,
	 ANY_RING,
	 BAD_POINTER,
	 {-EINVAL, -EFAULT, -EFAULT, -EFAULT, -EINVAL, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_UNREGISTER_RING_FDS,
	 ANY_RING,
	 ZEROES,
	 {-EINVAL, 1, 2, 3, -EINVAL, -EINVAL, -EINVAL, -EINVAL}},
	{IORING_REGISTER_SYNC_CANCEL, ANY_RING, NO_ARGUMENT, ALL(-EINVAL)},
	{IORING_REGISTER_SYNC_CANCEL, ANY_RING, BAD_POINTER, TWO(-EINVAL, -EFAULT, -EINVAL)},
	{IORING_REGISTER_SYNC_CANCEL, ANY_RING, ZEROES, TWO(-EINVAL, -ENOENT, -EINVAL)},
	{IORING_REGISTER_FILE_ALLOC_RANGE, ANY_RING, NO_ARGUMENT, ALL(-EINVAL)},
	{IORING_REGISTER_FILE_ALLOC_RANGE, ANY_RING, BAD_POINTER, FIRST(-EFAULT, -EINVAL)},
	{IORING_REGISTER_FILE_ALLOC_RANGE, ANY_RING, ZEROES, FIRST(0, -EINVAL)},
	{IORING_REGISTER_CLONE_BUFFERS, ANY_RING, NO_ARGUMENT, ALL(-EINVAL)},
	{IORING_REGISTER_CLONE_BUFFERS, ANY_RING, BAD_POINTER, TWO(-EINVAL, -EFAULT, -EINVAL)},
	{IORING_REGISTER_CLONE_BUFFERS, ANY_RING, ZEROES, TWO(-EINVAL, -EOPNOTSUPP, -EINVAL)},
};

/* Enough zeroes for whatever the largest sensible count describes. */
static char zeroes[65536];

/* A fresh ring for each call: none may see what another one has left. */
static int answer(unsigned opcode, bool disabled, enum argument argument, unsigned count)
{
	void *arguments[] = {[BAD_POINTER] = RSRC_BAD_POINTER, [ZEROES] = zeroes};
	struct io_uring ring;
	int ret;

	harness_init(&ring, 4, disabled ? IORING_SETUP_R_DISABLED : 0);
	memset(zeroes, 0, sizeof(zeroes));
	ret = io_uring_register((unsigned)ring.ring_fd, opcode, arguments[argument], count);
	io_uring_queue_exit(&ring);
	return ret;
}

static void check(const struct expectation *row, bool disabled)
{
	static const char *const names[] = {"no argument", "a bad pointer", "zeroes"};

	for (unsigned i = 0; i < COUNTS; i++) {
		int ret = answer(row->opcode, disabled, row->argument, counts[i]);

		if (ret != row->want[i])
			print_error("opcode %u on %s ring, %s, count %u\n", row->opcode,
				    disabled ? "a disabled" : "an enabled", names[row->argument],
				    counts[i]);
		assert_int_equal(ret, row->want[i]);
	}
}

static void answers_on_enabled_rings(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(expectations); i++)
		if (expectations[i].state & ENABLED)
			check(&expectations[i], false);
}

static void answers_on_disabled_rings(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(expectations); i++)
		if (expectations[i].state & DISABLED)
			check(&expectations[i], true);
}

static void unknown_opcodes(void **state)
{
	const unsigned far[] = {100, 255, 256, 1u << 16, 1u << 30, INT_MAX};

	(void)state;
	for (unsigned opcode = FIRST_UNUSED; opcode < FIRST_UNUSED + 16; opcode++) {
		assert_int_equal(answer(opcode, false, NO_ARGUMENT, 0), -EINVAL);
		assert_int_equal(answer(opcode, false, ZEROES, 1), -EINVAL);
		assert_int_equal(answer(opcode, true, NO_ARGUMENT, 0), -EINVAL);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(far); i++)
		assert_int_equal(answer(far[i], false, NO_ARGUMENT, 0), -EINVAL);
}

/* The descriptor is looked at after the opcode, and before everything else. */
static void descriptors_that_are_no_rings(void **state)
{
	unsigned opcodes[] = {IORING_REGISTER_BUFFERS, IORING_UNREGISTER_FILES,
			      IORING_REGISTER_PROBE, IORING_REGISTER_PERSONALITY,
			      IORING_REGISTER_SYNC_CANCEL};
	int file = rsrc_marked_file(1);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++) {
		assert_int_equal(io_uring_register(9999, opcodes[i], NULL, 0), -EBADF);
		assert_int_equal(io_uring_register(INT_MAX, opcodes[i], NULL, 0), -EBADF);
		assert_int_equal(io_uring_register((unsigned)-2, opcodes[i], NULL, 0), -EBADF);
		/* -1 stands for "no ring", which these opcodes cannot do without. */
		assert_int_equal(io_uring_register((unsigned)-1, opcodes[i], NULL, 0), -EINVAL);
		assert_int_equal(io_uring_register((unsigned)file, opcodes[i], NULL, 0),
				 -EOPNOTSUPP);
	}
	assert_int_equal(io_uring_register(9999, FIRST_UNUSED, NULL, 0), -EINVAL);
	assert_int_equal(io_uring_register((unsigned)file, FIRST_UNUSED, NULL, 0), -EINVAL);
	close(file);
}

static void registered_ring_numbers(void **state)
{
	unsigned personality = IORING_REGISTER_PERSONALITY | IORING_REGISTER_USE_REGISTERED_RING;
	unsigned unused = FIRST_UNUSED | IORING_REGISTER_USE_REGISTERED_RING;
	struct io_uring ring;

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(io_uring_register(i, personality, NULL, 0), -EBADF);
	assert_int_equal(io_uring_register(16, personality, NULL, 0), -EINVAL);
	assert_int_equal(io_uring_register(UINT_MAX, personality, NULL, 0), -EINVAL);
	harness_init(&ring, 4, 0);
	assert_int_equal(io_uring_register_ring_fd(&ring), 1);
	assert_int_equal(io_uring_register((unsigned)ring.enter_ring_fd, personality, NULL, 0), 1);
	assert_int_equal(io_uring_register((unsigned)ring.enter_ring_fd, unused, NULL, 0), -EINVAL);
	io_uring_queue_exit(&ring);
}

/* ---- a ring of a single issuer ---- */

static struct io_uring owned;
static int answers[3];

static void *register_from_outside(void *unused)
{
	unsigned fd = (unsigned)owned.ring_fd;

	answers[0] = io_uring_register(fd, IORING_REGISTER_PERSONALITY, NULL, 0);
	answers[1] = io_uring_register(fd, IORING_REGISTER_BUFFERS, NULL, 0);
	answers[2] = io_uring_register(fd, FIRST_UNUSED, NULL, 0);
	return unused;
}

static void refuses_other_threads(unsigned flags)
{
	pthread_t thread;

	harness_init(&owned, 4, IORING_SETUP_SINGLE_ISSUER | flags);
	/* The owner of a ring that starts disabled is who enables it. */
	if (flags & IORING_SETUP_R_DISABLED)
		assert_int_equal(io_uring_enable_rings(&owned), 0);
	assert_int_equal(pthread_create(&thread, NULL, register_from_outside, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(answers[0], -EEXIST);
	assert_int_equal(answers[1], -EEXIST);
	assert_int_equal(answers[2], -EINVAL);
	assert_int_equal(io_uring_register_personality(&owned), 1);
	io_uring_queue_exit(&owned);
}

static void other_threads_are_refused(void **state)
{
	(void)state;
	refuses_other_threads(0);
	refuses_other_threads(IORING_SETUP_R_DISABLED);
	refuses_other_threads(IORING_SETUP_SQPOLL);
	refuses_other_threads(IORING_SETUP_SQPOLL | IORING_SETUP_R_DISABLED);
}

/* ---- after a restriction ---- */

static void restricted_ring(void **state)
{
	struct io_uring_restriction allowed[2] = {
		{.opcode = IORING_RESTRICTION_REGISTER_OP,
		 .register_op = IORING_REGISTER_PERSONALITY},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP},
	};
	struct io_uring ring;
	unsigned fd;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	fd = (unsigned)ring.ring_fd;
	assert_int_equal(io_uring_register_restrictions(&ring, allowed, 2), 0);
	/* Restrictions count from the moment on that the ring is enabled. */
	assert_int_equal(io_uring_register_files_sparse(&ring, 1), 0);
	assert_int_equal(io_uring_register_restrictions(&ring, allowed, 2), -EBUSY);
	assert_int_equal(io_uring_enable_rings(&ring), 0);
	assert_int_equal(io_uring_register_personality(&ring), 1);
	assert_int_equal(io_uring_unregister_personality(&ring, 1), -EACCES);
	assert_int_equal(io_uring_unregister_files(&ring), -EACCES);
	/* -EACCES comes before the arguments are looked at, but after the opcode. */
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_BUFFERS, NULL, 0), -EACCES);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_RESTRICTIONS, NULL, 0), -EACCES);
	assert_int_equal(io_uring_register(fd, FIRST_UNUSED, NULL, 0), -EINVAL);
	io_uring_queue_exit(&ring);
}

/* Number 0 must be somebody, or the calls that are given zeroes find a closed descriptor. */
static int group_setup(void **state)
{
	int ret = harness_group_setup(state);

	if (!ret && fcntl(STDIN_FILENO, F_GETFD) < 0)
		ret = open("/dev/null", O_RDONLY) == STDIN_FILENO ? 0 : -1;
	return ret;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_on_enabled_rings),
		cmocka_unit_test(answers_on_disabled_rings),
		cmocka_unit_test(unknown_opcodes),
		cmocka_unit_test(descriptors_that_are_no_rings),
		cmocka_unit_test(registered_ring_numbers),
		cmocka_unit_test(other_threads_are_refused),
		cmocka_unit_test(restricted_ring),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
