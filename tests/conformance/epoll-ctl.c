/* SPDX-License-Identifier: MIT */
/* Description: EPOLL_CTL is epoll_ctl(2): results, errors, links, and what is copied when. */
#include "ops_helpers.h"

#include <sys/epoll.h>

/* What is ready in the set right now: the data of the one event, or -1. */
static long ready(int set)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, 0) == 1 ? (long)event.data.u64 : -1;
}

static int new_set(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	assert_true(set >= 0);
	return set;
}

static void entries_are_added_changed_and_removed(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
	int set = new_set(), fds[2];

	harness_pipe(fds);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(ops_run(ring, epoll_ctl, set, fds[0], EPOLL_CTL_ADD, &event), 0);
	assert_int_equal(ready(set), 7);
	assert_int_equal(ops_run(ring, epoll_ctl, set, fds[0], EPOLL_CTL_ADD, &event), -EEXIST);
	event.data.u64 = 8;
	assert_int_equal(ops_run(ring, epoll_ctl, set, fds[0], EPOLL_CTL_MOD, &event), 0);
	assert_int_equal(ready(set), 8);
	/* Removing needs no event. */
	assert_int_equal(ops_run(ring, epoll_ctl, set, fds[0], EPOLL_CTL_DEL, NULL), 0);
	assert_int_equal(ready(set), -1);
	assert_int_equal(ops_run(ring, epoll_ctl, set, fds[0], EPOLL_CTL_DEL, NULL), -ENOENT);
	assert_int_equal(ops_run(ring, epoll_ctl, set, fds[0], EPOLL_CTL_MOD, &event), -ENOENT);
	close(set);
	harness_close_pipe(fds);
}

static void errors_are_those_of_the_call(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event event = {.events = EPOLLIN};
	int set = new_set(), file = harness_temp_file(1), fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run(ring, epoll_ctl, -1, fds[0], EPOLL_CTL_ADD, &event), -EBADF);
	assert_int_equal(ops_run(ring, epoll_ctl, set, -1, EPOLL_CTL_ADD, &event), -EBADF);
	assert_int_equal(ops_run(ring, epoll_ctl, set, file, EPOLL_CTL_ADD, &event), -EPERM);
	assert_int_equal(ops_run(ring, epoll_ctl, fds[0], fds[1], EPOLL_CTL_ADD, &event), -EINVAL);
	assert_int_equal(ops_run(ring, epoll_ctl, set, set, EPOLL_CTL_ADD, &event), -EINVAL);
	assert_int_equal(ops_run(ring, epoll_ctl, set, fds[0], 99, &event), -EINVAL);
	assert_int_equal(ops_run(ring, epoll_ctl, set, fds[0], EPOLL_CTL_ADD, NULL), -EFAULT);
	assert_int_equal(ops_run(ring, epoll_ctl, set, fds[0], 99, NULL), -EFAULT);
	close(set);
	close(file);
	harness_close_pipe(fds);
}

static void stray_fields_are_refused(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event event = {.events = EPOLLIN};
	struct io_uring_sqe *sqe;
	int set = new_set(), fds[2];

	harness_pipe(fds);
	sqe = ops_prep(ring, 0, 0, epoll_ctl, set, fds[0], EPOLL_CTL_ADD, &event);
	sqe->buf_index = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	sqe = ops_prep(ring, 0, 0, epoll_ctl, set, fds[0], EPOLL_CTL_ADD, &event);
	sqe->splice_fd_in = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	sqe = ops_prep(ring, 0, 0, epoll_ctl, set, fds[0], EPOLL_CTL_ADD, &event);
	sqe->ioprio = 1;
	assert_int_equal(harness_result(ring), -EINVAL);
	/* These are not looked at. */
	sqe = ops_prep(ring, 0, 0, epoll_ctl, set, fds[0], EPOLL_CTL_ADD, &event);
	sqe->rw_flags = 1;
	sqe->addr3 = 1;
	assert_int_equal(harness_result(ring), 0);
	close(set);
	harness_close_pipe(fds);
}

/* The set is no file of the request: FIXED_FILE has no meaning for it. */
static void fixed_file_does_not_apply(void **state)
{
	struct ops *ops = *state;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 3};
	int set = new_set(), fds[2];

	harness_pipe(fds);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_FIXED_FILE, epoll_ctl, set, fds[0],
				       EPOLL_CTL_ADD, &event),
			 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(ready(set), 3);
	close(set);
	harness_close_pipe(fds);
}

static void the_event_may_be_gone_after_the_submit(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 5};
	int set = new_set(), gate[2], fds[2];
	int results[2];
	char byte;

	harness_pipe(gate);
	harness_pipe(fds);
	assert_int_equal(write(fds[1], "x", 1), 1);
	ops_prep(ring, 0, IOSQE_IO_LINK, read, gate[0], &byte, 1, 0);
	ops_prep(ring, 1, 0, epoll_ctl, set, fds[0], EPOLL_CTL_ADD, &event);
	harness_submit(ring, 2);
	event.events = 0;
	event.data.u64 = 99;
	assert_int_equal(write(gate[1], "x", 1), 1);
	ops_collect(ring, results, 2);
	ops_assert_results(results, 1, 0);
	assert_int_equal(ready(set), 5);
	close(set);
	harness_close_pipe(gate);
	harness_close_pipe(fds);
}

static void a_failure_breaks_the_link(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event event = {.events = EPOLLIN};
	int set = new_set(), fds[2], results[3];

	harness_pipe(fds);
	ops_prep(ring, 0, IOSQE_IO_LINK, epoll_ctl, set, fds[0], EPOLL_CTL_ADD, &event);
	ops_prep(ring, 1, IOSQE_IO_LINK, epoll_ctl, set, fds[0], EPOLL_CTL_ADD, &event);
	ops_prep(ring, 2, 0, epoll_ctl, set, fds[0], EPOLL_CTL_DEL, NULL);
	harness_submit(ring, 3);
	ops_collect(ring, results, 3);
	ops_assert_results(results, 0, -EEXIST, -ECANCELED);
	close(set);
	harness_close_pipe(fds);
}

static void it_runs_in_a_worker_too(void **state)
{
	struct ops *ops = *state;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 4};
	int set = new_set(), fds[2];

	harness_pipe(fds);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(ops_run_flags(&ops->ring, IOSQE_ASYNC, epoll_ctl, set, fds[0],
				       EPOLL_CTL_ADD, &event),
			 0);
	assert_int_equal(ready(set), 4);
	close(set);
	harness_close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_test(entries_are_added_changed_and_removed),
		ops_test(errors_are_those_of_the_call),
		ops_test(stray_fields_are_refused),
		ops_test(fixed_file_does_not_apply),
		ops_test(the_event_may_be_gone_after_the_submit),
		ops_test(a_failure_breaks_the_link),
		ops_test(it_runs_in_a_worker_too),
	};

	return harness_run(tests);
}
