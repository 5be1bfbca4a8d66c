/* SPDX-License-Identifier: MIT */
/*
 * Description: FEAT_FAST_POLL and FEAT_POLL_32BITS: what waits for a file that can tell its
 * readiness takes no thread, however many there are; masks of polls have 32 bits.
 */
#include "net_helpers.h"
#include "rsrc_helpers.h"

#include <sys/epoll.h>

static void the_features_are_told(void **state)
{
	struct ops *ops = *state;
	unsigned features = IORING_FEAT_FAST_POLL | IORING_FEAT_POLL_32BITS;

	assert_int_equal(ops->ring.features & features, features);
}

static void waiting_takes_no_worker(void **state)
{
	enum { EACH = 8, KINDS = 4 };
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int sockets[EACH][2], full[EACH][2], pipes[EACH][2], clients[EACH], results[KINDS * EACH];
	int listener = net_listener(0);
	char bytes[2 * EACH];

	for (unsigned i = 0; i < EACH; i++) {
		net_pair(SOCK_STREAM, sockets[i]);
		net_pair(SOCK_STREAM, full[i]);
		net_fill(full[i][0]);
		harness_pipe(pipes[i]);
		ops_prep(ring, KINDS * i, 0, recv, sockets[i][0], &bytes[2 * i], 1, 0);
		ops_prep(ring, KINDS * i + 1, 0, read, pipes[i][0], &bytes[2 * i + 1], 1, 0);
		ops_prep(ring, KINDS * i + 2, 0, send, full[i][0], "x", 1, 0);
		ops_prep(ring, KINDS * i + 3, 0, accept, listener, NULL, NULL, SOCK_CLOEXEC);
	}
	harness_submit(ring, KINDS * EACH);
	harness_assert_empty(ring);
	for (unsigned i = 0; i < EACH; i++) {
		net_send(sockets[i][1], "a");
		assert_int_equal(write(pipes[i][1], "b", 1), 1);
		close(full[i][1]);
		clients[i] = net_connect(listener);
	}
	ops_collect(ring, results, KINDS * EACH);
	assert_int_equal(rsrc_find_worker(), 0);
	for (unsigned i = 0; i < EACH; i++) {
		assert_int_equal(results[KINDS * i], 1);
		assert_int_equal(results[KINDS * i + 1], 1);
		assert_int_equal(results[KINDS * i + 2], -EPIPE);
		assert_true(results[KINDS * i + 3] >= 0);
		close(results[KINDS * i + 3]);
		close(clients[i]);
		close(full[i][0]);
		net_close_pair(sockets[i]);
		harness_close_pipe(pipes[i]);
	}
	close(listener);
}

/* Bits beyond the sixteenth say how to wait, and are neither refused nor reported. */
static void a_mask_has_all_its_bits(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, 0, poll_add, fds[0], POLLIN | EPOLLEXCLUSIVE);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	assert_int_equal(write(fds[1], "x", 1), 1);
	ops_expect(ring, 1, POLLIN);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(the_features_are_told),
		ops_test(waiting_takes_no_worker),
		ops_test(a_mask_has_all_its_bits),
	};

	return harness_run(tests);
}
