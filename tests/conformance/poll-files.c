/* SPDX-License-Identifier: MIT */
/*
 * Description: POLL_ADD on every kind of descriptor: what epoll refuses because it is always ready,
 * counters, timers, signals, processes, watches, terminals, sets and rings.
 */
#include "readiness_helpers.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <netinet/in.h>

/* A poll of a file without a poll method completes in submit, with what poll(2) says. */
static void assert_always_ready_at(struct io_uring *ring, int fd, int line)
{
	struct pollfd entry = {.fd = fd, .events = POLLIN | POLLOUT};

	_assert_int_equal(poll(&entry, 1, 0), 1, __FILE__, line);
	start_poll(ring, 1, fd, POLLIN | POLLOUT);
	_assert_int_equal(io_uring_cq_ready(ring), 1, __FILE__, line);
	expect_at(ring, 1, entry.revents, 0, line);
	start_poll(ring, 1, fd, POLLIN);
	expect_at(ring, 1, POLLIN, 0, line);
	/* What it never is ready for cannot be waited for. */
	start_poll(ring, 1, fd, POLLPRI);
	expect_at(ring, 1, -EINVAL, 0, line);
	/* And what is always so is so once, however many shots were asked for. */
	start_multishot(ring, 1, fd, POLLIN);
	expect_at(ring, 1, POLLIN, 0, line);
	expect_pending_at(ring, 0, line);
}

#define assert_always_ready(ring, fd) assert_always_ready_at(ring, fd, __LINE__)

static void regular_files_are_always_ready(void **state)
{
	struct ops *ops = *state;
	int fd = harness_temp_file(100);

	assert_always_ready(&ops->ring, fd);
	assert_int_equal(lseek(fd, 0, SEEK_END), 100);
	assert_always_ready(&ops->ring, fd);
	close(fd);
	assert_always_ready(&ops->ring, ops->dir);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_always_ready(&ops->ring, fd);
	close(fd);
	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	assert_always_ready(&ops->ring, fd);
	close(fd);
}

/* A descriptor that only names a file cannot be used, and thus not be polled. */
static void a_path_descriptor_is_refused(void **state)
{
	struct ops *ops = *state;
	int fd = open("/", O_PATH | O_CLOEXEC);

	start_poll(&ops->ring, 1, fd, POLLIN);
	expect(&ops->ring, 1, -EBADF);
	close(fd);
}

static void an_eventfd(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	uint64_t value = 1;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	start_poll(ring, 1, fd, POLLIN);
	harness_assert_empty(ring);
	assert_int_equal(write(fd, &value, sizeof(value)), sizeof(value));
	expect(ring, 1, POLLIN);
	start_poll(ring, 2, fd, POLLIN | POLLOUT);
	expect(ring, 2, POLLIN | POLLOUT);
	value = UINT64_MAX - 2;
	assert_int_equal(write(fd, &value, sizeof(value)), sizeof(value));
	start_poll(ring, 3, fd, POLLOUT);
	harness_assert_empty(ring);
	assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
	expect(ring, 3, POLLOUT);
	close(fd);
}

static void a_timerfd(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	start_poll(ring, 1, fd, POLLIN);
	harness_assert_empty(ring);
	assert_int_equal(timerfd_settime(fd, 0, &soon, NULL), 0);
	expect(ring, 1, POLLIN);
	start_poll(ring, 2, fd, POLLIN);
	expect(ring, 2, POLLIN);
	close(fd);
}

static void an_inotify_watch(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int fd = inotify_init1(IN_CLOEXEC);

	assert_true(inotify_add_watch(fd, ops->path, IN_CREATE) >= 0);
	start_poll(ring, 1, fd, POLLIN);
	harness_assert_empty(ring);
	close(ops_create(ops, "file", "x"));
	expect(ring, 1, POLLIN);
	close(fd);
}

static void a_process(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int hold[2];
	pid_t child;
	int fd;

	harness_pipe(hold);
	child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	assert_true(child >= 0);
	if (!child) {
		char byte;

		/* Only system calls: nothing of the library may run here. */
		(void)!syscall(SYS_read, hold[0], &byte, 1);
		syscall(SYS_exit_group, 0);
	}
	fd = (int)syscall(SYS_pidfd_open, child, 0);
	assert_true(fd >= 0);
	start_poll(ring, 1, fd, POLLIN);
	harness_assert_empty(ring);
	put_byte(hold[1]);
	expect(ring, 1, POLLIN);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(fd);
	harness_close_pipe(hold);
}

static void a_signal(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct signalfd_siginfo info;
	sigset_t set, old;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	start_poll(ring, 1, fd, POLLIN);
	harness_assert_empty(ring);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	expect(ring, 1, POLLIN);
	assert_int_equal(read(fd, &info, sizeof(info)), sizeof(info));
	close(fd);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
}

static void a_terminal(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int terminal;

	if (master < 0 || grantpt(master) || unlockpt(master))
		skip();
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0)
		skip();
	start_poll(ring, 1, terminal, POLLIN);
	harness_assert_empty(ring);
	assert_int_equal(write(master, "x\n", 2), 2);
	expect(ring, 1, POLLIN);
	close(terminal);
	close(master);
}

static void a_listening_socket(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	start_poll(ring, 1, listener, POLLIN);
	harness_assert_empty(ring);
	assert_int_equal(connect(client, (struct sockaddr *)&address, length), 0);
	expect(ring, 1, POLLIN);
	close(client);
	close(listener);
}

static void a_datagram_socket(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	start_poll(ring, 1, pair[0], POLLIN);
	harness_assert_empty(ring);
	/* An empty message is one. */
	assert_int_equal(send(pair[1], "", 0, 0), 0);
	expect(ring, 1, POLLIN);
	close(pair[0]);
	close(pair[1]);
}

static void an_epoll_set(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct epoll_event event = {.events = EPOLLIN};
	int set = epoll_create1(EPOLL_CLOEXEC);
	int fds[2];

	harness_pipe(fds);
	assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, fds[0], &event), 0);
	start_poll(ring, 1, set, POLLIN);
	harness_assert_empty(ring);
	put_byte(fds[1]);
	expect(ring, 1, POLLIN);
	close(set);
	harness_close_pipe(fds);
}

/* ---- rings --------------------------------------------------------------------------------- */

static void another_ring(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring other;

	harness_init(&other, 4, 0);
	start_poll(ring, 1, other.ring_fd, POLLIN);
	harness_assert_empty(ring);
	harness_nop(&other, 7);
	harness_submit(&other, 1);
	expect(ring, 1, POLLIN);
	/* As long as its completion waits. */
	start_poll(ring, 2, other.ring_fd, POLLIN);
	expect(ring, 2, POLLIN);
	expect(&other, 7, 0);
	assert_true(harness_wait_quiet(&other, other.ring_fd));
	start_poll(ring, 3, other.ring_fd, POLLIN);
	expect_pending(ring, 1);
	io_uring_queue_exit(&other);
}

/*
 * The room in the other ring's submission queue is what it is writable for. The kernel only: an
 * epoll set, which the descriptor is where the ring is served in user space, is never writable.
 */
static void room_in_another_ring(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;
	struct io_uring other;

	if (!harness_kernel())
		skip();
	harness_init(&other, 4, 0);
	start_poll(ring, 1, other.ring_fd, POLLOUT);
	expect(ring, 1, POLLOUT);
	io_uring_queue_exit(&other);
}

/* A ring polled by itself: the completion of another request ends the poll. */
static void the_ring_itself(void **state)
{
	struct ops *ops = *state;
	struct io_uring *ring = &ops->ring;

	start_poll(ring, 1, ring->ring_fd, POLLIN);
	harness_assert_empty(ring);
	ops_prep(ring, 2, 0, nop);
	harness_submit(ring, 1);
	expect(ring, 2, 0);
	expect(ring, 1, POLLIN);
	expect_idle(ring);
}

static void the_ring_itself_pending_at_exit(void **state)
{
	struct io_uring ring;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		harness_init(&ring, 4, i == 2 ? DEFER : 0);
		start_poll(&ring, 1, ring.ring_fd, POLLIN);
		if (i)
			expect_pending(&ring, 1);
		io_uring_queue_exit(&ring);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ops_dir_test(regular_files_are_always_ready),
		ops_test(a_path_descriptor_is_refused),
		ops_test(an_eventfd),
		ops_test(a_timerfd),
		ops_dir_test(an_inotify_watch),
		ops_test(a_process),
		ops_test(a_signal),
		ops_test(a_terminal),
		ops_test(a_listening_socket),
		ops_test(a_datagram_socket),
		ops_test(an_epoll_set),
		ops_test(another_ring),
		ops_test(room_in_another_ring),
		ops_test(the_ring_itself),
		ops_test(the_ring_itself_pending_at_exit),
	};

	return harness_run(tests);
}
