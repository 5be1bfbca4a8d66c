/* SPDX-License-Identifier: MIT */
/*
 * Description: a ring's descriptor is replaced or closed by an instruction of the program's own,
 * and its number comes to stand for something else: which then is closed, mapped and waited for as
 * what it is. And duplicates made by fcntl(2) are as good as the first.
 */
#include "raw.h"

/* A file with "xyz" in it that nobody else sees. */
static int open_file(void)
{
	char name[] = "/tmp/served-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(write(fd, "xyz", 3), 3);
	return fd;
}

/* @to is replaced by @from, which goes. */
static void replace_unseen(int from, int to)
{
	assert_int_equal(raw_call(SYS_dup3, from, to, 0, 0, 0, 0), to);
	assert_int_equal(raw_close(from), 0);
}

static void what_has_the_number_is_closed(void **state)
{
	struct pollfd entry;
	struct raw_ring ring;
	int fds[2];

	(void)state;
	raw_open(&ring, 0);
	raw_unmap_rings(&ring);
	assert_int_equal(pipe(fds), 0);
	replace_unseen(fds[1], ring.fd);
	assert_int_equal(close(ring.fd), 0);
	assert_int_equal(fcntl(ring.fd, F_GETFD), -1);
	/* The last writer has gone with it. */
	entry = (struct pollfd){.fd = fds[0], .events = POLLIN};
	assert_int_equal(poll(&entry, 1, 0), 1);
	assert_true(entry.revents & POLLHUP);
	close(fds[0]);
}

static void what_has_the_number_is_mapped(void **state)
{
	struct raw_ring ring;
	char *mapped;

	(void)state;
	for (int raw = 0; raw < 2; raw++) {
		raw_open(&ring, 0);
		raw_unmap_rings(&ring);
		replace_unseen(open_file(), ring.fd);
		mapped = raw ? raw_map(ring.fd, 4096, 0)
			     : mmap(NULL, 4096, PROT_READ, MAP_SHARED, ring.fd, 0);
		assert_non_null(mapped);
		assert_ptr_not_equal(mapped, MAP_FAILED);
		assert_memory_equal(mapped, "xyz", 3);
		munmap(mapped, 4096);
		assert_int_equal(close(ring.fd), 0);
	}
}

static void what_has_the_number_is_duplicated(void **state)
{
	struct raw_ring ring;
	char text[3];
	int copy;

	(void)state;
	raw_open(&ring, 0);
	raw_unmap_rings(&ring);
	replace_unseen(open_file(), ring.fd);
	copy = dup(ring.fd);
	assert_true(copy >= 0);
	assert_int_equal(pread(copy, text, 3, 0), 3);
	assert_int_equal(dup2(STDERR_FILENO, ring.fd), ring.fd);
	assert_int_equal(close(ring.fd), 0);
	assert_int_equal(close(copy), 0);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
}

/* Its readability is looked after, although the first descriptor is gone. */
static void a_duplicate_by_fcntl(void **state)
{
	static const int commands[] = {F_DUPFD, F_DUPFD_CLOEXEC};
	struct asyncring_cqe cqe;
	struct raw_ring ring;

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int first;

		raw_open(&ring, 0);
		first = ring.fd;
		ring.fd = fcntl(first, commands[i], 3);
		assert_true(ring.fd >= 3);
		assert_int_equal(fcntl(ring.fd, F_GETFD) == FD_CLOEXEC,
				 commands[i] == F_DUPFD_CLOEXEC);
		assert_int_equal(close(first), 0);
		for (int round = 0; round < 3; round++) {
			raw_sqe(&ring, ASYNCRING_OP_NOP, -1, 1);
			assert_int_equal(raw_enter(ring.fd, 1, 0, 0), 1);
			assert_true(raw_readable(ring.fd, 0));
			assert_true(raw_cqe(&ring, &cqe));
			assert_false(raw_readable(ring.fd, 0));
		}
		raw_close_ring(&ring);
	}
}

/* What fcntl(2) is asked otherwise it does. */
static void other_commands_of_fcntl(void **state)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open_file();

	(void)state;
	assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETLK, &lock), 0);
	assert_int_equal(lock.l_type, F_UNLCK);
	assert_int_equal(fcntl(fd, F_SETLKW, &lock), 0);
	assert_int_equal(fcntl(-1, F_DUPFD, 0), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(fcntl(fd, F_DUPFD, -1), -1);
	assert_int_equal(errno, EINVAL);
	close(fd);
}

static void a_range_that_is_refused(void **state)
{
	struct raw_ring ring;
	unsigned fd;

	(void)state;
	raw_open(&ring, 0);
	fd = (unsigned)ring.fd;
	assert_int_equal(close_range(fd, fd, 1 << 30), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(close_range(fd, fd - 1, 0), -1);
	raw_check(&ring);
	raw_close_ring(&ring);
}

/* As daemons do that want to begin with nothing. */
static void everything_is_closed(void)
{
	struct raw_ring ring, next;
	int fds[2];
	char byte;

	raw_open(&ring, 0);
	assert_int_equal(pipe(fds), 0);
	raw_start_read(&ring, fds[0], &byte, 1);
	for (int fd = 3; fd < 4096; fd++)
		close(fd);
	for (int i = 0; i < 3; i++) {
		raw_open(&next, 0);
		raw_check(&next);
		assert_int_equal(pipe(fds), 0);
		raw_start_read(&next, fds[0], &byte, 1);
		assert_int_equal(write(fds[1], "x", 1), 1);
		assert_int_equal(raw_enter(next.fd, 0, 1, ASYNCRING_ENTER_GETEVENTS), 0);
		assert_int_equal(byte, 'x');
		raw_close_ring(&next);
		close(fds[0]);
		close(fds[1]);
	}
}

static void one_by_one(void **state)
{
	(void)state;
	assert_int_equal(raw_in_child(everything_is_closed), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_the_number_is_closed),
		cmocka_unit_test(what_has_the_number_is_mapped),
		cmocka_unit_test(what_has_the_number_is_duplicated),
		cmocka_unit_test(a_duplicate_by_fcntl),
		cmocka_unit_test(other_commands_of_fcntl),
		cmocka_unit_test(a_range_that_is_refused),
		cmocka_unit_test(one_by_one),
	};

	raw_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
