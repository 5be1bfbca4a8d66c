/* SPDX-License-Identifier: MIT */
/*
 * Description: tags on registered buffers: one completion when the last user of a replaced buffer
 * is gone and not before, silence for tag 0, none where a registration or an update fails.
 */
#include "rsrc_helpers.h"

#define PAGE 4096

static struct io_uring ring;
static char *memory;
static struct iovec buffers[4];

static int setup(void **state)
{
	(void)state;
	harness_init(&ring, 8, 0);
	memory = rsrc_map(4 * PAGE, PROT_READ | PROT_WRITE);
	for (int i = 0; i < 4; i++)
		buffers[i] = (struct iovec){memory + i * PAGE, PAGE};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	io_uring_queue_exit(&ring);
	munmap(memory, 4 * PAGE);
	return 0;
}

static void assert_tag(uint64_t tag)
{
	struct harness_cqe cqe = harness_next(&ring);

	harness_assert_cqe(cqe, tag, 0);
	assert_int_equal(cqe.flags, 0);
}

static int register_tagged(const struct iovec *vector, const uint64_t *tags, unsigned count)
{
	return io_uring_register_buffers_tags(&ring, vector, (const __u64 *)tags, count);
}

static int update_tagged(unsigned offset, const struct iovec *vector, const uint64_t *tags,
			 unsigned count)
{
	return io_uring_register_buffers_update_tag(&ring, offset, vector, (const __u64 *)tags,
						    count);
}

static void start_reading(int fd, char *addr, unsigned len, int index, uint64_t user_data)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_read_fixed(sqe, fd, addr, len, 0, index);
	sqe->user_data = user_data;
	harness_submit(&ring, 1);
	harness_assert_empty(&ring);
}

static void unregister_gives_all_tags(void **state)
{
	const uint64_t tags[4] = {100, 0, 102, UINT64_MAX};
	uint64_t seen[3];

	(void)state;
	assert_int_equal(register_tagged(buffers, tags, 4), 0);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	for (int i = 0; i < 3; i++) {
		struct harness_cqe cqe = harness_next(&ring);

		assert_int_equal(cqe.res, 0);
		assert_int_equal(cqe.flags, 0);
		seen[i] = cqe.user_data;
		for (int j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
		assert_true(seen[i] == 100 || seen[i] == 102 || seen[i] == UINT64_MAX);
	}
	harness_assert_empty(&ring);
}

static void update_gives_the_replaced_tag(void **state)
{
	const uint64_t tags[2] = {10, 20};
	const uint64_t next[1] = {30};
	const uint64_t none[1] = {0};
	const struct iovec empty = {NULL, 0};

	(void)state;
	assert_int_equal(register_tagged(buffers, tags, 2), 0);
	assert_int_equal(update_tagged(0, &buffers[2], next, 1), 1);
	assert_tag(10);
	harness_assert_empty(&ring);
	assert_int_equal(update_tagged(0, &buffers[3], none, 1), 1);
	assert_tag(30);
	assert_int_equal(update_tagged(0, &empty, none, 1), 1);
	harness_assert_empty(&ring);
	assert_int_equal(update_tagged(1, &empty, NULL, 1), 1);
	assert_tag(20);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	harness_assert_empty(&ring);
}

static void tag_without_buffer_is_refused(void **state)
{
	const uint64_t tags[3] = {10, 20, 30};
	const struct iovec holed[3] = {buffers[0], {NULL, 0}, buffers[2]};

	(void)state;
	assert_int_equal(register_tagged(holed, tags, 3), -EINVAL);
	assert_int_equal(io_uring_unregister_buffers(&ring), -ENXIO);
	harness_assert_empty(&ring);
	assert_int_equal(rsrc_register_buffers2(&ring,
						(struct io_uring_rsrc_register){
							.nr = 3,
							.flags = IORING_RSRC_REGISTER_SPARSE,
							.tags = rsrc_address(tags),
						}),
			 -EINVAL);
	assert_int_equal(rsrc_register_buffers2(&ring,
						(struct io_uring_rsrc_register){
							.nr = 3,
							.tags = rsrc_address(tags),
						}),
			 -EINVAL);
	harness_assert_empty(&ring);

	assert_int_equal(io_uring_register_buffers(&ring, buffers, 3), 0);
	assert_int_equal(update_tagged(0, &holed[1], tags, 1), -EINVAL);
	harness_assert_empty(&ring);
	assert_int_equal(update_tagged(0, holed, tags, 3), 1);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	assert_tag(10);
	harness_assert_empty(&ring);
}

static void failed_registration_is_silent(void **state)
{
	const uint64_t tags[3] = {10, 20, 30};
	const struct iovec vector[3] = {buffers[0], {RSRC_BAD_POINTER, PAGE}, buffers[2]};

	(void)state;
	assert_int_equal(register_tagged(vector, tags, 3), -EFAULT);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_unregister_buffers(&ring), -ENXIO);
	harness_assert_empty(&ring);
}

/* A buffer that could not be replaced stays, and so does its tag. */
static void failed_update_keeps_the_tag(void **state)
{
	const uint64_t tags[2] = {10, 20};
	const uint64_t next[2] = {30, 40};
	const struct iovec vector[2] = {buffers[2], {RSRC_BAD_POINTER, PAGE}};

	(void)state;
	assert_int_equal(register_tagged(buffers, tags, 2), 0);
	assert_int_equal(update_tagged(0, vector, next, 2), 1);
	assert_tag(10);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	assert_int_equal(harness_next(&ring).user_data + harness_next(&ring).user_data, 50);
	harness_assert_empty(&ring);
}

static void tag_waits_for_the_last_user(void **state)
{
	const uint64_t tag = 77;
	struct harness_cqe cqes[3];
	int fds[2];

	(void)state;
	harness_pipe(fds);
	assert_int_equal(register_tagged(buffers, &tag, 1), 0);
	start_reading(fds[0], memory, 8, 0, 1);
	start_reading(fds[0], memory + 8, 8, 0, 2);
	assert_int_equal(update_tagged(0, &buffers[1], NULL, 1), 1);
	harness_assert_empty(&ring);
	assert_int_equal(write(fds[1], "12345678", 8), 8);
	harness_reap(&ring, cqes, 1);
	assert_int_equal(cqes[0].res, 8);
	harness_nop(&ring, 3);
	assert_int_equal(harness_complete(&ring).user_data, 3);
	harness_assert_empty(&ring);
	assert_int_equal(write(fds[1], "12345678", 8), 8);
	harness_reap(&ring, cqes + 1, 2);
	assert_int_equal(cqes[0].user_data + cqes[1].user_data, 3);
	assert_int_equal(cqes[1].res, 8);
	harness_assert_cqe(cqes[2], 77, 0);
	harness_close_pipe(fds);
}

static void tag_waits_after_unregister_too(void **state)
{
	const uint64_t tag = 78;
	struct harness_cqe cqes[2];
	int fds[2];

	(void)state;
	harness_pipe(fds);
	assert_int_equal(register_tagged(buffers, &tag, 1), 0);
	start_reading(fds[0], memory, 8, 0, 1);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	harness_assert_empty(&ring);
	assert_int_equal(write(fds[1], "1234", 4), 4);
	harness_reap(&ring, cqes, 2);
	harness_assert_cqe(cqes[0], 1, 4);
	harness_assert_cqe(cqes[1], 78, 0);
	harness_close_pipe(fds);
}

/* A cancelled request is one user less as well. */
static void cancelled_user_releases_the_tag(void **state)
{
	const uint64_t tag = 79;
	struct io_uring_sqe *sqe;
	struct harness_cqe cqe;
	bool released = false;
	int fds[2];

	(void)state;
	harness_pipe(fds);
	assert_int_equal(register_tagged(buffers, &tag, 1), 0);
	start_reading(fds[0], memory, 8, 0, 1);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	sqe = harness_sqe(&ring);
	io_uring_prep_cancel64(sqe, 1, 0);
	sqe->user_data = 2;
	harness_submit(&ring, 1);
	for (int i = 0; i < 3; i++) {
		cqe = harness_next(&ring);
		if (cqe.user_data == 1)
			assert_int_equal(cqe.res, -ECANCELED);
		else
			assert_int_equal(cqe.res, 0);
		released |= cqe.user_data == 79;
	}
	assert_true(released);
	harness_assert_empty(&ring);
	harness_close_pipe(fds);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unregister_gives_all_tags),      TEST(update_gives_the_replaced_tag),
		TEST(tag_without_buffer_is_refused),  TEST(failed_registration_is_silent),
		TEST(failed_update_keeps_the_tag),    TEST(tag_waits_for_the_last_user),
		TEST(tag_waits_after_unregister_too), TEST(cancelled_user_releases_the_tag),
	};

	return harness_run(tests);
}
