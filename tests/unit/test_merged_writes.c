/* SPDX-License-Identifier: MIT */
/*
 * Description: writes that continue each other are made with one call, and nobody can tell. Random
 * programs of writes run merged and unmerged, with a disk that is full, or broken, or reached by a
 * signal, at any byte: results and data must be the same, one for one and byte for byte. And how
 * many calls are made is counted.
 *
 * A write to the same inode, held at a gate in the worker's system call, lets the others collect in
 * the lane, so that what is merged with what does not depend on time.
 */
#include "merged.h"

enum {
	BLOCKER = 1000,
	/* Where the write that is held at the gate goes: no other continues it. */
	FAR = FILE_BYTES + 100,
};

static struct asyncring ring;
static struct support_gate gate, lone_gate; /* for all calls; for those with one vector */
/* The same bytes in two places: what comes from both in turn adjoins nowhere in memory. */
static unsigned char data[FILE_BYTES], again[FILE_BYTES];
static int file;
static char path[] = "/tmp/asyncring-merged-XXXXXX";

/* ---- the hook: counts, holds, and is a disk with a fault ---- */

static _Atomic unsigned calls, vectors_seen;
/* Bytes from here on fail; -1: none. */
static _Atomic long fault_at;
static _Atomic int fault_errno;
/* Interruptions begun and not yet ended. */
static _Atomic int timers;
/* So many calls are interrupted first. */
static _Atomic int interruptions;

static bool worker_writes(long number, const long arguments[6], long *result)
{
	struct support_transfer write;
	long left;

	if (number == SYS_timer_create)
		atomic_fetch_add(&timers, 1);
	if (number == SYS_timer_delete)
		atomic_fetch_sub(&timers, 1);
	if (!support_transfer(number, arguments, &write) || !write.write)
		return false;
	if (support_thread_id() == getpid()) {
		/* Nothing is written inline. */
		*result = -EOPNOTSUPP;
		return true;
	}
	support_gate_pass(&gate, number);
	if (write.offset == FAR)
		return false;
	if (write.count == 1)
		support_gate_pass(&lone_gate, number);
	atomic_fetch_add(&calls, 1);
	atomic_fetch_add(&vectors_seen, write.count);
	if (atomic_load(&interruptions) > 0) {
		atomic_fetch_sub(&interruptions, 1);
		*result = -EINTR;
		return true;
	}
	if (atomic_load(&fault_at) < 0)
		return false;
	left = atomic_load(&fault_at) - write.offset;
	*result =
		left > 0 ? support_transfer_part(&write, (size_t)left) : -atomic_load(&fault_errno);
	return true;
}

/* ---- running what was prepared ---- */

static void hold_lane(void)
{
	struct asyncring_sqe *sqe;

	support_gate_close(&gate, SYS_pwritev2);
	sqe = support_sqe(&ring);
	asyncring_prep_write(sqe, file, data, 1, FAR);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = BLOCKER;
	assert_int_equal(asyncring_submit(&ring), 1);
	assert_true(support_gate_held(&gate, 1));
}

static struct asyncring_sqe *queue(uint64_t offset, size_t length, uint64_t user_data)
{
	const unsigned char *from = user_data % 2 ? again : data;
	struct asyncring_sqe *sqe = support_sqe(&ring);

	asyncring_prep_write(sqe, file, from + offset, (unsigned)length, offset);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = user_data;
	return sqe;
}

/* Submit the @count writes queued, named from 0 on, and let them run; they end in order. */
static void run(unsigned count, int results[])
{
	uint64_t name;

	atomic_store(&calls, 0);
	atomic_store(&vectors_seen, 0);
	assert_int_equal(asyncring_submit(&ring), count);
	support_gate_open(&gate);
	assert_int_equal(support_result(&ring, &name), 1);
	assert_int_equal(name, BLOCKER);
	for (unsigned i = 0; i < count; i++) {
		results[i] = support_result(&ring, &name);
		assert_int_equal(name, i);
	}
}

static void forget(void)
{
	assert_int_equal(ftruncate(file, 0), 0);
	atomic_store(&fault_at, -1);
	atomic_store(&interruptions, 0);
}

static void assert_written(size_t from, size_t to)
{
	static unsigned char found[FILE_BYTES];

	assert_int_equal(pread(file, found, to - from, (off_t)from), to - from);
	assert_memory_equal(found, data + from, to - from);
}

/* ---- how many calls ---- */

static void writes_in_a_row_make_one_call(void **state)
{
	int results[32];

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		forget();
		hold_lane();
		for (unsigned i = 0; i < 32; i++)
			queue((uint64_t)i * BLOCK, BLOCK, i);
		run(32, results);
		for (unsigned i = 0; i < 32; i++)
			assert_int_equal(results[i], BLOCK);
		assert_int_equal(atomic_load(&calls), 1);
		assert_int_equal(atomic_load(&vectors_seen), 32);
		assert_written(0, 32 * BLOCK);
	}
}

static void vectors_and_buffers_go_together(void **state)
{
	struct iovec parts[2] = {{again + BLOCK, 100}, {data + BLOCK + 100, BLOCK - 100}};
	struct asyncring_sqe *sqe;
	int results[4];

	(void)state;
	forget();
	hold_lane();
	queue(0, BLOCK, 0);
	sqe = queue(BLOCK, 0, 1);
	asyncring_prep_writev(sqe, file, parts, 2, BLOCK);
	sqe->flags |= ASYNCRING_SQE_ASYNC;
	sqe->user_data = 1;
	queue(2 * BLOCK, 1, 2)->addr = (uintptr_t)again + 2 * BLOCK;
	queue(2 * BLOCK + 1, BLOCK - 1, 3)->addr = (uintptr_t)data + 2 * BLOCK + 1;
	run(4, results);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(results[i], i < 2 ? BLOCK : i == 2 ? 1 : BLOCK - 1);
	assert_int_equal(atomic_load(&calls), 1);
	assert_int_equal(atomic_load(&vectors_seen), 5);
	assert_written(0, (size_t)3 * BLOCK);
}

/* One vector for what lies side by side in memory, too: the results are dealt out all the same. */
static void buffers_that_adjoin_are_one(void **state)
{
	int results[8];

	(void)state;
	forget();
	hold_lane();
	for (unsigned i = 0; i < 8; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i)->addr = (uintptr_t)data + (uint64_t)i * BLOCK;
	run(8, results);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(results[i], BLOCK);
	assert_int_equal(atomic_load(&calls), 1);
	assert_int_equal(atomic_load(&vectors_seen), 1);
	assert_written(0, (size_t)8 * BLOCK);
	/* The disk ends within the third. */
	forget();
	atomic_store(&fault_at, 2 * BLOCK + 100);
	atomic_store(&fault_errno, ENOSPC);
	hold_lane();
	for (unsigned i = 0; i < 4; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i)->addr = (uintptr_t)data + (uint64_t)i * BLOCK;
	run(4, results);
	assert_int_equal(results[0], BLOCK);
	assert_int_equal(results[1], BLOCK);
	assert_int_equal(results[2], 100);
	assert_int_equal(results[3], -ENOSPC);
	assert_written(0, (size_t)2 * BLOCK + 100);
	forget();
}

/* They have their buffers since they were tried inline. */
static void registered_buffers_go_together(void **state)
{
	struct iovec whole = {data, FILE_BYTES};
	int results[4];

	(void)state;
	/* Where a plain call is made inline there is nothing to merge. */
	if (support_on_tmpfs("/tmp"))
		skip();
	forget();
	assert_int_equal(asyncring_register_buffers(&ring, &whole, 1), 0);
	hold_lane();
	for (unsigned i = 0; i < 4; i++) {
		struct asyncring_sqe *sqe = support_sqe(&ring);

		asyncring_prep_write_fixed(sqe, file, data + (size_t)i * BLOCK, BLOCK,
					   (uint64_t)i * BLOCK, 0);
		sqe->user_data = i;
	}
	run(4, results);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(results[i], BLOCK);
	assert_int_equal(atomic_load(&calls), 1);
	assert_written(0, (size_t)4 * BLOCK);
	assert_int_equal(asyncring_unregister_buffers(&ring), 0);
}

/* Each of these stands apart from the one before. */
static void others_make_calls_of_their_own(void **state)
{
	struct asyncring_sqe *sqe;
	int results[8];

	(void)state;
	forget();
	hold_lane();
	queue(0, BLOCK, 0);
	queue(BLOCK + 1, BLOCK, 1);				    /* a gap */
	queue(BLOCK, BLOCK, 2);					    /* backwards */
	queue((uint64_t)2 * BLOCK, BLOCK, 3)->rw_flags = RWF_DSYNC; /* waits for the device */
	/* A priority of its own: best effort, the lowest. */
	queue((uint64_t)3 * BLOCK, BLOCK, 4)->ioprio = 2 << 13 | 7;
	queue((uint64_t)4 * BLOCK, 0, 5); /* nothing */
	queue((uint64_t)4 * BLOCK, BLOCK, 6)->flags |= ASYNCRING_SQE_IO_LINK;
	sqe = support_sqe(&ring);
	asyncring_prep_nop(sqe);
	sqe->user_data = 7;
	run(8, results);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(results[i], i == 5 || i == 7 ? 0 : BLOCK);
	assert_int_equal(atomic_load(&calls), 7);
	assert_written(0, (size_t)5 * BLOCK);
}

/* No more than a megabyte and 64 vectors at once. */
static void calls_are_bounded(void **state)
{
	enum { LENGTH = FILE_BYTES, COUNT = 9, PAIRS = 40 };
	int results[PAIRS];

	(void)state;
	forget();
	hold_lane();
	for (unsigned i = 0; i < COUNT; i++) {
		struct asyncring_sqe *sqe = queue(0, LENGTH, i);

		sqe->off = (uint64_t)FAR + BLOCK + (uint64_t)i * LENGTH;
	}
	run(COUNT, results);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(results[i], LENGTH);
	/* Four, four and one. */
	assert_int_equal(atomic_load(&calls), 3);
	forget();
	hold_lane();
	for (unsigned i = 0; i < PAIRS; i++) {
		static struct iovec pair[2] = {{data, 10}, {again + 10, 20}};
		struct asyncring_sqe *sqe = queue(0, 0, i);

		asyncring_prep_writev(sqe, file, pair, 2, (uint64_t)i * 30);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
		sqe->user_data = i;
	}
	run(PAIRS, results);
	for (unsigned i = 0; i < PAIRS; i++)
		assert_int_equal(results[i], 30);
	/* Thirty-two and eight. */
	assert_int_equal(atomic_load(&calls), 2);
	assert_int_equal(atomic_load(&vectors_seen), 2 * PAIRS);
}

/* Those that were opened alike go together; the one that appends goes by itself. */
static void any_descriptor_will_do(void **state)
{
	int others[4] = {file, dup(file), open(path, O_WRONLY | O_CLOEXEC),
			 open(path, O_RDWR | O_APPEND | O_CLOEXEC)};
	int results[9];

	(void)state;
	forget();
	hold_lane();
	for (unsigned i = 0; i < 9; i++) {
		assert_true(others[i % 3] >= 0);
		queue((uint64_t)i * BLOCK, BLOCK, i)->fd = others[i % 3];
	}
	run(9, results);
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(results[i], BLOCK);
	assert_int_equal(atomic_load(&calls), 1);
	assert_written(0, (size_t)9 * BLOCK);
	forget();
	hold_lane();
	for (unsigned i = 0; i < 9; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i)->fd = others[i == 4 ? 3 : 0];
	run(9, results);
	assert_int_equal(atomic_load(&calls), 3);
	assert_int_equal(lseek(file, 0, SEEK_END), FAR + 1 + BLOCK);
	assert_written(0, (size_t)4 * BLOCK);
	assert_written((size_t)5 * BLOCK, (size_t)9 * BLOCK);
	for (unsigned i = 1; i < 4; i++)
		close(others[i]);
}

static void what_waits_for_the_device_is_not_merged(void **state)
{
	int plain = file, results[4];

	(void)state;
	forget();
	file = open(path, O_RDWR | O_DSYNC | O_CLOEXEC);
	assert_true(file >= 0);
	hold_lane();
	for (unsigned i = 0; i < 4; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i);
	run(4, results);
	assert_int_equal(atomic_load(&calls), 4);
	close(file);
	file = plain;
}

/* ---- what stops a call ---- */

/* A disk with room for @limit bytes. */
static void fill_up(size_t limit, unsigned boundary)
{
	static const int errors[PARTS + 1] = {ENOSPC, EIO, EDQUOT, EFBIG, ENOMEM, ENOSPC};
	size_t total = 0;
	int results[PARTS];

	forget();
	atomic_store(&fault_at, (long)limit);
	atomic_store(&fault_errno, errors[boundary]);
	hold_lane();
	for (unsigned i = 0; i < PARTS; total += merged_parts[i++])
		queue(total, merged_parts[i], i);
	run(PARTS, results);
	merged_check_stopped(results, limit, errors[boundary]);
	assert_written(0, limit < total ? limit : total);
}

static void stopped_at_each_boundary(void **state)
{
	(void)state;
	merged_at_each_boundary(fill_up);
}

static void bad_buffer_in_the_middle(void **state)
{
	int results[5];

	(void)state;
	forget();
	hold_lane();
	for (unsigned i = 0; i < 5; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i)->addr = i == 2 ? 8 : (uintptr_t)data;
	run(5, results);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(results[i], i == 2 ? -EFAULT : BLOCK);
}

/* One whose memory ends in the middle is written up to there. */
static void buffer_that_ends_in_the_middle(void **state)
{
	unsigned char *memory = mmap(NULL, (size_t)2 * BLOCK, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int alone, results[3];

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(munmap(memory + BLOCK, BLOCK), 0);
	forget();
	alone = (int)pwrite(file, memory + 100, BLOCK, BLOCK);
	assert_int_equal(ftruncate(file, 0), 0);
	hold_lane();
	for (unsigned i = 0; i < 3; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i)->addr =
			(uintptr_t)(i == 1 ? memory + 100 : data);
	run(3, results);
	assert_int_equal(results[0], BLOCK);
	assert_int_equal(results[1], alone);
	assert_int_equal(results[2], BLOCK);
	munmap(memory, BLOCK);
}

static void file_size_limit_in_the_middle(void **state)
{
	struct rlimit limit, limited;
	int results[5];

	(void)state;
	forget();
	hold_lane();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limited = limit;
	limited.rlim_cur = 2 * BLOCK + 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
	for (unsigned i = 0; i < 5; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i);
	/* The write at the gate is beyond the limit, too. */
	assert_int_equal(asyncring_submit(&ring), 5);
	support_gate_open(&gate);
	assert_int_equal(support_result(&ring, NULL), -EFBIG);
	for (unsigned i = 0; i < 5; i++)
		results[i] = support_result(&ring, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(results[i], i < 2 ? BLOCK : i == 2 ? 100 : -EFBIG);
	assert_int_equal(lseek(file, 0, SEEK_END), limited.rlim_cur);
}

static void appending_keeps_the_order(void **state)
{
	int plain = file, results[6];

	(void)state;
	forget();
	file = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	assert_true(file >= 0);
	hold_lane();
	for (unsigned i = 0; i < 6; i++)
		queue((uint64_t)i * 100, 100, i);
	run(6, results);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(results[i], 100);
	/* Behind the byte that was written at the gate. */
	assert_int_equal(lseek(file, 0, SEEK_END), 601);
	{
		unsigned char found[600];

		assert_int_equal(pread(file, found, 600, 1), 600);
		assert_memory_equal(found, data, 600);
	}
	close(file);
	file = plain;
}

/* ---- cancellation ---- */

static int cancel(uint64_t target)
{
	struct asyncring_sync_cancel_reg reg = {.addr = target, .fd = -1, .timeout = {0, 0}};

	return asyncring_register_sync_cancel(&ring, &reg);
}

static void take_in_order(unsigned count, int results[])
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t name;

		results[i] = support_result(&ring, &name);
		assert_int_equal(name, i);
	}
}

/* All that travel together are running; @interrupted: their call is, so they go on one by one. */
static void cancel_in_company(unsigned target, bool interrupted)
{
	int results[6];

	forget();
	support_gate_close(&gate, SYS_pwritev2);
	/* Under the pool's lock all at once: the first finds the others behind it. */
	for (unsigned i = 0; i < 5; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i);
	queue((uint64_t)7 * BLOCK, BLOCK, 5);
	assert_int_equal(asyncring_submit(&ring), 6);
	assert_true(support_gate_held(&gate, 1));
	atomic_store(&calls, 0);
	atomic_store(&interruptions, interrupted);
	/* -EALREADY, and the time to wait for its end is over. */
	assert_int_equal(cancel(target), -ETIME);
	support_gate_open(&gate);
	take_in_order(6, results);
	for (unsigned i = 0; i < 6; i++)
		if (i == target && interrupted && !target)
			assert_true(results[i] == BLOCK || results[i] == -EINTR);
		else
			assert_int_equal(results[i], BLOCK);
	assert_written(BLOCK, (size_t)5 * BLOCK);
	/* Nobody goes on interrupting the worker. */
	assert_int_equal(atomic_load(&timers), 0);
}

static void company_counts_as_running(void **state)
{
	(void)state;
	for (unsigned target = 0; target < 5; target++) {
		cancel_in_company(target, false);
		cancel_in_company(target, true);
	}
}

/* What was taken along and is in the lane again can be taken back as if nothing had been. */
static void back_in_the_lane_it_can_be_cancelled(void **state)
{
	static const uint64_t order[] = {BLOCKER, 3, 0, 1, 2, 4};
	unsigned char hole[BLOCK];

	(void)state;
	forget();
	hold_lane();
	for (unsigned i = 0; i < 5; i++)
		queue((uint64_t)i * BLOCK, BLOCK, i);
	assert_int_equal(asyncring_submit(&ring), 5);
	/* The call that carries them all fails, and that of the first by itself is held. */
	atomic_store(&interruptions, 1);
	support_gate_close(&lone_gate, SYS_pwritev2);
	support_gate_open(&gate);
	assert_true(support_gate_held(&lone_gate, 1));
	assert_int_equal(cancel(3), 0);
	support_gate_open(&lone_gate);
	for (unsigned i = 0; i < 6; i++) {
		uint64_t name;
		int result = support_result(&ring, &name);

		assert_int_equal(name, order[i]);
		assert_int_equal(result, name == BLOCKER ? 1 : name == 3 ? -ECANCELED : BLOCK);
	}
	assert_written(0, (size_t)3 * BLOCK);
	assert_int_equal(pread(file, hole, BLOCK, (off_t)3 * BLOCK), BLOCK);
	for (unsigned i = 0; i < BLOCK; i++)
		assert_int_equal(hole[i], 0);
	assert_written((size_t)4 * BLOCK, (size_t)5 * BLOCK);
}

/* ---- the differential test ---- */

struct outcome {
	int results[STEPS];
	unsigned calls;
	off_t size;
	unsigned char content[FILE_BYTES];
};

/* One write, which mostly continues the one before it at *offset. */
static void queue_random(struct support_random *random, uint64_t *offset, unsigned name)
{
	static struct iovec vectors[STEPS][3];
	static unsigned char *ends[STEPS]; /* of the buffers; the next one may begin there */
	unsigned length = support_below(random, 3) ? 1 + support_below(random, 600)
						   : support_below(random, 2 * BLOCK);
	struct asyncring_sqe *sqe;
	unsigned char *from;

	if (!support_below(random, 6))
		*offset = support_below(random, FILE_BYTES / 2);
	if (!support_below(random, 12) && *offset > 300)
		*offset -= 300;
	/* Not what belongs there: overlapping writes must be seen to differ. */
	from = data + support_below(random, FILE_BYTES / 2);
	if (name && !support_below(random, 3) && ends[name - 1] < data + FILE_BYTES / 2)
		from = ends[name - 1];
	ends[name] = from + length;
	if (!support_below(random, 25))
		from = (unsigned char *)8;
	sqe = queue(0, length, name);
	if (!support_below(random, 4)) {
		unsigned half = length / 2;

		vectors[name][0] = (struct iovec){from, half};
		vectors[name][1] = (struct iovec){from + half, 0};
		vectors[name][2] = (struct iovec){from + half, length - half};
		asyncring_prep_writev(sqe, file, vectors[name], 3, *offset);
		sqe->flags |= ASYNCRING_SQE_ASYNC;
		sqe->user_data = name;
	} else {
		sqe->addr = (uintptr_t)from;
		sqe->off = *offset;
	}
	*offset += length;
}

static void play(uint64_t seed, bool merged, struct outcome *outcome)
{
	struct support_random random = {seed};
	uint64_t offset = support_below(&random, FILE_BYTES / 4);

	forget();
	atomic_store(&asyncring__merges_nothing, !merged);
	if (!support_below(&random, 3)) {
		static const int errors[] = {ENOSPC, EIO, EDQUOT, EFBIG};

		atomic_store(&fault_at, (long)(offset + support_below(&random, FILE_BYTES / 4)));
		atomic_store(&fault_errno, errors[support_below(&random, 4)]);
	}
	atomic_store(&interruptions, (int)support_below(&random, 3));
	hold_lane();
	for (unsigned i = 0; i < STEPS; i++)
		queue_random(&random, &offset, i);
	run(STEPS, outcome->results);
	outcome->calls = atomic_load(&calls);
	outcome->size = lseek(file, 0, SEEK_END);
	memset(outcome->content, 0, sizeof(outcome->content));
	assert_true(pread(file, outcome->content, FILE_BYTES, 0) >= 0);
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
		merged_check_same(seed, "write", merged.results, unmerged.results);
		if (merged.size != unmerged.size ||
		    memcmp(merged.content, unmerged.content, FILE_BYTES))
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
	atomic_store(&asyncring__waiters_only_wait, true);
	merged_fill(data);
	merged_fill(again);
	file = mkostemp(path, O_CLOEXEC);
	atomic_store(&fault_at, -1);
	return file < 0 ? -1 : merged_setup(&ring, worker_writes);
}

static int teardown(void **state)
{
	(void)state;
	asyncring_queue_exit(&ring);
	close(file);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_in_a_row_make_one_call),
		cmocka_unit_test(vectors_and_buffers_go_together),
		cmocka_unit_test(buffers_that_adjoin_are_one),
		cmocka_unit_test(registered_buffers_go_together),
		cmocka_unit_test(others_make_calls_of_their_own),
		cmocka_unit_test(calls_are_bounded),
		cmocka_unit_test(any_descriptor_will_do),
		cmocka_unit_test(what_waits_for_the_device_is_not_merged),
		cmocka_unit_test(stopped_at_each_boundary),
		cmocka_unit_test(bad_buffer_in_the_middle),
		cmocka_unit_test(buffer_that_ends_in_the_middle),
		cmocka_unit_test(file_size_limit_in_the_middle),
		cmocka_unit_test(appending_keeps_the_order),
		cmocka_unit_test(company_counts_as_running),
		cmocka_unit_test(back_in_the_lane_it_can_be_cancelled),
		cmocka_unit_test(merged_and_unmerged_agree),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
