/* SPDX-License-Identifier: MIT */
/*
 * How many bounded workers run at once.
 *
 * The kernel's pool lets one more run when a running one goes to sleep in a system call: so there
 * are as many as the processors can use and the devices can serve, and no more. From user space
 * that moment cannot be seen. What is known instead:
 *
 * - What has been. A worker that comes back from a request asks for the number of times the kernel
 *   has put it to sleep. If it slept while work was waiting, one more may run from now on; if it
 *   did not, one less. As each of those that run votes, the number doubles with every round of
 *   requests that sleep: a queue of cold reads has a thread for each after a few of them. What is
 *   the processor's work (copies from and to the page cache) stays at one worker per processor.
 *
 * - What is still going on. While work waits and no more may run, one thread that has nothing to do
 *   watches: it gets up once in LOOK_NS, and if nobody has taken anything since it looks at the
 *   running ones' CPU clocks. If fewer of them than there are processors have moved on, the others
 *   sleep, and twice as many may run. So no request waits for longer than a look or two because
 *   those before it block, be it for ever. When nothing is queued there is nothing to watch.
 *
 * The limit. A worker that has slept through STUCK_LOOKS looks in one request (an open of a FIFO, a
 * read of /proc/kmsg, a file server that is gone) is lent to the unbounded ones until it comes
 * back: 64 of them would otherwise end the file work of all rings in the process. What an open or a
 * file of procfs will do cannot be known beforehand, and counting all of them as unbounded would
 * set a thread to each of a thousand ordinary opens. The kernel does not do this: a limit that the
 * application has set is therefore kept literally, as the kernel keeps it.
 *
 * Unbounded workers wait for others by profession. Each request gets one, up to their limit.
 *
 * Everything here: pool.lock held, unless it says otherwise.
 */
#include <sched.h>
#include <sys/resource.h>

#include "pool_state.h"

enum {
	STUCK_LOOKS = 100,
	/* Asking costs about a microsecond: most of the time every eighth request is enough. */
	VOTE_EVERY = 8,
};

/* Workers that may run at once. */
static unsigned allowed(void)
{
	unsigned wanted = (pool.processors ? pool.processors : 1) + pool.extra;
	unsigned limit = asyncring__pool_limit(POOL_BOUNDED);

	return wanted < limit ? wanted : limit;
}

bool asyncring__pool_may_run(enum pool_kind kind)
{
	return kind == POOL_UNBOUNDED || pool.running < allowed();
}

bool asyncring__pool_too_many_run(enum pool_kind kind)
{
	return kind == POOL_BOUNDED && pool.running > allowed();
}

void asyncring__pool_set_running(struct worker *worker, bool running)
{
	if (worker->kind == POOL_UNBOUNDED || worker->running == running)
		return;
	worker->running = running;
	if (running)
		pool.running++;
	else
		pool.running--;
}

unsigned asyncring__pool_room(enum pool_kind kind)
{
	return asyncring__pool_limit(kind) + (kind == POOL_BOUNDED ? pool.lent : 0);
}

void asyncring__pool_count_processors(int tid)
{
	/* For 8192 processors, more than any kernel knows; the call refuses a mask too small. */
	unsigned char mask[1024];
	long size = sys(SYS_sched_getaffinity, tid, sizeof(mask), mask);

	pool.processors = 0;
	for (long i = 0; i < size; i++)
		pool.processors += (unsigned)__builtin_popcount(mask[i]);
}

/* ---- what has been ---- */

/* How often the kernel has put the calling thread to sleep. No lock needed. */
static long sleeps(void)
{
	struct rusage usage = {0};

	sys(SYS_getrusage, RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

bool asyncring__pool_will_vote(struct worker *worker)
{
	if (worker->kind == POOL_UNBOUNDED || (!pool.queued[POOL_BOUNDED] && !pool.extra))
		return false;
	if (worker->votes_to_skip) {
		worker->votes_to_skip--;
		return false;
	}
	return true;
}

void asyncring__pool_before_request(struct worker *worker)
{
	worker->sleeps = sleeps();
}

bool asyncring__pool_slept_in_request(const struct worker *worker)
{
	long now = sleeps();

	/* Kernels that do not count (gVisor) say nothing but zero: better a thread too many. */
	return now != worker->sleeps || !now;
}

void asyncring__pool_vote(struct worker *worker, bool slept)
{
	bool grow = slept && pool.queued[POOL_BOUNDED] &&
		    allowed() < asyncring__pool_limit(POOL_BOUNDED);

	if (grow)
		pool.extra++;
	else if (!slept && pool.extra)
		pool.extra--;
	/* While the number grows it is to grow fast. */
	worker->votes_to_skip = grow ? 0 : VOTE_EVERY - 1;
}

/* ---- what is still going on ---- */

/*
 * Has @worker been on a processor for a good part of the time since the last look? Of one that has
 * come back in the meantime it is believed.
 */
static bool has_moved_on(struct worker *worker)
{
	struct timespec time;
	uint64_t before = worker->cpu_time;
	bool came_back = worker->came_back;
	clockid_t clock;

	worker->came_back = false;
	if (came_back)
		return true;
	if (pthread_getcpuclockid(worker->thread, &clock) || clock_gettime(clock, &time))
		return false;
	worker->cpu_time = (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
	return worker->cpu_time - before > LOOK_NS / 2;
}

/* @worker has slept again since the last look. */
static void one_more_look(struct worker *worker)
{
	if (++worker->looks_asleep < STUCK_LOOKS || pool.bounded_limit_set ||
	    pool.lent >= asyncring__pool_limit(POOL_UNBOUNDED))
		return;
	worker->lent = true;
	pool.lent++;
	asyncring__pool_set_running(worker, false);
}

void asyncring__pool_begin_watch(struct worker *worker)
{
	pool.watcher = worker;
	pool.taken_before_watch = pool.taken[POOL_BOUNDED];
}

void asyncring__pool_look(void)
{
	unsigned busy = 0, wanted;
	struct list *node;

	if (!pool.queued[POOL_BOUNDED])
		return;
	list_for_each (node, &pool.workers) {
		struct worker *worker = container_of(node, struct worker, node);

		if (!worker->running)
			continue;
		if (has_moved_on(worker)) {
			worker->looks_asleep = 0;
			busy++;
		} else
			one_more_look(worker);
	}
	if (pool.taken_before_watch != pool.taken[POOL_BOUNDED] || busy >= pool.processors)
		return;
	wanted = 2 * pool.running;
	if (wanted > asyncring__pool_limit(POOL_BOUNDED))
		wanted = asyncring__pool_limit(POOL_BOUNDED);
	if (wanted > pool.processors + pool.extra)
		pool.extra = wanted - pool.processors;
}

void asyncring__pool_is_back(struct worker *worker)
{
	worker->came_back = true;
	if (!worker->lent)
		return;
	worker->lent = false;
	pool.lent--;
	asyncring__pool_set_running(worker, true);
}
