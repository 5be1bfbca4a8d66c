/* SPDX-License-Identifier: MIT */
/*
 * Description: how many workers there are. One per processor for what does not sleep, more for what
 * does; nobody waits for ever behind requests that block; limits are kept, lowered ones too; what
 * may wait for ever leaves bounded workers alone; of two requests the older is cancelled.
 */
#include "support.h"

#include <dirent.h>
#include <linux/futex.h>
#include <sys/stat.h>

enum { ENTRIES = 256, BOUNDED_DEFAULT = 64, MANY = BOUNDED_DEFAULT + 16, ROUNDS = 20 };

static struct asyncring ring;
static char directory[] = "/tmp/asyncring-growth-XXXXXX";
static char fifo[64];
static unsigned char buffer[4096];
static int file;

static _Atomic bool watch_never, idle_for_ever; /* sleeps that do not end by themselves */
static _Atomic long sleeps_told;		/* -1: the truth */
static _Atomic bool always_slept;
static _Atomic unsigned opens; /* workers that came to open the FIFO */

static bool tell_sleeps(const long arguments[6], long *result)
{
	struct rusage *usage = (struct rusage *)arguments[1];

	if (atomic_load(&sleeps_told) < 0)
		return false;
	if (atomic_load(&always_slept))
		atomic_fetch_add(&sleeps_told, 1);
	usage->ru_nvcsw = atomic_load(&sleeps_told);
	*result = 0;
	return true;
}

static bool sleep_on(const long arguments[6], long *result)
{
	const struct timespec *timeout = (const struct timespec *)arguments[3];

	if ((arguments[1] & FUTEX_CMD_MASK) != FUTEX_WAIT || !timeout)
		return false;
	if (!(timeout->tv_sec ? atomic_load(&idle_for_ever) : atomic_load(&watch_never)))
		return false;
	*result = syscall(SYS_futex, arguments[0], arguments[1], arguments[2], NULL, NULL, 0);
	if (*result < 0)
		*result = -errno;
	return true;
}

static bool hook(long number, const long arguments[6], long *result)
{
	if (support_thread_id() == getpid())
		return false;
	if (number == SYS_openat)
		atomic_fetch_add(&opens, 1);
	if (number == SYS_getrusage)
		return tell_sleeps(arguments, result);
	return number == SYS_futex && sleep_on(arguments, result);
}

static unsigned processors(void)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	return (unsigned)CPU_COUNT(&set);
}

/* A worker gives itself its name first of all. */
static bool is_worker(const char *thread)
{
	char path[300], name[16] = "";
	FILE *comm;

	snprintf(path, sizeof(path), "/proc/self/task/%s/comm", thread);
	comm = fopen(path, "re");
	if (!comm)
		return false;
	if (!fgets(name, sizeof(name), comm))
		name[0] = 0;
	fclose(comm);
	return !strncmp(name, "iou-wrk", 7);
}

static unsigned workers(void)
{
	DIR *threads = opendir("/proc/self/task");
	struct dirent *thread;
	unsigned count = 0;

	assert_non_null(threads);
	while ((thread = readdir(threads)))
		count += is_worker(thread->d_name);
	closedir(threads);
	return count;
}

static bool opens_reached(void *argument)
{
	return atomic_load(&opens) >= *(unsigned *)argument;
}

static bool workers_are(void *argument)
{
	return workers() == *(unsigned *)argument;
}

static bool workers_exceed(void *argument)
{
	return workers() > *(unsigned *)argument;
}

static void set_limit(unsigned bounded)
{
	unsigned limits[2] = {bounded, 0};

	assert_int_equal(asyncring_register_iowq_max_workers(&ring, limits), 0);
}

static void queue_open(uint64_t user_data)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_openat(sqe, AT_FDCWD, fifo, O_RDONLY | O_CLOEXEC, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = user_data;
}

/* Opens of the FIFO, of which @running get a worker. */
static void block_workers(unsigned count, unsigned running)
{
	atomic_store(&opens, 0);
	for (unsigned i = 0; i < count; i++)
		queue_open(1000 + i);
	assert_int_equal(asyncring_submit(&ring), count);
	assert_true(support_eventually(opens_reached, &running));
}

/* Let the opens go on, and collect them. */
static void unblock_workers(unsigned count)
{
	int writer = open(fifo, O_RDWR | O_CLOEXEC);

	assert_true(writer >= 0);
	while (count--) {
		uint64_t user_data;
		int result = support_result(&ring, &user_data);

		assert_true(user_data >= 1000);
		assert_true(result >= 0);
		close(result);
	}
	close(writer);
}

static void queue_read(uint64_t user_data)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_read(sqe, file, buffer, 16, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = user_data;
}

static void read_many(void)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		queue_read(i);
	assert_int_equal(asyncring_submit(&ring), ENTRIES);
	for (unsigned i = 0; i < ENTRIES; i++)
		assert_int_equal(support_result(&ring, NULL), 16);
}

/* One per processor, and one that watches. */
static void what_does_not_sleep_has_a_worker_per_processor(void **state)
{
	(void)state;
	atomic_store(&watch_never, true);
	atomic_store(&sleeps_told, 1);
	for (int i = 0; i < ROUNDS; i++)
		read_many();
	assert_in_range(workers(), 1, processors() + 1);
}

static bool read_until_more(void *argument)
{
	read_many();
	return workers_exceed(argument);
}

static void what_sleeps_gets_more(void **state)
{
	unsigned few = processors() + 1;

	(void)state;
	atomic_store(&watch_never, true);
	atomic_store(&sleeps_told, 1);
	atomic_store(&always_slept, true);
	assert_true(support_eventually(read_until_more, &few));
	assert_in_range(workers(), few + 1, BOUNDED_DEFAULT + 1);
}

/* Also with all 64 of them stuck. */
static void nobody_waits_for_ever_behind_what_blocks(void **state)
{
	(void)state;
	block_workers(MANY, MANY);
	queue_read(1);
	assert_int_equal(support_run(&ring), 16);
	unblock_workers(MANY);
	/* Those that were lent are back. */
	read_many();
	block_workers(1, 1);
	unblock_workers(1);
}

/* With a limit of the application's nobody is lent: there must be more of them in time. */
static void what_blocks_gets_more_up_to_the_limit(void **state)
{
	(void)state;
	set_limit(BOUNDED_DEFAULT);
	block_workers(BOUNDED_DEFAULT - 1, BOUNDED_DEFAULT - 1);
	queue_read(1);
	assert_int_equal(support_run(&ring), 16);
	unblock_workers(BOUNDED_DEFAULT - 1);
}

static void idle_workers_beyond_a_lowered_limit_go(void **state)
{
	unsigned two = 2;

	(void)state;
	atomic_store(&idle_for_ever, true);
	block_workers(8, 8);
	unblock_workers(8);
	set_limit(2);
	assert_true(support_eventually(workers_are, &two));
	read_many();
}

static void busy_workers_beyond_a_lowered_limit_go_when_they_can(void **state)
{
	unsigned two = 2;

	(void)state;
	atomic_store(&idle_for_ever, true);
	block_workers(8, 8);
	set_limit(2);
	unblock_workers(8);
	assert_true(support_eventually(workers_are, &two));
	read_many();
}

static void a_limit_that_was_set_is_kept(void **state)
{
	(void)state;
	set_limit(2);
	block_workers(4, 2);
	assert_int_equal(workers(), 2);
	unblock_workers(4);
	assert_int_equal(workers(), 2);
}

/* A write to a file, then what waits for a pipe, while there is one worker for files. */
static void chain_with(void (*prepare)(struct asyncring_sqe *sqe, int from, int to))
{
	struct asyncring_sqe *sqe = support_sqe(&ring);
	int from[2], to[2];
	uint64_t user_data;

	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	set_limit(1);
	asyncring_prep_write(sqe, file, "x", 1, 8192);
	sqe->flags |= ASYNCRING_SQE_IO_LINK | ASYNCRING_SQE_ASYNC;
	sqe->user_data = 1;
	sqe = support_sqe(&ring);
	prepare(sqe, from[0], to[1]);
	sqe->user_data = 2;
	assert_int_equal(asyncring_submit(&ring), 2);
	assert_int_equal(support_result(&ring, &user_data), 1);
	assert_int_equal(user_data, 1);
	/* The second one waits now, or is about to. */
	queue_read(3);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_int_equal(support_result(&ring, &user_data), 16);
	assert_int_equal(user_data, 3);
	assert_int_equal(write(from[1], "y", 1), 1);
	assert_int_equal(support_result(&ring, &user_data), 1);
	assert_int_equal(user_data, 2);
	for (int i = 0; i < 2; i++) {
		close(from[i]);
		close(to[i]);
	}
}

static void prepare_read(struct asyncring_sqe *sqe, int from, int to)
{
	(void)to;
	asyncring_prep_read(sqe, from, buffer, 1, 0);
}

static void prepare_splice(struct asyncring_sqe *sqe, int from, int to)
{
	asyncring_prep_splice(sqe, from, -1, to, -1, 1, 0);
}

static void a_read_of_a_pipe_in_a_chain_leaves_the_bounded_worker(void **state)
{
	(void)state;
	chain_with(prepare_read);
}

static void a_splice_in_a_chain_leaves_the_bounded_worker(void **state)
{
	(void)state;
	chain_with(prepare_splice);
}

/* A read in the queue is older than a write that waits behind another write of the file. */
static void the_oldest_is_cancelled(void **state)
{
	int results[8] = {0};

	(void)state;
	set_limit(1);
	block_workers(1, 1);
	for (unsigned i = 1; i <= 3; i++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);

		if (i == 2)
			asyncring_prep_read(sqe, file, buffer, 16, 0);
		else
			asyncring_prep_write(sqe, file, "abc", i, 8192);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
		sqe->user_data = i > 1 ? 7 : i;
	}
	asyncring_prep_cancel64(support_sqe(&ring), 7, 0);
	asyncring_submit(&ring);
	/* The cancelled request and the one that cancels, in either order. */
	for (int i = 0; i < 2; i++) {
		uint64_t user_data;
		int result = support_result(&ring, &user_data);

		assert_in_range(user_data, 0, 7);
		results[user_data] = result;
	}
	assert_int_equal(results[0], 0);
	assert_int_equal(results[7], -ECANCELED);
	close(open(fifo, O_WRONLY | O_CLOEXEC));
	for (int i = 0; i < 3; i++) {
		uint64_t user_data;
		int result = support_result(&ring, &user_data);

		if (user_data >= 1000)
			close(result);
		else
			assert_int_equal(result, user_data == 7 ? 3 : 1);
	}
}

/* Limits last as long as the process, so each test has one of its own. */
static void in_a_child(void (*test)(void **state))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		const struct CMUnitTest one[] = {cmocka_unit_test(test)};

		support_bound(25);
		atomic_store(&sleeps_told, -1);
		asyncring__sys_hook = hook;
		if (asyncring_queue_init(ENTRIES, &ring, 0))
			_exit(2);
		status = cmocka_run_group_tests(one, NULL, NULL);
		asyncring_queue_exit(&ring);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define IN_A_CHILD(test)                                                                           \
	static void child_##test(void **state)                                                     \
	{                                                                                          \
		(void)state;                                                                       \
		in_a_child(test);                                                                  \
	}

IN_A_CHILD(what_does_not_sleep_has_a_worker_per_processor)
IN_A_CHILD(what_sleeps_gets_more)
IN_A_CHILD(nobody_waits_for_ever_behind_what_blocks)
IN_A_CHILD(what_blocks_gets_more_up_to_the_limit)
IN_A_CHILD(idle_workers_beyond_a_lowered_limit_go)
IN_A_CHILD(busy_workers_beyond_a_lowered_limit_go_when_they_can)
IN_A_CHILD(a_limit_that_was_set_is_kept)
IN_A_CHILD(a_read_of_a_pipe_in_a_chain_leaves_the_bounded_worker)
IN_A_CHILD(a_splice_in_a_chain_leaves_the_bounded_worker)
IN_A_CHILD(the_oldest_is_cancelled)

static int make_files(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
	file = support_file(directory, sizeof(buffer));
	return mkfifo(fifo, 0600);
}

static int remove_files(void **state)
{
	(void)state;
	unlink(fifo);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_what_does_not_sleep_has_a_worker_per_processor),
		cmocka_unit_test(child_what_sleeps_gets_more),
		cmocka_unit_test(child_nobody_waits_for_ever_behind_what_blocks),
		cmocka_unit_test(child_what_blocks_gets_more_up_to_the_limit),
		cmocka_unit_test(child_idle_workers_beyond_a_lowered_limit_go),
		cmocka_unit_test(child_busy_workers_beyond_a_lowered_limit_go_when_they_can),
		cmocka_unit_test(child_a_limit_that_was_set_is_kept),
		cmocka_unit_test(child_a_read_of_a_pipe_in_a_chain_leaves_the_bounded_worker),
		cmocka_unit_test(child_a_splice_in_a_chain_leaves_the_bounded_worker),
		cmocka_unit_test(child_the_oldest_is_cancelled),
	};

	support_bound(55);
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
