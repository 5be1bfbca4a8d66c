/* SPDX-License-Identifier: MIT */
/*
 * Description: IOSQE_IO_DRAIN: a request, or the whole chain it belongs to, starts when everything
 * submitted before has completed, and nothing submitted after starts before it is done.
 */
#include "ops_helpers.h"

/* A pipe whose read end keeps a request pending until open_gate(). */
struct gate {
	int fds[2];
	char byte;
};

static void init_gate(struct gate *gate)
{
	harness_pipe(gate->fds);
}

static void queue_gate(struct io_uring *ring, struct gate *gate, uint64_t user_data, unsigned flags)
{
	ops_prep(ring, user_data, flags, read, gate->fds[0], &gate->byte, 1, 0);
}

static void open_gate(struct gate *gate)
{
	assert_int_equal(write(gate->fds[1], "x", 1), 1);
}

static void close_gate(struct gate *gate)
{
	harness_close_pipe(gate->fds);
}

static void a_drained_request_waits_for_all_before(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};
	struct ops *ops = *state;
	struct gate gate;

	init_gate(&gate);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		queue_gate(&ops->ring, &gate, 0, flags[i]);
		ops_prep(&ops->ring, 1, 0, nop);
		ops_prep(&ops->ring, 2, IOSQE_IO_DRAIN | flags[i], nop);
		harness_submit(&ops->ring, 3);
		ops_expect(&ops->ring, 1, 0);
		harness_assert_empty(&ops->ring);
		open_gate(&gate);
		ops_expect(&ops->ring, 0, 1);
		ops_expect(&ops->ring, 2, 0);
	}
	close_gate(&gate);
}

static void later_requests_wait_for_the_drained_one(void **state)
{
	struct ops *ops = *state;
	struct gate gate;

	init_gate(&gate);
	queue_gate(&ops->ring, &gate, 0, 0);
	ops_prep(&ops->ring, 1, IOSQE_IO_DRAIN, nop);
	ops_prep(&ops->ring, 2, 0, nop);
	harness_submit(&ops->ring, 3);
	ops_prep(&ops->ring, 3, 0, nop);
	harness_submit(&ops->ring, 1); /* a submit of its own makes no difference */
	harness_assert_empty(&ops->ring);
	open_gate(&gate);
	ops_expect(&ops->ring, 0, 1);
	ops_expect(&ops->ring, 1, 0);
	/* Between themselves these two have no order. */
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(harness_next(&ops->ring).res, 0);
	close_gate(&gate);
}

/* Also while it runs: here the drained request is itself one that waits. */
static void later_requests_wait_until_the_drained_one_is_done(void **state)
{
	struct ops *ops = *state;
	struct gate gate;

	init_gate(&gate);
	queue_gate(&ops->ring, &gate, 0, IOSQE_IO_DRAIN);
	ops_prep(&ops->ring, 1, 0, nop);
	harness_submit(&ops->ring, 2);
	harness_assert_empty(&ops->ring);
	open_gate(&gate);
	ops_expect(&ops->ring, 0, 1);
	ops_expect(&ops->ring, 1, 0);
	/* When it is over, requests are as free as ever. */
	queue_gate(&ops->ring, &gate, 2, 0);
	ops_prep(&ops->ring, 3, 0, nop);
	harness_submit(&ops->ring, 2);
	ops_expect(&ops->ring, 3, 0);
	open_gate(&gate);
	ops_expect(&ops->ring, 2, 1);
	close_gate(&gate);
}

static void an_idle_ring_drains_at_once(void **state)
{
	struct ops *ops = *state;

	for (unsigned i = 0; i < 3; i++)
		ops_prep(&ops->ring, i, IOSQE_IO_DRAIN, nop);
	harness_submit(&ops->ring, 3);
	for (unsigned i = 0; i < 3; i++)
		ops_expect(&ops->ring, i, 0);
}

/* The flag anywhere in a chain holds back the head, and what follows the chain. */
static void a_drained_member_delays_its_chain(void **state)
{
	static const unsigned links[] = {IOSQE_IO_LINK, IOSQE_IO_HARDLINK};
	struct ops *ops = *state;
	struct gate gate;

	init_gate(&gate);
	for (unsigned round = 0; round < 2 * 4; round++) {
		unsigned link = links[round % 2], place = round / 2;

		queue_gate(&ops->ring, &gate, 0, 0);
		for (unsigned i = 0; i < 4; i++) {
			unsigned flags = i < 3 ? link : 0;

			if (i == place)
				flags |= IOSQE_IO_DRAIN;
			ops_prep(&ops->ring, 1 + i, flags, nop);
		}
		ops_prep(&ops->ring, 5, 0, nop);
		harness_submit(&ops->ring, 6);
		harness_assert_empty(&ops->ring);
		open_gate(&gate);
		ops_expect(&ops->ring, 0, 1);
		for (unsigned i = 1; i < 6; i++)
			ops_expect(&ops->ring, i, 0);
	}
	close_gate(&gate);
}

/* And it waits for the whole of a chain before it, also for members that have not begun. */
static void a_chain_before_is_waited_for(void **state)
{
	struct ops *ops = *state;
	struct gate gate;

	init_gate(&gate);
	queue_gate(&ops->ring, &gate, 0, IOSQE_IO_LINK);
	ops_prep(&ops->ring, 1, IOSQE_IO_LINK, nop);
	queue_gate(&ops->ring, &gate, 2, IOSQE_IO_LINK | IOSQE_ASYNC);
	ops_prep(&ops->ring, 3, 0, nop);
	ops_prep(&ops->ring, 4, IOSQE_IO_DRAIN, nop);
	harness_submit(&ops->ring, 5);
	harness_assert_empty(&ops->ring);
	open_gate(&gate);
	ops_expect(&ops->ring, 0, 1);
	ops_expect(&ops->ring, 1, 0);
	harness_assert_empty(&ops->ring);
	open_gate(&gate);
	ops_expect(&ops->ring, 2, 1);
	ops_expect(&ops->ring, 3, 0);
	ops_expect(&ops->ring, 4, 0);
	close_gate(&gate);
}

static void failures_complete_as_well_as_successes(void **state)
{
	struct ops *ops = *state;
	struct gate gate;

	init_gate(&gate);
	queue_gate(&ops->ring, &gate, 0, IOSQE_IO_LINK);
	ops_nop(&ops->ring, 1, IOSQE_IO_LINK, -EIO);
	ops_prep(&ops->ring, 2, 0, nop);
	ops_nop(&ops->ring, 3, IOSQE_IO_DRAIN | IOSQE_IO_LINK, -EIO);
	ops_prep(&ops->ring, 4, 0, nop);
	ops_prep(&ops->ring, 5, IOSQE_IO_DRAIN, nop);
	harness_submit(&ops->ring, 6);
	harness_assert_empty(&ops->ring);
	open_gate(&gate);
	ops_expect(&ops->ring, 0, 1);
	ops_expect(&ops->ring, 1, -EIO);
	ops_expect(&ops->ring, 2, -ECANCELED);
	ops_expect(&ops->ring, 3, -EIO);
	ops_expect(&ops->ring, 4, -ECANCELED);
	ops_expect(&ops->ring, 5, 0);
	close_gate(&gate);
}

/* A badly prepared chain behind a drain fails as a whole, but in its turn. */
static void a_badly_prepared_chain_waits_for_its_turn(void **state)
{
	struct ops *ops = *state;
	struct gate gate;
	int fd = harness_temp_file(0);

	init_gate(&gate);
	queue_gate(&ops->ring, &gate, 0, 0);
	ops_prep(&ops->ring, 1, IOSQE_IO_DRAIN, nop);
	ops_prep(&ops->ring, 2, IOSQE_IO_LINK, write, fd, "x", 1, 0);
	ops_bad_nop(&ops->ring, 3, IOSQE_IO_LINK);
	ops_prep(&ops->ring, 4, 0, write, fd, "x", 1, 0);
	harness_submit(&ops->ring, 5);
	open_gate(&gate);
	{
		int results[5];

		ops_collect(&ops->ring, results, 5);
		ops_assert_results(results, 1, 0, -ECANCELED, -EINVAL, -ECANCELED);
	}
	assert_int_equal(ops_file_size(fd), 0);
	close(fd);
	close_gate(&gate);
}

/*
 * To drain, completions are counted, which silent ones would upset. So the two do not go together:
 * after a request with the skip flag the ring takes no drains any more.
 */
static void drain_and_skip_exclude_each_other(void **state)
{
	struct ops *ops = *state;

	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_IO_DRAIN, nop), 0);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_IO_DRAIN | IOSQE_CQE_SKIP_SUCCESS, nop),
			 -EOPNOTSUPP);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_IO_DRAIN, nop), -EOPNOTSUPP);
	assert_int_equal(ops_run(&ops->ring, nop), 0);
}

/* ---- random rounds ------------------------------------------------------------------------- */

enum { ROUND_MAX = 16 };

struct round {
	unsigned count;
	unsigned unit[ROUND_MAX];    /* the chain, or lone request, each request belongs to */
	bool drained[ROUND_MAX + 1]; /* by unit */
	unsigned place[ROUND_MAX];   /* in the order of completion */
};

static unsigned next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33);
}

static void queue_round(struct io_uring *ring, struct round *round, int fd, char *buffer,
			struct gate *gate, uint64_t *seed)
{
	unsigned unit = 0;

	memset(round, 0, sizeof(*round));
	round->count = 4 + next_random(seed) % (ROUND_MAX - 3);
	for (unsigned i = 0; i < round->count; i++) {
		unsigned dice = next_random(seed);
		unsigned flags = dice & 1 ? IOSQE_ASYNC : 0;

		if (dice % 16 < 6)
			flags |= dice & 64 ? IOSQE_IO_LINK : IOSQE_IO_HARDLINK;
		if (dice / 128 % 4 == 0)
			flags |= IOSQE_IO_DRAIN;
		round->unit[i] = unit;
		if (flags & IOSQE_IO_DRAIN)
			round->drained[unit] = true;
		if (i == 0)
			queue_gate(ring, gate, i, flags);
		else if (dice & 1024)
			ops_nop(ring, i, flags, 8);
		else
			ops_prep(ring, i, flags, read, fd, buffer + 8 * i, 8, 0);
		if (!(flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)))
			unit++;
	}
}

/* Everything before a drained unit comes before it, everything behind comes behind. */
static void check_round(const struct round *round, unsigned number)
{
	for (unsigned i = 0; i < round->count; i++) {
		for (unsigned k = i + 1; k < round->count; k++) {
			bool ordered = round->unit[i] == round->unit[k] ||
				       round->drained[round->unit[i]] ||
				       round->drained[round->unit[k]];

			if (!ordered || round->place[i] < round->place[k])
				continue;
			print_error("round %u: request %u completed at place %u, %u at %u\n",
				    number, i, round->place[i], k, round->place[k]);
			fail();
		}
	}
}

static void the_order_holds_over_a_thousand_rounds(void **state)
{
	struct ops *ops = *state;
	uint64_t seed = 20;
	int fd = harness_temp_file(64);
	struct gate gate;
	struct round round;
	char buffer[8 * ROUND_MAX];

	init_gate(&gate);
	for (unsigned number = 0; number < 1000; number++) {
		queue_round(&ops->ring, &round, fd, buffer, &gate, &seed);
		harness_submit(&ops->ring, round.count);
		open_gate(&gate);
		for (unsigned i = 0; i < round.count; i++) {
			struct harness_cqe cqe = harness_next(&ops->ring);

			assert_in_range(cqe.user_data, 0, round.count - 1);
			assert_int_equal(cqe.res, cqe.user_data ? 8 : 1);
			round.place[cqe.user_data] = i;
		}
		check_round(&round, number);
	}
	close_gate(&gate);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_drained_request_waits_for_all_before),
		ops_test(later_requests_wait_for_the_drained_one),
		ops_test(later_requests_wait_until_the_drained_one_is_done),
		ops_test(an_idle_ring_drains_at_once),
		ops_test(a_drained_member_delays_its_chain),
		ops_test(a_chain_before_is_waited_for),
		ops_test(failures_complete_as_well_as_successes),
		ops_test(a_badly_prepared_chain_waits_for_its_turn),
		ops_test(drain_and_skip_exclude_each_other),
		ops_test(the_order_holds_over_a_thousand_rounds),
	};

	return harness_run(tests);
}
