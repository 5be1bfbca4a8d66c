/* SPDX-License-Identifier: MIT */
/*
 * Description: registering a table of buffers: what memory is taken and what is refused, sparse
 * tables, updates, arguments. What requests may do with a buffer is in fixed-buffers.c.
 */
#include "rsrc_helpers.h"

#define PAGE	    4096
#define MAX_BUFFERS 16384

static struct io_uring ring;
static char *memory; /* four pages */
static int file;     /* with as many bytes */

static int setup(void **state)
{
	(void)state;
	harness_init(&ring, 8, 0);
	memory = rsrc_map(4 * PAGE, PROT_READ | PROT_WRITE);
	file = harness_temp_file(4 * PAGE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	io_uring_queue_exit(&ring);
	munmap(memory, 4 * PAGE);
	close(file);
	return 0;
}

/* Register one buffer and let it go again; the answer to the first. */
static int try_buffer(void *base, size_t len)
{
	struct iovec buffer = {.iov_base = base, .iov_len = len};
	int ret = io_uring_register_buffers(&ring, &buffer, 1);

	assert_int_equal(io_uring_unregister_buffers(&ring), ret ? -ENXIO : 0);
	return ret;
}

static int update(unsigned offset, const struct iovec *buffers, unsigned count)
{
	return rsrc_update_buffers2(&ring, (struct io_uring_rsrc_update2){
						   .offset = offset,
						   .data = rsrc_address(buffers),
						   .nr = count,
					   });
}

/* Can len bytes be read into the buffer of this index from addr on? */
static int use(unsigned index, void *addr, unsigned len)
{
	return rsrc_read_fixed(&ring, file, addr, len, (int)index);
}

static void register_use_unregister(void **state)
{
	struct iovec buffers[2] = {{memory, PAGE}, {memory + 2 * PAGE, 100}};

	(void)state;
	assert_int_equal(use(0, memory, 1), -EFAULT);
	assert_int_equal(io_uring_register_buffers(&ring, buffers, 2), 0);
	assert_int_equal(use(0, memory, PAGE), PAGE);
	assert_int_equal((unsigned char)memory[PAGE - 1], harness_byte(PAGE - 1));
	assert_int_equal(use(1, memory + 2 * PAGE, 100), 100);
	assert_int_equal(use(2, memory, 1), -EFAULT);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	assert_int_equal(use(0, memory, 1), -EFAULT);
	assert_int_equal(io_uring_unregister_buffers(&ring), -ENXIO);
}

static void second_table_is_refused(void **state)
{
	struct iovec buffer = {memory, PAGE};

	(void)state;
	assert_int_equal(io_uring_register_buffers(&ring, &buffer, 1), 0);
	assert_int_equal(io_uring_register_buffers(&ring, &buffer, 1), -EBUSY);
	assert_int_equal(io_uring_register_buffers_sparse(&ring, 4), -EBUSY);
	assert_int_equal(use(0, memory, PAGE), PAGE);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	assert_int_equal(io_uring_register_buffers(&ring, &buffer, 1), 0);
}

static void any_alignment_and_length(void **state)
{
	(void)state;
	assert_int_equal(try_buffer(memory, 4 * PAGE), 0);
	assert_int_equal(try_buffer(memory, 1), 0);
	assert_int_equal(try_buffer(memory + PAGE - 1, 2), 0);
	assert_int_equal(try_buffer(memory + 3, 2 * PAGE + 7), 0);
}

static void null_and_zero_length(void **state)
{
	struct iovec empty = {NULL, 0};

	(void)state;
	assert_int_equal(try_buffer(NULL, PAGE), -EFAULT);
	assert_int_equal(try_buffer(memory, 0), -EFAULT);
	/* Both together are an empty slot, which no request can use. */
	assert_int_equal(io_uring_register_buffers(&ring, &empty, 1), 0);
	assert_int_equal(use(0, NULL, 0), -EFAULT);
	assert_int_equal(use(0, NULL, 1), -EFAULT);
	assert_int_equal(use(0, memory, 1), -EFAULT);
}

static void memory_that_is_not_there(void **state)
{
	char *holed = rsrc_map(3 * PAGE, PROT_READ | PROT_WRITE);

	(void)state;
	assert_int_equal(munmap(holed + PAGE, PAGE), 0);
	assert_int_equal(try_buffer(RSRC_BAD_POINTER, 8), -EFAULT);
	assert_int_equal(try_buffer(holed + PAGE, PAGE), -EFAULT);
	assert_int_equal(try_buffer(holed, 3 * PAGE), -EFAULT);
	assert_int_equal(try_buffer(holed, PAGE + 1), -EFAULT);
	assert_int_equal(try_buffer(holed + 2 * PAGE - 1, 2), -EFAULT);
	assert_int_equal(try_buffer(holed, PAGE), 0);
	assert_int_equal(try_buffer(holed + 2 * PAGE, PAGE), 0);
	munmap(holed, PAGE);
	munmap(holed + 2 * PAGE, PAGE);
}

/* The addresses at the very end wrap around; in the kernel's half they are just not there. */
static void addresses_out_of_this_world(void **state)
{
	(void)state;
	assert_int_equal(try_buffer((void *)-(intptr_t)PAGE, PAGE), -EOVERFLOW);
	assert_int_equal(try_buffer((void *)-(intptr_t)PAGE, 2 * PAGE), -EOVERFLOW);
	/* Lengths count in whole pages. */
	assert_int_equal(try_buffer((void *)-(intptr_t)PAGE, 1), -EOVERFLOW);
	assert_int_equal(try_buffer((void *)-(intptr_t)(2 * PAGE), PAGE + 1), -EOVERFLOW);
	assert_int_equal(try_buffer((void *)-(intptr_t)(2 * PAGE), PAGE), -EFAULT);
	assert_int_equal(try_buffer((void *)(INTPTR_MIN), PAGE), -EFAULT);
}

/* A buffer must be readable and writable, whatever it is going to be used for. */
static void protection(void **state)
{
	char *none = rsrc_map(PAGE, PROT_NONE);
	char *read_only = rsrc_map(PAGE, PROT_READ);
	char *mixed = rsrc_map(2 * PAGE, PROT_READ | PROT_WRITE);

	(void)state;
	assert_int_equal(mprotect(mixed + PAGE, PAGE, PROT_READ), 0);
	assert_int_equal(try_buffer(none, PAGE), -EFAULT);
	assert_int_equal(try_buffer(read_only, PAGE), -EFAULT);
	assert_int_equal(try_buffer(mixed, 2 * PAGE), -EFAULT);
	assert_int_equal(try_buffer(mixed, PAGE), 0);
	assert_int_equal(try_buffer((void *)(uintptr_t)&memory_that_is_not_there, 16), -EFAULT);
	munmap(none, PAGE);
	munmap(read_only, PAGE);
	munmap(mixed, 2 * PAGE);
}

static void kinds_of_mappings(void **state)
{
	int shared_memory = rsrc_marked_file(1);
	char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *private_file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	char *read_file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
	char *memfd = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shared_memory, 0);
	char on_stack[64];
	char *on_heap = malloc(64);

	(void)state;
	assert_int_equal(try_buffer(shared, PAGE), 0);
	assert_int_equal(try_buffer(private_file, PAGE), 0);
	assert_int_equal(try_buffer(read_file, PAGE), -EFAULT);
	assert_int_equal(try_buffer(memfd, PAGE), 0);
	/* Mapped, but there is no file behind it. */
	assert_int_equal(try_buffer(memfd, PAGE + 1), -EFAULT);
	assert_int_equal(try_buffer(memfd + PAGE, PAGE), -EFAULT);
	assert_int_equal(try_buffer(on_stack, sizeof(on_stack)), 0);
	assert_int_equal(try_buffer(on_heap, 64), 0);
	munmap(shared, PAGE);
	munmap(private_file, PAGE);
	munmap(read_file, PAGE);
	munmap(memfd, 2 * PAGE);
	close(shared_memory);
	free(on_heap);
}

/*
 * Pages of a file on disk must not be written behind the file system's back, which a pin for ever
 * would do. Without pins there is nothing to refuse: asyncring writes as any program does.
 */
static void shared_file_mapping(void **state)
{
	char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	struct iovec buffer = {.iov_base = shared, .iov_len = PAGE};
	int ret;

	(void)state;
	assert_ptr_not_equal(shared, MAP_FAILED);
	ret = io_uring_register_buffers(&ring, &buffer, 1);
	if (harness_kernel()) {
		assert_true(ret == -EFAULT || ret == -EOPNOTSUPP);
	} else {
		assert_int_equal(ret, 0);
		shared[0] = 'x';
		assert_int_equal(use(0, shared + 1, PAGE - 1), PAGE - 1);
		assert_int_equal(shared[1], 'x');
	}
	munmap(shared, PAGE);
}

static void one_buffer_is_at_most_a_gigabyte(void **state)
{
	size_t limit = (size_t)1 << 30;
	char *large = mmap(NULL, limit + PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)state;
	assert_ptr_not_equal(large, MAP_FAILED);
	assert_int_equal(try_buffer(large, limit + 1), -EFAULT);
	assert_int_equal(try_buffer(large, limit + PAGE), -EFAULT);
	assert_int_equal(try_buffer(memory, (size_t)1 << 40), -EFAULT);
	munmap(large, limit + PAGE);
}

/* The kernel's own bound on an iovec, looked at when the array is copied. */
static void lengths_beyond_the_signed_range(void **state)
{
	(void)state;
	assert_int_equal(try_buffer(memory, SIZE_MAX), -EINVAL);
	assert_int_equal(try_buffer(memory, (size_t)1 << 63), -EINVAL);
}

static void number_of_buffers(void **state)
{
	struct iovec *buffers = calloc(MAX_BUFFERS + 1, sizeof(*buffers));

	(void)state;
	assert_non_null(buffers);
	for (unsigned i = 0; i <= MAX_BUFFERS; i++)
		buffers[i] = (struct iovec){memory + i % 1000, 16};
	assert_int_equal(io_uring_register_buffers(&ring, buffers, 0), -EINVAL);
	assert_int_equal(io_uring_register_buffers(&ring, buffers, MAX_BUFFERS + 1), -EINVAL);
	assert_int_equal(io_uring_register_buffers(&ring, buffers, MAX_BUFFERS), 0);
	assert_int_equal(use(MAX_BUFFERS - 1, buffers[MAX_BUFFERS - 1].iov_base, 16), 16);
	assert_int_equal(use(MAX_BUFFERS, memory, 1), -EFAULT);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	assert_int_equal(io_uring_register_buffers_sparse(&ring, 0), -EINVAL);
	assert_int_equal(io_uring_register_buffers_sparse(&ring, MAX_BUFFERS + 1), -EINVAL);
	assert_int_equal(io_uring_register_buffers_sparse(&ring, MAX_BUFFERS), 0);
	free(buffers);
}

static void one_bad_buffer_refuses_all(void **state)
{
	struct iovec buffers[3] = {{memory, PAGE}, {RSRC_BAD_POINTER, PAGE}, {memory, PAGE}};

	(void)state;
	assert_int_equal(io_uring_register_buffers(&ring, buffers, 3), -EFAULT);
	assert_int_equal(io_uring_unregister_buffers(&ring), -ENXIO);
	assert_int_equal(use(0, memory, 1), -EFAULT);
}

static void sparse_table_and_update(void **state)
{
	struct iovec buffers[2] = {{memory, PAGE}, {memory + PAGE, PAGE}};
	struct iovec empty = {NULL, 0};

	(void)state;
	assert_int_equal(io_uring_register_buffers_sparse(&ring, 4), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(use(i, memory, 1), -EFAULT);
	assert_int_equal(update(1, buffers, 2), 2);
	assert_int_equal(use(0, memory, 1), -EFAULT);
	assert_int_equal(use(1, memory, PAGE), PAGE);
	assert_int_equal(use(2, memory + PAGE, PAGE), PAGE);
	assert_int_equal(update(1, buffers + 1, 1), 1);
	assert_int_equal(use(1, memory, 1), -EFAULT);
	assert_int_equal(use(1, memory + PAGE, PAGE), PAGE);
	assert_int_equal(update(1, &empty, 1), 1);
	assert_int_equal(use(1, memory + PAGE, PAGE), -EFAULT);
	assert_int_equal(use(2, memory + PAGE, PAGE), PAGE);
}

/* Unlike a file, a buffer is replaced only once the new one is known to be good. */
static void failed_update_leaves_the_old_buffer(void **state)
{
	struct iovec buffers[2] = {{memory, PAGE}, {memory + PAGE, PAGE}};
	struct iovec next[2] = {{memory + 2 * PAGE, PAGE}, {RSRC_BAD_POINTER, PAGE}};

	(void)state;
	assert_int_equal(io_uring_register_buffers(&ring, buffers, 2), 0);
	assert_int_equal(update(0, next, 2), 1);
	assert_int_equal(use(0, memory + 2 * PAGE, PAGE), PAGE);
	assert_int_equal(use(1, memory + PAGE, PAGE), PAGE);
	assert_int_equal(update(0, next + 1, 1), -EFAULT);
	assert_int_equal(use(0, memory + 2 * PAGE, PAGE), PAGE);
}

static void register_arguments(void **state)
{
	struct iovec buffer = {memory, PAGE};
	unsigned fd = (unsigned)ring.ring_fd;

	(void)state;
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_BUFFERS, NULL, 0), -EFAULT);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_BUFFERS, NULL, 1), -EFAULT);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_BUFFERS, RSRC_BAD_POINTER, 1),
			 -EFAULT);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_BUFFERS, RSRC_BAD_POINTER, 0),
			 -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_REGISTER_BUFFERS, &buffer, UINT_MAX),
			 -EINVAL);
	assert_int_equal(io_uring_register_buffers(&ring, &buffer, 1), 0);
	assert_int_equal(io_uring_register(fd, IORING_UNREGISTER_BUFFERS, &buffer, 0), -EINVAL);
	assert_int_equal(io_uring_register(fd, IORING_UNREGISTER_BUFFERS, NULL, 1), -EINVAL);
	assert_int_equal(use(0, memory, PAGE), PAGE);
}

static void register2_arguments(void **state)
{
	struct iovec buffers[2] = {{memory, PAGE}, {NULL, 0}};
	uint64_t tags[2] = {1, 0};
	const struct {
		struct io_uring_rsrc_register reg;
		int want;
	} cases[] = {
		{{.nr = 2, .data = rsrc_address(buffers)}, 0},
		{{.nr = 2, .data = rsrc_address(buffers), .tags = rsrc_address(tags)}, 0},
		{{.nr = 2, .flags = IORING_RSRC_REGISTER_SPARSE}, 0},
		{{.nr = 2}, 0},
		{{.nr = 0, .data = rsrc_address(buffers)}, -EINVAL},
		{{.nr = UINT_MAX, .data = rsrc_address(buffers)}, -EINVAL},
		{{.nr = 2, .data = rsrc_address(buffers), .flags = 2}, -EINVAL},
		{{.nr = 2, .data = rsrc_address(buffers), .flags = 1u << 31}, -EINVAL},
		{{.nr = 2, .data = rsrc_address(buffers), .flags = IORING_RSRC_REGISTER_SPARSE},
		 -EINVAL},
		{{.nr = 2, .data = rsrc_address(buffers), .resv2 = 1}, -EINVAL},
		{{.nr = 2, .data = rsrc_address(RSRC_BAD_POINTER)}, -EFAULT},
		{{.nr = 2, .data = rsrc_address(buffers), .tags = rsrc_address(RSRC_BAD_POINTER)},
		 -EFAULT},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int ret = rsrc_register_buffers2(&ring, cases[i].reg);

		if (ret != cases[i].want)
			print_error("case %u\n", i);
		assert_int_equal(ret, cases[i].want);
		assert_int_equal(io_uring_unregister_buffers(&ring), ret ? -ENXIO : 0);
		if (cases[i].reg.tags && !ret)
			assert_int_equal(harness_next(&ring).user_data, 1);
		harness_assert_empty(&ring);
	}
}

static void register2_size(void **state)
{
	struct io_uring_rsrc_register arg = {.nr = 1, .flags = IORING_RSRC_REGISTER_SPARSE};
	unsigned fd = (unsigned)ring.ring_fd;
	unsigned opcode = IORING_REGISTER_BUFFERS2;

	(void)state;
	assert_int_equal(io_uring_register(fd, opcode, &arg, 0), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, &arg, sizeof(arg) - 1), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, &arg, sizeof(arg) + 8), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, RSRC_BAD_POINTER, sizeof(arg)), -EFAULT);
	assert_int_equal(io_uring_register(fd, opcode, &arg, sizeof(arg)), 0);
}

static void update_arguments(void **state)
{
	struct iovec buffers[5] = {{memory, PAGE}, {memory, PAGE}};
	const struct {
		struct io_uring_rsrc_update2 update;
		int want;
	} cases[] = {
		{{.nr = 2, .data = rsrc_address(buffers)}, 2},
		{{.nr = 0, .data = rsrc_address(buffers)}, -EINVAL},
		{{.nr = 1, .data = rsrc_address(buffers), .resv = 1}, -EINVAL},
		{{.nr = 1, .data = rsrc_address(buffers), .resv2 = 1}, -EINVAL},
		{{.nr = 1, .data = 0}, -EFAULT},
		{{.nr = 1, .data = rsrc_address(RSRC_BAD_POINTER)}, -EFAULT},
		{{.nr = 1, .data = rsrc_address(buffers), .tags = rsrc_address(RSRC_BAD_POINTER)},
		 -EFAULT},
		{{.nr = 2, .data = rsrc_address(buffers), .offset = 3}, -EINVAL},
		{{.nr = 1, .data = rsrc_address(buffers), .offset = 4}, -EINVAL},
		{{.nr = 5, .data = rsrc_address(buffers)}, -EINVAL},
		{{.nr = 2, .data = rsrc_address(buffers), .offset = UINT_MAX}, -EOVERFLOW},
	};
	struct io_uring_rsrc_update2 arg = cases[0].update;
	unsigned fd = (unsigned)ring.ring_fd;
	unsigned opcode = IORING_REGISTER_BUFFERS_UPDATE;

	(void)state;
	assert_int_equal(rsrc_update_buffers2(&ring, arg), -ENXIO);
	assert_int_equal(io_uring_register_buffers_sparse(&ring, 4), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int ret = rsrc_update_buffers2(&ring, cases[i].update);

		if (ret != cases[i].want)
			print_error("case %u\n", i);
		assert_int_equal(ret, cases[i].want);
	}
	assert_int_equal(io_uring_register(fd, opcode, &arg, sizeof(arg) - 1), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, &arg, sizeof(arg) + 8), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, RSRC_BAD_POINTER, sizeof(arg)), -EFAULT);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(use(i, memory, PAGE), i < 2 ? PAGE : -EFAULT);
}

static void disabled_ring_takes_buffers(void **state)
{
	struct io_uring other;
	struct iovec buffer = {memory, PAGE};

	(void)state;
	harness_init(&other, 4, IORING_SETUP_R_DISABLED);
	assert_int_equal(io_uring_register_buffers(&other, &buffer, 1), 0);
	assert_int_equal(io_uring_enable_rings(&other), 0);
	assert_int_equal(rsrc_read_fixed(&other, file, memory, PAGE, 0), PAGE);
	io_uring_queue_exit(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(register_use_unregister),
		TEST(second_table_is_refused),
		TEST(any_alignment_and_length),
		TEST(null_and_zero_length),
		TEST(memory_that_is_not_there),
		TEST(addresses_out_of_this_world),
		TEST(protection),
		TEST(kinds_of_mappings),
		TEST(shared_file_mapping),
		TEST(one_buffer_is_at_most_a_gigabyte),
		TEST(lengths_beyond_the_signed_range),
		TEST(number_of_buffers),
		TEST(one_bad_buffer_refuses_all),
		TEST(sparse_table_and_update),
		TEST(failed_update_leaves_the_old_buffer),
		TEST(register_arguments),
		TEST(register2_arguments),
		TEST(register2_size),
		TEST(update_arguments),
		TEST(disabled_ring_takes_buffers),
	};

	return harness_run(tests);
}
