/* SPDX-License-Identifier: MIT */
/*
 * Description: a thread that waits for events stays awake for a moment where that has been worth it
 * (engine/spin.h), and nowhere else; a signal that comes meanwhile ends the wait all the same. The
 * time is the test's, and so is the look or the sleep in which something happens.
 */
#include "support.h"

#include <sys/eventfd.h>

#include "clock.h"
#include "engine/spin.h"

enum { NEVER = -1, SHORT = 10 * 1000, LONG = 1000 * 1000, LOOK = 500, SIZE = 4096 };

static struct {
	pthread_t thread;
	int event;	   /* an eventfd: what the ring waits for */
	int comes_at_look; /* the event does, counted from 1; NEVER: in a sleep only */
	int signal_at_look;
	int64_t sleep_ns; /* how long a sleep takes */
	/* what was seen in this wait */
	int looks, sleeps;
	bool handled_awake;
	sigset_t awake; /* what is blocked while it looks */
} play;

static _Atomic int64_t play_now = 1;
static volatile sig_atomic_t handled;
static struct support_gate gate = {.number = -1};

static int64_t read_play_clock(void)
{
	return play_now;
}

static void happen(void)
{
	uint64_t one = 1;

	assert_int_equal(write(play.event, &one, sizeof(one)), sizeof(one));
}

/* The waiting thread's looks and sleeps, and what happens during them. */
static bool see_wait(long number, const long arguments[6], long *result)
{
	(void)result;
	support_gate_pass(&gate, number);
	if (!pthread_equal(pthread_self(), play.thread))
		return false;
	if (number == SYS_epoll_pwait && arguments[3] == 0) {
		play_now += LOOK;
		play.looks++;
		pthread_sigmask(SIG_SETMASK, NULL, &play.awake);
		if (play.looks == play.signal_at_look)
			raise(SIGUSR1);
		play.handled_awake |= handled;
		if (play.looks == play.comes_at_look)
			happen();
	}
	if (number == SYS_epoll_pwait2) {
		play_now += play.sleep_ns;
		play.sleeps++;
		/* A signal's sleep ends by itself. */
		if (play.comes_at_look < 0 && play.signal_at_look < 0)
			happen();
	}
	return false;
}

static void handle(int signal)
{
	(void)signal;
	handled = 1;
}

/* ---- the ring that waits ---- */

static void arm(struct asyncring *ring)
{
	asyncring_prep_poll_add(support_sqe(ring), play.event, POLLIN);
	assert_true(asyncring_submit(ring) > 0);
}

/* Count from here. The event comes at look @at, or NEVER: in a sleep of @sleep_ns. */
static void expect_event(int at, int64_t sleep_ns)
{
	play.looks = play.sleeps = 0;
	play.comes_at_look = at;
	play.sleep_ns = sleep_ns;
}

/* Wait once. */
static int wait_for_event(struct asyncring *ring, int at, int64_t sleep_ns)
{
	expect_event(at, sleep_ns);
	return asyncring_enter((unsigned)ring->ring_fd, 0, 1, ASYNCRING_ENTER_GETEVENTS, NULL);
}

static void take_event(struct asyncring *ring)
{
	uint64_t count;

	assert_int_equal(support_result(ring, NULL), POLLIN);
	assert_int_equal(read(play.event, &count, sizeof(count)), sizeof(count));
}

static void one_round(struct asyncring *ring, int at, int64_t sleep_ns)
{
	arm(ring);
	assert_int_equal(wait_for_event(ring, at, sleep_ns), 0);
	take_event(ring);
}

/* Only its owner drives such a ring: no other thread looks. */
static void begin(struct asyncring *ring)
{
	unsigned flags = ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN;

	assert_int_equal(asyncring_queue_init(8, ring, flags), 0);
	play.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(play.event >= 0);
	play.thread = pthread_self();
	play.signal_at_look = NEVER;
	play.handled_awake = false;
	handled = 0;
}

static void end(struct asyncring *ring)
{
	asyncring_queue_exit(ring);
	close(play.event);
}

static void sleep_shortly(struct asyncring *ring, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		one_round(ring, NEVER, SHORT);
		assert_int_equal(play.looks, 0);
		assert_int_equal(play.sleeps, 1);
	}
}

/* ---- tests ---- */

static void a_wait_stays_awake_after_short_sleeps(void **state)
{
	struct asyncring ring;

	(void)state;
	begin(&ring);
	sleep_shortly(&ring, SPIN_WANTED_MIN);
	for (int at = 1; at < 6; at++) {
		one_round(&ring, at, SHORT);
		assert_int_equal(play.looks, at);
		assert_int_equal(play.sleeps, 0);
	}
	end(&ring);
}

static void a_wait_that_was_too_long_is_slept_and_costs_the_next_tries(void **state)
{
	struct asyncring ring;

	(void)state;
	begin(&ring);
	for (unsigned wanted = SPIN_WANTED_MIN; wanted <= 8 * SPIN_WANTED_MIN; wanted *= 2) {
		sleep_shortly(&ring, wanted - 1);
		/* One that is long makes it begin anew. */
		one_round(&ring, NEVER, LONG);
		assert_int_equal(play.looks, 0);
		sleep_shortly(&ring, wanted);
		one_round(&ring, NEVER, LONG);
		assert_in_range(play.looks, 2, SPIN_NS / LOOK + 1);
		assert_int_equal(play.sleeps, 1);
	}
	end(&ring);
}

static void long_sleeps_stay_sleeps(void **state)
{
	struct asyncring ring;

	(void)state;
	begin(&ring);
	for (int i = 0; i < 3 * SPIN_WANTED_MIN; i++) {
		arm(&ring);
		assert_int_equal(wait_for_event(&ring, NEVER, SPIN_SHORT_NS + 1), 0);
		assert_int_equal(play.sleeps, 1);
		take_event(&ring);
	}
	end(&ring);
}

/* What a worker carries out comes when it is done, and the worker needs a processor. */
static void nobody_stays_awake_for_a_worker(void **state)
{
	static unsigned char buffer[SIZE];
	int fd = support_file("/dev/shm", SIZE);
	struct asyncring_sqe *sqe;
	struct asyncring ring;
	uint64_t user_data;

	(void)state;
	begin(&ring);
	sleep_shortly(&ring, SPIN_WANTED_MIN);
	support_gate_close(&gate, SYS_preadv2);
	sqe = support_sqe(&ring);
	asyncring_prep_read(sqe, fd, buffer, SIZE, 0);
	asyncring_sqe_set_flags(sqe, ASYNCRING_SQE_ASYNC);
	asyncring_sqe_set_data64(sqe, 7);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_gate_held(&gate, 1));
	sleep_shortly(&ring, 1);
	support_gate_open(&gate);
	assert_int_equal(support_result(&ring, &user_data), SIZE);
	assert_int_equal(user_data, 7);
	close(fd);
	end(&ring);
}

static void a_time_limit_that_is_near_is_slept(void **state)
{
	struct __kernel_timespec near = {.tv_nsec = SPIN_SHORT_NS}, far = {.tv_nsec = LONG};
	struct asyncring_cqe *cqe;
	struct asyncring ring;

	(void)state;
	begin(&ring);
	sleep_shortly(&ring, SPIN_WANTED_MIN);
	arm(&ring);
	expect_event(NEVER, SHORT);
	assert_int_equal(asyncring_wait_cqe_timeout(&ring, &cqe, &near), 0);
	assert_int_equal(play.looks, 0);
	assert_int_equal(play.sleeps, 1);
	take_event(&ring);
	arm(&ring);
	expect_event(3, SHORT);
	assert_int_equal(asyncring_wait_cqe_timeout(&ring, &cqe, &far), 0);
	assert_int_equal(play.looks, 3);
	assert_int_equal(play.sleeps, 0);
	take_event(&ring);
	end(&ring);
}

static void expect_own_mask(const sigset_t *before)
{
	sigset_t now;

	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
	for (int number = 1; number < SIGRTMIN; number++)
		assert_int_equal(sigismember(&now, number), sigismember(before, number));
}

/* The next wait stays awake; SIGUSR1 is handled. *@mask: the thread's own. */
static void begin_handling(struct asyncring *ring, sigset_t *mask)
{
	struct sigaction action = {.sa_handler = handle};

	begin(ring);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, mask), 0);
	sleep_shortly(ring, SPIN_WANTED_MIN);
}

static void a_signal_while_awake_ends_the_wait(void **state)
{
	struct asyncring ring;
	sigset_t mask;

	(void)state;
	begin_handling(&ring, &mask);
	arm(&ring);
	play.signal_at_look = 3;
	assert_int_equal(wait_for_event(&ring, NEVER, SHORT), -EINTR);
	assert_true(handled);
	assert_false(play.handled_awake);
	assert_true(play.looks > 3);
	assert_int_equal(play.sleeps, 1);
	assert_true(sigismember(&play.awake, SIGUSR1) && sigismember(&play.awake, SIGINT));
	/* A thread is killed that is sent this by a call, and keeps it back. */
	assert_false(sigismember(&play.awake, SIGSYS));
	assert_false(sigismember(&play.awake, SIGSEGV));
	expect_own_mask(&mask);
	/* The request is where it was. */
	play.signal_at_look = NEVER;
	happen();
	take_event(&ring);
	end(&ring);
}

static void a_signal_beside_the_event_is_handled_on_the_way_out(void **state)
{
	struct asyncring ring;
	sigset_t mask;

	(void)state;
	begin_handling(&ring, &mask);
	arm(&ring);
	play.signal_at_look = 3;
	assert_int_equal(wait_for_event(&ring, 4, SHORT), 0);
	assert_true(handled);
	assert_false(play.handled_awake);
	assert_int_equal(play.looks, 4);
	assert_int_equal(play.sleeps, 0);
	expect_own_mask(&mask);
	take_event(&ring);
	end(&ring);
}

/*
 * A signal comes at the third look, an event at the fourth, and two are waited for, with a limit of
 * LONG. What the call answers.
 */
static int wait_for_too_much(struct asyncring *ring)
{
	struct __kernel_timespec limit = {.tv_nsec = LONG};
	struct asyncring_getevents_arg wait = {.ts = (uintptr_t)&limit};
	unsigned flags = ASYNCRING_ENTER_GETEVENTS | ASYNCRING_ENTER_EXT_ARG;
	int never = eventfd(0, EFD_CLOEXEC), result;

	asyncring_prep_poll_add(support_sqe(ring), never, POLLIN);
	arm(ring);
	play.signal_at_look = 3;
	expect_event(4, 2 * LONG);
	result = asyncring_enter2((unsigned)ring->ring_fd, 0, 2, flags, &wait, sizeof(wait));
	close(never);
	return result;
}

/* Nobody can tell when else anything would come. */
static void a_signal_beside_too_few_events_ends_the_wait(void **state)
{
	struct asyncring ring;
	sigset_t mask;

	(void)state;
	begin_handling(&ring, &mask);
	assert_int_equal(wait_for_too_much(&ring), 0);
	assert_true(handled);
	assert_false(play.handled_awake);
	assert_int_equal(play.looks, 4);
	assert_int_equal(play.sleeps, 0);
	expect_own_mask(&mask);
	take_event(&ring);
	end(&ring);
}

static void a_signal_that_is_ignored_ends_no_wait(void **state)
{
	struct asyncring ring;

	(void)state;
	begin(&ring);
	assert_true(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	sleep_shortly(&ring, SPIN_WANTED_MIN);
	assert_int_equal(wait_for_too_much(&ring), 0);
	/* It goes on, awake and then asleep. */
	assert_true(play.looks > 4);
	assert_int_equal(play.sleeps, 1);
	take_event(&ring);
	end(&ring);
}

/* With a mask of the application's own the sleep is what lets signals in. */
static void a_wait_under_a_mask_sleeps(void **state)
{
	struct asyncring ring;
	sigset_t mask;

	(void)state;
	begin(&ring);
	sigemptyset(&mask);
	sleep_shortly(&ring, SPIN_WANTED_MIN);
	arm(&ring);
	expect_event(NEVER, SHORT);
	assert_int_equal(
		asyncring_enter((unsigned)ring.ring_fd, 0, 1, ASYNCRING_ENTER_GETEVENTS, &mask), 0);
	assert_int_equal(play.looks, 0);
	assert_int_equal(play.sleeps, 1);
	take_event(&ring);
	end(&ring);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	asyncring__clock_hook = read_play_clock;
	asyncring__sys_hook = see_wait;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_stays_awake_after_short_sleeps),
		cmocka_unit_test(a_wait_that_was_too_long_is_slept_and_costs_the_next_tries),
		cmocka_unit_test(long_sleeps_stay_sleeps),
		cmocka_unit_test(nobody_stays_awake_for_a_worker),
		cmocka_unit_test(a_time_limit_that_is_near_is_slept),
		cmocka_unit_test(a_signal_while_awake_ends_the_wait),
		cmocka_unit_test(a_signal_beside_the_event_is_handled_on_the_way_out),
		cmocka_unit_test(a_signal_beside_too_few_events_ends_the_wait),
		cmocka_unit_test(a_signal_that_is_ignored_ends_no_wait),
		cmocka_unit_test(a_wait_under_a_mask_sleeps),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
