/* SPDX-License-Identifier: MIT */
/*
 * Description: the application's memory where the newer system calls are missing:
 * process_vm_readv/writev (sandboxes refuse them) and MADV_POPULATE_WRITE (before Linux 5.14). Bad
 * addresses are found all the same; only a missing right to write is not.
 *
 * The library asks once in a process what there is, so the program takes it away from the start.
 */
#include "support.h"

enum { PAGE = 4096, ADVICE_POPULATE_WRITE = 23 };

static struct asyncring ring;
static char *bad = (char *)8;

static bool older_kernel(long number, const long arguments[6], long *result)
{
	if (number == SYS_process_vm_readv || number == SYS_process_vm_writev)
		*result = -EPERM;
	else if (number == SYS_madvise && arguments[2] == ADVICE_POPULATE_WRITE)
		*result = -EINVAL;
	else
		return false;
	return true;
}

static char *map(size_t size, int protection)
{
	char *memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static int try_buffer(char *address, size_t length)
{
	struct iovec vector = {address, length};
	int result = asyncring_register_buffers(&ring, &vector, 1);

	if (!result)
		assert_int_equal(asyncring_unregister_buffers(&ring), 0);
	return result;
}

static void buffers(void **state)
{
	size_t large = (size_t)2000 * PAGE;
	char *memory = map(large, PROT_READ | PROT_WRITE);
	char *read_only = map(PAGE, PROT_READ);

	(void)state;
	assert_int_equal(try_buffer(memory, large), 0);
	assert_int_equal(try_buffer(memory + 100, 1), 0);
	assert_int_equal(try_buffer(bad, 8), -EFAULT);
	assert_int_equal(try_buffer(read_only, PAGE), 0);
	assert_int_equal(munmap(memory + large - PAGE, PAGE), 0);
	assert_int_equal(try_buffer(memory, large), -EFAULT);
	assert_int_equal(try_buffer(memory, large - PAGE), 0);
	munmap(memory, large - PAGE);
	munmap(read_only, PAGE);
}

/* More than fits through the pipe at once, in and, with the numbers of slots, out again. */
static void arrays_are_copied(void **state)
{
	enum { COUNT = 1500 };
	static int fds[COUNT];
	int file = support_file("/tmp", 100);

	(void)state;
	for (int i = 0; i < COUNT; i++)
		fds[i] = i % 2 ? file : -1;
	assert_int_equal(asyncring_register_files_sparse(&ring, COUNT), 0);
	assert_int_equal(asyncring_register_files_update(&ring, 0, fds, COUNT), COUNT);
	for (int i = 0; i < 3; i++)
		fds[i] = file;
	asyncring_prep_files_update(support_sqe(&ring), fds, 3, (int)ASYNCRING_FILE_INDEX_ALLOC);
	assert_int_equal(support_run(&ring), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fds[i] % 2, 0);
	assert_int_equal(asyncring_register_files_update(&ring, 0, (int *)bad, 1), -EFAULT);
	assert_int_equal(asyncring_unregister_files(&ring), 0);
	close(file);
}

static int open_path(const char *path)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_openat(sqe, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	return support_run(&ring);
}

/* Strings, of which nobody knows the length before: they may end right before a hole. */
static void strings_are_copied(void **state)
{
	const char path[] = "/dev/null";
	char *memory = map(3 * PAGE, PROT_READ | PROT_WRITE);
	char *end = memory + 2 * PAGE;
	int fd;

	(void)state;
	assert_int_equal(mprotect(end, PAGE, PROT_NONE), 0);
	memcpy(end - sizeof(path), path, sizeof(path));
	fd = open_path(end - sizeof(path));
	assert_true(fd >= 0);
	close(fd);
	/* Long enough for several steps, one of them across pages. */
	memset(memory, '/', 2 * PAGE);
	memcpy(memory + PAGE + 500, path, sizeof(path));
	fd = open_path(memory + PAGE - 3000);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(open_path(memory), -ENAMETOOLONG);
	memset(memory, '/', 2 * PAGE);
	assert_int_equal(open_path(end - 100), -EFAULT);
	assert_int_equal(open_path(bad), -EFAULT);
	munmap(memory, 3 * PAGE);
}

static int setup(void **state)
{
	(void)state;
	support_bound(30);
	asyncring__sys_hook = older_kernel;
	return asyncring_queue_init(4, &ring, 0);
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
		cmocka_unit_test(buffers),
		cmocka_unit_test(arrays_are_copied),
		cmocka_unit_test(strings_are_copied),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
