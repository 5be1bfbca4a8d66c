/* SPDX-License-Identifier: MIT */
/*
 * Description: writes of a submission that continue each other, to a file that is in memory, are
 * made with one call, as are transfers with registered buffers, and nobody can tell. Random
 * programs of them run merged and unmerged, with a file system that is full at any byte: results
 * and data must be the same, one for one and byte for byte. And how many calls are made is counted.
 */
#include "core/hint.h"
#include "merged.h"

static struct asyncring ring;
static int file;
static unsigned char data[FILE_BYTES];

/* ---- the hook: counts, and is full ---- */

static _Atomic unsigned inline_calls, worker_calls;
static _Atomic unsigned most_vectors; /* of an inline call */
/* Bytes from here on cannot be written; -1: all can. */
static _Atomic long full_at = -1;
static _Atomic int fault_errno;

static bool transfers(long number, const long arguments[6], long *result)
{
	long full = atomic_load(&full_at);
	bool is_inline = support_thread_id() == getpid();
	struct support_transfer seen;

	if (!support_transfer(number, arguments, &seen))
		return false;
	atomic_fetch_add(is_inline ? &inline_calls : &worker_calls, 1);
	if (is_inline && seen.count > atomic_load(&most_vectors))
		atomic_store(&most_vectors, seen.count);
	if (full < 0 || !seen.write)
		return false;
	*result = full > seen.offset ? support_transfer_part(&seen, (size_t)(full - seen.offset))
				     : -atomic_load(&fault_errno);
	return true;
}

/* ---- running what was prepared ---- */

static int memory_file(void)
{
	int fd = memfd_create("merged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	asyncring__hint_forget(fd);
	return fd;
}

static struct asyncring_sqe *queue(uint64_t offset, unsigned length, uint64_t name)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_write(sqe, file, data + offset, length, offset);
	sqe->user_data = name;
	return sqe;
}

static void queue_row(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i);
}

static void run(unsigned count, int results[])
{
	atomic_store(&inline_calls, 0);
	atomic_store(&worker_calls, 0);
	atomic_store(&most_vectors, 0);
	merged_run(&ring, count, results);
}

static void run_well(unsigned count, unsigned calls)
{
	int results[ENTRIES];

	run(count, results);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(results[i], BLOCK);
	assert_int_equal(atomic_load(&inline_calls), calls);
	assert_int_equal(atomic_load(&worker_calls), 0);
}

static void assert_written(int fd, size_t from, size_t to)
{
	static unsigned char found[FILE_BYTES];

	assert_int_equal(pread(fd, found, to - from, (off_t)from), to - from);
	assert_memory_equal(found, data + from, to - from);
}

static void begin_anew(void)
{
	atomic_store(&full_at, -1);
	close(file);
	file = memory_file();
}

/* ---- how many calls ---- */

static void writes_in_a_row_make_one_call(void **state)
{
	(void)state;
	begin_anew();
	for (unsigned round = 0; round < 5; round++) {
		queue_row(32);
		run_well(32, 1);
		assert_written(file, 0, 32 * BLOCK);
		assert_int_equal(ftruncate(file, 0), 0);
	}
	/* For so few the file is not looked at. */
	queue_row(3);
	run_well(3, 3);
	queue_row(4);
	run_well(4, 1);
}

static void registered_files_are_no_different(void **state)
{
	(void)state;
	begin_anew();
	assert_int_equal(asyncring_register_files(&ring, &file, 1), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct asyncring_sqe *sqe = queue((uint64_t)i * BLOCK, BLOCK, i);

		sqe->fd = 0;
		sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
	}
	run_well(2, 1);
	assert_written(file, 0, (size_t)2 * BLOCK);
	assert_int_equal(asyncring_unregister_files(&ring), 0);
}

static void queue_fixed(bool write, unsigned place, int buffer)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);
	uint64_t offset = (uint64_t)place * BLOCK;

	if (write)
		asyncring_prep_write_fixed(sqe, file, data + offset, BLOCK, offset, buffer);
	else
		asyncring_prep_read_fixed(sqe, file, data + offset, BLOCK, offset, buffer);
	sqe->user_data = place;
}

/* Two buffers, each with a half of the data. */
static void registered_buffers_make_one_call(void **state)
{
	struct iovec halves[2] = {{data, FILE_BYTES / 2}, {data + FILE_BYTES / 2, FILE_BYTES / 2}};
	enum { ALL = FILE_BYTES / BLOCK, HALF = ALL / 2 };
	int results[ALL];

	(void)state;
	begin_anew();
	assert_int_equal(asyncring_register_buffers(&ring, halves, 2), 0);
	for (unsigned i = 0; i < ALL; i++)
		queue_fixed(true, i, i >= HALF);
	run_well(ALL, 1);
	assert_written(file, 0, FILE_BYTES);
	memset(data, 0, FILE_BYTES);
	for (unsigned i = 0; i < ALL; i++)
		queue_fixed(false, i, i >= HALF);
	run_well(ALL, 1);
	assert_true(support_content(data, FILE_BYTES, 0));
	/* One that is not in its buffer, and one that has none. */
	for (unsigned i = 0; i < 10; i++)
		queue_fixed(true, i, i == 5 ? 1 : i == 8 ? 7 : 0);
	run(10, results);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(results[i], i == 5 || i == 8 ? -EFAULT : BLOCK);
	assert_int_equal(asyncring_unregister_buffers(&ring), 0);
}

static void others_make_calls_of_their_own(void **state)
{
	static struct iovec vector;
	struct asyncring_sqe *sqe;
	int results[12];

	(void)state;
	begin_anew();
	for (unsigned i = 0; i < 4; i++) /* the first call */
		queue((uint64_t)i * BLOCK, BLOCK, i);
	for (unsigned i = 4; i < 8; i++) /* the second, behind a gap */
		queue((uint64_t)(i + 1) * BLOCK, BLOCK, i);
	/* What is asked for besides, and the forms with vectors. */
	queue((uint64_t)9 * BLOCK, BLOCK, 8)->flags |= ASYNCRING_SQE_IO_LINK;
	queue((uint64_t)10 * BLOCK, BLOCK, 9);
	for (unsigned i = 10; i < 12; i++) {
		vector = (struct iovec){data, BLOCK};
		sqe = support_sqe(&ring);
		asyncring_prep_writev(sqe, file, &vector, 1, (uint64_t)(i + 1) * BLOCK);
		sqe->user_data = i;
	}
	run(12, results);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(results[i], BLOCK);
	assert_int_equal(atomic_load(&inline_calls), 6);
	assert_written(file, 0, (size_t)4 * BLOCK);
	assert_written(file, (size_t)5 * BLOCK, (size_t)11 * BLOCK);
}

/* A number that stands for another file since: that is not written to as if it were the first. */
static void the_file_is_looked_at_anew(void **state)
{
	int other = support_file("/tmp", 0), results[8];

	(void)state;
	if (support_on_tmpfs("/tmp"))
		skip();
	begin_anew();
	queue_row(8);
	run_well(8, 1);
	assert_int_equal(dup2(other, file), file);
	queue_row(8);
	run(8, results);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(results[i], BLOCK);
	assert_true(atomic_load(&most_vectors) <= 1);
	assert_written(other, 0, (size_t)8 * BLOCK);
	close(other);
}

/* ---- what stops a call ---- */

/* A file system with room for @limit bytes. */
static void fill_up(size_t limit, unsigned boundary)
{
	static const int errors[PARTS + 1] = {ENOSPC, EDQUOT, EFBIG, ENOMEM, EPERM, ENOSPC};
	size_t total = 0;
	int results[PARTS];

	begin_anew();
	atomic_store(&full_at, (long)limit);
	atomic_store(&fault_errno, errors[boundary]);
	for (unsigned i = 0; i < PARTS; total += merged_parts[i++])
		queue(total, merged_parts[i], i);
	run(PARTS, results);
	merged_check_stopped(results, limit, errors[boundary]);
	assert_written(file, 0, limit < total ? limit : total);
}

static void stopped_at_each_boundary(void **state)
{
	(void)state;
	merged_at_each_boundary(fill_up);
}

static void bad_buffer_in_the_middle(void **state)
{
	int results[8];

	(void)state;
	begin_anew();
	for (unsigned i = 0; i < 8; i++)
		queue((uint64_t)i * 100, 100, i)->addr = i == 5 ? 8 : (uintptr_t)data + i * 100;
	run(8, results);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(results[i], i == 5 ? -EFAULT : 100);
	assert_written(file, 0, 500);
	assert_written(file, 600, 800);
}

/* A file that must not grow, which is the kernel's own way to stop one in the middle. */
static void sealed_file(void **state)
{
	int results[2][8];

	(void)state;
	for (unsigned merged = 0; merged < 2; merged++) {
		begin_anew();
		assert_int_equal(ftruncate(file, 2 * BLOCK + 100), 0);
		assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_GROW), 0);
		atomic_store(&asyncring__merges_nothing, !merged);
		for (unsigned i = 0; i < 8; i++)
			queue((uint64_t)i * 1000, 1000, i);
		run(8, results[merged]);
		assert_int_equal(lseek(file, 0, SEEK_END), 2 * BLOCK + 100);
	}
	atomic_store(&asyncring__merges_nothing, false);
	assert_memory_equal(results[0], results[1], sizeof(results[0]));
}

/* With a limit of file sizes nothing is written in the application's thread: SIGXFSZ. */
static void file_size_limit_in_the_middle(void **state)
{
	struct rlimit limit, limited;
	int results[5];

	(void)state;
	begin_anew();
	queue_row(5);
	run_well(5, 1);
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limited = (struct rlimit){2 * BLOCK + 100, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
	queue_row(5);
	run(5, results);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(results[i], i < 2 ? BLOCK : i == 2 ? 100 : -EFBIG);
	assert_int_equal(atomic_load(&inline_calls), 0);
	assert_int_equal(lseek(file, 0, SEEK_END), 2 * BLOCK + 100);
}

/* Set after the number was looked at. */
static void appending_keeps_the_order(void **state)
{
	int results[6];

	(void)state;
	begin_anew();
	queue_row(6);
	run_well(6, 1);
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(fcntl(file, F_SETFL, O_APPEND), 0);
	for (unsigned i = 0; i < 6; i++)
		queue((uint64_t)i * 100, 100, i);
	run(6, results);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(results[i], 100);
	assert_int_equal(atomic_load(&inline_calls), 6);
	assert_int_equal(lseek(file, 0, SEEK_END), 600);
	assert_written(file, 0, 600);
}

/* ---- the differential test ---- */

struct outcome {
	int results[STEPS];
	unsigned calls;
	off_t size;
	unsigned char content[FILE_BYTES];
};

/* One transfer, which mostly continues the one before it at *offset. */
static void queue_random(struct support_random *random, uint64_t *offset, unsigned *kind,
			 unsigned name)
{
	unsigned length = support_below(random, 3) ? 1 + support_below(random, 600)
						   : support_below(random, 2 * BLOCK);
	struct asyncring_sqe *sqe;
	unsigned char *memory = data + support_below(random, FILE_BYTES / 2);
	bool write, fixed;

	if (!support_below(random, 16))
		*offset = support_below(random, FILE_BYTES / 2);
	if (!support_below(random, 20) && *offset > 300)
		*offset -= 300;
	if (!support_below(random, 16))
		*kind = support_below(random, 4);
	write = *kind & 1;
	fixed = *kind & 2;
	if (!support_below(random, 50))
		memory = (unsigned char *)8;
	sqe = support_sqe(&ring);
	if (write && fixed)
		asyncring_prep_write_fixed(sqe, file, memory, length, *offset, 0);
	else if (write)
		asyncring_prep_write(sqe, file, memory, length, *offset);
	else if (fixed)
		asyncring_prep_read_fixed(sqe, file, memory, length, *offset, 0);
	else
		asyncring_prep_read(sqe, file, memory, length, *offset);
	sqe->user_data = name;
	*offset += length;
}

static void play(uint64_t seed, bool merged, struct outcome *outcome)
{
	struct support_random random = {seed};
	uint64_t offset = support_below(&random, FILE_BYTES / 4);
	unsigned kind = support_below(&random, 4);

	begin_anew();
	merged_fill(data);
	atomic_store(&asyncring__merges_nothing, !merged);
	if (!support_below(&random, 3)) {
		atomic_store(&full_at, (long)(offset + support_below(&random, FILE_BYTES / 4)));
		atomic_store(&fault_errno, ENOSPC);
	}
	for (unsigned i = 0; i < STEPS; i++)
		queue_random(&random, &offset, &kind, i);
	run(STEPS, outcome->results);
	outcome->calls = atomic_load(&inline_calls);
	outcome->size = lseek(file, 0, SEEK_END);
	memset(outcome->content, 0, sizeof(outcome->content));
	assert_true(pread(file, outcome->content, FILE_BYTES, 0) >= 0);
}

static void merged_and_unmerged_agree(void **state)
{
	static unsigned char memory[FILE_BYTES];
	static struct outcome merged, unmerged;
	unsigned long merged_calls = 0, unmerged_calls = 0;
	struct iovec whole = {data, FILE_BYTES};
	uint64_t seed = support_seed();

	(void)state;
	assert_int_equal(asyncring_register_buffers(&ring, &whole, 1), 0);
	for (unsigned i = 0; i < PROGRAMS; i++, seed++) {
		play(seed, true, &merged);
		memcpy(memory, data, FILE_BYTES);
		play(seed, false, &unmerged);
		merged_check_same(seed, "transfer", merged.results, unmerged.results);
		if (merged.size != unmerged.size || memcmp(memory, data, FILE_BYTES) ||
		    memcmp(merged.content, unmerged.content, FILE_BYTES))
			fail_msg("seed %llu: the data differs", (unsigned long long)seed);
		merged_calls += merged.calls;
		unmerged_calls += unmerged.calls;
	}
	atomic_store(&asyncring__merges_nothing, false);
	assert_int_equal(asyncring_unregister_buffers(&ring), 0);
	/* Or this test has compared a thing with itself. */
	assert_true(merged_calls < unmerged_calls * 9 / 10);
}

static int setup(void **state)
{
	(void)state;
	merged_fill(data);
	file = memory_file();
	atomic_store(&asyncring__waiters_only_wait, true);
	return merged_setup(&ring, transfers);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	close(file);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_in_a_row_make_one_call),
		cmocka_unit_test(registered_files_are_no_different),
		cmocka_unit_test(registered_buffers_make_one_call),
		cmocka_unit_test(others_make_calls_of_their_own),
		cmocka_unit_test(the_file_is_looked_at_anew),
		cmocka_unit_test(stopped_at_each_boundary),
		cmocka_unit_test(bad_buffer_in_the_middle),
		cmocka_unit_test(sealed_file),
		cmocka_unit_test(file_size_limit_in_the_middle),
		cmocka_unit_test(appending_keeps_the_order),
		cmocka_unit_test(merged_and_unmerged_agree),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
