/* SPDX-License-Identifier: MIT */
/*
 * Description: O_DIRECT transfers in the kernel's hands, and what becomes of them where the kernel
 * refuses, has no room, takes a part, or gives one back. Its answers are given by a hook. Each test
 * has a process of its own, because contexts are kept, and some refusals remembered, for a process.
 */
#include "support.h"

#include <linux/aio_abi.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include "core/driver.h"
#include "core/hint.h"
#include "core/ring.h"

enum { BLOCK = 4096, BLOCKS = 32, SIZE = BLOCKS * BLOCK, MANY = 300 };

static struct asyncring ring;
static unsigned char memory[MANY * BLOCK] __attribute__((aligned(4096)));
static int file;

/* In a test's own process, which it ends. */
#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                    \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* ---- the kernel's answers ---- */

static _Atomic unsigned setups, submissions, submitted, plain_calls, told;
static _Atomic int setup_error;		   /* what io_setup answers, 0: as it is ... */
static _Atomic unsigned setup_limit;	   /* ... for more than so many */
static _Atomic int submit_error;	   /* what io_submit answers ... */
static _Atomic unsigned errors_left = ~0u; /* ... so many times */
static _Atomic unsigned at_most;	   /* requests that io_submit takes, 0: all */
static _Atomic int event_error;		   /* what events say (layout_unknown) */
static _Atomic bool layout_unknown;

static long set_up(const long arguments[6])
{
	long result = sys_raw6(SYS_io_setup, arguments[0], arguments[1], 0, 0, 0, 0);

	if (!result && layout_unknown)
		(*(uint32_t **)arguments[1])[4] = 0;
	return result;
}

static long submit(const long arguments[6])
{
	long count = arguments[1], result;

	submissions++;
	if (submit_error && errors_left) {
		errors_left--;
		return submit_error;
	}
	if (at_most && count > at_most)
		count = at_most;
	result = sys_raw6(SYS_io_submit, arguments[0], count, arguments[2], 0, 0, 0);
	if (result > 0)
		submitted += (unsigned)result;
	return result;
}

static long get_events(const long arguments[6])
{
	struct io_event *events = (struct io_event *)arguments[3];
	long count = sys_raw6(SYS_io_getevents, arguments[0], arguments[1], arguments[2],
			      arguments[3], arguments[4], 0);

	for (long i = 0; i < count && event_error; i++)
		events[i].res = event_error;
	return count;
}

static bool answer(long number, const long arguments[6], long *result)
{
	switch (number) {
	case SYS_io_setup:
		setups++;
		if (setup_error && arguments[0] > setup_limit)
			*result = setup_error;
		else
			*result = set_up(arguments);
		return true;
	case SYS_io_submit:
		*result = submit(arguments);
		return true;
	case SYS_io_getevents:
		*result = get_events(arguments);
		return true;
	case SYS_pread64:
	case SYS_preadv2:
		/* One of nothing is for those who watch the file. */
		if (!arguments[2])
			told++;
		else
			plain_calls++;
		return false;
	case SYS_pwrite64:
	case SYS_pwritev2:
		plain_calls++;
		return false;
	}
	return false;
}

/* ---- in a process of its own ---- */

static int direct_file(void)
{
	char path[64];
	int plain = support_file("/var/tmp", SIZE), fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	fsync(plain);
	posix_fadvise(plain, 0, 0, POSIX_FADV_DONTNEED);
	close(plain);
	return fd;
}

static void in_process(void (*body)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		support_bound(60);
		asyncring__sys_hook = answer;
		must(!asyncring_queue_init(512, &ring, 0));
		body();
		asyncring_queue_exit(&ring);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Does the kernel take requests for the file at all? */
static bool usable;

static void find_out(void)
{
	asyncring_prep_read(support_sqe(&ring), file, memory, BLOCK, 0);
	must(support_run(&ring) == BLOCK);
	asyncring_queue_exit(&ring);
	_exit(submitted == 1 && !plain_calls ? 0 : 3);
}

static int set_up_group(void **state)
{
	pid_t child;
	int status;

	(void)state;
	support_bound(100);
	file = direct_file();
	if (file < 0)
		return 0;
	child = fork();
	if (!child) {
		asyncring__sys_hook = answer;
		must(!asyncring_queue_init(8, &ring, 0));
		find_out();
	}
	usable = waitpid(child, &status, 0) == child && !status;
	return 0;
}

/* Submit reads from number @first to @end at once. */
static void submit_reads(unsigned first, unsigned end)
{
	memset(memory + first * BLOCK, 0, (end - first) * BLOCK);
	for (unsigned i = first; i < end; i++) {
		struct asyncring_sqe *sqe = asyncring_get_sqe(&ring);

		must(sqe);
		asyncring_prep_read(sqe, file, memory + i * BLOCK, BLOCK, i % BLOCKS * BLOCK);
		sqe->user_data = i;
	}
	must(asyncring_submit(&ring) == (int)(end - first));
}

static void reap_reads(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct asyncring_cqe *cqe;
		uint64_t number;

		must(!asyncring_wait_cqe(&ring, &cqe));
		number = cqe->user_data;
		must(cqe->res == BLOCK);
		must(support_content(memory + number * BLOCK, BLOCK, number % BLOCKS * BLOCK));
		asyncring_cqe_seen(&ring, cqe);
	}
}

static void read_many(unsigned count)
{
	submit_reads(0, count);
	reap_reads(count);
}

/* ---- bodies ---- */

static void no_worker(void)
{
	struct support_census before = support_census();

	read_many(200);
	must(submitted == 200 && !plain_calls && told);
	/* As many by one call as there may be. */
	must(submissions <= 5);
	must(support_threads() <= before.threads + 1);
	/* Another ring makes do with the context that this one has left. */
	asyncring_queue_exit(&ring);
	must(!asyncring_queue_init(512, &ring, 0));
	read_many(200);
	must(setups == 1);
}

static void writes_too(void)
{
	for (unsigned i = 0; i < SIZE; i++)
		memory[i] = support_byte(i);
	asyncring_prep_write(support_sqe(&ring), file, memory, SIZE, 0);
	must(support_run(&ring) == SIZE);
	must(submitted == 1 && !plain_calls && !told);
	read_many(BLOCKS);
}

static void writes_within_a_limit(void)
{
	struct rlimit limit = {.rlim_cur = SIZE, .rlim_max = RLIM_INFINITY};

	must(!getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = SIZE;
	must(!setrlimit(RLIMIT_FSIZE, &limit));
	asyncring_prep_write(support_sqe(&ring), file, memory, BLOCK, SIZE);
	/* No signal, or the process would have ended. */
	must(support_run(&ring) == -EFBIG);
	must(!submissions);
}

static void little_room(void)
{
	setup_error = -EAGAIN;
	setup_limit = 20;
	read_many(MANY);
	must(setups > 1 && submitted == MANY && !plain_calls);
}

static void no_room(void)
{
	unsigned tried;

	setup_error = -EAGAIN;
	read_many(MANY);
	tried = setups;
	read_many(MANY);
	must(tried && setups == tried && !submissions && plain_calls >= 2 * MANY);
}

static void forbidden(int error)
{
	setup_error = error;
	read_many(20);
	read_many(20);
	asyncring_queue_exit(&ring);
	must(!asyncring_queue_init(512, &ring, 0));
	read_many(20);
	must(setups == 1 && !submissions && plain_calls >= 60);
}

static void setup_not_permitted(void)
{
	forbidden(-EPERM);
}

static void setup_not_there(void)
{
	forbidden(-ENOSYS);
}

static void submit_not_there(void)
{
	submit_error = -ENOSYS;
	read_many(100);
	must(submissions < 30 && plain_calls >= 100);
}

static void taken_in_parts(void)
{
	at_most = 3;
	read_many(MANY);
	must(submitted == MANY && !plain_calls);
}

static void full_for_a_while(void)
{
	read_many(1);
	submit_error = -EAGAIN;
	errors_left = 0;
	submit_reads(0, 100);
	errors_left = 3;
	submit_reads(100, 200);
	reap_reads(200);
	must(submitted + plain_calls >= 201);
}

static void full_for_ever(void)
{
	submit_error = -EAGAIN;
	read_many(20);
	must(!submitted && plain_calls >= 20);
}

static void not_on_this_file(void)
{
	unsigned tried;
	int other = direct_file();

	submit_error = -EOPNOTSUPP;
	read_many(20);
	must(!submitted && plain_calls >= 20);
	tried = submissions;
	read_many(20);
	must(submissions == tried);
	/* It is the file's, not everybody's. */
	submit_error = 0;
	plain_calls = 0;
	asyncring__hint_forget(other);
	asyncring_prep_read(support_sqe(&ring), other, memory, BLOCK, 0);
	must(support_run(&ring) == BLOCK);
	must(submitted == 1 && !plain_calls);
	close(other);
}

static void refused(int error)
{
	read_many(1);
	submit_error = error;
	errors_left = 5;
	plain_calls = submitted = 0;
	read_many(20);
	must(plain_calls == 5 && submitted == 15);
	/* Not for good. */
	read_many(20);
	must(plain_calls == 5 && submitted == 35);
}

static void refused_descriptor(void)
{
	refused(-EBADF);
}

static void refused_address(void)
{
	refused(-EFAULT);
}

static void refused_argument(void)
{
	refused(-EINVAL);
}

/* Then nothing is left that anybody would have to drive for. */
static void refused_all(void)
{
	struct ring *internal;
	int error = 0;

	read_many(1);
	submit_error = -EBADF;
	submitted = 0;
	/* As many as are submitted before the batch ends. */
	read_many(64);
	must(!submitted);
	internal = asyncring__ring_get((unsigned)ring.ring_fd, &error);
	must(internal);
	must(!asyncring__driver_needed(internal));
	asyncring__ring_put(internal);
}

static void events_by_call(void)
{
	layout_unknown = true;
	read_many(MANY);
	must(submitted == MANY && !plain_calls);
	submit_reads(0, MANY);
}

static void given_back(int error)
{
	layout_unknown = true;
	event_error = error;
	read_many(MANY);
	must(submitted == MANY && plain_calls >= MANY);
}

static void given_back_to_wait(void)
{
	given_back(-EAGAIN);
}

static void given_back_interrupted(void)
{
	given_back(-EINTR);
}

static void given_back_refused(void)
{
	layout_unknown = true;
	event_error = -EOPNOTSUPP;
	read_many(1);
	read_many(20);
	must(submitted == 1 && plain_calls >= 21);
}

/* A part is there: the rest is fetched, and what was there is not moved twice. */
static void given_in_part(void)
{
	layout_unknown = true;
	event_error = BLOCK;
	memset(memory, 0, sizeof(memory));
	asyncring_prep_read(support_sqe(&ring), file, memory, 4 * BLOCK, BLOCK);
	must(support_run(&ring) == 4 * BLOCK);
	must(submitted == 1 && plain_calls >= 1);
	must(support_content(memory, 4 * BLOCK, BLOCK));
}

static void failed(void)
{
	layout_unknown = true;
	event_error = -EIO;
	asyncring_prep_read(support_sqe(&ring), file, memory, BLOCK, 0);
	must(support_run(&ring) == -EIO);
	must(submitted == 1 && !plain_calls);
}

static void closed_in_flight(void)
{
	for (int i = 0; i < 20; i++) {
		submit_reads(0, MANY);
		asyncring_queue_exit(&ring);
		must(!asyncring_queue_init(512, &ring, 0));
	}
	must(setups == 1);
}

/* Can the memory of no context be read any more? */
static bool contexts_are_gone(void *argument)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool gone = true;
	char line[512];

	(void)argument;
	must(maps);
	while (fgets(line, sizeof(line), maps)) {
		struct iovec local = {.iov_base = (char[1]){0}, .iov_len = 1}, there = local;

		there.iov_base = (void *)strtoul(line, NULL, 16);
		if (strstr(line, "/[aio]"))
			gone &= process_vm_readv(getpid(), &local, 1, &there, 1, 0) < 0;
	}
	fclose(maps);
	return gone;
}

/*
 * The memory of contexts, in use at the fork or kept, goes with the parent, and with it whatever
 * the child might look at there.
 */
static void closed_by_an_orphan(void)
{
	struct asyncring other;
	int parent_is_gone[2];
	pid_t parent, orphan;
	char byte;

	must(!prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	must(!pipe(parent_is_gone));
	asyncring_queue_exit(&ring);
	parent = fork();
	if (!parent) {
		must(!asyncring_queue_init(512, &ring, 0));
		read_many(20);
		other = ring;
		must(!asyncring_queue_init(512, &ring, 0));
		read_many(20);
		asyncring_queue_exit(&other);
		orphan = fork();
		if (!orphan) {
			close(parent_is_gone[1]);
			must(read(parent_is_gone[0], &byte, 1) == 0);
			must(support_eventually(contexts_are_gone, NULL));
			asyncring_queue_exit(&ring);
			_exit(0);
		}
		asyncring_queue_exit(&ring);
		_exit(0);
	}
	close(parent_is_gone[0]);
	close(parent_is_gone[1]);
	for (int i = 0; i < 2; i++) {
		int status = 1;

		must(wait(&status) > 0);
		must(status == 0);
	}
	must(!asyncring_queue_init(512, &ring, 0));
}

#define TEST(name)                                                                                 \
	static void kernel_aio_##name(void **state)                                                \
	{                                                                                          \
		(void)state;                                                                       \
		if (!usable)                                                                       \
			skip();                                                                    \
		in_process(name);                                                                  \
	}
#define TESTS(each)                                                                                \
	each(no_worker) each(writes_too) each(writes_within_a_limit) each(little_room) each(       \
		no_room) each(setup_not_permitted) each(setup_not_there) each(submit_not_there)    \
		each(taken_in_parts) each(full_for_a_while) each(full_for_ever)                    \
			each(not_on_this_file) each(refused_descriptor) each(refused_address)      \
				each(refused_argument) each(refused_all) each(events_by_call)      \
					each(given_back_to_wait) each(given_back_interrupted)      \
						each(given_back_refused) each(given_in_part)       \
							each(failed) each(closed_in_flight)        \
								each(closed_by_an_orphan)

TESTS(TEST)

#define ENTRY(name) cmocka_unit_test(kernel_aio_##name),

int main(void)
{
	const struct CMUnitTest tests[] = {TESTS(ENTRY)};

	return cmocka_run_group_tests(tests, set_up_group, NULL);
}
