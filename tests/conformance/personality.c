/* SPDX-License-Identifier: MIT */
/*
 * Description: personalities: credentials saved in the ring, and requests carried out with them
 * after the process has changed its own. Needs root, to have something to give up.
 */
#include "rsrc_helpers.h"

#include <grp.h>

#define NOBODY 65534
#define GUESTS 4321 /* a group that no user is in */

static struct io_uring ring;
static char directory[PATH_MAX];
static char secret[PATH_MAX + 16]; /* readable by root alone */

static int set_effective_user(uid_t uid)
{
	return seteuid(uid) ? -errno : 0;
}

static int setup(void **state)
{
	int fd;

	(void)state;
	harness_init(&ring, 8, 0);
	harness_temp_dir(directory);
	if (chmod(directory, 0755))
		return -1;
	snprintf(secret, sizeof(secret), "%s/secret", directory);
	fd = open(secret, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (geteuid() != 0)
		set_effective_user(0);
	harness_remove_tree(directory);
	io_uring_queue_exit(&ring);
	return 0;
}

#define skip_unless_root()                                                                         \
	do {                                                                                       \
		if (geteuid() != 0)                                                                \
			skip();                                                                    \
	} while (0)

/* Can the file be opened by a request with this personality? 0 or the error. */
static int try_open(const char *path, int personality, unsigned sqe_flags)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);
	int ret;

	io_uring_prep_openat(sqe, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	sqe->personality = (uint16_t)personality;
	sqe->flags |= (uint8_t)sqe_flags;
	ret = harness_result(&ring);
	if (ret < 0)
		return ret;
	close(ret);
	return 0;
}

static int try_nop(int personality)
{
	struct io_uring_sqe *sqe = harness_nop(&ring, 1);

	sqe->personality = (uint16_t)personality;
	return harness_result(&ring);
}

static void numbers_go_up(void **state)
{
	(void)state;
	assert_int_equal(io_uring_register_personality(&ring), 1);
	assert_int_equal(io_uring_register_personality(&ring), 2);
	assert_int_equal(io_uring_unregister_personality(&ring, 1), 0);
	/* A number is not given out again at once. */
	assert_int_equal(io_uring_register_personality(&ring), 3);
	assert_int_equal(io_uring_unregister_personality(&ring, 3), 0);
	assert_int_equal(io_uring_register_personality(&ring), 4);
}

static void unknown_number(void **state)
{
	(void)state;
	assert_int_equal(try_nop(0), 0);
	assert_int_equal(try_nop(1), -EINVAL);
	assert_int_equal(try_nop(65535), -EINVAL);
	assert_int_equal(io_uring_register_personality(&ring), 1);
	assert_int_equal(try_nop(1), 0);
	assert_int_equal(try_nop(2), -EINVAL);
	assert_int_equal(try_open("/dev/null", 2, 0), -EINVAL);
	assert_int_equal(io_uring_unregister_personality(&ring, 1), 0);
	assert_int_equal(try_nop(1), -EINVAL);
}

/* An unknown personality is found out in preparation: it fails its chain. */
static void unknown_number_in_a_chain(void **state)
{
	struct harness_cqe cqes[2];
	struct io_uring_sqe *sqe;

	(void)state;
	harness_nop_flags(&ring, 1, IOSQE_IO_LINK);
	sqe = harness_nop(&ring, 2);
	sqe->personality = 9;
	harness_submit(&ring, 2);
	harness_reap(&ring, cqes, 2);
	harness_assert_cqe(cqes[0], 1, -ECANCELED);
	harness_assert_cqe(cqes[1], 2, -EINVAL);
}

static void unregister_arguments(void **state)
{
	unsigned fd = (unsigned)ring.ring_fd;
	char byte = 0;

	(void)state;
	assert_int_equal(io_uring_register_personality(&ring), 1);
	assert_int_equal(io_uring_unregister_personality(&ring, 0), -EINVAL);
	assert_int_equal(io_uring_unregister_personality(&ring, 2), -EINVAL);
	assert_int_equal(io_uring_unregister_personality(&ring, -1), -EINVAL);
	assert_int_equal(io_uring_unregister_personality(&ring, 65536 + 1), -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_UNREGISTER_PERSONALITY, &byte, 1), -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_PERSONALITY, &byte, 0), -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_PERSONALITY, NULL, 1), -EINVAL);
	assert_int_equal(io_uring_unregister_personality(&ring, 1), 0);
	assert_int_equal(io_uring_unregister_personality(&ring, 1), -EINVAL);
}

/* What was registered as root works as root after root's rights were dropped. */
static void saved_rights_survive_the_drop(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(io_uring_register_personality(&ring), 1);
	assert_int_equal(try_open(secret, 0, 0), 0);
	assert_int_equal(set_effective_user(NOBODY), 0);
	assert_int_equal(try_open(secret, 0, 0), -EACCES);
	assert_int_equal(try_open(secret, 0, IOSQE_ASYNC), -EACCES);
	assert_int_equal(try_open(secret, 1, 0), 0);
	assert_int_equal(try_open(secret, 1, IOSQE_ASYNC), 0);
	/* It is borrowed for the one request: the process is what it was. */
	assert_int_equal(geteuid(), NOBODY);
	assert_int_equal(open(secret, O_RDONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(try_open(secret, 0, 0), -EACCES);
	assert_int_equal(try_open(secret, 0, IOSQE_ASYNC), -EACCES);
	assert_int_equal(set_effective_user(0), 0);
}

/* And the other way: a ring may give less than the process has. */
static void saved_rights_may_be_fewer(void **state)
{
	(void)state;
	skip_unless_root();
	assert_int_equal(set_effective_user(NOBODY), 0);
	assert_int_equal(io_uring_register_personality(&ring), 1);
	assert_int_equal(set_effective_user(0), 0);
	assert_int_equal(try_open(secret, 0, 0), 0);
	assert_int_equal(try_open(secret, 1, 0), -EACCES);
	assert_int_equal(try_open(secret, 1, IOSQE_ASYNC), -EACCES);
	assert_int_equal(try_open("/dev/null", 1, 0), 0);
	assert_int_equal(try_open(secret, 0, 0), 0);
	assert_int_equal(try_open(secret, 0, IOSQE_ASYNC), 0);
}

static int stat_owner(const char *path)
{
	struct stat status;

	return stat(path, &status) ? -errno : (int)status.st_uid;
}

/* Files made by a request belong to its personality. */
static void new_files_belong_to_the_personality(void **state)
{
	char path[PATH_MAX + 16];
	struct io_uring_sqe *sqe;

	(void)state;
	skip_unless_root();
	assert_int_equal(chmod(directory, 0777), 0);
	snprintf(path, sizeof(path), "%s/made", directory);
	assert_int_equal(set_effective_user(NOBODY), 0);
	assert_int_equal(io_uring_register_personality(&ring), 1);
	assert_int_equal(set_effective_user(0), 0);
	for (int personality = 0; personality < 2; personality++) {
		sqe = harness_sqe(&ring);
		io_uring_prep_mkdirat(sqe, AT_FDCWD, path, 0700);
		sqe->personality = (uint16_t)personality;
		assert_int_equal(harness_result(&ring), 0);
		assert_int_equal(stat_owner(path), personality ? NOBODY : 0);
		assert_int_equal(rmdir(path), 0);
	}
}

static int set_groups(unsigned count, const gid_t *groups)
{
	return setgroups(count, groups) ? -errno : 0;
}

/* The supplementary groups are saved, too. */
static void groups_belong_to_the_personality(void **state)
{
	const gid_t guests[] = {GUESTS};
	gid_t before[64];
	int count;

	(void)state;
	skip_unless_root();
	count = getgroups(ARRAY_SIZE(before), before);
	assert_true(count >= 0);
	assert_int_equal(chown(secret, 0, GUESTS), 0);
	assert_int_equal(chmod(secret, 0640), 0);
	assert_int_equal(set_groups(1, guests), 0);
	assert_int_equal(set_effective_user(NOBODY), 0);
	assert_int_equal(io_uring_register_personality(&ring), 1);
	assert_int_equal(try_open(secret, 0, IOSQE_ASYNC), 0);
	assert_int_equal(set_effective_user(0), 0);
	assert_int_equal(set_groups((unsigned)count, before), 0);
	assert_int_equal(set_effective_user(NOBODY), 0);
	assert_int_equal(io_uring_register_personality(&ring), 2);
	/* Whoever is in the group may, in whatever order they come. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(try_open(secret, 1, 0), 0);
		assert_int_equal(try_open(secret, 0, IOSQE_ASYNC), -EACCES);
		assert_int_equal(try_open(secret, 1, 0), 0);
		assert_int_equal(try_open(secret, 2, 0), -EACCES);
		assert_int_equal(try_open(secret, 0, IOSQE_ASYNC), -EACCES);
	}
}

/*
 * The process changes its ids and groups while a request is under way with a personality: the
 * thread that carries it out follows the process without harm, and does not bring old rights back.
 */
static void ids_change_under_way(void **state)
{
	const gid_t guests[] = {GUESTS}, several[] = {0, GUESTS};
	char fifo[PATH_MAX + 16];
	struct io_uring_sqe *sqe;
	struct harness_cqe cqe;
	gid_t before[64];
	int count, writer;

	(void)state;
	skip_unless_root();
	count = getgroups(ARRAY_SIZE(before), before);
	assert_true(count >= 0);
	assert_int_equal(chown(secret, 0, 0), 0);
	assert_int_equal(chmod(secret, 0640), 0);
	assert_int_equal(set_groups(1, guests), 0);
	assert_int_equal(set_effective_user(NOBODY), 0);
	assert_int_equal(io_uring_register_personality(&ring), 1);
	assert_int_equal(set_effective_user(0), 0);
	assert_int_equal(set_groups(2, several), 0);
	snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(chown(fifo, NOBODY, 0), 0);
	sqe = harness_sqe(&ring);
	io_uring_prep_openat(sqe, AT_FDCWD, fifo, O_RDONLY | O_CLOEXEC, 0);
	sqe->personality = 1;
	sqe->flags |= IOSQE_ASYNC;
	sqe->user_data = 1;
	harness_submit(&ring, 1);
	assert_true(harness_wait_asleep(rsrc_wait_for_worker()));
	assert_int_equal(setegid(GUESTS), 0);
	assert_int_equal(set_groups(1, guests), 0);
	assert_int_equal(set_effective_user(NOBODY), 0);
	/* There is no reader until the worker has got as far as the open itself. */
	for (int i = 0; i < 10000 && (writer = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0;
	     i++)
		poll(NULL, 0, 1);
	assert_true(writer >= 0);
	cqe = harness_next(&ring);
	assert_int_equal(cqe.user_data, 1);
	assert_true(cqe.res >= 0);
	close(cqe.res);
	close(writer);
	/* Neither as root nor through root's group. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(try_open(secret, 0, IOSQE_ASYNC), -EACCES);
	assert_int_equal(set_effective_user(0), 0);
	assert_int_equal(setegid(0), 0);
	assert_int_equal(set_groups((unsigned)count, before), 0);
	assert_int_equal(try_open(secret, 0, IOSQE_ASYNC), 0);
}

/* Unregistering does not take the rights from a request that waits already. */
static void pending_request_keeps_its_rights(void **state)
{
	struct harness_cqe cqes[2];
	struct io_uring_sqe *sqe;
	char byte;
	int fds[2];

	(void)state;
	skip_unless_root();
	harness_pipe(fds);
	assert_int_equal(io_uring_register_personality(&ring), 1);
	assert_int_equal(set_effective_user(NOBODY), 0);
	sqe = harness_sqe(&ring);
	io_uring_prep_read(sqe, fds[0], &byte, 1, 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = 1;
	sqe = harness_sqe(&ring);
	io_uring_prep_openat(sqe, AT_FDCWD, secret, O_RDONLY | O_CLOEXEC, 0);
	sqe->personality = 1;
	sqe->user_data = 2;
	harness_submit(&ring, 2);
	assert_int_equal(io_uring_unregister_personality(&ring, 1), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	harness_reap(&ring, cqes, 2);
	harness_assert_cqe(cqes[0], 1, 1);
	assert_int_equal(cqes[1].user_data, 2);
	assert_true(cqes[1].res >= 0);
	close(cqes[1].res);
	harness_close_pipe(fds);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_go_up),
		TEST(unknown_number),
		TEST(unknown_number_in_a_chain),
		TEST(unregister_arguments),
		TEST(saved_rights_survive_the_drop),
		TEST(saved_rights_may_be_fewer),
		TEST(new_files_belong_to_the_personality),
		TEST(groups_belong_to_the_personality),
		TEST(ids_change_under_way),
		TEST(pending_request_keeps_its_rights),
	};

	return harness_run(tests);
}
