/* SPDX-License-Identifier: MIT */
/*
 * Description: writes that continue each other, and so are made with one call, against their
 * cancellation and the close of the ring.
 *
 * What must hold: each write completes exactly once; one that ends with its length is in the file,
 * one that ends with -ECANCELED is not, not a byte of it; of a ring that was closed each write is
 * in the file as a whole or not at all.
 */
#include "stress.h"

enum {
	THREADS = 3,
	ROUNDS = 2000,
	WRITES = 24,
	LENGTH = 700, /* not a divisor of anything */
	CANCELLATION = 1000,
};

struct round {
	struct asyncring *ring;
	struct random *random;
	int file;
	unsigned char data[WRITES][LENGTH];
	unsigned char found[WRITES][LENGTH];
	bool ended[WRITES];
	int results[WRITES];
	unsigned expected; /* completions still to come */
};

/* Some gaps, so that there are several groups; in some rounds several submissions, too. */
static uint64_t place_of(unsigned write)
{
	return (uint64_t)write * LENGTH + write / 10;
}

static void queue_write(struct round *round, unsigned i)
{
	struct asyncring_sqe *sqe = stress_sqe(round->ring, 0);

	memset(round->data[i], (int)(1 + random_below(round->random, 255)), LENGTH);
	asyncring_prep_write(sqe, round->file, round->data[i], LENGTH, place_of(i));
	stress_name(sqe, i, random_chance(round->random, 90) ? ASYNCRING_SQE_ASYNC : 0);
}

static void begin(struct round *round)
{
	unsigned ready = 0;

	check_equal(ftruncate(round->file, 0), 0);
	memset(round->ended, 0, sizeof(round->ended));
	for (unsigned i = 0; i < WRITES; i++) {
		queue_write(round, i);
		ready++;
		if (i + 1 < WRITES && !random_chance(round->random, 10))
			continue;
		stress_submit(round->ring, ready);
		ready = 0;
	}
	round->expected = WRITES;
}

static void cancel_one(struct round *round)
{
	unsigned which = random_below(round->random, WRITES);
	struct asyncring_sync_cancel_reg reg = {.addr = which, .fd = -1, .timeout = {0, 0}};
	struct asyncring_sqe *sqe;

	switch (random_below(round->random, 3)) {
	case 0:
		asyncring_register_sync_cancel(round->ring, &reg);
		return;
	case 1:
		sqe = stress_sqe(round->ring, 0);
		asyncring_prep_cancel64(sqe, which, ASYNCRING_ASYNC_CANCEL_ALL);
		break;
	default:
		sqe = stress_sqe(round->ring, 0);
		asyncring_prep_cancel64(sqe, which, 0);
	}
	stress_name(sqe, CANCELLATION, 0);
	round->expected++;
	stress_submit(round->ring, 1);
}

static void take(struct round *round)
{
	struct completion cqe = stress_next(round->ring);

	round->expected--;
	if (cqe.user_data == CANCELLATION) {
		check(cqe.res == 0 || cqe.res == 1 || cqe.res == -ENOENT || cqe.res == -EALREADY);
		return;
	}
	check(cqe.user_data < WRITES);
	check(!round->ended[cqe.user_data]);
	round->ended[cqe.user_data] = true;
	round->results[cqe.user_data] = cqe.res;
}

static bool is_written(struct round *round, unsigned i)
{
	memset(round->found[i], 0, LENGTH);
	check(pread(round->file, round->found[i], LENGTH, (off_t)place_of(i)) >= 0);
	return !memcmp(round->found[i], round->data[i], LENGTH);
}

static void check_nothing_written(const struct round *round, unsigned i)
{
	for (unsigned j = 0; j < LENGTH; j++)
		check_equal(round->found[i][j], 0);
}

static void play(struct round *round)
{
	begin(round);
	for (unsigned i = random_below(round->random, 8); i--;)
		cancel_one(round);
	while (round->expected)
		take(round);
	for (unsigned i = 0; i < WRITES; i++) {
		bool written = is_written(round, i);

		if (round->results[i] == LENGTH) {
			check(written);
			continue;
		}
		check_equal(round->results[i], -ECANCELED);
		check_nothing_written(round, i);
	}
}

static void *cancelling_thread(void *argument)
{
	static const unsigned flags[THREADS] = {0, ASYNCRING_SETUP_SQPOLL,
						ASYNCRING_SETUP_SINGLE_ISSUER |
							ASYNCRING_SETUP_DEFER_TASKRUN};
	unsigned number = (unsigned)(uintptr_t)argument;
	struct random random = random_stream(number);
	uint64_t start = stress_now_ns();
	struct asyncring ring;
	struct round round = {.ring = &ring, .random = &random, .file = stress_file("", 0)};

	stress_ring(&ring, 64, flags[number]);
	for (unsigned i = 0; i < ROUNDS && stress_time_left(start); i++)
		play(&round);
	asyncring_queue_exit(&ring);
	close(round.file);
	return NULL;
}

static void cancelled_or_written_never_both(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		stress_thread(&threads[i], cancelling_thread, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < THREADS; i++)
		stress_join(threads[i]);
}

static void a_closed_ring_has_written_all_or_nothing(void **state)
{
	struct random random = random_stream(100);
	uint64_t start = stress_now_ns();
	struct asyncring ring;
	struct round round = {.ring = &ring, .random = &random, .file = stress_file("", 0)};

	(void)state;
	for (unsigned i = 0; i < ROUNDS && stress_time_left(start); i++) {
		stress_ring(&ring, 64, 0);
		begin(&round);
		for (unsigned pauses = random_below(&random, 30); pauses--;)
			sched_yield();
		asyncring_queue_exit(&ring);
		for (unsigned j = 0; j < WRITES; j++)
			if (!is_written(&round, j))
				check_nothing_written(&round, j);
	}
	close(round.file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cancelled_or_written_never_both),
		cmocka_unit_test(a_closed_ring_has_written_all_or_nothing),
	};

	return stress_run(tests);
}
