/* SPDX-License-Identifier: MIT */
/*
 * Description: POLL_REMOVE: taking a poll away, and changing its mask, its user_data or both.
 */
#include "readiness_helpers.h"

#include <sys/socket.h>

enum {
	EVENTS = IORING_POLL_UPDATE_EVENTS,
	USER = IORING_POLL_UPDATE_USER_DATA,
	MULTI = IORING_POLL_ADD_MULTI,
	UPDATE = 100, /* user_data of what is sent to change polls */
};

static void update(struct io_uring *ring, uint64_t old, uint64_t new, unsigned mask, unsigned flags)
{
	ops_prep(ring, UPDATE, 0, poll_update, old, new, mask, flags);
	harness_submit(ring, 1);
}

static void a_poll_is_removed(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_poll(ring, 1, fds[0], POLLIN);
	start_multishot(ring, 2, fds[0], POLLIN);
	for (uint64_t user_data = 1; user_data <= 2; user_data++) {
		ops_prep(ring, UPDATE, 0, poll_remove, user_data);
		harness_submit(ring, 1);
		expect_both(ring, UPDATE, 0, user_data, -ECANCELED);
		ops_prep(ring, UPDATE, 0, poll_remove, user_data);
		harness_submit(ring, 1);
		expect(ring, UPDATE, -ENOENT);
	}
	put_byte(fds[1]);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* Each removal takes one of those with the same user_data. */
static void one_of_several_is_removed(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	for (unsigned i = 0; i < 3; i++)
		start_poll(ring, 1, fds[0], POLLIN);
	for (unsigned i = 0; i < 2; i++) {
		ops_prep(ring, UPDATE, 0, poll_remove, 1);
		harness_submit(ring, 1);
		expect_both(ring, UPDATE, 0, 1, -ECANCELED);
	}
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* Only polls are found, not what waits for readiness on its own, nor timeouts. */
static void others_are_not_found(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring other;
	char byte;
	int fds[2];

	harness_pipe(fds);
	harness_init(&other, 4, 0);
	start_poll(&other, 5, fds[0], POLLIN);
	ops_prep(ring, 1, 0, read, fds[0], &byte, 1, 0);
	ops_prep(ring, 2, 0, timeout, &never, 0, 0);
	harness_submit(ring, 2);
	for (uint64_t user_data = 0; user_data <= 5; user_data++) {
		ops_prep(ring, UPDATE, 0, poll_remove, user_data);
		harness_submit(ring, 1);
		expect(ring, UPDATE, -ENOENT);
		update(ring, user_data, 0, POLLIN, EVENTS);
		expect(ring, UPDATE, -ENOENT);
	}
	expect_pending(ring, 2);
	expect_pending(&other, 1);
	io_uring_queue_exit(&other);
	harness_close_pipe(fds);
}

static void a_chain_goes_with_its_poll(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 1, IOSQE_IO_LINK, poll_add, fds[0], POLLIN);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 2);
	/* What has not started is not found. */
	ops_prep(ring, UPDATE, 0, poll_remove, 2);
	harness_submit(ring, 1);
	expect(ring, UPDATE, -ENOENT);
	ops_prep(ring, UPDATE, 0, poll_remove, 1);
	harness_submit(ring, 1);
	expect_both(ring, UPDATE, 0, 1, -ECANCELED);
	expect(ring, 2, -ECANCELED);
	harness_close_pipe(fds);
}

/* A removal that finds nothing breaks its chain, one that finds something does not. */
static void a_removal_in_a_chain(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int results[3];
	int fds[2];

	harness_pipe(fds);
	ops_prep(ring, 0, IOSQE_IO_LINK, poll_remove, 77);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -ENOENT, -ECANCELED);

	start_poll(ring, 2, fds[0], POLLIN);
	ops_prep(ring, 0, IOSQE_IO_LINK, poll_remove, 2);
	ops_prep(ring, 1, 0, nop);
	harness_submit(ring, 2);
	ops_collect(ring, results, 3);
	ops_assert_results(results, 0, 0, -ECANCELED);
	harness_close_pipe(fds);
}

/* ---- updates ------------------------------------------------------------------------------- */

static void a_new_mask(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	start_poll(ring, 1, pair[0], POLLIN);
	update(ring, 1, 0, POLLPRI, EVENTS);
	expect(ring, UPDATE, 0);
	put_byte(pair[1]);
	harness_assert_empty(ring);
	/* To one that is true already: it fires at once. */
	update(ring, 1, 0, POLLIN, EVENTS);
	expect_both(ring, UPDATE, 0, 1, POLLIN);
	start_poll(ring, 2, pair[0], POLLPRI);
	update(ring, 2, 0, POLLOUT, EVENTS);
	expect_both(ring, UPDATE, 0, 2, POLLOUT);
	/* It is one shot still, or over. */
	update(ring, 2, 0, POLLIN, EVENTS);
	expect(ring, UPDATE, -ENOENT);
	expect_idle(ring);
	close(pair[0]);
	close(pair[1]);
}

static void a_new_name(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_poll(ring, 1, fds[0], POLLIN);
	update(ring, 1, 2, 0, USER);
	expect(ring, UPDATE, 0);
	update(ring, 1, 3, 0, USER);
	expect(ring, UPDATE, -ENOENT);
	/* The mask is what it was. */
	put_byte(fds[1]);
	expect(ring, 2, POLLIN);
	/* Both together, on one that is true already: the completion has the new name. */
	start_poll(ring, 1, fds[0], POLLPRI);
	update(ring, 1, 4, POLLIN, USER | EVENTS);
	expect_both(ring, UPDATE, 0, 4, POLLIN);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* A name that another request has already is no obstacle. */
static void a_name_that_is_taken(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_poll(ring, 1, fds[0], POLLIN);
	start_poll(ring, 2, fds[0], POLLIN);
	update(ring, 1, 2, 0, USER);
	expect(ring, UPDATE, 0);
	put_byte(fds[1]);
	expect(ring, 2, POLLIN);
	expect(ring, 2, POLLIN);
	harness_close_pipe(fds);
}

static void a_multishot_keeps_shooting(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_multishot(ring, 1, fds[0], POLLPRI);
	put_byte(fds[1]);
	update(ring, 1, 2, POLLIN, EVENTS | USER | MULTI);
	expect_both(ring, UPDATE, 0, 2, POLLIN);
	put_byte(fds[1]);
	expect_flags(ring, 2, POLLIN, MORE);
	/* Not ready for the new mask: nothing until it is. */
	update(ring, 2, 3, POLLPRI, EVENTS | USER | MULTI);
	expect(ring, UPDATE, 0);
	put_byte(fds[1]);
	expect_pending(ring, 1);
	harness_close_pipe(fds);
}

/*
 * Without MULTI the mask's update makes no single shot of it, nor MULTI a multishot out of a
 * single one: what a poll is, it stays.
 */
static void the_number_of_shots_stays(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_multishot(ring, 1, fds[0], POLLPRI);
	update(ring, 1, 0, POLLIN, EVENTS);
	expect(ring, UPDATE, 0);
	put_byte(fds[1]);
	expect_flags(ring, 1, POLLIN, MORE);
	put_byte(fds[1]);
	expect_flags(ring, 1, POLLIN, MORE);
	expect_pending(ring, 1);
	take_byte(fds[0]);
	take_byte(fds[0]);

	start_poll(ring, 2, fds[0], POLLPRI);
	update(ring, 2, 0, POLLIN, EVENTS | MULTI);
	expect(ring, UPDATE, 0);
	put_byte(fds[1]);
	expect(ring, 2, POLLIN);
	expect_idle(ring);
	harness_close_pipe(fds);
}

/* An update that asks for nothing but its flags' defaults is a removal. */
static void without_flags_it_is_a_removal(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_poll(ring, 1, fds[0], POLLIN);
	update(ring, 1, 0, 0, 0);
	expect_both(ring, UPDATE, 0, 1, -ECANCELED);
	harness_close_pipe(fds);
}

/* In a ring that defers, the update's answer is there at once and the poll's shot when asked for.
 */
static void where_completions_are_deferred(void **state)
{
	struct io_uring ring;
	int fds[2];

	(void)state;
	harness_pipe(fds);
	put_byte(fds[1]);
	harness_init(&ring, 8, DEFER);
	start_poll(&ring, 1, fds[0], POLLPRI);
	update(&ring, 1, 0, POLLIN, EVENTS);
	assert_int_equal(io_uring_cq_ready(&ring), 1);
	expect(&ring, UPDATE, 0);
	expect(&ring, 1, POLLIN);
	start_poll(&ring, 1, fds[0], POLLPRI);
	ops_prep(&ring, UPDATE, 0, poll_remove, 1);
	harness_submit(&ring, 1);
	assert_int_equal(io_uring_cq_ready(&ring), 1);
	expect(&ring, UPDATE, 0);
	expect(&ring, 1, -ECANCELED);
	expect_idle(&ring);
	io_uring_queue_exit(&ring);
	harness_close_pipe(fds);
}

/* ---- bad requests -------------------------------------------------------------------------- */

static void flags_are_checked(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	for (unsigned flags = 0; flags < 64; flags++) {
		unsigned known = EVENTS | USER | MULTI;
		/* MULTI says something of a mask only. */
		int want = (flags & ~known) || flags == MULTI ? -EINVAL : -ENOENT;

		update(ring, 77, flags & USER ? 78 : 0, flags & EVENTS ? POLLIN : 0, flags);
		expect(ring, UPDATE, want);
	}
	for (unsigned bit = 6; bit < 32; bit++) {
		update(ring, 77, 0, POLLIN, EVENTS | 1u << bit);
		expect(ring, UPDATE, -EINVAL);
	}
	/* A mask or a name that the flags do not speak of. */
	update(ring, 77, 78, POLLIN, EVENTS);
	expect(ring, UPDATE, -EINVAL);
	update(ring, 77, 78, POLLIN, USER);
	expect(ring, UPDATE, -EINVAL);
	update(ring, 77, 78, 0, 0);
	expect(ring, UPDATE, -EINVAL);
	update(ring, 77, 0, POLLIN, 0);
	expect(ring, UPDATE, -EINVAL);
}

static void fields_are_checked(void **state)
{
	static const struct {
		unsigned offset, value, size;
		int res;
	} fields[] = {
		{offsetof(struct io_uring_sqe, ioprio), 1, 2, -EINVAL},
		{offsetof(struct io_uring_sqe, buf_index), 1, 2, -EINVAL},
		{offsetof(struct io_uring_sqe, personality), 77, 2, -EINVAL},
		{offsetof(struct io_uring_sqe, splice_fd_in), 1, 4, -EINVAL},
		{offsetof(struct io_uring_sqe, fd), 99999, 4, -ENOENT},
		{offsetof(struct io_uring_sqe, addr3), 1, 4, -ENOENT},
		{offsetof(struct io_uring_sqe, flags), IOSQE_FIXED_FILE, 1, -ENOENT},
		{offsetof(struct io_uring_sqe, flags), IOSQE_ASYNC, 1, -ENOENT},
		{offsetof(struct io_uring_sqe, flags), IOSQE_BUFFER_SELECT, 1, -EOPNOTSUPP},
	};
	struct ops *ops = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		struct io_uring_sqe *sqe = ops_prep(&ops->ring, i, 0, poll_remove, 77);

		memcpy((char *)sqe + fields[i].offset, &fields[i].value, fields[i].size);
		harness_submit(&ops->ring, 1);
		expect(&ops->ring, i, fields[i].res);
	}
}

static void bad_updates_change_nothing(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fds[2];

	harness_pipe(fds);
	start_poll(ring, 1, fds[0], POLLIN);
	update(ring, 1, 2, POLLPRI, EVENTS);
	expect(ring, UPDATE, -EINVAL);
	update(ring, 1, 2, POLLPRI, EVENTS | USER | 8);
	expect(ring, UPDATE, -EINVAL);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(a_poll_is_removed),
		ops_test(one_of_several_is_removed),
		ops_test(others_are_not_found),
		ops_test(a_chain_goes_with_its_poll),
		ops_test(a_removal_in_a_chain),
		ops_test(a_new_mask),
		ops_test(a_new_name),
		ops_test(a_name_that_is_taken),
		ops_test(a_multishot_keeps_shooting),
		ops_test(the_number_of_shots_stays),
		ops_test(without_flags_it_is_a_removal),
		cmocka_unit_test(where_completions_are_deferred),
		ops_test(flags_are_checked),
		ops_test(fields_are_checked),
		ops_test(bad_updates_change_nothing),
	};

	return harness_run(tests);
}
