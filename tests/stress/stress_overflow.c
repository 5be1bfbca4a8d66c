/* SPDX-License-Identifier: MIT */
/*
 * Description: completion queues much too small, several producers, one or more consumers.
 *
 * What must hold: nothing is lost, nothing comes twice, what one producer sends arrives in order,
 * and whoever waits is woken, also when somebody else makes the room.
 */
#include "stress.h"

enum { PRODUCERS = 3, MESSAGES = 10000, CQ_ENTRIES = 4 };

#define STOP (1ull << 62)

struct producer {
	pthread_t thread;
	unsigned index;
	int target;
};

static void post_one(struct asyncring *ring, int target, uint64_t name, unsigned flags)
{
	struct asyncring_sqe *sqe = stress_sqe(ring, 0);

	asyncring_prep_msg_ring(sqe, target, 1, name, 0);
	stress_name(sqe, 0, flags);
	stress_submit(ring, 1);
	check_equal(stress_next(ring).res, 0);
}

static void *producing_thread(void *argument)
{
	struct producer *producer = argument;
	struct random random = random_stream(producer->index);
	struct asyncring ring;

	stress_ring(&ring, 8, 0);
	for (unsigned i = 0; i < MESSAGES; i++) {
		post_one(&ring, producer->target, (uint64_t)producer->index << 32 | i,
			 random_chance(&random, 10) ? ASYNCRING_SQE_ASYNC : 0);
		if (random_chance(&random, 5))
			sched_yield();
	}
	asyncring_queue_exit(&ring);
	return NULL;
}

static void small_ring(struct asyncring *ring, unsigned flags)
{
	struct asyncring_params params = {
		.flags = ASYNCRING_SETUP_CQSIZE | flags,
		.cq_entries = CQ_ENTRIES,
	};

	check_equal(asyncring_queue_init_params(CQ_ENTRIES, ring, &params), 0);
}

static void start_producers(struct producer producers[PRODUCERS], const struct asyncring *ring)
{
	for (unsigned i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){.index = i, .target = ring->ring_fd};
		stress_thread(&producers[i].thread, producing_thread, &producers[i]);
	}
}

static void join_producers(struct producer producers[PRODUCERS])
{
	for (unsigned i = 0; i < PRODUCERS; i++)
		stress_join(producers[i].thread);
}

static void expect_in_order(unsigned next[PRODUCERS], uint64_t name)
{
	unsigned from = (unsigned)(name >> 32);

	check(from < PRODUCERS);
	check_equal(name & 0xffffffff, next[from]);
	next[from]++;
}

/* One consumer, with requests of its own that complete in workers, waits for random numbers. */
static void consume(unsigned flags, uint64_t stream)
{
	struct random random = random_stream(stream);
	struct producer producers[PRODUCERS];
	unsigned next[PRODUCERS] = {0}, own = 0, taken = 0;
	struct asyncring ring;

	small_ring(&ring, flags);
	start_producers(producers, &ring);
	while (taken < PRODUCERS * MESSAGES || own) {
		struct asyncring_cqe *cqe;
		unsigned left = PRODUCERS * MESSAGES - taken + own;
		unsigned wanted = 1 + random_below(&random, CQ_ENTRIES);
		unsigned head, seen = 0;

		if (own < 2 && left > 2 && random_chance(&random, 20)) {
			struct asyncring_sqe *sqe = stress_sqe(&ring, 0);

			asyncring_prep_nop(sqe);
			stress_name(sqe, STOP, ASYNCRING_SQE_ASYNC);
			stress_submit(&ring, 1);
			own++;
			left++;
		}
		check_equal(asyncring_wait_cqe_nr(&ring, &cqe, wanted < left ? wanted : left), 0);
		asyncring_for_each_cqe (&ring, head, cqe) {
			seen++;
			if (cqe->user_data == STOP) {
				own--;
				continue;
			}
			expect_in_order(next, cqe->user_data);
			taken++;
		}
		asyncring_cq_advance(&ring, seen);
	}
	join_producers(producers);
	check_equal(asyncring_cq_ready(&ring), 0);
	asyncring_queue_exit(&ring);
}

static void nothing_is_lost_and_the_order_stays(void **state)
{
	(void)state;
	consume(0, 100);
	consume(ASYNCRING_SETUP_COOP_TASKRUN | ASYNCRING_SETUP_TASKRUN_FLAG, 101);
	consume(ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN, 102);
}

/* ---- one waits, the other takes without a call ---- */

struct shared {
	struct asyncring ring;
	pthread_mutex_t lock; /* guards taking */
	unsigned next[PRODUCERS];
	unsigned taken;
	_Atomic bool stop;
};

static void take_all(struct shared *shared)
{
	struct asyncring_cqe *cqe;
	unsigned head, seen = 0;

	pthread_mutex_lock(&shared->lock);
	asyncring_for_each_cqe (&shared->ring, head, cqe) {
		seen++;
		if (cqe->user_data & STOP)
			atomic_store(&shared->stop, true);
		else {
			expect_in_order(shared->next, cqe->user_data);
			shared->taken++;
		}
	}
	asyncring_cq_advance(&shared->ring, seen);
	pthread_mutex_unlock(&shared->lock);
}

static void *waiting_thread(void *argument)
{
	struct shared *shared = argument;

	while (!atomic_load(&shared->stop)) {
		int error = asyncring_enter((unsigned)shared->ring.ring_fd, 0, 1,
					    ASYNCRING_ENTER_GETEVENTS, NULL);

		check_equal(error, 0);
		take_all(shared);
	}
	return NULL;
}

static void *reaping_thread(void *argument)
{
	struct shared *shared = argument;

	while (!atomic_load(&shared->stop)) {
		take_all(shared);
		sched_yield();
	}
	return NULL;
}

static void the_waiter_is_woken_whoever_makes_room(void **state)
{
	static struct shared shared;
	struct producer producers[PRODUCERS];
	pthread_t waiter, reaper;
	struct asyncring ring;

	(void)state;
	small_ring(&shared.ring, 0);
	pthread_mutex_init(&shared.lock, NULL);
	stress_ring(&ring, 8, 0);
	stress_thread(&waiter, waiting_thread, &shared);
	stress_thread(&reaper, reaping_thread, &shared);
	start_producers(producers, &shared.ring);
	join_producers(producers);
	/* One for whoever comes first, the rest for the waiter if that was not he. */
	for (unsigned i = 0; i < 2 * CQ_ENTRIES; i++)
		post_one(&ring, shared.ring.ring_fd, STOP, 0);
	stress_join(waiter);
	stress_join(reaper);
	check_equal(shared.taken, PRODUCERS * MESSAGES);
	asyncring_queue_exit(&ring);
	asyncring_queue_exit(&shared.ring);
	pthread_mutex_destroy(&shared.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_and_the_order_stays),
		cmocka_unit_test(the_waiter_is_woken_whoever_makes_room),
	};

	return stress_run(tests);
}
