/* SPDX-License-Identifier: MIT */
/* What engines share that have everything done when submit returns. */
#ifndef BENCH_IMMEDIATE_H
#define BENCH_IMMEDIATE_H

#include "engine.h"

struct immediate {
	bool in_memory; /* for the engine's own use: the file is */
	unsigned count; /* done and not yet reaped */
	struct completion completions[];
};

/* Functions of an engine; its state is a struct immediate. */
int bench_immediate_open(void **state, const struct engine_setup *setup);
int bench_immediate_reap(void *state, unsigned at_least, struct completion *completions);
void bench_immediate_close(void *state);

/* One plain system call: its result, or a negative errno. */
int bench_carry_out(const struct operation *operation);

#endif
