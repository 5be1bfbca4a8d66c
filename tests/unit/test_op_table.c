/* SPDX-License-Identifier: MIT */
/*
 * Description: the table of operations. Each served opcode has its own complete row at its own
 * number, no other opcode is served, properties make sense together, and what the application is
 * told by the probe is what the table says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <asyncring.h>

#include "ops/ops.h"

#define ROW(name)                                                                                  \
	{                                                                                          \
		ASYNCRING_OP_##name, #name                                                         \
	}

/* All that is served, by number and by name. */
static const struct row {
	unsigned opcode;
	const char *name;
} served[] = {
	ROW(NOP),
	ROW(READV),
	ROW(WRITEV),
	ROW(FSYNC),
	ROW(READ_FIXED),
	ROW(WRITE_FIXED),
	ROW(SYNC_FILE_RANGE),
	ROW(ASYNC_CANCEL),
	ROW(FALLOCATE),
	ROW(OPENAT),
	ROW(CLOSE),
	ROW(FILES_UPDATE),
	ROW(STATX),
	ROW(READ),
	ROW(WRITE),
	ROW(FADVISE),
	ROW(MADVISE),
	ROW(OPENAT2),
	ROW(SPLICE),
	ROW(TEE),
	ROW(POLL_ADD),
	ROW(POLL_REMOVE),
	ROW(TIMEOUT),
	ROW(TIMEOUT_REMOVE),
	ROW(LINK_TIMEOUT),
	ROW(RENAMEAT),
	ROW(UNLINKAT),
	ROW(MKDIRAT),
	ROW(PROVIDE_BUFFERS),
	ROW(REMOVE_BUFFERS),
	ROW(READ_MULTISHOT),
	ROW(SYMLINKAT),
	ROW(LINKAT),
	ROW(MSG_RING),
	ROW(FSETXATTR),
	ROW(SETXATTR),
	ROW(FGETXATTR),
	ROW(GETXATTR),
	ROW(FIXED_FD_INSTALL),
	ROW(FTRUNCATE),
	ROW(READV_FIXED),
	ROW(WRITEV_FIXED),
	ROW(SENDMSG),
	ROW(RECVMSG),
	ROW(ACCEPT),
	ROW(CONNECT),
	ROW(SEND),
	ROW(RECV),
	ROW(SHUTDOWN),
	ROW(SOCKET),
	ROW(URING_CMD),
	ROW(SEND_ZC),
	ROW(SENDMSG_ZC),
	ROW(BIND),
	ROW(LISTEN),
	ROW(NOP128),
	ROW(EPOLL_CTL),
	ROW(EPOLL_WAIT),
	ROW(PIPE),
	ROW(WAITID),
	ROW(FUTEX_WAIT),
	ROW(FUTEX_WAKE),
	ROW(FUTEX_WAITV),
};

#define SERVED_COUNT (sizeof(served) / sizeof(served[0]))

static const struct row *find_row(unsigned opcode)
{
	for (size_t i = 0; i < SERVED_COUNT; i++)
		if (served[i].opcode == opcode)
			return &served[i];
	return NULL;
}

static void rows_stand_at_their_numbers(void **state)
{
	(void)state;
	assert_int_equal(asyncring__op_count(), ASYNCRING_OP_LAST);
	for (unsigned opcode = 0; opcode < asyncring__op_count(); opcode++) {
		const struct row *row = find_row(opcode);
		const struct op *op = asyncring__op(opcode);

		if (!row != !op)
			fail_msg("opcode %u is %sserved", opcode, op ? "" : "not ");
		if (!op)
			continue;
		assert_string_equal(op->name, row->name);
		assert_non_null(op->prep);
		assert_non_null(op->issue);
	}
}

static void opcodes_beyond_the_table_are_not_served(void **state)
{
	(void)state;
	assert_null(asyncring__op(asyncring__op_count()));
	assert_null(asyncring__op(255));
	assert_null(asyncring__op(UINT32_MAX));
}

static bool same_family(const struct op *one, const struct op *other, const char *part)
{
	return strstr(one->name, part) && strstr(other->name, part);
}

/* The two sizes of a NOP, reads, writes, the two ways to open and to wait may share functions. */
static bool may_share(const struct op *one, const struct op *other)
{
	if (one->prep == other->prep)
		return same_family(one, other, "NOP");
	if (one->issue != other->issue)
		return true;
	return same_family(one, other, "OPENAT") || same_family(one, other, "FUTEX_WAIT") ||
	       ((one->properties & other->properties) & OP_IOPRIO);
}

static void rows_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < SERVED_COUNT; i++) {
		for (size_t j = i + 1; j < SERVED_COUNT; j++) {
			const struct op *one = asyncring__op(served[i].opcode);
			const struct op *other = asyncring__op(served[j].opcode);

			assert_ptr_not_equal(one, other);
			assert_string_not_equal(one->name, other->name);
			if (!may_share(one, other))
				fail_msg("%s and %s share a function", one->name, other->name);
		}
	}
}

/* @property makes no sense without @needed. */
static void assert_implies(const struct op *op, unsigned property, unsigned needed)
{
	if (op->properties & property && !(op->properties & needed))
		fail_msg("%s: property 0x%x without 0x%x", op->name, property, needed);
}

static void properties_fit_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < SERVED_COUNT; i++) {
		const struct op *op = asyncring__op(served[i].opcode);

		assert_implies(op, OP_POLL_IN | OP_POLL_OUT, OP_FILE);
		assert_implies(op, OP_SERIAL_INODE, OP_FILE);
		assert_implies(op, OP_BUFFER_SELECT, OP_FILE);
		assert_implies(op, OP_FIXED_BUFFER, OP_FILE);
		/* What never runs inline copies its arguments in preparation, where errors count.
		 */
		if (op->properties & OP_WORKER && op->copy_args)
			fail_msg("%s copies its arguments late", op->name);
	}
}

static void probe_agrees_with_the_table(void **state)
{
	struct asyncring_params params = {0};
	struct asyncring_probe *probe;
	int fd, ret;

	(void)state;
	fd = asyncring_setup(1, &params);
	assert_true(fd >= 0);
	probe = calloc(1, sizeof(*probe) + 256 * sizeof(probe->ops[0]));
	assert_non_null(probe);
	ret = asyncring_register((unsigned)fd, ASYNCRING_REGISTER_PROBE, probe, 256);
	assert_int_equal(ret, 0);
	assert_int_equal(probe->last_op, asyncring__op_count() - 1);
	assert_int_equal(probe->ops_len, asyncring__op_count());
	for (unsigned opcode = 0; opcode < probe->ops_len; opcode++) {
		bool told = probe->ops[opcode].flags & ASYNCRING_OP_SUPPORTED;

		assert_int_equal(probe->ops[opcode].op, opcode);
		if (told != (asyncring__op(opcode) != NULL))
			fail_msg("the probe says opcode %u is %sserved", opcode,
				 told ? "" : "not ");
	}
	free(probe);
	assert_int_equal(asyncring_close(fd), 0);
}

/* A request with an opcode that is known but not served, or not known at all, is refused. */
static void unserved_opcodes_are_refused(void **state)
{
	struct asyncring ring;

	(void)state;
	assert_int_equal(asyncring_queue_init(4, &ring, 0), 0);
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		struct asyncring_sqe *sqe;
		struct asyncring_cqe *cqe;

		if (asyncring__op(opcode))
			continue;
		sqe = asyncring_get_sqe(&ring);
		assert_non_null(sqe);
		*sqe = (struct asyncring_sqe){.opcode = (__u8)opcode, .user_data = opcode};
		assert_int_equal(asyncring_submit(&ring), 1);
		assert_int_equal(asyncring_peek_cqe(&ring, &cqe), 0);
		assert_int_equal(cqe->user_data, opcode);
		assert_int_equal(cqe->res, -EINVAL);
		asyncring_cqe_seen(&ring, cqe);
	}
	asyncring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_stand_at_their_numbers),
		cmocka_unit_test(opcodes_beyond_the_table_are_not_served),
		cmocka_unit_test(rows_are_unique),
		cmocka_unit_test(properties_fit_together),
		cmocka_unit_test(probe_agrees_with_the_table),
		cmocka_unit_test(unserved_opcodes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
