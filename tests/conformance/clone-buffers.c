/* SPDX-License-Identifier: MIT */
/*
 * Description: cloning registered buffers from one ring to another: whole tables and parts, the
 * replace flag, a source that goes away, tags, refusals.
 */
#include "rsrc_helpers.h"

#define PAGE	    4096
#define MAX_BUFFERS 16384

/* The source has buffers 0, 1 and 3 of one page each; slot 2 is empty. */
static struct io_uring source, target;
static char *memory;
static int file;

static int setup(void **state)
{
	struct iovec buffers[4];

	(void)state;
	harness_init(&source, 4, 0);
	harness_init(&target, 4, 0);
	file = harness_temp_file(PAGE);
	memory = rsrc_map(4 * PAGE, PROT_READ | PROT_WRITE);
	for (int i = 0; i < 4; i++)
		buffers[i] = (struct iovec){memory + i * PAGE, PAGE};
	buffers[2] = (struct iovec){NULL, 0};
	return io_uring_register_buffers(&source, buffers, 4);
}

static int teardown(void **state)
{
	(void)state;
	io_uring_queue_exit(&source);
	io_uring_queue_exit(&target);
	munmap(memory, 4 * PAGE);
	close(file);
	return 0;
}

static int clone_into(struct io_uring *ring, struct io_uring_clone_buffers arg)
{
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_CLONE_BUFFERS, &arg, 1);
}

/* Clone from the source to the target. */
static int clone_part(unsigned target_offset, unsigned source_offset, unsigned count,
		      unsigned flags)
{
	return io_uring_clone_buffers_offset(&target, &source, target_offset, source_offset, count,
					     flags);
}

/* Which page of memory does this slot of the ring hold? -1: none. */
static int page_of(struct io_uring *ring, int index)
{
	for (int i = 0; i < 4; i++) {
		int ret = rsrc_read_fixed(ring, file, memory + i * PAGE, PAGE, index);

		if (ret == PAGE)
			return i;
		assert_int_equal(ret, -EFAULT);
	}
	return -1;
}

static void whole_table(void **state)
{
	(void)state;
	assert_int_equal(io_uring_clone_buffers(&target, &source), 0);
	assert_int_equal(page_of(&target, 0), 0);
	assert_int_equal(page_of(&target, 1), 1);
	assert_int_equal(page_of(&target, 2), -1);
	assert_int_equal(page_of(&target, 3), 3);
	assert_int_equal(page_of(&target, 4), -1);
	/* The source keeps its own. */
	assert_int_equal(page_of(&source, 3), 3);
	assert_int_equal(io_uring_unregister_buffers(&target), 0);
	assert_int_equal(io_uring_unregister_buffers(&target), -ENXIO);
	assert_int_equal(page_of(&source, 3), 3);
}

/* A part goes where it is told; the table made for it reaches up to its end. */
static void part_of_a_table(void **state)
{
	(void)state;
	assert_int_equal(clone_part(0, 1, 1, 0), 0);
	assert_int_equal(page_of(&target, 0), 1);
	assert_int_equal(io_uring_unregister_buffers(&target), 0);
	assert_int_equal(clone_part(3, 0, 2, 0), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(page_of(&target, i), -1);
	assert_int_equal(page_of(&target, 3), 0);
	assert_int_equal(page_of(&target, 4), 1);
	assert_int_equal(page_of(&target, 5), -1);
}

static void target_with_buffers_is_busy(void **state)
{
	(void)state;
	assert_int_equal(io_uring_register_buffers_sparse(&target, 8), 0);
	assert_int_equal(clone_part(0, 0, 0, 0), -EBUSY);
	assert_int_equal(clone_part(4, 0, 1, 0), -EBUSY);
	assert_int_equal(clone_into(&source,
				    (struct io_uring_clone_buffers){
					    .src_fd = (unsigned)source.ring_fd,
				    }),
			 -EBUSY);
}

static void replace_keeps_the_rest(void **state)
{
	(void)state;
	assert_int_equal(clone_part(0, 0, 0, 0), 0);
	assert_int_equal(clone_part(1, 3, 1, IORING_REGISTER_DST_REPLACE), 0);
	assert_int_equal(page_of(&target, 0), 0);
	assert_int_equal(page_of(&target, 1), 3);
	assert_int_equal(page_of(&target, 3), 3);
	/* An empty slot is cloned as one. */
	assert_int_equal(clone_part(0, 2, 1, IORING_REGISTER_DST_REPLACE), 0);
	assert_int_equal(page_of(&target, 0), -1);
	assert_int_equal(page_of(&target, 1), 3);
}

static void replace_lets_the_table_grow(void **state)
{
	(void)state;
	assert_int_equal(clone_part(0, 0, 2, 0), 0);
	assert_int_equal(clone_part(9, 3, 1, IORING_REGISTER_DST_REPLACE), 0);
	assert_int_equal(page_of(&target, 0), 0);
	assert_int_equal(page_of(&target, 1), 1);
	for (int i = 2; i < 9; i++)
		assert_int_equal(page_of(&target, i), -1);
	assert_int_equal(page_of(&target, 9), 3);
	assert_int_equal(page_of(&target, 10), -1);
	assert_int_equal(clone_part(MAX_BUFFERS - 1, 1, 1, IORING_REGISTER_DST_REPLACE), 0);
	assert_int_equal(page_of(&target, MAX_BUFFERS - 1), 1);
	assert_int_equal(page_of(&target, 9), 3);
}

static void replace_in_an_empty_ring(void **state)
{
	(void)state;
	assert_int_equal(clone_part(0, 0, 0, IORING_REGISTER_DST_REPLACE), 0);
	assert_int_equal(page_of(&target, 3), 3);
}

static void ring_clones_from_itself(void **state)
{
	struct io_uring_clone_buffers arg = {
		.src_fd = (unsigned)source.ring_fd,
		.flags = IORING_REGISTER_DST_REPLACE,
		.dst_off = 2,
		.nr = 1,
	};

	(void)state;
	assert_int_equal(clone_into(&source, arg), 0);
	assert_int_equal(page_of(&source, 2), 0);
	arg.dst_off = 7;
	arg.src_off = 3;
	assert_int_equal(clone_into(&source, arg), 0);
	assert_int_equal(page_of(&source, 7), 3);
	assert_int_equal(page_of(&source, 0), 0);
}

static void clones_outlive_the_source(void **state)
{
	struct io_uring other;
	struct iovec buffer = {memory, PAGE};

	(void)state;
	harness_init(&other, 4, 0);
	assert_int_equal(io_uring_register_buffers(&other, &buffer, 1), 0);
	assert_int_equal(io_uring_clone_buffers(&target, &other), 0);
	assert_int_equal(io_uring_unregister_buffers(&other), 0);
	assert_int_equal(page_of(&target, 0), 0);
	io_uring_queue_exit(&other);
	assert_int_equal(page_of(&target, 0), 0);
	assert_int_equal(rsrc_write_fixed(&target, file, memory, PAGE, 0), PAGE);
}

/* The tag belongs to the source's entry: it comes when that goes, clones notwithstanding. */
static void tag_is_not_cloned(void **state)
{
	struct iovec buffer = {memory, PAGE};
	const __u64 tag = 55;
	struct harness_cqe cqe;
	struct io_uring third;

	(void)state;
	harness_init(&third, 4, 0);
	assert_int_equal(io_uring_register_buffers_tags(&target, &buffer, &tag, 1), 0);
	assert_int_equal(io_uring_clone_buffers(&third, &target), 0);
	assert_int_equal(io_uring_unregister_buffers(&target), 0);
	cqe = harness_next(&target);
	harness_assert_cqe(cqe, 55, 0);
	assert_int_equal(page_of(&third, 0), 0);
	assert_int_equal(io_uring_unregister_buffers(&third), 0);
	harness_assert_empty(&third);
	harness_assert_empty(&target);
	io_uring_queue_exit(&third);
}

static void replacing_gives_the_old_tag(void **state)
{
	struct iovec buffer = {memory, PAGE};
	const __u64 tag = 56;
	struct harness_cqe cqe;

	(void)state;
	assert_int_equal(io_uring_register_buffers_tags(&target, &buffer, &tag, 1), 0);
	assert_int_equal(clone_part(0, 1, 1, IORING_REGISTER_DST_REPLACE), 0);
	cqe = harness_next(&target);
	harness_assert_cqe(cqe, 56, 0);
	assert_int_equal(page_of(&target, 0), 1);
	harness_assert_empty(&target);
}

static void ranges(void **state)
{
	const struct {
		unsigned target_offset, source_offset, count;
		int want;
	} cases[] = {
		{0, 0, 5, -EINVAL},
		{0, 1, 4, -EOVERFLOW},
		{0, 3, 2, -EOVERFLOW},
		{0, 4, 1, -EOVERFLOW},
		{0, UINT_MAX, 1, -EOVERFLOW},
		{UINT_MAX, 0, 1, -EOVERFLOW},
		{MAX_BUFFERS, 0, 1, -EINVAL},
		{MAX_BUFFERS - 1, 0, 2, -EINVAL},
		/* No count means the whole table, and that only from 0 to 0. */
		{0, 1, 0, -EINVAL},
		{1, 0, 0, -EINVAL},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int ret = clone_part(cases[i].target_offset, cases[i].source_offset, cases[i].count,
				     0);

		if (ret != cases[i].want)
			print_error("case %u\n", i);
		assert_int_equal(ret, cases[i].want);
		assert_int_equal(io_uring_unregister_buffers(&target), -ENXIO);
	}
}

static void bad_sources(void **state)
{
	struct io_uring_clone_buffers arg = {.src_fd = UINT_MAX};
	struct io_uring other;

	(void)state;
	assert_int_equal(clone_into(&target, arg), -EBADF);
	arg.src_fd = (unsigned)file;
	assert_int_equal(clone_into(&target, arg), -EOPNOTSUPP);
	harness_init(&other, 4, 0);
	arg.src_fd = (unsigned)other.ring_fd;
	assert_int_equal(clone_into(&target, arg), -ENXIO);
	arg.flags = IORING_REGISTER_DST_REPLACE;
	assert_int_equal(clone_into(&target, arg), -ENXIO);
	io_uring_queue_exit(&other);
	assert_int_equal(io_uring_unregister_buffers(&target), -ENXIO);
}

/* Of two reasons to refuse, the first in this order is told. */
static void order_of_refusals(void **state)
{
	const struct io_uring_clone_buffers busy_and[] = {
		{.src_fd = UINT_MAX},
		{.src_fd = (unsigned)source.ring_fd, .pad = {1}},
		{.src_fd = (unsigned)source.ring_fd, .dst_off = 1},
		{.src_fd = (unsigned)source.ring_fd, .nr = 1, .dst_off = MAX_BUFFERS},
	};
	struct io_uring_clone_buffers arg = {.src_fd = UINT_MAX, .flags = 4};

	(void)state;
	assert_int_equal(clone_into(&source, arg), -EINVAL);
	for (unsigned i = 0; i < ARRAY_SIZE(busy_and); i++)
		assert_int_equal(clone_into(&source, busy_and[i]), -EBUSY);
	/* Padding, descriptor, count without which there is no offset, and only then the source. */
	arg = (struct io_uring_clone_buffers){.src_fd = UINT_MAX, .dst_off = 1, .pad = {1}};
	assert_int_equal(clone_into(&target, arg), -EINVAL);
	arg.pad[0] = 0;
	assert_int_equal(clone_into(&target, arg), -EBADF);
	arg.src_fd = (unsigned)target.ring_fd;
	assert_int_equal(clone_into(&target, arg), -EINVAL);
	arg.nr = MAX_BUFFERS + 1;
	assert_int_equal(clone_into(&target, arg), -ENXIO);
}

static int answer_elsewhere;

static void *clone_elsewhere(void *argument)
{
	answer_elsewhere = clone_into(&target, *(struct io_uring_clone_buffers *)argument);
	return NULL;
}

/* Where only one thread may register, only that thread may clone from. */
static void source_of_another_thread(void **state)
{
	struct iovec buffer = {memory, PAGE};
	struct io_uring_clone_buffers arg;
	struct io_uring owned;
	pthread_t thread;

	(void)state;
	harness_init(&owned, 4, IORING_SETUP_SINGLE_ISSUER);
	assert_int_equal(io_uring_register_buffers(&owned, &buffer, 1), 0);
	arg = (struct io_uring_clone_buffers){.src_fd = (unsigned)owned.ring_fd};
	assert_int_equal(pthread_create(&thread, NULL, clone_elsewhere, &arg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(answer_elsewhere, -EEXIST);
	assert_int_equal(io_uring_unregister_buffers(&target), -ENXIO);
	assert_int_equal(clone_into(&target, arg), 0);
	assert_int_equal(page_of(&target, 0), 0);
	io_uring_queue_exit(&owned);
}

static void arguments(void **state)
{
	struct io_uring_clone_buffers arg = {.src_fd = (unsigned)source.ring_fd};
	unsigned fd = (unsigned)target.ring_fd;
	unsigned opcode = IORING_REGISTER_CLONE_BUFFERS;

	(void)state;
	assert_int_equal(sizeof(arg), 32);
	assert_int_equal(io_uring_register(fd, opcode, NULL, 1), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, RSRC_BAD_POINTER, 1), -EFAULT);
	assert_int_equal(io_uring_register(fd, opcode, &arg, 0), -EINVAL);
	assert_int_equal(io_uring_register(fd, opcode, &arg, 2), -EINVAL);
	for (int i = 0; i < 3; i++) {
		arg.pad[i] = 1;
		assert_int_equal(clone_into(&target, arg), -EINVAL);
		arg.pad[i] = 0;
	}
	arg.flags = 4;
	assert_int_equal(clone_into(&target, arg), -EINVAL);
	arg.flags = 1u << 31;
	assert_int_equal(clone_into(&target, arg), -EINVAL);
	arg.flags = 0;
	assert_int_equal(io_uring_register(fd, opcode, &arg, 1), 0);
}

/* The source by its number among the registered rings of the thread. */
static void registered_source(void **state)
{
	struct io_uring_clone_buffers arg = {.flags = IORING_REGISTER_SRC_REGISTERED};

	(void)state;
	assert_int_equal(clone_into(&target, arg), -EBADF);
	assert_int_equal(io_uring_register_ring_fd(&source), 1);
	arg.src_fd = (unsigned)source.enter_ring_fd;
	assert_int_equal(clone_into(&target, arg), 0);
	assert_int_equal(page_of(&target, 3), 3);
	assert_int_equal(io_uring_unregister_buffers(&target), 0);
	arg.src_fd = 15;
	assert_int_equal(clone_into(&target, arg), -EBADF);
	arg.src_fd = 16;
	assert_int_equal(clone_into(&target, arg), -EINVAL);
	assert_int_equal(io_uring_unregister_ring_fd(&source), 1);
}

static void any_descriptor_of_the_source(void **state)
{
	struct io_uring_clone_buffers arg = {.src_fd = (unsigned)dup(source.ring_fd)};

	(void)state;
	assert_int_equal(clone_into(&target, arg), 0);
	assert_int_equal(page_of(&target, 3), 3);
	harness_close_ring((int)arg.src_fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whole_table),
		TEST(part_of_a_table),
		TEST(target_with_buffers_is_busy),
		TEST(replace_keeps_the_rest),
		TEST(replace_lets_the_table_grow),
		TEST(replace_in_an_empty_ring),
		TEST(ring_clones_from_itself),
		TEST(clones_outlive_the_source),
		TEST(tag_is_not_cloned),
		TEST(replacing_gives_the_old_tag),
		TEST(ranges),
		TEST(bad_sources),
		TEST(order_of_refusals),
		TEST(source_of_another_thread),
		TEST(arguments),
		TEST(registered_source),
		TEST(any_descriptor_of_the_source),
	};

	return harness_run(tests);
}
