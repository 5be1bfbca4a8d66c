/* SPDX-License-Identifier: MIT */
/*
 * Description: REGISTER_PROBE: what it says about operations, and how it may be called.
 */
#include "harness.h"

static const int wanted[] = {
	IORING_OP_NOP,		IORING_OP_READV,	IORING_OP_WRITEV,
	IORING_OP_FSYNC,	IORING_OP_READ_FIXED,	IORING_OP_WRITE_FIXED,
	IORING_OP_FALLOCATE,	IORING_OP_OPENAT,	IORING_OP_CLOSE,
	IORING_OP_STATX,	IORING_OP_READ,		IORING_OP_WRITE,
	IORING_OP_FADVISE,	IORING_OP_MADVISE,	IORING_OP_OPENAT2,
	IORING_OP_SPLICE,	IORING_OP_TEE,		IORING_OP_RENAMEAT,
	IORING_OP_UNLINKAT,	IORING_OP_MKDIRAT,	IORING_OP_SYMLINKAT,
	IORING_OP_LINKAT,	IORING_OP_MSG_RING,	IORING_OP_FSETXATTR,
	IORING_OP_SETXATTR,	IORING_OP_FGETXATTR,	IORING_OP_GETXATTR,
	IORING_OP_FTRUNCATE,	IORING_OP_ASYNC_CANCEL, IORING_OP_SYNC_FILE_RANGE,
	IORING_OP_READV_FIXED,	IORING_OP_WRITEV_FIXED, IORING_OP_FIXED_FD_INSTALL,
	IORING_OP_FILES_UPDATE,
};

/* A probe with room for as many entries as there can be. */
union any_probe {
	struct io_uring_probe head;
	char room[sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op)];
};

static int register_probe(struct io_uring *ring, void *probe, unsigned count)
{
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_PROBE, probe, count);
}

static void file_operations_are_supported(void **state)
{
	struct io_uring_probe *probe = io_uring_get_probe();

	(void)state;
	assert_non_null(probe);
	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (!io_uring_opcode_supported(probe, wanted[i]))
			print_error("opcode %d\n", wanted[i]);
		assert_true(io_uring_opcode_supported(probe, wanted[i]));
	}
	io_uring_free_probe(probe);
}

static void a_ring_of_ones_own_gives_the_same(void **state)
{
	struct io_uring_probe *first = io_uring_get_probe(), *second;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	second = io_uring_get_probe_ring(&ring);
	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(first->last_op, second->last_op);
	assert_int_equal(first->ops_len, second->ops_len);
	assert_memory_equal(first->ops, second->ops, first->ops_len * sizeof(first->ops[0]));
	io_uring_free_probe(first);
	io_uring_free_probe(second);
	io_uring_queue_exit(&ring);
}

static void entries_are_numbered_and_bounded(void **state)
{
	static union any_probe probe;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	memset(&probe, 0, sizeof(probe));
	assert_int_equal(register_probe(&ring, &probe, 256), 0);
	assert_int_equal(probe.head.ops_len, probe.head.last_op + 1);
	assert_true(probe.head.last_op >= IORING_OP_WRITEV_FIXED);
	assert_true(probe.head.last_op < 128);
	for (unsigned i = 0; i < probe.head.ops_len; i++) {
		assert_int_equal(probe.head.ops[i].op, i);
		assert_int_equal(probe.head.ops[i].flags & ~IO_URING_OP_SUPPORTED, 0);
	}
	for (unsigned i = probe.head.ops_len; i < 256; i++) {
		assert_int_equal(probe.head.ops[i].op, 0);
		assert_int_equal(probe.head.ops[i].flags, 0);
	}
	io_uring_queue_exit(&ring);
}

static void fewer_entries_may_be_asked_for(void **state)
{
	static union any_probe probe;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	memset(&probe, 0, sizeof(probe));
	assert_int_equal(register_probe(&ring, &probe, 3), 0);
	assert_int_equal(probe.head.ops_len, 3);
	assert_true(probe.head.last_op > 3);
	assert_int_equal(probe.head.ops[2].op, 2);
	assert_true(probe.head.ops[2].flags & IO_URING_OP_SUPPORTED);
	assert_int_equal(probe.head.ops[3].flags, 0);

	memset(&probe, 0, sizeof(probe));
	assert_int_equal(register_probe(&ring, &probe, 0), 0);
	assert_int_equal(probe.head.ops_len, 0);
	assert_true(probe.head.last_op > 3);
	io_uring_queue_exit(&ring);
}

static void bad_arguments_are_refused(void **state)
{
	static union any_probe probe;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	memset(&probe, 0, sizeof(probe));
	assert_int_equal(register_probe(&ring, NULL, 3), -EINVAL);
	assert_int_equal(register_probe(&ring, &probe, 257), -EINVAL);
	assert_int_equal(register_probe(&ring, (void *)(uintptr_t)8, 3), -EFAULT);
	/* The memory must be all zero. */
	probe.head.resv = 1;
	assert_int_equal(register_probe(&ring, &probe, 3), -EINVAL);
	probe.head.resv = 0;
	probe.head.ops[2].resv2 = 1;
	assert_int_equal(register_probe(&ring, &probe, 3), -EINVAL);
	assert_int_equal(register_probe(&ring, &probe, 2), 0);
	io_uring_queue_exit(&ring);
}

/* What the probe does not know is refused. */
static void opcodes_behind_the_last_are_refused(void **state)
{
	static union any_probe probe;
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	memset(&probe, 0, sizeof(probe));
	assert_int_equal(register_probe(&ring, &probe, 256), 0);
	for (unsigned opcode = probe.head.last_op + 1u; opcode < 256; opcode++) {
		harness_sqe(&ring)->opcode = (uint8_t)opcode;
		assert_int_equal(harness_result(&ring), -EINVAL);
	}
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_operations_are_supported),
		cmocka_unit_test(a_ring_of_ones_own_gives_the_same),
		cmocka_unit_test(entries_are_numbered_and_bounded),
		cmocka_unit_test(fewer_entries_may_be_asked_for),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(opcodes_behind_the_last_are_refused),
	};

	return harness_run(tests);
}
