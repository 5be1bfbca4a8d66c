/* SPDX-License-Identifier: MIT */
/*
 * Counts durations in buckets whose width grows with them, so that each is known to 1.6 %, from a
 * nanosecond to half an hour, in memory of fixed size. One writer.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

/* So many buckets for each power of two. Below, each duration has one of its own. */
#define HISTOGRAM_STEPS_BITS 6
#define HISTOGRAM_STEPS	     (1U << HISTOGRAM_STEPS_BITS)
#define HISTOGRAM_BITS	     41 /* of the longest duration */
#define HISTOGRAM_BUCKETS    ((HISTOGRAM_BITS - HISTOGRAM_STEPS_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
	uint64_t count;
	uint64_t longest;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline unsigned bench_histogram_bucket(uint64_t nanoseconds)
{
	unsigned shift;

	if (nanoseconds < HISTOGRAM_STEPS)
		return (unsigned)nanoseconds;
	if (nanoseconds >> HISTOGRAM_BITS)
		return HISTOGRAM_BUCKETS - 1;
	shift = 63U - HISTOGRAM_STEPS_BITS - (unsigned)__builtin_clzll(nanoseconds);
	return shift * HISTOGRAM_STEPS + (unsigned)(nanoseconds >> shift);
}

static inline void bench_histogram_add(struct histogram *histogram, uint64_t nanoseconds)
{
	histogram->count++;
	if (nanoseconds > histogram->longest)
		histogram->longest = nanoseconds;
	histogram->buckets[bench_histogram_bucket(nanoseconds)]++;
}

void bench_histogram_merge(struct histogram *histogram, const struct histogram *other);

/*
 * So long, in nanoseconds, took at most this share of all (0 to 1): the upper end of its bucket, or
 * the longest. 0 if there are none.
 */
double bench_histogram_quantile(const struct histogram *histogram, double share);

#endif
