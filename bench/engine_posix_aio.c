/* SPDX-License-Identifier: MIT */
/*
 * POSIX AIO as the C library has it (glibc and musl: threads that make blocking calls). Waiting is
 * aio_suspend, and finding out what has finished is asking each request, as the interface has no
 * queue of completions.
 *
 * glibc carries out the requests of one descriptor one after another, however many threads it has.
 * So every slot works on a duplicate of its own, as somebody who knows this would write it.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "engine.h"

struct posix_aio_engine {
	unsigned depth;
	struct aiocb *blocks;		  /* one per slot */
	const struct aiocb **outstanding; /* by slot; NULL where none is in flight */
	int *descriptors;		  /* by slot; -1 where none is open */
};

static void posix_aio_close(void *state)
{
	struct posix_aio_engine *engine = state;

	for (unsigned slot = 0; engine->descriptors && slot < engine->depth; slot++) {
		if (engine->descriptors[slot] >= 0)
			close(engine->descriptors[slot]);
	}
	free(engine->descriptors);
	free(engine->outstanding);
	free(engine->blocks);
	free(engine);
}

static int duplicate_descriptors(struct posix_aio_engine *engine, const struct engine_setup *setup)
{
	memset(engine->descriptors, -1, setup->depth * sizeof(*engine->descriptors));
	for (unsigned slot = 0; slot < setup->depth && setup->descriptor_count; slot++) {
		int fd = dup(setup->descriptors[slot % setup->descriptor_count]);

		if (fd < 0)
			return -errno;
		engine->descriptors[slot] = fd;
	}
	return 0;
}

static int posix_aio_open(void **state, const struct engine_setup *setup)
{
	struct posix_aio_engine *engine = calloc(1, sizeof(*engine));
	int error = -ENOMEM;

	if (!engine)
		return -ENOMEM;
	engine->depth = setup->depth;
	engine->blocks = calloc(setup->depth, sizeof(*engine->blocks));
	engine->outstanding = calloc(setup->depth, sizeof(*engine->outstanding));
	engine->descriptors = calloc(setup->depth, sizeof(*engine->descriptors));
	if (engine->blocks && engine->outstanding && engine->descriptors)
		error = duplicate_descriptors(engine, setup);
	if (error) {
		posix_aio_close(engine);
		return error;
	}
#ifdef __GLIBC__
	if (setup->sleeps)
		aio_init(&(struct aioinit){
			.aio_threads = (int)setup->depth,
			.aio_num = (int)setup->depth,
			.aio_idle_time = 1,
		});
#endif
	*state = engine;
	return 0;
}

static int posix_aio_submit(void *state, struct operation *const *batch, unsigned count)
{
	struct posix_aio_engine *engine = state;

	for (unsigned i = 0; i < count; i++) {
		const struct operation *operation = batch[i];
		struct aiocb *block = &engine->blocks[operation->slot];
		int result;

		block->aio_fildes = engine->descriptors[operation->slot];
		block->aio_buf = operation->buffer;
		block->aio_nbytes = operation->length;
		block->aio_offset = (off_t)operation->offset;
		block->aio_sigevent.sigev_notify = SIGEV_NONE;
		if (operation->kind == OPERATION_READ)
			result = aio_read(block);
		else if (operation->kind == OPERATION_WRITE)
			result = aio_write(block);
		else
			result = aio_fsync(O_SYNC, block);
		if (result < 0)
			return -errno;
		engine->outstanding[operation->slot] = block;
	}
	return 0;
}

static unsigned collect(struct posix_aio_engine *engine, struct completion *completions)
{
	unsigned count = 0;

	for (unsigned slot = 0; slot < engine->depth; slot++) {
		int error;

		if (!engine->outstanding[slot])
			continue;
		error = aio_error(&engine->blocks[slot]);
		if (error == EINPROGRESS)
			continue;
		completions[count].slot = slot;
		completions[count].result = (int)aio_return(&engine->blocks[slot]);
		if (error)
			completions[count].result = -error;
		engine->outstanding[slot] = NULL;
		count++;
	}
	return count;
}

static int posix_aio_reap(void *state, unsigned at_least, struct completion *completions)
{
	struct posix_aio_engine *engine = state;
	unsigned count = collect(engine, completions);

	while (count < at_least) {
		if (aio_suspend(engine->outstanding, (int)engine->depth, NULL) && errno != EINTR)
			return -errno;
		count += collect(engine, completions + count);
	}
	return (int)count;
}

#ifdef __GLIBC__
static const char *posix_aio_version(void)
{
	static char version[32];

	snprintf(version, sizeof(version), "glibc %s", gnu_get_libc_version());
	return version;
}
#endif

const struct engine bench_engine_posix_aio = {
	.name = "posix-aio",
	.supported = SUPPORTS_FILES,
#ifdef __GLIBC__
	.version = posix_aio_version,
#endif
	.open = posix_aio_open,
	.submit = posix_aio_submit,
	.reap = posix_aio_reap,
	.close = posix_aio_close,
};
