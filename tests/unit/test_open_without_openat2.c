/* SPDX-License-Identifier: MIT */
/*
 * Description: OPENAT and OPENAT2 where the system call openat2(2) is missing (old kernels) or
 * forbidden (sandboxes): plain opens work by openat(2), bad arguments are refused as openat2(2)
 * would, and what only openat2(2) can do is refused and not done in another way.
 *
 * The library asks once in a process whether the call is there, so the program takes it away from
 * the start.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <asyncring.h>

#include "sys.h"

/* struct open_how, and two of its RESOLVE_*, which older headers lack. */
struct how {
	uint64_t flags, mode, resolve;
};

enum { BENEATH = 0x08, CACHED = 0x20 };

static struct asyncring ring;
static char directory[] = "/tmp/asyncring-test-XXXXXX";
static char file[64];

static bool refuse_openat2(long number, const long arguments[6], long *result)
{
	(void)arguments;
	if (number != 437)
		return false;
	*result = -EPERM;
	return true;
}

static struct asyncring_sqe *next_sqe(void)
{
	struct asyncring_sqe *sqe = asyncring_get_sqe(&ring);

	assert_non_null(sqe);
	memset(sqe, 0, sizeof(*sqe));
	sqe->fd = AT_FDCWD;
	sqe->addr = (uintptr_t)file;
	return sqe;
}

static int result_of(void)
{
	struct asyncring_cqe *cqe;
	int result;

	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	assert_int_equal(asyncring_wait_cqe(&ring, &cqe), 0);
	result = cqe->res;
	asyncring_cqe_seen(&ring, cqe);
	return result;
}

static int run_openat2(struct how how)
{
	struct asyncring_sqe *sqe = next_sqe();

	sqe->opcode = ASYNCRING_OP_OPENAT2;
	sqe->addr2 = (uintptr_t)&how;
	sqe->len = sizeof(how);
	return result_of();
}

static void openat_works(void **state)
{
	struct asyncring_sqe *sqe = next_sqe();
	int fd;

	(void)state;
	sqe->opcode = ASYNCRING_OP_OPENAT;
	sqe->open_flags = O_RDWR | O_APPEND;
	fd = result_of();
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK),
			 O_RDWR | O_APPEND);
	close(fd);
}

static void openat2_without_resolve_works(void **state)
{
	int fd = run_openat2((struct how){.flags = O_RDONLY});

	(void)state;
	assert_true(fd >= 0);
	close(fd);
}

static void openat2_refuses_what_openat_ignores(void **state)
{
	(void)state;
	assert_int_equal(run_openat2((struct how){.flags = 1ull << 40}), -EINVAL);
	assert_int_equal(run_openat2((struct how){.mode = 0600}), -EINVAL);
	assert_int_equal(run_openat2((struct how){.flags = O_CREAT, .mode = 1u << 16}), -EINVAL);
	assert_int_equal(run_openat2((struct how){.flags = O_PATH | O_RDWR}), -EINVAL);
	assert_int_equal(run_openat2((struct how){.resolve = 1ull << 20}), -EINVAL);
}

static void openat2_does_not_pretend(void **state)
{
	(void)state;
	assert_int_equal(run_openat2((struct how){.resolve = BENEATH}), -ENOSYS);
	assert_int_equal(run_openat2((struct how){.resolve = CACHED}), -EAGAIN);
}

static int setup(void **state)
{
	int fd;

	(void)state;
	alarm(60);
	asyncring__sys_hook = refuse_openat2;
	if (!mkdtemp(directory))
		return -1;
	snprintf(file, sizeof(file), "%s/file", directory);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	return asyncring_queue_init(4, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	unlink(file);
	rmdir(directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openat_works),
		cmocka_unit_test(openat2_without_resolve_works),
		cmocka_unit_test(openat2_refuses_what_openat_ignores),
		cmocka_unit_test(openat2_does_not_pretend),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
