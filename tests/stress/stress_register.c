/* SPDX-License-Identifier: MIT */
/*
 * Description: tables of registered files and buffers are changed by one thread while requests of
 * another use them.
 *
 * What must hold: a request sees one file, or one buffer, from beginning to end, or is told that
 * there is none; each tag is reported exactly once, after its last user.
 */
#include "stress.h"

enum { SLOTS = 4, THINGS = 6, SIZE = 4096, UPDATES = 6000, DEPTH = 8 };

#define TAG (1ull << 40)

/* A table under change: the ring, what goes into the table, and the tags that were given out. */
struct table {
	struct asyncring ring;
	int files[THINGS];		    /* each full of one letter */
	unsigned char memory[THINGS][SIZE]; /* each full of one letter */
	int sink;			    /* where buffers are written to */
	_Atomic unsigned tags_given;
	_Atomic bool updates_done;
	unsigned tags_seen;
	unsigned last_use; /* counts requests, so that each finds a place of its own in the sink */
	bool seen[UPDATES + 1];
};

static struct table table;

static void fill_table(void)
{
	memset(&table, 0, sizeof(table));
	for (unsigned i = 0; i < THINGS; i++) {
		memset(table.memory[i], 'A' + (int)i, SIZE);
		table.files[i] = stress_file(table.memory[i], SIZE);
	}
	table.sink = stress_file("", 0);
	stress_ring(&table.ring, 32, 0);
}

static void empty_table(void)
{
	for (unsigned i = 0; i < THINGS; i++)
		close(table.files[i]);
	close(table.sink);
	asyncring_queue_exit(&table.ring);
}

static uint64_t new_tag(struct random *random)
{
	if (random_chance(random, 40))
		return 0;
	return TAG + atomic_fetch_add(&table.tags_given, 1) + 1;
}

static void *file_updater(void *argument)
{
	struct random random = random_stream(1);
	uint64_t start = stress_now_ns();

	(void)argument;
	for (unsigned i = 0; i < UPDATES && stress_time_left(start); i++) {
		unsigned slot = random_below(&random, SLOTS),
			 which = random_below(&random, THINGS + 1);
		int fd = which < THINGS ? table.files[which] : -1;
		__u64 tag = fd >= 0 ? new_tag(&random) : 0;

		check_equal(asyncring_register_files_update_tag(&table.ring, slot, &fd, &tag, 1),
			    1);
	}
	atomic_store(&table.updates_done, true);
	return NULL;
}

static void *buffer_updater(void *argument)
{
	struct random random = random_stream(2);
	uint64_t start = stress_now_ns();

	(void)argument;
	for (unsigned i = 0; i < UPDATES && stress_time_left(start); i++) {
		unsigned slot = random_below(&random, SLOTS),
			 which = random_below(&random, THINGS + 1);
		struct iovec buffer = {NULL, 0};
		__u64 tag = 0;

		if (which < THINGS) {
			buffer = (struct iovec){table.memory[which], SIZE};
			tag = new_tag(&random);
		}
		check_equal(
			asyncring_register_buffers_update_tag(&table.ring, slot, &buffer, &tag, 1),
			1);
	}
	atomic_store(&table.updates_done, true);
	return NULL;
}

static bool is_tag(const struct completion *cqe)
{
	uint64_t number = cqe->user_data - TAG;

	if (cqe->user_data < TAG)
		return false;
	check(number >= 1 && number <= UPDATES);
	check(!table.seen[number]);
	check_equal(cqe->res, 0);
	table.seen[number] = true;
	table.tags_seen++;
	return true;
}

/* The completion of a request; tags that come in between are counted. */
static struct completion next_request(void)
{
	struct completion cqe;

	do
		cqe = stress_next(&table.ring);
	while (is_tag(&cqe));
	return cqe;
}

static void check_one_letter(const unsigned char *data, unsigned size)
{
	check(data[0] >= 'A' && data[0] < 'A' + THINGS);
	for (unsigned i = 1; i < size; i++)
		check_equal(data[i], data[0]);
}

static void collect_remaining_tags(void)
{
	while (table.tags_seen < atomic_load(&table.tags_given)) {
		struct completion cqe = stress_next(&table.ring);

		check(is_tag(&cqe));
	}
	check_equal(asyncring_cq_ready(&table.ring), 0);
}

static void read_from_slots(struct random *random, unsigned char data[DEPTH][SIZE])
{
	memset(data, 0, DEPTH * SIZE);
	for (unsigned i = 0; i < DEPTH; i++) {
		struct asyncring_sqe *sqe = stress_sqe(&table.ring, 0);

		asyncring_prep_read(sqe, (int)random_below(random, SLOTS), data[i], SIZE, 0);
		stress_name(sqe, i,
			    ASYNCRING_SQE_FIXED_FILE |
				    (random_chance(random, 50) ? ASYNCRING_SQE_ASYNC : 0));
	}
	stress_submit(&table.ring, DEPTH);
	for (unsigned i = 0; i < DEPTH; i++) {
		struct completion cqe = next_request();

		check(cqe.user_data < DEPTH);
		if (cqe.res == -EBADF)
			continue;
		check_equal(cqe.res, SIZE);
		check_one_letter(data[cqe.user_data], SIZE);
	}
}

static void files_change_under_their_users(void **state)
{
	static unsigned char data[DEPTH][SIZE];
	struct random random = random_stream(3);
	pthread_t updater;

	(void)state;
	fill_table();
	check_equal(asyncring_register_files_sparse(&table.ring, SLOTS), 0);
	stress_thread(&updater, file_updater, NULL);
	while (!atomic_load(&table.updates_done))
		read_from_slots(&random, data);
	stress_join(updater);
	check_equal(asyncring_unregister_files(&table.ring), 0);
	collect_remaining_tags();
	empty_table();
}

static void write_from_slots(struct random *random)
{
	unsigned char found[SIZE];
	unsigned first = table.last_use;

	for (unsigned i = 0; i < DEPTH; i++) {
		struct asyncring_sqe *sqe = stress_sqe(&table.ring, 0);
		unsigned place = (first + i) % 64, thing = random_below(random, THINGS);

		asyncring_prep_write_fixed(sqe, table.sink, table.memory[thing], SIZE,
					   (uint64_t)place * SIZE,
					   (int)random_below(random, SLOTS));
		stress_name(sqe, place * THINGS + thing,
			    random_chance(random, 50) ? ASYNCRING_SQE_ASYNC : 0);
	}
	table.last_use += DEPTH;
	stress_submit(&table.ring, DEPTH);
	for (unsigned i = 0; i < DEPTH; i++) {
		struct completion cqe = next_request();
		unsigned place = (unsigned)cqe.user_data / THINGS;

		check(place < 64);
		/* Another buffer, or none, was in the slot. */
		if (cqe.res == -EFAULT)
			continue;
		check_equal(cqe.res, SIZE);
		check_equal(pread(table.sink, found, SIZE, (off_t)place * SIZE), SIZE);
		check_equal(found[0], 'A' + cqe.user_data % THINGS);
		check_one_letter(found, SIZE);
	}
}

static void buffers_change_under_their_users(void **state)
{
	struct random random = random_stream(4);
	pthread_t updater;

	(void)state;
	fill_table();
	check_equal(asyncring_register_buffers_sparse(&table.ring, SLOTS), 0);
	stress_thread(&updater, buffer_updater, NULL);
	while (!atomic_load(&table.updates_done))
		write_from_slots(&random);
	stress_join(updater);
	check_equal(asyncring_unregister_buffers(&table.ring), 0);
	collect_remaining_tags();
	empty_table();
}

/* ---- the ring's own requests change the table ---- */

/* Each chain opens a file into a slot of its own, reads through it and empties the slot. */
static void chains_bring_their_files_along(void **state)
{
	static unsigned char data[SLOTS][SIZE];
	struct random random = random_stream(5);
	uint64_t start = stress_now_ns();
	char path[64];

	(void)state;
	fill_table();
	check_equal(asyncring_register_files_sparse(&table.ring, SLOTS), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", table.files[2]);
	for (unsigned i = 0; i < 2000 && stress_time_left(start); i++) {
		memset(data, 0, sizeof(data));
		for (unsigned slot = 0; slot < SLOTS; slot++) {
			unsigned async = random_chance(&random, 30) ? ASYNCRING_SQE_ASYNC : 0;
			struct asyncring_sqe *sqe = stress_sqe(&table.ring, 0);

			asyncring_prep_openat_direct(sqe, AT_FDCWD, path, O_RDONLY, 0, slot);
			stress_name(sqe, 0, ASYNCRING_SQE_IO_LINK | async);
			sqe = stress_sqe(&table.ring, 0);
			asyncring_prep_read(sqe, (int)slot, data[slot], SIZE, 0);
			stress_name(sqe, SIZE, ASYNCRING_SQE_FIXED_FILE | ASYNCRING_SQE_IO_LINK);
			sqe = stress_sqe(&table.ring, 0);
			asyncring_prep_close_direct(sqe, slot);
			stress_name(sqe, 0, 0);
		}
		stress_submit(&table.ring, 3 * SLOTS);
		for (unsigned n = 0; n < 3 * SLOTS; n++) {
			struct completion cqe = next_request();

			/* The name is the answer that must come. */
			check_equal(cqe.res, cqe.user_data);
		}
		for (unsigned slot = 0; slot < SLOTS; slot++) {
			check_one_letter(data[slot], SIZE);
			check_equal(data[slot][0], 'A' + 2);
		}
	}
	empty_table();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_change_under_their_users),
		cmocka_unit_test(buffers_change_under_their_users),
		cmocka_unit_test(chains_bring_their_files_along),
	};

	return stress_run(tests);
}
