/* SPDX-License-Identifier: MIT */
/*
 * Engines that have everything done when submit returns:
 *
 * sync: plain system calls, one after another (pread, pwrite, preadv, fsync), which is what a
 * program does that has no asynchronous I/O. Depth means nothing to it.
 *
 * null: nothing at all. Driving it costs what the harness itself adds to each figure, which the
 * report states. It is not one of the compared engines.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine.h"

struct immediate_engine {
	unsigned count;
	struct completion completions[];
};

static int immediate_open(void **state, const struct engine_setup *setup)
{
	struct immediate_engine *engine;

	engine = calloc(1, sizeof(*engine) + setup->depth * sizeof(engine->completions[0]));
	if (!engine)
		return -ENOMEM;
	*state = engine;
	return 0;
}

static int carry_out(const struct operation *operation)
{
	off_t offset = (off_t)operation->offset;
	ssize_t result;

	switch (operation->kind) {
	case OPERATION_READ:
		result = pread(operation->fd, operation->buffer, operation->length, offset);
		break;
	case OPERATION_WRITE:
		result = pwrite(operation->fd, operation->buffer, operation->length, offset);
		break;
	case OPERATION_READV:
		result = preadv(operation->fd, operation->iovecs, (int)operation->iovec_count,
				offset);
		break;
	case OPERATION_FSYNC:
		result = fsync(operation->fd);
		break;
	default:
		return -EOPNOTSUPP;
	}
	return result < 0 ? -errno : (int)result;
}

static int sync_submit(void *state, struct operation *const *batch, unsigned count)
{
	struct immediate_engine *engine = state;

	for (unsigned i = 0; i < count; i++) {
		engine->completions[i].slot = batch[i]->slot;
		engine->completions[i].result = carry_out(batch[i]);
	}
	engine->count = count;
	return 0;
}

static int null_submit(void *state, struct operation *const *batch, unsigned count)
{
	struct immediate_engine *engine = state;

	for (unsigned i = 0; i < count; i++) {
		engine->completions[i].slot = batch[i]->slot;
		engine->completions[i].result = batch[i]->expected;
	}
	engine->count = count;
	return 0;
}

static int immediate_reap(void *state, unsigned at_least, struct completion *completions)
{
	struct immediate_engine *engine = state;
	unsigned count = engine->count;

	(void)at_least;
	for (unsigned i = 0; i < count; i++)
		completions[i] = engine->completions[i];
	engine->count = 0;
	return (int)count;
}

static int null_nops(void *state, unsigned count)
{
	(void)state;
	(void)count;
	return 0;
}

static void immediate_close(void *state)
{
	free(state);
}

const struct engine bench_engine_sync = {
	.name = "sync",
	.supported = SUPPORTS_FILES | SUPPORTS(OPERATION_READV),
	.open = immediate_open,
	.submit = sync_submit,
	.reap = immediate_reap,
	.close = immediate_close,
};

const struct engine bench_engine_null = {
	.name = "null",
	.supported = SUPPORTS_FILES | SUPPORTS(OPERATION_NOP) | SUPPORTS(OPERATION_READV),
	.open = immediate_open,
	.submit = null_submit,
	.reap = immediate_reap,
	.nops = null_nops,
	.close = immediate_close,
};
