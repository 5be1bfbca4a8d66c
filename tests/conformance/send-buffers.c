/* SPDX-License-Identifier: MIT */
/*
 * Description: sends from provided buffers. A send takes its buffers when it begins: it keeps them
 * while it waits, and its completion names the first however it ends.
 */
#include "net_buffers.h"

enum { GROUP = 7, COUNT = 4, SIZE = 40 };

/* Where the buffers are. */
enum kind { RING, QUEUE };

struct setting {
	struct ops *ops;
	struct net_buffers ring;
	char queue[COUNT][SIZE];
	int fds[2];
	size_t filled;
	bool bundle;
	enum kind kind;
};

static void open_setting(struct setting *setting, enum kind kind, bool bundle, int type)
{
	struct io_uring *ring = &setting->ops->ring;

	setting->kind = kind;
	setting->bundle = bundle;
	net_pair(type, setting->fds);
	if (kind == RING) {
		net_buffers_init(&setting->ring, ring, GROUP, COUNT, SIZE, 2);
		return;
	}
	memset(setting->queue, 'q', sizeof(setting->queue));
	assert_int_equal(ops_run(ring, provide_buffers, setting->queue, SIZE, 2, GROUP, 0), 0);
}

static void close_setting(struct setting *setting)
{
	struct io_uring *ring = &setting->ops->ring;

	if (setting->kind == RING)
		net_buffers_free(&setting->ring, ring);
	else
		ops_run(ring, remove_buffers, COUNT, GROUP);
	net_close_pair(setting->fds);
}

static struct io_uring_sqe *prep(struct setting *setting, uint64_t user_data, unsigned length,
				 int flags)
{
	struct io_uring_sqe *sqe =
		ops_prep(&setting->ops->ring, user_data, IOSQE_BUFFER_SELECT, send, setting->fds[0],
			 NULL, length, flags | MSG_NOSIGNAL);

	sqe->buf_group = GROUP;
	if (setting->bundle)
		sqe->ioprio |= IORING_RECVSEND_BUNDLE;
	return sqe;
}

static void expect(struct setting *setting, uint64_t user_data, int res, unsigned flags)
{
	net_expect_flags(&setting->ops->ring, user_data, res, flags);
}

/* A bundle of a ring takes all there are, everything else takes one. */
static bool takes_all(const struct setting *setting)
{
	return setting->bundle && setting->kind == RING;
}

static void in_all_settings(void **state, void (*check)(struct setting *), int type)
{
	for (enum kind kind = RING; kind <= QUEUE; kind++)
		for (int bundle = 0; bundle < 2; bundle++) {
			struct setting setting = {.ops = *state};

			open_setting(&setting, kind, bundle, type);
			check(&setting);
			close_setting(&setting);
		}
}

/* The second finds what the first has left. */
static void expect_failures(struct setting *setting, int error, int flags)
{
	for (unsigned id = 0; id < 2; id++) {
		bool none = id && takes_all(setting);

		prep(setting, 1, 0, flags);
		harness_submit(&setting->ops->ring, 1);
		expect(setting, 1, none ? -ENOBUFS : error, none ? 0 : NET_BUFFER(id));
	}
	prep(setting, 1, 0, flags);
	harness_submit(&setting->ops->ring, 1);
	expect(setting, 1, -ENOBUFS, 0);
}

static void send_to_nobody(struct setting *setting)
{
	close(setting->fds[1]);
	setting->fds[1] = dup(setting->fds[0]);
	expect_failures(setting, -EPIPE, 0);
}

static void a_failure_costs_its_buffers(void **state)
{
	in_all_settings(state, send_to_nobody, SOCK_STREAM);
	in_all_settings(state, send_to_nobody, SOCK_SEQPACKET);
}

static void send_without_room(struct setting *setting)
{
	net_fill(setting->fds[0]);
	expect_failures(setting, -EAGAIN, MSG_DONTWAIT);
}

static void so_does_the_want_of_room(void **state)
{
	in_all_settings(state, send_without_room, SOCK_STREAM);
}

static void cancel_while_waiting(struct setting *setting)
{
	struct io_uring *ring = &setting->ops->ring;
	struct harness_cqe cqes[2];
	uint16_t head = 0;

	net_fill(setting->fds[0]);
	prep(setting, 1, 0, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	if (setting->kind == RING) {
		assert_int_equal(io_uring_buf_ring_head(ring, GROUP, &head), 0);
		assert_int_equal(head, takes_all(setting) ? 2 : 1);
	}
	ops_prep(ring, 99, 0, cancel64, 1, 0);
	harness_submit(ring, 1);
	harness_reap(ring, cqes, 2);
	for (int i = 0; i < 2; i++) {
		if (cqes[i].user_data == 99)
			continue;
		assert_int_equal(cqes[i].res, -ECANCELED);
		assert_int_equal(cqes[i].flags, NET_BUFFER(0));
	}
}

static void a_wait_keeps_them(void **state)
{
	in_all_settings(state, cancel_while_waiting, SOCK_STREAM);
}

static void wait_for_room(struct setting *setting)
{
	struct io_uring *ring = &setting->ops->ring;
	char expected[2 * SIZE], got[2 * SIZE];
	size_t filled = net_fill(setting->fds[0]), length;

	prep(setting, 1, 0, 0);
	harness_submit(ring, 1);
	net_drain(setting->fds[1], filled);
	length = takes_all(setting) ? 2 * SIZE : SIZE;
	expect(setting, 1, (int)length, NET_BUFFER(0));
	memset(expected, setting->kind == RING ? 0 : 'q', sizeof(expected));
	net_receive(setting->fds[1], got, length);
	assert_memory_equal(got, expected, length);
	harness_assert_empty(ring);
}

static void and_sends_them_in_the_end(void **state)
{
	for (enum kind kind = RING; kind <= QUEUE; kind++)
		for (int bundle = 0; bundle < 2; bundle++) {
			struct setting setting = {.ops = *state};

			open_setting(&setting, kind, bundle, SOCK_STREAM);
			wait_for_room(&setting);
			close_setting(&setting);
		}
}

/* The length is a limit for the buffers of a ring; single ones go as they are. */
static void the_length_of_a_send(void **state)
{
	for (enum kind kind = RING; kind <= QUEUE; kind++) {
		struct setting setting = {.ops = *state};

		open_setting(&setting, kind, false, SOCK_STREAM);
		prep(&setting, 1, 8, 0);
		harness_submit(&setting.ops->ring, 1);
		expect(&setting, 1, kind == RING ? 8 : SIZE, NET_BUFFER(0));
		close_setting(&setting);
	}
}

static void groups_that_are_not_there(void **state)
{
	struct ops *ops = *state;
	struct setting setting = {.ops = ops};
	int bundles[2] = {0, IORING_RECVSEND_BUNDLE};

	open_setting(&setting, RING, false, SOCK_STREAM);
	for (int i = 0; i < 2; i++) {
		struct io_uring_sqe *sqe = prep(&setting, 1, 0, 0);

		sqe->buf_group = 99;
		sqe->ioprio |= (uint16_t)bundles[i];
		assert_int_equal(harness_result(&ops->ring), -ENOENT);
		sqe = ops_prep(&ops->ring, 1, IOSQE_BUFFER_SELECT, recv, setting.fds[0], NULL, 0,
			       0);
		sqe->buf_group = 99;
		sqe->ioprio |= (uint16_t)bundles[i];
		assert_int_equal(harness_result(&ops->ring), i ? -ENOENT : -ENOBUFS);
	}
	close_setting(&setting);
}

/* That there is no file, or no socket, comes before what is wrong with the buffers. */
static void files_that_are_no_sockets(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (int i = 0; i < 4; i++) {
		int fd = i % 2 ? fds[0] : 10000;
		struct io_uring_sqe *sqe;

		if (i / 2)
			sqe = ops_prep(ring, 1, IOSQE_BUFFER_SELECT, send, fd, NULL, 0, 0);
		else
			sqe = ops_prep(ring, 1, IOSQE_BUFFER_SELECT, recv, fd, NULL, 0, 0);
		sqe->buf_group = 99;
		harness_submit(ring, 1);
		net_expect_flags(ring, 1, i % 2 ? -ENOTSOCK : -EBADF, 0);
	}
	harness_close_pipe(fds);
}

static void nor_do_they_cost_a_buffer(void **state)
{
	struct setting setting = {.ops = *state};
	int fds[2];

	harness_pipe(fds);
	open_setting(&setting, RING, false, SOCK_STREAM);
	prep(&setting, 1, 0, 0)->fd = 10000;
	harness_submit(&setting.ops->ring, 1);
	expect(&setting, 1, -EBADF, 0);
	prep(&setting, 1, 0, 0)->fd = fds[1];
	harness_submit(&setting.ops->ring, 1);
	expect(&setting, 1, -ENOTSOCK, 0);
	prep(&setting, 1, 0, 0);
	harness_submit(&setting.ops->ring, 1);
	expect(&setting, 1, SIZE, NET_BUFFER(0));
	close_setting(&setting);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_failure_costs_its_buffers), ops_test(so_does_the_want_of_room),
		ops_test(a_wait_keeps_them),	       ops_test(and_sends_them_in_the_end),
		ops_test(the_length_of_a_send),	       ops_test(groups_that_are_not_there),
		ops_test(files_that_are_no_sockets),   ops_test(nor_do_they_cost_a_buffer),
	};

	return harness_run(tests);
}
