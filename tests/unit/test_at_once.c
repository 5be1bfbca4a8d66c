/* SPDX-License-Identifier: MIT */
/*
 * Description: reads and writes that are tried without a request (ops/rw_at_once.c). One that ends
 * short or fails goes on as a request from where it is: no byte is moved twice, and no attempt made
 * twice. If memory for a request is out nothing was tried: the entry stays in the submission queue,
 * and what came before it completes.
 */
#include "core/core.h"
#include "support.h"

enum { ENTRIES = 64, BLOCK = 4096, PART = 1000, CALLS_MAX = 8, BEFORE = 1, IT, BEHIND };

#define NOWAIT 8 /* RWF_NOWAIT */

static struct asyncring ring;
static unsigned char data[BLOCK];
static int file;

/* ---- the hook: answers the submitter's calls as it is told, and notes them ---- */

enum { ALL = 0 };

static struct {
	/* Of each call in turn: so many bytes at most, ALL, or a negative errno. */
	long answers[CALLS_MAX];
	struct {
		long offset, length;
		bool nowait;
	} calls[CALLS_MAX];
	unsigned count;
	_Atomic long worker_offset; /* where a worker's only call began; -1: there was none */
} play;

static _Atomic bool memory_is_out;

static bool allow(size_t size)
{
	(void)size;
	return !atomic_load(&memory_is_out);
}

static bool answer(long number, const long arguments[6], long *result)
{
	struct support_transfer seen;
	long told;

	if (!support_transfer(number, arguments, &seen))
		return false;
	if (support_thread_id() != getpid()) {
		assert_int_equal(atomic_exchange(&play.worker_offset, seen.offset), -1);
		return false;
	}
	assert_in_range(play.count, 0, CALLS_MAX - 1);
	assert_int_equal(seen.count, 1);
	play.calls[play.count].offset = seen.offset;
	play.calls[play.count].length = (long)seen.vector->iov_len;
	play.calls[play.count].nowait = seen.flags & NOWAIT;
	told = play.answers[play.count++];
	if (told > 0)
		*result = support_transfer_part(&seen, (size_t)told);
	else
		*result = told;
	return told != ALL;
}

static void expect_call(unsigned number, long offset, long length)
{
	assert_true(number < play.count);
	assert_int_equal(play.calls[number].offset, offset);
	assert_int_equal(play.calls[number].length, length);
}

/* ---- the ring and its file ---- */

static unsigned flags_of_sqe; /* FIXED_FILE: the file is slot 0 */
static int number_of_file;

static void use_file(int fd)
{
	file = fd;
	assert_true(fd >= 0);
	asyncring__hint_forget(fd);
	assert_int_equal(asyncring_register_files(&ring, &fd, 1), 0);
	number_of_file = flags_of_sqe ? 0 : fd;
}

static void use_memory_file(int open_flags)
{
	char path[64];
	int fd = memfd_create("at once", MFD_CLOEXEC);

	if (open_flags) {
		int again;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		again = open(path, O_RDWR | O_CLOEXEC | open_flags);
		close(fd);
		fd = again;
	}
	use_file(fd);
}

static void queue_nop(uint64_t name)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_nop(sqe);
	sqe->user_data = name;
}

static void queue_transfer(bool write)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	if (write)
		asyncring_prep_write(sqe, number_of_file, data, BLOCK, 0);
	else
		asyncring_prep_read(sqe, number_of_file, data, BLOCK, 0);
	sqe->flags |= (unsigned char)flags_of_sqe;
	sqe->user_data = IT;
}

static void expect_result(uint64_t name, int result)
{
	uint64_t user_data;

	assert_int_equal(support_result(&ring, &user_data), result);
	assert_int_equal(user_data, name);
}

/* A transfer between two NOPs: its result, and those of the others around it. */
static void run_between(bool write, int result)
{
	queue_nop(BEFORE);
	queue_transfer(write);
	queue_nop(BEHIND);
	assert_int_equal(asyncring_submit(&ring), 3);
	expect_result(BEFORE, 0);
	expect_result(IT, result);
	expect_result(BEHIND, 0);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
}

static void expect_content(size_t length)
{
	static unsigned char content[2 * BLOCK];

	assert_int_equal(sys_raw6(SYS_pread64, file, (long)content, sizeof(content), 0, 0, 0),
			 length);
	assert_true(support_content(content, length, 0));
}

/* ---- a request goes on with what was tried ---- */

static void write_in_two_pieces(int open_flags)
{
	use_memory_file(open_flags);
	play.answers[0] = PART;
	run_between(true, BLOCK);
	assert_int_equal(play.count, 2);
	expect_call(0, 0, BLOCK);
	expect_call(1, PART, BLOCK - PART);
	expect_content(BLOCK);
}

static void a_short_write_goes_on_from_where_it_ended(void **state)
{
	(void)state;
	write_in_two_pieces(0);
}

/* Where each byte that were written twice would be seen. */
static void a_short_write_that_appends_appends_nothing_twice(void **state)
{
	(void)state;
	write_in_two_pieces(O_APPEND);
}

static void what_was_written_before_an_error_is_the_result(void **state)
{
	(void)state;
	use_memory_file(O_APPEND);
	play.answers[0] = PART;
	play.answers[1] = -ENOSPC;
	run_between(true, PART);
	assert_int_equal(play.count, 2);
	expect_content(PART);
}

static void an_error_is_not_tried_again(void **state)
{
	(void)state;
	use_memory_file(0);
	play.answers[0] = -ENOSPC;
	run_between(true, -ENOSPC);
	assert_int_equal(play.count, 1);
	expect_content(0);
}

static void a_short_read_goes_on_from_where_it_ended(void **state)
{
	(void)state;
	use_file(support_file("/dev/shm", BLOCK));
	play.answers[0] = PART;
	memset(data, 0, sizeof(data));
	run_between(false, BLOCK);
	assert_int_equal(play.count, 2);
	expect_call(1, PART, BLOCK - PART);
	assert_true(support_content(data, BLOCK, 0));
}

/* A part of it is cached: the rest is a worker's. */
static void what_is_not_cached_is_all_that_a_worker_reads(void **state)
{
	struct hint hint;

	(void)state;
	use_file(support_file("/tmp", BLOCK));
	assert_int_equal(asyncring__hint_learn(file, &hint), 0);
	if (hint.kind != FILE_CACHED || !hint.nowait_reads)
		skip();
	play.answers[0] = PART;
	play.answers[1] = -EAGAIN;
	memset(data, 0, sizeof(data));
	queue_nop(BEFORE);
	queue_transfer(false);
	assert_int_equal(asyncring_submit(&ring), 2);
	expect_result(BEFORE, 0);
	expect_result(IT, BLOCK);
	assert_int_equal(play.count, 2);
	assert_true(play.calls[0].nowait && play.calls[1].nowait);
	expect_call(1, PART, BLOCK - PART);
	assert_int_equal(atomic_load(&play.worker_offset), PART);
	assert_true(support_content(data, BLOCK, 0));
}

/* ---- memory for requests is out ---- */

static int event;

/* Requests wait, until only @count more can be had. */
static void leave_requests(unsigned count)
{
	int error;
	struct ring *inside = asyncring__ring_get((unsigned)ring.ring_fd, &error);

	assert_non_null(inside);
	queue_nop(BEFORE);
	assert_int_equal(asyncring_submit(&ring), 1);
	expect_result(BEFORE, 0);
	while (inside->free_count > count) {
		asyncring_prep_poll_add(support_sqe(&ring), event, POLLIN);
		assert_int_equal(asyncring_submit(&ring), 1);
	}
	asyncring__ring_put(inside);
	atomic_store(&memory_is_out, true);
}

/* What has the last request is served to its end, and what has none is not tried. */
static void without_memory_nothing_is_tried(void **state)
{
	(void)state;
	use_memory_file(O_APPEND);
	leave_requests(1);
	queue_nop(BEFORE);
	queue_transfer(true);
	queue_nop(BEHIND);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_int_equal(play.count, 0);
	assert_int_equal(asyncring_sq_ready(&ring), 2);
	expect_result(BEFORE, 0);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	/* It is what goes on with the write, and so there is none for what is behind that. */
	play.answers[0] = PART;
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_int_equal(play.count, 2);
	expect_result(IT, BLOCK);
	assert_int_equal(asyncring_submit(&ring), 1);
	expect_result(BEHIND, 0);
	expect_content(BLOCK);
}

/* Not even the first has one. */
static void without_any_request_nothing_is_taken(void **state)
{
	(void)state;
	use_memory_file(O_APPEND);
	leave_requests(0);
	queue_transfer(true);
	queue_nop(BEHIND);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(asyncring_submit(&ring), -EAGAIN);
		assert_int_equal(asyncring_sq_ready(&ring), 2);
		assert_int_equal(asyncring_cq_ready(&ring), 0);
	}
	assert_int_equal(play.count, 0);
	atomic_store(&memory_is_out, false);
	play.answers[0] = PART;
	assert_int_equal(asyncring_submit(&ring), 2);
	expect_result(IT, BLOCK);
	expect_result(BEHIND, 0);
	expect_content(BLOCK);
}

/* ---- */

static int begin(void **state)
{
	flags_of_sqe = *state ? ASYNCRING_SQE_FIXED_FILE : 0;
	memset(&play, 0, sizeof(play));
	play.worker_offset = -1;
	for (size_t i = 0; i < BLOCK; i++)
		data[i] = support_byte(i);
	event = eventfd(0, EFD_CLOEXEC);
	if (asyncring_queue_init(ENTRIES, &ring, 0))
		return -1;
	/* So that there are requests, and the first entry is tried without. */
	asyncring_prep_poll_add(support_sqe(&ring), event, POLLIN);
	return asyncring_submit(&ring) == 1 ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	atomic_store(&memory_is_out, false);
	asyncring_queue_exit(&ring);
	close(event);
	close(file);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	asyncring__sys_hook = answer;
	asyncring__alloc_hook = allow;
	return 0;
}

#define TEST(name)                                                                                 \
	{#name, name, begin, end, NULL},                                                           \
	{                                                                                          \
#name " (registered)", name, begin, end, &ring                                     \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_short_write_goes_on_from_where_it_ended),
		TEST(a_short_write_that_appends_appends_nothing_twice),
		TEST(what_was_written_before_an_error_is_the_result),
		TEST(an_error_is_not_tried_again),
		TEST(a_short_read_goes_on_from_where_it_ended),
		TEST(what_is_not_cached_is_all_that_a_worker_reads),
		TEST(without_memory_nothing_is_tried),
		TEST(without_any_request_nothing_is_taken),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
