/* SPDX-License-Identifier: MIT */
/*
 * Description: reads and writes with O_DIRECT, in flight at the device. What a transfer answers is
 * what the plain call answers, on whatever file system the test runs: so that is asked, too. Runs
 * in the test directory and, where it takes O_DIRECT, on a tmpfs.
 */
#include "harness.h"

#include <linux/falloc.h>
#include <sys/inotify.h>

enum {
	BLOCK = 4096,
	BLOCKS = 64,
	SIZE = BLOCKS * BLOCK,
	MANY = 1000, /* more than are given to the device at once */
	TAG = 77,
};

static const char *directory;
static int file;	      /* SIZE bytes of harness_byte(), O_DIRECT */
static unsigned char *memory; /* MANY blocks */

/* The file behind @fd once more, O_DIRECT, or -1. */
static int open_direct(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_DIRECT | O_CLOEXEC);
}

/* A new one, in the directory under test, of @size bytes. */
static int direct_file(size_t size)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/asyncring-direct-XXXXXX", directory);
	fd = mkostemp(path, O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return -1;
	unlink(path);
	for (size_t i = 0; i < size; i++)
		memory[i] = harness_byte(i);
	assert_int_equal(pwrite(fd, memory, size, 0), size);
	memset(memory, 0, size);
	return fd;
}

static bool content(const unsigned char *bytes, size_t length, size_t offset)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != harness_byte(offset + i))
			return false;
	return true;
}

static int set_up(void **state)
{
	(void)state;
	if (!memory && posix_memalign((void **)&memory, BLOCK, MANY * BLOCK))
		return -1;
	memset(memory, 0, MANY * BLOCK);
	file = direct_file(SIZE);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (file >= 0)
		close(file);
	return 0;
}

#define SKIP_WITHOUT_DIRECT()                                                                      \
	do {                                                                                       \
		if (file < 0)                                                                      \
			skip();                                                                    \
	} while (0)

static int read_result(struct io_uring *ring, int fd, void *bytes, unsigned length, uint64_t offset)
{
	io_uring_prep_read(harness_sqe(ring), fd, bytes, length, offset);
	return harness_result(ring);
}

static int write_result(struct io_uring *ring, int fd, const void *bytes, unsigned length,
			uint64_t offset, int flags)
{
	struct io_uring_sqe *sqe = harness_sqe(ring);

	io_uring_prep_write(sqe, fd, bytes, length, offset);
	sqe->rw_flags = flags;
	return harness_result(ring);
}

/* ---- what a transfer answers ---- */

static int plain(ssize_t result)
{
	return result < 0 ? -errno : (int)result;
}

static void reads_answer_as_pread(void **state)
{
	static const struct {
		unsigned skew, length;
		uint64_t offset;
	} reads[] = {
		{0, BLOCK, 0},
		{0, SIZE, 0},
		{1, BLOCK, 0},
		{0, BLOCK - 1, 0},
		{0, BLOCK, 1},
		{0, 512, 512},
		{0, BLOCK, SIZE - 512},
		{0, 2 * BLOCK, SIZE - BLOCK},
		{0, BLOCK, SIZE},
		{0, BLOCK, SIZE + BLOCK},
		{0, BLOCK, SIZE + 1},
		{0, 0, BLOCK},
		{0, 0, 1},
		{0, BLOCK, (uint64_t)INT64_MAX - BLOCK + 1},
	};
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(reads); i++) {
		unsigned char *bytes = memory + reads[i].skew;
		int expected = plain(pread(file, bytes, reads[i].length, (off_t)reads[i].offset));

		memset(bytes, 0, reads[i].length);
		assert_int_equal(read_result(&ring, file, bytes, reads[i].length, reads[i].offset),
				 expected);
		if (expected > 0)
			assert_true(content(bytes, (size_t)expected, reads[i].offset));
	}
	assert_int_equal(read_result(&ring, file, (void *)BLOCK, BLOCK, 0), -EFAULT);
	assert_int_equal(read_result(&ring, file, memory, BLOCK, (uint64_t)-2), -EINVAL);
	io_uring_queue_exit(&ring);
}

/* (Whether it has moved on when the request has gone to the device, kernels differ.) */
static void reads_begin_at_the_position(void **state)
{
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	assert_int_equal(lseek(file, BLOCK, SEEK_SET), BLOCK);
	assert_int_equal(read_result(&ring, file, memory, 2 * BLOCK, (uint64_t)-1), 2 * BLOCK);
	assert_true(content(memory, 2 * BLOCK, BLOCK));
	io_uring_queue_exit(&ring);
}

static void a_file_that_ends_within_a_block_is_read_to_its_end(void **state)
{
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	assert_int_equal(ftruncate(file, 2 * BLOCK + 100), 0);
	harness_init(&ring, 8, 0);
	assert_int_equal(read_result(&ring, file, memory, 4 * BLOCK, 0), 2 * BLOCK + 100);
	assert_true(content(memory, 2 * BLOCK + 100, 0));
	assert_int_equal(read_result(&ring, file, memory, BLOCK, 2 * BLOCK), 100);
	io_uring_queue_exit(&ring);
}

static void the_mode_of_the_file_counts(void **state)
{
	struct io_uring ring;
	int reader, writer;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	reader = open_direct(file, O_RDONLY);
	writer = open_direct(file, O_WRONLY);
	harness_init(&ring, 8, 0);
	assert_int_equal(write_result(&ring, reader, memory, BLOCK, 0, 0), -EBADF);
	assert_int_equal(read_result(&ring, writer, memory, BLOCK, 0), -EBADF);
	io_uring_queue_exit(&ring);
	close(reader);
	close(writer);
}

/* What inotify tells of the file: a mask, or 0 if it tells nothing (more). */
static uint32_t next_event(int watch)
{
	struct inotify_event event;

	if (read(watch, &event, sizeof(event)) == sizeof(event))
		return event.mask;
	assert_int_equal(errno, EAGAIN);
	return 0;
}

/* Before the completion is there. Events that are alike become one if nobody looks in between. */
static void reads_are_told_to_watchers(void **state)
{
	int other = direct_file(SIZE), watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	assert_true(other >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	assert_true(inotify_add_watch(watch, path, IN_ACCESS) >= 0);
	harness_init(&ring, 16, 0);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 16; i++)
			io_uring_prep_read(harness_sqe(&ring), i % 3 ? file : other,
					   memory + (size_t)i * BLOCK, BLOCK, (uint64_t)i * BLOCK);
		harness_submit(&ring, 16);
		for (unsigned i = 0; i < 16; i++)
			assert_int_equal(harness_next(&ring).res, BLOCK);
		assert_int_equal(next_event(watch), IN_ACCESS);
		assert_int_equal(next_event(watch), 0);
	}
	io_uring_queue_exit(&ring);
	close(watch);
	close(other);
}

/* ---- writes ---- */

static void fill(unsigned char *bytes, size_t length, size_t offset)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = harness_byte(offset + i);
}

static void check_written(int fd, size_t length, size_t offset)
{
	memset(memory, 0, length);
	assert_int_equal(pread(fd, memory, length, (off_t)offset), length);
	assert_true(content(memory, length, offset));
}

/* Over what is there, in a hole, where there is room already, beyond the end. */
static void writes_go_anywhere(void **state)
{
	static const int flags[] = {0, RWF_DSYNC, RWF_SYNC};
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd = direct_file(0);

		assert_int_equal(ftruncate(fd, 16 * BLOCK), 0);
		assert_int_equal(fallocate(fd, 0, 0, 8 * BLOCK), 0);
		for (unsigned at = 0; at < 24; at += 3) {
			fill(memory, 2 * BLOCK, at * BLOCK);
			assert_int_equal(
				write_result(&ring, fd, memory, 2 * BLOCK, at * BLOCK, flags[i]),
				2 * BLOCK);
			check_written(fd, 2 * BLOCK, at * BLOCK);
			/* Once more, over that. */
			assert_int_equal(
				write_result(&ring, fd, memory, 2 * BLOCK, at * BLOCK, flags[i]),
				2 * BLOCK);
			check_written(fd, 2 * BLOCK, at * BLOCK);
		}
		assert_int_equal(lseek(fd, 0, SEEK_END), 23 * BLOCK);
		close(fd);
	}
	io_uring_queue_exit(&ring);
}

static void writes_are_appended(void **state)
{
	struct io_uring ring;
	int appending;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	appending = open_direct(file, O_RDWR | O_APPEND);
	harness_init(&ring, 8, 0);
	fill(memory, BLOCK, SIZE);
	assert_int_equal(write_result(&ring, file, memory, BLOCK, 0, RWF_APPEND), BLOCK);
	check_written(file, BLOCK, SIZE);
	fill(memory, BLOCK, SIZE + BLOCK);
	assert_int_equal(write_result(&ring, appending, memory, BLOCK, 0, 0), BLOCK);
	check_written(file, BLOCK, SIZE + BLOCK);
	check_written(file, BLOCK, 0);
	io_uring_queue_exit(&ring);
	close(appending);
}

static void writes_answer_as_pwrite(void **state)
{
	static const struct {
		unsigned skew, length;
		uint64_t offset;
	} writes[] = {
		{0, 2 * BLOCK, BLOCK}, {1, BLOCK, 0}, {0, BLOCK - 1, 0}, {0, BLOCK, 1}, {0, 0, 1},
	};
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(writes); i++) {
		const unsigned char *bytes = memory + writes[i].skew;
		int expected =
			plain(pwrite(file, bytes, writes[i].length, (off_t)writes[i].offset));

		assert_int_equal(
			write_result(&ring, file, bytes, writes[i].length, writes[i].offset, 0),
			expected);
	}
	assert_int_equal(write_result(&ring, file, (void *)BLOCK, BLOCK, 0, 0), -EFAULT);
	io_uring_queue_exit(&ring);
}

/* What would have to wait says so, if the application asks for that; or it need not. */
static void nowait_is_the_applications_to_ask_for(void **state)
{
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int result;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	sqe = harness_sqe(&ring);
	io_uring_prep_read(sqe, file, memory, BLOCK, 0);
	sqe->rw_flags = RWF_NOWAIT;
	result = harness_result(&ring);
	assert_true(result == BLOCK || result == -EAGAIN || result == -EOPNOTSUPP);
	result = write_result(&ring, file, memory, BLOCK, 4 * SIZE, RWF_NOWAIT);
	assert_true(result == BLOCK || result == -EAGAIN || result == -EOPNOTSUPP);
	io_uring_queue_exit(&ring);
}

/* ---- where the memory comes from ---- */

static void vectors(void **state)
{
	struct iovec read[3] = {
		{memory, BLOCK}, {memory + 8 * BLOCK, 2 * BLOCK}, {memory + 4 * BLOCK, BLOCK}};
	struct iovec write[2];
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	io_uring_prep_readv(harness_sqe(&ring), file, read, 3, BLOCK);
	harness_submit(&ring, 1);
	/* They are read before the call returns. */
	memset(read, 0, sizeof(read));
	assert_int_equal(harness_next(&ring).res, 4 * BLOCK);
	assert_true(content(memory, BLOCK, BLOCK));
	assert_true(content(memory + 8 * BLOCK, 2 * BLOCK, 2 * BLOCK));
	assert_true(content(memory + 4 * BLOCK, BLOCK, 4 * BLOCK));
	fill(memory, 2 * BLOCK, 9 * BLOCK);
	write[0] = (struct iovec){memory, BLOCK};
	write[1] = (struct iovec){memory + BLOCK, BLOCK};
	io_uring_prep_writev(harness_sqe(&ring), file, write, 2, 9 * BLOCK);
	assert_int_equal(harness_result(&ring), 2 * BLOCK);
	check_written(file, 2 * BLOCK, 9 * BLOCK);
	io_uring_prep_readv(harness_sqe(&ring), file, NULL, 0, 0);
	assert_int_equal(harness_result(&ring), 0);
	io_uring_queue_exit(&ring);
}

static void registered_buffers_and_files(void **state)
{
	struct iovec buffer = {memory, 8 * BLOCK};
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	assert_int_equal(io_uring_register_buffers(&ring, &buffer, 1), 0);
	assert_int_equal(io_uring_register_files(&ring, &file, 1), 0);
	for (unsigned fixed = 0; fixed < 2; fixed++) {
		sqe = harness_sqe(&ring);
		io_uring_prep_read_fixed(sqe, fixed ? 0 : file, memory + BLOCK, 2 * BLOCK, BLOCK,
					 0);
		sqe->flags |= fixed ? IOSQE_FIXED_FILE : 0;
		assert_int_equal(harness_result(&ring), 2 * BLOCK);
		assert_true(content(memory + BLOCK, 2 * BLOCK, BLOCK));
		fill(memory, BLOCK, 5 * BLOCK);
		sqe = harness_sqe(&ring);
		io_uring_prep_write_fixed(sqe, fixed ? 0 : file, memory, BLOCK, 5 * BLOCK, 0);
		sqe->flags |= fixed ? IOSQE_FIXED_FILE : 0;
		assert_int_equal(harness_result(&ring), BLOCK);
	}
	check_written(file, BLOCK, 5 * BLOCK);
	io_uring_prep_read_fixed(harness_sqe(&ring), file, memory + 8 * BLOCK, BLOCK, 0, 0);
	assert_int_equal(harness_result(&ring), -EFAULT);
	/* The slot is emptied while the file is in use. */
	sqe = harness_sqe(&ring);
	io_uring_prep_read(sqe, 0, memory, SIZE, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	harness_submit(&ring, 1);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_int_equal(harness_next(&ring).res, SIZE);
	assert_true(content(memory, SIZE, 0));
	io_uring_queue_exit(&ring);
}

static void provided_buffers(void **state)
{
	struct io_uring_sqe *sqe;
	struct harness_cqe cqe;
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	io_uring_prep_provide_buffers(harness_sqe(&ring), memory, BLOCK, 2, 3, 10);
	assert_int_equal(harness_result(&ring), 0);
	for (unsigned i = 0; i < 2; i++) {
		sqe = harness_sqe(&ring);
		io_uring_prep_read(sqe, file, NULL, BLOCK, i * BLOCK);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = 3;
		cqe = harness_complete(&ring);
		assert_int_equal(cqe.res, BLOCK);
		assert_true(cqe.flags & IORING_CQE_F_BUFFER);
		assert_true(content(memory + ((cqe.flags >> 16) - 10) * BLOCK, BLOCK, i * BLOCK));
	}
	sqe = harness_sqe(&ring);
	io_uring_prep_read(sqe, file, NULL, BLOCK, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 3;
	assert_int_equal(harness_result(&ring), -ENOBUFS);
	io_uring_queue_exit(&ring);
}

/* ---- in flight ---- */

/* @count reads of a block each, all over the file; user_data is the number of the read. */
static void submit_reads(struct io_uring *ring, int fd, unsigned count, unsigned flags)
{
	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = harness_sqe(ring);

		io_uring_prep_read(sqe, fd, memory + i * BLOCK, BLOCK,
				   (uint64_t)(i * 7 % BLOCKS) * BLOCK);
		sqe->flags |= (uint8_t)flags;
		sqe->user_data = i;
	}
	harness_submit(ring, count);
}

static void check_read(const struct harness_cqe *cqe)
{
	assert_int_equal(cqe->res, BLOCK);
	assert_true(content(memory + cqe->user_data * BLOCK, BLOCK,
			    (size_t)(cqe->user_data * 7 % BLOCKS) * BLOCK));
}

static void reap_reads(struct io_uring *ring, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct harness_cqe cqe = harness_next(ring);

		check_read(&cqe);
	}
}

static void more_than_the_device_takes(void **state)
{
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 1024, 0);
	submit_reads(&ring, file, MANY, 0);
	reap_reads(&ring, MANY);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

static void all_are_waited_for_at_once(void **state)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 64, 0);
	submit_reads(&ring, file, 64, 0);
	assert_int_equal(io_uring_wait_cqe_nr(&ring, &cqe, 64), 0);
	assert_int_equal(io_uring_cq_ready(&ring), 64);
	reap_reads(&ring, 64);
	io_uring_queue_exit(&ring);
}

/* The completions come by themselves: nobody waits for them in a call. */
static void nobody_waits(void **state)
{
	uint64_t end = harness_now_ns() + HARNESS_WAIT_MS * 1000000ull * harness_timeout_factor();
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 64, 0);
	submit_reads(&ring, file, 64, 0);
	for (unsigned count = 0; count < 64;) {
		struct harness_cqe cqe;

		assert_true(harness_now_ns() < end);
		if (!harness_peek(&ring, &cqe)) {
			sched_yield();
			continue;
		}
		check_read(&cqe);
		count++;
	}
	io_uring_queue_exit(&ring);
}

static void the_rings_descriptor_tells(void **state)
{
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	for (unsigned i = 0; i < 8; i++) {
		submit_reads(&ring, file, 1, 0);
		assert_true(harness_wait_readable(ring.ring_fd));
		reap_reads(&ring, 1);
		assert_true(harness_wait_quiet(&ring, ring.ring_fd));
	}
	io_uring_queue_exit(&ring);
}

static void an_eventfd_counts(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct io_uring ring;
	uint64_t count;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	assert_int_equal(io_uring_register_eventfd(&ring, fd), 0);
	submit_reads(&ring, file, 4, 0);
	for (unsigned got = 0; got < 4;) {
		struct harness_cqe cqe;

		assert_true(harness_wait_readable(fd));
		assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
		while (harness_peek(&ring, &cqe)) {
			check_read(&cqe);
			got++;
		}
	}
	io_uring_queue_exit(&ring);
	close(fd);
}

static void the_owner_asks(void **state)
{
	const unsigned flags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER;
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	for (unsigned told = 0; told < 2; told++) {
		harness_init(&ring, 64, flags | (told ? IORING_SETUP_TASKRUN_FLAG : 0));
		for (unsigned round = 0; round < 8; round++) {
			submit_reads(&ring, file, 64, 0);
			if (round % 2)
				assert_true(harness_wait_readable(ring.ring_fd));
			reap_reads(&ring, 64);
			assert_true(harness_wait_quiet(&ring, ring.ring_fd));
		}
		io_uring_queue_exit(&ring);
	}
}

static void an_sq_thread_submits(void **state)
{
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 64, IORING_SETUP_SQPOLL);
	for (unsigned round = 0; round < 8; round++) {
		submit_reads(&ring, file, 8, 0);
		reap_reads(&ring, 8);
	}
	io_uring_queue_exit(&ring);
}

static void async_is_carried_out(void **state)
{
	struct iovec buffer = {memory, SIZE};
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 64, 0);
	submit_reads(&ring, file, 64, IOSQE_ASYNC);
	reap_reads(&ring, 64);
	assert_int_equal(io_uring_register_buffers(&ring, &buffer, 1), 0);
	sqe = harness_sqe(&ring);
	io_uring_prep_read_fixed(sqe, file, memory, SIZE, 0, 0);
	sqe->flags |= IOSQE_ASYNC;
	assert_int_equal(harness_result(&ring), SIZE);
	assert_true(content(memory, SIZE, 0));
	io_uring_queue_exit(&ring);
}

/* The requests keep the file, not its number. */
static void the_descriptor_is_closed_meanwhile(void **state)
{
	struct io_uring ring;
	int fd, other;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 64, 0);
	fd = open_direct(file, O_RDWR);
	submit_reads(&ring, fd, 64, 0);
	close(fd);
	other = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(other, fd);
	reap_reads(&ring, 64);
	/* And the number is another file's now. */
	assert_int_equal(read_result(&ring, other, memory, 10, 0), 10);
	assert_int_equal(memory[0], 0);
	close(other);
	assert_int_equal(read_result(&ring, other, memory, BLOCK, 0), -EBADF);
	io_uring_queue_exit(&ring);
}

/* What the device has been asked for goes on; what it has not may be taken back. */
static void a_cancellation_does_no_harm(void **state)
{
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	bool all = false;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 128, 0);
	for (unsigned round = 0; round < 2; round++, all = true) {
		submit_reads(&ring, file, 64, 0);
		sqe = harness_sqe(&ring);
		io_uring_prep_cancel64(sqe, 63, all ? IORING_ASYNC_CANCEL_ANY : 0);
		sqe->user_data = MANY;
		harness_submit(&ring, 1);
		for (unsigned i = 0; i < 65; i++) {
			struct harness_cqe cqe = harness_next(&ring);

			if (cqe.user_data == MANY)
				assert_true(cqe.res == -ENOENT || cqe.res == -EALREADY ||
					    (all ? cqe.res <= 64 : cqe.res == 0));
			else if (cqe.res != -ECANCELED)
				check_read(&cqe);
		}
	}
	io_uring_queue_exit(&ring);
}

static void a_ring_ends_with_requests_in_flight(void **state)
{
	unsigned char *usual = memory;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	/* The kernel may go on reading into it when its ring is gone. */
	memory = mmap(NULL, MANY * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	assert_true(memory != MAP_FAILED);
	for (unsigned round = 0; round < 4; round++) {
		struct io_uring ring;

		harness_init(&ring, 1024,
			     round % 2 ? IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER
				       : 0);
		submit_reads(&ring, file, MANY, round < 2 ? 0 : IOSQE_IO_LINK);
		io_uring_queue_exit(&ring);
	}
	if (!harness_kernel())
		munmap(memory, MANY * BLOCK);
	memory = usual;
}

/* ---- in order ---- */

static void links_wait_for_each_other(void **state)
{
	struct io_uring_sqe *sqe;
	struct harness_cqe cqe;
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 64, 0);
	for (unsigned i = 0; i < 10; i++) {
		sqe = harness_sqe(&ring);
		if (i % 2)
			io_uring_prep_write(sqe, file, memory, BLOCK, (uint64_t)(40 + i) * BLOCK);
		else
			io_uring_prep_read(sqe, file, memory, BLOCK, (uint64_t)i * BLOCK);
		sqe->user_data = i;
		sqe->flags |= i < 9 ? IOSQE_IO_LINK : 0;
	}
	harness_submit(&ring, 10);
	for (unsigned i = 0; i < 10; i++)
		harness_assert_cqe(harness_next(&ring), i, BLOCK);
	for (unsigned i = 1; i < 10; i += 2) {
		assert_int_equal(pread(file, memory, BLOCK, (40 + i) * BLOCK), BLOCK);
		assert_true(content(memory, BLOCK, (i - 1) * BLOCK));
	}
	/* One that ends short breaks the chain. */
	for (unsigned i = 0; i < 3; i++) {
		sqe = harness_sqe(&ring);
		io_uring_prep_read(sqe, file, memory, 2 * BLOCK, SIZE - (i == 1 ? 1 : 2) * BLOCK);
		sqe->user_data = i;
		sqe->flags |= i < 2 ? IOSQE_IO_LINK : 0;
	}
	harness_submit(&ring, 3);
	harness_assert_cqe(harness_next(&ring), 0, 2 * BLOCK);
	harness_assert_cqe(harness_next(&ring), 1, BLOCK);
	harness_assert_cqe(harness_next(&ring), 2, -ECANCELED);
	/* One in time leaves its time unused. */
	sqe = harness_sqe(&ring);
	io_uring_prep_read(sqe, file, memory, BLOCK, 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = TAG;
	{
		struct __kernel_timespec limit = harness_deadline();

		io_uring_prep_link_timeout(harness_sqe(&ring), &limit, 0);
		harness_submit(&ring, 2);
	}
	for (unsigned i = 0; i < 2; i++) {
		cqe = harness_next(&ring);
		assert_int_equal(cqe.res, cqe.user_data == TAG ? BLOCK : -ECANCELED);
	}
	io_uring_queue_exit(&ring);
}

static void drains_wait_for_all(void **state)
{
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 64, 0);
	submit_reads(&ring, file, 32, 0);
	harness_nop_flags(&ring, TAG, IOSQE_IO_DRAIN);
	harness_submit(&ring, 1);
	reap_reads(&ring, 32);
	harness_assert_cqe(harness_next(&ring), TAG, 0);
	io_uring_queue_exit(&ring);
}

static void successes_are_silent_if_asked(void **state)
{
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 128, 0);
	submit_reads(&ring, file, 64, IOSQE_CQE_SKIP_SUCCESS);
	sqe = harness_sqe(&ring);
	io_uring_prep_read(sqe, file, memory, BLOCK, (uint64_t)-2);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = TAG;
	harness_submit(&ring, 1);
	harness_assert_cqe(harness_next(&ring), TAG, -EINVAL);
	harness_assert_empty(&ring);
	io_uring_queue_exit(&ring);
}

static void priorities(void **state)
{
	enum { BEST_EFFORT = 2, CLASS_SHIFT = 13 };
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 8, 0);
	sqe = harness_sqe(&ring);
	io_uring_prep_read(sqe, file, memory, BLOCK, 0);
	sqe->ioprio = BEST_EFFORT << CLASS_SHIFT | 7;
	assert_int_equal(harness_result(&ring), BLOCK);
	assert_true(content(memory, BLOCK, 0));
	io_uring_queue_exit(&ring);
}

/* ---- a child has none of it ---- */

static void a_child_leaves_them_to_its_parent(void **state)
{
	struct io_uring ring;
	pid_t child;
	int status;

	(void)state;
	SKIP_WITHOUT_DIRECT();
	harness_init(&ring, 128, 0);
	submit_reads(&ring, file, 128, 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		struct io_uring own;
		struct io_uring_cqe *cqe;
		bool good;

		io_uring_queue_exit(&ring);
		if (io_uring_queue_init(8, &own, 0))
			_exit(2);
		io_uring_prep_read(io_uring_get_sqe(&own), file, memory, BLOCK, BLOCK);
		good = io_uring_submit(&own) == 1 && !io_uring_wait_cqe(&own, &cqe) &&
		       cqe->res == BLOCK && content(memory, BLOCK, BLOCK);
		io_uring_queue_exit(&own);
		_exit(good ? 0 : 1);
	}
	reap_reads(&ring, 128);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	submit_reads(&ring, file, 128, 0);
	reap_reads(&ring, 128);
	io_uring_queue_exit(&ring);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static int run_in(const char *where)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_answer_as_pread),
		TEST(reads_begin_at_the_position),
		TEST(a_file_that_ends_within_a_block_is_read_to_its_end),
		TEST(the_mode_of_the_file_counts),
		TEST(reads_are_told_to_watchers),
		TEST(writes_go_anywhere),
		TEST(writes_are_appended),
		TEST(writes_answer_as_pwrite),
		TEST(nowait_is_the_applications_to_ask_for),
		TEST(vectors),
		TEST(registered_buffers_and_files),
		TEST(provided_buffers),
		TEST(more_than_the_device_takes),
		TEST(all_are_waited_for_at_once),
		TEST(nobody_waits),
		TEST(the_rings_descriptor_tells),
		TEST(an_eventfd_counts),
		TEST(the_owner_asks),
		TEST(an_sq_thread_submits),
		TEST(async_is_carried_out),
		TEST(the_descriptor_is_closed_meanwhile),
		TEST(a_cancellation_does_no_harm),
		TEST(a_ring_ends_with_requests_in_flight),
		TEST(links_wait_for_each_other),
		TEST(drains_wait_for_all),
		TEST(successes_are_silent_if_asked),
		TEST(priorities),
		TEST(a_child_leaves_them_to_its_parent),
	};

	directory = where;
	return harness_run(tests);
}

int main(void)
{
	int failed = run_in(harness_base_dir());

	return failed ? failed : run_in("/dev/shm");
}
