/* SPDX-License-Identifier: MIT */
/*
 * Description: a program that makes io_uring's system calls and its mmap(2) with instructions of
 * its own.
 */
#include "raw.h"

static void answers_come_back(void **state)
{
	struct raw_ring ring;

	(void)state;
	raw_open(&ring, 0);
	for (int i = 0; i < 100; i++)
		raw_check(&ring);
	raw_close_ring(&ring);
}

static void the_errors_are_the_kernels(void **state)
{
	struct asyncring_params params = {.flags = 1u << 30};
	struct raw_ring ring;

	(void)state;
	errno = 1234;
	assert_int_equal(raw_setup(8, NULL), -EFAULT);
	assert_int_equal(raw_setup(8, (void *)8), -EFAULT);
	assert_int_equal(raw_setup(8, &params), -EINVAL);
	params.flags = 0;
	assert_int_equal(raw_setup(0, &params), -EINVAL);
	assert_int_equal(raw_enter(-1, 0, 0, 0), -EBADF);
	assert_int_equal(raw_enter(STDERR_FILENO, 0, 0, 0), -EOPNOTSUPP);
	assert_int_equal(raw_register(9999, ASYNCRING_UNREGISTER_FILES, NULL, 0), -EBADF);
	raw_open(&ring, 0);
	assert_int_equal(raw_enter(ring.fd, 0, 0, 1u << 30), -EINVAL);
	assert_int_equal(raw_register(ring.fd, 12345, NULL, 0), -EINVAL);
	assert_int_equal(errno, 1234);
	raw_close_ring(&ring);
}

static void nothing_is_told_where_the_kernel_tells_nothing(void **state)
{
	struct asyncring_params params = {0};
	int fd;

	(void)state;
	fd = raw_setup(4, &params);
	assert_true(fd >= 0);
	assert_int_equal(params.sq_off.user_addr, 0);
	assert_int_equal(params.cq_off.user_addr, 0);
	assert_int_equal(params.sq_entries, 4);
	assert_int_equal(params.cq_entries, 8);
	close(fd);
}

static void what_can_be_mapped(void **state)
{
	static const struct {
		uint64_t offset;
		size_t length;
		int protection, flags;
		int error;
	} cases[] = {
		{ASYNCRING_OFF_SQ_RING, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0},
		{ASYNCRING_OFF_CQ_RING, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0},
		{ASYNCRING_OFF_SQES, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 0},
		{ASYNCRING_OFF_SQ_RING, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, 0},
		{ASYNCRING_OFF_SQ_RING, 1, PROT_READ, MAP_SHARED, 0},
		{ASYNCRING_OFF_SQ_RING, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0},
		{ASYNCRING_OFF_SQ_RING, 0, PROT_READ, MAP_SHARED, EINVAL},
		{ASYNCRING_OFF_SQ_RING, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, EPERM},
		{ASYNCRING_OFF_PBUF_RING, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ENOMEM},
		{0x40000000, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ENOMEM},
	};
	struct raw_ring ring;

	(void)state;
	raw_open(&ring, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		long address = raw_call(SYS_mmap, 0, (long)cases[i].length, cases[i].protection,
					cases[i].flags, ring.fd, (long)cases[i].offset);
		void *same;

		if (cases[i].error) {
			assert_int_equal(address, -cases[i].error);
			continue;
		}
		assert_false(address < 0 && address > -4096);
		raw_unmap((void *)address, cases[i].length);
		same = mmap(NULL, cases[i].length, cases[i].protection, cases[i].flags, ring.fd,
			    (off_t)cases[i].offset);
		assert_ptr_not_equal(same, MAP_FAILED);
		raw_unmap(same, cases[i].length);
	}
	raw_close_ring(&ring);
}

/* At a place of the program's choice, and whatever the program does with its mapping afterwards. */
static void a_mapping_is_the_programs(void **state)
{
	struct asyncring_cqe cqe;
	struct raw_ring ring;
	char *place = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long fixed;

	(void)state;
	raw_open(&ring, 0);
	fixed = raw_call(SYS_mmap, (long)place, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, ring.fd, ASYNCRING_OFF_SQ_RING);
	/* Newer kernels choose the place themselves. */
	assert_true(fixed == (long)place || fixed == -EINVAL);
	if (fixed >= 0)
		assert_int_equal(*raw_word(place, ring.params.sq_off.ring_entries), 8);
	assert_int_equal(madvise(ring.sqes, 4096, MADV_DONTFORK), 0);
	/* Submitted with one set of mappings, reaped with the next. */
	raw_sqe(&ring, ASYNCRING_OP_NOP, -1, 5);
	assert_int_equal(raw_enter(ring.fd, 1, 0, 0), 1);
	raw_unmap_rings(&ring);
	raw_map_rings(&ring);
	assert_true(raw_cqe(&ring, &cqe));
	assert_int_equal(cqe.user_data, 5);
	raw_check(&ring);
	/* Without any the ring is still one. */
	raw_unmap_rings(&ring);
	assert_int_equal(raw_enter(ring.fd, 0, 0, ASYNCRING_ENTER_GETEVENTS), 0);
	assert_int_equal(close(ring.fd), 0);
	munmap(place, 8192);
}

/* A file whose number may be a ring's is mapped like any. */
static void other_descriptors_are_mapped_as_ever(void **state)
{
	char name[] = "/tmp/served-XXXXXX";
	int fd = mkstemp(name), high;
	char *mapped;

	(void)state;
	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(ftruncate(fd, 8192), 0);
	high = fcntl(fd, F_DUPFD_CLOEXEC, 900);
	assert_true(high >= 900);
	mapped = raw_map(high, 8192, 0);
	assert_non_null(mapped);
	mapped[5000] = 'x';
	raw_unmap(mapped, 8192);
	assert_int_equal(pread(fd, name, 1, 5000), 1);
	assert_int_equal(name[0], 'x');
	mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, high, 4096);
	assert_ptr_not_equal(mapped, MAP_FAILED);
	assert_int_equal(mapped[5000 - 4096], 'x');
	munmap(mapped, 4096);
	assert_int_equal(raw_call(SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED, 999, 0), -EBADF);
	close(high);
	close(fd);
}

static void a_buffer_ring_is_mapped_by_its_number(void **state)
{
	struct asyncring_buf_reg reg = {
		.ring_entries = 16, .bgid = 3, .flags = ASYNCRING_PBUF_RING_MMAP};
	struct asyncring_sqe *sqe;
	struct asyncring_cqe cqe;
	struct asyncring_buf *entries;
	struct raw_ring ring;
	char memory[64];
	int fds[2];

	(void)state;
	raw_open(&ring, 0);
	assert_int_equal(pipe(fds), 0);
	if (raw_register(ring.fd, ASYNCRING_REGISTER_PBUF_RING, &reg, 1) == -EINVAL)
		skip(); /* an old kernel */
	assert_int_equal(reg.ring_addr, 0);
	entries = raw_map(ring.fd, 4096, ASYNCRING_OFF_PBUF_RING | 3u << ASYNCRING_OFF_PBUF_SHIFT);
	assert_non_null(entries);
	entries[0].addr = (uintptr_t)memory;
	entries[0].len = sizeof(memory);
	entries[0].bid = 9;
	/* The tail lies in the first entry's last two bytes. */
	__atomic_store_n((uint16_t *)(void *)((char *)entries + 14), 1, __ATOMIC_RELEASE);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	sqe = raw_sqe(&ring, ASYNCRING_OP_READ, fds[0], 1);
	sqe->off = (uint64_t)-1;
	sqe->flags = ASYNCRING_SQE_BUFFER_SELECT;
	sqe->buf_group = 3;
	assert_int_equal(raw_enter(ring.fd, 1, 1, ASYNCRING_ENTER_GETEVENTS), 1);
	assert_true(raw_cqe(&ring, &cqe));
	assert_int_equal(cqe.res, 5);
	assert_int_equal(cqe.flags >> ASYNCRING_CQE_BUFFER_SHIFT, 9);
	assert_memory_equal(memory, "hello", 5);
	/* The mapping outlives what it shows. */
	memset(&reg, 0, sizeof(reg));
	reg.bgid = 3;
	assert_int_equal(raw_register(ring.fd, ASYNCRING_UNREGISTER_PBUF_RING, &reg, 1), 0);
	entries[0].len = 1;
	raw_unmap(entries, 4096);
	close(fds[0]);
	close(fds[1]);
	raw_close_ring(&ring);
}

static void *use_ring(void *argument)
{
	struct raw_ring *ring = argument;

	raw_check(ring);
	return NULL;
}

/* Set up in one thread, used in others. */
static void any_thread_may_use_it(void **state)
{
	struct raw_ring ring;
	pthread_t thread;

	(void)state;
	raw_open(&ring, 0);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(pthread_create(&thread, NULL, use_ring, &ring), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	raw_close_ring(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_back),
		cmocka_unit_test(the_errors_are_the_kernels),
		cmocka_unit_test(nothing_is_told_where_the_kernel_tells_nothing),
		cmocka_unit_test(what_can_be_mapped),
		cmocka_unit_test(a_mapping_is_the_programs),
		cmocka_unit_test(other_descriptors_are_mapped_as_ever),
		cmocka_unit_test(a_buffer_ring_is_mapped_by_its_number),
		cmocka_unit_test(any_thread_may_use_it),
	};

	raw_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
