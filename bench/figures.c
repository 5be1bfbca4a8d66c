/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <string.h>

#include "stats.h"

void bench_values_add(struct values *values, double value)
{
	if (values->count < VALUE_ROUNDS_MAX)
		values->rounds[values->count++] = value;
}

static struct series *find_series(struct curve *curve, const char *engine)
{
	struct series *series;

	for (unsigned i = 0; i < curve->count; i++) {
		if (strcmp(curve->series[i].engine, engine) == 0)
			return &curve->series[i];
	}
	if (curve->count == SERIES_MAX)
		return NULL;
	series = &curve->series[curve->count++];
	series->engine = engine;
	return series;
}

void bench_curve_add(struct curve *curve, const char *engine, double x, double value)
{
	struct series *series = find_series(curve, engine);
	unsigned i = 0;

	if (!series)
		return;
	while (i < series->count && series->points[i].x != x)
		i++;
	if (i == POINTS_MAX)
		return;
	if (i == series->count) {
		series->count++;
		series->points[i].x = x;
	}
	bench_values_add(&series->points[i].values, value);
}

double bench_values_median(const struct values *values)
{
	return bench_median_of(values->rounds, values->count);
}
