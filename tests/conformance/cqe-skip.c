/* SPDX-License-Identifier: MIT */
/*
 * Description: IOSQE_CQE_SKIP_SUCCESS: which completions stay away, alone and in chains, in every
 * combination of flags and failures.
 *
 * The rule that the tests spell out: success is silent. A failing member is never silent; but with
 * the flag it makes all silent that are cancelled because of it, without the flag none of them.
 */
#include "ops_helpers.h"

enum { SILENT = 1 << 20 }; /* "no completion", in tables of expected results */

/* Take the completions that are due, and see that a nop behind them is the next and last. */
static void expect_results_at(struct io_uring *ring, const int *want, unsigned count,
			      const char *label, int line)
{
	int results[16];
	unsigned due = 0;

	for (unsigned i = 0; i < count; i++) {
		results[i] = SILENT;
		due += want[i] != SILENT;
	}
	for (unsigned i = 0; i < due; i++) {
		struct harness_cqe cqe = harness_next_at(ring, __FILE__, line);

		if (cqe.user_data >= count || results[cqe.user_data] != SILENT) {
			print_error("%s: unexpected completion: user_data %llu res %d\n", label,
				    (unsigned long long)cqe.user_data, cqe.res);
			_fail(__FILE__, line);
		}
		results[cqe.user_data] = cqe.res;
	}
	for (unsigned i = 0; i < count; i++) {
		if (results[i] == want[i])
			continue;
		print_error("%s: request %u gave %d, not %d\n", label, i, results[i], want[i]);
		_fail(__FILE__, line);
	}
	ops_prep(ring, 99, 0, nop);
	harness_submit(ring, 1);
	ops_expect_at(ring, 99, 0, __FILE__, line);
	harness_assert_empty_at(ring, __FILE__, line);
}

#define expect_results(ring, want, count, label)                                                   \
	expect_results_at(ring, want, count, label, __LINE__)

static unsigned skip_flag(unsigned mask, unsigned place)
{
	return mask & 1u << place ? IOSQE_CQE_SKIP_SUCCESS : 0;
}

static void success_is_silent(void **state)
{
	static const int nothing[] = {SILENT, SILENT, 0};
	struct ops *ops = *state;

	ops_prep(&ops->ring, 0, IOSQE_CQE_SKIP_SUCCESS, nop);
	ops_prep(&ops->ring, 1, IOSQE_CQE_SKIP_SUCCESS, nop);
	ops_prep(&ops->ring, 2, 0, nop);
	harness_submit(&ops->ring, 3);
	expect_results(&ops->ring, nothing, 3, "nops");
}

static void failure_is_not(void **state)
{
	static const int failed[] = {-EBADF, -EIO};
	static const int refused[] = {-EINVAL};
	struct ops *ops = *state;
	char byte;

	ops_prep(&ops->ring, 0, IOSQE_CQE_SKIP_SUCCESS, read, -1, &byte, 1, 0);
	ops_nop(&ops->ring, 1, IOSQE_CQE_SKIP_SUCCESS, -EIO);
	harness_submit(&ops->ring, 2);
	expect_results(&ops->ring, failed, 2, "failing requests");
	ops_bad_nop(&ops->ring, 0, IOSQE_CQE_SKIP_SUCCESS);
	harness_submit(&ops->ring, 1);
	expect_results(&ops->ring, refused, 1, "a badly prepared request");
}

/* A short transfer counts as a failure here too: the caller must hear how much was done. */
static void a_short_transfer_is_not_silent(void **state)
{
	static const int results[] = {SILENT, 2, 0};
	struct ops *ops = *state;
	int fd = harness_temp_file(10);
	char buffer[16];

	ops_prep(&ops->ring, 0, IOSQE_CQE_SKIP_SUCCESS, read, fd, buffer, 10, 0);
	ops_prep(&ops->ring, 1, IOSQE_CQE_SKIP_SUCCESS, read, fd, buffer, 10, 8);
	ops_prep(&ops->ring, 2, IOSQE_CQE_SKIP_SUCCESS, read, fd, buffer, 10, 10);
	harness_submit(&ops->ring, 3);
	expect_results(&ops->ring, results, 3, "reads");
	close(fd);
}

static void pending_requests_are_silent_too(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};
	static const int results[] = {SILENT, 1};
	struct ops *ops = *state;
	char bytes[2];
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		unsigned both = flags[i] | IOSQE_CQE_SKIP_SUCCESS;

		ops_prep(&ops->ring, 0, both | IOSQE_IO_LINK, read, fds[0], bytes, 1, 0);
		ops_prep(&ops->ring, 1, flags[i], read, fds[0], bytes + 1, 1, 0);
		harness_submit(&ops->ring, 2);
		assert_int_equal(write(fds[1], "ab", 2), 2);
		expect_results(&ops->ring, results, 2, "pipe reads");
		assert_memory_equal(bytes, "ab", 2);
	}
	harness_close_pipe(fds);
}

/* ---- chains -------------------------------------------------------------------------------- */

enum { LENGTH = 4, NO_FAILURE = LENGTH };

/* The rule of the head comment for a chain whose member at place fails when it runs. */
static void predict(unsigned mask, unsigned place, bool hard, int *want)
{
	for (unsigned i = 0; i < LENGTH; i++) {
		if (place < i && !hard)
			want[i] = skip_flag(mask, place) ? SILENT : -ECANCELED;
		else if (i == place)
			want[i] = -EIO;
		else
			want[i] = skip_flag(mask, i) ? SILENT : 0;
	}
}

static void check_chains(struct io_uring *ring, unsigned link, unsigned more_flags)
{
	int want[LENGTH];

	for (unsigned mask = 0; mask < 1u << LENGTH; mask++) {
		for (unsigned place = 0; place <= NO_FAILURE; place++) {
			char label[64];

			for (unsigned i = 0; i < LENGTH; i++) {
				unsigned flags = more_flags | skip_flag(mask, i);

				if (i + 1 < LENGTH)
					flags |= link;
				ops_nop(ring, i, flags, i == place ? -EIO : 0);
			}
			harness_submit(ring, LENGTH);
			predict(mask, place, link == IOSQE_IO_HARDLINK, want);
			snprintf(label, sizeof(label), "flags 0x%x, failing %u", mask, place);
			expect_results(ring, want, LENGTH, label);
		}
	}
}

static void soft_chains_in_every_combination(void **state)
{
	struct ops *ops = *state;

	check_chains(&ops->ring, IOSQE_IO_LINK, 0);
}

static void hard_chains_in_every_combination(void **state)
{
	struct ops *ops = *state;

	check_chains(&ops->ring, IOSQE_IO_HARDLINK, 0);
}

static void soft_chains_in_workers(void **state)
{
	struct ops *ops = *state;

	check_chains(&ops->ring, IOSQE_IO_LINK, IOSQE_ASYNC);
}

static void hard_chains_in_workers(void **state)
{
	struct ops *ops = *state;

	check_chains(&ops->ring, IOSQE_IO_HARDLINK, IOSQE_ASYNC);
}

/*
 * A member that cannot be prepared fails the chain at its head. So it is the head's flag that
 * decides, and with it even the culprit's own error is silent.
 */
static void badly_prepared_chains_in_every_combination(void **state)
{
	static const unsigned links[] = {IOSQE_IO_LINK, IOSQE_IO_HARDLINK};
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int want[LENGTH];

	for (unsigned round = 0; round < 2u << LENGTH; round++) {
		unsigned link = links[round & 1], mask = round >> 1;

		for (unsigned place = 0; place < LENGTH; place++) {
			char label[64];

			for (unsigned i = 0; i < LENGTH; i++) {
				unsigned flags = skip_flag(mask, i);

				if (i + 1 < LENGTH)
					flags |= link;
				if (i == place)
					ops_bad_nop(ring, i, flags);
				else
					ops_prep(ring, i, flags, nop);
				want[i] = i == place ? -EINVAL : -ECANCELED;
				if (i > 0 && mask & 1)
					want[i] = SILENT;
			}
			harness_submit(ring, LENGTH);
			snprintf(label, sizeof(label), "flags 0x%x, badly prepared %u", mask,
				 place);
			expect_results(ring, want, LENGTH, label);
		}
	}
}

/* A request that is cancelled has failed. */
static void a_cancelled_request_is_not_silent(void **state)
{
	struct ops *ops = *state;
	int fds[2];
	char byte;
	int results[3];

	harness_pipe(fds);
	ops_prep(&ops->ring, 0, IOSQE_CQE_SKIP_SUCCESS, read, fds[0], &byte, 1, 0);
	harness_submit(&ops->ring, 1);
	ops_prep(&ops->ring, 1, 0, cancel64, 0, 0);
	/* A cancellation may be silent, but not when it finds nothing. */
	ops_prep(&ops->ring, 2, IOSQE_CQE_SKIP_SUCCESS, cancel64, 12345, 0);
	harness_submit(&ops->ring, 2);
	ops_collect(&ops->ring, results, 3);
	ops_assert_results(results, -ECANCELED, 0, -ENOENT);

	ops_prep(&ops->ring, 0, 0, read, fds[0], &byte, 1, 0);
	harness_submit(&ops->ring, 1);
	ops_prep(&ops->ring, 1, IOSQE_CQE_SKIP_SUCCESS, cancel64, 0, 0);
	harness_submit(&ops->ring, 1);
	ops_expect(&ops->ring, 0, -ECANCELED);
	harness_assert_empty(&ops->ring);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(success_is_silent),
		ops_test(failure_is_not),
		ops_test(a_short_transfer_is_not_silent),
		ops_test(pending_requests_are_silent_too),
		ops_test(soft_chains_in_every_combination),
		ops_test(hard_chains_in_every_combination),
		ops_test(soft_chains_in_workers),
		ops_test(hard_chains_in_workers),
		ops_test(badly_prepared_chains_in_every_combination),
		ops_test(a_cancelled_request_is_not_silent),
	};

	return harness_run(tests);
}
