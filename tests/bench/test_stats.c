/* SPDX-License-Identifier: MIT */
/*
 * bench/stats.c: ratios are of what was measured in the same round; bench/report_tables.c: the best
 * peer is the one that leaves us the largest of them.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "report.h"
#include "stats.h"

/* Nanoseconds of each round, with twice as much CPU time. */
static struct cell_result *result_of(unsigned count, const double *nanoseconds)
{
	struct cell_result *result = calloc(1, sizeof(*result));

	assert_non_null(result);
	result->applies = true;
	result->rounds = count;
	for (unsigned i = 0; i < count; i++)
		result->measurements[i] = (struct measurement){
			.operations = 1000,
			.seconds = nanoseconds[i] * 1e-6,
			.cpu_seconds = nanoseconds[i] * 2e-6,
		};
	return result;
}

/* Ours and another's, and what their ratio is to be. */
static void expect(unsigned count, const double *ours, const double *theirs, double ratio,
		   double spread)
{
	struct cell_result *one = result_of(count, ours), *other = result_of(count, theirs);

	assert_true(fabs(bench_ratio(one, other, FIGURE_TIME) - ratio) < 1e-9);
	assert_true(fabs(bench_ratio(one, other, FIGURE_CPU) - ratio) < 1e-9);
	assert_true(fabs(bench_ratio_spread(one, other, FIGURE_TIME) - spread) < 1e-9);
	free(one);
	free(other);
}

static void a_machine_that_changes_speed(void **state)
{
	(void)state;
	expect(5, (const double[]){50, 100, 25, 400, 50}, (const double[]){100, 200, 50, 800, 100},
	       0.5, 0);
}

/* The medians are 220 and 200. */
static void it_is_not_the_ratio_of_medians(void **state)
{
	(void)state;
	expect(3, (const double[]){100, 220, 330}, (const double[]){200, 100, 440}, 0.75,
	       (2.2 - 0.5) / 0.75);
}

static void an_even_number_of_rounds(void **state)
{
	(void)state;
	expect(2, (const double[]){10, 30}, (const double[]){10, 10}, 2, 1);
}

static void a_quarter_at_each_end_does_not_count(void **state)
{
	(void)state;
	expect(5, (const double[]){900, 90, 100, 110, 1}, (const double[]){100, 100, 100, 100, 100},
	       1, 0.2);
}

static void what_cannot_be_divided_by_is_left_out(void **state)
{
	(void)state;
	expect(3, (const double[]){10, 20, 30}, (const double[]){0, 10, 10}, 2.5, 0.4);
	expect(2, (const double[]){10, 20}, (const double[]){0, 0}, 0, 0);
	expect(0, NULL, NULL, 0, 0);
}

static void values_alone(void **state)
{
	(void)state;
	struct cell_result *result = result_of(5, (const double[]){5, 1, 2, 4, 3});

	assert_true(fabs(bench_median(result, FIGURE_TIME) - 3) < 1e-9);
	assert_true(fabs(bench_median(result, FIGURE_CPU) - 6) < 1e-9);
	assert_true(fabs(bench_spread(result, FIGURE_TIME) - (2.0 / 3)) < 1e-9);
	free(result);
}

/* By pairs ours is behind sync and ahead of libaio, whose median is the least. */
static void the_best_peer_is_that_of_the_largest_ratio(void **state)
{
	(void)state;
	static const struct engine engines[] = {{.name = "libaio"},
						{.name = ENGINE_OURS},
						{.name = "sync"},
						{.name = ENGINE_FLOOR}};
	static const double rounds[][3] = {{20, 40, 16}, {10, 33, 33}, {5, 30, 31}, {1, 1, 1}};
	struct run *run = calloc(1, sizeof(*run));
	struct row *row;

	assert_non_null(run);
	row = &run->rows[0];
	run->column_count = 4;
	for (unsigned i = 0; i < run->column_count; i++) {
		struct cell_result *result = result_of(3, rounds[i]);

		run->columns[i].engine = &engines[i];
		row->results[i] = *result;
		free(result);
	}
	assert_int_equal(bench_best_peer(run, row, FIGURE_TIME), 2);
	assert_int_equal(bench_best_peer(run, row, FIGURE_CPU), 2);
	row->results[2].applies = false;
	assert_int_equal(bench_best_peer(run, row, FIGURE_TIME), 0);
	row->results[2].applies = true;
	row->results[1].applies = false; /* ours: then by the median */
	assert_int_equal(bench_best_peer(run, row, FIGURE_TIME), 0);
	row->results[0].applies = row->results[2].applies = false;
	assert_int_equal(bench_best_peer(run, row, FIGURE_TIME), -1);
	free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_that_changes_speed),
		cmocka_unit_test(it_is_not_the_ratio_of_medians),
		cmocka_unit_test(an_even_number_of_rounds),
		cmocka_unit_test(a_quarter_at_each_end_does_not_count),
		cmocka_unit_test(what_cannot_be_divided_by_is_left_out),
		cmocka_unit_test(values_alone),
		cmocka_unit_test(the_best_peer_is_that_of_the_largest_ratio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
