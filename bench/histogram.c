/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#include <math.h>

void bench_histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	histogram->count += other->count;
	if (other->longest > histogram->longest)
		histogram->longest = other->longest;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		histogram->buckets[i] += other->buckets[i];
}

/* The longest duration that is counted there. */
static uint64_t upper_end(unsigned bucket)
{
	unsigned shift;
	uint64_t step;

	if (bucket < 2 * HISTOGRAM_STEPS)
		return bucket;
	shift = bucket / HISTOGRAM_STEPS - 1;
	step = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
	return ((step + 1) << shift) - 1;
}

double bench_histogram_quantile(const struct histogram *histogram, double share)
{
	uint64_t wanted = (uint64_t)ceil((double)histogram->count * share), seen = 0;
	unsigned bucket = 0;

	if (!histogram->count)
		return 0;
	while (bucket < HISTOGRAM_BUCKETS - 1) {
		seen += histogram->buckets[bucket];
		if (seen >= wanted)
			break;
		bucket++;
	}
	if (upper_end(bucket) > histogram->longest || bucket == HISTOGRAM_BUCKETS - 1)
		return (double)histogram->longest;
	return (double)upper_end(bucket);
}
