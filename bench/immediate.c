/* SPDX-License-Identifier: MIT */
#include "immediate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

int bench_immediate_open(void **state, const struct engine_setup *setup)
{
	struct immediate *engine;

	engine = calloc(1, sizeof(*engine) + setup->depth * sizeof(engine->completions[0]));
	if (!engine)
		return -ENOMEM;
	*state = engine;
	return 0;
}

int bench_immediate_reap(void *state, unsigned at_least, struct completion *completions)
{
	struct immediate *engine = state;
	unsigned count = engine->count;

	(void)at_least;
	for (unsigned i = 0; i < count; i++)
		completions[i] = engine->completions[i];
	engine->count = 0;
	return (int)count;
}

void bench_immediate_close(void *state)
{
	free(state);
}

int bench_carry_out(const struct operation *operation)
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
