/* SPDX-License-Identifier: MIT */
/*
 * Description: rule 5. Closing a ring with requests outstanding is a normal path, whatever stage
 * they are in: it returns, and afterwards no thread, descriptor or memory of the ring's is left and
 * nothing touches the application's memory. (Lost memory is for LeakSanitizer to find.)
 */
#include "support.h"

enum { ENTRIES = 16, SIZE = 4096, THREADS = 8 };

static char directory[] = "/tmp/asyncring-rule5-XXXXXX";
static char fifo[64];
static int file;
static struct support_gate gate;

static bool at_the_gate(long number, const long arguments[6], long *result)
{
	(void)arguments;
	(void)result;
	support_gate_pass(&gate, number);
	return false;
}

/* A ring with what its requests work on. The memory goes as soon as the ring is closed. */
struct scene {
	struct asyncring ring;
	unsigned char *memory;
	int ends[2];
};

static bool open_scene(struct scene *scene, unsigned flags)
{
	scene->memory =
		mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return scene->memory != MAP_FAILED && !pipe2(scene->ends, O_CLOEXEC) &&
	       !asyncring_queue_init(ENTRIES, &scene->ring, flags);
}

static void close_scene(struct scene *scene)
{
	asyncring_queue_exit(&scene->ring);
	munmap(scene->memory, SIZE);
	close(scene->ends[0]);
	close(scene->ends[1]);
}

/* An SQ thread may take its time to make room. */
static struct asyncring_sqe *next_sqe(struct scene *scene)
{
	struct asyncring_sqe *sqe;

	while (!(sqe = asyncring_get_sqe(&scene->ring)))
		asyncring_sqring_wait(&scene->ring);
	return sqe;
}

/* ---- the stages: each leaves its requests in flight ---- */

static void wait_for_pipe(struct scene *scene)
{
	for (int i = 0; i < 4; i++)
		asyncring_prep_read(next_sqe(scene), scene->ends[0], scene->memory, 100, 0);
	asyncring_submit(&scene->ring);
}

static void open_fifo(struct scene *scene)
{
	for (int i = 0; i < 4; i++) {
		struct asyncring_sqe *sqe = next_sqe(scene);

		asyncring_prep_openat(sqe, AT_FDCWD, fifo, O_RDONLY, 0);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
	}
	asyncring_submit(&scene->ring);
}

static void splice_from_empty_pipe(struct scene *scene)
{
	for (int i = 0; i < 2; i++)
		asyncring_prep_splice(next_sqe(scene), scene->ends[0], -1, file, 0, 10, 0);
	asyncring_submit(&scene->ring);
}

static void sync_and_write(struct scene *scene)
{
	for (int i = 0; i < ENTRIES; i++) {
		struct asyncring_sqe *sqe = next_sqe(scene);

		if (i % 2)
			asyncring_prep_write(sqe, file, scene->memory, SIZE, 0);
		else
			asyncring_prep_fsync(sqe, file, 0);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
	}
	asyncring_submit(&scene->ring);
}

static void drain(struct scene *scene)
{
	struct asyncring_sqe *sqe;

	wait_for_pipe(scene);
	sqe = next_sqe(scene);
	asyncring_prep_nop(sqe);
	sqe->flags |= ASYNCRING_SQE_IO_DRAIN;
	for (int i = 0; i < 3; i++)
		asyncring_prep_read(next_sqe(scene), file, scene->memory, 10, 0);
	asyncring_submit(&scene->ring);
}

static void link_chain(struct scene *scene)
{
	for (unsigned i = 0; i < 6; i++) {
		struct asyncring_sqe *sqe = next_sqe(scene);
		unsigned flags[2] = {ASYNCRING_SQE_IO_LINK, ASYNCRING_SQE_IO_HARDLINK};

		asyncring_prep_read(sqe, i ? file : scene->ends[0], scene->memory, 10, 0);
		if (i < 5)
			sqe->flags |= (unsigned char)flags[i % 2];
	}
	asyncring_submit(&scene->ring);
}

static void overflow(struct scene *scene)
{
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < ENTRIES; i++) {
			struct asyncring_sqe *sqe = next_sqe(scene);

			asyncring_prep_nop(sqe);
			sqe->flags |= i % 4 ? 0 : ASYNCRING_SQE_ASYNC;
		}
		asyncring_submit(&scene->ring);
	}
}

static void hold_registered(struct scene *scene)
{
	struct iovec vector = {scene->memory, SIZE};
	__u64 tag = 7;
	struct asyncring_sqe *sqe;

	asyncring_register_files_tags(&scene->ring, scene->ends, &tag, 1);
	asyncring_register_buffers(&scene->ring, &vector, 1);
	sqe = next_sqe(scene);
	asyncring_prep_read_fixed(sqe, 0, scene->memory, 10, 0, 0);
	sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
	asyncring_submit(&scene->ring);
}

static void prepare_only(struct scene *scene)
{
	for (int i = 0; i < ENTRIES; i++)
		asyncring_prep_read(next_sqe(scene), scene->ends[0], scene->memory, 10, 0);
}

static const struct {
	const char *name;
	void (*begin)(struct scene *scene);
} stages[] = {
	{"waiting for a pipe", wait_for_pipe},
	{"opening a FIFO", open_fifo},
	{"in splice", splice_from_empty_pipe},
	{"in fsync and write", sync_and_write},
	{"drained", drain},
	{"linked", link_chain},
	{"overflowed", overflow},
	{"holding registered resources", hold_registered},
	{"not submitted", prepare_only},
};

enum { STAGES = sizeof(stages) / sizeof(stages[0]) };

static void tear_down_at_every_stage(unsigned ring_flags)
{
	struct support_census before = support_census();

	for (unsigned i = 0; i < STAGES; i++) {
		for (int round = 0; round < 10; round++) {
			struct scene scene;

			assert_true(open_scene(&scene, ring_flags));
			stages[i].begin(&scene);
			close_scene(&scene);
		}
		if (!support_census_restored(&before))
			fail_msg("%s", stages[i].name);
	}
}

static void rule_5_tear_down_at_every_stage(void **state)
{
	(void)state;
	tear_down_at_every_stage(0);
}

static void rule_5_tear_down_with_deferred_completions(void **state)
{
	(void)state;
	tear_down_at_every_stage(ASYNCRING_SETUP_SINGLE_ISSUER | ASYNCRING_SETUP_DEFER_TASKRUN);
}

static void rule_5_tear_down_with_an_sq_thread(void **state)
{
	(void)state;
	tear_down_at_every_stage(ASYNCRING_SETUP_SQPOLL);
}

static void *let_through(void *argument)
{
	(void)argument;
	if (!support_gate_held(&gate, 1))
		return argument;
	for (int i = 0; i < 1000; i++)
		sched_yield();
	support_gate_open(&gate);
	return NULL;
}

/* What cannot be interrupted is waited for, and what is queued behind it is not begun. */
static void rule_5_tear_down_waits_for_a_call_in_progress(void **state)
{
	struct support_census before = support_census();
	pthread_t thread;
	struct scene scene;
	void *failed;

	(void)state;
	assert_true(open_scene(&scene, 0));
	support_gate_close(&gate, SYS_pwritev2);
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct asyncring_sqe *sqe = support_sqe(&scene.ring);

		memset(scene.memory, 'x', SIZE);
		/* None continues another: they would be begun together. */
		asyncring_prep_write(sqe, file, scene.memory, 1, 2 * i);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
	}
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(asyncring_submit(&scene.ring), ENTRIES);
	assert_true(support_gate_held(&gate, 1));
	assert_int_equal(pthread_create(&thread, NULL, let_through, &scene), 0);
	close_scene(&scene);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(atomic_load(&gate.held), 1);
	assert_int_equal(lseek(file, 0, SEEK_END), 1);
	assert_true(support_census_restored(&before));
}

/* ---- many rings, many threads ---- */

static _Atomic unsigned failures;

static void *make_and_break_rings(void *argument)
{
	unsigned rings = *(const unsigned *)argument;

	for (unsigned i = 0; i < rings; i++) {
		struct scene scene;

		if (!open_scene(&scene, 0)) {
			atomic_fetch_add(&failures, 1);
			break;
		}
		stages[i % STAGES].begin(&scene);
		close_scene(&scene);
	}
	return NULL;
}

static void rule_5_tear_down_of_a_thousand_rings(void **state)
{
	struct support_census before = support_census();
	unsigned rings = 1000 / THREADS / support_slowness() + STAGES;
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_and_break_rings, &rings),
				 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&failures), 0);
	assert_true(support_census_restored(&before));
}

/* All at once, with work in each. */
static void rule_5_tear_down_of_many_busy_rings(void **state)
{
	enum { RINGS = 100 };
	struct support_census before = support_census();
	static struct scene scenes[RINGS];

	(void)state;
	for (unsigned i = 0; i < RINGS; i++) {
		assert_true(open_scene(&scenes[i], 0));
		stages[i % STAGES].begin(&scenes[i]);
	}
	for (unsigned i = 0; i < RINGS; i++)
		close_scene(&scenes[i]);
	assert_true(support_census_restored(&before));
}

/* ---- a thread in a call ---- */

static _Atomic int waiter_tid;
static int waiter_result;

static void *wait_for_ever(void *argument)
{
	const struct asyncring *ring = argument;

	atomic_store(&waiter_tid, support_thread_id());
	waiter_result =
		asyncring_enter((unsigned)ring->ring_fd, 0, 1, ASYNCRING_ENTER_GETEVENTS, NULL);
	return NULL;
}

static bool waiter_is_known(void *argument)
{
	(void)argument;
	return atomic_load(&waiter_tid);
}

static void rule_5_tear_down_wakes_a_waiting_thread(void **state)
{
	struct support_census before = support_census();
	struct scene scene;
	pthread_t waiter;

	(void)state;
	for (int round = 0; round < 20; round++) {
		assert_true(open_scene(&scene, 0));
		atomic_store(&waiter_tid, 0);
		assert_int_equal(pthread_create(&waiter, NULL, wait_for_ever, &scene.ring), 0);
		assert_true(support_eventually(waiter_is_known, NULL));
		assert_true(support_asleep(atomic_load(&waiter_tid)));
		wait_for_pipe(&scene);
		close_scene(&scene);
		assert_int_equal(pthread_join(waiter, NULL), 0);
		assert_true(waiter_result < 0);
	}
	assert_true(support_census_restored(&before));
}

static int setup(void **state)
{
	(void)state;
	support_bound(180);
	atomic_store(&asyncring__waiters_only_wait, true);
	asyncring__sys_hook = at_the_gate;
	file = support_file("/tmp", SIZE);
	if (!mkdtemp(directory))
		return -1;
	snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
	return mkfifo(fifo, 0600);
}

static int teardown(void **state)
{
	(void)state;
	unlink(fifo);
	rmdir(directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_5_tear_down_at_every_stage),
		cmocka_unit_test(rule_5_tear_down_with_deferred_completions),
		cmocka_unit_test(rule_5_tear_down_with_an_sq_thread),
		cmocka_unit_test(rule_5_tear_down_waits_for_a_call_in_progress),
		cmocka_unit_test(rule_5_tear_down_of_a_thousand_rings),
		cmocka_unit_test(rule_5_tear_down_of_many_busy_rings),
		cmocka_unit_test(rule_5_tear_down_wakes_a_waiting_thread),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
