/* SPDX-License-Identifier: MIT */
/*
 * Description: requests on registered buffers: READ_FIXED and WRITE_FIXED, READV_FIXED and
 * WRITEV_FIXED, the bounds of a buffer, and buffers that are taken away during use.
 */
#include "rsrc_helpers.h"

#define PAGE 4096

/* Two buffers with a page between them that belongs to neither; slot 1 is empty. */
static struct io_uring ring;
static char *memory;
static char *first, *second;
static int file;

static int setup(void **state)
{
	(void)state;
	memory = rsrc_map(4 * PAGE, PROT_READ | PROT_WRITE);
	first = memory + 64;
	second = memory + 2 * PAGE;
	harness_init(&ring, 8, 0);
	file = harness_temp_file(4 * PAGE);

	const struct iovec buffers[3] = {{first, PAGE}, {NULL, 0}, {second, 100}};

	return io_uring_register_buffers(&ring, buffers, 3);
}

static int teardown(void **state)
{
	(void)state;
	io_uring_queue_exit(&ring);
	munmap(memory, 4 * PAGE);
	close(file);
	return 0;
}

static int reading(const void *addr, unsigned len, int index)
{
	return rsrc_read_fixed(&ring, file, (void *)(uintptr_t)addr, len, index);
}

static int writing(const void *addr, unsigned len, int index)
{
	return rsrc_write_fixed(&ring, file, addr, len, index);
}

static int reading_vector(const struct iovec *vector, unsigned count, int index)
{
	io_uring_prep_readv_fixed(harness_sqe(&ring), file, vector, count, 0, 0, index);
	return harness_result(&ring);
}

static int writing_vector(const struct iovec *vector, unsigned count, int index)
{
	io_uring_prep_writev_fixed(harness_sqe(&ring), file, vector, count, 0, 0, index);
	return harness_result(&ring);
}

static void data_goes_both_ways(void **state)
{
	char check[100];

	(void)state;
	assert_int_equal(reading(first, PAGE, 0), PAGE);
	for (unsigned i = 0; i < PAGE; i++)
		assert_int_equal((unsigned char)first[i], harness_byte(i));
	memset(second, 'w', 100);
	assert_int_equal(writing(second, 100, 2), 100);
	assert_int_equal(pread(file, check, 100, 0), 100);
	assert_memory_equal(check, second, 100);
}

/* Every (addr, len) that is not wholly inside: -EFAULT, and nothing is moved. */
static void bounds(void **state)
{
	const struct {
		const char *addr;
		unsigned len;
		int index;
		int want;
	} cases[] = {
		{first, PAGE, 0, PAGE},
		{first + 1, PAGE - 1, 0, PAGE - 1},
		{first + PAGE - 1, 1, 0, 1},
		{first, PAGE + 1, 0, -EFAULT},
		{first - 1, 1, 0, -EFAULT},
		{first - 1, PAGE, 0, -EFAULT},
		{first + PAGE, 1, 0, -EFAULT},
		{first + PAGE - 1, 2, 0, -EFAULT},
		{second, 100, 2, 100},
		{second, 101, 2, -EFAULT},
		{second + 99, 2, 2, -EFAULT},
		/* The other buffer's memory. */
		{first, 1, 2, -EFAULT},
		{second, 1, 0, -EFAULT},
		/* Lengths and addresses that wrap around. */
		{first, UINT_MAX, 0, -EFAULT},
		{first, INT_MAX, 0, -EFAULT},
		{(const char *)UINTPTR_MAX, 2, 0, -EFAULT},
		{(const char *)UINTPTR_MAX - PAGE, UINT_MAX, 0, -EFAULT},
		{NULL, 10, 0, -EFAULT},
		/* Nothing to move: the address must be right all the same, its end included. */
		{first, 0, 0, 0},
		{first + PAGE, 0, 0, 0},
		{first + PAGE + 1, 0, 0, -EFAULT},
		{first - 1, 0, 0, -EFAULT},
		{NULL, 0, 0, -EFAULT},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int in = reading(cases[i].addr, cases[i].len, cases[i].index);
		int out = writing(cases[i].addr, cases[i].len, cases[i].index);

		if (in != cases[i].want || out != cases[i].want)
			print_error("case %u: read %d, write %d\n", i, in, out);
		assert_int_equal(in, cases[i].want);
		assert_int_equal(out, cases[i].want);
	}
	assert_int_equal(lseek(file, 0, SEEK_END), 4 * PAGE);
}

static void index_out_of_range(void **state)
{
	const int indices[] = {1, 3, 4, 16384, 32768, 65535};

	(void)state;
	harness_skip_unless_opcode(IORING_OP_READV_FIXED);
	for (unsigned i = 0; i < ARRAY_SIZE(indices); i++) {
		struct iovec vector = {first, 1};

		assert_int_equal(reading(first, 1, indices[i]), -EFAULT);
		assert_int_equal(writing(first, 1, indices[i]), -EFAULT);
		assert_int_equal(reading_vector(&vector, 1, indices[i]), -EFAULT);
		assert_int_equal(writing_vector(&vector, 1, indices[i]), -EFAULT);
	}
}

static void failing_request_reads_nothing(void **state)
{
	(void)state;
	memset(memory, 'm', 4 * PAGE);
	assert_int_equal(reading(first, PAGE + 1, 0), -EFAULT);
	for (unsigned i = 0; i < 4 * PAGE; i++)
		assert_int_equal(memory[i], 'm');
}

static void end_of_file(void **state)
{
	(void)state;
	assert_int_equal(ftruncate(file, 10), 0);
	assert_int_equal(reading(first, PAGE, 0), 10);
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(reading(first, PAGE, 0), 0);
}

static void pieces_of_one_buffer(void **state)
{
	struct iovec vector[3] = {{first + 1000, 10}, {first, 5}, {first + PAGE - 100, 100}};
	unsigned char *piece = (unsigned char *)first;

	(void)state;
	harness_skip_unless_opcode(IORING_OP_READV_FIXED);
	assert_int_equal(reading_vector(vector, 3, 0), 115);
	assert_int_equal(piece[1000], harness_byte(0));
	assert_int_equal(piece[1009], harness_byte(9));
	assert_int_equal(piece[0], harness_byte(10));
	assert_int_equal(piece[4], harness_byte(14));
	assert_int_equal(piece[PAGE - 100], harness_byte(15));
	assert_int_equal(piece[PAGE - 1], harness_byte(114));
	memset(first, 'x', PAGE);
	assert_int_equal(writing_vector(vector, 2, 0), 15);
	memset(first, 0, PAGE);
	assert_int_equal(reading(first, 16, 0), 16);
	assert_int_equal(first[14], 'x');
	assert_int_equal((unsigned char)first[15], harness_byte(15));
}

/* The same piece twice is allowed, as in writev(2). */
static void overlapping_pieces(void **state)
{
	struct iovec vector[2] = {{first, 4}, {first, 4}};
	char check[8];

	(void)state;
	harness_skip_unless_opcode(IORING_OP_READV_FIXED);
	memcpy(first, "abcd", 4);
	assert_int_equal(writing_vector(vector, 2, 0), 8);
	assert_int_equal(pread(file, check, 8, 0), 8);
	assert_memory_equal(check, "abcdabcd", 8);
}

static void vector_bounds(void **state)
{
	const struct {
		struct iovec vector[2];
		int want;
	} cases[] = {
		{{{first, 8}, {first + PAGE - 8, 8}}, 16},
		{{{first, 8}, {first + PAGE - 8, 9}}, -EFAULT},
		{{{first, 8}, {first - 1, 1}}, -EFAULT},
		{{{first - 1, 1}, {first, 8}}, -EFAULT},
		{{{first, 8}, {first + PAGE, 1}}, -EFAULT},
		{{{first, 8}, {second, 8}}, -EFAULT},
		{{{first, 8}, {NULL, 8}}, -EFAULT},
		{{{first, 8}, {NULL, 0}}, -EFAULT},
		/* A piece without length is refused wherever it points to. */
		{{{first, 8}, {first, 0}}, -EFAULT},
		{{{first, 0}, {first, 8}}, -EFAULT},
		{{{first, 0}, {first, 0}}, -EFAULT},
		{{{first, 8}, {(void *)UINTPTR_MAX, 2}}, -EFAULT},
		{{{first, 8}, {first, SIZE_MAX}}, -EINVAL},
		{{{first, 8}, {first, (size_t)SSIZE_MAX + 1}}, -EINVAL},
	};

	(void)state;
	harness_skip_unless_opcode(IORING_OP_READV_FIXED);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int in = reading_vector(cases[i].vector, 2, 0);
		int out = writing_vector(cases[i].vector, 2, 0);

		if (in != cases[i].want || out != cases[i].want)
			print_error("case %u: read %d, write %d\n", i, in, out);
		assert_int_equal(in, cases[i].want);
		assert_int_equal(out, cases[i].want);
	}
}

static void vector_arguments(void **state)
{
	static struct iovec many[1025];

	(void)state;
	harness_skip_unless_opcode(IORING_OP_READV_FIXED);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct iovec){first, 1};
	assert_int_equal(reading_vector(many, 0, 0), 0);
	assert_int_equal(reading_vector(RSRC_BAD_POINTER, 0, 0), 0);
	assert_int_equal(reading_vector(NULL, 1, 0), -EFAULT);
	assert_int_equal(reading_vector(RSRC_BAD_POINTER, 1, 0), -EFAULT);
	assert_int_equal(reading_vector(many, 1024, 0), 1024);
	assert_int_equal(writing_vector(many, 1024, 0), 1024);
	assert_int_equal(reading_vector(many, 1025, 0), -EINVAL);
	assert_int_equal(writing_vector(many, 1025, 0), -EINVAL);
}

/* The array of pieces may go when submit has returned, although the request still waits. */
static void vector_is_copied_on_submit(void **state)
{
	struct iovec *vector = calloc(2, sizeof(*vector));
	int fds[2];

	(void)state;
	harness_skip_unless_opcode(IORING_OP_READV_FIXED);
	harness_pipe(fds);
	vector[0] = (struct iovec){first, 2};
	vector[1] = (struct iovec){first + 10, 3};
	io_uring_prep_readv_fixed(harness_sqe(&ring), fds[0], vector, 2, 0, 0, 0);
	harness_submit(&ring, 1);
	memset(vector, 0xff, 2 * sizeof(*vector));
	free(vector);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	assert_int_equal(harness_next(&ring).res, 5);
	assert_memory_equal(first, "he", 2);
	assert_memory_equal(first + 10, "llo", 3);
	harness_close_pipe(fds);
}

/* ---- taking the buffer away ---- */

static void start_reading(int fd, uint64_t user_data)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);

	io_uring_prep_read_fixed(sqe, fd, first, 16, 0, 0);
	sqe->user_data = user_data;
	harness_submit(&ring, 1);
	harness_assert_empty(&ring);
}

static void unregister_while_in_use(void **state)
{
	const struct iovec other = {second, 100};
	struct harness_cqe cqe;
	int fds[2];

	(void)state;
	harness_pipe(fds);
	start_reading(fds[0], 7);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	harness_assert_empty(&ring);
	assert_int_equal(reading(first, 1, 0), -EFAULT);
	assert_int_equal(io_uring_register_buffers(&ring, &other, 1), 0);
	assert_int_equal(reading(first, 1, 0), -EFAULT);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	cqe = harness_next(&ring);
	harness_assert_cqe(cqe, 7, 5);
	assert_memory_equal(first, "hello", 5);
	harness_close_pipe(fds);
}

static void update_while_in_use(void **state)
{
	const struct iovec other = {second, 100};
	struct harness_cqe cqe;
	int fds[2];

	(void)state;
	harness_pipe(fds);
	start_reading(fds[0], 8);
	assert_int_equal(rsrc_update_buffers2(&ring,
					      (struct io_uring_rsrc_update2){
						      .data = rsrc_address(&other),
						      .nr = 1,
					      }),
			 1);
	assert_int_equal(reading(first, 1, 0), -EFAULT);
	assert_int_equal(reading(second, 100, 0), 100);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	cqe = harness_next(&ring);
	harness_assert_cqe(cqe, 8, 5);
	assert_memory_equal(first, "hello", 5);
	harness_close_pipe(fds);
}

/* Only the fixed forms look at buf_index without buffer selection. */
static void buffer_of_an_ordinary_read_is_ignored(void **state)
{
	struct io_uring_sqe *sqe = harness_sqe(&ring);
	char plain[16];

	(void)state;
	io_uring_prep_read(sqe, file, plain, sizeof(plain), 0);
	sqe->buf_index = 1;
	assert_int_equal(harness_result(&ring), sizeof(plain));
	assert_int_equal((unsigned char)plain[5], harness_byte(5));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(data_goes_both_ways),
		TEST(bounds),
		TEST(index_out_of_range),
		TEST(failing_request_reads_nothing),
		TEST(end_of_file),
		TEST(pieces_of_one_buffer),
		TEST(overlapping_pieces),
		TEST(vector_bounds),
		TEST(vector_arguments),
		TEST(vector_is_copied_on_submit),
		TEST(unregister_while_in_use),
		TEST(update_while_in_use),
		TEST(buffer_of_an_ordinary_read_is_ignored),
	};

	return harness_run(tests);
}
