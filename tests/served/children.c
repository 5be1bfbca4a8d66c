/* SPDX-License-Identifier: MIT */
/*
 * Description: what a program starts can use io_uring as well, whatever environment it is given;
 * and a forked child has rings of its own. (The program executes itself; with an argument it only
 * makes a ring and ends with 0 if that works.)
 */
#include "raw.h"

#include <spawn.h>

static char self[] = "/proc/self/exe", ask[] = "ask";
static char *const arguments[] = {self, ask, NULL};
static char *const nothing[] = {NULL};
static char only_path[] = "PATH=/bin";
static char *const little[] = {only_path, NULL};
static char foreign[] = "LD_PRELOAD=";
static char *const none_preloaded[] = {foreign, NULL};

static int ask_for_a_ring(void)
{
	struct raw_ring ring;

	raw_open(&ring, 0);
	raw_check(&ring);
	return 0;
}

static int exit_status(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* Run @statement in a child, from which it must not come back. */
#define EXPECT_SERVED(statement)                                                                   \
	do {                                                                                       \
		pid_t child_ = fork();                                                             \
		if (!child_) {                                                                     \
			statement;                                                                 \
			_exit(111);                                                                \
		}                                                                                  \
		assert_int_equal(exit_status(child_), 0);                                          \
	} while (0)

static void executed(void **state)
{
	(void)state;
	EXPECT_SERVED(execve(self, arguments, environ));
	EXPECT_SERVED(execv(self, arguments));
	EXPECT_SERVED(execvp(self, arguments));
	EXPECT_SERVED(execl(self, self, ask, NULL));
	EXPECT_SERVED(execlp(self, self, ask, NULL));
	EXPECT_SERVED(fexecve(open(self, O_RDONLY | O_CLOEXEC), arguments, environ));
}

static void with_an_environment_of_its_own(void **state)
{
	char *const *const environments[] = {nothing, little, none_preloaded};

	(void)state;
	for (size_t i = 0; i < sizeof(environments) / sizeof(environments[0]); i++) {
		EXPECT_SERVED(execve(self, arguments, environments[i]));
		EXPECT_SERVED(execvpe(self, arguments, environments[i]));
		EXPECT_SERVED(execveat(AT_FDCWD, self, arguments, environments[i], 0));
		EXPECT_SERVED(syscall(SYS_execve, self, arguments, environments[i]));
		EXPECT_SERVED(syscall(SYS_execveat, AT_FDCWD, self, arguments, environments[i], 0));
		EXPECT_SERVED(execle(self, self, ask, NULL, environments[i]));
	}
	EXPECT_SERVED(clearenv(); execv(self, arguments));
	EXPECT_SERVED(unsetenv("LD_PRELOAD"); execl(self, self, ask, NULL));
}

static void spawned(void **state)
{
	posix_spawnattr_t attributes;
	sigset_t all;
	pid_t child;

	(void)state;
	assert_int_equal(posix_spawn(&child, self, NULL, NULL, arguments, nothing), 0);
	assert_int_equal(exit_status(child), 0);
	assert_int_equal(posix_spawnp(&child, self, NULL, NULL, arguments, environ), 0);
	assert_int_equal(exit_status(child), 0);
	/* With every signal blocked. */
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &all);
	assert_int_equal(posix_spawn(&child, self, NULL, &attributes, arguments, environ), 0);
	assert_int_equal(exit_status(child), 0);
	posix_spawnattr_destroy(&attributes);
}

static void by_a_shell(void **state)
{
	(void)state;
	assert_int_equal(system("exec \"$SERVED_SELF\" ask"), 0);
	assert_int_equal(system("env -i \"$SERVED_SELF\" ask"), 0);
}

static void own_rings(void)
{
	struct raw_ring ring;

	raw_open(&ring, 0);
	raw_check(&ring);
	raw_close_ring(&ring);
}

static void forked(void **state)
{
	struct raw_ring ring;
	int fds[2];
	char byte;

	(void)state;
	raw_open(&ring, 0);
	assert_int_equal(pipe(fds), 0);
	raw_start_read(&ring, fds[0], &byte, 1);
	assert_int_equal(raw_in_child(own_rings), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(raw_enter(ring.fd, 0, 1, ASYNCRING_ENTER_GETEVENTS), 0);
	assert_int_equal(byte, 'x');
	raw_close_ring(&ring);
	close(fds[0]);
	close(fds[1]);
}

/* It may be refused a ring, but is not to hang, nor to disturb its parent's. */
static void cloned_without_libc(void **state)
{
	struct asyncring_cqe cqe;
	struct raw_ring ring;
	long child;

	(void)state;
	raw_open(&ring, 0);
	raw_sqe(&ring, ASYNCRING_OP_NOP, -1, 1)->flags = ASYNCRING_SQE_ASYNC;
	assert_int_equal(raw_enter(ring.fd, 1, 1, ASYNCRING_ENTER_GETEVENTS), 1);
	assert_true(raw_cqe(&ring, &cqe));
	child = raw_call(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
	if (!child) {
		struct asyncring_params params = {0};
		int fd = raw_setup(8, &params);

		raw_readable(ring.fd, 0);
		raw_enter(ring.fd, 0, 0, ASYNCRING_ENTER_GETEVENTS);
		if (fd >= 0 && raw_close(fd))
			_exit(1);
		_exit(close(ring.fd) ? 2 : 0);
	}
	assert_int_equal(exit_status((pid_t)child), 0);
	raw_sqe(&ring, ASYNCRING_OP_NOP, -1, 2);
	assert_int_equal(raw_enter(ring.fd, 1, 0, 0), 1);
	assert_true(raw_readable(ring.fd, 0));
	assert_true(raw_cqe(&ring, &cqe));
	raw_check(&ring);
	raw_close_ring(&ring);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(executed), cmocka_unit_test(with_an_environment_of_its_own),
		cmocka_unit_test(spawned),  cmocka_unit_test(by_a_shell),
		cmocka_unit_test(forked),   cmocka_unit_test(cloned_without_libc),
	};

	raw_begin();
	if (argc > 1 && !strcmp(argv[1], ask))
		return ask_for_a_ring();
	setenv("SERVED_SELF", realpath(self, NULL), 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
