/* SPDX-License-Identifier: MIT */
/*
 * Description: fork() at any moment, with rings, workers and an SQ thread at work and rings being
 * made and closed.
 *
 * What must hold: the parent's requests do not notice; each child is told that the parent's rings
 * are not its own, has rings that work, and leaves.
 */
#include <sys/wait.h>

#include "fork_allocator.h"
#include "stress.h"

enum { THREADS = 4, CHILDREN = 60, CHILD_SECONDS = 10 };

static _Atomic bool stop;
static _Atomic int parents_ring = -1;

/*
 * To where writes go: most of them past the page cache, by a context of the kernel's, of which a
 * child inherits nothing but the memory.
 */
static int some_file(unsigned number)
{
	int file = stress_file("", 0);

	if (number % 4 != 1 && fcntl(file, F_SETFL, O_DIRECT))
		check_equal(errno, EINVAL);
	return file;
}

/* Reads of a pipe, some of them cancelled, and writes to a file. */
static void some_work(struct asyncring *ring, struct random *random, int file)
{
	static const unsigned char page[4096] __attribute__((aligned(4096))) = "p";
	char byte = 0;
	struct asyncring_sqe *sqe;
	int ends[2];
	bool cancel = random_chance(random, 30);

	stress_pipe(ends);
	sqe = stress_sqe(ring, 0);
	asyncring_prep_read(sqe, ends[0], &byte, 1, 0);
	stress_name(sqe, 1, random_chance(random, 50) ? ASYNCRING_SQE_ASYNC : 0);
	sqe = stress_sqe(ring, 0);
	asyncring_prep_write(sqe, file, page, sizeof(page), 0);
	stress_name(sqe, 2, random_chance(random, 50) ? ASYNCRING_SQE_ASYNC : 0);
	stress_submit(ring, 2);
	if (cancel) {
		sqe = stress_sqe(ring, 0);
		asyncring_prep_cancel64(sqe, 1, 0);
		stress_name(sqe, 3, 0);
		stress_submit(ring, 1);
	}
	check_equal(write(ends[1], "x", 1), 1);
	for (unsigned left = cancel ? 3 : 2; left; left--) {
		struct completion cqe = stress_next(ring);

		switch (cqe.user_data) {
		case 1:
			check(cqe.res == 1 ? byte == 'x' : cancel && byte == 0);
			break;
		case 2:
			check_equal(cqe.res, sizeof(page));
			break;
		default:
			check_equal(cqe.user_data, 3);
			check(cqe.res == 0 || cqe.res == -ENOENT || cqe.res == -EALREADY);
		}
	}
	stress_close_pipe(ends);
}

static void *working_thread(void *argument)
{
	static const unsigned flags[THREADS] = {
		0,
		ASYNCRING_SETUP_SQPOLL,
		ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN,
		0,
	};
	unsigned number = (unsigned)(uintptr_t)argument;
	struct random random = random_stream(number);
	bool short_lived = number == THREADS - 1;
	struct asyncring ring;
	int file = some_file(number);

	stress_ring(&ring, 8, flags[number]);
	if (!number)
		atomic_store(&parents_ring, ring.ring_fd);
	while (!atomic_load(&stop)) {
		some_work(&ring, &random, file);
		if (!short_lived)
			continue;
		asyncring_queue_exit(&ring);
		stress_ring(&ring, 8, 0);
	}
	asyncring_queue_exit(&ring);
	close(file);
	return NULL;
}

/* Only this thread is left; the program's memory is as the parent's was. */
static int childhood(unsigned number)
{
	static const unsigned flags[] = {0, ASYNCRING_SETUP_SQPOLL};
	struct random random = random_stream(1000 + number);
	int inherited = atomic_load(&parents_ring);
	struct asyncring ring;
	int file;

	alarm(CHILD_SECONDS * 8);
	check_equal(asyncring_enter((unsigned)inherited, 1, 1, ASYNCRING_ENTER_GETEVENTS, NULL),
		    -EEXIST);
	if (random_chance(&random, 50))
		check_equal(asyncring_close(inherited), 0);
	file = some_file(number);
	stress_ring(&ring, 8, flags[random_below(&random, ARRAY_SIZE(flags))]);
	for (unsigned i = 0; i < 5; i++)
		some_work(&ring, &random, file);
	asyncring_queue_exit(&ring);
	return 0;
}

static void children_and_parent_do_not_disturb_each_other(void **state)
{
	uint64_t start = stress_now_ns();
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		stress_thread(&threads[i], working_thread, (void *)(uintptr_t)i);
	while (atomic_load(&parents_ring) < 0)
		sched_yield();
	for (unsigned i = 0; i < CHILDREN && stress_time_left(start); i++) {
		int status = 0;
		pid_t child;

		fflush(NULL);
		child = fork();
		check(child >= 0);
		if (!child)
			_exit(childhood(i));
		check_equal(waitpid(child, &status, 0), child);
		check(WIFEXITED(status));
		check_equal(WEXITSTATUS(status), 0);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		stress_join(threads[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(children_and_parent_do_not_disturb_each_other),
	};

	fork_allocator_take_part();
	return stress_run(tests);
}
