/* SPDX-License-Identifier: MIT */
/* Shared by the unit tests; support.h says what each function is for. */
#include "support.h"

#include <dirent.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "core/hint.h"

enum { PATIENCE_SECONDS = 20 };

unsigned support_slowness(void)
{
	const char *text = getenv("ASYNCRING_TEST_TIMEOUT_MULT");
	long factor = text ? strtol(text, NULL, 10) : 1;

	return factor >= 1 && factor <= 1000 ? (unsigned)factor : 1;
}

uint64_t support_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int support_thread_id(void)
{
	return (int)syscall(SYS_gettid);
}

bool support_eventually(bool (*condition)(void *argument), void *argument)
{
	uint64_t end = support_now_ns() + PATIENCE_SECONDS * 1000000000ull * support_slowness();

	while (!condition(argument)) {
		if (support_now_ns() > end)
			return false;
		sched_yield();
	}
	return true;
}

/* ---- what the process has ---- */

static unsigned entries_of(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;

	if (!directory)
		return 0;
	while ((entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

/* Threads of the sanitizer's, which are there from the first pthread_create() on. */
static unsigned helpers;

unsigned support_threads(void)
{
	return entries_of("/proc/self/task") - helpers;
}

static void *do_nothing(void *argument)
{
	return argument;
}

static bool helper_is_alone(void *argument)
{
	(void)argument;
	return entries_of("/proc/self/task") <= 2;
}

void support_bound(unsigned seconds)
{
	pthread_t thread;

	alarm(seconds * support_slowness());
	if (!THREAD_SANITIZER || pthread_create(&thread, NULL, do_nothing, NULL))
		return;
	pthread_join(thread, NULL);
	support_eventually(helper_is_alone, NULL);
	helpers = entries_of("/proc/self/task") - 1;
}

/* Is the library's poller thread there? It stays a while after it was needed, and so do its
 * descriptors. */
static bool attendant_there(void)
{
	DIR *threads = opendir("/proc/self/task");
	const struct dirent *thread;
	bool there = false;

	while (threads && !there && (thread = readdir(threads))) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", thread->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		there = fgets(name, sizeof(name), file) && strncmp(name, "iou-poll", 8) == 0;
		fclose(file);
	}
	if (threads)
		closedir(threads);
	return there;
}

unsigned support_descriptors(void)
{
	/* One that is still needed does not go: then its descriptors count. */
	for (int i = 0; i < 100 && attendant_there(); i++)
		poll(NULL, 0, 5);
	/* Less the one that looks. */
	return entries_of("/proc/self/fd") - 1;
}

struct support_census support_census(void)
{
	return (struct support_census){support_threads(), support_descriptors()};
}

static bool restored(void *argument)
{
	const struct support_census *census = argument;

	/* Fewer threads are not our doing: a joined thread may still be leaving when counted. */
	return support_threads() <= census->threads && support_descriptors() == census->descriptors;
}

bool support_census_restored(const struct support_census *census)
{
	struct support_census wanted = *census, now;

	if (support_eventually(restored, &wanted))
		return true;
	now = support_census();
	print_error("threads: %u, were %u; descriptors: %u, were %u\n", now.threads,
		    census->threads, now.descriptors, census->descriptors);
	return false;
}

static bool is_asleep(void *argument)
{
	char text[512];
	const char *state;
	ssize_t length;
	int fd;

	fd = open(argument, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	state = strrchr(text, ')'); /* the name in front may hold anything */
	return state && state[1] == ' ' && state[2] == 'S';
}

bool support_asleep(int tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	return support_eventually(is_asleep, path);
}

/* ---- requests ---- */

struct asyncring_sqe *support_sqe(struct asyncring *ring)
{
	struct asyncring_sqe *sqe = asyncring_get_sqe(ring);

	assert_non_null(sqe);
	return sqe;
}

int support_result(struct asyncring *ring, uint64_t *user_data)
{
	struct asyncring_cqe *cqe;
	int result;

	assert_int_equal(asyncring_wait_cqe(ring, &cqe), 0);
	result = cqe->res;
	if (user_data)
		*user_data = cqe->user_data;
	asyncring_cqe_seen(ring, cqe);
	return result;
}

int support_run(struct asyncring *ring)
{
	assert_int_equal(asyncring_submit(ring), 1);
	return support_result(ring, NULL);
}

/* ---- files ---- */

unsigned char support_byte(size_t i)
{
	return (unsigned char)(i * 31 + i / 4096 * 7 + 1);
}

int support_file(const char *directory, size_t size)
{
	unsigned char buffer[4096];
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/asyncring-test-XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	unlink(path);
	for (size_t done = 0; done < size; done += sizeof(buffer)) {
		size_t part = size - done < sizeof(buffer) ? size - done : sizeof(buffer);

		for (size_t i = 0; i < part; i++)
			buffer[i] = support_byte(done + i);
		assert_int_equal(write(fd, buffer, part), part);
	}
	return fd;
}

bool support_content(const unsigned char *buffer, size_t length, size_t offset)
{
	for (size_t i = 0; i < length; i++) {
		if (buffer[i] == support_byte(offset + i))
			continue;
		print_error("byte %zu is %d, not %d\n", i, buffer[i], support_byte(offset + i));
		return false;
	}
	return true;
}

bool support_on_tmpfs(const char *directory)
{
	struct statfs status;

	return !statfs(directory, &status) && status.f_type == TMPFS_MAGIC;
}

bool support_on_a_device(void)
{
	int probe = support_file("/tmp", 1);
	struct hint hint;
	int error = asyncring__hint_learn(probe, &hint);

	close(probe);
	return !error && hint.local && hint.kind == FILE_CACHED;
}

/* ---- reads and writes in a hook ---- */

bool support_transfer(long number, const long arguments[6], struct support_transfer *transfer)
{
	bool several = number == SYS_preadv2 || number == SYS_pwritev2;

	if (!several && number != SYS_pread64 && number != SYS_pwrite64)
		return false;
	/* A read of no vectors moves nothing: it tells those who watch the file (rw_direct.c). */
	if (several && !arguments[2])
		return false;
	transfer->write = number == SYS_pwritev2 || number == SYS_pwrite64;
	transfer->fd = (int)arguments[0];
	transfer->offset = arguments[3];
	transfer->flags = several ? (int)arguments[5] : 0;
	transfer->single = (struct iovec){(void *)arguments[1], (size_t)arguments[2]};
	transfer->vector = several ? (const struct iovec *)arguments[1] : &transfer->single;
	transfer->count = several ? (unsigned)arguments[2] : 1;
	return true;
}

long support_transfer_part(const struct support_transfer *transfer, size_t length)
{
	enum { VECTORS_MAX = 64 };
	struct iovec cut[VECTORS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < transfer->count && length && count < VECTORS_MAX; i++) {
		cut[count] = transfer->vector[i];
		if (cut[count].iov_len > length)
			cut[count].iov_len = length;
		length -= cut[count++].iov_len;
	}
	return sys_raw6(transfer->write ? SYS_pwritev2 : SYS_preadv2, transfer->fd, (long)cut,
			count, transfer->offset, 0, transfer->flags);
}

/* splitmix64 (Steele, Lea, Flood 2014). */
unsigned support_below(struct support_random *random, unsigned limit)
{
	uint64_t mixed = random->state += 0x9e3779b97f4a7c15ull;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
	return (unsigned)((mixed ^ mixed >> 31) % limit);
}

uint64_t support_seed(void)
{
	const char *text = getenv("ASYNCRING_SEED");

	return text ? strtoull(text, NULL, 0) : 1;
}

/* ---- the gate ---- */

/* Which one is made depends on the file and on what is moved, and is of no concern there. */
static long at_the_gate(long number)
{
	if (number == SYS_pread64)
		return SYS_preadv2;
	return number == SYS_pwrite64 ? SYS_pwritev2 : number;
}

void support_gate_close(struct support_gate *gate, long number)
{
	atomic_store(&gate->held, 0);
	atomic_store(&gate->number, number);
	atomic_store(&gate->closed, true);
}

void support_gate_open(struct support_gate *gate)
{
	atomic_store(&gate->closed, false);
}

void support_gate_pass(struct support_gate *gate, long number)
{
	/* The application's threads are not to be held up: here that is the main thread. */
	if (!atomic_load(&gate->closed) || atomic_load(&gate->number) != at_the_gate(number) ||
	    support_thread_id() == getpid())
		return;
	atomic_fetch_add(&gate->held, 1);
	while (atomic_load(&gate->closed))
		sched_yield();
}

struct gate_count {
	struct support_gate *gate;
	unsigned count;
};

static bool gate_holds(void *argument)
{
	const struct gate_count *wanted = argument;

	return atomic_load(&wanted->gate->held) >= wanted->count;
}

bool support_gate_held(struct support_gate *gate, unsigned count)
{
	struct gate_count wanted = {gate, count};

	return support_eventually(gate_holds, &wanted);
}
