/* SPDX-License-Identifier: MIT */
/*
 * Description: a thread that would sleep for completions carries out what its ring has queued:
 * which requests and when, and that nothing is held back for it on any way out of the call.
 * Cancellation, signals, limits, closing and fork while it does so; and what becomes of requests
 * for which there is no thread at all. In the end many threads on one ring, at random.
 */
#include "support.h"

#include "engine/pool_state.h"
#undef pool

enum { ENTRIES = 64, BLOCK = 4096, FILE_BYTES = 256 * 1024, WRITES = 32 };

static struct asyncring ring;
/* What is written comes from both in turn, so that it adjoins nowhere in memory. */
static unsigned char buffer[FILE_BYTES], again[FILE_BYTES];
static int file;

/* ---- the hook: nothing is cached; counts who makes the calls, and holds them ---- */

static _Atomic unsigned by_waiter, by_others, vectors;
static struct support_gate workers_gate;
/* Transfers wait for this gate to open, which nothing interrupts; or sleep until interrupted. */
static _Atomic bool gate_closed, sleeps;
static _Atomic unsigned at_gate;
static _Atomic int signals_at_gate;
static _Atomic int handled;
static _Atomic bool signals_itself; /* in the next transfer */

#define NOWAIT 8 /* RWF_NOWAIT */

static bool count_transfers(long number, const long arguments[6], long *result)
{
	struct support_transfer seen = {0};
	bool transfer = support_transfer(number, arguments, &seen);

	support_gate_pass(&workers_gate, number);
	if (!transfer && number != SYS_fsync)
		return false;
	if (seen.flags & NOWAIT) {
		*result = seen.write ? -EOPNOTSUPP : -EAGAIN;
		return true;
	}
	atomic_fetch_add(support_thread_id() == getpid() ? &by_waiter : &by_others, 1);
	atomic_fetch_add(&vectors, seen.count);
	if (atomic_exchange(&signals_itself, false))
		sys_raw6(SYS_tgkill, getpid(), support_thread_id(), SIGUSR1, 0, 0, 0);
	if (atomic_load(&gate_closed)) {
		atomic_fetch_add(&at_gate, 1);
		while (atomic_load(&gate_closed))
			sched_yield();
		atomic_store(&signals_at_gate, atomic_load(&handled));
	}
	if (!atomic_load(&sleeps))
		return false;
	atomic_fetch_add(&at_gate, 1);
	*result = sys_raw6(SYS_ppoll, 0, 0, 0, 0, 0, 0);
	return true;
}

static bool someone_is_at_the_gate(void *argument)
{
	(void)argument;
	return atomic_load(&at_gate) > 0;
}

static void count_from_here(void)
{
	by_waiter = by_others = vectors = at_gate = 0;
}

static void queue_read(uint64_t user_data)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_read(sqe, file, buffer + user_data * BLOCK, BLOCK, user_data * BLOCK);
	sqe->user_data = user_data;
}

static void queue_write(uint64_t user_data)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_write(sqe, file, (user_data % 2 ? again : buffer) + user_data * BLOCK, BLOCK,
			     user_data * BLOCK);
	sqe->user_data = user_data;
}

static bool has_completion(void *argument)
{
	(void)argument;
	return asyncring_cq_ready(&ring) > 0;
}

/* Take a completion without a call: somebody else has to bring it. */
static int take(uint64_t *user_data)
{
	struct asyncring_cqe *cqe;
	int result;

	assert_true(support_eventually(has_completion, NULL));
	assert_int_equal(asyncring_peek_cqe(&ring, &cqe), 0);
	result = cqe->res;
	if (user_data)
		*user_data = cqe->user_data;
	asyncring_cqe_seen(&ring, cqe);
	return result;
}

/* ---- what and when ---- */

static void a_lone_cold_read_needs_no_thread(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		count_from_here();
		memset(buffer, 0, BLOCK);
		queue_read(0);
		assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
		assert_int_equal(asyncring_cq_ready(&ring), 1);
		assert_int_equal(take(NULL), BLOCK);
		assert_true(support_content(buffer, BLOCK, 0));
		assert_int_equal(by_waiter, 1);
		assert_int_equal(by_others, 0);
		assert_int_equal(support_threads(), 1);
	}
}

static void a_lane_of_writes_is_one_call_of_the_waiters(void **state)
{
	(void)state;
	count_from_here();
	for (unsigned i = 0; i < FILE_BYTES; i++)
		buffer[i] = again[i] = support_byte(i);
	for (unsigned i = 0; i < WRITES; i++)
		queue_write(i);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), WRITES);
	assert_int_equal(asyncring_cq_ready(&ring), WRITES);
	for (unsigned i = 0; i < WRITES; i++) {
		uint64_t user_data;

		assert_int_equal(take(&user_data), BLOCK);
		assert_int_equal(user_data, i);
	}
	assert_int_equal(by_waiter, 1);
	assert_int_equal(vectors, WRITES);
	assert_int_equal(support_threads(), 1);
}

/* Writes that do not continue each other: it leaves when it has what it waits for. */
static void what_is_left_of_a_lane_is_the_workers(void **state)
{
	(void)state;
	count_from_here();
	for (unsigned i = 0; i < WRITES; i++)
		queue_write(2 * i);
	assert_int_equal(asyncring_submit_and_wait(&ring, 3), WRITES);
	for (unsigned i = 0; i < WRITES; i++) {
		uint64_t user_data;

		assert_int_equal(take(&user_data), BLOCK);
		assert_int_equal(user_data, 2 * i);
	}
	assert_int_equal(by_waiter, 3);
	assert_int_equal(by_others, WRITES - 3);
}

static void of_two_reads_one_is_waited_for_and_workers_do_both(void **state)
{
	(void)state;
	count_from_here();
	queue_read(0);
	queue_read(1);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 2);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(by_waiter, 0);
	assert_int_equal(by_others, 2);
}

/* The worker is held before it takes anything, so the second is the waiter's as well. */
static void of_two_reads_both_are_waited_for_and_the_waiter_works(void **state)
{
	(void)state;
	count_from_here();
	support_gate_close(&workers_gate, SYS_prctl);
	queue_read(0);
	queue_read(1);
	assert_int_equal(asyncring_submit_and_wait(&ring, 2), 2);
	support_gate_open(&workers_gate);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(by_waiter, 2);
	assert_int_equal(by_others, 0);
}

static void beside_an_armed_poll_workers_work(void **state)
{
	int pipe_ends[2];
	uint64_t user_data;

	(void)state;
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	count_from_here();
	asyncring_prep_poll_add(support_sqe(&ring), pipe_ends[0], POLLIN);
	queue_read(1);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 2);
	assert_int_equal(take(&user_data), BLOCK);
	assert_int_equal(user_data, 1);
	assert_int_equal(by_waiter, 0);
	assert_int_equal(by_others, 1);
	assert_int_equal(write(pipe_ends[1], "x", 1), 1);
	assert_int_equal(support_result(&ring, NULL), POLLIN);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static void a_ring_that_gets_messages_has_its_thread_free(void **state)
{
	struct asyncring sender;

	(void)state;
	assert_int_equal(asyncring_queue_init(4, &sender, 0), 0);
	asyncring_prep_msg_ring(support_sqe(&sender), ring.ring_fd, 7, 7, 0);
	assert_int_equal(support_run(&sender), 0);
	asyncring_queue_exit(&sender);
	assert_int_equal(take(NULL), 7);
	count_from_here();
	queue_read(0);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(by_waiter, 0);
}

static void who_has_little_time_does_not_begin(void **state)
{
	struct __kernel_timespec soon = {.tv_nsec = 50 * 1000 * 1000};
	struct asyncring_cqe *cqe;

	(void)state;
	count_from_here();
	queue_read(0);
	/* Whether it still finds it there is a matter of time. */
	asyncring_submit_and_wait_timeout(&ring, &cqe, 1, &soon, NULL);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(by_waiter, 0);
}

static void who_has_enough_does(void **state)
{
	struct __kernel_timespec late = {.tv_sec = 3600};
	struct asyncring_cqe *cqe;

	(void)state;
	count_from_here();
	queue_read(0);
	assert_int_equal(asyncring_submit_and_wait_timeout(&ring, &cqe, 1, &late, NULL), 1);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(by_waiter, 1);
}

static void asked_for_or_too_large_it_is_the_workers(void **state)
{
	static unsigned char large[2 * 1024 * 1024];
	struct asyncring_sqe *sqe;

	(void)state;
	count_from_here();
	queue_read(0);
	ring.sq.sqes[(ring.sq.sqe_tail - 1) & ring.sq.ring_mask].flags |= ASYNCRING_SQE_ASYNC;
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	assert_int_equal(take(NULL), BLOCK);
	sqe = support_sqe(&ring);
	asyncring_prep_read(sqe, file, large, sizeof(large), 0);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	assert_int_equal(take(NULL), FILE_BYTES);
	assert_int_equal(by_waiter, 0);
}

static void the_waiter_carries_on_with_a_chain(void **state)
{
	uint64_t user_data;

	(void)state;
	count_from_here();
	for (unsigned i = 0; i < 3; i++) {
		queue_read(i);
		ring.sq.sqes[(ring.sq.sqe_tail - 1) & ring.sq.ring_mask].flags |=
			ASYNCRING_SQE_IO_LINK;
	}
	asyncring_prep_fsync(support_sqe(&ring), file, 0);
	assert_int_equal(asyncring_submit_and_wait(&ring, 4), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(take(&user_data), i < 3 ? BLOCK : 0);
		assert_int_equal(user_data, i < 3 ? i : 0);
	}
	assert_int_equal(by_waiter, 4);
	assert_int_equal(support_threads(), 1);
}

/* What it waits for is there after the first: the rest of the chain is a worker's. */
static void the_rest_of_a_chain_is_not_waited_for(void **state)
{
	(void)state;
	count_from_here();
	queue_read(0);
	ring.sq.sqes[(ring.sq.sqe_tail - 1) & ring.sq.ring_mask].flags |= ASYNCRING_SQE_IO_LINK;
	queue_read(1);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 2);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(by_waiter, 1);
	assert_int_equal(by_others, 1);
}

static void with_deferred_completions_the_waiter_is_the_owner(void **state)
{
	struct asyncring deferring;

	(void)state;
	assert_int_equal(
		asyncring_queue_init(ENTRIES, &deferring,
				     ASYNCRING_SETUP_DEFER_TASKRUN | ASYNCRING_SETUP_SINGLE_ISSUER),
		0);
	count_from_here();
	for (unsigned i = 0; i < 4; i++)
		asyncring_prep_write(support_sqe(&deferring), file,
				     (i % 2 ? again : buffer) + i * BLOCK, BLOCK,
				     (uint64_t)i * BLOCK);
	assert_int_equal(asyncring_submit_and_wait(&deferring, 4), 4);
	assert_int_equal(asyncring_cq_ready(&deferring), 4);
	asyncring_cq_advance(&deferring, 4);
	assert_int_equal(by_waiter, 1);
	assert_int_equal(vectors, 4);
	asyncring_queue_exit(&deferring);
}

/* ---- nothing stays behind ---- */

static void what_is_not_waited_for_in_the_end_is_announced(void **state)
{
	uint64_t user_data;

	(void)state;
	/* The wait finds enough and does not begin. */
	count_from_here();
	queue_read(1);
	asyncring_prep_nop(support_sqe(&ring));
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 2);
	assert_int_equal(take(&user_data), 0);
	assert_int_equal(take(&user_data), BLOCK);
	/* Fewer are submitted than were to be. */
	queue_read(1);
	__atomic_store_n(ring.sq.ktail, ring.sq.sqe_tail, __ATOMIC_RELEASE);
	ring.sq.sqe_head = ring.sq.sqe_tail;
	assert_int_equal(
		asyncring_enter((unsigned)ring.ring_fd, 5, 1, ASYNCRING_ENTER_GETEVENTS, NULL), 1);
	assert_int_equal(take(&user_data), BLOCK);
	/* The arguments of the wait are bad. */
	queue_read(1);
	__atomic_store_n(ring.sq.ktail, ring.sq.sqe_tail, __ATOMIC_RELEASE);
	ring.sq.sqe_head = ring.sq.sqe_tail;
	assert_int_equal(asyncring_enter2((unsigned)ring.ring_fd, 1, 1,
					  ASYNCRING_ENTER_GETEVENTS | ASYNCRING_ENTER_EXT_ARG, NULL,
					  3),
			 1);
	assert_int_equal(take(&user_data), BLOCK);
	assert_int_equal(by_waiter, 0);
	assert_int_equal(by_others, 3);
}

static void several_hand_overs_leave_nothing(void **state)
{
	(void)state;
	for (unsigned wanted = 1; wanted <= 40; wanted++) {
		for (unsigned i = 0; i < 40; i++)
			queue_read(i);
		assert_int_equal(asyncring_submit_and_wait(&ring, wanted), 40);
		for (unsigned i = 0; i < 40; i++)
			assert_int_equal(take(NULL), BLOCK);
	}
}

/* ---- no thread to be had ---- */

static bool refuse_workers(size_t size)
{
	return size != sizeof(struct worker);
}

static void without_threads_the_waiter_does_everything(void **state)
{
	uint64_t user_data;
	int pipe_ends[2];

	(void)state;
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	asyncring_prep_poll_add(support_sqe(&ring), pipe_ends[0], POLLIN);
	assert_int_equal(asyncring_submit(&ring), 1);
	for (unsigned wanted = 1; wanted <= 8; wanted++) {
		count_from_here();
		asyncring__alloc_hook = refuse_workers;
		for (unsigned i = 0; i < 8; i++)
			queue_read(i);
		assert_int_equal(asyncring_submit_and_wait(&ring, wanted), 8);
		asyncring__alloc_hook = NULL;
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(take(NULL), BLOCK);
		assert_int_equal(by_waiter, 8);
	}
	assert_int_equal(write(pipe_ends[1], "x", 1), 1);
	assert_int_equal(support_result(&ring, &user_data), POLLIN);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

/* ---- limits and signals ---- */

static void limit_file_size(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void assert_no_signal_pending(void)
{
	sigset_t pending, mask, empty;

	sigemptyset(&empty);
	assert_int_equal(sigpending(&pending), 0);
	assert_memory_equal(&pending, &empty, _NSIG / 8);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	assert_memory_equal(&mask, &empty, _NSIG / 8);
}

/* SIGXFSZ ends the process if it reaches it. */
static void a_limit_of_file_sizes_raises_no_signal(void **state)
{
	(void)state;
	limit_file_size(BLOCK);
	count_from_here();
	queue_write(2);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	assert_int_equal(take(NULL), -EFBIG);
	assert_int_equal(by_waiter, 0);
	assert_int_equal(by_others, 1);
	limit_file_size(RLIM_INFINITY);
}

static void nor_does_it_where_the_waiter_has_to_write(void **state)
{
	(void)state;
	limit_file_size(BLOCK);
	count_from_here();
	asyncring__alloc_hook = refuse_workers;
	queue_write(2);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	asyncring__alloc_hook = NULL;
	assert_int_equal(take(NULL), -EFBIG);
	assert_int_equal(by_waiter, 1);
	limit_file_size(RLIM_INFINITY);
	assert_no_signal_pending();
}

static void count_signal(int number)
{
	(void)number;
	atomic_fetch_add(&handled, 1);
}

/* The application's thread, and what another does to it meanwhile. */
static pthread_t application;
static void *result_of_other;

static void *signal_it(void *argument)
{
	(void)argument;
	if (!support_eventually(someone_is_at_the_gate, NULL))
		return NULL;
	pthread_kill(application, SIGUSR1);
	atomic_store(&gate_closed, false);
	return &application;
}

static pthread_t begin_other(void *(*what)(void *argument))
{
	pthread_t other;

	application = pthread_self();
	assert_int_equal(pthread_create(&other, NULL, what, NULL), 0);
	return other;
}

static void end_other(pthread_t other)
{
	assert_int_equal(pthread_join(other, &result_of_other), 0);
	assert_non_null(result_of_other);
}

/* Not while it works, and then it ends the wait for what is not there. */
static void a_signal_ends_the_wait_when_the_work_is_done(void **state)
{
	struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
	pthread_t other;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	count_from_here();
	atomic_store(&handled, 0);
	atomic_store(&gate_closed, true);
	other = begin_other(signal_it);
	queue_read(0);
	assert_int_equal(asyncring_submit_and_wait(&ring, 2), 1);
	end_other(other);
	assert_int_equal(asyncring_cq_ready(&ring), 1);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(signals_at_gate, 0);
	assert_int_equal(handled, 1);
	assert_int_equal(by_waiter, 1);
	assert_no_signal_pending();
}

/* ---- others meanwhile ---- */

/* One that comes in the first of many calls is not kept until all are made. */
static void nothing_is_begun_once_a_signal_has_come(void **state)
{
	struct sigaction action = {.sa_handler = count_signal};
	unsigned begun;
	int submitted;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	for (int lane = 0; lane < 2; lane++) {
		handled = 0;
		count_from_here();
		signals_itself = true;
		support_gate_close(&workers_gate, SYS_prctl);
		for (unsigned i = 0; i < 8; i++) {
			if (lane)
				queue_write(2 * i);
			else
				queue_read(i);
		}
		submitted = asyncring_submit_and_wait(&ring, 8);
		begun = by_waiter;
		support_gate_open(&workers_gate);
		assert_int_equal(submitted, 8);
		assert_int_equal(handled, 1);
		assert_int_equal(begun, 1);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(take(NULL), BLOCK);
		assert_int_equal(by_others, 7);
		assert_no_signal_pending();
	}
	signal(SIGUSR1, SIG_DFL);
}

static void *cancel_it_synchronously(void *argument)
{
	struct asyncring_sync_cancel_reg cancel = {
		.addr = 0, .flags = ASYNCRING_ASYNC_CANCEL_ALL, .timeout = {-1, -1}};

	(void)argument;
	if (!support_eventually(someone_is_at_the_gate, NULL))
		return NULL;
	if (asyncring_register_sync_cancel(&ring, &cancel))
		return NULL;
	return &application;
}

static void *cancel_it_by_request(void *argument)
{
	struct asyncring_sqe *sqe;

	(void)argument;
	if (!support_eventually(someone_is_at_the_gate, NULL))
		return NULL;
	sqe = asyncring_get_sqe(&ring);
	asyncring_prep_cancel64(sqe, 0, 0);
	sqe->user_data = 9;
	return asyncring_submit(&ring) == 1 ? &application : NULL;
}

static void what_the_waiter_does_can_be_cancelled(void **state)
{
	pthread_t other;

	(void)state;
	atomic_store(&sleeps, true);
	count_from_here();
	other = begin_other(cancel_it_synchronously);
	queue_read(0);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	end_other(other);
	assert_int_equal(take(NULL), -EINTR);
	assert_no_signal_pending();

	count_from_here();
	other = begin_other(cancel_it_by_request);
	queue_read(0);
	assert_int_equal(asyncring_submit_and_wait(&ring, 2), 1);
	end_other(other);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t user_data;
		int result = take(&user_data);

		assert_int_equal(result, user_data == 9 ? -EALREADY : -EINTR);
	}
	assert_int_equal(by_waiter, 1);
	assert_no_signal_pending();
	atomic_store(&sleeps, false);
}

static void *close_it(void *argument)
{
	(void)argument;
	if (!support_eventually(someone_is_at_the_gate, NULL))
		return NULL;
	asyncring_close(ring.ring_fd);
	return &application;
}

static void the_ring_can_be_closed_meanwhile(void **state)
{
	pthread_t other;

	(void)state;
	atomic_store(&sleeps, true);
	count_from_here();
	other = begin_other(close_it);
	queue_read(0);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	end_other(other);
	atomic_store(&sleeps, false);
	assert_int_equal(by_waiter, 1);
	assert_no_signal_pending();
	asyncring_queue_exit(&ring);
	assert_int_equal(asyncring_queue_init(ENTRIES, &ring, 0), 0);
}

/* In the child: a ring of its own, and the waiter's work as in the parent. */
static int read_in_child(void)
{
	struct asyncring own;
	struct asyncring_cqe *cqe;
	static unsigned char bytes[BLOCK];

	atomic_store(&gate_closed, false);
	if (asyncring_queue_init(4, &own, 0))
		return 1;
	asyncring_prep_read(asyncring_get_sqe(&own), file, bytes, BLOCK, 0);
	if (asyncring_submit_and_wait(&own, 1) != 1 || asyncring_peek_cqe(&own, &cqe) ||
	    cqe->res != BLOCK || !support_content(bytes, BLOCK, 0))
		return 2;
	asyncring_queue_exit(&own);
	return 0;
}

static void *fork_now(void *argument)
{
	pid_t child;
	int status = -1;

	(void)argument;
	if (!support_eventually(someone_is_at_the_gate, NULL))
		return NULL;
	child = fork();
	if (!child)
		_exit(read_in_child());
	waitpid(child, &status, 0);
	atomic_store(&gate_closed, false);
	return status ? NULL : &application;
}

static void the_process_can_fork_meanwhile(void **state)
{
	pthread_t other;

	(void)state;
	count_from_here();
	atomic_store(&gate_closed, true);
	other = begin_other(fork_now);
	queue_read(0);
	assert_int_equal(asyncring_submit_and_wait(&ring, 1), 1);
	end_other(other);
	assert_int_equal(take(NULL), BLOCK);
	assert_int_equal(by_waiter, 1);
}

/* ---- at random ---- */

enum { THREADS = 4, TURNS = 400 };

static pthread_mutex_t sides = PTHREAD_MUTEX_INITIALIZER; /* the application side of the ring */
static unsigned submitted, completed, wrong;

static void prepare_at_random(unsigned random, unsigned char *bytes)
{
	struct asyncring_sqe *sqe = asyncring_get_sqe(&ring);
	unsigned block = random / 16 % (FILE_BYTES / BLOCK);

	if (!sqe)
		return;
	switch (random % 8) {
	case 0:
		asyncring_prep_cancel64(sqe, random % 64, 0);
		break;
	case 1:
		asyncring_prep_fsync(sqe, file, 0);
		break;
	case 2:
	case 3:
	case 4:
		asyncring_prep_write(sqe, file, buffer + (size_t)block * BLOCK, BLOCK,
				     (uint64_t)block * BLOCK);
		break;
	default:
		asyncring_prep_read(sqe, file, bytes, BLOCK, (uint64_t)block * BLOCK);
	}
	sqe->user_data = random % 64;
	submitted++;
}

static unsigned publish(void)
{
	unsigned count = ring.sq.sqe_tail - ring.sq.sqe_head;

	__atomic_store_n(ring.sq.ktail, ring.sq.sqe_tail, __ATOMIC_RELEASE);
	ring.sq.sqe_head = ring.sq.sqe_tail;
	return count;
}

static void collect(void)
{
	struct asyncring_cqe *cqe;

	while (!asyncring_peek_cqe(&ring, &cqe)) {
		wrong += cqe->res != BLOCK && cqe->res != 0 && cqe->res != -ECANCELED &&
			 cqe->res != -EINTR && cqe->res != -EALREADY && cqe->res != -ENOENT;
		asyncring_cqe_seen(&ring, cqe);
		completed++;
	}
}

static void *enter_at_random(void *argument)
{
	struct __kernel_timespec time = {.tv_nsec = 150 * 1000 * 1000};
	struct asyncring_getevents_arg extended = {.ts = (uintptr_t)&time};
	unsigned random = (unsigned)(uintptr_t)argument;
	unsigned char bytes[BLOCK];

	for (unsigned i = 0; i < TURNS; i++) {
		unsigned count, wanted;

		pthread_mutex_lock(&sides);
		for (unsigned j = 0; j < 1 + random % 5; j++) {
			random = random * 1103515245 + 12345;
			prepare_at_random(random >> 8, bytes);
		}
		count = publish();
		wanted = submitted > completed ? 1 + random / 64 % 3 : 0;
		pthread_mutex_unlock(&sides);
		asyncring_enter2((unsigned)ring.ring_fd, count, wanted,
				 ASYNCRING_ENTER_GETEVENTS | ASYNCRING_ENTER_EXT_ARG, &extended,
				 sizeof(extended));
		pthread_mutex_lock(&sides);
		collect();
		pthread_mutex_unlock(&sides);
	}
	/* Its buffer is in use until all is done. */
	for (;;) {
		bool over;

		pthread_mutex_lock(&sides);
		collect();
		over = submitted == completed;
		pthread_mutex_unlock(&sides);
		if (over)
			return NULL;
		asyncring_enter2((unsigned)ring.ring_fd, 0, 1,
				 ASYNCRING_ENTER_GETEVENTS | ASYNCRING_ENTER_EXT_ARG, &extended,
				 sizeof(extended));
	}
}

static void many_threads_on_one_ring(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < FILE_BYTES; i++)
		buffer[i] = again[i] = support_byte(i);
	submitted = completed = wrong = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, enter_at_random, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(wrong, 0);
	assert_int_equal(submitted, completed);
	memset(buffer, 0, FILE_BYTES);
	assert_int_equal(pread(file, buffer, FILE_BYTES, 0), FILE_BYTES);
	assert_true(support_content(buffer, FILE_BYTES, 0));
}

/* ---- */

/* Each test begins without any thread of the library. */
static int begin(void **state)
{
	(void)state;
	return asyncring_queue_init(ENTRIES, &ring, 0);
}

static int end(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	asyncring__sys_hook = count_transfers;
	file = support_file("/tmp", FILE_BYTES);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lone_cold_read_needs_no_thread),
		TEST(a_lane_of_writes_is_one_call_of_the_waiters),
		TEST(what_is_left_of_a_lane_is_the_workers),
		TEST(of_two_reads_one_is_waited_for_and_workers_do_both),
		TEST(of_two_reads_both_are_waited_for_and_the_waiter_works),
		TEST(beside_an_armed_poll_workers_work),
		TEST(a_ring_that_gets_messages_has_its_thread_free),
		TEST(who_has_little_time_does_not_begin),
		TEST(who_has_enough_does),
		TEST(asked_for_or_too_large_it_is_the_workers),
		TEST(the_waiter_carries_on_with_a_chain),
		TEST(the_rest_of_a_chain_is_not_waited_for),
		TEST(with_deferred_completions_the_waiter_is_the_owner),
		TEST(what_is_not_waited_for_in_the_end_is_announced),
		TEST(several_hand_overs_leave_nothing),
		TEST(without_threads_the_waiter_does_everything),
		TEST(a_limit_of_file_sizes_raises_no_signal),
		TEST(nor_does_it_where_the_waiter_has_to_write),
		TEST(a_signal_ends_the_wait_when_the_work_is_done),
		TEST(nothing_is_begun_once_a_signal_has_come),
		TEST(what_the_waiter_does_can_be_cancelled),
		TEST(the_ring_can_be_closed_meanwhile),
		TEST(the_process_can_fork_meanwhile),
		TEST(many_threads_on_one_ring),
	};

	/* Where files are elsewhere, or in memory, waiters do not work. */
	if (!support_on_a_device())
		return 77;
	return cmocka_run_group_tests(tests, setup, NULL);
}
