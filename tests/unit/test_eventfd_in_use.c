/* SPDX-License-Identifier: MIT */
/*
 * Description: a registered eventfd is unregistered while a worker is about to signal it: what the
 * worker then writes goes to that eventfd, or nowhere, but never to a file that got its number.
 */
#include "support.h"

#include <sys/eventfd.h>

static struct asyncring ring;
static struct support_gate gate;
static char fifo[64]; /* opening it keeps a worker busy */

static bool at_the_gate(long number, const long arguments[6], long *result)
{
	(void)arguments;
	(void)result;
	support_gate_pass(&gate, number);
	return false;
}

static void unregistered_before_the_signal(void **state)
{
	int event_fd = eventfd(0, EFD_CLOEXEC), file = support_file("/tmp", 0);
	struct asyncring_sqe *sqe = support_sqe(&ring);
	int copies[8], result, fifo_end;

	(void)state;
	assert_int_equal(asyncring_register_eventfd(&ring, event_fd), 0);
	asyncring_prep_openat(sqe, AT_FDCWD, fifo, O_RDONLY | O_CLOEXEC, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	assert_int_equal(asyncring_submit(&ring), 1);
	/* Its completion is posted then; what is left to do is to signal those who watch. */
	support_gate_close(&gate, SYS_write);
	fifo_end = open(fifo, O_WRONLY | O_CLOEXEC);
	assert_true(fifo_end >= 0);
	assert_true(support_gate_held(&gate, 1));
	assert_int_equal(asyncring_unregister_eventfd(&ring), 0);
	close(event_fd);
	/* Take whatever number of the library's may have become free. */
	for (unsigned i = 0; i < 8; i++)
		copies[i] = fcntl(file, F_DUPFD_CLOEXEC, i ? 512 : 3);
	support_gate_open(&gate);
	result = support_result(&ring, NULL);
	assert_true(result >= 0);
	asyncring_queue_exit(&ring);
	assert_int_equal(lseek(file, 0, SEEK_END), 0);
	for (unsigned i = 0; i < 8; i++)
		close(copies[i]);
	close(file);
	close(result);
	close(fifo_end);
	unlink(fifo);
}

static int setup(void **state)
{
	(void)state;
	support_bound(30);
	support_gate_open(&gate);
	asyncring__sys_hook = at_the_gate;
	snprintf(fifo, sizeof(fifo), "/tmp/asyncring-test-%d", getpid());
	if (mkfifo(fifo, 0600))
		return -1;
	return asyncring_queue_init(4, &ring, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unregistered_before_the_signal),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
