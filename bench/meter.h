/* SPDX-License-Identifier: MIT */
/*
 * What is read before and after an interval. Of the calling process, all its threads.
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <stdint.h>

#define NANOSECONDS UINT64_C(1000000000)

/* The monotonic clock, in nanoseconds. */
uint64_t bench_now(void);

/* User and system time so far. */
double bench_cpu_seconds(void);

/* Threads besides the caller, kernel workers that belong to the process included. */
int bench_other_threads(void);

#endif
