/* SPDX-License-Identifier: MIT */
/*
 * Description: rule 7. After submit returns whatever the SQE points to may be gone, data buffers
 * excepted. All of it lies in a page that is taken away right after the submit, while the workers
 * are held at a gate: a later look would be -EFAULT or a crash.
 */
#include "support.h"

#include <sys/xattr.h>

enum { SIZE = 4096, PAGE = 4096 };

static struct asyncring ring;
static struct support_gate gate;
static char directory[] = "/tmp/asyncring-rule7-XXXXXX";
static char *page;
static unsigned char buffer[SIZE];
static int file;

static bool at_the_gate(long number, const long arguments[6], long *result)
{
	(void)arguments;
	(void)result;
	support_gate_pass(&gate, number);
	return false;
}

/* A copy of @data in the page that is going to vanish. */
static void *vanishing(size_t offset, const void *data, size_t length)
{
	assert_true(offset + length <= PAGE);
	return memcpy(page + offset, data, length);
}

static char *vanishing_path(size_t offset, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return vanishing(offset, path, strlen(path) + 1);
}

/* Submit @count requests, take the page away while they are held, let them go. */
static void submit_and_vanish(unsigned count, long gated)
{
	support_gate_close(&gate, gated);
	assert_int_equal(asyncring_submit(&ring), count);
	assert_int_equal(mprotect(page, PAGE, PROT_NONE), 0);
	support_gate_open(&gate);
}

static void come_back(void)
{
	assert_int_equal(mprotect(page, PAGE, PROT_READ | PROT_WRITE), 0);
}

static void make_async(struct asyncring_sqe *sqe)
{
	sqe->flags |= ASYNCRING_SQE_ASYNC;
}

static void rule_7_vectors(void **state)
{
	const struct iovec vectors[3] = {
		{buffer, 10}, {buffer + 10, 90}, {buffer + 100, SIZE - 100}};
	struct asyncring_sqe *sqe;

	(void)state;
	for (unsigned count = 1; count <= 3; count += 2) {
		size_t length = count == 1 ? 10 : SIZE;

		memset(buffer, 0, SIZE);
		sqe = support_sqe(&ring);
		asyncring_prep_readv(sqe, file, vanishing(8, vectors, sizeof(vectors)), count, 0);
		make_async(sqe);
		submit_and_vanish(1, SYS_preadv2);
		assert_int_equal(support_result(&ring, NULL), length);
		assert_true(support_content(buffer, length, 0));
		come_back();
		sqe = support_sqe(&ring);
		asyncring_prep_writev(sqe, file, vanishing(8, vectors, sizeof(vectors)), count, 0);
		make_async(sqe);
		submit_and_vanish(1, SYS_pwritev2);
		assert_int_equal(support_result(&ring, NULL), length);
		come_back();
	}
}

static void rule_7_vectors_of_waiting_requests(void **state)
{
	const struct iovec vectors[2] = {{buffer, 2}, {buffer + 2, 4}};
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	asyncring_prep_readv(support_sqe(&ring), ends[0], vanishing(0, vectors, sizeof(vectors)), 2,
			     0);
	submit_and_vanish(1, -1);
	assert_int_equal(write(ends[1], "abcdef", 6), 6);
	assert_int_equal(support_result(&ring, NULL), 6);
	assert_memory_equal(buffer, "abcdef", 6);
	come_back();
	close(ends[0]);
	close(ends[1]);
}

/* Members of a chain and drained requests start long after the submit. */
static void rule_7_chains_and_drains(void **state)
{
	const struct iovec vectors[2] = {{buffer, 2}, {buffer + 2, 4}};
	struct asyncring_sqe *sqe;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	for (int drained = 0; drained < 2; drained++) {
		uint64_t user_data;
		int opened = -1;

		sqe = support_sqe(&ring);
		asyncring_prep_read(sqe, ends[0], buffer, 1, 0);
		sqe->flags |= drained ? 0 : ASYNCRING_SQE_IO_LINK;
		sqe = support_sqe(&ring);
		asyncring_prep_readv(sqe, file, vanishing(0, vectors, sizeof(vectors)), 2, 0);
		sqe->flags |= drained ? ASYNCRING_SQE_IO_DRAIN : ASYNCRING_SQE_IO_LINK;
		sqe = support_sqe(&ring);
		asyncring_prep_openat(sqe, AT_FDCWD, vanishing_path(500, "late"),
				      O_CREAT | O_RDWR | O_CLOEXEC, 0600);
		sqe->user_data = 1;
		submit_and_vanish(3, -1);
		assert_int_equal(asyncring_cq_ready(&ring), 0);
		assert_int_equal(write(ends[1], "x", 1), 1);
		for (int i = 0; i < 3; i++) {
			int result = support_result(&ring, &user_data);

			assert_true(result >= 0);
			if (user_data == 1)
				opened = result;
		}
		assert_true(support_content(buffer, 6, 0));
		assert_true(opened >= 0);
		close(opened);
		come_back();
	}
	close(ends[0]);
	close(ends[1]);
}

static void rule_7_paths_and_open_how(void **state)
{
	const struct open_how how = {.flags = O_CREAT | O_RDWR | O_CLOEXEC, .mode = 0600};
	struct asyncring_sqe *sqe;
	int fd;

	(void)state;
	sqe = support_sqe(&ring);
	asyncring_prep_openat(sqe, AT_FDCWD, vanishing_path(0, "one"), O_CREAT | O_RDWR, 0600);
	make_async(sqe);
	submit_and_vanish(1, SYS_openat);
	fd = support_result(&ring, NULL);
	assert_true(fd >= 0);
	close(fd);
	come_back();
	sqe = support_sqe(&ring);
	asyncring_prep_openat2(sqe, AT_FDCWD, vanishing_path(0, "two"),
			       vanishing(1024, &how, sizeof(how)));
	make_async(sqe);
	submit_and_vanish(1, 437);
	fd = support_result(&ring, NULL);
	assert_true(fd >= 0);
	close(fd);
	come_back();
}

static void rule_7_two_paths(void **state)
{
	struct asyncring_sqe *sqe;

	(void)state;
	sqe = support_sqe(&ring);
	asyncring_prep_renameat(sqe, AT_FDCWD, vanishing_path(0, "two"), AT_FDCWD,
				vanishing_path(1000, "three"), 0);
	make_async(sqe);
	submit_and_vanish(1, SYS_renameat2);
	assert_int_equal(support_result(&ring, NULL), 0);
	come_back();
	sqe = support_sqe(&ring);
	asyncring_prep_unlinkat(sqe, AT_FDCWD, vanishing_path(0, "three"), 0);
	make_async(sqe);
	submit_and_vanish(1, SYS_unlinkat);
	assert_int_equal(support_result(&ring, NULL), 0);
	come_back();
}

static void rule_7_attribute_names_and_values(void **state)
{
	char *name = vanishing(0, "user.asyncring", 15), *value = vanishing(100, "blue", 4);
	struct asyncring_sqe *sqe;

	(void)state;
	if (fsetxattr(file, "user.probe", "x", 1, 0))
		skip();
	sqe = support_sqe(&ring);
	asyncring_prep_fsetxattr(sqe, file, name, value, 0, 4);
	make_async(sqe);
	submit_and_vanish(1, SYS_fsetxattr);
	assert_int_equal(support_result(&ring, NULL), 0);
	assert_int_equal(fgetxattr(file, "user.asyncring", buffer, 10), 4);
	assert_memory_equal(buffer, "blue", 4);
	come_back();
}

static int setup(void **state)
{
	(void)state;
	support_bound(60);
	atomic_store(&asyncring__waiters_only_wait, true);
	asyncring__sys_hook = at_the_gate;
	if (!mkdtemp(directory))
		return -1;
	file = support_file("/tmp", SIZE);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? -1 : asyncring_queue_init(8, &ring, 0);
}

static int teardown(void **state)
{
	static const char *const names[] = {"one", "two", "three", "late"};
	char path[128];

	(void)state;
	asyncring_queue_exit(&ring);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_7_vectors),
		cmocka_unit_test(rule_7_vectors_of_waiting_requests),
		cmocka_unit_test(rule_7_chains_and_drains),
		cmocka_unit_test(rule_7_paths_and_open_how),
		cmocka_unit_test(rule_7_two_paths),
		cmocka_unit_test(rule_7_attribute_names_and_values),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
