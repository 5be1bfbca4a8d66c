/* SPDX-License-Identifier: MIT */
/*
 * asyncring-run --stats: each process in which a ring was set up says at its end, on standard
 * error, what was served. A process that is killed says nothing.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/core.h"
#include "../core/statistics.h"
#include "preload.h"
#include "settings.h"

_Atomic uint64_t served_calls[SERVED_BY];

/* The report is printed once. */
static atomic_flag printed = ATOMIC_FLAG_INIT;

void report_init(void)
{
	const char *settings = getenv(SETTINGS_VARIABLE);

	asyncring__statistics.enabled = settings && strstr(settings, SETTING_STATS);
}

void report_begin_anew(void)
{
	for (int i = 0; i < STATISTICS; i++)
		atomic_store_explicit(&asyncring__statistics.counts[i], 0, memory_order_relaxed);
	for (int i = 0; i < ASYNCRING_OP_LAST; i++)
		atomic_store_explicit(&asyncring__statistics.operations[i], 0,
				      memory_order_relaxed);
	for (int i = 0; i < SERVED_BY; i++)
		atomic_store_explicit(&served_calls[i], 0, memory_order_relaxed);
}

static uint64_t counted(enum statistic which)
{
	return atomic_load_explicit(&asyncring__statistics.counts[which], memory_order_relaxed);
}

static uint64_t served(enum served_by way)
{
	return atomic_load_explicit(&served_calls[way], memory_order_relaxed);
}

/*
 * Put together without the heap, because _exit(2) may be called in a signal handler; and written at
 * once, so that what several processes say is not mixed. Whoever has set `printed` has it.
 */
static struct {
	char text[8192];
	size_t length;
} report;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	size_t room = sizeof(report.text) - report.length;
	va_list list;
	int length;

	va_start(list, format);
	length = vsnprintf(report.text + report.length, room, format, list);
	va_end(list);
	if (length > 0)
		report.length += (size_t)length < room ? (size_t)length : room - 1;
}

/* What the process is called; "?" if nobody says. */
static void read_name(char *name, size_t size)
{
	int comm = (int)sys(SYS_openat, AT_FDCWD, "/proc/self/comm", O_RDONLY | O_CLOEXEC, 0);
	long length = comm < 0 ? 0 : sys_read(comm, name, size - 1);

	if (comm >= 0)
		sys_close(comm);
	name[length > 0 ? length : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (!*name)
		memcpy(name, "?", 2);
}

static void say_operations(void)
{
	for (unsigned opcode = 0; opcode < ASYNCRING_OP_LAST; opcode++) {
		const struct op *op = asyncring__op((uint8_t)opcode);
		uint64_t count = atomic_load_explicit(&asyncring__statistics.operations[opcode],
						      memory_order_relaxed);

		if (count && op)
			say("  %-18s %12" PRIu64 "\n", op->name, count);
	}
}

void report_print(void)
{
	char name[32];

	if (!asyncring__statistics.enabled || !counted(STATISTIC_RINGS) ||
	    atomic_flag_test_and_set(&printed))
		return;
	read_name(name, sizeof(name));
	say("asyncring-run: %s (%ld): %" PRIu64 " rings\n", name, sys(SYS_getpid),
	    counted(STATISTIC_RINGS));
	say("  enter: %" PRIu64 " times; io_uring calls through syscall(): %" PRIu64
	    ", trapped: %" PRIu64 ", rewritten: %" PRIu64 "\n",
	    counted(STATISTIC_ENTERS), served(BY_SYSCALL), served(BY_TRAP), served(BY_JUMP));
	say("  requests: %" PRIu64 " inline, %" PRIu64 " polled, %" PRIu64 " timers, %" PRIu64
	    " to workers (%" PRIu64 " of them carried out by waiting threads), %" PRIu64
	    " to the kernel\n",
	    counted(STATISTIC_INLINE), counted(STATISTIC_POLLED), counted(STATISTIC_PARKED),
	    counted(STATISTIC_PUNTED), counted(STATISTIC_WAITERS), counted(STATISTIC_KERNEL_AIO));
	say("  threads started: %" PRIu64 ", completions overflowed: %" PRIu64 "\n",
	    counted(STATISTIC_THREADS), counted(STATISTIC_OVERFLOWS));
	say_operations();
	sys_write(STDERR_FILENO, report.text, report.length);
}

/* ---- ends at which no destructor runs ---- */

INTERPOSED _Noreturn void _exit(int status)
{
	/* The child of a vfork ends by this, with the memory of its parent. */
	if (asyncring__statistics.enabled && sys(SYS_getpid) == preload_pid())
		report_print();
	for (;;)
		sys(SYS_exit_group, status);
}

INTERPOSED _Noreturn void _Exit(int status)
{
	_exit(status);
}
