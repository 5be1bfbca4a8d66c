/* SPDX-License-Identifier: MIT */
#include "timers.h"

#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "meter.h"
#include "service.h"

/*
 * The workload's depth of timers is for rounds as long as they are unless somebody wants others;
 * fewer where they are shorter.
 * Those that fire do so after as long a time as arming them may take, and within SPREAD.
 */
#define FULL_ROUND     0.08
#define FEWEST	       1000U
#define TIME_TO_ARM    UINT64_C(2000)
#define LEAST_DELAY    UINT64_C(20000000)
#define SPREAD	       (UINT64_C(1) << 24)
#define LONG_FROM_HERE (3600 * NANOSECONDS)

static unsigned number_of_timers(const struct cell *cell)
{
	double count = cell->workload->depth * cell->seconds / FULL_ROUND;

	if (count > cell->workload->depth)
		return cell->workload->depth;
	return count < FEWEST ? FEWEST : (unsigned)count;
}

/*
 * How late timers are is not asked of many that fire at once, but of some that fire one after
 * another, each while everybody sleeps.
 */
#define STEP (NANOSECONDS / 4000)

/* In no order, so that whoever keeps them in order has something to do. */
static uint64_t scattered(unsigned number)
{
	return number * UINT64_C(0x9e3779b97f4a7c15) % SPREAD;
}

static int arm(const struct timer_service *service, void *state, unsigned count, uint64_t earliest)
{
	int error = 0;

	for (unsigned i = 0; !error && i < count; i++)
		error = service->arm(state, i, earliest + scattered(i));
	return error ? error : service->await(state, 0);
}

static int cancel(const struct timer_service *service, void *state, unsigned count)
{
	int error = 0;

	for (unsigned i = 0; !error && i < count; i++)
		error = service->cancel(state, i);
	return error ? error : service->await(state, count);
}

/* The time in which there is nothing to do but to wait for the clock is not counted. */
static int run(const struct cell *cell, const struct timer_service *service, void *state,
	       unsigned count, struct measurement *measurement)
{
	bool fires = cell->workload->kind == OPERATION_TIMER_FIRE;
	uint64_t begin = bench_now(), delay = count * TIME_TO_ARM;
	uint64_t earliest, armed, resumed;
	int error;

	if (delay < LEAST_DELAY)
		delay = LEAST_DELAY;
	earliest = begin + (fires ? delay : LONG_FROM_HERE);
	error = arm(service, state, count, earliest);
	armed = resumed = bench_now();
	if (fires && resumed < earliest + SPREAD)
		resumed = earliest + SPREAD;
	if (!error)
		error = fires ? service->await(state, count) : cancel(service, state, count);
	measurement->seconds = (double)(armed - begin + bench_now() - resumed) / NANOSECONDS;
	measurement->operations = count;
	return error;
}

static int run_late(const struct cell *cell, struct measurement *measurement)
{
	const struct timer_service *service = cell->engine->timers;
	unsigned count = (unsigned)(cell->seconds * NANOSECONDS / STEP) + 1;
	struct lateness lateness = {
		.earliest = bench_now() + LEAST_DELAY,
		.step = STEP,
		.histogram = cell->latencies,
	};
	void *state;
	int error = service->open(&state, count, &lateness);

	if (error)
		return error;
	for (unsigned i = 0; !error && i < count; i++)
		error = service->arm(state, i, lateness.earliest + i * lateness.step);
	if (!error)
		error = service->await(state, count);
	if (!error)
		service->close(state);
	measurement->operations = count;
	return error;
}

static int run_all(const struct cell *cell, struct measurement *measurement)
{
	const struct timer_service *service = cell->engine->timers;
	unsigned count = number_of_timers(cell);
	uint64_t allocations;
	void *state;
	double cpu;
	int error = service->open(&state, count, NULL);

	if (error)
		return error;
	allocations = bench_heap_allocations();
	cpu = bench_cpu_seconds();
	error = run(cell, service, state, count, measurement);
	measurement->cpu_seconds = bench_cpu_seconds() - cpu;
	measurement->allocations = bench_heap_allocations() - allocations;
	measurement->threads_idle = bench_other_threads();
	if (error)
		return error;
	service->close(state);
	measurement->threads_closed = bench_other_threads();
	return 0;
}

void bench_timers_measure(const struct cell *cell, struct measurement *measurement)
{
	measurement->error =
		cell->latencies ? run_late(cell, measurement) : run_all(cell, measurement);
	if (measurement->error)
		snprintf(measurement->message.text, sizeof(measurement->message.text), "timers: %s",
			 strerror(-measurement->error));
}
