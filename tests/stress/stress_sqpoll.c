/* SPDX-License-Identifier: MIT */
/*
 * Description: SQ threads that fall asleep after a millisecond, so that sleeping, waking, sharing
 * and ending race with submissions all the time.
 *
 * What must hold: what is submitted completes without another submission having to come; a close
 * returns whatever the thread is doing. A lost wake-up shows as "out of time".
 */
#include "stress.h"

enum { THREADS = 3, ROUNDS = 4000 };

static void polled_ring(struct asyncring *ring, unsigned entries, unsigned flags, int attach_to)
{
	struct asyncring_params params = {
		.flags = ASYNCRING_SETUP_SQPOLL | flags,
		.sq_thread_idle = 1,
	};

	if (attach_to >= 0) {
		params.flags |= ASYNCRING_SETUP_ATTACH_WQ;
		params.wq_fd = (uint32_t)attach_to;
	}
	check_equal(asyncring_queue_init_params(entries, ring, &params), 0);
}

/* Traffic with gaps around the idle time. */
static void pause_a_little(struct random *random)
{
	struct timespec pause = {.tv_nsec = 700000 + (long)random_below(random, 900000)};

	switch (random_below(random, 8)) {
	case 0:
		nanosleep(&pause, NULL);
		break;
	case 1:
		sched_yield();
		break;
	default:
		break;
	}
}

static void traffic(struct asyncring *ring, struct random *random, uint64_t start)
{
	unsigned submitted = 0, completed = 0;

	for (unsigned i = 0; i < ROUNDS && stress_time_left(start); i++) {
		unsigned count = 1 + random_below(random, 4);

		for (unsigned n = 0; n < count; n++) {
			struct asyncring_sqe *sqe = stress_sqe(ring, 0);

			asyncring_prep_nop(sqe);
			stress_name(sqe, submitted++,
				    random_chance(random, 10) ? ASYNCRING_SQE_ASYNC : 0);
		}
		stress_submit(ring, count);
		/* Sometimes leave it to the thread while we are elsewhere. */
		pause_a_little(random);
		if (random_chance(random, 70))
			while (completed < submitted) {
				check_equal(stress_next(ring).res, 0);
				completed++;
			}
		else if (submitted - completed > 8) {
			check_equal(stress_next(ring).res, 0);
			completed++;
		}
	}
	while (completed < submitted) {
		check_equal(stress_next(ring).res, 0);
		completed++;
	}
}

static void *alone_thread(void *argument)
{
	struct random random = random_stream((uintptr_t)argument);
	struct asyncring ring;

	polled_ring(&ring, 4, 0, -1);
	traffic(&ring, &random, stress_now_ns());
	asyncring_queue_exit(&ring);
	return NULL;
}

static void run_threads(void *(*body)(void *), void *const arguments[THREADS])
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		stress_thread(&threads[i], body, arguments[i]);
	for (unsigned i = 0; i < THREADS; i++)
		stress_join(threads[i]);
}

static void a_sleeping_thread_is_woken(void **state)
{
	void *const numbers[THREADS] = {(void *)1, (void *)2, (void *)3};

	(void)state;
	run_threads(alone_thread, numbers);
}

/* ---- one thread for several rings ---- */

struct share {
	struct asyncring ring;
	unsigned number;
};

static void *sharing_thread(void *argument)
{
	struct share *share = argument;
	struct random random = random_stream(100 + share->number);

	traffic(&share->ring, &random, stress_now_ns());
	/* All at once, while the others' are busy, asleep or going, too. */
	asyncring_queue_exit(&share->ring);
	return NULL;
}

static void a_shared_thread_serves_all(void **state)
{
	struct share shares[THREADS];
	void *arguments[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		polled_ring(&shares[i].ring, 8, 0, i ? shares[0].ring.ring_fd : -1);
		shares[i].number = i;
		arguments[i] = &shares[i];
	}
	run_threads(sharing_thread, arguments);
}

/* ---- closing ---- */

static void *closing_thread(void *argument)
{
	asyncring_queue_exit(argument);
	return NULL;
}

/* Requests of every kind are outstanding when rings that share a thread are closed at once. */
static void busy_rings_close_together(void **state)
{
	struct random random = random_stream(200);
	uint64_t start = stress_now_ns();

	(void)state;
	for (unsigned i = 0; i < 300 && stress_time_left(start); i++) {
		struct asyncring rings[THREADS];
		void *arguments[THREADS];
		char byte[THREADS] = {0};
		int ends[2];

		stress_pipe(ends);
		for (unsigned n = 0; n < THREADS; n++) {
			polled_ring(&rings[n], 8, 0, n ? rings[0].ring_fd : -1);
			arguments[n] = &rings[n];
			asyncring_prep_read(stress_sqe(&rings[n], 0), ends[0], &byte[n], 1, 0);
			for (unsigned nops = random_below(&random, 6); nops; nops--)
				asyncring_prep_nop(stress_sqe(&rings[n], 0));
			check(asyncring_submit(&rings[n]) >= 0);
		}
		run_threads(closing_thread, arguments);
		check_equal(write(ends[1], "x", 1), 1);
		for (unsigned n = 0; n < THREADS; n++)
			check_equal(byte[n], 0);
		check_equal(read(ends[0], byte, 1), 1);
		stress_close_pipe(ends);
	}
}

/* A ring joins the thread of another that is just being closed: it gets a live one or an error. */
static void *attaching_thread(void *argument)
{
	struct asyncring_params params = {
		.flags = ASYNCRING_SETUP_SQPOLL | ASYNCRING_SETUP_ATTACH_WQ,
		.sq_thread_idle = 1,
		.wq_fd = (uint32_t)(intptr_t)argument,
	};
	struct asyncring ring;
	int error = asyncring_queue_init_params(4, &ring, &params);

	if (error) {
		check(error == -EINVAL || error == -ENXIO);
		return NULL;
	}
	asyncring_prep_nop(stress_sqe(&ring, 0));
	stress_submit(&ring, 1);
	check_equal(stress_next(&ring).res, 0);
	asyncring_queue_exit(&ring);
	return NULL;
}

static void joining_races_with_the_end(void **state)
{
	struct random random = random_stream(300);
	uint64_t start = stress_now_ns();

	(void)state;
	for (unsigned i = 0; i < 500 && stress_time_left(start); i++) {
		unsigned pauses = random_below(&random, 20);
		struct asyncring ring;
		pthread_t thread;

		polled_ring(&ring, 4, 0, -1);
		stress_thread(&thread, attaching_thread, (void *)(intptr_t)ring.ring_fd);
		while (pauses--)
			sched_yield();
		asyncring_queue_exit(&ring);
		stress_join(thread);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sleeping_thread_is_woken),
		cmocka_unit_test(a_shared_thread_serves_all),
		cmocka_unit_test(busy_rings_close_together),
		cmocka_unit_test(joining_races_with_the_end),
	};

	return stress_run(tests);
}
