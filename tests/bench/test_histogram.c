/* SPDX-License-Identifier: MIT */
/*
 * The histogram of latencies: each duration in a bucket that is no wider than promised, percentiles
 * as defined.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "histogram.h"

static struct histogram *empty(void)
{
	struct histogram *histogram = calloc(1, sizeof(*histogram));

	assert_non_null(histogram);
	return histogram;
}

/* What is told of a single duration, with a longer one so that its bucket's end is seen. */
static double told(uint64_t nanoseconds)
{
	struct histogram *histogram = empty();
	double value;

	bench_histogram_add(histogram, nanoseconds);
	bench_histogram_add(histogram, UINT64_MAX);
	value = bench_histogram_quantile(histogram, 0.5);
	free(histogram);
	return value;
}

static void durations_are_known_to_one_in_64(void **state)
{
	(void)state;
	for (uint64_t nanoseconds = 0; nanoseconds < 2 * HISTOGRAM_STEPS; nanoseconds++)
		assert_true(told(nanoseconds) == (double)nanoseconds);
	for (unsigned bit = HISTOGRAM_STEPS_BITS + 1; bit < HISTOGRAM_BITS; bit++) {
		for (int64_t off = -1; off <= 1; off++) {
			uint64_t nanoseconds = (UINT64_C(1) << bit) + (uint64_t)off;
			double value = told(nanoseconds);

			assert_true(value >= (double)nanoseconds);
			assert_true(value - (double)nanoseconds <=
				    (double)nanoseconds / HISTOGRAM_STEPS);
		}
	}
}

static void buckets_go_up_one_by_one(void **state)
{
	unsigned last = 0;

	(void)state;
	for (uint64_t nanoseconds = 1; nanoseconds < 1000000; nanoseconds++) {
		unsigned bucket = bench_histogram_bucket(nanoseconds);

		assert_true(bucket == last || bucket == last + 1);
		last = bucket;
	}
	assert_int_equal(bench_histogram_bucket((UINT64_C(1) << HISTOGRAM_BITS) - 1),
			 HISTOGRAM_BUCKETS - 1);
	assert_int_equal(bench_histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void a_percentile_is_what_so_many_stay_below(void **state)
{
	struct histogram *histogram = empty();

	(void)state;
	assert_true(bench_histogram_quantile(histogram, 0.5) == 0);
	for (uint64_t nanoseconds = 100; nanoseconds >= 1; nanoseconds--)
		bench_histogram_add(histogram, nanoseconds);
	assert_true(bench_histogram_quantile(histogram, 0.5) == 50);
	assert_true(bench_histogram_quantile(histogram, 0.9) == 90);
	assert_true(bench_histogram_quantile(histogram, 0.99) == 99);
	assert_true(bench_histogram_quantile(histogram, 0.999) == 100);
	free(histogram);
}

/* Its bucket ends later than the longest that there was. */
static void nothing_is_longer_than_the_longest(void **state)
{
	struct histogram *histogram = empty();

	(void)state;
	bench_histogram_add(histogram, 1000001);
	assert_true(bench_histogram_quantile(histogram, 0.5) == 1000001);
	bench_histogram_add(histogram, UINT64_C(1) << 50);
	assert_true(bench_histogram_quantile(histogram, 1) == (double)(UINT64_C(1) << 50));
	free(histogram);
}

static void merging_counts_both(void **state)
{
	struct histogram *first = empty(), *second = empty();

	(void)state;
	bench_histogram_add(first, 10);
	bench_histogram_add(second, 20);
	bench_histogram_add(second, 30);
	bench_histogram_merge(first, second);
	assert_int_equal(first->count, 3);
	assert_int_equal(first->longest, 30);
	assert_true(bench_histogram_quantile(first, 0.5) == 20);
	free(first);
	free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_known_to_one_in_64),
		cmocka_unit_test(buckets_go_up_one_by_one),
		cmocka_unit_test(a_percentile_is_what_so_many_stay_below),
		cmocka_unit_test(nothing_is_longer_than_the_longest),
		cmocka_unit_test(merging_counts_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
