/* SPDX-License-Identifier: MIT */
#include "stats.h"

#include <stdlib.h>

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

double bench_median(const struct cell_result *result, enum figure figure)
{
	double values[ROUNDS_MAX];
	unsigned middle = result->rounds / 2;

	if (!result->rounds)
		return 0;
	sorted(result, figure, values);
	if (result->rounds % 2)
		return values[middle];
	return (values[middle - 1] + values[middle]) / 2;
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
