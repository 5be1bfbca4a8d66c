/* SPDX-License-Identifier: MIT */
#include "workload.h"

#include <string.h>

#define BLOCK 4096U

#define ECHO(name_, over_tcp, connections, title_)                                                 \
	{                                                                                          \
		.name = name_, .title = title_, .kind = OPERATION_ECHO, .depth = (connections),    \
		.tcp = over_tcp,                                                                   \
	}

const struct workload bench_workloads[] = {
	{
		.name = "nop-b32",
		.title = "NOPs, 32 submitted and awaited together",
		.kind = OPERATION_NOP,
		.depth = 32,
	},
	{
		.name = "nop-b1",
		.title = "NOPs, one at a time",
		.kind = OPERATION_NOP,
		.depth = 1,
	},
	{
		.name = "nop-sqpoll-b32",
		.title = "NOPs, 32 submitted and awaited together, by SQPOLL",
		.engines = ENGINE_OURS " io_uring",
		.kind = OPERATION_NOP,
		.depth = 32,
		.watched = true,
	},
	{
		.name = "cached-sqpoll-d32",
		.title = "cached random 4 KiB reads, depth 32, by SQPOLL",
		.engines = ENGINE_OURS " io_uring",
		.kind = OPERATION_READ,
		.file = FILE_CACHED,
		.order = ORDER_SCATTERED,
		.depth = 32,
		.wait_for = 1,
		.length = BLOCK,
		.descriptors = 1,
		.watched = true,
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
		.floored = true,
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
		.floored = true,
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
		.floored = true,
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
		.floored = true,
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
		.floored = true,
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
		.floored = true,
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
		.floored = true,
	},
	{
		.name = "mixed-random-d32",
		.title = "buffered random 4 KiB reads, 90 % cached and 10 % cold, depth 32",
		.kind = OPERATION_READ,
		.file = FILE_LARGE,
		.state = STATE_MIXED,
		.order = ORDER_SCATTERED,
		.depth = 32,
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
		.floored = true,
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
		.floored = true,
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
	ECHO("echo-unix-1", false, 1, "64-byte messages echoed, UNIX stream sockets, 1 connection"),
	ECHO("echo-unix-64", false, 64,
	     "64-byte messages echoed, UNIX stream sockets, 64 connections"),
	ECHO("echo-unix-1000", false, 1000,
	     "64-byte messages echoed, UNIX stream sockets, 1,000 connections"),
	ECHO("echo-unix-10000", false, 10000,
	     "64-byte messages echoed, UNIX stream sockets, 10,000 connections"),
	ECHO("echo-tcp-1", true, 1, "64-byte messages echoed, TCP over loopback, 1 connection"),
	ECHO("echo-tcp-64", true, 64, "64-byte messages echoed, TCP over loopback, 64 connections"),
	ECHO("echo-tcp-1000", true, 1000,
	     "64-byte messages echoed, TCP over loopback, 1,000 connections"),
	ECHO("echo-tcp-10000", true, 10000,
	     "64-byte messages echoed, TCP over loopback, 10,000 connections"),
	{
		.name = "echo-oneshot-64",
		.title = "as echo-unix-64, each receive a request of its own",
		.kind = OPERATION_ECHO,
		.depth = 64,
		.oneshot = true,
	},
	{
		.name = "accept-unix",
		.title = "connections accepted and closed, UNIX stream sockets, 64 clients",
		.kind = OPERATION_ACCEPT,
		.depth = 64,
	},
	{
		.name = "accept-tcp",
		.title = "connections accepted and closed, TCP over loopback, 64 clients",
		.kind = OPERATION_ACCEPT,
		.depth = 64,
		.tcp = true,
	},
	{
		.name = "wake-up",
		.title = "from a send to a sleeping receiver until that has the message",
		.kind = OPERATION_WAKE,
		.depth = 1,
	},
	{
		.name = "timer-cancel",
		.title = "200,000 timers armed, then cancelled",
		.kind = OPERATION_TIMER_CANCEL,
		.depth = 200000,
	},
	{
		.name = "timer-fire",
		.title = "200,000 timers armed, then fired within 17 ms",
		.kind = OPERATION_TIMER_FIRE,
		.depth = 200000,
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
	if (strcmp(engine->name, ENGINE_FLOOR) == 0)
		return workload->floored;
	return !workload->engines || listed(workload->engines, engine->name);
}
