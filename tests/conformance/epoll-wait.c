/* SPDX-License-Identifier: MIT */
/*
 * Description: EPOLL_WAIT: takes what is ready in an epoll set, or waits until something is, and
 * can be cancelled meanwhile.
 */
#include "ops_helpers.h"

#include <sys/epoll.h>

struct set {
	int fd;
	int pipes[3][2];
};

/* A set with the reading ends of three pipes, whose data is their number. */
static void set_open(struct set *set)
{
	set->fd = epoll_create1(EPOLL_CLOEXEC);
	assert_true(set->fd >= 0);
	for (unsigned i = 0; i < 3; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

		harness_pipe(set->pipes[i]);
		assert_int_equal(epoll_ctl(set->fd, EPOLL_CTL_ADD, set->pipes[i][0], &event), 0);
	}
}

static void set_close(struct set *set)
{
	close(set->fd);
	for (unsigned i = 0; i < 3; i++)
		harness_close_pipe(set->pipes[i]);
}

static void make_ready(const struct set *set, unsigned number)
{
	assert_int_equal(write(set->pipes[number][1], "x", 1), 1);
}

static void what_is_ready_is_taken_at_once(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event events[4] = {0};
	struct harness_cqe cqe;
	struct set set;

	set_open(&set);
	make_ready(&set, 1);
	make_ready(&set, 2);
	ops_prep(ring, 9, 0, epoll_wait, set.fd, events, 4, 0);
	harness_submit(ring, 1);
	assert_true(harness_peek(ring, &cqe));
	harness_assert_cqe(cqe, 9, 2);
	assert_int_equal(cqe.flags, 0);
	assert_int_equal(events[0].data.u64 + events[1].data.u64, 3);
	assert_int_equal(events[0].events, EPOLLIN);
	/* No more than there is room for. */
	assert_int_equal(ops_run(ring, epoll_wait, set.fd, events, 1, 0), 1);
	set_close(&set);
}

static void it_waits_until_something_is_ready(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event events[4] = {0};
	struct set set;

	set_open(&set);
	ops_prep(ring, 5, 0, epoll_wait, set.fd, events, 4, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	make_ready(&set, 2);
	ops_expect(ring, 5, 1);
	assert_int_equal(events[0].data.u64, 2);
	set_close(&set);
}

static void the_set_may_be_registered(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event events[4] = {0};
	struct set set;

	set_open(&set);
	assert_int_equal(io_uring_register_files(ring, &set.fd, 1), 0);
	ops_prep(ring, 5, IOSQE_FIXED_FILE, epoll_wait, 0, events, 4, 0);
	harness_submit(ring, 1);
	harness_assert_empty(ring);
	make_ready(&set, 1);
	ops_expect(ring, 5, 1);
	assert_int_equal(events[0].data.u64, 1);
	set_close(&set);
}

static void a_waiting_one_can_be_cancelled(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event event;
	struct set set;
	int results[2];

	set_open(&set);
	ops_prep(ring, 0, 0, epoll_wait, set.fd, &event, 1, 0);
	harness_submit(ring, 1);
	ops_prep(ring, 1, 0, cancel64, 0, 0);
	harness_submit(ring, 1);
	ops_collect(ring, results, 2);
	ops_assert_results(results, -ECANCELED, 0);
	/* What becomes ready afterwards is still there. */
	make_ready(&set, 0);
	assert_int_equal(epoll_wait(set.fd, &event, 1, 0), 1);
	set_close(&set);
}

static void errors(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event event;
	struct set set;

	set_open(&set);
	make_ready(&set, 0);
	assert_int_equal(ops_run(ring, epoll_wait, -1, &event, 1, 0), -EBADF);
	assert_int_equal(ops_run(ring, epoll_wait, set.pipes[0][0], &event, 1, 0), -EINVAL);
	assert_int_equal(ops_run(ring, epoll_wait, set.fd, &event, 0, 0), -EINVAL);
	assert_int_equal(ops_run(ring, epoll_wait, set.fd, &event, -1, 0), -EINVAL);
	assert_int_equal(ops_run(ring, epoll_wait, set.fd, NULL, 1, 0), -EFAULT);
	assert_int_equal(ops_run(ring, epoll_wait, set.fd, (void *)8, 1, 0), -EFAULT);
	set_close(&set);
}

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event event;
	struct io_uring_sqe *sqe;
	struct set set;

	set_open(&set);
	make_ready(&set, 0);
	assert_int_equal(ops_run(ring, epoll_wait, set.fd, &event, 1, 1), -EINVAL);
	sqe = ops_prep(ring, 0, 0, epoll_wait, set.fd, &event, 1, 0);
	sqe->off = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	sqe = ops_prep(ring, 0, 0, epoll_wait, set.fd, &event, 1, 0);
	sqe->buf_index = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	sqe = ops_prep(ring, 0, 0, epoll_wait, set.fd, &event, 1, 0);
	sqe->splice_fd_in = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	sqe = ops_prep(ring, 0, 0, epoll_wait, set.fd, &event, 1, 0);
	sqe->ioprio = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	sqe = ops_prep(ring, 0, 0, epoll_wait, set.fd, &event, 1, 0);
	sqe->addr3 = 1;
	assert_int_equal(harness_result(ring), 1);
	set_close(&set);
}

static void the_set_is_kept_when_it_is_closed(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event events[1] = {0};
	struct set set;

	set_open(&set);
	ops_prep(ring, 3, 0, epoll_wait, set.fd, events, 1, 0);
	harness_submit(ring, 1);
	close(set.fd);
	make_ready(&set, 1);
	ops_expect(ring, 3, 1);
	assert_int_equal(events[0].data.u64, 1);
	for (unsigned i = 0; i < 3; i++)
		harness_close_pipe(set.pipes[i]);
}

static void links(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event event;
	struct set set;
	int results[3];
	char byte;

	set_open(&set);
	/* Fewer events than there is room for do not break the link. */
	ops_prep(ring, 0, IOSQE_IO_LINK, epoll_wait, set.fd, &event, 1, 0);
	ops_prep(ring, 1, IOSQE_IO_LINK, read, set.pipes[1][0], &byte, 1, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 3);
	harness_assert_empty(ring);
	make_ready(&set, 1);
	ops_collect(ring, results, 3);
	ops_assert_results(results, 1, 1, 0);
	/* It may begin behind another request. */
	ops_prep(ring, 0, IOSQE_IO_LINK, read, set.pipes[1][0], &byte, 1, 0);
	ops_prep(ring, 1, IOSQE_IO_LINK, epoll_wait, set.fd, &event, 1, 0);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 3);
	make_ready(&set, 1);
	make_ready(&set, 0);
	ops_collect(ring, results, 3);
	ops_assert_results(results, 1, 1, 0);
	set_close(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(what_is_ready_is_taken_at_once),
		ops_test(it_waits_until_something_is_ready),
		ops_test(the_set_may_be_registered),
		ops_test(a_waiting_one_can_be_cancelled),
		ops_test(errors),
		ops_test(stray_fields_are_refused),
		ops_test(the_set_is_kept_when_it_is_closed),
		ops_test(links),
	};

	return harness_run(tests);
}
