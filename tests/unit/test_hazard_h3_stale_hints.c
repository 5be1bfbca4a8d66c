/* SPDX-License-Identifier: MIT */
/*
 * Description: hazard H3. What was learnt of a descriptor is a hint, because numbers are used again
 * without the library being told: a wrong hint costs time, never correctness, and never blocks the
 * submitter on a stream. Every kind of file is put behind the number of every other.
 */
#include "support.h"

enum { SIZE = 8192 };
enum kind { DISK, MEMORY, DIRECT, PROCFS, FULL_PIPE, EMPTY_PIPE, SOCKET, KINDS };

static const char *const names[KINDS] = {"disk",      "tmpfs",	    "O_DIRECT", "procfs",
					 "full pipe", "empty pipe", "socket"};
static struct asyncring ring;
static unsigned char buffer[SIZE] __attribute__((aligned(4096)));
static int files[KINDS]; /* -1: not to be had here */
static int peers[KINDS]; /* of pipes and sockets: where their data comes from */

static bool is_stream(enum kind kind)
{
	return kind >= FULL_PIPE;
}

static void put_data(enum kind kind, size_t length)
{
	unsigned char data[64];

	for (size_t i = 0; i < length; i++)
		data[i] = support_byte(i);
	assert_int_equal(write(peers[kind], data, length), length);
}

/* What a request of the length of @kind on @number gives, where @kind is behind it. */
static void check_read(int number, enum kind kind, int64_t offset)
{
	int result;

	memset(buffer, 0, SIZE);
	if (kind == FULL_PIPE || kind == SOCKET)
		put_data(kind, 50);
	asyncring_prep_read(support_sqe(&ring), number, buffer, kind == PROCFS ? 10 : SIZE,
			    (uint64_t)offset);
	assert_int_equal(asyncring_submit(&ring), 1);
	if (kind == EMPTY_PIPE) {
		/* That submit has returned at all shows that it did not block. */
		assert_int_equal(asyncring_cq_ready(&ring), 0);
		put_data(kind, 50);
	}
	result = support_result(&ring, NULL);
	if (kind == PROCFS) {
		assert_int_equal(result, 10);
		return;
	}
	assert_int_equal(result, is_stream(kind) ? 50 : SIZE);
	assert_true(support_content(buffer, (size_t)result, 0));
}

static void check_write(int number, enum kind kind)
{
	if (kind == PROCFS || kind == FULL_PIPE || kind == EMPTY_PIPE)
		return;
	for (size_t i = 0; i < SIZE; i++)
		buffer[i] = support_byte(i);
	asyncring_prep_write(support_sqe(&ring), number, buffer, SIZE, 0);
	assert_int_equal(support_run(&ring), SIZE);
	if (kind == SOCKET) {
		assert_int_equal(read(peers[kind], buffer, SIZE), SIZE);
		assert_true(support_content(buffer, SIZE, 0));
	}
}

static void put_behind(int number, enum kind kind)
{
	assert_int_equal(dup3(files[kind], number, O_CLOEXEC), number);
	if (!is_stream(kind))
		assert_int_equal(lseek(number, 0, SEEK_SET), 0);
}

static void check_all_pairs(int64_t offset)
{
	int number = fcntl(0, F_DUPFD_CLOEXEC, 100);

	for (int before = 0; before < KINDS; before++) {
		for (int after = 0; after < KINDS; after++) {
			if (files[before] < 0 || files[after] < 0)
				continue;
			put_behind(number, (enum kind)before);
			check_read(number, (enum kind)before, 0);
			check_write(number, (enum kind)before);
			put_behind(number, (enum kind)after);
			print_message("%s, then %s, offset %d\n", names[before], names[after],
				      (int)offset);
			check_read(number, (enum kind)after, offset);
			check_write(number, (enum kind)after);
		}
	}
	close(number);
}

static void hazard_h3_stale_hints_at_an_offset(void **state)
{
	(void)state;
	check_all_pairs(0);
}

static void hazard_h3_stale_hints_at_the_position(void **state)
{
	(void)state;
	check_all_pairs(-1);
}

static void hazard_h3_stale_hint_loses_no_bytes_of_a_pipe(void **state)
{
	enum { MUCH = 60000, ROOM = 200000 };
	int fd = support_file("/tmp", SIZE), number = fcntl(0, F_DUPFD_CLOEXEC, 100), ends[2];
	unsigned char *large = malloc(ROOM);

	(void)state;
	assert_non_null(large);
	for (int64_t offset = -1; offset <= 0; offset++) {
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		assert_int_equal(dup3(fd, number, O_CLOEXEC), number);
		check_read(number, DISK, 0);
		assert_int_equal(dup3(ends[0], number, O_CLOEXEC), number);
		for (size_t i = 0; i < MUCH; i++)
			large[i] = support_byte(i);
		assert_int_equal(write(ends[1], large, MUCH), MUCH);
		memset(large, 0, ROOM);
		asyncring_prep_read(support_sqe(&ring), number, large, ROOM, (uint64_t)offset);
		assert_int_equal(support_run(&ring), MUCH);
		assert_true(support_content(large, MUCH, 0));
		close(ends[0]);
		close(ends[1]);
	}
	free(large);
	close(number);
	close(fd);
}

static int setup(void **state)
{
	int ends[2];
	char path[64];

	(void)state;
	support_bound(60);
	files[DISK] = support_file("/tmp", SIZE);
	files[MEMORY] = support_on_tmpfs("/dev/shm") ? support_file("/dev/shm", SIZE) : -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", files[DISK]);
	files[DIRECT] = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	files[PROCFS] = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	for (int kind = FULL_PIPE; kind <= EMPTY_PIPE; kind++) {
		if (pipe2(ends, O_CLOEXEC))
			return -1;
		files[kind] = ends[0];
		peers[kind] = ends[1];
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -1;
	files[SOCKET] = ends[0];
	peers[SOCKET] = ends[1];
	return asyncring_queue_init(8, &ring, 0);
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
		cmocka_unit_test(hazard_h3_stale_hints_at_an_offset),
		cmocka_unit_test(hazard_h3_stale_hints_at_the_position),
		cmocka_unit_test(hazard_h3_stale_hint_loses_no_bytes_of_a_pipe),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
