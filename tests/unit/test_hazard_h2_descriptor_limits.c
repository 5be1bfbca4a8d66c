/* SPDX-License-Identifier: MIT */
/*
 * Description: hazard H2. Descriptors are few: requests of one submission share one duplicate of
 * their file, duplicates keep out of the low numbers and go beyond the soft limit, and where none
 * can be had requests are carried out all the same, or wait in workers. A wait with a signal
 * mask takes no low number and does without a descriptor if it must.
 */
#include "support.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { SIZE = 4096, REQUESTS = 64, REGISTERED = 768, SOFT_LIMIT = 1024 };

static struct asyncring ring;
static unsigned char buffer[SIZE];
static _Atomic unsigned duplicates, eventfds;
static _Atomic bool refuse_eventfds, refuse_limits, refuse_watches;
static _Atomic unsigned waits; /* of workers, for a descriptor, as long as it takes */

/* Set by a test: the application sets this limit while the library has raised it. 0: it does not.
 */
static _Atomic rlim_t meddling;
static _Atomic bool raised;

static void meddle(long number, const long arguments[6])
{
	struct rlimit limit;

	if (number == SYS_prlimit64 && arguments[2])
		raised = true;
	if (number != SYS_fcntl || arguments[1] != F_DUPFD_CLOEXEC || !raised || !meddling)
		return;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = meddling;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool watch_descriptors(long number, const long arguments[6], long *result)
{
	if (number == SYS_fcntl && arguments[1] == F_DUPFD_CLOEXEC)
		atomic_fetch_add(&duplicates, 1);
	if (number == SYS_eventfd2)
		atomic_fetch_add(&eventfds, 1);
	if (meddling)
		meddle(number, arguments);
	if (number == SYS_prlimit64 && arguments[2] && atomic_load(&refuse_limits)) {
		*result = -EPERM;
		return true;
	}
	if (number == SYS_ppoll && !arguments[2])
		atomic_fetch_add(&waits, 1);
	if (number == SYS_epoll_ctl && atomic_load(&refuse_watches)) {
		*result = -ENOSPC;
		return true;
	}
	*result = -EMFILE;
	return number == SYS_eventfd2 && atomic_load(&refuse_eventfds);
}

static void queue_async_read(int fd)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_read(sqe, fd, buffer, SIZE, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
}

static void hazard_h2_one_pin_for_a_submission(void **state)
{
	int fd = support_file("/tmp", SIZE), other = support_file("/tmp", SIZE);

	(void)state;
	atomic_store(&duplicates, 0);
	for (int i = 0; i < REQUESTS; i++)
		queue_async_read(i % 2 ? fd : other);
	assert_int_equal(asyncring_submit(&ring), REQUESTS);
	assert_int_equal(atomic_load(&duplicates), 2);
	for (int i = 0; i < REQUESTS; i++)
		assert_int_equal(support_result(&ring, NULL), SIZE);
	close(fd);
	close(other);
}

static void hazard_h2_pins_keep_out_of_the_low_numbers(void **state)
{
	int ends[2], lowest, fd;
	char byte = 'x';

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	lowest = dup(0);
	assert_true(lowest > 2);
	close(lowest);
	asyncring_prep_read(support_sqe(&ring), ends[0], buffer, SIZE, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_int_equal(asyncring_register_files(&ring, ends, 2), 0);
	fd = dup(0);
	assert_int_equal(fd, lowest);
	close(fd);
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	assert_int_equal(write(ends[1], &byte, 1), 1);
	assert_int_equal(support_result(&ring, NULL), 1);
	close(ends[0]);
	close(ends[1]);
}

/* ---- no descriptors left ---- */

static struct rlimit original;
static int hoard[256];
static unsigned hoarded;

/* Take all descriptors there are, but for @spare. As if the hard limit were no higher, if @hard. */
static void take_descriptors(unsigned spare, bool hard)
{
	struct rlimit limit = original;

	atomic_store(&refuse_limits, hard);
	limit.rlim_cur = 128;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (hoarded = 0;; hoarded++) {
		int fd = dup(0);

		if (fd < 0)
			break;
		hoard[hoarded] = fd;
	}
	assert_int_equal(errno, EMFILE);
	assert_true(hoarded > spare);
	while (spare--)
		close(hoard[--hoarded]);
}

static void give_descriptors_back(void)
{
	while (hoarded)
		close(hoard[--hoarded]);
	atomic_store(&refuse_limits, false);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &original), 0);
}

/* All sorts of requests that would need a pin. */
static void carry_out_all(int fd, int tmpfs, const int ends[2], const int other[2])
{
	struct iovec vector[2] = {{buffer, 100}, {buffer + 100, SIZE - 100}};
	struct asyncring_sqe *sqe;
	uint64_t user_data;
	char byte = 'y';

	for (int i = 0; i < REQUESTS; i++)
		queue_async_read(i % 2 ? fd : tmpfs);
	assert_int_equal(asyncring_submit(&ring), REQUESTS);
	for (int i = 0; i < REQUESTS; i++)
		assert_int_equal(support_result(&ring, NULL), SIZE);
	assert_true(support_content(buffer, SIZE, 0));
	sqe = support_sqe(&ring);
	asyncring_prep_writev(sqe, fd, vector, 2, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	assert_int_equal(support_run(&ring), SIZE);
	asyncring_prep_fsync(support_sqe(&ring), fd, 0);
	assert_int_equal(support_run(&ring), 0);
	asyncring_prep_splice(support_sqe(&ring), fd, 0, ends[1], -1, 10, 0);
	assert_int_equal(support_run(&ring), 10);
	assert_int_equal(read(ends[0], buffer, SIZE), 10);
	/* Two that wait, in one direction each. */
	sqe = support_sqe(&ring);
	asyncring_prep_read(sqe, ends[0], buffer, SIZE, 0);
	sqe->user_data = 1;
	sqe = support_sqe(&ring);
	asyncring_prep_read(sqe, other[0], buffer, SIZE, 0);
	sqe->user_data = 2;
	assert_int_equal(asyncring_submit(&ring), 2);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	assert_int_equal(write(other[1], &byte, 1), 1);
	assert_int_equal(support_result(&ring, &user_data), 1);
	assert_int_equal(user_data, 2);
	assert_int_equal(write(ends[1], &byte, 1), 1);
	assert_int_equal(support_result(&ring, &user_data), 1);
	assert_int_equal(user_data, 1);
	/* A link: its second member starts on a worker. */
	queue_async_read(fd);
	ring.sq.sqes[(ring.sq.sqe_tail - 1) & ring.sq.ring_mask].flags |= ASYNCRING_SQE_IO_LINK;
	queue_async_read(tmpfs);
	assert_int_equal(asyncring_submit(&ring), 2);
	assert_int_equal(support_result(&ring, NULL), SIZE);
	assert_int_equal(support_result(&ring, NULL), SIZE);
}

static void with_spare_descriptors(unsigned spare)
{
	int fd = support_file("/tmp", SIZE), tmpfs = support_file("/dev/shm", SIZE);
	int ends[2], other[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(pipe2(other, O_CLOEXEC), 0);
	take_descriptors(spare, true);
	carry_out_all(fd, tmpfs, ends, other);
	give_descriptors_back();
	close(fd);
	close(tmpfs);
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(other[i]);
	}
}

static void hazard_h2_no_descriptor_left(void **state)
{
	(void)state;
	with_spare_descriptors(0);
}

static void hazard_h2_few_descriptors_left(void **state)
{
	(void)state;
	for (unsigned spare = 1; spare <= 4; spare++)
		with_spare_descriptors(spare);
}

static void hazard_h2_ring_without_descriptors_is_refused(void **state)
{
	struct support_census before = support_census();
	struct asyncring other;

	(void)state;
	for (unsigned spare = 0; spare < 2; spare++) {
		take_descriptors(spare, true);
		assert_int_equal(asyncring_queue_init(4, &other, 0), -EMFILE);
		give_descriptors_back();
		assert_true(support_census_restored(&before));
	}
}

/* ---- requests that wait for readiness ---- */

enum { POLL = 1, SEVERAL, ACCEPT, REMOVED, CANCELLED, READ };

static struct {
	int pair[2], ends[2], listener;
	struct sockaddr_un address;
	socklen_t length;
} files;

static void open_files(void)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files.pair), 0);
	assert_int_equal(pipe2(files.ends, O_CLOEXEC), 0);
	files.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	files.address.sun_family = AF_UNIX;
	assert_int_equal(
		bind(files.listener, (struct sockaddr *)&files.address, sizeof(sa_family_t)), 0);
	files.length = sizeof(files.address);
	assert_int_equal(
		getsockname(files.listener, (struct sockaddr *)&files.address, &files.length), 0);
	assert_int_equal(listen(files.listener, 4), 0);
}

static void close_files(void)
{
	close(files.pair[0]);
	close(files.pair[1]);
	close(files.ends[0]);
	close(files.ends[1]);
	close(files.listener);
}

static struct asyncring_sqe *tagged(struct asyncring_sqe *sqe, uint64_t user_data)
{
	sqe->user_data = user_data;
	return sqe;
}

#define wait_with(user_data, prep, ...)                                                            \
	do {                                                                                       \
		struct asyncring_sqe *waiting = support_sqe(&ring);                                \
                                                                                                   \
		asyncring_prep_##prep(waiting, __VA_ARGS__);                                       \
		tagged(waiting, user_data);                                                        \
	} while (0)

/* Wait for everything there is to wait for; see that nothing comes too early. */
static void begin_to_wait(void)
{
	wait_with(POLL, poll_add, files.pair[0], POLLIN);
	wait_with(SEVERAL, poll_multishot, files.pair[0], POLLIN);
	wait_with(ACCEPT, accept, files.listener, NULL, NULL, SOCK_CLOEXEC);
	wait_with(REMOVED, poll_add, files.ends[0], POLLIN);
	wait_with(CANCELLED, poll_multishot, files.ends[0], POLLIN);
	wait_with(READ, read, files.ends[0], buffer, SIZE, 0);
	assert_int_equal(asyncring_submit(&ring), 6);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
}

/* What has not come to its wait yet is told to stop, but not taken back (rule 4). */
static bool all_wait(void *argument)
{
	(void)argument;
	return atomic_load(&waits) >= 6;
}

static void begin_to_wait_in_workers(void)
{
	atomic_store(&waits, 0);
	begin_to_wait();
	assert_true(support_eventually(all_wait, NULL));
}

/* Take @count completions; what comes of each request goes to results[user_data]. */
static void collect(int results[], unsigned flags[], unsigned count)
{
	while (count--) {
		struct asyncring_cqe *cqe;

		assert_int_equal(asyncring_wait_cqe(&ring, &cqe), 0);
		results[cqe->user_data] = cqe->res;
		flags[cqe->user_data] = cqe->flags;
		asyncring_cqe_seen(&ring, cqe);
	}
}

/* Everything that waits ends in its way. @several: a multishot poll goes on after an answer. */
static void end_the_waits(bool several)
{
	int results[READ + 1] = {0}, client;
	unsigned flags[READ + 1] = {0};

	assert_int_equal(write(files.pair[1], "x", 1), 1);
	collect(results, flags, 2);
	assert_int_equal(results[POLL], POLLIN);
	assert_int_equal(results[SEVERAL], POLLIN);
	assert_int_equal(flags[SEVERAL], several ? ASYNCRING_CQE_F_MORE : 0);
	wait_with(0, poll_remove, REMOVED);
	assert_int_equal(asyncring_submit(&ring), 1);
	collect(results, flags, 2);
	assert_int_equal(results[0], 0);
	assert_int_equal(results[REMOVED], -ECANCELED);
	wait_with(0, cancel64, CANCELLED, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	collect(results, flags, 2);
	assert_int_equal(results[0], 0);
	assert_int_equal(results[CANCELLED], -ECANCELED);
	assert_int_equal(write(files.ends[1], "y", 1), 1);
	collect(results, flags, 1);
	assert_int_equal(results[READ], 1);
	if (several) {
		wait_with(0, cancel64, SEVERAL, 0);
		assert_int_equal(asyncring_submit(&ring), 1);
		collect(results, flags, 2);
		assert_int_equal(results[SEVERAL], -ECANCELED);
	}
	give_descriptors_back();
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&files.address, files.length), 0);
	collect(results, flags, 1);
	assert_true(results[ACCEPT] >= 0);
	close(results[ACCEPT]);
	close(client);
}

/* Counting takes a descriptor. */
static unsigned threads_now(void)
{
	unsigned threads;

	close(hoard[--hoarded]);
	threads = support_threads();
	hoard[hoarded++] = dup(0);
	assert_true(threads > 0);
	return threads;
}

/* A ring of its own, because the one that all share may have its poller by now. */
static void wait_for_readiness(bool hard)
{
	struct asyncring shared = ring;
	unsigned threads = support_threads();

	assert_int_equal(asyncring_queue_init(16, &ring, 0), 0);
	open_files();
	take_descriptors(0, hard);
	if (hard)
		begin_to_wait_in_workers();
	else
		begin_to_wait();
	/* Nobody waits on the ring but the attendant, and that comes later. */
	if (!hard)
		assert_true(threads_now() <= threads + 1);
	end_the_waits(!hard);
	close_files();
	asyncring_queue_exit(&ring);
	ring = shared;
}

static void hazard_h2_waiting_goes_beyond_the_soft_limit(void **state)
{
	struct asyncring shared = ring;
	struct __kernel_timespec soon = {.tv_nsec = 1000000};

	(void)state;
	if (original.rlim_max <= 128)
		skip();
	wait_for_readiness(false);
	for (unsigned flags = 0; flags <= ASYNCRING_TIMEOUT_BOOTTIME;
	     flags += ASYNCRING_TIMEOUT_BOOTTIME) {
		assert_int_equal(asyncring_queue_init(16, &ring, 0), 0);
		take_descriptors(0, false);
		asyncring_prep_timeout(support_sqe(&ring), &soon, 0, flags);
		assert_int_equal(support_run(&ring), -ETIME);
		give_descriptors_back();
		asyncring_queue_exit(&ring);
	}
	ring = shared;
}

static void hazard_h2_waiting_without_a_descriptor(void **state)
{
	(void)state;
	wait_for_readiness(true);
}

/* Descriptors there are, but the epoll set takes no more files (fs.epoll.max_user_watches). */
static void hazard_h2_waiting_without_watches(void **state)
{
	struct asyncring shared = ring;

	(void)state;
	assert_int_equal(asyncring_queue_init(16, &ring, 0), 0);
	open_files();
	atomic_store(&refuse_watches, true);
	begin_to_wait_in_workers();
	end_the_waits(false);
	atomic_store(&refuse_watches, false);
	close_files();
	asyncring_queue_exit(&ring);
	ring = shared;
}

/* ---- waiting with a signal mask ---- */

struct masked_waiter {
	struct asyncring *ring;
	_Atomic int tid;
};

static void *wait_with_mask(void *argument)
{
	struct masked_waiter *waiter = argument;
	sigset_t none;

	sigemptyset(&none);
	atomic_store(&waiter->tid, support_thread_id());
	return (void *)(intptr_t)asyncring_enter((unsigned)waiter->ring->ring_fd, 0, 1,
						 ASYNCRING_ENTER_GETEVENTS, &none);
}

static bool has_tid(void *argument)
{
	return atomic_load(&((struct masked_waiter *)argument)->tid) != 0;
}

static bool is_free(void *argument)
{
	int fd = dup(0);

	close(fd);
	return fd == *(int *)argument;
}

/* One completion for one waiter with a mask, who takes no low number meanwhile. */
static void complete_masked_wait(struct asyncring *with, int lowest)
{
	struct masked_waiter waiter = {.ring = with};
	pthread_t thread;
	void *result;

	assert_int_equal(pthread_create(&thread, NULL, wait_with_mask, &waiter), 0);
	assert_true(support_eventually(has_tid, &waiter));
	assert_true(support_asleep(atomic_load(&waiter.tid)));
	/* It may have been a lock that it was seen asleep for, on the way to its number. */
	assert_true(lowest < 0 || support_eventually(is_free, &lowest));
	asyncring_prep_nop(support_sqe(with));
	assert_int_equal(asyncring_submit(with), 1);
	pthread_join(thread, &result);
	assert_int_equal((intptr_t)result, 0);
	assert_int_equal(support_result(with, NULL), 0);
}

static void hazard_h2_masked_waits_share_one_descriptor(void **state)
{
	struct support_census before = support_census();
	struct asyncring other;
	int lowest;

	(void)state;
	assert_int_equal(asyncring_queue_init(4, &other, 0), 0);
	lowest = dup(0);
	close(lowest);
	atomic_store(&eventfds, 0);
	for (int i = 0; i < 10; i++)
		complete_masked_wait(&other, lowest);
	assert_int_equal(atomic_load(&eventfds), 1);
	asyncring_queue_exit(&other);
	assert_true(support_census_restored(&before));
}

static _Atomic int handled;

static void count_signal(int signal)
{
	(void)signal;
	atomic_fetch_add(&handled, 1);
}

/* The mask holds for the wait, as it does with a descriptor, and a time-out is one. */
static void interrupt_masked_wait(struct asyncring *with)
{
	struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
	struct __kernel_timespec soon = {.tv_nsec = 5000000};
	struct asyncring_cqe *cqe;
	sigset_t usr1, none;
	uint64_t start;

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
	pthread_kill(pthread_self(), SIGUSR1);
	atomic_store(&handled, 0);
	start = support_now_ns();
	assert_int_equal(asyncring_wait_cqes(with, &cqe, 1, &soon, &usr1), -ETIME);
	assert_true(support_now_ns() - start >= 5000000);
	assert_int_equal(atomic_load(&handled), 0);
	assert_int_equal(asyncring_wait_cqes(with, &cqe, 1, NULL, &none), -EINTR);
	assert_int_equal(atomic_load(&handled), 1);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
	assert_int_equal(atomic_load(&handled), 1);
	signal(SIGUSR1, SIG_DFL);
}

static void hazard_h2_masked_wait_without_a_descriptor(void **state)
{
	struct asyncring other;

	(void)state;
	assert_int_equal(asyncring_queue_init(4, &other, 0), 0);
	take_descriptors(0, true);
	interrupt_masked_wait(&other);
	give_descriptors_back();
	/* Refused by hand: seeing a thread asleep takes descriptors, too. */
	atomic_store(&refuse_eventfds, true);
	complete_masked_wait(&other, -1);
	atomic_store(&refuse_eventfds, false);
	/* None was kept; with one it is the same. */
	interrupt_masked_wait(&other);
	asyncring_queue_exit(&other);
}

/* ---- registered files ---- */

static void hazard_h2_registered_files_beyond_the_soft_limit(void **state)
{
	struct rlimit limit = original, now;
	static int files[REGISTERED];
	struct asyncring_sqe *sqe;

	(void)state;
	if (original.rlim_max < 2 * SOFT_LIMIT)
		skip();
	limit.rlim_cur = SOFT_LIMIT;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	files[0] = support_file("/tmp", SIZE);
	for (int i = 1; i < REGISTERED; i++) {
		files[i] = fcntl(files[0], F_DUPFD_CLOEXEC, 0);
		assert_true(files[i] >= 0);
	}
	assert_int_equal(asyncring_register_files(&ring, files, REGISTERED), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(now.rlim_cur, SOFT_LIMIT);
	for (int i = 0; i < REGISTERED; i++)
		close(files[i]);
	for (int i = 0; i < REGISTERED; i++) {
		sqe = support_sqe(&ring);
		asyncring_prep_read(sqe, i, buffer, SIZE, 0);
		sqe->flags |= ASYNCRING_SQE_FIXED_FILE | (i % 2 ? ASYNCRING_SQE_ASYNC : 0);
		assert_int_equal(support_run(&ring), SIZE);
	}
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &original), 0);
}

static void hazard_h2_a_limit_set_meanwhile_stays(void **state)
{
	enum { SET_MEANWHILE = 200 };
	int fd = support_file("/tmp", SIZE);
	struct rlimit now;

	(void)state;
	if (original.rlim_max <= SET_MEANWHILE)
		skip();
	take_descriptors(0, false);
	meddling = SET_MEANWHILE;
	assert_int_equal(asyncring_register_files(&ring, &fd, 1), 0);
	meddling = 0;
	assert_true(raised);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(now.rlim_cur, SET_MEANWHILE);
	give_descriptors_back();
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	close(fd);
}

/*
 * For tests that count what the process has: with the last ring the threads go that it has left,
 * some of which have descriptors, too, and would end by themselves in the middle of the test.
 */
static int without_ring(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

static int with_ring_again(void **state)
{
	(void)state;
	return asyncring_queue_init(REQUESTS, &ring, 0);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	asyncring__sys_hook = watch_descriptors;
	if (getrlimit(RLIMIT_NOFILE, &original))
		return -1;
	return asyncring_queue_init(REQUESTS, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hazard_h2_one_pin_for_a_submission),
		cmocka_unit_test(hazard_h2_pins_keep_out_of_the_low_numbers),
		cmocka_unit_test(hazard_h2_no_descriptor_left),
		cmocka_unit_test(hazard_h2_few_descriptors_left),
		cmocka_unit_test_setup_teardown(hazard_h2_ring_without_descriptors_is_refused,
						without_ring, with_ring_again),
		cmocka_unit_test(hazard_h2_waiting_goes_beyond_the_soft_limit),
		cmocka_unit_test(hazard_h2_waiting_without_a_descriptor),
		cmocka_unit_test(hazard_h2_waiting_without_watches),
		cmocka_unit_test_setup_teardown(hazard_h2_masked_waits_share_one_descriptor,
						without_ring, with_ring_again),
		cmocka_unit_test(hazard_h2_masked_wait_without_a_descriptor),
		cmocka_unit_test(hazard_h2_registered_files_beyond_the_soft_limit),
		cmocka_unit_test(hazard_h2_a_limit_set_meanwhile_stays),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
