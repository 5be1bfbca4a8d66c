/* SPDX-License-Identifier: MIT */
/* How many workers the pool may have, where they run, and what becomes of it around fork(). */
#include <sched.h>
#include <string.h>

#include "pool_state.h"

#include "../core/fork.h"

unsigned asyncring__pool_limit(enum pool_kind kind)
{
	if (!pool.limit[kind])
		pool.limit[kind] = kind == POOL_BOUNDED ? BOUNDED_DEFAULT : UNBOUNDED_DEFAULT;
	return pool.limit[kind];
}

/* pool.lock held. Without a mask: all processors. */
void asyncring__pool_apply_affinity(int tid)
{
	cpu_set_t all;

	if (pool.affinity) {
		sys(SYS_sched_setaffinity, tid, pool.affinity_size, pool.affinity);
		return;
	}
	memset(&all, 0xff, sizeof(all));
	sys(SYS_sched_setaffinity, tid, sizeof(all), &all);
}

void asyncring__pool_limits(unsigned limits[2])
{
	struct rlimit processes;
	bool set = false;

	/* The user cannot have more threads than that anyway. */
	if (sys(SYS_prlimit64, 0, RLIMIT_NPROC, NULL, &processes))
		processes.rlim_cur = RLIM_INFINITY;
	pthread_mutex_lock(&pool.lock);
	for (int kind = 0; kind < 2; kind++) {
		unsigned old = asyncring__pool_limit(kind);

		if (limits[kind] > processes.rlim_cur)
			limits[kind] = (unsigned)processes.rlim_cur;
		if (limits[kind]) {
			pool.limit[kind] = limits[kind];
			pool.bounded_limit_set |= kind == POOL_BOUNDED;
			set = true;
		}
		limits[kind] = old;
	}
	/* Idle workers that are too many now leave, the others when they have finished. */
	if (set)
		asyncring__pool_rouse_all();
	pthread_mutex_unlock(&pool.lock);
}

int asyncring__pool_affinity(const void *mask, size_t size)
{
	void *copy = NULL;
	struct list *node;

	if (mask) {
		copy = asyncring__alloc(size);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, mask, size);
	}
	pthread_mutex_lock(&pool.lock);
	asyncring__free(pool.affinity);
	pool.affinity = copy;
	pool.affinity_size = size;
	/* Without workers the next one will tell. */
	pool.processors = 0;
	list_for_each (node, &pool.workers) {
		struct worker *worker = container_of(node, struct worker, node);

		lock_acquire(&worker->lock);
		if (worker->tid) {
			asyncring__pool_apply_affinity(worker->tid);
			asyncring__pool_count_processors(worker->tid);
		}
		lock_release(&worker->lock);
	}
	pthread_mutex_unlock(&pool.lock);
	return 0;
}

/* ---- fork ---- */

void asyncring__pool_before_fork(void)
{
	pthread_mutex_lock(&pool.lock);
}

void asyncring__pool_after_fork_parent(void)
{
	pthread_mutex_unlock(&pool.lock);
}

/* The child has no workers, and what is queued is the parent's. */
void asyncring__pool_after_fork_child(void)
{
	struct list *node;

	list_move_all(&pool.workers, &pool.left);
	while ((node = list_take_first(&pool.workers)))
		asyncring__free(container_of(node, struct worker, node));
	list_init(&pool.guests);
	for (int kind = 0; kind < 2; kind++) {
		list_init(&pool.pending[kind]);
		list_init(&pool.idle[kind]);
		pool.count[kind] = 0;
		pool.queued[kind] = pool.reserved[kind] = pool.coming[kind] = 0;
	}
	pool.running = pool.extra = pool.lent = pool.brief = 0;
	pool.watcher = NULL;
	for (int i = 0; i < LANES; i++) {
		pool.lanes[i].held = false;
		list_init(&pool.lanes[i].waiting);
	}
	pool.retiring = 0;
	asyncring__pool_self = NULL;
	pthread_mutex_unlock(&pool.lock);
}
