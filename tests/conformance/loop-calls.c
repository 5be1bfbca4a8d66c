/* SPDX-License-Identifier: MIT */
/*
 * Description: a ring in loops around select(2), poll(2) and epoll_wait(2), level- and
 * edge-triggered, beside a timer, told by its descriptor or its eventfd.
 */
#include "foreign_loop.h"

#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/timerfd.h>

/*
 * Waits until one of both is readable, and says which are: none if it was interrupted, which the
 * kernel's io_uring does to the thread it works for.
 */
typedef void wait_function(int fd, int timer_fd, bool *ready, bool *tick);

static bool woken(int result)
{
	assert_true(result > 0 || (result < 0 && errno == EINTR));
	return result > 0;
}

static void wait_in_select(int fd, int timer_fd, bool *ready, bool *tick)
{
	int highest = fd > timer_fd ? fd : timer_fd;
	fd_set readable;

	FD_ZERO(&readable);
	FD_SET(fd, &readable);
	FD_SET(timer_fd, &readable);
	if (!woken(select(highest + 1, &readable, NULL, NULL, NULL)))
		return;
	*ready = FD_ISSET(fd, &readable);
	*tick = FD_ISSET(timer_fd, &readable);
}

static void wait_in_poll(int fd, int timer_fd, bool *ready, bool *tick)
{
	struct pollfd entries[2] = {{.fd = fd, .events = POLLIN},
				    {.fd = timer_fd, .events = POLLIN}};

	if (!woken(poll(entries, 2, -1)))
		return;
	*ready = entries[0].revents & POLLIN;
	*tick = entries[1].revents & POLLIN;
}

static int set; /* of the two functions that follow */

static void add(int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
}

static void wait_in_epoll(int fd, int timer_fd, bool *ready, bool *tick)
{
	struct epoll_event events[2];
	int count = epoll_wait(set, events, 2, -1);

	for (int i = 0; woken(count) && i < count; i++) {
		*ready |= events[i].data.fd == fd;
		*tick |= events[i].data.fd == timer_fd;
	}
}

static void run(wait_function *wait, const struct foreign_mode *mode, uint32_t epoll_events)
{
	const struct itimerspec ticks = {{.tv_nsec = FOREIGN_TICK_MS * 1000000},
					 {.tv_nsec = FOREIGN_TICK_MS * 1000000}};
	int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct foreign foreign;
	uint64_t times;

	assert_true(timer_fd >= 0);
	assert_int_equal(timerfd_settime(timer_fd, 0, &ticks, NULL), 0);
	foreign_begin(&foreign, mode);
	set = epoll_create1(EPOLL_CLOEXEC);
	assert_true(set >= 0);
	add(foreign_fd(&foreign), EPOLLIN | epoll_events);
	add(timer_fd, EPOLLIN);
	while (!foreign_done(&foreign)) {
		bool ready = false, tick = false;

		wait(foreign_fd(&foreign), timer_fd, &ready, &tick);
		if (ready)
			foreign_ready(&foreign);
		if (tick && read(timer_fd, &times, sizeof(times)) == sizeof(times))
			foreign_tick(&foreign);
	}
	close(set);
	close(timer_fd);
	foreign_end(&foreign);
}

static void run_all(wait_function *wait, uint32_t epoll_events)
{
	for (unsigned i = 0; i < ARRAY_SIZE(foreign_modes); i++)
		run(wait, &foreign_modes[i], epoll_events);
}

static void select_loop(void **state)
{
	(void)state;
	run_all(wait_in_select, 0);
}

static void poll_loop(void **state)
{
	(void)state;
	run_all(wait_in_poll, 0);
}

static void epoll_loop(void **state)
{
	(void)state;
	run_all(wait_in_epoll, 0);
}

static void epoll_loop_edge_triggered(void **state)
{
	(void)state;
	run_all(wait_in_epoll, EPOLLET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(select_loop),
		cmocka_unit_test(poll_loop),
		cmocka_unit_test(epoll_loop),
		cmocka_unit_test(epoll_loop_edge_triggered),
	};

	return harness_run(tests);
}
