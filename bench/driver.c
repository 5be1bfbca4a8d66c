/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "content.h"
#include "meter.h"

/* What a slot takes that needs no buffer: the area must not be empty. */
#define SMALLEST_BUFFER 64U

static int fail(const struct driver *driver, int error, const char *what)
{
	snprintf(driver->message->text, sizeof(driver->message->text), "%s: %s", what,
		 strerror(-error));
	return error;
}

/* A permutation of the numbers below 2^bits that leaves little trace of their order. */
static inline uint64_t scatter(uint64_t index, uint64_t mask, unsigned half_bits)
{
	index = (index * UINT64_C(0x9e3779b97f4a7c15)) & mask;
	index ^= index >> half_bits;
	return (index * UINT64_C(0xbf58476d1ce4e5b9)) & mask;
}

static inline uint64_t block_offset(const struct driver *driver, uint64_t n)
{
	uint64_t index = (driver->first + n) & driver->mask;

	if (driver->scattered)
		index = scatter(index, driver->mask, driver->half_bits);
	return index * driver->length;
}

uint64_t bench_driver_offset(const struct driver *driver, uint64_t n)
{
	return block_offset(driver, n);
}

static void prepare_data(struct operation *operation)
{
	if (operation->kind == OPERATION_WRITE)
		bench_content_fill(operation->buffer, operation->length, operation->offset);
	else
		memset(operation->buffer, 0xa5, operation->length);
}

/* Gives the operation the next block of the order. */
static inline void prepare(struct driver *driver, struct operation *operation)
{
	operation->offset = block_offset(driver, driver->next++);
	if (driver->verify)
		prepare_data(operation);
}

static bool data_matches(const struct operation *operation)
{
	uint64_t offset = operation->offset;

	if (operation->kind == OPERATION_READ)
		return bench_content_matches(operation->buffer, operation->length, offset);
	if (operation->kind != OPERATION_READV)
		return true;
	for (unsigned i = 0; i < operation->iovec_count; i++) {
		const struct iovec *piece = &operation->iovecs[i];

		if (!bench_content_matches(piece->iov_base, piece->iov_len, offset))
			return false;
		offset += piece->iov_len;
	}
	return true;
}

static int wrong(const struct driver *driver, const struct operation *operation, int result)
{
	char *text = driver->message->text;
	size_t size = sizeof(driver->message->text);
	unsigned long long offset = operation->offset;

	if (result < 0) {
		snprintf(text, size, "operation at offset %llu failed: %s", offset,
			 strerror(-result));
		return result;
	}
	if (result == operation->expected)
		snprintf(text, size, "wrong data at offset %llu", offset);
	else
		snprintf(text, size, "operation at offset %llu: result %d instead of %d", offset,
			 result, operation->expected);
	return -EIO;
}

/* The second half of a durable write. Returns false when it was already that. */
static bool turn_into_fsync(struct operation *operation)
{
	bool written = operation->kind == OPERATION_WRITE;

	operation->kind = written ? OPERATION_FSYNC : OPERATION_WRITE;
	operation->expected = written ? 0 : (int)operation->length;
	return written;
}

/* A durable write begins with its first half and ends with its second. */
static void note_submission(const struct driver *driver, unsigned batched)
{
	uint64_t now = bench_now();

	for (unsigned i = 0; i < batched; i++) {
		const struct operation *operation = driver->batch[i];

		if (!driver->durable || operation->kind == OPERATION_WRITE)
			driver->submitted[operation->slot] = now;
	}
}

static void note_completion(const struct driver *driver, unsigned count)
{
	uint64_t now = bench_now();

	for (unsigned i = 0; i < count; i++) {
		unsigned slot = driver->completions[i].slot;

		if (!driver->durable || driver->operations[slot].kind == OPERATION_FSYNC)
			bench_histogram_add(driver->latencies, now - driver->submitted[slot]);
	}
}

/* Hands the batch over. In flight were, before, so many. */
static int submit(struct driver *driver, unsigned in_flight, unsigned batched)
{
	int error = 0;

	if (driver->submitted)
		note_submission(driver, batched);
	if (batched)
		error = driver->engine->submit(driver->state, driver->batch, batched);
	driver->in_flight = in_flight + batched;
	return error ? fail(driver, error, "submitting") : 0;
}

/* Nothing stays in flight from one turn to the next. */
static int nop_turn(struct driver *driver)
{
	unsigned depth = driver->workload->depth;
	int error = driver->engine->nops(driver->state, depth);

	if (error)
		return fail(driver, error, "a batch of NOPs");
	driver->next += depth;
	return (int)depth;
}

int bench_driver_start(struct driver *driver)
{
	unsigned batched = 0;

	if (driver->workload->kind == OPERATION_NOP)
		return 0;
	while (batched < driver->workload->depth && !bench_driver_exhausted(driver)) {
		prepare(driver, &driver->operations[batched]);
		driver->batch[batched] = &driver->operations[batched];
		batched++;
	}
	return submit(driver, 0, batched);
}

int bench_driver_turn(struct driver *driver)
{
	unsigned at_least = driver->workload->wait_for;
	unsigned in_flight = driver->in_flight;
	unsigned batched = 0, halves = 0;
	int count, error;

	if (driver->workload->kind == OPERATION_NOP)
		return nop_turn(driver);
	if (at_least > in_flight)
		at_least = in_flight;
	count = driver->engine->reap(driver->state, at_least, driver->completions);
	if (count < 0)
		return fail(driver, count, "reaping completions");
	if (driver->latencies)
		note_completion(driver, (unsigned)count);
	for (int i = 0; i < count; i++) {
		const struct completion *completion = &driver->completions[i];
		struct operation *operation = &driver->operations[completion->slot];

		if (completion->result != operation->expected)
			return wrong(driver, operation, completion->result);
		if (driver->verify && !data_matches(operation))
			return wrong(driver, operation, completion->result);
		if (driver->durable && turn_into_fsync(operation))
			halves++;
		else if (!bench_driver_exhausted(driver))
			prepare(driver, operation);
		else
			continue;
		driver->batch[batched++] = operation;
	}
	error = submit(driver, in_flight - (unsigned)count, batched);
	return error ? error : count - (int)halves;
}

int bench_driver_drain(struct driver *driver)
{
	driver->limit = driver->next;
	while (driver->in_flight) {
		int count = bench_driver_turn(driver);

		if (count < 0)
			return count;
	}
	return 0;
}

static int open_descriptors(struct driver *driver, const struct file *file)
{
	const struct workload *workload = driver->workload;
	int flags = O_RDWR | (workload->direct ? O_DIRECT : 0);

	for (unsigned i = 0; i < workload->descriptors; i++) {
		int fd = bench_file_reopen(file, flags);

		if (fd < 0)
			return fail(driver, fd, workload->direct ? "O_DIRECT" : "opening the file");
		driver->descriptors[driver->descriptor_count++] = fd;
		/* Readahead would fetch blocks that nobody asks for. */
		if (workload->order == ORDER_SCATTERED &&
		    (workload->state == STATE_COLD || workload->state == STATE_MIXED))
			posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	}
	return 0;
}

/*
 * The buffers are in place before anything is timed. The pieces of a vectored operation go
 * through its buffer from the back, so that they are pieces indeed.
 */
static int lay_out_operations(struct driver *driver)
{
	const struct workload *workload = driver->workload;
	size_t stride = workload->length ? workload->length : SMALLEST_BUFFER;
	unsigned pieces = workload->iovecs;

	driver->buffers_size = stride * workload->depth;
	driver->buffers = mmap(NULL, driver->buffers_size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (driver->buffers == MAP_FAILED)
		return fail(driver, -errno, "mmap");
	for (unsigned slot = 0; slot < workload->depth; slot++) {
		struct operation *operation = &driver->operations[slot];
		unsigned descriptors = driver->descriptor_count;

		operation->kind = workload->kind;
		operation->slot = slot;
		operation->fd = descriptors ? driver->descriptors[slot % descriptors] : -1;
		operation->length = workload->length;
		operation->expected = (int)workload->length;
		operation->buffer = driver->buffers + slot * stride;
		operation->iovecs = &driver->iovecs[slot * OPERATION_IOVECS];
		operation->iovec_count = pieces;
		for (unsigned i = 0; i < pieces; i++) {
			size_t length = workload->length / pieces;

			operation->iovecs[i].iov_base =
				(char *)operation->buffer + (pieces - 1 - i) * length;
			operation->iovecs[i].iov_len = length;
		}
	}
	return 0;
}

static int allocate(struct driver *driver)
{
	unsigned depth = driver->workload->depth;

	driver->operations = calloc(depth, sizeof(*driver->operations));
	driver->iovecs = calloc((size_t)depth * OPERATION_IOVECS, sizeof(*driver->iovecs));
	driver->batch = calloc(depth, sizeof(*driver->batch));
	driver->completions = calloc(depth, sizeof(*driver->completions));
	driver->descriptors = calloc(driver->workload->descriptors + 1, sizeof(int));
	if (!driver->operations || !driver->iovecs || !driver->batch || !driver->completions ||
	    !driver->descriptors)
		return fail(driver, -ENOMEM, "preparing");
	return 0;
}

static void choose_order(struct driver *driver, uint64_t size, unsigned round)
{
	const struct workload *workload = driver->workload;
	uint64_t blocks = workload->length ? size / workload->length : 1;

	driver->mask = blocks - 1;
	while (driver->mask >> (2 * driver->half_bits))
		driver->half_bits++;
	driver->limit = workload->once ? blocks : UINT64_MAX;
	driver->length = workload->length;
	driver->durable = workload->durable;
	driver->scattered = workload->order == ORDER_SCATTERED;
	if (driver->scattered)
		driver->first = round * UINT64_C(7919);
}

int bench_driver_open(struct driver *driver, const struct engine *engine,
		      const struct workload *workload, const struct file *file, unsigned round,
		      struct message *message)
{
	struct engine_setup setup = {
		.depth = workload->depth,
		.sleeps = workload->sleeps,
		.watched = workload->watched,
	};
	int error;

	*driver = (struct driver){
		.workload = workload, .engine = engine, .message = message, .buffers = MAP_FAILED};
	error = allocate(driver);
	if (!error && file)
		error = open_descriptors(driver, file);
	if (!error)
		error = lay_out_operations(driver);
	if (error)
		return error;
	choose_order(driver, file ? file->size : UINT64_C(1) << 28, round);
	setup.descriptors = driver->descriptors;
	setup.descriptor_count = driver->descriptor_count;
	error = engine->open(&driver->state, &setup);
	return error ? fail(driver, error, "opening the engine") : 0;
}

int bench_driver_note_times(struct driver *driver)
{
	driver->submitted = calloc(driver->workload->depth, sizeof(*driver->submitted));
	return driver->submitted ? 0 : fail(driver, -ENOMEM, "preparing");
}

void bench_driver_close(struct driver *driver)
{
	if (driver->state)
		driver->engine->close(driver->state);
	for (unsigned i = 0; i < driver->descriptor_count; i++)
		close(driver->descriptors[i]);
	if (driver->buffers != MAP_FAILED)
		munmap(driver->buffers, driver->buffers_size);
	free(driver->submitted);
	free(driver->descriptors);
	free(driver->completions);
	free(driver->batch);
	free(driver->iovecs);
	free(driver->operations);
}
