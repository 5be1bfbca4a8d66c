/* SPDX-License-Identifier: MIT */
/*
 * Description: cached reads of a submission that continue each other are made with one call, and
 * nobody can tell. Random programs of reads run merged and unmerged, with a cache that lacks any
 * part of the file: results and data must be the same, one for one and byte for byte. And how many
 * calls are made is counted.
 */
#include "merged.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

static struct asyncring ring;
static int file;
static unsigned char memory[FILE_BYTES];

/* ---- the hook: counts, and lacks parts of the cache ---- */

static _Atomic unsigned inline_calls;
/* What a call that does not wait finds missing: [missing_from, missing_to). */
static _Atomic long missing_from, missing_to;
static _Atomic bool missing_once; /* the next call finds it */
static _Atomic bool refuses;	  /* it is not to be asked for that at all */

static bool reads(long number, const long arguments[6], long *result)
{
	long from = atomic_load(&missing_from);
	struct support_transfer read;

	if (!support_transfer(number, arguments, &read) || support_thread_id() != getpid())
		return false;
	atomic_fetch_add(&inline_calls, 1);
	if (!(read.flags & RWF_NOWAIT))
		return false;
	if (atomic_load(&refuses))
		*result = -EOPNOTSUPP;
	else if (read.offset >= from && read.offset < atomic_load(&missing_to))
		*result = -EAGAIN;
	else if (read.offset < from)
		*result = support_transfer_part(&read, (size_t)(from - read.offset));
	else
		return false;
	if (atomic_load(&missing_once)) {
		atomic_store(&missing_from, LONG_MAX);
		atomic_store(&missing_to, LONG_MAX);
	}
	return true;
}

static void all_is_cached(void)
{
	atomic_store(&missing_once, false);
	atomic_store(&missing_from, LONG_MAX);
	atomic_store(&missing_to, LONG_MAX);
	atomic_store(&refuses, false);
}

/* ---- running what was prepared ---- */

static struct asyncring_sqe *queue(uint64_t offset, unsigned length, uint64_t name)
{
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_read(sqe, file, memory + offset, length, offset);
	sqe->user_data = name;
	return sqe;
}

static void run(unsigned count, int results[])
{
	atomic_store(&inline_calls, 0);
	merged_run(&ring, count, results);
}

static void run_row(unsigned count, unsigned calls)
{
	int results[ENTRIES];

	memset(memory, 0, sizeof(memory));
	for (unsigned i = 0; i < count; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i);
	run(count, results);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(results[i], BLOCK);
	assert_true(support_content(memory, (size_t)count * BLOCK, 0));
	assert_int_equal(atomic_load(&inline_calls), calls);
}

/* ---- how many calls ---- */

static void reads_in_a_row_make_one_call(void **state)
{
	(void)state;
	all_is_cached();
	for (unsigned round = 0; round < 20; round++)
		run_row(32, 1);
	/* All there is room for in the queue, and in a call. */
	run_row(ENTRIES, 1);
	run_row(1, 1);
}

static void registered_files_are_no_different(void **state)
{
	int results[32], plain = file;

	(void)state;
	all_is_cached();
	assert_int_equal(asyncring_register_files(&ring, &file, 1), 0);
	for (unsigned i = 0; i < 32; i++) {
		file = 0;
		queue((uint64_t)i * BLOCK, BLOCK, i)->flags |= ASYNCRING_SQE_FIXED_FILE;
		file = plain;
	}
	run(32, results);
	assert_int_equal(atomic_load(&inline_calls), 1);
	assert_true(support_content(memory, (size_t)32 * BLOCK, 0));
	/* An empty slot: each is told. */
	for (unsigned i = 0; i < 4; i++) {
		struct asyncring_sqe *sqe = queue((uint64_t)i * BLOCK, BLOCK, i);

		sqe->fd = 1;
		sqe->flags |= ASYNCRING_SQE_FIXED_FILE;
	}
	run(4, results);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(results[i], -EBADF);
	assert_int_equal(asyncring_unregister_files(&ring), 0);
}

/* @fd under a number of which nothing is known yet, and which no other test uses. */
static int renumber(int fd, int number)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, number);

	assert_true(moved >= 0);
	close(fd);
	return moved;
}

static void memory_files_are_read_plainly(void **state)
{
	int plain = file, memory_file = memfd_create("merged", MFD_CLOEXEC);
	unsigned char *copy = malloc(FILE_BYTES);

	(void)state;
	all_is_cached();
	assert_true(memory_file >= 0);
	assert_non_null(copy);
	assert_int_equal(pread(plain, copy, FILE_BYTES, 0), FILE_BYTES);
	assert_int_equal(write(memory_file, copy, FILE_BYTES), FILE_BYTES);
	free(copy);
	file = renumber(memory_file, 100);
	run_row(32, 1);
	close(file);
	file = plain;
}

/* What stands between them, or is something else, breaks the row. */
static void others_make_calls_of_their_own(void **state)
{
	int results[10], other = dup(file);
	struct asyncring_sqe *sqe;

	(void)state;
	all_is_cached();
	queue(0, BLOCK, 0);
	queue(BLOCK, BLOCK, 1); /* the first call */
	asyncring_prep_nop(sqe = support_sqe(&ring));
	sqe->user_data = 2;
	queue((uint64_t)2 * BLOCK, BLOCK, 3);
	queue((uint64_t)3 * BLOCK, BLOCK, 4)->fd = other;
	queue((uint64_t)5 * BLOCK, BLOCK, 5)->fd = other; /* a gap */
	queue((uint64_t)6 * BLOCK, BLOCK, 6);
	queue((uint64_t)7 * BLOCK, BLOCK, 7)->rw_flags = RWF_NOWAIT;
	queue((uint64_t)8 * BLOCK, BLOCK, 8)->flags |= ASYNCRING_SQE_IO_LINK;
	queue((uint64_t)9 * BLOCK, BLOCK, 9);
	run(10, results);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(results[i], i == 2 ? 0 : BLOCK);
	assert_int_equal(atomic_load(&inline_calls), 8);
	close(other);
}

/* ---- what stops a call ---- */

static void read_parts(void)
{
	int results[PARTS];
	size_t offset = 0;

	memset(memory, 0, sizeof(memory));
	for (unsigned i = 0; i < PARTS; offset += merged_parts[i++])
		queue(offset, merged_parts[i], i);
	run(PARTS, results);
	for (unsigned i = 0; i < PARTS; i++)
		assert_int_equal(results[i], merged_parts[i]);
	assert_true(support_content(memory, offset, 0));
}

/* All the rest, or a piece; for good, or until the next call. */
static void read_without(size_t from, unsigned boundary)
{
	(void)boundary;
	for (unsigned way = 0; way < 3; way++) {
		all_is_cached();
		atomic_store(&missing_from, (long)from);
		atomic_store(&missing_to, way ? (long)from + 50 : LONG_MAX);
		atomic_store(&missing_once, way == 2);
		read_parts();
	}
}

static void missing_from_any_byte(void **state)
{
	(void)state;
	merged_at_each_boundary(read_without);
}

/* That nothing of it is cached the first is told by the call for all of them. */
static void a_cold_row_tries_each_once(void **state)
{
	int results[8];

	(void)state;
	if (support_on_tmpfs("/tmp"))
		skip();
	all_is_cached();
	memset(memory, 0, sizeof(memory));
	atomic_store(&missing_from, 0);
	for (unsigned i = 0; i < 8; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i);
	run(8, results);
	assert_int_equal(atomic_load(&inline_calls), 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(results[i], BLOCK);
	assert_true(support_content(memory, (size_t)8 * BLOCK, 0));
}

/* Large ones are read inline only until they are too much for the submitter. */
static void large_ones_are_left_to_workers(void **state)
{
	enum { LARGE = 128 * 1024, COUNT = 12 };
	int results[COUNT], plain = file;
	unsigned char *copy = malloc((size_t)COUNT * LARGE);

	(void)state;
	assert_non_null(copy);
	all_is_cached();
	file = support_file("/tmp", (size_t)COUNT * LARGE);
	for (unsigned i = 0; i < COUNT; i++) {
		struct asyncring_sqe *sqe = queue(0, LARGE, i);

		sqe->off = (uint64_t)i * LARGE;
		sqe->addr = (uintptr_t)copy + sqe->off;
	}
	run(COUNT, results);
	/* Half a megabyte, one by one. */
	assert_int_equal(atomic_load(&inline_calls), 4);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(results[i], LARGE);
	assert_true(support_content(copy, (size_t)COUNT * LARGE, 0));
	free(copy);
	close(file);
	file = plain;
}

static void refused_means_workers(void **state)
{
	int plain = file;

	(void)state;
	all_is_cached();
	if (support_on_tmpfs("/tmp"))
		skip();
	file = renumber(support_file("/tmp", FILE_BYTES), 110);
	atomic_store(&refuses, true);
	run_row(8, 2);
	/* From now on nobody tries. */
	run_row(8, 0);
	all_is_cached();
	close(file);
	file = plain;
	run_row(8, 1);
}

static void the_end_of_the_file_cuts_one(void **state)
{
	int results[6], plain = file;

	(void)state;
	all_is_cached();
	for (unsigned size = 2 * BLOCK - 1; size <= 2 * BLOCK + 1; size++) {
		unsigned left = size;

		file = support_file("/tmp", size);
		for (unsigned i = 0; i < 6; i++)
			queue((uint64_t)i * BLOCK, BLOCK, i);
		run(6, results);
		for (unsigned i = 0; i < 6; i++) {
			unsigned part = left < BLOCK ? left : BLOCK;

			assert_int_equal(results[i], part);
			left -= part;
		}
		close(file);
	}
	file = plain;
}

static void bad_buffer_in_the_middle(void **state)
{
	int results[5];

	(void)state;
	all_is_cached();
	memset(memory, 0, sizeof(memory));
	for (unsigned i = 0; i < 5; i++) {
		struct asyncring_sqe *sqe = queue((uint64_t)i * BLOCK, BLOCK, i);

		if (i == 2)
			sqe->addr = 8;
	}
	run(5, results);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(results[i], i == 2 ? -EFAULT : BLOCK);
	assert_true(support_content(memory, (size_t)2 * BLOCK, 0));
	assert_true(
		support_content(memory + (size_t)3 * BLOCK, (size_t)2 * BLOCK, (size_t)3 * BLOCK));
}

/* One that is refused ends the submission where it stands, and those before it are done. */
static void refused_in_the_middle(void **state)
{
	uint64_t name;

	(void)state;
	all_is_cached();
	for (unsigned i = 0; i < 5; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i)->personality = i == 2 ? 77 : 0;
	assert_int_equal(asyncring_submit(&ring), 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(support_result(&ring, &name), i == 2 ? -EINVAL : BLOCK);
		assert_int_equal(name, i);
	}
	assert_int_equal(asyncring_cq_ready(&ring), 0);
	assert_int_equal(asyncring_submit(&ring), 2);
	for (unsigned i = 3; i < 5; i++) {
		assert_int_equal(support_result(&ring, &name), BLOCK);
		assert_int_equal(name, i);
	}
}

/* Memory for the requests is out in the middle of a row: what was taken is carried out. */
static unsigned allocations_left;

static bool few_allocations(size_t size)
{
	(void)size;
	return allocations_left && allocations_left--;
}

static void out_of_memory_in_the_middle(void **state)
{
	struct asyncring small = ring;
	unsigned seen = 0;

	(void)state;
	all_is_cached();
	assert_int_equal(asyncring_queue_init(256, &ring, 0), 0);
	for (unsigned i = 0; i < 200; i++)
		queue((uint64_t)i * 100, 100, i);
	/* One block of requests, which are less than 200. */
	allocations_left = 1;
	asyncring__alloc_hook = few_allocations;
	while (seen < 200) {
		int submitted = asyncring_submit(&ring);

		if (submitted == -EAGAIN) {
			allocations_left = 1;
			continue;
		}
		assert_true(submitted > 0);
		for (int i = 0; i < submitted; i++, seen++)
			assert_int_equal(support_result(&ring, NULL), 100);
	}
	asyncring__alloc_hook = NULL;
	assert_true(support_content(memory, 20000, 0));
	asyncring_queue_exit(&ring);
	ring = small;
}

/* ---- the differential test ---- */

struct outcome {
	int results[STEPS];
	unsigned calls;
	unsigned char content[FILE_BYTES];
};

/* @apart: what workers do at the same time must not go to the same memory. */
static void queue_random(struct support_random *random, uint64_t *offset, unsigned name, bool apart)
{
	unsigned length = support_below(random, 3) ? 1 + support_below(random, 600)
						   : support_below(random, 2 * BLOCK);
	struct asyncring_sqe *sqe;
	unsigned choice = support_below(random, 25),
		 elsewhere = support_below(random, FILE_BYTES / 2);

	if (!support_below(random, 6))
		*offset = support_below(random, FILE_BYTES);
	if (!support_below(random, 12) && *offset > 300)
		*offset -= 300;
	if (apart && length > FILE_BYTES / STEPS)
		length = FILE_BYTES / STEPS;
	sqe = queue(0, length, name);
	sqe->off = *offset;
	sqe->addr = (uintptr_t)(memory + (apart ? name * (FILE_BYTES / STEPS) : elsewhere));
	if (choice == 0)
		sqe->addr = 8;
	if (choice == 1)
		sqe->rw_flags = RWF_NOWAIT;
	if (choice == 2)
		sqe->flags |= ASYNCRING_SQE_IO_LINK;
	*offset += length;
}

static void play(uint64_t seed, bool merged, struct outcome *outcome)
{
	struct support_random random = {seed};
	uint64_t offset = support_below(&random, FILE_BYTES);
	bool missing = support_below(&random, 2);

	all_is_cached();
	atomic_store(&asyncring__merges_nothing, !merged);
	if (missing) {
		atomic_store(&missing_from, (long)support_below(&random, FILE_BYTES));
		atomic_store(&missing_to,
			     atomic_load(&missing_from) + 1 + support_below(&random, 3 * BLOCK));
	}
	memset(memory, 0, sizeof(memory));
	for (unsigned i = 0; i < STEPS; i++)
		queue_random(&random, &offset, i, missing);
	run(STEPS, outcome->results);
	outcome->calls = atomic_load(&inline_calls);
	memcpy(outcome->content, memory, FILE_BYTES);
}

static void merged_and_unmerged_agree(void **state)
{
	static struct outcome merged, unmerged;
	unsigned long merged_calls = 0, unmerged_calls = 0;
	uint64_t seed = support_seed();

	(void)state;
	for (unsigned i = 0; i < PROGRAMS; i++, seed++) {
		play(seed, true, &merged);
		play(seed, false, &unmerged);
		merged_check_same(seed, "read", merged.results, unmerged.results);
		if (memcmp(merged.content, unmerged.content, FILE_BYTES))
			fail_msg("seed %llu: the data differs", (unsigned long long)seed);
		merged_calls += merged.calls;
		unmerged_calls += unmerged.calls;
	}
	atomic_store(&asyncring__merges_nothing, false);
	/* Or this test has compared a thing with itself. */
	assert_true(merged_calls < unmerged_calls * 3 / 4);
}

static int setup(void **state)
{
	(void)state;
	file = support_file("/tmp", FILE_BYTES);
	all_is_cached();
	return merged_setup(&ring, reads);
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
		cmocka_unit_test(reads_in_a_row_make_one_call),
		cmocka_unit_test(registered_files_are_no_different),
		cmocka_unit_test(memory_files_are_read_plainly),
		cmocka_unit_test(others_make_calls_of_their_own),
		cmocka_unit_test(missing_from_any_byte),
		cmocka_unit_test(a_cold_row_tries_each_once),
		cmocka_unit_test(large_ones_are_left_to_workers),
		cmocka_unit_test(refused_means_workers),
		cmocka_unit_test(the_end_of_the_file_cuts_one),
		cmocka_unit_test(bad_buffer_in_the_middle),
		cmocka_unit_test(refused_in_the_middle),
		cmocka_unit_test(out_of_memory_in_the_middle),
		cmocka_unit_test(merged_and_unmerged_agree),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
