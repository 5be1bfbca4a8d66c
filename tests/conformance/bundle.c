/* SPDX-License-Identifier: MIT */
/*
 * Description: RECVSEND_BUNDLE: one request that takes several provided buffers. How many a single
 * completion covers is the server's choice; the buffers are those after the one named, in order.
 */
#include "net_buffers.h"

#define GROUP 9

/*
 * Reap receives of the multishot or bundle until these bytes are there, which have to lie in the
 * buffers in the order of the group from *next on. The flags of the last one.
 */
static uint32_t reap_bytes(struct io_uring *ring, const struct net_buffers *buffers, unsigned *next,
			   const char *expected, size_t bytes)
{
	uint32_t flags = 0;

	while (bytes) {
		struct harness_cqe cqe = harness_next(ring);
		size_t left;

		assert_int_equal(cqe.user_data, 1);
		assert_in_range(cqe.res, 1, bytes);
		assert_int_equal(cqe.flags & IORING_CQE_F_BUFFER, IORING_CQE_F_BUFFER);
		assert_int_equal(cqe.flags >> IORING_CQE_BUFFER_SHIFT, *next % buffers->count);
		for (left = (size_t)cqe.res; left;) {
			size_t part = left < buffers->size ? left : buffers->size;

			assert_memory_equal(buffers->memory + (size_t)(*next % buffers->count) *
								      buffers->size,
					    expected, part);
			expected += part;
			left -= part;
			++*next;
		}
		bytes -= (size_t)cqe.res;
		flags = cqe.flags;
		if (!(flags & IORING_CQE_F_MORE))
			assert_int_equal(bytes, 0);
	}
	return flags;
}

static void a_multishot_bundle_fills_buffer_after_buffer(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	unsigned next = 0;
	uint32_t flags;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 16, 4, 16);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0)->ioprio |=
		IORING_RECVSEND_BUNDLE;
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	net_send(fds[1], "aaaabbbbccccdddd");
	flags = reap_bytes(ring, &buffers, &next, "aaaabbbbccccdddd", 16);
	assert_int_equal(flags & IORING_CQE_F_MORE, IORING_CQE_F_MORE);
	net_send(fds[1], "eeeeffff");
	flags = reap_bytes(ring, &buffers, &next, "eeeeffff", 8);
	assert_int_equal(flags & IORING_CQE_F_MORE, IORING_CQE_F_MORE);
	assert_int_equal(next, 6);
	net_cancel(ring, 1);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void a_single_bundle_answers_once(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct harness_cqe cqe;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 16, 4, 16);
	net_send(fds[1], "aaaabb");
	net_prep_select(ring, 1, &buffers, recv, fds[0], NULL, 0, 0)->ioprio |=
		IORING_RECVSEND_BUNDLE;
	harness_submit(ring, 1);
	cqe = harness_next(ring);
	assert_int_equal(cqe.user_data, 1);
	assert_in_range(cqe.res, 4, 6);
	assert_int_equal(cqe.flags & ~(uint32_t)IORING_CQE_F_SOCK_NONEMPTY, NET_BUFFER(0));
	assert_memory_equal(buffers.memory, "aaaabb", cqe.res);
	harness_assert_empty(ring);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

/* The group running dry ends a bundle with its last data, not with an error. */
static void the_last_buffer_ends_a_multishot(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	unsigned next = 0;
	uint32_t flags;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 4, 2);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0)->ioprio |=
		IORING_RECVSEND_BUNDLE;
	harness_submit(ring, 1);
	net_send(fds[1], "aaaabbbbcccc");
	flags = reap_bytes(ring, &buffers, &next, "aaaabbbb", 8);
	assert_int_equal(flags & IORING_CQE_F_MORE, 0);
	net_expect(fds[0], "cccc");
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0)->ioprio |=
		IORING_RECVSEND_BUNDLE;
	net_send(fds[1], "x");
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, -ENOBUFS, 0);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void the_end_ends_a_multishot(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct harness_cqe cqe;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 4, 4);
	net_prep_select(ring, 1, &buffers, recv_multishot, fds[0], NULL, 0, 0)->ioprio |=
		IORING_RECVSEND_BUNDLE;
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	close(fds[1]);
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 1, 0);
	assert_int_equal(cqe.flags & (IORING_CQE_F_MORE | IORING_CQE_F_BUFFER), 0);
	close(fds[0]);
	net_buffers_free(&buffers, ring);
}

/* ---- sending ---- */

static void put_text(struct net_buffers *buffers, const char *text, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		memcpy(buffers->memory + (size_t)i * buffers->size, text + i * buffers->size,
		       buffers->size);
		net_provide(buffers, i);
	}
}

static void a_send_takes_one_buffer(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 4, 0);
	put_text(&buffers, "aaaabbbb", 2);
	net_prep_select(ring, 1, &buffers, send, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, 4, NET_BUFFER(0));
	net_expect(fds[1], "aaaa");
	net_prep_select(ring, 1, &buffers, send, fds[0], NULL, 2, 0);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, 2, NET_BUFFER(1));
	net_expect(fds[1], "bb");
	net_prep_select(ring, 1, &buffers, send, fds[0], NULL, 0, 0);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, -ENOBUFS, 0);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void a_bundle_sends_all_buffers(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 4, 0);
	put_text(&buffers, "aaaabbbbcccc", 3);
	net_prep_select(ring, 1, &buffers, send_bundle, fds[0], 0, 0);
	harness_submit(ring, 1);
	net_expect_flags(ring, 1, 12, NET_BUFFER(0));
	harness_assert_empty(ring);
	net_expect(fds[1], "aaaabbbbcccc");
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

/* Though some of it may be answered while it is still being sent. */
static void what_was_submitted_before_is_answered_before(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	int fds[2], sent = 0;

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 4, 0);
	put_text(&buffers, "aaaabbbb", 2);
	harness_nop(ring, 5);
	harness_nop(ring, 6);
	net_prep_select(ring, 1, &buffers, send_bundle, fds[0], 4, 0);
	harness_submit(ring, 3);
	ops_expect(ring, 5, 0);
	ops_expect(ring, 6, 0);
	while (sent < 8) {
		struct harness_cqe cqe = harness_next(ring);

		assert_int_equal(cqe.user_data, 1);
		assert_in_range(cqe.res, 1, 8 - sent);
		sent += cqe.res;
	}
	net_expect(fds[1], "aaaabbbb");
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

/* With a length it goes on, length by length, until the buffers are gone. */
static void a_length_divides_a_bundle(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct harness_cqe cqe;
	size_t total = 0;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 4, 0);
	put_text(&buffers, "aaaabbbbccccdddd", 4);
	net_prep_select(ring, 1, &buffers, send_bundle, fds[0], 8, 0);
	harness_submit(ring, 1);
	do {
		cqe = harness_next(ring);
		assert_int_equal(cqe.user_data, 1);
		assert_int_equal(cqe.res, 8);
		assert_int_equal(cqe.flags >> IORING_CQE_BUFFER_SHIFT, total / 4);
		total += (size_t)cqe.res;
	} while (cqe.flags & IORING_CQE_F_MORE);
	assert_int_equal(total, 16);
	net_expect(fds[1], "aaaabbbbccccdddd");
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void a_bundle_waits_for_room(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	size_t filled;
	int room = 4096;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	net_buffers_init(&buffers, ring, GROUP, 4, 4, 0);
	put_text(&buffers, "aaaabbbb", 2);
	filled = net_fill(fds[0]);
	net_prep_select(ring, 1, &buffers, send_bundle, fds[0], 0, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	net_drain(fds[1], filled);
	net_expect_flags(ring, 1, 8, NET_BUFFER(0));
	net_expect(fds[1], "aaaabbbb");
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void a_bundle_to_nobody_is_epipe(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct harness_cqe cqe;
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 4, 2);
	close(fds[1]);
	net_prep_select(ring, 1, &buffers, send_bundle, fds[0], 0, 0);
	harness_submit(ring, 1);
	cqe = harness_next(ring);
	harness_assert_cqe(cqe, 1, -EPIPE);
	assert_int_equal(cqe.flags & IORING_CQE_F_MORE, 0);
	close(fds[0]);
	net_buffers_free(&buffers, ring);
}

static void messages_make_no_bundles(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct net_buffers buffers;
	struct msghdr message = {0};
	int fds[2];

	net_pair(SOCK_STREAM, fds);
	net_buffers_init(&buffers, ring, GROUP, 4, 4, 2);
	net_prep_select(ring, 1, &buffers, recvmsg, fds[0], &message, 0)->ioprio =
		IORING_RECVSEND_BUNDLE;
	assert_int_equal(harness_result(ring), -EINVAL);
	net_buffers_free(&buffers, ring);
	net_close_pair(fds);
}

static void the_feature_is_told(void **state)
{
	struct ops *ops = *state;

	assert_int_equal(ops->ring.features & IORING_FEAT_RECVSEND_BUNDLE,
			 IORING_FEAT_RECVSEND_BUNDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_multishot_bundle_fills_buffer_after_buffer),
		ops_test(a_single_bundle_answers_once),
		ops_test(the_last_buffer_ends_a_multishot),
		ops_test(the_end_ends_a_multishot),
		ops_test(a_send_takes_one_buffer),
		ops_test(a_bundle_sends_all_buffers),
		ops_test(what_was_submitted_before_is_answered_before),
		ops_test(a_length_divides_a_bundle),
		ops_test(a_bundle_waits_for_room),
		ops_test(a_bundle_to_nobody_is_epipe),
		ops_test(messages_make_no_bundles),
		ops_test(the_feature_is_told),
	};

	return harness_run(tests);
}
