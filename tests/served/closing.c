/* SPDX-License-Identifier: MIT */
/*
 * Description: the ways in which a ring's descriptor is closed, duplicated and replaced. That a
 * ring is gone shows in a read it had pending: the pipe's only reader goes with it.
 */
#include "raw.h"

struct pending {
	struct raw_ring ring;
	int writer;
	char byte;
};

/* A ring whose pending read is all that keeps the read end of a pipe open. */
static void start(struct pending *pending)
{
	int fds[2];

	raw_open(&pending->ring, 0);
	assert_int_equal(pipe(fds), 0);
	raw_start_read(&pending->ring, fds[0], &pending->byte, 1);
	close(fds[0]);
	pending->writer = fds[1];
}

/*
 * Has the pipe lost its reader? The kernel may take a moment to end a ring, and does not as long as
 * it is mapped.
 */
static bool gone(struct pending *pending)
{
	struct pollfd entry = {.fd = pending->writer};

	raw_unmap_rings(&pending->ring);
	return poll(&entry, 1, 1000 * RAW_SECONDS) == 1 && entry.revents & POLLERR;
}

static bool there(const struct pending *pending)
{
	struct pollfd entry = {.fd = pending->writer};

	return poll(&entry, 1, 0) == 0;
}

static void by_close(void **state)
{
	struct pending pending;

	(void)state;
	start(&pending);
	assert_true(there(&pending));
	assert_int_equal(close(pending.ring.fd), 0);
	assert_true(gone(&pending));
	assert_int_equal(close(pending.ring.fd), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(raw_enter(pending.ring.fd, 0, 0, 0), -EBADF);
	close(pending.writer);
}

static void by_the_number_of_close(void **state)
{
	struct pending pending;

	(void)state;
	start(&pending);
	assert_int_equal(syscall(SYS_close, pending.ring.fd), 0);
	assert_true(gone(&pending));
	close(pending.writer);
}

static void by_close_range(void **state)
{
	struct pending pending;
	unsigned fd;

	(void)state;
	start(&pending);
	fd = (unsigned)pending.ring.fd;
	assert_int_equal(close_range(fd, fd, CLOSE_RANGE_CLOEXEC), 0);
	assert_true(there(&pending));
	assert_int_equal(close_range(fd, fd, 0), 0);
	assert_true(gone(&pending));
	close(pending.writer);
}

static void by_what_replaces_it(void **state)
{
	struct pending pending;

	(void)state;
	start(&pending);
	assert_int_equal(dup2(9999, pending.ring.fd), -1);
	assert_int_equal(errno, EBADF);
	assert_true(there(&pending));
	assert_int_equal(dup2(pending.ring.fd, pending.ring.fd), pending.ring.fd);
	assert_true(there(&pending));
	assert_int_equal(dup2(STDERR_FILENO, pending.ring.fd), pending.ring.fd);
	assert_true(gone(&pending));
	assert_int_equal(raw_enter(pending.ring.fd, 0, 0, 0), -EOPNOTSUPP);
	close(pending.ring.fd);
	close(pending.writer);
	start(&pending);
	assert_int_equal(dup3(STDERR_FILENO, pending.ring.fd, O_CLOEXEC), pending.ring.fd);
	assert_true(gone(&pending));
	close(pending.ring.fd);
	close(pending.writer);
}

static void a_duplicate_keeps_it(void **state)
{
	struct pending pending;
	int duplicate;

	(void)state;
	start(&pending);
	duplicate = dup(pending.ring.fd);
	assert_true(duplicate >= 0);
	assert_int_equal(close(pending.ring.fd), 0);
	assert_true(there(&pending));
	pending.ring.fd = duplicate;
	raw_check(&pending.ring);
	assert_int_equal(fcntl(duplicate, F_DUPFD_CLOEXEC, 1000), 1000);
	assert_int_equal(close(duplicate), 0);
	assert_true(there(&pending));
	pending.ring.fd = 1000;
	raw_check(&pending.ring);
	assert_int_equal(close(1000), 0);
	assert_true(gone(&pending));
	close(pending.writer);
}

static void a_duplicate_of_a_ring_that_defers(void **state)
{
	struct raw_ring ring;
	int fds[2], first;
	char byte = 0;

	(void)state;
	memset(&ring, 0, sizeof(ring));
	ring.params.flags = ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN;
	first = raw_setup(8, &ring.params);
	if (first == -EINVAL)
		skip(); /* an old kernel */
	ring.fd = first;
	raw_map_rings(&ring);
	assert_int_equal(pipe(fds), 0);
	raw_start_read(&ring, fds[0], &byte, 1);
	ring.fd = dup(first);
	assert_true(ring.fd >= 0);
	assert_int_equal(close(first), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(raw_enter(ring.fd, 0, 1, ASYNCRING_ENTER_GETEVENTS), 0);
	assert_int_equal(byte, 'x');
	raw_close_ring(&ring);
	close(fds[0]);
	close(fds[1]);
}

/* With an instruction of its own: then the next ring that gets the number is another one. */
static void behind_everybodys_back(void **state)
{
	struct pending pending;
	struct raw_ring next;

	(void)state;
	start(&pending);
	assert_int_equal(raw_close(pending.ring.fd), 0);
	raw_open(&next, 0);
	raw_check(&next);
	assert_true(gone(&pending));
	close(pending.writer);
	raw_close_ring(&next);
}

static void in_a_forked_child(void)
{
	closefrom(3);
}

static void a_child_closes_its_own(void **state)
{
	struct pending pending;

	(void)state;
	start(&pending);
	assert_int_equal(raw_in_child(in_a_forked_child), 0);
	assert_true(there(&pending));
	raw_check(&pending.ring);
	raw_close_ring(&pending.ring);
	close(pending.writer);
}

/* Its child shares the memory, but not the descriptors. */
static void a_vforks_child_closes_its_own(void **state)
{
	char *const arguments[] = {(char *)"true", NULL};
	struct pending pending;
	int status;
	pid_t child;

	(void)state;
	start(&pending);
	child = vfork();
	if (!child) {
		close(pending.ring.fd);
		execv("/bin/true", arguments);
		_exit(1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(there(&pending));
	raw_check(&pending.ring);
	raw_close_ring(&pending.ring);
	close(pending.writer);
}

static void by_the_end_of_the_process(void)
{
	struct pending pending;

	start(&pending);
	exit(0);
}

static void with_work_in_flight(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(raw_in_child(by_the_end_of_the_process), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_close),
		cmocka_unit_test(by_the_number_of_close),
		cmocka_unit_test(by_close_range),
		cmocka_unit_test(by_what_replaces_it),
		cmocka_unit_test(a_duplicate_keeps_it),
		cmocka_unit_test(a_duplicate_of_a_ring_that_defers),
		cmocka_unit_test(behind_everybodys_back),
		cmocka_unit_test(a_child_closes_its_own),
		cmocka_unit_test(a_vforks_child_closes_its_own),
		cmocka_unit_test(with_work_in_flight),
	};

	raw_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
