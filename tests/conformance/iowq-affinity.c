/* SPDX-License-Identifier: MIT */
/*
 * Description: IORING_REGISTER_IOWQ_AFF: the processors that worker threads may use.
 */
#include "rsrc_helpers.h"

static struct io_uring ring;

static int setup(void **state)
{
	(void)state;
	harness_init(&ring, 8, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	io_uring_unregister_iowq_aff(&ring);
	io_uring_queue_exit(&ring);
	return 0;
}

/* A thread that has its name may not have its place yet. */
static bool comes_to_run_on(pid_t thread, const cpu_set_t *wanted)
{
	uint64_t end = harness_now_ns() + HARNESS_WAIT_MS * 1000000ull * harness_timeout_factor();
	cpu_set_t got;

	while (!sched_getaffinity(thread, sizeof(got), &got)) {
		if (CPU_EQUAL(&got, wanted))
			return true;
		if (harness_now_ns() > end)
			return false;
		sched_yield();
	}
	return false;
}

/*
 * A worker that starts after the call runs where it was told. This must be the first test: workers
 * that exist already may stay where they are.
 */
static void new_worker_runs_there(void **state)
{
	cpu_set_t allowed, wanted, got;
	int input[2], output[2];
	int cpu = CPU_SETSIZE - 1;
	pid_t worker;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	while (!CPU_ISSET(cpu, &allowed))
		cpu--;
	CPU_ZERO(&wanted);
	CPU_SET(cpu, &wanted);
	assert_int_equal(io_uring_register_iowq_aff(&ring, sizeof(wanted), &wanted), 0);
	harness_pipe(input);
	harness_pipe(output);
	io_uring_prep_splice(harness_sqe(&ring), input[0], -1, output[1], -1, 8, 0);
	harness_submit(&ring, 1);
	worker = rsrc_wait_for_worker();
	assert_int_not_equal(worker, 0);
	assert_true(comes_to_run_on(worker, &wanted));
	/* The thread that submits is not moved. */
	assert_int_equal(sched_getaffinity(0, sizeof(got), &got), 0);
	assert_true(CPU_EQUAL(&got, &allowed));
	assert_int_equal(write(input[1], "a", 1), 1);
	assert_int_equal(harness_next(&ring).res, 1);
	harness_close_pipe(input);
	harness_close_pipe(output);
}

static void set_and_reset(void **state)
{
	cpu_set_t mask;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(mask), &mask), 0);
	assert_int_equal(io_uring_register_iowq_aff(&ring, sizeof(mask), &mask), 0);
	assert_int_equal(io_uring_register_iowq_aff(&ring, sizeof(mask), &mask), 0);
	assert_int_equal(io_uring_unregister_iowq_aff(&ring), 0);
	/* Nothing to reset is no error. */
	assert_int_equal(io_uring_unregister_iowq_aff(&ring), 0);
}

/* The mask may be shorter than the machine's, or longer. */
static void mask_sizes(void **state)
{
	enum { LONG_MASK = 8192 };
	unsigned char *mask = calloc(1, LONG_MASK);
	cpu_set_t allowed;

	(void)state;
	assert_non_null(mask);
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	memcpy(mask, &allowed, sizeof(allowed));
	assert_int_equal(io_uring_register_iowq_aff(&ring, 1, (cpu_set_t *)mask), 0);
	assert_int_equal(io_uring_register_iowq_aff(&ring, LONG_MASK, (cpu_set_t *)mask), 0);
	free(mask);
}

/* Processors that the machine cannot have are no error, and neither is no processor at all. */
static void processors_that_do_not_exist(void **state)
{
	cpu_set_t mask;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(mask), &mask), 0);
	CPU_SET(CPU_SETSIZE - 1, &mask);
	assert_int_equal(io_uring_register_iowq_aff(&ring, sizeof(mask), &mask), 0);
	CPU_ZERO(&mask);
	assert_int_equal(io_uring_register_iowq_aff(&ring, sizeof(mask), &mask), 0);
}

/* What the calling thread is bound to does not bind the workers. */
static void processors_of_others(void **state)
{
	cpu_set_t allowed, own, wanted;
	int first = 0, last = CPU_SETSIZE - 1;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	while (!CPU_ISSET(first, &allowed))
		first++;
	while (!CPU_ISSET(last, &allowed))
		last--;
	if (first == last)
		skip();
	CPU_ZERO(&own);
	CPU_SET(first, &own);
	CPU_ZERO(&wanted);
	CPU_SET(last, &wanted);
	assert_int_equal(sched_setaffinity(0, sizeof(own), &own), 0);
	assert_int_equal(io_uring_register_iowq_aff(&ring, sizeof(wanted), &wanted), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
}

static void arguments(void **state)
{
	unsigned fd = (unsigned)ring.ring_fd;
	cpu_set_t mask;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(mask), &mask), 0);
	assert_int_equal(io_uring_register_iowq_aff(&ring, 0, &mask), -EINVAL);
	assert_int_equal(io_uring_register_iowq_aff(&ring, sizeof(mask), NULL), -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_IOWQ_AFF, RSRC_BAD_POINTER, 8),
			 -EFAULT);
	assert_int_equal(io_uring_register(fd, IORING_UNREGISTER_IOWQ_AFF, &mask, 0), -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_UNREGISTER_IOWQ_AFF, NULL, 1), -EINVAL);
}

static void ring_with_an_sq_thread(void **state)
{
	struct io_uring other;
	cpu_set_t mask;

	(void)state;
	harness_init(&other, 4, IORING_SETUP_SQPOLL);
	assert_int_equal(sched_getaffinity(0, sizeof(mask), &mask), 0);
	assert_int_equal(io_uring_register_iowq_aff(&other, sizeof(mask), &mask), 0);
	assert_int_equal(io_uring_unregister_iowq_aff(&other), 0);
	io_uring_queue_exit(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_worker_runs_there),	    TEST(set_and_reset),	TEST(mask_sizes),
		TEST(processors_that_do_not_exist), TEST(processors_of_others), TEST(arguments),
		TEST(ring_with_an_sq_thread),
	};

	return harness_run(tests);
}
