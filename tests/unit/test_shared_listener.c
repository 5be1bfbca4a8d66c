/* SPDX-License-Identifier: MIT */
/*
 * Description: a blocking listener that others accept from, too. ACCEPT sets O_NONBLOCK on it only
 * for a connection that is there; as soon as another was faster it leaves the flags alone, and a
 * worker accepts, who may sleep. Processes that share a listener take all connections between them.
 */
#include "support.h"

#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/socket.h>

enum { PROCESSES = 3, CONNECTIONS = 300 };

static _Atomic int listener = -1;
static _Atomic bool steal; /* the next connection is another's */
static _Atomic unsigned flags_set, accepted_by_workers;

static bool is_worker(void)
{
	char name[16] = "";

	pthread_getname_np(pthread_self(), name, sizeof(name));
	return strncmp(name, "iou-wrk", 7) == 0;
}

static bool same_socket(int fd)
{
	struct stat one, other;

	return !fstat(fd, &one) && !fstat(atomic_load(&listener), &other) &&
	       one.st_ino == other.st_ino;
}

static bool watch(long number, const long arguments[6], long *result)
{
	if (number == SYS_fcntl && arguments[1] == F_SETFL && same_socket((int)arguments[0]))
		atomic_fetch_add(&flags_set, 1);
	if (number != SYS_accept4)
		return false;
	if (is_worker())
		atomic_fetch_add(&accepted_by_workers, 1);
	*result = -EAGAIN;
	return atomic_exchange(&steal, false);
}

static int open_listener(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &length), 0);
	assert_int_equal(listen(fd, CONNECTIONS), 0);
	atomic_store(&listener, fd);
	return fd;
}

static int open_connection(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	return fd;
}

/* What has to happen for an accepted connection, in the parent. */
static void accept_one(struct asyncring *ring, int fd, const struct sockaddr_in *address)
{
	int client, result;

	asyncring_prep_accept(support_sqe(ring), fd, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(asyncring_submit(ring), 1);
	client = open_connection(address);
	result = support_result(ring, NULL);
	assert_true(result >= 0);
	close(result);
	close(client);
}

/* In a child: what is found out is for good. */
static void be_robbed_once(void)
{
	struct sockaddr_in address;
	struct asyncring ring;
	int fd = open_listener(&address);

	assert_int_equal(asyncring_queue_init(8, &ring, 0), 0);
	accept_one(&ring, fd, &address);
	assert_true(atomic_load(&flags_set) == 2);
	assert_int_equal(atomic_load(&accepted_by_workers), 0);
	atomic_store(&steal, true);
	/* The connection is still there: it is taken in the second attempt. */
	accept_one(&ring, fd, &address);
	assert_true(atomic_load(&flags_set) == 4);
	accept_one(&ring, fd, &address);
	assert_true(atomic_load(&flags_set) == 4);
	assert_true(atomic_load(&accepted_by_workers) >= 1);
	assert_true(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	asyncring_queue_exit(&ring);
}

static void in_child(void (*scenario)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		scenario();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void who_was_robbed_leaves_the_flags_alone(void **state)
{
	(void)state;
	in_child(be_robbed_once);
}

/* Accept until told to stop by the end of a pipe; how many connections it were. */
static unsigned serve(int fd, int stop)
{
	struct asyncring ring;
	struct asyncring_cqe *cqe;
	unsigned served = 0;
	char byte;

	assert_int_equal(asyncring_queue_init(8, &ring, 0), 0);
	asyncring_prep_multishot_accept(support_sqe(&ring), fd, NULL, NULL, SOCK_CLOEXEC);
	asyncring_prep_read(support_sqe(&ring), stop, &byte, 1, 0);
	ring.sq.sqes[(ring.sq.sqe_tail - 1) & ring.sq.ring_mask].user_data = 1;
	assert_int_equal(asyncring_submit(&ring), 2);
	for (;;) {
		assert_int_equal(asyncring_wait_cqe(&ring, &cqe), 0);
		if (cqe->user_data == 1)
			break;
		assert_true(cqe->res >= 0);
		assert_true(cqe->flags & ASYNCRING_CQE_F_MORE);
		/* The client waits for this. */
		assert_int_equal(close(cqe->res), 0);
		served++;
		asyncring_cqe_seen(&ring, cqe);
	}
	asyncring_queue_exit(&ring);
	return served;
}

static void processes_share_a_listener(void **state)
{
	struct sockaddr_in address;
	int fd = open_listener(&address), stop[2], count[2];
	unsigned served, total = 0;
	pid_t children[PROCESSES];
	int status;
	char byte;

	(void)state;
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	assert_int_equal(pipe2(count, O_CLOEXEC), 0);
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i])
			continue;
		close(stop[1]);
		served = serve(fd, stop[0]);
		_exit(write(count[1], &served, sizeof(served)) != sizeof(served));
	}
	/* Each is served by somebody, or this would not come back. */
	for (int i = 0; i < CONNECTIONS; i++) {
		int client = open_connection(&address);

		assert_int_equal(read(client, &byte, 1), 0);
		close(client);
	}
	close(stop[1]);
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(read(count[0], &served, sizeof(served)), sizeof(served));
		total += served;
		assert_true(waitpid(-1, &status, 0) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(total, CONNECTIONS);
	assert_true(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	close(stop[0]);
	close(count[0]);
	close(count[1]);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	asyncring__sys_hook = watch;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_was_robbed_leaves_the_flags_alone),
		cmocka_unit_test(processes_share_a_listener),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
