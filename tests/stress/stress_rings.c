/* SPDX-License-Identifier: MIT */
/*
 * Description: many rings in many threads: made, used and closed all the time, with messages and
 * registered files going from one to another.
 *
 * What must hold: a message arrives once, in the order of its sender, or its sender is told that
 * the ring is not there; a file that was passed works at its receiver; nothing hangs.
 */
#include "stress.h"

enum { THREADS = 4, MESSAGES = 1500, LIVES = 400 };

#define SENT_NAME (1ull << 63)

/* A message: who sent it, and its number among the sender's messages to this ring. */
static uint64_t message(unsigned from, unsigned number)
{
	return (uint64_t)from << 32 | number;
}

/* ---- all rings stay: every message must arrive ---- */

struct member {
	struct asyncring ring;
	unsigned index;
	struct member *members;
	pthread_barrier_t *start;
	unsigned sent[THREADS];	    /* to each */
	unsigned received[THREADS]; /* from each */
	unsigned confirmed;
	/* Messages this member will still get; the senders tell when they are done. */
	_Atomic unsigned announced;
	_Atomic unsigned senders_done;
};

static void receive(struct member *member, const struct asyncring_cqe *cqe)
{
	unsigned from = (unsigned)(cqe->user_data >> 32);

	if (cqe->user_data & SENT_NAME) {
		check_equal(cqe->res, 0);
		member->confirmed++;
		return;
	}
	check(from < THREADS);
	check_equal(cqe->user_data & 0xffffffff, member->received[from]);
	check_equal(cqe->res, from + 1);
	member->received[from]++;
}

static void take_what_is_there(struct member *member)
{
	struct asyncring_cqe *cqe;

	while (!asyncring_peek_cqe(&member->ring, &cqe)) {
		receive(member, cqe);
		asyncring_cqe_seen(&member->ring, cqe);
	}
}

static unsigned sum(const unsigned counts[THREADS])
{
	unsigned total = 0;

	for (unsigned i = 0; i < THREADS; i++)
		total += counts[i];
	return total;
}

static void *member_thread(void *argument)
{
	struct member *member = argument;
	struct random random = random_stream(member->index);

	pthread_barrier_wait(member->start);
	for (unsigned i = 0; i < MESSAGES; i++) {
		unsigned to = random_below(&random, THREADS);
		struct asyncring_sqe *sqe = stress_sqe(&member->ring, 0);

		asyncring_prep_msg_ring(sqe, member->members[to].ring.ring_fd, member->index + 1,
					message(member->index, member->sent[to]++), 0);
		stress_name(sqe, SENT_NAME, 0);
		stress_submit(&member->ring, 1);
		if (random_chance(&random, 20))
			take_what_is_there(member);
	}
	for (unsigned to = 0; to < THREADS; to++) {
		atomic_fetch_add(&member->members[to].announced, member->sent[to]);
		atomic_fetch_add(&member->members[to].senders_done, 1);
	}
	/* The others may still be sending, so there is always something to wait for until the end.
	 */
	while (atomic_load(&member->senders_done) < THREADS ||
	       sum(member->received) < atomic_load(&member->announced) ||
	       member->confirmed < MESSAGES) {
		struct __kernel_timespec moment = {.tv_nsec = 1000000};
		struct asyncring_cqe *cqe;
		int error = asyncring_wait_cqe_timeout(&member->ring, &cqe, &moment);

		check(error == 0 || error == -ETIME);
		take_what_is_there(member);
	}
	return NULL;
}

static void every_message_arrives_in_order(void **state)
{
	static const unsigned flags[THREADS] = {
		0,
		ASYNCRING_SETUP_SQPOLL,
		0,
		ASYNCRING_SETUP_COOP_TASKRUN | ASYNCRING_SETUP_TASKRUN_FLAG,
	};
	static struct member members[THREADS];
	pthread_t threads[THREADS];
	pthread_barrier_t start;

	(void)state;
	check_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		members[i] = (struct member){.index = i, .members = members, .start = &start};
		stress_ring(&members[i].ring, 8, flags[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		stress_thread(&threads[i], member_thread, &members[i]);
	for (unsigned i = 0; i < THREADS; i++)
		stress_join(threads[i]);
	for (unsigned i = 0; i < THREADS; i++) {
		for (unsigned from = 0; from < THREADS; from++)
			check_equal(members[i].received[from], members[from].sent[i]);
		asyncring_queue_exit(&members[i].ring);
	}
	pthread_barrier_destroy(&start);
}

/* ---- rings come and go ---- */

static _Atomic int addresses[THREADS];

static void one_life(unsigned index, struct random *random)
{
	static const unsigned flags[] = {0, 0, ASYNCRING_SETUP_SQPOLL,
					 ASYNCRING_SETUP_SINGLE_ISSUER |
						 ASYNCRING_SETUP_DEFER_TASKRUN};
	unsigned expected = 0;
	struct asyncring ring;
	char byte;
	int ends[2];

	stress_ring(&ring, 16, flags[random_below(random, ARRAY_SIZE(flags))]);
	stress_pipe(ends);
	atomic_store(&addresses[index], ring.ring_fd);
	for (unsigned i = 0; i < 8; i++) {
		struct asyncring_sqe *sqe = stress_sqe(&ring, 0);
		int target = atomic_load(&addresses[random_below(random, THREADS)]);

		switch (random_below(random, 4)) {
		case 0:
			asyncring_prep_nop(sqe);
			stress_name(sqe, 1, random_chance(random, 50) ? ASYNCRING_SQE_ASYNC : 0);
			expected++;
			break;
		case 1:
			/* Left alone: the close takes it back. */
			asyncring_prep_read(sqe, ends[0], &byte, 1, 0);
			stress_name(sqe, 2, 0);
			break;
		default:
			asyncring_prep_msg_ring(sqe, target, 7, 3, 0);
			stress_name(sqe, 4, random_chance(random, 30) ? ASYNCRING_SQE_ASYNC : 0);
			expected++;
		}
		stress_submit(&ring, 1);
	}
	while (expected) {
		struct completion cqe = stress_next(&ring);

		switch (cqe.user_data) {
		case 1:
			check_equal(cqe.res, 0);
			expected--;
			break;
		case 3:
			check_equal(cqe.res, 7);
			break;
		case 4:
			/* No ring (any more), or something else under its number. */
			check(cqe.res == 0 || cqe.res == -EBADF || cqe.res == -EBADFD);
			expected--;
			break;
		default:
			stress_fail(__FILE__, __LINE__, "a CQE of %llu: %d",
				    (unsigned long long)cqe.user_data, cqe.res);
		}
	}
	asyncring_queue_exit(&ring);
	stress_close_pipe(ends);
}

static void *short_lived_thread(void *argument)
{
	unsigned index = (unsigned)(uintptr_t)argument;
	struct random random = random_stream(100 + index);
	uint64_t start = stress_now_ns();

	for (unsigned i = 0; i < LIVES && stress_time_left(start); i++)
		one_life(index, &random);
	return NULL;
}

static void rings_come_and_go(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		atomic_store(&addresses[i], -1);
	for (unsigned i = 0; i < THREADS; i++)
		stress_thread(&threads[i], short_lived_thread, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < THREADS; i++)
		stress_join(threads[i]);
}

/* ---- duplicates of the descriptor are names of the same ring ---- */

static void *closing_thread(void *argument)
{
	check_equal(asyncring_close((int)(intptr_t)argument), 0);
	return NULL;
}

static void the_last_name_closes_the_ring(void **state)
{
	struct random random = random_stream(200);
	uint64_t start = stress_now_ns();

	(void)state;
	for (unsigned i = 0; i < 300 && stress_time_left(start); i++) {
		struct asyncring ring;
		char byte = 0;
		int ends[2], copies[3];
		pthread_t threads[3];

		stress_ring(&ring, 8, 0);
		stress_pipe(ends);
		asyncring_prep_read(stress_sqe(&ring, 0), ends[0], &byte, 1, 0);
		stress_submit(&ring, 1);
		copies[0] = ring.ring_fd;
		for (unsigned n = 1; n < 3; n++) {
			copies[n] = dup(ring.ring_fd);
			check(copies[n] >= 0);
			/* Known to the library already, or found only at the close. */
			if (random_chance(&random, 50))
				check_equal(asyncring_enter((unsigned)copies[n], 0, 0,
							    ASYNCRING_ENTER_GETEVENTS, NULL),
					    0);
		}
		for (unsigned n = 0; n < 3; n++)
			stress_thread(&threads[n], closing_thread, (void *)(intptr_t)copies[n]);
		for (unsigned n = 0; n < 3; n++)
			stress_join(threads[n]);
		/* The request went with the ring: what comes now is for us. */
		check_equal(write(ends[1], "z", 1), 1);
		check_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
		check_equal(read(ends[0], &byte, 1), 1);
		check_equal(byte, 'z');
		stress_close_pipe(ends);
	}
}

/* ---- files passed along ---- */

/*
 * A pipe's writing end goes round from ring to ring; each receiver writes a byte through it and
 * passes it on.
 */
static void a_file_goes_round(void **state)
{
	uint64_t start = stress_now_ns();
	struct asyncring rings[THREADS];
	unsigned slot = 0;
	int ends[2];
	char last;

	(void)state;
	stress_pipe(ends);
	for (unsigned i = 0; i < THREADS; i++) {
		stress_ring(&rings[i], 8, 0);
		check_equal(asyncring_register_files_sparse(&rings[i], 4), 0);
	}
	check_equal(asyncring_register_files_update(&rings[0], 0, &ends[1], 1), 1);
	close(ends[1]);
	for (unsigned i = 0; i < 1000 && stress_time_left(start); i++) {
		struct asyncring *from = &rings[i % THREADS], *to = &rings[(i + 1) % THREADS];
		struct asyncring_sqe *sqe = stress_sqe(from, 0);
		struct completion sent, received;
		char byte = (char)i, back = 0;
		int none = -1;

		asyncring_prep_write(sqe, (int)slot, &byte, 1, 0);
		stress_name(sqe, 1, ASYNCRING_SQE_FIXED_FILE);
		stress_submit(from, 1);
		check_equal(stress_next(from).res, 1);
		check_equal(read(ends[0], &back, 1), 1);
		check_equal(back, byte);
		sqe = stress_sqe(from, 0);
		asyncring_prep_msg_ring_fd_alloc(sqe, to->ring_fd, (int)slot, 99, 0);
		stress_name(sqe, 2, 0);
		stress_submit(from, 1);
		sent = stress_next(from);
		received = stress_next(to);
		check(sent.res >= 0);
		check_equal(received.user_data, 99);
		check(received.res >= 0 && received.res < 4);
		check_equal(asyncring_register_files_update(from, slot, &none, 1), 1);
		slot = (unsigned)received.res;
	}
	for (unsigned i = 0; i < THREADS; i++)
		asyncring_queue_exit(&rings[i]);
	/* Every descriptor of the writing end is gone with them. */
	check_equal(read(ends[0], &last, 1), 0);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_arrives_in_order),
		cmocka_unit_test(rings_come_and_go),
		cmocka_unit_test(the_last_name_closes_the_ring),
		cmocka_unit_test(a_file_goes_round),
	};

	return stress_run(tests);
}
