/* SPDX-License-Identifier: MIT */
/*
 * Description: rule 8. A request that outlives its submit keeps the open file it was submitted on:
 * the application closes the descriptor, and uses its number for another file, right after the
 * submit, while the workers are held at a gate.
 */
#include "support.h"

#include <sys/stat.h>

enum { SIZE = 4096 };

static struct asyncring ring;
static struct support_gate gate;
static unsigned char buffer[SIZE];

static bool at_the_gate(long number, const long arguments[6], long *result)
{
	(void)arguments;
	(void)result;
	support_gate_pass(&gate, number);
	return false;
}

/* Another, empty, file behind the number. */
static void use_again(int number)
{
	int other = support_file("/tmp", 0);

	assert_int_equal(dup3(other, number, O_CLOEXEC), number);
	close(other);
}

static int length_of(int fd)
{
	return (int)lseek(fd, 0, SEEK_END);
}

static void submit_and_use_again(int fd, long gated)
{
	support_gate_close(&gate, gated);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_gate_held(&gate, 1));
	use_again(fd);
	support_gate_open(&gate);
}

static void rule_8_read_of_a_closed_file(void **state)
{
	(void)state;
	for (int position = 0; position < 2; position++) {
		int fd = support_file("/tmp", SIZE);
		struct asyncring_sqe *sqe = support_sqe(&ring);

		assert_int_equal(lseek(fd, 100, SEEK_SET), 100);
		memset(buffer, 0, SIZE);
		asyncring_prep_read(sqe, fd, buffer, 1000, position ? (uint64_t)-1 : 100);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
		submit_and_use_again(fd, SYS_preadv2);
		assert_int_equal(support_result(&ring, NULL), 1000);
		assert_true(support_content(buffer, 1000, 100));
		close(fd);
	}
}

static void rule_8_write_to_a_closed_file(void **state)
{
	int fd = support_file("/tmp", 0), copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct asyncring_sqe *sqe = support_sqe(&ring);

	(void)state;
	asyncring_prep_write(sqe, fd, buffer, 500, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	submit_and_use_again(fd, SYS_pwritev2);
	assert_int_equal(support_result(&ring, NULL), 500);
	assert_int_equal(length_of(copy), 500);
	assert_int_equal(length_of(fd), 0);
	close(fd);
	close(copy);
}

static void rule_8_other_operations_on_a_closed_file(void **state)
{
	int fd = support_file("/tmp", SIZE), copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct asyncring_sqe *sqe = support_sqe(&ring);

	(void)state;
	asyncring_prep_ftruncate(sqe, fd, 50);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	submit_and_use_again(fd, SYS_ftruncate);
	assert_int_equal(support_result(&ring, NULL), 0);
	assert_int_equal(length_of(copy), 50);
	assert_int_equal(length_of(fd), 0);
	close(fd);
	fd = fcntl(copy, F_DUPFD_CLOEXEC, 0);
	sqe = support_sqe(&ring);
	asyncring_prep_fsync(sqe, fd, 0);
	support_gate_close(&gate, SYS_fsync);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_gate_held(&gate, 1));
	close(fd);
	support_gate_open(&gate);
	assert_int_equal(support_result(&ring, NULL), 0);
	close(copy);
}

static void rule_8_both_files_of_a_splice(void **state)
{
	int in = support_file("/tmp", SIZE), ends[2], reader;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	reader = ends[0];
	asyncring_prep_splice(support_sqe(&ring), in, 0, ends[1], -1, 300, 0);
	support_gate_close(&gate, SYS_splice);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_gate_held(&gate, 1));
	use_again(in);
	use_again(ends[1]);
	support_gate_open(&gate);
	assert_int_equal(support_result(&ring, NULL), 300);
	assert_int_equal(read(reader, buffer, SIZE), 300);
	assert_true(support_content(buffer, 300, 0));
	assert_int_equal(length_of(ends[1]), 0);
	close(in);
	close(reader);
	close(ends[1]);
}

static void rule_8_waiting_for_a_closed_pipe(void **state)
{
	int ends[2], other[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(pipe2(other, O_CLOEXEC), 0);
	asyncring_prep_read(support_sqe(&ring), ends[0], buffer, SIZE, 0);
	assert_int_equal(asyncring_submit(&ring), 1);
	/* Another pipe, with data, takes its place. */
	assert_int_equal(dup3(other[0], ends[0], O_CLOEXEC), ends[0]);
	assert_int_equal(write(other[1], "wrong", 5), 5);
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	assert_int_equal(write(ends[1], "right", 5), 5);
	assert_int_equal(support_result(&ring, NULL), 5);
	assert_memory_equal(buffer, "right", 5);
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(other[i]);
	}
}

static void rule_8_registered_file_is_replaced(void **state)
{
	int fd = support_file("/tmp", SIZE), other = support_file("/tmp", 0);
	struct asyncring_sqe *sqe;

	(void)state;
	assert_int_equal(asyncring_register_files(&ring, &fd, 1), 0);
	close(fd);
	sqe = support_sqe(&ring);
	asyncring_prep_read(sqe, 0, buffer, SIZE, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC | ASYNCRING_SQE_FIXED_FILE;
	support_gate_close(&gate, SYS_preadv2);
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_gate_held(&gate, 1));
	assert_int_equal(asyncring_register_files_update(&ring, 0, &other, 1), 1);
	support_gate_open(&gate);
	assert_int_equal(support_result(&ring, NULL), SIZE);
	assert_true(support_content(buffer, SIZE, 0));
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	close(other);
}

/* Within one submission: a close between two requests on the same number. */
static void rule_8_close_within_a_submission(void **state)
{
	int fd = support_file("/tmp", SIZE);
	struct asyncring_sqe *sqe = support_sqe(&ring);
	int results[3];

	(void)state;
	asyncring_prep_read(sqe, fd, buffer, SIZE, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = 0;
	sqe = support_sqe(&ring);
	asyncring_prep_close(sqe, fd);
	sqe->user_data = 1;
	sqe = support_sqe(&ring);
	asyncring_prep_read(sqe, fd, buffer, SIZE, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = 2;
	assert_int_equal(asyncring_submit(&ring), 3);
	for (int i = 0; i < 3; i++) {
		uint64_t user_data;
		int result = support_result(&ring, &user_data);

		results[user_data] = result;
	}
	assert_int_equal(results[0], SIZE);
	assert_int_equal(results[1], 0);
	assert_int_equal(results[2], -EBADF);
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	atomic_store(&asyncring__waiters_only_wait, true);
	asyncring__sys_hook = at_the_gate;
	return asyncring_queue_init(8, &ring, 0);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_8_read_of_a_closed_file),
		cmocka_unit_test(rule_8_write_to_a_closed_file),
		cmocka_unit_test(rule_8_other_operations_on_a_closed_file),
		cmocka_unit_test(rule_8_both_files_of_a_splice),
		cmocka_unit_test(rule_8_waiting_for_a_closed_pipe),
		cmocka_unit_test(rule_8_registered_file_is_replaced),
		cmocka_unit_test(rule_8_close_within_a_submission),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
