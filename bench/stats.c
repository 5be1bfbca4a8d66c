/* SPDX-License-Identifier: MIT */
#include "stats.h"

#include <stdlib.h>
#include <string.h>

double bench_figure(const struct measurement *measurement, enum figure figure)
{
	double operations = (double)measurement->operations;

	switch (figure) {
	case FIGURE_TIME:
		return measurement->seconds * 1e9 / operations;
	case FIGURE_CPU:
		return measurement->cpu_seconds * 1e9 / operations;
	default:
		return (double)measurement->allocations / operations;
	}
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static void sort(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare);
}

static unsigned rounds(const struct cell_result *result, enum figure figure, double *values)
{
	for (unsigned round = 0; round < result->rounds; round++)
		values[round] = bench_figure(&result->measurements[round], figure);
	return result->rounds;
}

static unsigned paired(const struct cell_result *one, const struct cell_result *other,
		       enum figure figure, double *values)
{
	unsigned count = 0;

	for (unsigned round = 0; round < one->rounds && round < other->rounds; round++) {
		double divisor = bench_figure(&other->measurements[round], figure);

		if (divisor > 0)
			values[count++] = bench_figure(&one->measurements[round], figure) / divisor;
	}
	return count;
}

double bench_median_of(const double *values, unsigned count)
{
	double ordered[ROUNDS_MAX];

	if (!count)
		return 0;
	memcpy(ordered, values, count * sizeof(*values));
	sort(ordered, count);
	if (count % 2)
		return ordered[count / 2];
	return (ordered[count / 2 - 1] + ordered[count / 2]) / 2;
}

static double spread_of(double *values, unsigned count)
{
	double median = bench_median_of(values, count);
	unsigned end = count / 4;

	if (median <= 0)
		return 0;
	sort(values, count);
	return (values[count - 1 - end] - values[end]) / median;
}

double bench_median(const struct cell_result *result, enum figure figure)
{
	double values[ROUNDS_MAX];

	return bench_median_of(values, rounds(result, figure, values));
}

double bench_ratio(const struct cell_result *one, const struct cell_result *other,
		   enum figure figure)
{
	double values[ROUNDS_MAX];

	return bench_median_of(values, paired(one, other, figure, values));
}

double bench_ratio_spread(const struct cell_result *one, const struct cell_result *other,
			  enum figure figure)
{
	double values[ROUNDS_MAX];

	return spread_of(values, paired(one, other, figure, values));
}

double bench_spread(const struct cell_result *result, enum figure figure)
{
	double values[ROUNDS_MAX];

	return spread_of(values, rounds(result, figure, values));
}
