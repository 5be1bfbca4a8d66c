/* SPDX-License-Identifier: MIT */
/*
 * What the tests of registered files and buffers share: files that can be told apart, reads and
 * writes through a slot, and the proof that nothing holds a file any more.
 *
 * Helpers assert and therefore belong to the main thread, as harness.h says of its own.
 */
#ifndef CONFORMANCE_RSRC_HELPERS_H
#define CONFORMANCE_RSRC_HELPERS_H

#include "harness.h"

#include <sys/resource.h>

/* A pointer that no program has mapped. */
#define RSRC_BAD_POINTER ((void *)8)

/* The 64-bit form in which the registration structures carry addresses. */
static inline uint64_t rsrc_address(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/* A file of its own whose content is the number mark (which must be positive). */
static inline int rsrc_marked_file(int mark)
{
	int fd = memfd_create("marked", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &mark, sizeof(mark), 0), sizeof(mark));
	return fd;
}

/* The mark of the file in this slot, or the error that a read through the slot gives. */
static inline int rsrc_slot_mark(struct io_uring *ring, int slot)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);
	int mark = 0;
	int ret;

	io_uring_prep_read(sqe, slot, &mark, sizeof(mark), 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	ret = harness_result(ring);
	if (ret < 0)
		return ret;
	assert_int_equal(ret, sizeof(mark));
	return mark;
}

/* Result of READ_FIXED at offset 0 of fd, into addr and from buffer index. */
static inline int rsrc_read_fixed(struct io_uring *ring, int fd, void *addr, unsigned len,
				  int index)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	io_uring_prep_read_fixed(sqe, fd, addr, len, 0, index);
	return harness_result(ring);
}

/* Result of WRITE_FIXED at offset 0 of fd. */
static inline int rsrc_write_fixed(struct io_uring *ring, int fd, const void *addr, unsigned len,
				   int index)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	io_uring_prep_write_fixed(sqe, fd, addr, len, 0, index);
	return harness_result(ring);
}

/* Submit a read of len bytes from a pipe's empty read end (or the slot that holds it). */
static inline void rsrc_start_read(struct io_uring *ring, int fd, unsigned sqe_flags, void *data,
				   unsigned len, uint64_t user_data)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	io_uring_prep_read(sqe, fd, data, len, 0);
	sqe->flags |= (uint8_t)sqe_flags;
	sqe->user_data = user_data;
	harness_submit(ring, 1);
	harness_assert_empty(ring);
}

/* Has the last holder of the pipe's other end gone already? */
static inline bool rsrc_hung_up(int fd)
{
	struct pollfd entry = {.fd = fd};

	return poll(&entry, 1, 0) == 1 && (entry.revents & (POLLHUP | POLLERR));
}

/* Wait for that; false if somebody keeps it. For releases that may lag behind a call. */
static inline bool rsrc_wait_hung_up(int fd)
{
	struct pollfd entry = {.fd = fd};

	return poll(&entry, 1, (int)(HARNESS_WAIT_MS * harness_timeout_factor())) == 1 &&
	       (entry.revents & (POLLHUP | POLLERR));
}

/*
 * Set the soft limit of open files and return the one before; 0 if the hard limit is below what is
 * asked for and may not be raised.
 */
static inline rlim_t rsrc_set_file_limit(rlim_t soft)
{
	struct rlimit limit;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = soft;
	if (limit.rlim_max < soft)
		limit.rlim_max = soft;
	return setrlimit(RLIMIT_NOFILE, &limit) ? 0 : before;
}

/* An anonymous private mapping, zeroed. */
static inline char *rsrc_map(size_t size, int protection)
{
	void *memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static inline int rsrc_register_files2(struct io_uring *ring, struct io_uring_rsrc_register reg)
{
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_FILES2, &reg,
				 sizeof(reg));
}

static inline int rsrc_update_files2(struct io_uring *ring, struct io_uring_rsrc_update2 update)
{
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_FILES_UPDATE2, &update,
				 sizeof(update));
}

static inline int rsrc_register_buffers2(struct io_uring *ring, struct io_uring_rsrc_register reg)
{
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_BUFFERS2, &reg,
				 sizeof(reg));
}

static inline int rsrc_update_buffers2(struct io_uring *ring, struct io_uring_rsrc_update2 update)
{
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_BUFFERS_UPDATE, &update,
				 sizeof(update));
}

static inline bool rsrc_is_worker(const char *thread)
{
	char path[64], name[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", thread);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	return strncmp(name, "iou-wrk-", 8) == 0;
}

/* A worker thread of this process, 0 if there is none. */
static inline pid_t rsrc_find_worker(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t worker = 0;

	while (dir && !worker && (entry = readdir(dir)))
		if (rsrc_is_worker(entry->d_name))
			worker = (pid_t)strtol(entry->d_name, NULL, 10);
	if (dir)
		closedir(dir);
	return worker;
}

/* The thread needs a moment until it has its name. */
static inline pid_t rsrc_wait_for_worker(void)
{
	uint64_t end = harness_now_ns() + HARNESS_WAIT_MS * 1000000ull * harness_timeout_factor();
	pid_t worker;

	while (!(worker = rsrc_find_worker()) && harness_now_ns() < end)
		sched_yield();
	return worker;
}

#endif /* CONFORMANCE_RSRC_HELPERS_H */
