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

static void sorted(const struct cell_result *result, enum figure figure, double *values)
{
	for (unsigned round = 0; round < result->rounds; round++)
		values[round] = bench_figure(&result->measurements[round], figure);
	qsort(values, result->rounds, sizeof(*values), compare);
}

static double middle_of(const double *values, unsigned count)
{
	if (!count)
		return 0;
	if (count % 2)
		return values[count / 2];
	return (values[count / 2 - 1] + values[count / 2]) / 2;
}

double bench_median_of(const double *values, unsigned count)
{
	double ordered[ROUNDS_MAX];

	memcpy(ordered, values, count * sizeof(*values));
	qsort(ordered, count, sizeof(*ordered), compare);
	return middle_of(ordered, count);
}

double bench_median(const struct cell_result *result, enum figure figure)
{
	double values[ROUNDS_MAX];

	sorted(result, figure, values);
	return middle_of(values, result->rounds);
}

double bench_spread(const struct cell_result *result, enum figure figure)
{
	double values[ROUNDS_MAX];
	double median = bench_median(result, figure);

	if (median <= 0)
		return 0;
	sorted(result, figure, values);
	return (values[result->rounds - 1] - values[0]) / median;
}
