/* SPDX-License-Identifier: MIT */
/*
 * Description: what fails does so cleanly. One scenario, from set-up to close, is run again and
 * again: in the n-th run the n-th allocation (or the n-th system call of one kind) fails, until a
 * run gets by without a failure. Each time: no crash, exactly one CQE for each request taken, and
 * no descriptor, thread or (LeakSanitizer) memory left.
 */
#include "support.h"

enum { SIZE = 8192, MOST_RUNS = 2000, CQ_ENTRIES = 16, REQUESTS = 64 };

static unsigned char buffer[SIZE], other_buffer[SIZE];
static int file;

/* ---- the fault: the n-th from now on, of a kind ---- */

static _Atomic int allocations_left; /* 0: none is to fail */
static _Atomic int calls_left;
static _Atomic long failing_call, failing_argument; /* -1: any; second argument, for fcntl */
static _Atomic int failing_errno;
static _Atomic bool failed;

static bool count_allocation(size_t size)
{
	(void)size;
	if (!atomic_load(&allocations_left) || atomic_fetch_sub(&allocations_left, 1) != 1)
		return true;
	atomic_store(&failed, true);
	return false;
}

static bool count_call(long number, const long arguments[6], long *result)
{
	long argument = atomic_load(&failing_argument);

	if (number != atomic_load(&failing_call) || !atomic_load(&calls_left) ||
	    (argument >= 0 && arguments[1] != argument))
		return false;
	if (atomic_fetch_sub(&calls_left, 1) != 1)
		return false;
	atomic_store(&failed, true);
	*result = -atomic_load(&failing_errno);
	return true;
}

/* ---- the scenario: nothing in it asserts that a step succeeds ---- */

static struct {
	struct asyncring ring, other;
	bool have_ring, have_other;
	unsigned queued;
	unsigned char completions[REQUESTS]; /* CQEs seen, by user data */
	unsigned submitted, seen, strange;
} now;

static struct asyncring_sqe *next_sqe(void)
{
	struct asyncring_sqe *sqe = asyncring_get_sqe(&now.ring);

	if (sqe) {
		asyncring_prep_nop(sqe);
		sqe->user_data = now.queued++;
	}
	return sqe;
}

static void keep_user_data(struct asyncring_sqe *sqe, uint64_t user_data, unsigned flags)
{
	sqe->user_data = user_data;
	sqe->flags |= (unsigned char)flags;
}

static void submit(void)
{
	/* A transient failure is asked again, as an application would. */
	for (int i = 0; i < 3 && asyncring_sq_ready(&now.ring); i++) {
		int result = asyncring_submit(&now.ring);

		if (result > 0)
			now.submitted += (unsigned)result;
	}
}

static void queue_transfers(void)
{
	struct iovec vector[2] = {{buffer, 100}, {buffer + 100, SIZE - 100}};

	for (int i = 0; i < 4; i++) {
		struct asyncring_sqe *sqe = next_sqe();

		if (!sqe)
			return;
		if (i == 0)
			asyncring_prep_readv(sqe, file, vector, 2, 0);
		else if (i == 1)
			asyncring_prep_writev(sqe, file, vector, 2, 0);
		else if (i == 2)
			asyncring_prep_fsync(sqe, file, 0);
		else
			asyncring_prep_read(sqe, file, buffer, SIZE, 0);
		keep_user_data(sqe, now.queued - 1, i == 2 ? 0 : ASYNCRING_SQE_ASYNC);
	}
	submit();
}

static void queue_opens(void)
{
	for (int i = 0; i < 3; i++) {
		struct asyncring_sqe *sqe = next_sqe();

		if (!sqe)
			return;
		if (i == 2)
			asyncring_prep_openat_direct(sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0, 1);
		else
			asyncring_prep_openat(sqe, AT_FDCWD, "/nowhere/at/all", O_RDONLY, 0);
		keep_user_data(sqe, now.queued - 1, i ? ASYNCRING_SQE_ASYNC : 0);
	}
	submit();
}

static void queue_chain_and_drain(void)
{
	for (int i = 0; i < 6; i++) {
		struct asyncring_sqe *sqe = next_sqe();

		if (!sqe)
			return;
		if (i % 2)
			asyncring_prep_read(sqe, file, other_buffer, SIZE, 0);
		keep_user_data(sqe, now.queued - 1,
			       (i < 3 ? ASYNCRING_SQE_IO_LINK : 0) |
				       (i == 1 ? ASYNCRING_SQE_ASYNC : 0) |
				       (i == 4 ? ASYNCRING_SQE_IO_DRAIN : 0));
	}
	submit();
}

static void queue_messages_and_splice(const int ends[2])
{
	struct asyncring_sqe *sqe = next_sqe();

	if (sqe && now.have_other) {
		asyncring_prep_msg_ring(sqe, now.other.ring_fd, 1, 2, 0);
		keep_user_data(sqe, now.queued - 1, 0);
	}
	sqe = next_sqe();
	if (sqe) {
		asyncring_prep_splice(sqe, file, 0, ends[1], -1, 10, 0);
		keep_user_data(sqe, now.queued - 1, 0);
	}
	sqe = next_sqe();
	if (sqe) {
		asyncring_prep_read(sqe, ends[0], other_buffer, 1, 0);
		keep_user_data(sqe, now.queued - 1, 0);
	}
	submit();
	if (write(ends[1], "x", 1) != 1)
		now.strange++;
}

static void queue_overflow(void)
{
	while (now.queued < REQUESTS && next_sqe())
		if (now.queued % 8 == 0)
			submit();
	submit();
}

/* Everything submitted completes; what comes with each CQE is not asked. */
static void reap(void)
{
	struct __kernel_timespec patience = {.tv_sec = 10 * support_slowness()};
	struct asyncring_cqe *cqe;

	while (now.seen < now.submitted) {
		int error = asyncring_wait_cqe_timeout(&now.ring, &cqe, &patience);

		if (error == -ETIME)
			return;
		if (error)
			continue; /* the n-th futex call fails only once */
		if (cqe->user_data >= REQUESTS || now.completions[cqe->user_data]++)
			now.strange++;
		now.seen++;
		if (cqe->res >= 0 && cqe->user_data == 4)
			close(cqe->res);
		asyncring_cqe_seen(&now.ring, cqe);
	}
	now.strange += asyncring_cq_ready(&now.ring) != 0;
}

static void register_resources(void)
{
	struct iovec vector = {other_buffer, SIZE};
	int files[2] = {file, -1};
	sigset_t mask;
	struct asyncring_cqe *cqe;
	struct __kernel_timespec soon = {.tv_nsec = 1000};

	asyncring_register_files(&now.ring, files, 2);
	asyncring_register_buffers(&now.ring, &vector, 1);
	sigemptyset(&mask);
	asyncring_wait_cqes(&now.ring, &cqe, 1, &soon, &mask);
}

static void run_scenario(void)
{
	struct asyncring_params params = {.flags = ASYNCRING_SETUP_CQSIZE,
					  .cq_entries = CQ_ENTRIES};
	int ends[2];

	memset(&now, 0, sizeof(now));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	now.have_other = !asyncring_queue_init(4, &now.other, 0);
	now.have_ring = !asyncring_queue_init_params(CQ_ENTRIES, &now.ring, &params);
	if (now.have_ring) {
		register_resources();
		queue_transfers();
		queue_opens();
		queue_chain_and_drain();
		queue_messages_and_splice(ends);
		queue_overflow();
		reap();
	}
	/* Whatever waits for the pipe, and was not told of above, is cancelled here. */
	if (now.have_ring)
		asyncring_queue_exit(&now.ring);
	if (now.have_other)
		asyncring_queue_exit(&now.other);
	close(ends[0]);
	close(ends[1]);
}

/* ---- the runs ---- */

struct fault {
	const char *name;
	long call; /* 0: an allocation */
	long argument;
	int errno_value;
};

static void fail_the_nth(const struct fault *fault)
{
	struct support_census before = support_census();

	for (int n = 1; n <= MOST_RUNS; n++) {
		atomic_store(&failed, false);
		atomic_store(&failing_call, fault->call);
		atomic_store(&failing_argument, fault->argument);
		atomic_store(&failing_errno, fault->errno_value);
		atomic_store(fault->call ? &calls_left : &allocations_left, n);
		run_scenario();
		atomic_store(&allocations_left, 0);
		atomic_store(&calls_left, 0);
		if (now.strange || now.seen != now.submitted || !support_census_restored(&before))
			fail_msg("%s, the %d-th: %u submitted, %u seen, %u strange", fault->name, n,
				 now.submitted, now.seen, now.strange);
		if (!atomic_load(&failed)) {
			assert_int_equal(now.seen, REQUESTS);
			print_message("%s: %d runs\n", fault->name, n);
			return;
		}
	}
	fail_msg("%s: no end of failures", fault->name);
}

/*
 * What is allocated once in a process and kept: so each run has a process of its own, which says
 * with its exit status whether it went well, and whether anything failed at all.
 */
static void faults_of_a_new_process(void **state)
{
	enum { WENT_WELL = 10, NOTHING_FAILED = 11, WENT_WRONG = 12 };
	int status = 0, n;

	(void)state;
	for (n = 1; n <= MOST_RUNS; n++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (!child) {
			atomic_store(&allocations_left, n);
			run_scenario();
			if (now.strange || now.seen != now.submitted)
				_exit(WENT_WRONG);
			_exit(atomic_load(&failed) ? WENT_WELL : NOTHING_FAILED);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == NOTHING_FAILED)
			break;
		assert_int_equal(WEXITSTATUS(status), WENT_WELL);
	}
	assert_int_equal(WEXITSTATUS(status), NOTHING_FAILED);
	print_message("new process: %d runs\n", n);
}

static void faults_of_allocations(void **state)
{
	(void)state;
	/* From here on only what each run allocates anew. */
	run_scenario();
	assert_int_equal(now.seen, REQUESTS);
	fail_the_nth(&(struct fault){"allocation", 0, -1, 0});
}

static void faults_of_system_calls(void **state)
{
	static const struct fault faults[] = {
		{"mmap: ENOMEM", SYS_mmap, -1, ENOMEM},
		{"fcntl F_DUPFD_CLOEXEC: EMFILE", SYS_fcntl, F_DUPFD_CLOEXEC, EMFILE},
		{"fcntl F_DUPFD_CLOEXEC: ENFILE", SYS_fcntl, F_DUPFD_CLOEXEC, ENFILE},
		{"eventfd: EMFILE", SYS_eventfd2, -1, EMFILE},
		{"epoll_create: ENFILE", SYS_epoll_create1, -1, ENFILE},
		{"epoll_ctl: ENOSPC", SYS_epoll_ctl, -1, ENOSPC},
		{"preadv2: EINTR", SYS_preadv2, -1, EINTR},
		{"pread: EINTR", SYS_pread64, -1, EINTR},
		{"pwritev2: EINTR", SYS_pwritev2, -1, EINTR},
		{"pwrite: EINTR", SYS_pwrite64, -1, EINTR},
		{"preadv2: EIO", SYS_preadv2, -1, EIO},
		{"pread: EIO", SYS_pread64, -1, EIO},
		{"fsync: EINTR", SYS_fsync, -1, EINTR},
		{"openat: EINTR", SYS_openat, -1, EINTR},
		{"splice: EINTR", SYS_splice, -1, EINTR},
		{"ppoll: EINTR", SYS_ppoll, -1, EINTR},
		{"futex: EINTR", SYS_futex, FUTEX_WAIT, EINTR},
		{"process_vm_readv: EPERM", SYS_process_vm_readv, -1, EPERM},
		{"process_vm_writev: EPERM", SYS_process_vm_writev, -1, EPERM},
		{"fstatfs: EACCES", SYS_fstatfs, -1, EACCES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		fail_the_nth(&faults[i]);
}

/* No thread to be had: requests run on the spot or say so, and nothing hangs. */
static void faults_of_thread_creation(void **state)
{
	struct support_census before = support_census();
	struct rlimit limit, none;
	pid_t child;
	int status;

	(void)state;
	/* In a child that has given up root, for whom the limit does not count. */
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		getrlimit(RLIMIT_NPROC, &limit);
		none = limit;
		none.rlim_cur = 0;
		if (setrlimit(RLIMIT_NPROC, &none) || (!getuid() && setuid(65534)))
			_exit(2);
		run_scenario();
		_exit(now.strange || now.seen != now.submitted || !now.seen);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(support_census_restored(&before));
}

static int setup(void **state)
{
	(void)state;
	support_bound(180);
	asyncring__alloc_hook = count_allocation;
	asyncring__sys_hook = count_call;
	file = support_file("/tmp", SIZE);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_of_a_new_process),
		cmocka_unit_test(faults_of_allocations),
		cmocka_unit_test(faults_of_system_calls),
		cmocka_unit_test(faults_of_thread_creation),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
