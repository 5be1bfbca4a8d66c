/* SPDX-License-Identifier: MIT */
/*
 * Description: tags on registered files: one completion when the last user of a replaced file is
 * gone and not before, silence for tag 0, none where a registration or an update fails.
 */
#include "rsrc_helpers.h"

static struct io_uring ring;
static int files[4]; /* marks 1 to 4 */

static int setup(void **state)
{
	(void)state;
	harness_init(&ring, 8, 0);
	for (int i = 0; i < 4; i++)
		files[i] = rsrc_marked_file(i + 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		close(files[i]);
	io_uring_queue_exit(&ring);
	return 0;
}

static void assert_tag(uint64_t tag)
{
	struct harness_cqe cqe = harness_next(&ring);

	harness_assert_cqe(cqe, tag, 0);
	assert_int_equal(cqe.flags, 0);
}

static int register_tagged(const int *fds, const uint64_t *tags, unsigned count)
{
	return io_uring_register_files_tags(&ring, fds, (const __u64 *)tags, count);
}

static int update_tagged(unsigned offset, const int *fds, const uint64_t *tags, unsigned count)
{
	return io_uring_register_files_update_tag(&ring, offset, fds, (const __u64 *)tags, count);
}

/* Every tag comes once; the order among them is not the application's business. */
static void unregister_gives_all_tags(void **state)
{
	const uint64_t tags[4] = {100, 0, 102, UINT64_MAX};
	uint64_t seen[3];

	(void)state;
	assert_int_equal(register_tagged(files, tags, 4), 0);
	harness_assert_empty(&ring);
	assert_int_equal(rsrc_slot_mark(&ring, 0), 1);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
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
	const int empty = -1;

	(void)state;
	assert_int_equal(register_tagged(files, tags, 2), 0);
	assert_int_equal(update_tagged(0, &files[2], next, 1), 1);
	assert_tag(10);
	harness_assert_empty(&ring);
	/* An update without tags leaves an untagged entry. */
	assert_int_equal(io_uring_register_files_update(&ring, 0, &files[3], 1), 1);
	assert_tag(30);
	assert_int_equal(io_uring_register_files_update(&ring, 0, &empty, 1), 1);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_register_files_update(&ring, 1, &empty, 1), 1);
	assert_tag(20);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	harness_assert_empty(&ring);
}

static void skipped_entry_keeps_its_tag(void **state)
{
	const uint64_t tags[2] = {10, 20};
	const uint64_t none[2] = {0, 0};
	const int fds[2] = {IORING_REGISTER_FILES_SKIP, files[2]};

	(void)state;
	assert_int_equal(register_tagged(files, tags, 2), 0);
	assert_int_equal(update_tagged(0, fds, none, 2), 2);
	assert_tag(20);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_tag(10);
	harness_assert_empty(&ring);
}

/* A file that is put in its own place is still a new entry. */
static void same_file_again_gives_the_tag(void **state)
{
	const uint64_t tag = 5;

	(void)state;
	assert_int_equal(register_tagged(files, &tag, 1), 0);
	assert_int_equal(update_tagged(0, files, &tag, 1), 1);
	assert_tag(5);
	assert_int_equal(rsrc_slot_mark(&ring, 0), 1);
	harness_assert_empty(&ring);
}

static void tag_without_file_is_refused(void **state)
{
	const uint64_t tags[3] = {10, 20, 30};
	const int holed[3] = {files[0], -1, files[2]};
	const int skipping[1] = {IORING_REGISTER_FILES_SKIP};

	(void)state;
	assert_int_equal(register_tagged(holed, tags, 3), -EINVAL);
	assert_int_equal(io_uring_unregister_files(&ring), -ENXIO);
	harness_assert_empty(&ring);
	assert_int_equal(rsrc_register_files2(&ring,
					      (struct io_uring_rsrc_register){
						      .nr = 3,
						      .flags = IORING_RSRC_REGISTER_SPARSE,
						      .tags = rsrc_address(tags),
					      }),
			 -EINVAL);
	assert_int_equal(rsrc_register_files2(&ring,
					      (struct io_uring_rsrc_register){
						      .nr = 3,
						      .tags = rsrc_address(tags),
					      }),
			 -EINVAL);
	harness_assert_empty(&ring);

	assert_int_equal(io_uring_register_files(&ring, files, 3), 0);
	assert_int_equal(update_tagged(0, &holed[1], tags, 1), -EINVAL);
	assert_int_equal(update_tagged(0, skipping, tags, 1), -EINVAL);
	/* Refused before anything was touched. */
	assert_int_equal(rsrc_slot_mark(&ring, 0), 1);
	harness_assert_empty(&ring);
	/* The entries in front of it are done. */
	assert_int_equal(update_tagged(0, holed, tags, 3), 1);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_tag(10);
	harness_assert_empty(&ring);
}

static void failed_registration_is_silent(void **state)
{
	const uint64_t tags[3] = {10, 20, 30};
	const int fds[3] = {files[0], 9999, files[2]};

	(void)state;
	assert_int_equal(register_tagged(fds, tags, 3), -EBADF);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_unregister_files(&ring), -ENXIO);
	harness_assert_empty(&ring);
}

/* The entry that could not be placed gives no tag; the one it should have replaced does. */
static void failed_update_gives_only_old_tags(void **state)
{
	const uint64_t tags[2] = {10, 20};
	const uint64_t next[2] = {30, 40};
	const int fds[2] = {files[2], 9999};

	(void)state;
	assert_int_equal(register_tagged(files, tags, 2), 0);
	assert_int_equal(update_tagged(0, fds, next, 2), 1);
	assert_tag(10);
	assert_tag(20);
	harness_assert_empty(&ring);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_tag(30);
	harness_assert_empty(&ring);
}

static void tag_waits_for_the_last_user(void **state)
{
	const uint64_t tag = 77;
	char data[2][8];
	int fds[2];
	struct harness_cqe cqes[3];

	(void)state;
	harness_pipe(fds);
	assert_int_equal(register_tagged(fds, &tag, 1), 0);
	rsrc_start_read(&ring, 0, IOSQE_FIXED_FILE, data[0], 8, 1);
	rsrc_start_read(&ring, 0, IOSQE_FIXED_FILE, data[1], 8, 2);
	assert_int_equal(io_uring_register_files_update(&ring, 0, files, 1), 1);
	harness_assert_empty(&ring);
	assert_int_equal(write(fds[1], "12345678", 8), 8);
	harness_reap(&ring, cqes, 1);
	assert_int_equal(cqes[0].res, 8);
	/* The other reader still uses it. */
	assert_int_equal(rsrc_slot_mark(&ring, 0), 1);
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
	char data[8];
	int fds[2];
	struct harness_cqe cqes[2];

	(void)state;
	harness_pipe(fds);
	assert_int_equal(register_tagged(fds, &tag, 1), 0);
	rsrc_start_read(&ring, 0, IOSQE_FIXED_FILE, data, 8, 1);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_int_equal(io_uring_register_files(&ring, files, 1), 0);
	assert_int_equal(rsrc_slot_mark(&ring, 0), 1);
	harness_assert_empty(&ring);
	assert_int_equal(write(fds[1], "1234", 4), 4);
	harness_reap(&ring, cqes, 2);
	harness_assert_cqe(cqes[0], 1, 4);
	harness_assert_cqe(cqes[1], 78, 0);
	harness_close_pipe(fds);
}

static void closing_a_direct_slot_gives_the_tag(void **state)
{
	const uint64_t tag = 79;
	struct io_uring_sqe *sqe;
	struct harness_cqe cqes[2];

	(void)state;
	assert_int_equal(register_tagged(files, &tag, 1), 0);
	sqe = harness_sqe(&ring);
	io_uring_prep_close_direct(sqe, 0);
	sqe->user_data = 1;
	harness_submit(&ring, 1);
	harness_reap(&ring, cqes, 2);
	assert_int_equal(cqes[0].res, 0);
	assert_int_equal(cqes[1].res, 0);
	assert_int_equal(cqes[0].user_data + cqes[1].user_data, 80);
	harness_assert_empty(&ring);
}

static void tags_of_a_full_queue_are_kept(void **state)
{
	enum { COUNT = 64 };
	uint64_t tags[COUNT], sum = 0;
	int fds[COUNT];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		tags[i] = 1000 + i;
		fds[i] = files[0];
	}
	/* Eight entries make sixteen CQEs: most of the tags go to the backlog. */
	assert_int_equal(register_tagged(fds, tags, COUNT), 0);
	assert_int_equal(io_uring_unregister_files(&ring), 0);
	assert_int_equal(*ring.cq.koverflow, 0);
	for (unsigned i = 0; i < COUNT; i++)
		sum += harness_next(&ring).user_data;
	assert_int_equal(sum, COUNT * 1000 + COUNT * (COUNT - 1) / 2);
	harness_assert_empty(&ring);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unregister_gives_all_tags),	 TEST(update_gives_the_replaced_tag),
		TEST(skipped_entry_keeps_its_tag),	 TEST(same_file_again_gives_the_tag),
		TEST(tag_without_file_is_refused),	 TEST(failed_registration_is_silent),
		TEST(failed_update_gives_only_old_tags), TEST(tag_waits_for_the_last_user),
		TEST(tag_waits_after_unregister_too),	 TEST(closing_a_direct_slot_gives_the_tag),
		TEST(tags_of_a_full_queue_are_kept),
	};

	return harness_run(tests);
}
