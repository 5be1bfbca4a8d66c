/* SPDX-License-Identifier: MIT */
/*
 * Description: what may be no more than a small copy, and is to be carried out by another thread
 * (SQE_ASYNC). A worker carries out a row of such requests and completes them together; the first
 * that would wait ends the row, and so does time. A thread that waits tries them itself, before the
 * workers or in their place, and leaves them to workers if they would wait.
 */
#include "support.h"

#include <linux/futex.h>
#include <sys/eventfd.h>

#include "clock.h"
#include "engine/pool_state.h"
#undef pool

enum { ENTRIES = 64, BLOCK = 512, ROW = 10, FIRST = 100, SEEN_MAX = 40 };

#define NOWAIT 8 /* RWF_NOWAIT */

static struct asyncring ring;
static unsigned char buffer[ROW * BLOCK];
static int file;

/* ---- the hook: all is cached, but for one block ---- */

struct seen {
	bool nowait, by_waiter;
	unsigned tail; /* of the CQ, at that moment */
	long block;
};

static struct seen seen[SEEN_MAX];
static _Atomic unsigned calls;
static _Atomic long cold; /* the block that is not cached, -1: none */
static struct support_gate gate;
/*
 * If closed, workers stand here before they read: the cold block, or while they try the first; or
 * when they are about to watch.
 */
static _Atomic bool cold_closed, try_closed, watch_closed;
static _Atomic unsigned held_cold, held_trying, held_watching;
static _Atomic bool opens_gate; /* when the waiter has tried in vain */

static void stand(_Atomic bool *closed, _Atomic unsigned *held)
{
	atomic_fetch_add(held, 1);
	while (atomic_load(closed))
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static bool read_call(const struct support_transfer *transfer, long *result)
{
	unsigned number = atomic_fetch_add(&calls, 1);
	struct seen *call = &seen[number < SEEN_MAX ? number : SEEN_MAX - 1];

	call->nowait = transfer->flags & NOWAIT;
	call->by_waiter = support_thread_id() == getpid();
	call->tail = __atomic_load_n(ring.cq.ktail, __ATOMIC_ACQUIRE);
	call->block = transfer->offset / BLOCK;
	if (call->nowait && !call->by_waiter && !call->block && atomic_load(&try_closed))
		stand(&try_closed, &held_trying);
	if (call->block != atomic_load(&cold)) {
		*result = support_transfer_part(transfer, BLOCK);
		return true;
	}
	if (!call->nowait) {
		stand(&cold_closed, &held_cold);
		return false;
	}
	*result = -EAGAIN;
	if (call->by_waiter && atomic_load(&opens_gate))
		support_gate_open(&gate);
	return true;
}

static bool is_watch(const long arguments[6])
{
	const struct timespec *timeout = (const struct timespec *)arguments[3];

	return arguments[1] == FUTEX_WAIT && timeout && !timeout->tv_sec &&
	       timeout->tv_nsec == LOOK_NS;
}

static bool hook(long number, const long arguments[6], long *result)
{
	struct support_transfer transfer = {0};

	if (number == SYS_fsync)
		support_gate_pass(&gate, number);
	if (number == SYS_futex && is_watch(arguments) && atomic_load(&watch_closed))
		stand(&watch_closed, &held_watching);
	return support_transfer(number, arguments, &transfer) && read_call(&transfer, result);
}

static bool reached_one(void *argument)
{
	return atomic_load((_Atomic unsigned *)argument) > 0;
}

/* ---- the clock: stands still, or leaps ---- */

static int64_t time_stands(void)
{
	return NSEC_PER_SEC;
}

static int64_t time_leaps(void)
{
	static _Atomic int64_t now = NSEC_PER_SEC;

	return atomic_fetch_add(&now, NSEC_PER_MSEC);
}

/* ---- */

static void queue_reads(unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);

		asyncring_prep_read(sqe, file, buffer + i * BLOCK, BLOCK, i * BLOCK);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
		sqe->user_data = i;
	}
}

static void limit_workers(unsigned bounded)
{
	unsigned limits[2] = {bounded, 0};

	assert_int_equal(asyncring_register_iowq_max_workers(&ring, limits), 0);
}

/* The only worker there may be stands at the gate. */
static void occupy_worker(void)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	limit_workers(1);
	support_gate_close(&gate, SYS_fsync);
	asyncring_prep_fsync(sqe, file, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = FIRST;
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_gate_held(&gate, 1));
}

/* Each of the reads from @first on once, and @others that are none; all with their data. */
static void collect(unsigned first, unsigned count, unsigned others)
{
	bool done[ROW] = {false};

	for (unsigned i = 0; i < count + others; i++) {
		uint64_t user_data;
		int result = support_result(&ring, &user_data);

		if (user_data >= FIRST) {
			assert_int_equal(result, 0);
			continue;
		}
		assert_int_equal(result, BLOCK);
		assert_in_range(user_data, first, first + count - 1);
		assert_false(done[user_data]);
		done[user_data] = true;
		assert_true(support_content(buffer + user_data * BLOCK, BLOCK, user_data * BLOCK));
	}
	assert_int_equal(asyncring_cq_ready(&ring), 0);
}

static unsigned count_calls(bool nowait, bool by_waiter)
{
	unsigned count = 0;

	assert_in_range(atomic_load(&calls), 0, SEEN_MAX);
	for (unsigned i = 0; i < atomic_load(&calls); i++)
		count += seen[i].nowait == nowait && seen[i].by_waiter == by_waiter;
	return count;
}

/* ---- on a worker ---- */

/* While the last one is read there is nothing to be seen yet of the first. */
static void a_row_is_completed_together(void **state)
{
	(void)state;
	atomic_store(&asyncring__waiters_only_wait, true);
	occupy_worker();
	queue_reads(0, ROW);
	assert_int_equal(asyncring_submit(&ring), ROW);
	support_gate_open(&gate);
	assert_int_equal(asyncring_wait_cqe_nr(&ring, &(struct asyncring_cqe *){NULL}, ROW + 1), 0);
	assert_int_equal(count_calls(true, false), ROW);
	for (unsigned i = 0; i < ROW; i++) {
		assert_int_equal(seen[i].block, i);
		assert_int_equal(seen[i].tail, 1);
	}
	collect(0, ROW, 1);
}

/* What is before it completes first, what is behind it can be taken back. */
static void who_has_to_wait_ends_the_row(void **state)
{
	struct asyncring_sync_cancel_reg taken = {.addr = 4, .timeout = {-1, -1}};
	uint64_t user_data;

	(void)state;
	atomic_store(&asyncring__waiters_only_wait, true);
	atomic_store(&cold, 2);
	atomic_store(&cold_closed, true);
	occupy_worker();
	queue_reads(0, 5);
	assert_int_equal(asyncring_submit(&ring), 5);
	support_gate_open(&gate);
	assert_true(support_eventually(reached_one, &held_cold));
	assert_int_equal(asyncring_cq_ready(&ring), 3);
	collect(0, 2, 1);
	assert_int_equal(asyncring_register_sync_cancel(&ring, &taken), 0);
	assert_int_equal(support_result(&ring, &user_data), -ECANCELED);
	assert_int_equal(user_data, 4);
	atomic_store(&cold_closed, false);
	collect(2, 2, 0);
}

/* Then each row has one, and what follows is carried out by itself. */
static void time_ends_the_row(void **state)
{
	(void)state;
	atomic_store(&asyncring__waiters_only_wait, true);
	asyncring__clock_hook = time_leaps;
	occupy_worker();
	queue_reads(0, ROW);
	assert_int_equal(asyncring_submit(&ring), ROW);
	support_gate_open(&gate);
	collect(0, ROW, 1);
	assert_int_equal(count_calls(true, false), ROW / 2);
	assert_int_equal(count_calls(false, false), ROW / 2);
}

/* It ends with what it has read, and nothing goes on interrupting the worker. */
static void who_travels_in_a_row_is_running(void **state)
{
	struct asyncring_sync_cancel_reg meant = {.addr = 2, .timeout = {0, 0}};
	struct worker *worker;

	(void)state;
	atomic_store(&asyncring__waiters_only_wait, true);
	atomic_store(&try_closed, true);
	occupy_worker();
	queue_reads(0, 3);
	assert_int_equal(asyncring_submit(&ring), 3);
	support_gate_open(&gate);
	assert_true(support_eventually(reached_one, &held_trying));
	assert_int_equal(asyncring_register_sync_cancel(&ring, &meant), -ETIME);
	atomic_store(&try_closed, false);
	collect(0, 3, 1);
	pthread_mutex_lock(&asyncring__pool.lock);
	worker = container_of(asyncring__pool.workers.next, struct worker, node);
	lock_acquire(&worker->lock);
	assert_int_equal(worker->timer.id, -1);
	assert_false(worker->interrupted);
	lock_release(&worker->lock);
	pthread_mutex_unlock(&asyncring__pool.lock);
}

/*
 * It will be back at once, and if it is not, because it stands in the copy, somebody watches who
 * then takes from the queue.
 */
static void a_row_going_on_is_watched(void **state)
{
	(void)state;
	atomic_store(&asyncring__waiters_only_wait, true);
	atomic_store(&try_closed, true);
	atomic_store(&watch_closed, true);
	queue_reads(0, 1);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_eventually(reached_one, &held_trying));
	queue_reads(1, 4);
	assert_int_equal(asyncring_submit(&ring), 4);
	assert_true(support_eventually(reached_one, &held_watching));
	pthread_mutex_lock(&asyncring__pool.lock);
	assert_int_equal(asyncring__pool.count[POOL_BOUNDED], 2);
	assert_int_equal(asyncring__pool.queued[POOL_BOUNDED], 4);
	assert_non_null(asyncring__pool.watcher);
	pthread_mutex_unlock(&asyncring__pool.lock);
	atomic_store(&watch_closed, false);
	collect(1, 4, 0);
	atomic_store(&try_closed, false);
	collect(0, 1, 0);
}

/* It will not after all, and calls in another before it sleeps. */
static void a_row_that_has_to_wait_calls_in_another(void **state)
{
	(void)state;
	atomic_store(&asyncring__waiters_only_wait, true);
	atomic_store(&try_closed, true);
	atomic_store(&cold, 0);
	atomic_store(&cold_closed, true);
	queue_reads(0, 1);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_eventually(reached_one, &held_trying));
	queue_reads(1, 4);
	assert_int_equal(asyncring_submit(&ring), 4);
	atomic_store(&try_closed, false);
	collect(1, 4, 0);
	assert_true(support_eventually(reached_one, &held_cold));
	atomic_store(&cold_closed, false);
	collect(0, 1, 0);
}

/* ---- by the thread that waits ---- */

static void who_is_about_to_wait_tries_first(void **state)
{
	(void)state;
	queue_reads(0, ROW);
	asyncring_prep_nop(support_sqe(&ring));
	ring.sq.sqes[ROW].flags |= ASYNCRING_SQE_ASYNC;
	ring.sq.sqes[ROW].user_data = FIRST;
	assert_int_equal(asyncring_submit_and_wait(&ring, ROW + 1), ROW + 1);
	collect(0, ROW, 1);
	assert_int_equal(count_calls(true, true), ROW);
	assert_int_equal(asyncring__pool.count[POOL_BOUNDED], 0);
}

/* To all who can tell it is as if a worker had done it. */
static void it_completes_as_asynchronous(void **state)
{
	int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	eventfd_t count;

	(void)state;
	assert_int_equal(asyncring_register_eventfd_async(&ring, event), 0);
	queue_reads(0, 1);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	assert_int_equal(count_calls(true, true), 1);
	assert_int_equal(eventfd_read(event, &count), 0);
	collect(0, 1, 0);
	close(event);
}

/* What it has found is not tried again. */
static void what_would_wait_is_a_workers(void **state)
{
	(void)state;
	atomic_store(&cold, 1);
	queue_reads(0, 3);
	assert_int_equal(asyncring_submit_and_wait(&ring, 3), 3);
	collect(0, 3, 0);
	assert_int_equal(count_calls(true, true), 3);
	assert_int_equal(count_calls(true, false), 0);
	assert_int_equal(count_calls(false, true), 0);
	assert_int_equal(count_calls(false, false), 1);
}

/* One is tried, and the time is over: the others are left to workers. */
static void not_for_longer_than_a_moment(void **state)
{
	(void)state;
	asyncring__clock_hook = time_leaps;
	occupy_worker();
	queue_reads(0, 5);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 5);
	assert_int_equal(asyncring_cq_ready(&ring), 1);
	assert_int_equal(count_calls(true, true), 1);
	collect(0, 1, 0);
	support_gate_open(&gate);
	collect(1, 4, 1);
}

/* Submitted before the wait, and no worker has come for them. */
static void what_is_queued_is_tried_before_sleeping(void **state)
{
	struct asyncring_cqe *cqe;

	(void)state;
	occupy_worker();
	queue_reads(0, 4);
	assert_int_equal(asyncring_submit(&ring), 4);
	assert_int_equal(asyncring_wait_cqe_nr(&ring, &cqe, 4), 0);
	collect(0, 4, 0);
	assert_int_equal(count_calls(true, true), 4);
	support_gate_open(&gate);
	collect(0, 0, 1);
}

/* It goes back, for a worker to carry it out; the others behind it do not wait for that. */
static void what_would_wait_goes_back(void **state)
{
	struct asyncring_cqe *cqe;

	(void)state;
	atomic_store(&cold, 0);
	atomic_store(&opens_gate, true);
	occupy_worker();
	queue_reads(0, 2);
	assert_int_equal(asyncring_submit(&ring), 2);
	assert_int_equal(asyncring_wait_cqe_nr(&ring, &cqe, 3), 0);
	collect(0, 2, 1);
	assert_int_equal(count_calls(false, true), 0);
	for (unsigned i = 0; i < atomic_load(&calls); i++)
		if (!seen[i].block)
			assert_true(seen[i].nowait == seen[i].by_waiter);
}

/* ---- */

/* Each test begins without any thread of the library. */
static int begin(void **state)
{
	(void)state;
	atomic_store(&asyncring__waiters_only_wait, false);
	atomic_store(&cold, -1);
	calls = held_cold = held_trying = held_watching = 0;
	cold_closed = try_closed = watch_closed = opens_gate = false;
	asyncring__clock_hook = time_stands;
	memset(buffer, 0, sizeof(buffer));
	return asyncring_queue_init(ENTRIES, &ring, 0);
}

static int end(void **state)
{
	(void)state;
	limit_workers(64);
	asyncring_queue_exit(&ring);
	asyncring__clock_hook = NULL;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	asyncring__sys_hook = hook;
	file = support_file("/tmp", sizeof(buffer));
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_row_is_completed_together),
		TEST(who_has_to_wait_ends_the_row),
		TEST(time_ends_the_row),
		TEST(who_travels_in_a_row_is_running),
		TEST(a_row_going_on_is_watched),
		TEST(a_row_that_has_to_wait_calls_in_another),
		TEST(who_is_about_to_wait_tries_first),
		TEST(it_completes_as_asynchronous),
		TEST(what_would_wait_is_a_workers),
		TEST(not_for_longer_than_a_moment),
		TEST(what_is_queued_is_tried_before_sleeping),
		TEST(what_would_wait_goes_back),
	};

	/* Elsewhere RWF_NOWAIT is not what is tried. */
	if (!support_on_a_device())
		return 77;
	return cmocka_run_group_tests(tests, setup, NULL);
}
