/* SPDX-License-Identifier: MIT */
/*
 * The floor: the system calls by which asyncring moves the data in the workloads that its own
 * threads have no part in, with nothing around them. Not one of the compared interfaces: what a row
 * of asyncring has above it is the library's own, and what the floor has above another engine is
 * the kernel's calls', which no library that makes them can be below.
 *
 * Which calls these are, strace tells: on a file in memory pread64 and pwrite64; otherwise a read
 * that must not block, and only if it had to, one that may; and of transfers that each carry on
 * where the one before ends, one call with the vectors of all, one for buffers that adjoin.
 */
#include <linux/magic.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "immediate.h"

/* As many as asyncring takes together. */
#define RUN_MAX 64U

static int floor_open(void **state, const struct engine_setup *setup)
{
	int error = bench_immediate_open(state, setup);
	struct statfs system;

	if (error)
		return error;
	((struct immediate *)*state)->in_memory = setup->descriptor_count &&
						  !fstatfs(setup->descriptors[0], &system) &&
						  system.f_type == TMPFS_MAGIC;
	return 0;
}

static ssize_t read_cached(const struct operation *operation)
{
	struct iovec whole = {.iov_base = operation->buffer, .iov_len = operation->length};
	bool vectored = operation->kind == OPERATION_READV;

	return preadv2(operation->fd, vectored ? operation->iovecs : &whole,
		       vectored ? (int)operation->iovec_count : 1, (off_t)operation->offset,
		       RWF_NOWAIT);
}

static int carry_out(const struct immediate *engine, const struct operation *operation)
{
	ssize_t result = -1;

	if (!engine->in_memory && operation->kind != OPERATION_WRITE)
		result = read_cached(operation);
	return result == (ssize_t)operation->length ? (int)result : bench_carry_out(operation);
}

/* How many of them are one row of blocks. */
static unsigned run_length(struct operation *const *batch, unsigned count)
{
	unsigned length = 1;

	if (batch[0]->kind == OPERATION_READV)
		return 1;
	while (length < count && length < RUN_MAX && batch[length]->fd == batch[0]->fd &&
	       batch[length]->offset == batch[length - 1]->offset + batch[length - 1]->length)
		length++;
	return length;
}

/* Returns how many of them that has done. */
static unsigned carry_out_run(const struct immediate *engine, struct operation *const *run,
			      unsigned length)
{
	int flags = engine->in_memory ? 0 : RWF_NOWAIT;
	off_t offset = (off_t)run[0]->offset;
	struct iovec vectors[RUN_MAX];
	unsigned done = 0, count = 0;
	ssize_t result;

	for (unsigned i = 0; i < length; i++) {
		struct iovec *last = &vectors[count - 1];

		if (i && (char *)last->iov_base + last->iov_len == run[i]->buffer)
			last->iov_len += run[i]->length;
		else
			vectors[count++] = (struct iovec){run[i]->buffer, run[i]->length};
	}
	if (run[0]->kind == OPERATION_READ)
		result = preadv2(run[0]->fd, vectors, (int)count, offset, flags);
	else
		result = pwritev2(run[0]->fd, vectors, (int)count, offset, 0);
	while (done < length && result >= (ssize_t)run[done]->length)
		result -= (ssize_t)run[done++]->length;
	return done;
}

/* What a run has not reached is carried out by itself. */
static int floor_submit(void *state, struct operation *const *batch, unsigned count)
{
	struct immediate *engine = state;
	unsigned i = 0;

	while (i < count) {
		unsigned length = run_length(batch + i, count - i);
		unsigned done = length > 1 ? carry_out_run(engine, batch + i, length) : 0;

		for (unsigned j = 0; j < length; j++, i++) {
			struct completion *completion = &engine->completions[i];

			completion->slot = batch[i]->slot;
			completion->result =
				j < done ? (int)batch[i]->length : carry_out(engine, batch[i]);
		}
	}
	engine->count = count;
	return 0;
}

const struct engine bench_engine_floor = {
	.name = ENGINE_FLOOR,
	.supported =
		SUPPORTS(OPERATION_READ) | SUPPORTS(OPERATION_WRITE) | SUPPORTS(OPERATION_READV),
	.open = floor_open,
	.submit = floor_submit,
	.reap = bench_immediate_reap,
	.close = bench_immediate_close,
};
