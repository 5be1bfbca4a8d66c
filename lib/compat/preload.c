/* SPDX-License-Identifier: MIT */
/*
 * The beginning and the end: the constructor of libasyncring-run.so, which runs before the
 * program's own and so before any ring and any thread of the program, and its destructor.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/core.h"
#include "../core/fork.h"
#include "preload.h"
#include "settings.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* Written by the constructor and in a fork's child, which have the process for themselves. */
static int pid;

int preload_pid(void)
{
	return pid;
}

/*
 * Set as long as this is the process that the library knows: the page is zeros in a child that has
 * a copy of the memory. NULL: the kernel cannot do that. Written as `pid` is.
 */
static int *known;

static void mark_as_known(void)
{
	if (!known) {
		int *page = sys_mmap_anonymous(asyncring__page_size(), MAP_PRIVATE);

		if (!page)
			return;
		if (sys(SYS_madvise, page, asyncring__page_size(), MADV_WIPEONFORK)) {
			sys_munmap(page, asyncring__page_size());
			return;
		}
		known = page;
	}
	*known = 1;
}

bool preload_forked_unseen(void)
{
	return known && !*known;
}

bool preload_path(char *path, size_t size)
{
	Dl_info info;

	if (!dladdr((void *)(uintptr_t)preload_path, &info) || !info.dli_fname ||
	    strlen(info.dli_fname) >= size)
		return false;
	memcpy(path, info.dli_fname, strlen(info.dli_fname) + 1);
	return true;
}

static void after_fork_in_child(void)
{
	pid = (int)sys(SYS_getpid);
	mark_as_known();
	watch_after_fork_in_child();
	report_begin_anew();
}

__attribute__((constructor)) static void begin(void)
{
	const char *settings;
	int error;

	pid = (int)sys(SYS_getpid);
	mark_as_known();
	next_look_up();
	pthread_atfork(NULL, NULL, after_fork_in_child);
	report_init();
	exec_init();
	settings = getenv(SETTINGS_VARIABLE);
	rewrite_init(!settings || !strstr(settings, SETTING_TRAP_ONLY));
	error = settings && strstr(settings, SETTING_UNCAUGHT) ? 0 : trap_install();
	if (error)
		dprintf(STDERR_FILENO, "asyncring-run: io_uring calls cannot be caught: %s\n",
			strerror(-error));
}

__attribute__((destructor)) static void end(void)
{
	report_print();
}
