/* SPDX-License-Identifier: MIT */
/*
 * Description: rule 9. In a forked child calls on an inherited ring fail at once and never touch
 * the parent's requests, whatever the parent is doing at the time; the child makes rings of its
 * own. Exec leaks no descriptor. The parent goes on unharmed.
 *
 * What a child finds out it says with its exit status: 0, or the line that was not as expected.
 */
#include <poll.h>
#include <stdio.h>
#include "../settle.h"
#include "support.h"

#include <spawn.h>

enum { SIZE = 4096, THREADS = 4 };

extern char **environ;

static struct asyncring ring;
static unsigned char buffer[SIZE];
static int file;

#define CHILD_ASSERT(condition)                                                                    \
	do {                                                                                       \
		if (!(condition))                                                                  \
			child_failed(__LINE__);                                                    \
	} while (0)

static void child_failed(int line)
{
	/* Two digits more than an exit status has room for. */
	dprintf(2, "child: line %d\n", line);
	_exit(1);
}

static void expect_child(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void refused_in_child(struct asyncring *inherited)
{
	struct asyncring_cqe *cqe;
	struct asyncring_sqe *sqe = asyncring_get_sqe(inherited);
	unsigned fd = (unsigned)inherited->ring_fd;
	int files[1] = {0};

	CHILD_ASSERT(asyncring_enter(fd, 1, 0, 0, NULL) == -EEXIST);
	CHILD_ASSERT(asyncring_enter(fd, 0, 1, ASYNCRING_ENTER_GETEVENTS, NULL) == -EEXIST);
	CHILD_ASSERT(asyncring_register_files(inherited, files, 1) == -EEXIST);
	CHILD_ASSERT(asyncring_wait_cqe(inherited, &cqe) < 0 || cqe);
	if (sqe) {
		asyncring_prep_nop(sqe);
		CHILD_ASSERT(asyncring_submit(inherited) == -EEXIST);
	}
}

static void use_own_ring(void)
{
	struct asyncring own;
	struct asyncring_cqe *cqe;
	unsigned char bytes[SIZE];

	CHILD_ASSERT(!asyncring_queue_init(8, &own, 0));
	for (int i = 0; i < 3; i++) {
		struct asyncring_sqe *sqe = asyncring_get_sqe(&own);

		asyncring_prep_read(sqe, file, bytes, SIZE, 0);
		sqe->flags |= i ? ASYNCRING_SQE_ASYNC : 0;
		CHILD_ASSERT(asyncring_submit(&own) == 1);
		CHILD_ASSERT(!asyncring_wait_cqe(&own, &cqe));
		CHILD_ASSERT(cqe->res == SIZE);
		CHILD_ASSERT(support_content(bytes, SIZE, 0));
		asyncring_cqe_seen(&own, cqe);
	}
	asyncring_queue_exit(&own);
}

static void parent_is_unharmed(void)
{
	for (int i = 0; i < 2; i++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);

		asyncring_prep_read(sqe, file, buffer, SIZE, 0);
		sqe->flags |= i ? ASYNCRING_SQE_ASYNC : 0;
		assert_int_equal(support_run(&ring), SIZE);
	}
}

static void rule_9_fork_of_an_idle_ring(void **state)
{
	pid_t child;

	(void)state;
	assert_true(settle_threads());
	child = fork();
	if (!child) {
		refused_in_child(&ring);
		use_own_ring();
		asyncring_queue_exit(&ring);
		_exit(0);
	}
	expect_child(child);
	parent_is_unharmed();
}

/* Several in flight: waiting for a pipe, drained behind it, linked to it. */
static void rule_9_fork_with_work_in_flight(void **state)
{
	struct asyncring_sqe *sqe;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	for (int closes = 0; closes < 2; closes++) {
		pid_t child;

		sqe = support_sqe(&ring);
		asyncring_prep_read(sqe, ends[0], buffer, 1, 0);
		sqe->flags |= ASYNCRING_SQE_IO_LINK;
		asyncring_prep_nop(support_sqe(&ring));
		sqe = support_sqe(&ring);
		asyncring_prep_nop(sqe);
		sqe->flags |= ASYNCRING_SQE_IO_DRAIN;
		assert_int_equal(asyncring_submit(&ring), 3);
		assert_true(settle_threads());
		child = fork();
		if (!child) {
			refused_in_child(&ring);
			use_own_ring();
			if (closes)
				asyncring_queue_exit(&ring);
			_exit(0);
		}
		expect_child(child);
		assert_int_equal(asyncring_cq_ready(&ring), 0);
		assert_int_equal(write(ends[1], "x", 1), 1);
		for (int i = 0; i < 3; i++)
			assert_true(support_result(&ring, NULL) >= 0);
	}
	parent_is_unharmed();
	close(ends[0]);
	close(ends[1]);
}

/* The child's copies of the pins are closed: the pipe ends when the parent's ends. */
static void rule_9_child_holds_no_pins(void **state)
{
	int ends[2], go[2], ready[2];
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	asyncring_prep_read(support_sqe(&ring), ends[0], buffer, 1, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(settle_threads());
	child = fork();
	if (!child) {
		close(ends[0]);
		close(ends[1]);
		close(go[1]);
		CHILD_ASSERT(write(ready[1], "r", 1) == 1);
		CHILD_ASSERT(read(go[0], &byte, 1) == 0);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ends[0]);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(support_result(&ring, NULL), 1);
	/* No reader is left, although the child lives. */
	assert_int_equal(write(ends[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(go[1]);
	expect_child(child);
	close(ends[1]);
	close(go[0]);
	close(ready[0]);
	close(ready[1]);
}

/* ---- forking while others submit ---- */

static _Atomic bool stop;
static _Atomic unsigned failures;

static void *submit_all_the_time(void *argument)
{
	struct asyncring own;
	unsigned char bytes[SIZE];

	(void)argument;
	for (unsigned i = 0; !atomic_load(&stop); i++) {
		struct asyncring_cqe *cqe;

		if (asyncring_queue_init(4, &own, 0)) {
			atomic_fetch_add(&failures, 1);
			return NULL;
		}
		for (unsigned k = 0; k < 20; k++) {
			struct asyncring_sqe *sqe = asyncring_get_sqe(&own);

			asyncring_prep_read(sqe, file, bytes, SIZE, 0);
			sqe->flags |= (i + k) % 2 ? ASYNCRING_SQE_ASYNC : 0;
			if (asyncring_submit_and_wait(&own, 1) != 1 ||
			    asyncring_wait_cqe(&own, &cqe) || cqe->res != SIZE)
				atomic_fetch_add(&failures, 1);
			asyncring_cqe_seen(&own, cqe);
		}
		asyncring_queue_exit(&own);
	}
	return NULL;
}

static void rule_9_fork_while_other_threads_submit(void **state)
{
	unsigned rounds = 60 / support_slowness() + 4;
	pthread_t threads[THREADS];

	(void)state;
	/* The sanitizers' own locks do not survive a fork with threads. */
	if (THREAD_SANITIZER || ADDRESS_SANITIZER)
		skip();
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, submit_all_the_time, NULL), 0);
	for (unsigned i = 0; i < rounds; i++) {
		pid_t child = fork();

		if (!child) {
			refused_in_child(&ring);
			use_own_ring();
			_exit(0);
		}
		expect_child(child);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&failures), 0);
	parent_is_unharmed();
}

static void rule_9_grandchild_has_rings_too(void **state)
{
	pid_t child;

	(void)state;
	assert_true(settle_threads());
	child = fork();
	if (!child) {
		struct asyncring own;
		pid_t grandchild;
		int status;

		CHILD_ASSERT(!asyncring_queue_init(4, &own, 0));
		use_own_ring();
		CHILD_ASSERT(settle_threads());
		grandchild = fork();
		if (!grandchild) {
			refused_in_child(&ring);
			refused_in_child(&own);
			use_own_ring();
			_exit(0);
		}
		CHILD_ASSERT(waitpid(grandchild, &status, 0) == grandchild && !status);
		asyncring_queue_exit(&own);
		_exit(0);
	}
	expect_child(child);
}

/* ---- exec ---- */

/* This program, started by the test below: as many as are open of those that should not be. */
static int count_open(char **numbers)
{
	int count = 0;

	for (; *numbers; numbers++)
		count += fcntl(atoi(*numbers), F_GETFD) >= 0;
	return count;
}

static void rule_9_exec_leaks_no_descriptor(void **state)
{
	enum { MOST = 32 };
	char numbers[MOST][12], *arguments[MOST + 3] = {"fork", "count"};
	int ends[2], count = 0;
	bool open_before[1024];
	pid_t child;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	asyncring_queue_exit(&ring);
	for (int fd = 0; fd < 1024; fd++)
		open_before[fd] = fcntl(fd, F_GETFD) >= 0;
	assert_int_equal(asyncring_queue_init(8, &ring, 0), 0);
	assert_int_equal(asyncring_register_files(&ring, ends, 2), 0);
	asyncring_prep_read(support_sqe(&ring), ends[0], buffer, 1, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	for (int fd = 0; fd < 1024 && count < MOST; fd++) {
		if (open_before[fd] || fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(numbers[count], sizeof(numbers[count]), "%d", fd);
		arguments[2 + count] = numbers[count];
		count++;
	}
	/* The ring, what is inside it, the poller and its eventfd, two registered files, a pin. */
	assert_in_range(count, 5, 10);
	assert_int_equal(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
	expect_child(child);
	child = vfork();
	if (!child) {
		execv("/proc/self/exe", arguments);
		_exit(99);
	}
	expect_child(child);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(support_result(&ring, NULL), 1);
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	close(ends[0]);
	close(ends[1]);
}

/* Each descriptor that the library has opened for itself is close-on-exec. */
static void rule_9_all_descriptors_are_close_on_exec(void **state)
{
	bool open_before[1024];
	struct asyncring other;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	for (int fd = 0; fd < 1024; fd++)
		open_before[fd] = fcntl(fd, F_GETFD) >= 0;
	assert_int_equal(asyncring_queue_init(4, &other, ASYNCRING_SETUP_SQPOLL), 0);
	assert_int_equal(asyncring_register_files(&other, ends, 2), 0);
	asyncring_prep_read(support_sqe(&ring), ends[0], buffer, 1, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (!open_before[fd] && flags >= 0)
			assert_int_equal(flags & FD_CLOEXEC, FD_CLOEXEC);
	}
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(support_result(&ring, NULL), 1);
	asyncring_queue_exit(&other);
	close(ends[0]);
	close(ends[1]);
}

static int setup(void **state)
{
	(void)state;
	support_bound(120);
	signal(SIGPIPE, SIG_IGN);
	file = support_file("/tmp", SIZE);
	return asyncring_queue_init(8, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_9_fork_of_an_idle_ring),
		cmocka_unit_test(rule_9_fork_with_work_in_flight),
		cmocka_unit_test(rule_9_child_holds_no_pins),
		cmocka_unit_test(rule_9_fork_while_other_threads_submit),
		cmocka_unit_test(rule_9_grandchild_has_rings_too),
		cmocka_unit_test(rule_9_exec_leaks_no_descriptor),
		cmocka_unit_test(rule_9_all_descriptors_are_close_on_exec),
	};

	if (argc > 2 && !strcmp(argv[1], "count"))
		return count_open(argv + 2);
	return cmocka_run_group_tests(tests, setup, teardown);
}
