/* SPDX-License-Identifier: MIT */
/*
 * Description: SQPOLL costs the application no system call while the SQ thread is awake, neither to
 * submit nor to wait by looking; and the thread does not pay for the readability of the ring's
 * descriptor with each batch, which all the same tells whoever polls it.
 */
#include "support.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

enum { BATCH = 32, BATCHES = 320, SIZE = 65536, LONG_MS = 1000000, TURNS = 20 };

static struct asyncring ring;

static void open_ring(unsigned idle_ms)
{
	struct asyncring_params params = {
		.flags = ASYNCRING_SETUP_SQPOLL,
		.sq_thread_idle = idle_ms,
	};

	assert_int_equal(asyncring_queue_init_params(2 * BATCH, &ring, &params), 0);
}

static void submit_nops(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		asyncring_prep_nop(support_sqe(&ring));
	assert_int_equal(asyncring_submit(&ring), count);
}

/* ---- the application under a filter that lets it do nothing but end ---- */

static bool allow_nothing(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = {.len = sizeof(code) / sizeof(*code), .filter = code};

	/* Of this thread alone: others of the process are there already. */
	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* How the batch is waited for. */
enum way { BY_CQ_READY, BY_PEEK, BY_BATCH };

static unsigned look(enum way way)
{
	struct asyncring_cqe *cqes[BATCH];

	switch (way) {
	case BY_CQ_READY:
		return asyncring_cq_ready(&ring);
	case BY_PEEK:
		return !asyncring_peek_cqe(&ring, cqes);
	default:
		return asyncring_peek_batch_cqe(&ring, cqes, BATCH);
	}
}

/* True if all is well. Nothing here asserts, which would be a call. */
static bool transfer(int file, void *buffer, enum way way)
{
	unsigned done = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		struct asyncring_sqe *sqe;

		/* Entries are free again some time after their completions are there. */
		do
			sqe = asyncring_get_sqe(&ring);
		while (!sqe);
		if (file < 0)
			asyncring_prep_nop(sqe);
		else
			asyncring_prep_read(sqe, file, buffer, SIZE / BATCH,
					    (uint64_t)i * SIZE / BATCH);
	}
	if (asyncring_submit(&ring) < 0)
		return false;
	while (done < BATCH) {
		struct asyncring_cqe *cqe;

		while (!look(way))
			continue;
		/* There is something, so this does not wait. */
		if (asyncring_wait_cqe(&ring, &cqe) || cqe->res != (file < 0 ? 0 : SIZE / BATCH))
			return false;
		asyncring_cqe_seen(&ring, cqe);
		done++;
	}
	return true;
}

static void in_child(int file, enum way way)
{
	static unsigned char buffer[SIZE / BATCH];
	bool good;

	support_bound(120);
	open_ring(LONG_MS);
	good = transfer(file, buffer, way) && allow_nothing();
	for (unsigned i = 0; i < BATCHES && good; i++)
		good = transfer(file, buffer, way);
	_exit(!good);
}

static void makes_no_call(int file, enum way way)
{
	pid_t child;
	int status;

	/* A sanitizer makes calls of its own. */
	if (THREAD_SANITIZER || ADDRESS_SANITIZER)
		skip();
	child = fork();
	assert_true(child >= 0);
	if (!child)
		in_child(file, way);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void nops_cost_the_application_no_call(void **state)
{
	(void)state;
	for (enum way way = BY_CQ_READY; way <= BY_BATCH; way++)
		makes_no_call(-1, way);
}

static void cached_reads_cost_the_application_no_call(void **state)
{
	int file = support_file("/tmp", SIZE);

	(void)state;
	for (enum way way = BY_CQ_READY; way <= BY_BATCH; way++)
		makes_no_call(file, way);
	close(file);
}

/* ---- the SQ thread, turn by turn: it is held where it lets others run ---- */

static sem_t arrived, proceed;
static _Atomic bool held; /* the thread is to stop there */
static _Atomic unsigned writes, reads, application_calls;

static bool hold(long number, const long arguments[6], long *result)
{
	(void)arguments;
	(void)result;
	if (support_thread_id() == getpid()) {
		atomic_fetch_add(&application_calls, 1);
	} else if (number == SYS_sched_yield && atomic_load(&held)) {
		sem_post(&arrived);
		while (sem_wait(&proceed))
			continue;
	} else if (number == SYS_write) {
		atomic_fetch_add(&writes, 1);
	} else if (number == SYS_read) {
		atomic_fetch_add(&reads, 1);
	}
	return false;
}

static void wait_held(void)
{
	while (sem_wait(&arrived))
		continue;
}

static int set_up_held(void **state)
{
	(void)state;
	sem_init(&arrived, 0, 0);
	sem_init(&proceed, 0, 0);
	atomic_store(&held, true);
	/* Before there is a thread to read it. */
	asyncring__sys_hook = hold;
	open_ring(LONG_MS);
	wait_held();
	atomic_store(&writes, 0);
	atomic_store(&reads, 0);
	atomic_store(&application_calls, 0);
	return 0;
}

static int tear_down_held(void **state)
{
	(void)state;
	atomic_store(&held, false);
	sem_post(&proceed);
	asyncring_queue_exit(&ring);
	asyncring__sys_hook = NULL;
	sem_destroy(&arrived);
	sem_destroy(&proceed);
	return 0;
}

/* The held thread takes what there is, and then looks in vain once; or only that. */
static void let_turn(unsigned turns)
{
	while (turns--) {
		sem_post(&proceed);
		wait_held();
	}
}

static void take(unsigned count)
{
	assert_int_equal(asyncring_cq_ready(&ring), count);
	asyncring_cq_advance(&ring, count);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
}

static bool readable(void)
{
	struct pollfd poll_ring = {.fd = ring.ring_fd, .events = POLLIN};

	return poll(&poll_ring, 1, 0) == 1;
}

static void a_busy_thread_makes_no_calls_for_the_descriptor(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		submit_nops(BATCH);
		let_turn(1);
		assert_true(readable());
		take(BATCH);
	}
	assert_int_equal(atomic_load(&writes), 1);
	assert_int_equal(atomic_load(&reads), 0);
	assert_int_equal(atomic_load(&application_calls), 0);
}

static void an_idle_thread_takes_the_readability_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		submit_nops(1);
		let_turn(1);
		/* As long as there is something it stays, and is told of each time. */
		let_turn(TURNS);
		assert_true(readable());
		take(1);
		let_turn(TURNS);
		assert_false(readable());
	}
	assert_int_equal(atomic_load(&writes), 10);
	assert_int_equal(atomic_load(&reads), 10);
	assert_int_equal(atomic_load(&application_calls), 0);
}

/* The empty look before the second post was nobody's to hear of. */
static void who_waits_for_edges_is_told_of_each_post(void **state)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int set = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	assert_true(set >= 0);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, ring.ring_fd, &event), 0);
	for (unsigned i = 0; i < 100; i++) {
		submit_nops(1);
		let_turn(TURNS);
		assert_int_equal(epoll_wait(set, &event, 1, 0), 1);
		assert_int_equal(epoll_wait(set, &event, 1, 0), 0);
		take(1);
	}
	assert_int_equal(atomic_load(&reads), 0);
	assert_int_equal(atomic_load(&application_calls), 0);
	close(set);
}

static void batches_left_alone_are_told_of_while_others_come(void **state)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int set = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, ring.ring_fd, &event), 0);
	submit_nops(1);
	let_turn(1);
	assert_int_equal(epoll_wait(set, &event, 1, 0), 1);
	take(1);
	for (unsigned i = 0; i < TURNS; i++) {
		submit_nops(1);
		let_turn(1);
	}
	assert_int_equal(epoll_wait(set, &event, 1, 0), 1);
	take(TURNS);
	close(set);
}

/* ---- asleep ---- */

static bool asleep(void *argument)
{
	(void)argument;
	return __atomic_load_n(ring.sq.kflags, __ATOMIC_ACQUIRE) & ASYNCRING_SQ_NEED_WAKEUP;
}

static bool unreadable(void *argument)
{
	(void)argument;
	return !readable();
}

static void a_sleeping_thread_leaves_nothing_readable_behind(void **state)
{
	(void)state;
	open_ring(1);
	submit_nops(1);
	while (!asyncring_cq_ready(&ring))
		continue;
	take(1);
	assert_true(support_eventually(asleep, NULL));
	assert_true(support_eventually(unreadable, NULL));
	/* What is there when it falls asleep is the application's to take, and to take back. */
	submit_nops(1);
	while (!asyncring_cq_ready(&ring))
		continue;
	assert_true(support_eventually(asleep, NULL));
	assert_true(readable());
	take(1);
	assert_false(readable());
	asyncring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nops_cost_the_application_no_call),
		cmocka_unit_test(cached_reads_cost_the_application_no_call),
		cmocka_unit_test_setup_teardown(a_busy_thread_makes_no_calls_for_the_descriptor,
						set_up_held, tear_down_held),
		cmocka_unit_test_setup_teardown(an_idle_thread_takes_the_readability_back,
						set_up_held, tear_down_held),
		cmocka_unit_test_setup_teardown(who_waits_for_edges_is_told_of_each_post,
						set_up_held, tear_down_held),
		cmocka_unit_test_setup_teardown(batches_left_alone_are_told_of_while_others_come,
						set_up_held, tear_down_held),
		cmocka_unit_test(a_sleeping_thread_leaves_nothing_readable_behind),
	};

	support_bound(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
