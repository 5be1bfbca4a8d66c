/* SPDX-License-Identifier: MIT */
#include "workload.h"

#include <string.h>

#define BLOCK 4096U

const struct workload bench_workloads[] = {
	{
		.name = "nop-b32",
		.title = "NOPs, 32 submitted and awaited together",
		.kind = OPERATION_NOP,
		.depth = 32,
		.wait_for = 32,
	},
	{
		.name = "nop-b1",
		.title = "NOPs, one at a time",
		.kind = OPERATION_NOP,
		.depth = 1,
		.wait_for = 1,
	},
	{
		.name = "cached-random-d32",
		.title = "cached random 4 KiB reads, depth 32",
		.kind = OPERATION_READ,
		.file = FILE_CACHED,
		.order = ORDER_SCATTERED,
		.depth = 32,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
	},
	{
		.name = "cached-random-d1",
		.title = "cached random 4 KiB reads, one at a time",
		.kind = OPERATION_READ,
		.file = FILE_CACHED,
		.order = ORDER_SCATTERED,
		.depth = 1,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
	},
	{
		.name = "cached-sequential-d32",
		.title = "cached sequential 4 KiB reads, depth 32",
		.kind = OPERATION_READ,
		.file = FILE_CACHED,
		.order = ORDER_SEQUENTIAL,
		.depth = 32,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
	},
	{
		.name = "cached-readv-d32",
		.title = "cached random vectored reads, 4 x 4 KiB each, depth 32",
		.kind = OPERATION_READV,
		.file = FILE_CACHED,
		.order = ORDER_SCATTERED,
		.depth = 32,
		.wait_for = 1,
		.length = 4 * BLOCK,
		.iovecs = 4,
		.descriptors = 1,
	},
	{
		.name = "pool-read-d32",
		.title =
			"cached 4 KiB reads, one in flight on each of 32 open files, thread pools only",
		.engines = ENGINE_OURS " posix-aio libuv",
		.kind = OPERATION_READ,
		.file = FILE_CACHED,
		.order = ORDER_SCATTERED,
		.depth = 32,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 32,
	},
	{
		.name = "write-sequential-d32",
		.title = "buffered sequential 4 KiB writes that extend a file, depth 32",
		.kind = OPERATION_WRITE,
		.file = FILE_FRESH,
		.state = STATE_EMPTY,
		.order = ORDER_SEQUENTIAL,
		.depth = 32,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
		.once = true,
	},
	{
		.name = "cold-random-d32",
		.title = "cold buffered random 4 KiB reads, depth 32",
		.kind = OPERATION_READ,
		.file = FILE_LARGE,
		.state = STATE_COLD,
		.order = ORDER_SCATTERED,
		.depth = 32,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
		.once = true,
		.sleeps = true,
	},
	{
		.name = "cold-random-d1",
		.title = "cold buffered random 4 KiB reads, one at a time",
		.kind = OPERATION_READ,
		.file = FILE_LARGE,
		.state = STATE_COLD,
		.order = ORDER_SCATTERED,
		.depth = 1,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
		.once = true,
		.sleeps = true,
	},
	{
		.name = "direct-random-d32",
		.title = "O_DIRECT random 4 KiB reads, depth 32",
		.kind = OPERATION_READ,
		.file = FILE_LARGE,
		.state = STATE_COLD,
		.order = ORDER_SCATTERED,
		.depth = 32,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
		.direct = true,
		.sleeps = true,
	},
	{
		.name = "direct-random-d128",
		.title = "O_DIRECT random 4 KiB reads, depth 128",
		.kind = OPERATION_READ,
		.file = FILE_LARGE,
		.state = STATE_COLD,
		.order = ORDER_SCATTERED,
		.depth = 128,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
		.direct = true,
		.sleeps = true,
	},
	{
		.name = "tmpfs-read-d32",
		.title = "random 4 KiB reads on tmpfs, depth 32",
		.kind = OPERATION_READ,
		.file = FILE_TMPFS,
		.order = ORDER_SCATTERED,
		.depth = 32,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
	},
	{
		.name = "tmpfs-write-d32",
		.title = "random 4 KiB overwrites on tmpfs, depth 32",
		.kind = OPERATION_WRITE,
		.file = FILE_TMPFS_WRITTEN,
		.state = STATE_ZERO,
		.order = ORDER_SCATTERED,
		.depth = 32,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
	},
	{
		.name = "append-fsync-d8",
		.title = "append 4 KiB, then fsync; 8 such pairs in flight",
		.kind = OPERATION_WRITE,
		.file = FILE_FRESH,
		.state = STATE_EMPTY,
		.order = ORDER_SEQUENTIAL,
		.depth = 8,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
		.once = true,
		.durable = true,
		.sleeps = true,
	},
	{.name = NULL},
};

static bool listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = strstr(list, name); at; at = strstr(at + 1, name)) {
		bool begins = at == list || at[-1] == ' ';
		bool ends = at[length] == '\0' || at[length] == ' ';

		if (begins && ends)
			return true;
	}
	return false;
}

bool bench_workload_fits(const struct workload *workload, const struct engine *engine)
{
	unsigned needed = SUPPORTS(workload->kind);

	if (workload->durable)
		needed |= SUPPORTS(OPERATION_FSYNC);
	if ((engine->supported & needed) != needed)
		return false;
	return !workload->engines || listed(workload->engines, engine->name);
}
