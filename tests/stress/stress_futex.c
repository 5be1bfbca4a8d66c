/* SPDX-License-Identifier: MIT */
/*
 * Description: requests that wait on futexes, woken by threads and by requests, cancelled and
 * closed on, more of them than threads wait for.
 *
 * What must hold: each request completes exactly once; no wake-up that comes with a change of the
 * value is lost; a canceller that is told of success has taken its request back.
 */
#include "stress.h"

#include <linux/futex.h>
#include <sys/syscall.h>

enum { WORDS = 40, WAITERS = 80, WAKERS = 2, PRIVATE_32 = 0x82, CANCEL_NAME = 1 << 20 };

static _Atomic uint32_t words[WORDS];
static _Atomic bool stop;

static void wake(unsigned which, int count)
{
	syscall(SYS_futex, &words[which], FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void *wake_at_random(void *argument)
{
	struct random random = random_stream((uintptr_t)argument + 1);

	while (!atomic_load(&stop)) {
		unsigned which = random_below(&random, WORDS);

		if (random_chance(&random, 70))
			atomic_fetch_add(&words[which], 1);
		wake(which, random_chance(&random, 50) ? 1 : INT32_MAX);
		if (random_chance(&random, 20))
			sched_yield();
	}
	return NULL;
}

static void wait_somewhere(struct asyncring *ring, struct random *random, unsigned name)
{
	struct asyncring_sqe *sqe = stress_sqe(ring, 0);
	unsigned which = name % WORDS;
	uint32_t mask = random_chance(random, 5) ? 1 : FUTEX_BITSET_MATCH_ANY;

	asyncring_prep_futex_wait(sqe, (uint32_t *)&words[which], atomic_load(&words[which]), mask,
				  PRIVATE_32, 0);
	stress_name(sqe, name, random_chance(random, 10) ? ASYNCRING_SQE_ASYNC : 0);
}

struct account {
	bool waiting[WAITERS];
	bool cancelling[WAITERS];
	bool told[WAITERS], taken[WAITERS]; /* what canceller and request say, of one attempt */
};

/* One completion; false: there is none. */
static bool take(struct asyncring *ring, struct account *account, bool block)
{
	struct asyncring_cqe *cqe;
	uint64_t name;
	int result, error;

	error = block ? asyncring_wait_cqe(ring, &cqe) : asyncring_peek_cqe(ring, &cqe);
	if (error == -EAGAIN)
		return false;
	check_equal(error, 0);
	name = cqe->user_data;
	result = cqe->res;
	asyncring_cqe_seen(ring, cqe);
	if (name >= CANCEL_NAME) {
		name -= CANCEL_NAME;
		check(account->cancelling[name]);
		check(result == 1 || result == -ENOENT || result == -EALREADY || !result);
		account->cancelling[name] = false;
		account->told[name] = result == 1;
	} else {
		check(account->waiting[name]);
		check(!result || result == -EAGAIN || result == -ECANCELED);
		account->waiting[name] = false;
		account->taken[name] = result == -ECANCELED;
	}
	return true;
}

static void nothing_is_lost(void **state)
{
	struct random random = random_stream(0);
	static struct account account;
	pthread_t threads[WAKERS];
	struct asyncring ring;
	uint64_t start;

	(void)state;
	check_equal(asyncring_queue_init(256, &ring, 0), 0);
	for (uintptr_t i = 0; i < WAKERS; i++)
		stress_thread(&threads[i], wake_at_random, (void *)i);
	start = stress_now_ns();
	while (stress_time_left(start)) {
		for (unsigned i = 0; i < WAITERS; i++) {
			if (account.waiting[i] || account.cancelling[i])
				continue;
			check(!account.told[i] || account.taken[i]);
			account.told[i] = account.taken[i] = false;
			account.waiting[i] = true;
			wait_somewhere(&ring, &random, i);
			stress_submit(&ring, 1);
			if (random_chance(&random, 10)) {
				struct asyncring_sqe *sqe = stress_sqe(&ring, 0);

				account.cancelling[i] = true;
				asyncring_prep_cancel64(sqe, i, 0);
				stress_name(sqe, CANCEL_NAME + i, 0);
				stress_submit(&ring, 1);
			}
		}
		while (take(&ring, &account, false))
			;
		sched_yield();
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < WAKERS; i++)
		stress_join(threads[i]);
	/* With another value, one wake-up of all is enough; the limit of time says if it is not. */
	for (unsigned i = 0; i < WORDS; i++) {
		atomic_fetch_add(&words[i], 1);
		wake(i, INT32_MAX);
	}
	for (unsigned i = 0; i < WAITERS; i++)
		while (account.waiting[i] || account.cancelling[i])
			take(&ring, &account, true);
	asyncring_queue_exit(&ring);
}

static void rings_are_closed_on_waiters(void **state)
{
	struct random random = random_stream(7);
	pthread_t threads[WAKERS];
	uint64_t start = stress_now_ns();

	(void)state;
	atomic_store(&stop, false);
	for (uintptr_t i = 0; i < WAKERS; i++)
		stress_thread(&threads[i], wake_at_random, (void *)i);
	while (stress_time_left(start)) {
		struct asyncring ring;

		check_equal(asyncring_queue_init(64, &ring, 0), 0);
		for (unsigned i = 0; i < 40; i++) {
			wait_somewhere(&ring, &random, i);
			stress_submit(&ring, 1);
		}
		asyncring_queue_exit(&ring);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < WAKERS; i++)
		stress_join(threads[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost),
		cmocka_unit_test(rings_are_closed_on_waiters),
	};

	return stress_run(tests);
}
