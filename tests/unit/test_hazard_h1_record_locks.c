/* SPDX-License-Identifier: MIT */
/*
 * Description: hazard H1. close() of any descriptor of a file drops all POSIX record locks that the
 * process has on it; nothing that the library does with duplicates of its own may do that. Whether
 * the lock stands is what another process, a forked child, is told by F_GETLK.
 */
#include "support.h"

#include <sys/socket.h>

enum { SIZE = 8192 };

static struct asyncring ring;
static unsigned char buffer[SIZE];
static char path[] = "/tmp/asyncring-h1-XXXXXX";
static _Atomic int failing_allocations; /* size of those that are to fail; 0: none */

static bool allow(size_t size)
{
	int failing = atomic_load(&failing_allocations);

	return !failing || size > (size_t)failing;
}

static void set_lock(int fd, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};

	assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
}

static int open_file(int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int open_locked(void)
{
	int fd = open_file(O_RDWR);

	set_lock(fd, F_WRLCK);
	return fd;
}

/* An open-file-description lock, which no close of another open file drops. */
static void set_ofd_lock(int fd, short type, off_t start, off_t length)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
}

/* What a child sees; never -1, for that would be lost in an exit status. */
static bool lock_stands(int fd)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		struct flock lock = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};

		if (fcntl(fd, F_GETLK, &lock))
			_exit(2);
		_exit(lock.l_type == F_UNLCK ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 0, 1);
	return WEXITSTATUS(status) == 1;
}

static void queue_async_read(int fd, int64_t offset)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_read(sqe, fd, buffer, SIZE, (uint64_t)offset);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
}

static int async_read(int fd, int64_t offset)
{
	queue_async_read(fd, offset);
	return support_run(&ring);
}

/* Let the library look at what it has parked. */
static void sweep(void)
{
	int fd = open_file(O_RDONLY | O_APPEND);

	assert_int_equal(async_read(fd, 0), SIZE);
	close(fd);
}

static void hazard_h1_posix_record_locks_survive_workers(void **state)
{
	int fd = open_locked(), ends[2];
	struct iovec vector[2] = {{buffer, 100}, {buffer + 100, SIZE - 100}};
	struct asyncring_sqe *sqe;

	(void)state;
	assert_true(lock_stands(fd)); /* so that the question can be answered with no */
	assert_int_equal(async_read(fd, 0), SIZE);
	assert_true(support_content(buffer, SIZE, 0));
	assert_true(lock_stands(fd));
	asyncring_prep_fsync(support_sqe(&ring), fd, 0);
	assert_int_equal(support_run(&ring), 0);
	assert_true(lock_stands(fd));
	sqe = support_sqe(&ring);
	asyncring_prep_writev(sqe, fd, vector, 2, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	assert_int_equal(support_run(&ring), SIZE);
	assert_true(lock_stands(fd));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	asyncring_prep_splice(support_sqe(&ring), fd, 0, ends[1], -1, 100, 0);
	assert_int_equal(support_run(&ring), 100);
	assert_true(lock_stands(fd));
	close(ends[0]);
	close(ends[1]);
	set_lock(fd, F_UNLCK);
	assert_false(lock_stands(fd));
	close(fd);
}

static void hazard_h1_posix_record_locks_survive_a_closing_ring(void **state)
{
	int fd = open_locked();
	struct asyncring other;

	(void)state;
	assert_int_equal(asyncring_queue_init(8, &other, 0), 0);
	for (int i = 0; i < 8; i++) {
		struct asyncring_sqe *sqe = support_sqe(&other);

		asyncring_prep_read(sqe, fd, buffer, SIZE, 0);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
	}
	assert_int_equal(asyncring_submit(&other), 8);
	asyncring_queue_exit(&other);
	assert_true(lock_stands(fd));
	close(fd);
}

static void hazard_h1_posix_record_locks_survive_registered_files(void **state)
{
	int fd = open_locked(), other = open_file(O_RDWR), none = -1;
	int files[3] = {fd, other, fd};

	(void)state;
	assert_int_equal(asyncring_register_files(&ring, files, 3), 0);
	assert_int_equal(asyncring_register_files_update(&ring, 0, &none, 1), 1);
	assert_true(lock_stands(fd));
	assert_int_equal(asyncring_register_files_update(&ring, 1, &fd, 1), 1);
	assert_true(lock_stands(fd));
	asyncring_prep_close_direct(support_sqe(&ring), 2);
	assert_int_equal(support_run(&ring), 0);
	assert_true(lock_stands(fd));
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	assert_true(lock_stands(fd));
	close(other); /* this, too, is a close of the file: the application's own */
	assert_false(lock_stands(fd));
	close(fd);
}

static void hazard_h1_posix_record_locks_survive_direct_open(void **state)
{
	int fd = open_locked();

	(void)state;
	assert_int_equal(asyncring_register_files_sparse(&ring, 2), 0);
	asyncring_prep_openat_direct(support_sqe(&ring), AT_FDCWD, path, O_RDWR, 0, 0);
	assert_int_equal(support_run(&ring), 0);
	assert_true(lock_stands(fd));
	/* No such slot: what was opened is closed again. */
	asyncring_prep_openat_direct(support_sqe(&ring), AT_FDCWD, path, O_RDWR, 0, 77);
	assert_int_equal(support_run(&ring), -EINVAL);
	assert_true(lock_stands(fd));
	asyncring_prep_close_direct(support_sqe(&ring), 0);
	assert_int_equal(support_run(&ring), 0);
	assert_true(lock_stands(fd));
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	assert_true(lock_stands(fd));
	set_lock(fd, F_UNLCK);
	close(fd);
}

/*
 * The kernel tells of one lock only, here of the first that was taken: the other open file's, at
 * both sides of the record lock.
 */
static void hazard_h1_posix_record_locks_survive_beside_other_locks(void **state)
{
	static const off_t starts[] = {0, 40};
	int fd, other = open_file(O_RDWR);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		set_ofd_lock(other, F_WRLCK, starts[i], 5);
		fd = open_locked();
		assert_true(lock_stands(fd));
		assert_int_equal(async_read(fd, 0), SIZE);
		assert_true(lock_stands(fd));
		close(fd);
		set_ofd_lock(other, F_UNLCK, 0, 0);
	}
	/* More of them than anybody wants to ask about. */
	for (off_t start = 100; start < 300; start += 2)
		set_ofd_lock(other, F_WRLCK, start, 1);
	fd = open_locked();
	assert_int_equal(async_read(fd, 0), SIZE);
	assert_true(lock_stands(fd));
	close(fd);
	close(other);
}

static void hazard_h1_posix_read_lock_survives_beneath_another(void **state)
{
	int fd = open_file(O_RDWR), other = open_file(O_RDWR);

	(void)state;
	set_ofd_lock(other, F_RDLCK, 0, 0);
	set_lock(fd, F_RDLCK);
	assert_int_equal(async_read(fd, 0), SIZE);
	set_ofd_lock(other, F_UNLCK, 0, 0);
	assert_true(lock_stands(fd));
	close(other);
	close(fd);
}

static void hazard_h1_locks_that_do_not_mind_park_nothing(void **state)
{
	int fd, other;
	unsigned before;

	(void)state;
	sweep();
	before = support_descriptors();
	fd = open_file(O_RDWR);
	other = open_file(O_RDWR);
	for (off_t start = 0; start < 8; start += 2)
		set_ofd_lock(other, F_WRLCK, start, 1);
	set_ofd_lock(fd, F_RDLCK, 100, 50);
	assert_int_equal(async_read(fd, 0), SIZE);
	assert_int_equal(support_descriptors(), before + 2);
	close(other);
	close(fd);
}

/* The file changes behind the number at the moment it is duplicated: a pipe becomes a database. */
static _Atomic int replaced = -1; /* -1: none */
static int replacement;
static _Atomic bool no_watch; /* the epoll set takes nothing */

static bool replace(long number, const long arguments[6], long *result)
{
	int fd = atomic_load(&replaced);

	if (number == SYS_epoll_ctl && atomic_load(&no_watch)) {
		*result = -ENOMEM;
		return true;
	}
	if (number == SYS_fcntl && arguments[1] == F_DUPFD_CLOEXEC && arguments[0] == fd)
		dup3(replacement, fd, O_CLOEXEC);
	return false;
}

static void hazard_h1_what_is_pinned_is_what_is_looked_at(void **state)
{
	int ends[2];

	(void)state;
	sweep();
	replacement = open_locked();
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	replaced = ends[0];
	assert_int_equal(async_read(ends[0], 0), SIZE);
	replaced = -1;
	assert_true(support_content(buffer, SIZE, 0));
	assert_true(lock_stands(replacement));
	set_lock(replacement, F_UNLCK);
	close(ends[0]);
	close(ends[1]);
	close(replacement);
}

/* A socket that an attempt has been made on becomes a database. */
static void lose_socket(void)
{
	int ends[2];

	sweep();
	replacement = open_locked();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	replaced = ends[0];
	asyncring_prep_recv(support_sqe(&ring), ends[0], buffer, SIZE, 0);
	assert_int_equal(support_run(&ring), -ENOTSOCK);
	replaced = -1;
	assert_true(lock_stands(replacement));
	set_lock(replacement, F_UNLCK);
	close(ends[0]);
	close(ends[1]);
	close(replacement);
}

static void hazard_h1_what_was_a_socket_is_looked_at(void **state)
{
	(void)state;
	lose_socket();
}

static void hazard_h1_what_was_a_socket_is_looked_at_without_a_watch(void **state)
{
	(void)state;
	atomic_store(&no_watch, true);
	lose_socket();
	atomic_store(&no_watch, false);
}

static void hazard_h1_posix_record_locks_survive_failing_allocation(void **state)
{
	enum { MANY = 100 };
	/* Unlike any other, so that no parked pin will do. */
	int fd = open_file(O_RDWR | O_APPEND), files[MANY];

	(void)state;
	/* None is left that can be used again. */
	for (int i = 0; i < MANY; i++)
		files[i] = dup(0);
	assert_int_equal(asyncring_register_files(&ring, files, MANY), 0);
	set_lock(fd, F_WRLCK);
	/* A block of requests is there already, a pin is not. */
	asyncring_prep_nop(support_sqe(&ring));
	assert_int_equal(support_run(&ring), 0);
	atomic_store(&failing_allocations, 1024);
	queue_async_read(fd, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_int_equal(support_result(&ring, NULL), -ENOMEM);
	atomic_store(&failing_allocations, 0);
	assert_true(lock_stands(fd));
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	for (int i = 0; i < MANY; i++)
		close(files[i]);
	set_lock(fd, F_UNLCK);
	close(fd);
}

static bool has_descriptors(void *argument)
{
	return support_descriptors() == *(unsigned *)argument;
}

/* What keeps them is gone without any request that would tell: a ring's end and idleness do. */
static void hazard_h1_parked_pins_do_not_stay(void **state)
{
	struct asyncring other;
	unsigned before;
	int fd;

	(void)state;
	sweep();
	before = support_descriptors();
	fd = open_locked();
	assert_int_equal(asyncring_queue_init(8, &other, 0), 0);
	assert_int_equal(async_read(fd, 0), SIZE);
	close(fd);
	assert_int_equal(support_descriptors(), before + 3);
	asyncring_queue_exit(&other);
	assert_int_equal(support_descriptors(), before);

	fd = open_locked();
	assert_int_equal(async_read(fd, 0), SIZE);
	close(fd);
	assert_int_equal(support_descriptors(), before + 1);
	assert_true(support_eventually(has_descriptors, &before));
}

static void hazard_h1_parked_pins_are_few(void **state)
{
	int fd, read_only;
	unsigned before;

	(void)state;
	sweep();
	before = support_descriptors();
	fd = open_locked();
	read_only = open_file(O_RDONLY);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(async_read(i % 3 ? fd : read_only, i % 5 ? 0 : SIZE),
				 i % 5 ? SIZE : 0);
		assert_in_range(support_descriptors(), before + 2, before + 4);
	}
	assert_true(lock_stands(fd));
	set_lock(fd, F_UNLCK);
	sweep();
	assert_int_equal(support_descriptors(), before + 2);
	close(fd);
	close(read_only);
}

static void hazard_h1_parked_pins_serve_positions(void **state)
{
	int fd, other;
	unsigned before;

	(void)state;
	sweep();
	before = support_descriptors();
	fd = open_locked();
	other = open_file(O_RDWR);
	assert_int_equal(async_read(fd, 0), SIZE);
	for (int i = 0; i < 100; i++) {
		/* Each has a position of its own, which a duplicate of the other would not give. */
		assert_int_equal(lseek(fd, 100, SEEK_SET), 100);
		assert_int_equal(lseek(other, 200, SEEK_SET), 200);
		assert_int_equal(async_read(other, -1), SIZE - 200);
		assert_true(support_content(buffer, SIZE - 200, 200));
		assert_int_equal(async_read(fd, -1), SIZE - 100);
		assert_true(support_content(buffer, SIZE - 100, 100));
		assert_int_equal(lseek(fd, 0, SEEK_CUR), SIZE);
		assert_in_range(support_descriptors(), before + 2, before + 4);
	}
	assert_true(lock_stands(fd));
	set_lock(fd, F_UNLCK);
	sweep();
	assert_int_equal(support_descriptors(), before + 2);
	close(other);
	close(fd);
}

static void hazard_h1_parked_pins_do_not_stop_registration(void **state)
{
	int fd = open_locked(), other = open_file(O_RDWR);

	(void)state;
	assert_int_equal(async_read(fd, 0), SIZE);
	assert_int_equal(asyncring_register_files(&ring, &other, 1), 0);
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	assert_true(lock_stands(fd));
	set_lock(fd, F_UNLCK);
	close(other);
	close(fd);
}

static void hazard_h1_lock_of_another_process_costs_little(void **state)
{
	int fd, ready[2], leave[2], status;
	unsigned before;
	pid_t child;
	char byte;

	(void)state;
	sweep();
	before = support_descriptors();
	fd = open_file(O_RDWR);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(leave, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

		close(leave[1]);
		if (fcntl(fd, F_SETLK, &lock) || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(leave[0], &byte, 1) != 0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	for (int i = 0; i < 100; i++)
		assert_int_equal(async_read(fd, 0), SIZE);
	assert_in_range(support_descriptors(), before + 5, before + 6);
	close(leave[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	sweep();
	assert_int_equal(support_descriptors(), before + 4);
	close(leave[0]);
	close(ready[0]);
	close(ready[1]);
	close(fd);
}

static int setup(void **state)
{
	unsigned char content[SIZE];
	int fd = mkostemp(path, O_CLOEXEC);

	(void)state;
	support_bound(120);
	/* What is inline needs no pin. */
	atomic_store(&asyncring__waiters_only_wait, true);
	asyncring__alloc_hook = allow;
	asyncring__sys_hook = replace;
	for (size_t i = 0; i < SIZE; i++)
		content[i] = support_byte(i);
	if (fd < 0 || write(fd, content, SIZE) != SIZE)
		return -1;
	close(fd);
	return asyncring_queue_init(8, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	unlink(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hazard_h1_posix_record_locks_survive_workers),
		cmocka_unit_test(hazard_h1_posix_record_locks_survive_a_closing_ring),
		cmocka_unit_test(hazard_h1_posix_record_locks_survive_registered_files),
		cmocka_unit_test(hazard_h1_posix_record_locks_survive_direct_open),
		cmocka_unit_test(hazard_h1_posix_record_locks_survive_beside_other_locks),
		cmocka_unit_test(hazard_h1_posix_read_lock_survives_beneath_another),
		cmocka_unit_test(hazard_h1_locks_that_do_not_mind_park_nothing),
		cmocka_unit_test(hazard_h1_what_is_pinned_is_what_is_looked_at),
		cmocka_unit_test(hazard_h1_what_was_a_socket_is_looked_at),
		cmocka_unit_test(hazard_h1_what_was_a_socket_is_looked_at_without_a_watch),
		cmocka_unit_test(hazard_h1_posix_record_locks_survive_failing_allocation),
		cmocka_unit_test(hazard_h1_parked_pins_do_not_stay),
		cmocka_unit_test(hazard_h1_parked_pins_are_few),
		cmocka_unit_test(hazard_h1_parked_pins_serve_positions),
		cmocka_unit_test(hazard_h1_parked_pins_do_not_stop_registration),
		cmocka_unit_test(hazard_h1_lock_of_another_process_costs_little),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
