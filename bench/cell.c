/* SPDX-License-Identifier: MIT */
#include "cell.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "content.h"
#include "heap.h"
#include "isolate.h"
#include "meter.h"
#include "network.h"
#include "timers.h"

#define MILLISECOND	  UINT64_C(1000000)
#define VERIFY_OPERATIONS 1024
#define BRIEF		  0.01 /* seconds */
#define TRIES		  10

/* What a child leaves behind. */
struct outcome {
	struct measurement measurement;
	struct histogram latencies;
};

/* Blocks that this process, in any of its threads, had to have read from a device. */
static long device_reads(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_inblock;
}

/*
 * Drives until the time is over, this many operations are finished, or the file is at its end.
 * The clock is read about once a millisecond, not once per operation.
 */
static int drive(struct driver *driver, double seconds, uint64_t most, uint64_t *operations)
{
	uint64_t begin = bench_now();
	uint64_t end = begin + (uint64_t)(seconds * NANOSECONDS);
	uint64_t done = 0, check = 1;

	while (done < most && !bench_driver_exhausted(driver)) {
		int finished = bench_driver_turn(driver);
		uint64_t time;

		if (finished < 0)
			return finished;
		done += (uint64_t)finished;
		if (done < check)
			continue;
		time = bench_now();
		if (time >= end)
			break;
		check = done + 1 + done * MILLISECOND / (time - begin + 1);
	}
	*operations = done;
	return 0;
}

/*
 * Threads are up and free lists filled before anything counts. Where the file's end ends the
 * round, only a little of it is spent on that.
 */
static int warm_up(struct driver *driver, double seconds)
{
	uint64_t most = driver->limit / 16, ignored;
	int error = bench_driver_start(driver);

	return error ? error : drive(driver, seconds / 5, most, &ignored);
}

static int measure(struct driver *driver, const struct cell *cell, struct measurement *measurement)
{
	uint64_t allocations, begin;
	double cpu;
	int error = warm_up(driver, cell->seconds);

	if (error)
		return error;
	driver->latencies = cell->latencies;
	allocations = bench_heap_allocations();
	cpu = bench_cpu_seconds();
	begin = bench_now();
	error = drive(driver, cell->seconds, UINT64_MAX, &measurement->operations);
	measurement->seconds = (double)(bench_now() - begin) / NANOSECONDS;
	measurement->cpu_seconds = bench_cpu_seconds() - cpu;
	measurement->allocations = bench_heap_allocations() - allocations;
	driver->latencies = NULL;
	if (!error)
		error = bench_driver_drain(driver);
	if (error)
		return error;
	if (!measurement->operations) {
		snprintf(driver->message->text, sizeof(driver->message->text),
			 "nothing finished in time");
		return -ETIMEDOUT;
	}
	measurement->threads_idle = bench_other_threads();
	return 0;
}

/* Everything has been written, to a file that held none of it before: is it there now? */
static int check_written(const struct driver *driver, const struct file *file)
{
	size_t length = driver->workload->length;
	char *buffer = malloc(length);
	uint64_t offset = 0;
	bool good = buffer;

	for (uint64_t n = 0; good && n < driver->next; n++) {
		offset = bench_driver_offset(driver, n);
		good = pread(file->fd, buffer, length, (off_t)offset) == (ssize_t)length &&
		       bench_content_matches(buffer, length, offset);
	}
	free(buffer);
	if (good)
		return 0;
	snprintf(driver->message->text, sizeof(driver->message->text),
		 "the file does not hold what was written at offset %llu",
		 (unsigned long long)offset);
	return -EIO;
}

static int verify(struct driver *driver, const struct file *file)
{
	int error, count = 0;

	driver->verify = true;
	if (driver->limit > VERIFY_OPERATIONS)
		driver->limit = VERIFY_OPERATIONS;
	error = bench_driver_start(driver);
	while (!error && count >= 0 && bench_driver_busy(driver))
		count = bench_driver_turn(driver);
	if (error || count < 0)
		return error ? error : count;
	if (driver->workload->kind == OPERATION_WRITE)
		return check_written(driver, file);
	return 0;
}

static int open_cell(const struct cell *cell, struct driver *driver, struct message *message)
{
	const struct workload *workload = cell->workload;
	int error = 0;

	if (cell->file)
		error = bench_file_prepare(cell->file, workload->state, message);
	if (!error)
		error = bench_driver_open(driver, cell->engine, workload, cell->file, cell->round,
					  message);
	if (!error && cell->latencies)
		error = bench_driver_note_times(driver);
	return error;
}

/* Whether it is not the driver's, and has been measured. */
static bool measure_otherwise(const struct cell *cell, struct measurement *measurement)
{
	unsigned kind = SUPPORTS(cell->workload->kind);

	if (kind & SUPPORTS_CONNECTIONS)
		bench_network_measure(cell, measurement);
	else if (kind & SUPPORTS_TIMERS)
		bench_timers_measure(cell, measurement);
	else
		return false;
	return true;
}

static void measure_child(const struct cell *cell, struct measurement *measurement)
{
	struct driver driver;
	long reads;

	prctl(PR_SET_NAME, cell->engine->name); /* for bench/profile */
	if (measure_otherwise(cell, measurement))
		return;
	measurement->error = open_cell(cell, &driver, &measurement->message);
	reads = device_reads();
	if (!measurement->error)
		measurement->error = measure(&driver, cell, measurement);
	if (!measurement->error && cell->workload->state == STATE_RESIDENT)
		measurement->evicted = device_reads() != reads;
	if (measurement->error)
		return;
	bench_driver_close(&driver);
	measurement->threads_closed = bench_other_threads();
	/* What a round leaves dirty would be written back under the next one. */
	if (cell->file && cell->workload->state == STATE_EMPTY)
		measurement->error =
			bench_file_prepare(cell->file, STATE_EMPTY, &measurement->message);
}

static void verify_child(const struct cell *cell, struct measurement *measurement)
{
	struct driver driver;
	struct cell brief = *cell;

	/* There everything is verified at all times. */
	brief.seconds = BRIEF;
	if (measure_otherwise(&brief, measurement))
		return;
	measurement->error = open_cell(cell, &driver, &measurement->message);
	if (!measurement->error)
		measurement->error = verify(&driver, cell->file);
}

static void probe_child(const struct cell *cell, struct measurement *measurement)
{
	const struct engine_setup setup = {.depth = 1};
	void *state;

	measurement->error = cell->engine->open ? cell->engine->open(&state, &setup) : 0;
	if (cell->engine->open && !measurement->error)
		cell->engine->close(state);
}

struct task {
	void (*function)(const struct cell *cell, struct measurement *measurement);
	const struct cell *cell;
};

/* Latencies go where the parent sees them; so they can be written by children of this one too. */
static void child(const void *argument, void *memory)
{
	const struct task *task = argument;
	struct outcome *outcome = memory;
	struct cell cell = *task->cell;

	if (cell.latencies)
		cell.latencies = &outcome->latencies;
	task->function(&cell, &outcome->measurement);
}

/* A child that did not come back has left no message. */
static void isolate(void (*function)(const struct cell *cell, struct measurement *measurement),
		    const struct cell *cell, struct measurement *measurement)
{
	const struct task task = {.function = function, .cell = cell};
	unsigned limit = 30 + (unsigned)(cell->seconds * 4);
	struct message *message = &measurement->message;
	struct outcome outcome = {.measurement.error = 0};
	int status;

	status = bench_isolate(child, &task, &outcome, sizeof(outcome), limit);
	*measurement = outcome.measurement;
	if (status == SIGALRM) {
		measurement->error = -ETIMEDOUT;
		snprintf(message->text, sizeof(message->text), "hung: killed after %u s", limit);
	} else if (status > 0) {
		measurement->error = -EINTR;
		snprintf(message->text, sizeof(message->text), "killed by signal %d (%s)", status,
			 strsignal(status));
	} else if (status < 0) {
		measurement->error = status;
	}
	if (measurement->error && !message->text[0])
		snprintf(message->text, sizeof(message->text), "%s", strerror(-measurement->error));
	if (cell->latencies && !measurement->error && !measurement->evicted)
		bench_histogram_merge(cell->latencies, &outcome.latencies);
}

void bench_cell_probe(const struct cell *cell, struct measurement *measurement)
{
	isolate(probe_child, cell, measurement);
}

void bench_cell_verify(const struct cell *cell, struct measurement *measurement)
{
	isolate(verify_child, cell, measurement);
}

void bench_cell_measure(const struct cell *cell, struct measurement *measurement)
{
	unsigned tries = 0;

	do
		isolate(measure_child, cell, measurement);
	while (!measurement->error && measurement->evicted && ++tries < TRIES);
	if (measurement->error || !measurement->evicted)
		return;
	measurement->error = -EAGAIN;
	snprintf(measurement->message.text, sizeof(measurement->message.text),
		 "the file does not stay in the page cache: tried %u times", tries);
}

/* A NOP is hardly more than the two looks at the clock; a timer that is cancelled has no end. */
bool bench_cell_latencies(const struct workload *workload)
{
	return workload->kind != OPERATION_NOP && workload->kind != OPERATION_TIMER_CANCEL;
}
