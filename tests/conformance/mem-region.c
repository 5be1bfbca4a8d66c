/* SPDX-License-Identifier: MIT */
/* Description: REGISTER_MEM_REGION: memory of the application's or the kernel's for a ring. */
#include "harness.h"

static char *pages; /* four, to read and write */
static size_t page;

struct attempt {
	struct io_uring_region_desc region;
	struct io_uring_mem_region_reg reg;
	unsigned count;
};

/* Good arguments for a region of one page that holds waits. */
static struct attempt good(void)
{
	return (struct attempt){
		.region = {.user_addr = (uintptr_t)pages,
			   .size = page,
			   .flags = IORING_MEM_REGION_TYPE_USER},
		.reg = {.flags = IORING_MEM_REGION_REG_WAIT_ARG},
		.count = 1,
	};
}

static int register_with(struct io_uring *ring, struct attempt *attempt)
{
	if (!attempt->reg.region_uptr)
		attempt->reg.region_uptr = (uintptr_t)&attempt->region;
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_MEM_REGION, &attempt->reg,
				 attempt->count);
}

/* The answer of a fresh, disabled ring. */
static int try(struct attempt *attempt)
{
	struct io_uring ring;
	int ret;

	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	ret = register_with(&ring, attempt);
	io_uring_queue_exit(&ring);
	return ret;
}

static int open_pages(void **state)
{
	(void)state;
	page = (size_t)sysconf(_SC_PAGESIZE);
	pages = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return pages == MAP_FAILED;
}

static int close_pages(void **state)
{
	(void)state;
	return munmap(pages, 4 * page);
}

#define assert_answer(error, ...)                                                                  \
	do {                                                                                       \
		struct attempt attempt = good();                                                   \
                                                                                                   \
		__VA_ARGS__;                                                                       \
		assert_int_equal(try(&attempt), error);                                            \
	} while (0)

static void regions_are_taken(void **state)
{
	(void)state;
	assert_answer(0, );
	assert_answer(0, attempt.region.size = 4 * page);
	assert_answer(0, attempt.reg.flags = 0);
}

static void one_for_each_ring(void **state)
{
	struct attempt attempt = good();
	struct io_uring ring;

	(void)state;
	harness_init(&ring, 4, 0);
	/* Waits are for rings that are still disabled. */
	assert_int_equal(register_with(&ring, &attempt), -EINVAL);
	attempt.reg.flags = 0;
	assert_int_equal(register_with(&ring, &attempt), 0);
	assert_int_equal(register_with(&ring, &attempt), -EBUSY);
	io_uring_queue_exit(&ring);
}

static void memory_of_the_kernels(void **state)
{
	struct attempt attempt = good();
	struct io_uring ring;
	char *memory;

	(void)state;
	harness_init(&ring, 4, IORING_SETUP_R_DISABLED);
	attempt.region = (struct io_uring_region_desc){.size = 2 * page};
	assert_int_equal(register_with(&ring, &attempt), 0);
#ifdef TEST_ORACLE
	memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, ring.ring_fd,
		      (off_t)attempt.region.mmap_offset);
	assert_ptr_not_equal(memory, MAP_FAILED);
#else
	memory = (char *)(uintptr_t)attempt.region.user_addr;
	assert_non_null(memory);
#endif
	for (size_t i = 0; i < 2 * page; i++)
		assert_int_equal(memory[i], 0);
	memset(memory, 1, 2 * page);
#ifdef TEST_ORACLE
	munmap(memory, 2 * page);
#endif
	io_uring_queue_exit(&ring);
}

static void bad_arguments(void **state)
{
	(void)state;
	assert_answer(-EINVAL, attempt.count = 0);
	assert_answer(-EINVAL, attempt.count = 2);
	assert_answer(-EINVAL, attempt.reg.flags |= 2);
	assert_answer(-EINVAL, attempt.reg.__resv[0] = 1);
	assert_answer(-EINVAL, attempt.reg.__resv[1] = 1);
	assert_answer(-EFAULT, attempt.reg.region_uptr = 8);
	assert_answer(-EINVAL, attempt.region.size = 0);
	assert_answer(-EINVAL, attempt.region.size = 100);
	assert_answer(-EINVAL, attempt.region.user_addr += 8);
	assert_answer(-EINVAL, attempt.region.flags |= 2);
	assert_answer(-EINVAL, attempt.region.id = 1);
	assert_answer(-EINVAL, attempt.region.mmap_offset = page);
	for (unsigned i = 0; i < 4; i++)
		assert_answer(-EINVAL, attempt.region.__resv[i] = 1);
	/* An address goes with the flag, and no address without. */
	assert_answer(-EFAULT, attempt.region.user_addr = 0);
	assert_answer(-EFAULT, attempt.region.flags = 0);
	assert_answer(-E2BIG, attempt.region.size = -(uint64_t)page);
}

static void memory_that_will_not_do(void **state)
{
	(void)state;
	assert_int_equal(mprotect(pages + page, page, PROT_READ), 0);
	assert_int_equal(mprotect(pages + 2 * page, page, PROT_NONE), 0);
	assert_answer(-EFAULT, attempt.region.user_addr += page);
	assert_answer(-EFAULT, attempt.region.user_addr += 2 * page);
	assert_answer(-EFAULT, attempt.region.size = 4 * page);
	assert_answer(-EFAULT, attempt.region.user_addr = 16 * page);
	assert_answer(0, );
	assert_int_equal(mprotect(pages, 4 * page, PROT_READ | PROT_WRITE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(regions_are_taken, open_pages, close_pages),
		cmocka_unit_test_setup_teardown(one_for_each_ring, open_pages, close_pages),
		cmocka_unit_test_setup_teardown(memory_of_the_kernels, open_pages, close_pages),
		cmocka_unit_test_setup_teardown(bad_arguments, open_pages, close_pages),
		cmocka_unit_test_setup_teardown(memory_that_will_not_do, open_pages, close_pages),
	};

	return harness_run(tests);
}
