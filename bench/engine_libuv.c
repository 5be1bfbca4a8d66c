/* SPDX-License-Identifier: MIT */
/*
 * libuv's asynchronous file calls: uv_fs_read and its kin, carried out by libuv's thread pool,
 * completions delivered by the loop. Its streams and timers are service_libuv.c, timers_libuv.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "engine.h"
#include "service.h"

struct libuv_engine {
	uv_loop_t loop;
	unsigned depth;
	unsigned count; /* of completions that the driver has not taken yet */
	struct completion *completions;
	uv_fs_t requests[]; /* one per slot */
};

static int libuv_open(void **state, const struct engine_setup *setup)
{
	struct libuv_engine *engine;
	char threads[16];
	int error;

	/* The pool reads this when it starts, at the first request; 4 threads otherwise. */
	if (setup->sleeps) {
		snprintf(threads, sizeof(threads), "%u", setup->depth);
		setenv("UV_THREADPOOL_SIZE", threads, 0);
	}
	engine = calloc(1, sizeof(*engine) + setup->depth * sizeof(engine->requests[0]));
	if (!engine)
		return -ENOMEM;
	engine->depth = setup->depth;
	engine->completions = calloc(setup->depth, sizeof(*engine->completions));
	error = engine->completions ? uv_loop_init(&engine->loop) : -ENOMEM;
	if (error) {
		free(engine->completions);
		free(engine);
		return error;
	}
	engine->loop.data = engine;
	*state = engine;
	return 0;
}

static void finished(uv_fs_t *request)
{
	struct libuv_engine *engine = request->loop->data;
	struct completion *completion = &engine->completions[engine->count++];

	completion->slot = (unsigned)(request - engine->requests);
	completion->result = (int)request->result;
	uv_fs_req_cleanup(request);
}

static int start(struct libuv_engine *engine, const struct operation *operation)
{
	uv_fs_t *request = &engine->requests[operation->slot];
	int64_t offset = (int64_t)operation->offset;
	uv_buf_t buffers[OPERATION_IOVECS];
	unsigned count = 1;

	if (operation->kind == OPERATION_FSYNC)
		return uv_fs_fsync(&engine->loop, request, operation->fd, finished);
	buffers[0] = uv_buf_init(operation->buffer, operation->length);
	if (operation->kind == OPERATION_READV) {
		count = operation->iovec_count;
		for (unsigned i = 0; i < count; i++)
			buffers[i] = uv_buf_init(operation->iovecs[i].iov_base,
						 (unsigned)operation->iovecs[i].iov_len);
	}
	if (operation->kind == OPERATION_WRITE)
		return uv_fs_write(&engine->loop, request, operation->fd, buffers, count, offset,
				   finished);
	return uv_fs_read(&engine->loop, request, operation->fd, buffers, count, offset, finished);
}

static int libuv_submit(void *state, struct operation *const *batch, unsigned count)
{
	struct libuv_engine *engine = state;

	for (unsigned i = 0; i < count; i++) {
		int error = start(engine, batch[i]);

		if (error)
			return error;
	}
	return 0;
}

static int libuv_reap(void *state, unsigned at_least, struct completion *completions)
{
	struct libuv_engine *engine = state;
	unsigned count;

	while (engine->count < at_least)
		uv_run(&engine->loop, UV_RUN_ONCE);
	count = engine->count;
	for (unsigned i = 0; i < count; i++)
		completions[i] = engine->completions[i];
	engine->count = 0;
	return (int)count;
}

static void libuv_close(void *state)
{
	struct libuv_engine *engine = state;

	uv_loop_close(&engine->loop);
	free(engine->completions);
	free(engine);
}

const struct engine bench_engine_libuv = {
	.name = "libuv",
	.supported =
		SUPPORTS_FILES | SUPPORTS(OPERATION_READV) | SUPPORTS_CONNECTIONS | SUPPORTS_TIMERS,
	.service = &bench_service_libuv,
	.timers = &bench_timers_libuv,
	.version = uv_version_string,
	.open = libuv_open,
	.submit = libuv_submit,
	.reap = libuv_reap,
	.close = libuv_close,
};
