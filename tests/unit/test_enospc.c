/* SPDX-License-Identifier: MIT */
/*
 * Description: a full file system. Writes end short, then with -ENOSPC, as write(2) does, inline
 * and on workers; a short one breaks a link. The file system is a small tmpfs in a mount namespace
 * of the test's own, so this needs root.
 */
#include "support.h"

#include <sys/mount.h>

enum { ROOM = 64 * 1024, SIZE = 48 * 1024 };

static struct asyncring ring;
static char directory[] = "/tmp/asyncring-enospc-XXXXXX";
static unsigned char buffer[SIZE];
static int file;
static bool mounted;

static void start_anew(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/file", directory);
	file = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
	assert_true(file >= 0);
}

static int write_at(uint64_t offset, unsigned flags)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_write(sqe, file, buffer, SIZE, offset);
	sqe->flags |= (unsigned char)flags;
	return support_run(&ring);
}

static void full_file_system_is_told(void **state)
{
	(void)state;
	if (!mounted)
		skip();
	for (unsigned flags = 0; flags <= ASYNCRING_SQE_ASYNC; flags += ASYNCRING_SQE_ASYNC) {
		start_anew();
		assert_int_equal(write_at(0, flags), SIZE);
		assert_int_equal(write_at(SIZE, flags), ROOM - SIZE);
		assert_int_equal(write_at(ROOM, flags), -ENOSPC);
		assert_int_equal(lseek(file, 0, SEEK_END), ROOM);
		close(file);
	}
}

/* Those that continue each other are one call on a worker. */
static void full_in_the_middle_of_many(void **state)
{
	enum { COUNT = 4, PART = SIZE / 2 };
	const int results[COUNT] = {PART, PART, ROOM - 2 * PART, -ENOSPC};

	(void)state;
	if (!mounted)
		skip();
	start_anew();
	for (unsigned i = 0; i < COUNT; i++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);

		asyncring_prep_write(sqe, file, buffer, PART, (uint64_t)i * PART);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
		sqe->user_data = i;
	}
	assert_int_equal(asyncring_submit(&ring), COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		uint64_t user_data;

		assert_int_equal(support_result(&ring, &user_data), results[i]);
		assert_int_equal(user_data, i);
	}
	assert_int_equal(lseek(file, 0, SEEK_END), ROOM);
	close(file);
}

static void short_write_breaks_a_link(void **state)
{
	struct asyncring_sqe *sqe;
	uint64_t user_data;

	(void)state;
	if (!mounted)
		skip();
	start_anew();
	for (unsigned i = 0; i < 3; i++) {
		sqe = support_sqe(&ring);
		asyncring_prep_write(sqe, file, buffer, SIZE, i * SIZE);
		sqe->flags |= i < 2 ? ASYNCRING_SQE_IO_LINK : 0;
		sqe->user_data = i;
	}
	assert_int_equal(asyncring_submit(&ring), 3);
	for (unsigned i = 0; i < 3; i++) {
		const int results[3] = {SIZE, ROOM - SIZE, -ECANCELED};

		assert_int_equal(support_result(&ring, &user_data), results[i]);
		assert_int_equal(user_data, i);
	}
	close(file);
}

static void allocation_of_too_much_is_told(void **state)
{
	(void)state;
	if (!mounted)
		skip();
	start_anew();
	asyncring_prep_fallocate(support_sqe(&ring), file, 0, 0, ROOM + 4096);
	assert_int_equal(support_run(&ring), -ENOSPC);
	close(file);
}

static int setup(void **state)
{
	(void)state;
	support_bound(30);
	if (!mkdtemp(directory))
		return -1;
	mounted = !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		  !mount("tmpfs", directory, "tmpfs", 0, "size=64k");
	return asyncring_queue_init(4, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	if (mounted)
		umount(directory);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_file_system_is_told),
		cmocka_unit_test(full_in_the_middle_of_many),
		cmocka_unit_test(short_write_breaks_a_link),
		cmocka_unit_test(allocation_of_too_much_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
