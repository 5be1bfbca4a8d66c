/* SPDX-License-Identifier: MIT */
/*
 * Description: every registration with the first, the second, ... of its allocations failing: it
 * answers -ENOMEM, changes nothing, posts nothing and keeps nothing (a descriptor kept is counted
 * here, memory kept is LeakSanitizer's to find); with memory it then works.
 */
#include "support.h"

#include <sys/eventfd.h>

enum { PAGE = 4096, COUNT = 3, MANY = 100, HELD = 100 };

static struct asyncring ring, source;
static char memory[COUNT * PAGE];
static _Alignas(PAGE) char buffer_ring[PAGE];
static int pipe_fds[2], event_fd, held[HELD];

/* Allocations that may still succeed; negative: as many as are wanted. */
static int remaining = -1;

static bool allow(size_t size)
{
	(void)size;
	return remaining < 0 || remaining-- > 0;
}

static const __u64 tags[COUNT] = {71, 72, 73};

static int register_buffers(void)
{
	struct iovec vectors[COUNT];

	for (int i = 0; i < COUNT; i++)
		vectors[i] = (struct iovec){memory + i * PAGE, PAGE};
	return asyncring_register_buffers_tags(&ring, vectors, tags, COUNT);
}

static int register_sparse_buffers(void)
{
	return asyncring_register_buffers_sparse(&ring, COUNT);
}

static int unregister_buffers(void)
{
	return asyncring_unregister_buffers(&ring);
}

static int update_buffer(void)
{
	struct iovec vector = {memory, PAGE};

	return asyncring_register_buffers_update_tag(&ring, 1, &vector, tags, 1);
}

static int clone_buffers(void)
{
	return asyncring_clone_buffers(&ring, &source);
}

static int clone_into_larger(void)
{
	return asyncring_clone_buffers_offset(&ring, &source, 2 * COUNT, 0, 1,
					      ASYNCRING_REGISTER_DST_REPLACE);
}

static int register_files(void)
{
	const int fds[COUNT] = {pipe_fds[0], pipe_fds[1], pipe_fds[0]};

	return asyncring_register_files_tags(&ring, fds, tags, COUNT);
}

static int register_sparse_files(void)
{
	return asyncring_register_files_sparse(&ring, COUNT);
}

static int unregister_files(void)
{
	return asyncring_unregister_files(&ring);
}

static int update_file(void)
{
	return asyncring_register_files_update_tag(&ring, 1, pipe_fds, tags, 1);
}

static int update_file_anywhere(void)
{
	int fd = pipe_fds[0];

	/* Slot 0 at the first, which succeeds alone. */
	asyncring_prep_files_update(support_sqe(&ring), &fd, 1, (int)ASYNCRING_FILE_INDEX_ALLOC);
	return support_run(&ring);
}

static int register_personality(void)
{
	int id = asyncring_register_personality(&ring);

	return id > 0 ? asyncring_unregister_personality(&ring, id) : id;
}

static int register_eventfd(void)
{
	return asyncring_register_eventfd(&ring, event_fd);
}

static int unregister_eventfd(void)
{
	return asyncring_unregister_eventfd(&ring);
}

static int register_buffer_ring(void)
{
	struct asyncring_buf_reg reg = {
		.ring_addr = (uintptr_t)buffer_ring,
		.ring_entries = 8,
		.bgid = 300,
	};

	return asyncring_register_buf_ring(&ring, &reg, 0);
}

static int unregister_buffer_ring(void)
{
	return asyncring_unregister_buf_ring(&ring, 300);
}

static int provide_buffers(void)
{
	/* More than there is room for when a group is made. */
	asyncring_prep_provide_buffers(support_sqe(&ring), memory, 1, 100, 600, 0);
	return support_run(&ring);
}

static int remove_buffers(void)
{
	asyncring_prep_remove_buffers(support_sqe(&ring), 1000, 600);
	return support_run(&ring) == 100 ? 0 : -1;
}

static int nothing(void)
{
	return 0;
}

struct attempt {
	const char *name;
	int (*prepare)(void), (*attempt)(void), (*undo)(void);
	int success;
	int completions; /* tags that undoing gives */
};

static const struct attempt attempts[] = {
	{"buffers", nothing, register_buffers, unregister_buffers, 0, COUNT},
	{"sparse buffers", nothing, register_sparse_buffers, unregister_buffers, 0, 0},
	{"buffer update", register_sparse_buffers, update_buffer, unregister_buffers, 1, 1},
	{"clone", nothing, clone_buffers, unregister_buffers, 0, 0},
	{"clone behind", register_sparse_buffers, clone_into_larger, unregister_buffers, 0, 0},
	{"files", nothing, register_files, unregister_files, 0, COUNT},
	{"sparse files", nothing, register_sparse_files, unregister_files, 0, 0},
	{"file update", register_sparse_files, update_file, unregister_files, 1, 1},
	{"file anywhere", register_sparse_files, update_file_anywhere, unregister_files, 1, 0},
	{"personality", nothing, register_personality, nothing, 0, 0},
	{"buffer ring", nothing, register_buffer_ring, unregister_buffer_ring, 0, 0},
	{"provided buffers", nothing, provide_buffers, remove_buffers, 0, 0},
	{"eventfd", nothing, register_eventfd, unregister_eventfd, 0, 0},
};

/*
 * Let the allocation after @allowed others fail; whether the attempt succeeded all the same. What
 * the library has kept of files that are gone is in use meanwhile, so that it serves no attempt.
 */
static bool try(const struct attempt *attempt, int allowed)
{
	struct support_census census = support_census();
	int result;

	assert_int_equal(asyncring_register_files(&source, held, HELD), 0);
	remaining = allowed;
	result = attempt->attempt();
	remaining = -1;
	assert_int_equal(asyncring_unregister_files(&source), 0);
	if (result == attempt->success)
		return true;
	if (result != -ENOMEM)
		print_error("%s, allocation %d\n", attempt->name, allowed);
	assert_int_equal(result, -ENOMEM);
	assert_true(support_census_restored(&census));
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	return false;
}

static void each_allocation_fails_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		const struct attempt *attempt = &attempts[i];
		struct support_census census = support_census();
		int allowed = 0;

		assert_int_equal(attempt->prepare(), 0);
		while (!try(attempt, allowed)) {
			allowed++;
			assert_in_range(allowed, 1, MANY);
		}
		/* It allocates, or it has no place here. */
		assert_int_not_equal(allowed, 0);
		assert_int_equal(attempt->undo(), 0);
		assert_int_equal(asyncring_cq_ready(&ring), attempt->completions);
		asyncring_cq_advance(&ring, (unsigned)attempt->completions);
		assert_true(support_census_restored(&census));
	}
}

/* A thread's table of registered rings is made when it is first used. */
static int answers[2];

static void *register_ring_fd(void *argument)
{
	struct asyncring_rsrc_update update = {.offset = 0, .data = (unsigned)ring.ring_fd};

	remaining = 0;
	answers[0] =
		asyncring_register((unsigned)ring.ring_fd, ASYNCRING_REGISTER_RING_FDS, &update, 1);
	remaining = -1;
	answers[1] =
		asyncring_register((unsigned)ring.ring_fd, ASYNCRING_REGISTER_RING_FDS, &update, 1);
	/* The slot goes with the thread. */
	return argument;
}

static void ring_descriptors(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, register_ring_fd, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(answers[0], -ENOMEM);
	assert_int_equal(answers[1], 1);
}

static int setup(void **state)
{
	struct iovec vector = {memory, PAGE};

	(void)state;
	support_bound(60);
	asyncring__alloc_hook = allow;
	event_fd = eventfd(0, EFD_CLOEXEC);
	if (event_fd < 0 || pipe2(pipe_fds, O_CLOEXEC))
		return -1;
	if (asyncring_queue_init(8, &ring, 0) || asyncring_queue_init(8, &source, 0))
		return -1;
	for (int i = 0; i < HELD; i++) {
		held[i] = dup(event_fd);
		if (held[i] < 0)
			return -1;
	}
	/* So that there are free requests. */
	asyncring_prep_nop(support_sqe(&ring));
	return support_run(&ring) ? -1 : asyncring_register_buffers(&source, &vector, 1);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	asyncring_queue_exit(&source);
	for (int i = 0; i < HELD; i++)
		close(held[i]);
	close(event_fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_fails_once),
		cmocka_unit_test(ring_descriptors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
