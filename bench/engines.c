/* SPDX-License-Identifier: MIT */
/*
 * The engines, and those the build machine had no library for: these are still listed, so that
 * the report can name them as absent.
 */
#include <stddef.h>

#include "engine.h"

#ifndef BENCH_HAVE_ASYNCRING
const struct engine bench_engine_asyncring = {
	.name = ENGINE_OURS,
	.absent = "this build of the benchmark was made without libasyncring",
};
#endif

#ifndef BENCH_HAVE_LIBURING
const struct engine bench_engine_io_uring = {
	.name = "io_uring",
	.absent = "not built: the build machine had no liburing",
};
#endif

#ifndef BENCH_HAVE_LIBAIO
const struct engine bench_engine_libaio = {
	.name = "libaio",
	.absent = "not built: the build machine had no libaio",
};
#endif

#ifndef BENCH_HAVE_LIBUV
const struct engine bench_engine_libuv = {
	.name = "libuv",
	.absent = "not built: the build machine had no libuv",
};
#endif

const struct engine *const bench_engines[] = {
	&bench_engine_asyncring, &bench_engine_io_uring,  &bench_engine_libaio,
	&bench_engine_sync,	 &bench_engine_posix_aio, &bench_engine_libuv,
	&bench_engine_epoll,	 &bench_engine_floor,	  NULL,
};
