/* SPDX-License-Identifier: MIT */
/*
 * Description: a ring is closed with requests in every state: not submitted, queued, running,
 * polled, linked, drained, completed but not taken. The process goes on, what the requests held is
 * let go, and nobody writes into their memory any more.
 *
 * The kernel finishes some of this after the close, so the peers of the files wait for the end
 * instead of demanding it at once.
 */
#include "ops_helpers.h"

/* A pipe of which, once released, only pending requests hold the one end. */
struct peer {
	int fds[2];
};

static void init_peer(struct peer *peer)
{
	harness_pipe(peer->fds);
}

/* The reading end was the requests' alone: wait until the writer has nobody left. */
static void assert_reader_gone(struct peer *peer)
{
	struct pollfd entry = {.fd = peer->fds[1], .events = 0};

	assert_int_equal(poll(&entry, 1, (int)(HARNESS_WAIT_MS * harness_timeout_factor())), 1);
	assert_true(entry.revents & POLLERR);
}

/* Every test begins and ends with the same descriptors. */
static void with_descriptors_counted(void (*body)(struct io_uring *ring, struct peer *peer))
{
	unsigned before = harness_fd_count();

	for (unsigned round = 0; round < 10; round++) {
		struct io_uring ring;
		struct peer peer;

		harness_init(&ring, 32, 0);
		init_peer(&peer);
		body(&ring, &peer);
		close(peer.fds[0]);
		io_uring_queue_exit(&ring);
		assert_reader_gone(&peer);
		close(peer.fds[1]);
		assert_int_equal(harness_fd_count(), before);
	}
}

static char sink[64];

static void queue_reads(struct io_uring *ring, int fd, unsigned count, unsigned flags)
{
	for (unsigned i = 0; i < count; i++)
		ops_prep(ring, i, flags, read, fd, sink, 1, 0);
}

static void leave_polled(struct io_uring *ring, struct peer *peer)
{
	queue_reads(ring, peer->fds[0], 8, 0);
	harness_submit(ring, 8);
}

static void with_polled_requests(void **state)
{
	(void)state;
	with_descriptors_counted(leave_polled);
}

static void leave_with_workers(struct io_uring *ring, struct peer *peer)
{
	queue_reads(ring, peer->fds[0], 8, IOSQE_ASYNC);
	harness_submit(ring, 8);
}

static void with_requests_in_workers(void **state)
{
	(void)state;
	with_descriptors_counted(leave_with_workers);
}

/* Splices block their workers in a system call. Three of them, whether begun or not. */
static void leave_blocked(struct io_uring *ring, struct peer *peer)
{
	int out[2];

	harness_pipe(out);
	for (unsigned i = 0; i < 3; i++)
		ops_prep(ring, i, 0, splice, peer->fds[0], -1, out[1], -1, 1, 0);
	/* These have been waited for, so that workers had the time to begin. */
	ops_prep(ring, 9, 0, fsync, peer->fds[0], 0);
	harness_submit(ring, 4);
	assert_int_equal(harness_next(ring).user_data, 9);
	harness_close_pipe(out);
}

static void with_blocked_workers(void **state)
{
	(void)state;
	with_descriptors_counted(leave_blocked);
}

static void leave_chains(struct io_uring *ring, struct peer *peer)
{
	queue_reads(ring, peer->fds[0], 4, IOSQE_IO_LINK);
	ops_prep(ring, 4, 0, nop);
	queue_reads(ring, peer->fds[0], 4, IOSQE_IO_HARDLINK);
	ops_prep(ring, 5, 0, nop);
	queue_reads(ring, peer->fds[0], 4, IOSQE_IO_HARDLINK | IOSQE_ASYNC);
	harness_submit(ring, 14);
}

static void with_chains(void **state)
{
	(void)state;
	with_descriptors_counted(leave_chains);
}

static void leave_drained(struct io_uring *ring, struct peer *peer)
{
	queue_reads(ring, peer->fds[0], 2, 0);
	ops_prep(ring, 2, IOSQE_IO_DRAIN, nop);
	queue_reads(ring, peer->fds[0], 2, IOSQE_IO_LINK);
	ops_prep(ring, 3, IOSQE_IO_DRAIN, nop);
	ops_prep(ring, 4, 0, nop);
	harness_submit(ring, 7);
}

static void with_drained_requests(void **state)
{
	(void)state;
	with_descriptors_counted(leave_drained);
}

static void leave_unsubmitted(struct io_uring *ring, struct peer *peer)
{
	queue_reads(ring, peer->fds[0], 3, 0);
	harness_submit(ring, 3);
	queue_reads(ring, peer->fds[0], 8, 0);
}

static void with_requests_not_submitted(void **state)
{
	(void)state;
	with_descriptors_counted(leave_unsubmitted);
}

/* Also such as have overflown: the CQ has 64 entries. */
static void leave_completions(struct io_uring *ring, struct peer *peer)
{
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 32; i++)
			ops_prep(ring, i, 0, nop);
		harness_submit(ring, 32);
	}
	queue_reads(ring, peer->fds[0], 1, 0);
	harness_submit(ring, 1);
}

static void with_completions_not_taken(void **state)
{
	(void)state;
	with_descriptors_counted(leave_completions);
}

/* The only holder of the pipe's end is the table of files. */
static void leave_registered(struct io_uring *ring, struct peer *peer)
{
	struct iovec buffer = {sink, sizeof(sink)};

	assert_int_equal(io_uring_register_files(ring, &peer->fds[0], 1), 0);
	assert_int_equal(io_uring_register_buffers(ring, &buffer, 1), 0);
	queue_reads(ring, 0, 2, IOSQE_FIXED_FILE);
	harness_submit(ring, 2);
}

static void with_registered_files_and_buffers(void **state)
{
	(void)state;
	with_descriptors_counted(leave_registered);
}

static void leave_everything(struct io_uring *ring, struct peer *peer)
{
	int out[2];

	harness_pipe(out);
	leave_registered(ring, peer);
	queue_reads(ring, peer->fds[0], 2, IOSQE_ASYNC);
	queue_reads(ring, peer->fds[0], 2, IOSQE_IO_LINK | IOSQE_ASYNC);
	ops_prep(ring, 2, 0, fsync, peer->fds[0], 0);
	ops_prep(ring, 4, 0, splice, peer->fds[0], -1, out[1], -1, 1, 0);
	ops_prep(ring, 5, IOSQE_IO_DRAIN, nop);
	harness_submit(ring, 7);
	queue_reads(ring, peer->fds[0], 2, 0);
	harness_close_pipe(out);
}

static void with_everything(void **state)
{
	(void)state;
	with_descriptors_counted(leave_everything);
}

/* Writes that wait for room are let go as well: the reader finds the end behind the data. */
static void with_pending_writes(void **state)
{
	struct io_uring ring;
	char block[4096] = "";
	ssize_t got;
	int fds[2];

	(void)state;
	harness_init(&ring, 8, 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(fds[1], block, sizeof(block)) > 0)
		;
	ops_prep(&ring, 0, 0, write, fds[1], block, 16, 0);
	ops_prep(&ring, 1, IOSQE_ASYNC, write, fds[1], block, 16, 0);
	harness_submit(&ring, 2);
	close(fds[1]);
	io_uring_queue_exit(&ring);
	assert_int_equal(fcntl(fds[0], F_SETFL, 0), 0);
	do {
		got = read(fds[0], block, sizeof(block));
	} while (got > 0);
	assert_int_equal(got, 0);
	close(fds[0]);
}

/* File I/O under way is finished or dropped, but its buffers are not touched afterwards. */
static void with_file_writes_under_way(void **state)
{
	enum { COUNT = 32, SIZE = 1 << 16 };

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		struct io_uring ring;
		int fd = harness_temp_file(0);
		char *memory = mmap(NULL, (size_t)COUNT * SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		assert_ptr_not_equal(memory, MAP_FAILED);
		harness_init(&ring, COUNT, 0);
		for (unsigned i = 0; i < COUNT; i++)
			ops_prep(&ring, i, i % 2 ? IOSQE_ASYNC : 0, write, fd, memory + i * SIZE,
				 SIZE, (uint64_t)i * SIZE);
		harness_submit(&ring, COUNT);
		io_uring_queue_exit(&ring);
		munmap(memory, (size_t)COUNT * SIZE);
		close(fd);
	}
}

/* Requests of one ring end, those of another do not. */
static void the_other_ring_goes_on(void **state)
{
	struct io_uring ring, other;
	int fds[2];

	(void)state;
	harness_init(&ring, 8, 0);
	harness_init(&other, 8, 0);
	harness_pipe(fds);
	ops_prep(&ring, 1, 0, read, fds[0], sink, 1, 0);
	ops_prep(&ring, 2, IOSQE_ASYNC, read, fds[0], sink, 1, 0);
	harness_submit(&ring, 2);
	ops_prep(&other, 3, 0, read, fds[0], sink + 1, 1, 0);
	ops_prep(&other, 4, IOSQE_ASYNC, read, fds[0], sink + 2, 1, 0);
	harness_submit(&other, 2);
	io_uring_queue_exit(&ring);
	harness_assert_empty(&other);
	/* Twice the bytes: the kernel may serve the other ring's reads before they are gone. */
	assert_int_equal(write(fds[1], "abcd", 4), 4);
	for (unsigned i = 0; i < 2; i++) {
		struct harness_cqe cqe = harness_next(&other);

		assert_in_range(cqe.user_data, 3, 4);
		assert_int_equal(cqe.res, 1);
	}
	io_uring_queue_exit(&other);
	harness_close_pipe(fds);
}

/* A process that ends does not wait for its requests, and takes their files with it. */
static void a_process_ends_with_requests_pending(void **state)
{
	struct peer peer;
	int out[2];
	pid_t child;
	int status;

	(void)state;
	init_peer(&peer);
	harness_pipe(out);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct io_uring ring;
		int ret = io_uring_queue_init(8, &ring, 0);

		for (unsigned i = 0; i < 4 && ret == 0; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			if (i < 2)
				io_uring_prep_read(sqe, peer.fds[0], sink, 1, 0);
			else
				io_uring_prep_splice(sqe, peer.fds[0], -1, out[1], -1, 1, 0);
			sqe->flags = i % 2 ? IOSQE_ASYNC : 0;
		}
		if (ret == 0)
			ret = io_uring_submit(&ring);
		_exit(ret == 4 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	harness_close_pipe(out);
	close(peer.fds[0]);
	assert_reader_gone(&peer);
	close(peer.fds[1]);
}

/* The descriptor alone is closed, as by a program that knows nothing of liburing. */
static void a_raw_ring_with_requests_pending(void **state)
{
	struct harness_raw raw;
	struct peer peer;

	(void)state;
	init_peer(&peer);
	harness_raw_setup(&raw, 8, NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct io_uring_sqe *sqe = harness_raw_sqe(&raw, i);

		io_uring_prep_read(sqe, peer.fds[0], sink, 1, 0);
		sqe->flags = i % 2 ? IOSQE_ASYNC : 0;
		harness_raw_queue(&raw, i);
	}
	assert_int_equal(io_uring_enter(raw.fd, 4, 0, 0, NULL), 4);
	close(peer.fds[0]);
	harness_raw_close(&raw);
	assert_reader_gone(&peer);
	close(peer.fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_polled_requests),
		cmocka_unit_test(with_requests_in_workers),
		cmocka_unit_test(with_blocked_workers),
		cmocka_unit_test(with_chains),
		cmocka_unit_test(with_drained_requests),
		cmocka_unit_test(with_requests_not_submitted),
		cmocka_unit_test(with_completions_not_taken),
		cmocka_unit_test(with_registered_files_and_buffers),
		cmocka_unit_test(with_everything),
		cmocka_unit_test(with_pending_writes),
		cmocka_unit_test(with_file_writes_under_way),
		cmocka_unit_test(the_other_ring_goes_on),
		cmocka_unit_test(a_process_ends_with_requests_pending),
		cmocka_unit_test(a_raw_ring_with_requests_pending),
	};

	return harness_run(tests);
}
