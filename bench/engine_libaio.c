/* SPDX-License-Identifier: MIT */
/*
 * Linux kernel AIO through libaio. io_submit carries buffered I/O out on the spot and blocks for
 * it; only O_DIRECT (and fsync) are asynchronous.
 */
#include <errno.h>
#include <libaio.h>
#include <stdlib.h>

#include "engine.h"

struct libaio_engine {
	io_context_t context;
	unsigned depth;
	struct iocb *blocks;	 /* one per slot */
	struct iocb **batch;	 /* what io_submit wants: pointers */
	struct io_event *events; /* depth of them */
};

static void libaio_close(void *state)
{
	struct libaio_engine *engine = state;

	if (engine->context)
		io_destroy(engine->context);
	free(engine->blocks);
	free(engine->batch);
	free(engine->events);
	free(engine);
}

static int libaio_open(void **state, const struct engine_setup *setup)
{
	struct libaio_engine *engine = calloc(1, sizeof(*engine));
	int error = -ENOMEM;

	if (!engine)
		return -ENOMEM;
	engine->depth = setup->depth;
	engine->blocks = calloc(setup->depth, sizeof(*engine->blocks));
	engine->batch = calloc(setup->depth, sizeof(*engine->batch));
	engine->events = calloc(setup->depth, sizeof(*engine->events));
	if (engine->blocks && engine->batch && engine->events)
		error = io_setup((int)setup->depth, &engine->context);
	if (error) {
		engine->context = NULL;
		libaio_close(engine);
		return error;
	}
	*state = engine;
	return 0;
}

static int prepare(struct iocb *block, const struct operation *operation)
{
	long long offset = (long long)operation->offset;

	switch (operation->kind) {
	case OPERATION_READ:
		io_prep_pread(block, operation->fd, operation->buffer, operation->length, offset);
		break;
	case OPERATION_WRITE:
		io_prep_pwrite(block, operation->fd, operation->buffer, operation->length, offset);
		break;
	case OPERATION_READV:
		io_prep_preadv(block, operation->fd, operation->iovecs, (int)operation->iovec_count,
			       offset);
		break;
	case OPERATION_FSYNC:
		io_prep_fsync(block, operation->fd);
		break;
	default:
		return -EOPNOTSUPP;
	}
	block->data = (void *)(uintptr_t)operation->slot;
	return 0;
}

static int libaio_submit(void *state, struct operation *const *batch, unsigned count)
{
	struct libaio_engine *engine = state;
	unsigned submitted = 0;

	for (unsigned i = 0; i < count; i++) {
		struct iocb *block = &engine->blocks[batch[i]->slot];
		int error = prepare(block, batch[i]);

		if (error)
			return error;
		engine->batch[i] = block;
	}
	while (submitted < count) {
		int result = io_submit(engine->context, (long)(count - submitted),
				       engine->batch + submitted);

		if (result < 0)
			return result;
		submitted += (unsigned)result;
	}
	return 0;
}

static int libaio_reap(void *state, unsigned at_least, struct completion *completions)
{
	struct libaio_engine *engine = state;
	int count;

	do
		count = io_getevents(engine->context, (long)at_least, (long)engine->depth,
				     engine->events, NULL);
	while (count == -EINTR);
	for (int i = 0; i < count; i++) {
		completions[i].slot = (unsigned)(uintptr_t)engine->events[i].data;
		completions[i].result = (int)engine->events[i].res;
	}
	return count;
}

const struct engine bench_engine_libaio = {
	.name = "libaio",
	.supported = SUPPORTS_FILES | SUPPORTS(OPERATION_READV),
	.open = libaio_open,
	.submit = libaio_submit,
	.reap = libaio_reap,
	.close = libaio_close,
};
