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
#include "immediate.h"

static int sync_submit(void *state, struct operation *const *batch, unsigned count)
{
	struct immediate *engine = state;

	for (unsigned i = 0; i < count; i++) {
		engine->completions[i].slot = batch[i]->slot;
		engine->completions[i].result = bench_carry_out(batch[i]);
	}
	engine->count = count;
	return 0;
}

static int null_submit(void *state, struct operation *const *batch, unsigned count)
{
	struct immediate *engine = state;

	for (unsigned i = 0; i < count; i++) {
		engine->completions[i].slot = batch[i]->slot;
		engine->completions[i].result = batch[i]->expected;
	}
	engine->count = count;
	return 0;
}

static int null_nops(void *state, unsigned count)
{
	(void)state;
	(void)count;
	return 0;
}

const struct engine bench_engine_sync = {
	.name = "sync",
	.supported = SUPPORTS_FILES | SUPPORTS(OPERATION_READV),
	.open = bench_immediate_open,
	.submit = sync_submit,
	.reap = bench_immediate_reap,
	.close = bench_immediate_close,
};

const struct engine bench_engine_null = {
	.name = "null",
	.supported = SUPPORTS_FILES | SUPPORTS(OPERATION_NOP) | SUPPORTS(OPERATION_READV),
	.open = bench_immediate_open,
	.submit = null_submit,
	.reap = bench_immediate_reap,
	.nops = null_nops,
	.close = bench_immediate_close,
};
