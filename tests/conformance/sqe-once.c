/* SPDX-License-Identifier: MIT */
/*
 * Description: once submit has returned, SQEs and everything they point to but the data buffers may
 * be overwritten, whatever the request is still waiting for.
 *
 * Each test submits a request that cannot finish yet (a read of an empty pipe, or something behind
 * one), ruins all that was handed over, then lets it finish and looks at what was read.
 */
#include "harness.h"

#define RUINS 0xee

enum { FIRST = 1, SECOND = 2 };

struct scene {
	struct io_uring ring;
	int pipe_fds[2];
	int file;
	char directory[PATH_MAX];
};

static void set_scene(struct scene *scene)
{
	harness_init(&scene->ring, 8, 0);
	harness_pipe(scene->pipe_fds);
	scene->file = harness_temp_file(4096);
	harness_temp_dir(scene->directory);
}

static void clear_scene(struct scene *scene)
{
	harness_remove_tree(scene->directory);
	close(scene->file);
	harness_close_pipe(scene->pipe_fds);
	io_uring_queue_exit(&scene->ring);
}

static void ruin_sqes(struct io_uring *ring)
{
	memset(ring->sq.sqes, RUINS, 8 * sizeof(struct io_uring_sqe));
}

static void feed_pipe(struct scene *scene, const char *text)
{
	assert_int_equal(write(scene->pipe_fds[1], text, strlen(text)), strlen(text));
}

/* A read of the empty pipe in front, which everything else waits for. */
static void queue_pipe_read(struct scene *scene, char *byte, unsigned flags)
{
	struct io_uring_sqe *sqe = harness_sqe(&scene->ring);

	io_uring_prep_read(sqe, scene->pipe_fds[0], byte, 1, 0);
	sqe->flags = (uint8_t)flags;
	sqe->user_data = FIRST;
}

static void a_waiting_read(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		struct scene scene;
		char byte = 0;

		set_scene(&scene);
		queue_pipe_read(&scene, &byte, flags[i]);
		harness_submit(&scene.ring, 1);
		ruin_sqes(&scene.ring);
		feed_pipe(&scene, "x");
		harness_assert_cqe(harness_next(&scene.ring), FIRST, 1);
		assert_int_equal(byte, 'x');
		clear_scene(&scene);
	}
}

static void iovecs_of_a_waiting_readv(void **state)
{
	static const unsigned flags[] = {0, IOSQE_ASYNC};
	static const unsigned counts[] = {1, 3, 40};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(flags) * ARRAY_SIZE(counts); i++) {
		unsigned count = counts[i / ARRAY_SIZE(flags)];
		struct iovec *iovecs = calloc(count, sizeof(*iovecs));
		struct io_uring_sqe *sqe;
		struct scene scene;
		char text[40];

		set_scene(&scene);
		memset(text, '-', sizeof(text));
		for (unsigned j = 0; j < count; j++)
			iovecs[j] = (struct iovec){.iov_base = &text[j], .iov_len = 1};
		sqe = harness_sqe(&scene.ring);
		io_uring_prep_readv(sqe, scene.pipe_fds[0], iovecs, count, 0);
		sqe->flags = (uint8_t)flags[i % ARRAY_SIZE(flags)];
		sqe->user_data = FIRST;
		harness_submit(&scene.ring, 1);
		ruin_sqes(&scene.ring);
		memset(iovecs, RUINS, count * sizeof(*iovecs));
		free(iovecs);
		feed_pipe(&scene, "abc");
		harness_assert_cqe(harness_next(&scene.ring), FIRST, count < 3 ? 1 : 3);
		assert_memory_equal(text, "abc", count < 3 ? 1 : 3);
		clear_scene(&scene);
	}
}

/* Something that has to wait for the pipe read, and what it is to read. */
struct behind {
	unsigned first_flags, second_flags;
};

static const struct behind waits[] = {
	{IOSQE_IO_LINK, 0},
	{IOSQE_IO_HARDLINK, 0},
	{IOSQE_IO_LINK, IOSQE_ASYNC},
	{0, IOSQE_IO_DRAIN},
	{0, IOSQE_IO_DRAIN | IOSQE_ASYNC},
};

/* Submit the prepared second SQE behind the pipe read; both must be pending. */
static void submit_both(struct scene *scene, struct io_uring_sqe *second, const struct behind *how)
{
	second->flags = (uint8_t)how->second_flags;
	second->user_data = SECOND;
	harness_submit(&scene->ring, 2);
	harness_assert_empty(&scene->ring);
	ruin_sqes(&scene->ring);
}

static int finish_both(struct scene *scene)
{
	struct harness_cqe cqes[2];

	feed_pipe(scene, "x");
	harness_reap(&scene->ring, cqes, 2);
	harness_assert_cqe(cqes[0], FIRST, 1);
	assert_int_equal(cqes[1].user_data, SECOND);
	return cqes[1].res;
}

static void iovecs_behind_a_link_or_drain(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(waits); i++) {
		char byte, text[2][8];
		struct iovec iovecs[2] = {
			{.iov_base = text[0], .iov_len = 8},
			{.iov_base = text[1], .iov_len = 8},
		};
		struct io_uring_sqe *second;
		struct scene scene;

		set_scene(&scene);
		queue_pipe_read(&scene, &byte, waits[i].first_flags);
		second = harness_sqe(&scene.ring);
		io_uring_prep_readv(second, scene.file, iovecs, 2, 100);
		submit_both(&scene, second, &waits[i]);
		memset(iovecs, RUINS, sizeof(iovecs));
		assert_int_equal(finish_both(&scene), 16);
		for (unsigned j = 0; j < 16; j++)
			assert_int_equal((unsigned char)text[j / 8][j % 8], harness_byte(100 + j));
		clear_scene(&scene);
	}
}

static void a_path_behind_a_link_or_drain(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(waits); i++) {
		char byte, path[PATH_MAX + 8], kept[PATH_MAX + 8];
		struct io_uring_sqe *second;
		struct scene scene;

		set_scene(&scene);
		snprintf(path, sizeof(path), "%s/made", scene.directory);
		strcpy(kept, path);
		queue_pipe_read(&scene, &byte, waits[i].first_flags);
		second = harness_sqe(&scene.ring);
		io_uring_prep_mkdirat(second, AT_FDCWD, path, 0700);
		submit_both(&scene, second, &waits[i]);
		memset(path, RUINS, sizeof(path));
		assert_int_equal(access(kept, F_OK), -1);
		assert_int_equal(finish_both(&scene), 0);
		assert_int_equal(access(kept, F_OK), 0);
		clear_scene(&scene);
	}
}

static void two_paths_behind_a_link_or_drain(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(waits); i++) {
		char byte, from[PATH_MAX + 8], to[PATH_MAX + 8], kept[PATH_MAX + 8];
		struct io_uring_sqe *second;
		struct scene scene;

		set_scene(&scene);
		snprintf(from, sizeof(from), "%s/from", scene.directory);
		snprintf(to, sizeof(to), "%s/to", scene.directory);
		strcpy(kept, to);
		assert_int_equal(mkdir(from, 0700), 0);
		queue_pipe_read(&scene, &byte, waits[i].first_flags);
		second = harness_sqe(&scene.ring);
		io_uring_prep_renameat(second, AT_FDCWD, from, AT_FDCWD, to, 0);
		submit_both(&scene, second, &waits[i]);
		memset(from, RUINS, sizeof(from));
		memset(to, RUINS, sizeof(to));
		assert_int_equal(finish_both(&scene), 0);
		assert_int_equal(access(kept, F_OK), 0);
		clear_scene(&scene);
	}
}

static void open_how_behind_a_link_or_drain(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(waits); i++) {
		char byte, path[PATH_MAX + 8];
		struct open_how how = {.flags = O_WRONLY | O_CREAT | O_CLOEXEC, .mode = 0600};
		struct io_uring_sqe *second;
		struct scene scene;
		int fd;

		set_scene(&scene);
		snprintf(path, sizeof(path), "%s/opened", scene.directory);
		queue_pipe_read(&scene, &byte, waits[i].first_flags);
		second = harness_sqe(&scene.ring);
		io_uring_prep_openat2(second, AT_FDCWD, path, &how);
		submit_both(&scene, second, &waits[i]);
		memset(&how, RUINS, sizeof(how));
		memset(path, RUINS, sizeof(path));
		fd = finish_both(&scene);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, "x", 1), 1);
		close(fd);
		clear_scene(&scene);
	}
}

/* The SQ slots are free for the next batch as soon as the first has been taken. */
static void slots_are_reused_while_requests_wait(void **state)
{
	struct scene scene;
	char bytes[64];
	bool seen[64] = {false};

	(void)state;
	set_scene(&scene);
	for (unsigned i = 0; i < 64; i++) {
		struct io_uring_sqe *sqe = harness_sqe(&scene.ring);

		io_uring_prep_read(sqe, scene.pipe_fds[0], &bytes[i], 1, 0);
		sqe->user_data = i;
		if (i % 8 == 7)
			harness_submit(&scene.ring, 8);
	}
	harness_assert_empty(&scene.ring);
	memset(bytes, 0, sizeof(bytes));
	for (unsigned i = 0; i < 64; i++) {
		struct harness_cqe cqe;

		feed_pipe(&scene, "z");
		cqe = harness_next(&scene.ring);
		assert_int_equal(cqe.res, 1);
		assert_in_range(cqe.user_data, 0, 63);
		assert_false(seen[cqe.user_data]);
		seen[cqe.user_data] = true;
		assert_int_equal(bytes[cqe.user_data], 'z');
	}
	harness_assert_empty(&scene.ring);
	clear_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_waiting_read),
		cmocka_unit_test(iovecs_of_a_waiting_readv),
		cmocka_unit_test(iovecs_behind_a_link_or_drain),
		cmocka_unit_test(a_path_behind_a_link_or_drain),
		cmocka_unit_test(two_paths_behind_a_link_or_drain),
		cmocka_unit_test(open_how_behind_a_link_or_drain),
		cmocka_unit_test(slots_are_reused_while_requests_wait),
	};

	return harness_run(tests);
}
