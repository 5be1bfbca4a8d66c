/* SPDX-License-Identifier: MIT */
/*
 * Description: programs that block every signal, wait with signal masks, or have plans of their own
 * for SIGSYS.
 */
#include "raw.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/time.h>

static struct raw_ring ring;

static int set_up(void **state)
{
	(void)state;
	raw_open(&ring, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	raw_close_ring(&ring);
	return 0;
}

/* ---- masks --------------------------------------------------------------------------------- */

static sigset_t all_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	return all;
}

static void *blocked_all(void *argument)
{
	const sigset_t all = all_signals();

	(void)argument;
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	raw_check(&ring);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	raw_check(&ring);
	return NULL;
}

static void threads_that_block_everything(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, blocked_all, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* As QEMU starts its threads: with everything blocked, and given back afterwards. */
static void *check_only(void *argument)
{
	(void)argument;
	raw_check(&ring);
	return NULL;
}

static void threads_that_inherit_a_mask(void **state)
{
	const sigset_t all = all_signals();
	sigset_t before;
	pthread_t thread;

	(void)state;
	assert_int_equal(sigprocmask(SIG_SETMASK, &all, &before), 0);
	assert_int_equal(pthread_create(&thread, NULL, check_only, NULL), 0);
	raw_check(&ring);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &before), 0);
	assert_false(sigismember(&before, SIGUSR1));
}

static void the_system_call_by_its_number(void **state)
{
	const sigset_t all = all_signals();
	sigset_t before;

	(void)state;
	assert_int_equal(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, _NSIG / 8), 0);
	raw_check(&ring);
	assert_int_equal(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, _NSIG / 8), 0);
}

static volatile sig_atomic_t handled;

static void submit_in_handler(int signal)
{
	(void)signal;
	raw_check(&ring);
	handled++;
}

static void handlers_that_block_everything(void **state)
{
	struct sigaction action = {.sa_handler = submit_in_handler, .sa_mask = all_signals()};

	(void)state;
	handled = 0;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(handled, 1);
}

/* The signal comes while the mask of the wait is in force, and its handler submits. */
static void waits_that_block_everything_else(void **state)
{
	struct sigaction action = {.sa_handler = submit_in_handler};
	const struct timespec ages = {.tv_sec = RAW_SECONDS};
	sigset_t usr1, before, mask = all_signals();
	struct epoll_event event;
	int set = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	sigdelset(&mask, SIGUSR1);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, &before);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);

	handled = 0;
	raise(SIGUSR1);
	assert_int_equal(ppoll(NULL, 0, &ages, &mask), -1);
	assert_int_equal(errno, EINTR);
	raise(SIGUSR1);
	assert_int_equal(pselect(0, NULL, NULL, NULL, &ages, &mask), -1);
	raise(SIGUSR1);
	assert_int_equal(epoll_pwait(set, &event, 1, -1, &mask), -1);
	raise(SIGUSR1);
	assert_int_equal(sigsuspend(&mask), -1);
	raise(SIGUSR1);
	assert_int_equal(raw_call(SYS_io_uring_enter, ring.fd, 0, 1, ASYNCRING_ENTER_GETEVENTS,
				  (long)&mask, _NSIG / 8),
			 -EINTR);
	assert_int_equal(handled, 5);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(set);
}

/* poll(2) may be called in handlers, wherever they have interrupted the program. */
static void poll_in_handler(int signal)
{
	int saved_errno = errno;

	(void)signal;
	raw_readable(ring.fd, 0);
	handled++;
	errno = saved_errno;
}

static void handlers_that_poll(void **state)
{
	struct sigaction action = {.sa_handler = poll_in_handler, .sa_flags = SA_RESTART};
	const struct itimerval never = {0};
	const struct itimerval often = {.it_interval.tv_usec = 50, .it_value.tv_usec = 50};

	(void)state;
	handled = 0;
	assert_int_equal(sigaction(SIGPROF, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_PROF, &often, NULL), 0);
	/* Where the clock's tick is long the signals are few. */
	for (int i = 0; i < 1000000 && handled < 50; i++)
		raw_check(&ring);
	assert_int_equal(setitimer(ITIMER_PROF, &never, NULL), 0);
}

/* ---- SIGSYS -------------------------------------------------------------------------------- */

static volatile sig_atomic_t calls_caught;

static void count_sigsys(int signal, siginfo_t *info, void *context)
{
	(void)context;
	assert_int_equal(signal, SIGSYS);
	if (info->si_code == 1 /* SYS_SECCOMP */)
		assert_int_equal(info->si_syscall, SYS_getpgid);
	calls_caught++;
}

static void a_handler_of_the_programs(void **state)
{
	struct sigaction action = {.sa_sigaction = count_sigsys, .sa_flags = SA_SIGINFO}, old;

	(void)state;
	assert_int_equal(sigaction(SIGSYS, &action, NULL), 0);
	assert_int_equal(sigaction(SIGSYS, NULL, &old), 0);
	assert_ptr_equal(old.sa_sigaction, count_sigsys);
	calls_caught = 0;
	raw_check(&ring);
	assert_int_equal(calls_caught, 0);
	raise(SIGSYS);
	assert_int_equal(calls_caught, 1);
	raw_check(&ring);
}

static void catch_getpgid(void)
{
	struct sock_filter text[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = 4, .filter = text};

	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), 0);
}

/* A sandbox that catches calls itself, in a child because its filter stays. */
static void sandboxed(void)
{
	struct sigaction action = {.sa_sigaction = count_sigsys, .sa_flags = SA_SIGINFO};
	struct raw_ring own;

	sigaction(SIGSYS, &action, NULL);
	catch_getpgid();
	calls_caught = 0;
	syscall(SYS_getpgid, 0);
	if (calls_caught != 1)
		_exit(1);
	raw_open(&own, 0);
	raw_check(&own);
	if (calls_caught != 1)
		_exit(2);
}

/* A mapping of this many bytes is not allowed. */
enum { FORBIDDEN = 0x123000 };

static void count_mmap(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_syscall == SYS_mmap)
		calls_caught++;
}

static void catch_mmap(void)
{
	struct sock_filter text[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FORBIDDEN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = 6, .filter = text};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
		_exit(1);
}

/* Its own calls, through libc or not, and with a descriptor or not. */
static void sandboxed_mmap(void)
{
	struct sigaction action = {.sa_sigaction = count_mmap, .sa_flags = SA_SIGINFO};
	struct raw_ring own;
	int file = fcntl(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), F_DUPFD_CLOEXEC, 900);

	sigaction(SIGSYS, &action, NULL);
	catch_mmap();
	calls_caught = 0;
	mmap(NULL, FORBIDDEN, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	raw_call(SYS_mmap, 0, FORBIDDEN, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(NULL, FORBIDDEN, PROT_READ, MAP_PRIVATE, file, 0);
	raw_call(SYS_mmap, 0, FORBIDDEN, PROT_READ, MAP_PRIVATE, file, 0);
	if (calls_caught != 4)
		_exit(2);
	raw_open(&own, 0);
	raw_check(&own);
}

static void a_filter_of_the_programs(void **state)
{
	(void)state;
	assert_int_equal(raw_in_child(sandboxed), 0);
	assert_int_equal(raw_in_child(sandboxed_mmap), 0);
}

static void reset_everything(void)
{
	struct raw_ring own;

	for (int number = 1; number < 32; number++)
		if (number != SIGALRM)
			signal(number, SIG_DFL);
	raw_open(&own, 0);
	raw_check(&own);
	signal(SIGSYS, SIG_IGN);
	raw_check(&own);
}

static void dispositions_that_are_reset(void **state)
{
	(void)state;
	assert_int_equal(raw_in_child(reset_everything), 0);
}

static void kill_itself(void)
{
	signal(SIGSYS, SIG_DFL);
	raise(SIGSYS);
}

static void ignore_it(void)
{
	signal(SIGSYS, SIG_IGN);
	raise(SIGSYS);
}

static void the_default_is_still_there(void **state)
{
	int status;

	(void)state;
	status = raw_in_child(kill_itself);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	assert_int_equal(raw_in_child(ignore_it), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_that_block_everything),
		cmocka_unit_test(threads_that_inherit_a_mask),
		cmocka_unit_test(the_system_call_by_its_number),
		cmocka_unit_test(handlers_that_block_everything),
		cmocka_unit_test(waits_that_block_everything_else),
		cmocka_unit_test(handlers_that_poll),
		cmocka_unit_test(a_handler_of_the_programs),
		cmocka_unit_test(a_filter_of_the_programs),
		cmocka_unit_test(dispositions_that_are_reset),
		cmocka_unit_test(the_default_is_still_there),
	};

	raw_begin();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
