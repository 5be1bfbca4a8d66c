/* SPDX-License-Identifier: MIT */
/*
 * fork(): the child has none of the library's threads, and the requests in flight are the parent's.
 *
 * All process-wide locks are held across the fork, in lock order, so that the child finds
 * consistent state: no workers, none of the duplicates that pin the parent's files, and the
 * inherited rings marked, so that calls on them fail at once with -EEXIST (as the kernel answers
 * another task than the one a ring belongs to). The child may make rings of its own.
 *
 * posix_spawn() and vfork() do not run these handlers and need none: what they start shares memory
 * only until exec, and every descriptor of the library is close-on-exec.
 */
#include <pthread.h>

#include "../engine/futex_waiter.h"
#include "core.h"
#include "fork.h"
#include "../ops/socket.h"

static void before(void)
{
	asyncring__futex_before_fork();
	asyncring__attendant_before_fork();
	asyncring__pool_before_fork();
	asyncring__kernel_aio_before_fork();
	asyncring__files_before_fork();
	asyncring__rings_before_fork();
	asyncring__sockets_before_fork();
}

static void after_in_parent(void)
{
	asyncring__sockets_after_fork();
	asyncring__rings_after_fork_parent();
	asyncring__files_after_fork_parent();
	asyncring__kernel_aio_after_fork_parent();
	asyncring__pool_after_fork_parent();
	asyncring__attendant_after_fork_parent();
	asyncring__futex_after_fork_parent();
}

static void after_in_child(void)
{
	asyncring__sockets_after_fork();
	asyncring__rings_after_fork_child();
	asyncring__files_after_fork_child();
	asyncring__kernel_aio_after_fork_child();
	asyncring__pool_after_fork_child();
	asyncring__attendant_after_fork_child();
	asyncring__futex_after_fork_child();
}

static int installed_error;

static void install(void)
{
	installed_error = -pthread_atfork(before, after_in_parent, after_in_child);
}

int asyncring__fork_handlers_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
	return installed_error;
}
