/* SPDX-License-Identifier: MIT */
/*
 * Description: many rings in one process are two descriptors each and no thread; all of it is gone
 * afterwards. Many requests in flight take at most 256 bytes each, with all there is about them.
 */
#include "support.h"

#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>

enum { RINGS = 1000, ENTRIES = 8, BLOCK = 512, REQUESTS = 100000, SQ_ENTRIES = 4096 };

static struct asyncring rings[RINGS];

static void allow_descriptors(unsigned count)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < count)
		skip();
	if (limit.rlim_cur < count)
		limit.rlim_cur = count;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void thousand_rings(void **state)
{
	struct support_census census;
	unsigned char buffer[BLOCK];
	int file = support_file(".", BLOCK);

	(void)state;
	allow_descriptors(2 * RINGS + 1000);
	census = support_census();
	for (unsigned i = 0; i < RINGS; i++) {
		assert_int_equal(asyncring_queue_init(ENTRIES, &rings[i], 0), 0);
		asyncring_prep_nop(support_sqe(&rings[i]));
		assert_int_equal(asyncring_submit(&rings[i]), 1);
		assert_int_equal(support_result(&rings[i], NULL), 0);
		asyncring_prep_read(support_sqe(&rings[i]), file, buffer, BLOCK, 0);
		assert_int_equal(asyncring_submit(&rings[i]), 1);
		assert_int_equal(support_result(&rings[i], NULL), BLOCK);
		assert_true(support_content(buffer, BLOCK, 0));
	}
	assert_int_equal(support_threads(), census.threads);
	assert_int_equal(support_descriptors(), census.descriptors + 2 * RINGS);
	for (unsigned i = 0; i < RINGS; i++)
		asyncring_queue_exit(&rings[i]);
	assert_true(support_census_restored(&census));
	close(file);
}

/* Bytes that are allocated, or 0 where that is not to be known. */
static size_t allocated(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
	struct mallinfo2 info = mallinfo2();

	return ADDRESS_SANITIZER || THREAD_SANITIZER ? 0 : info.uordblks + info.hblkhd;
#else
	return 0;
#endif
}

/* Polls of @fd or, if it is negative, timeouts: none of it ends by itself. */
static void hold(int fd)
{
	struct __kernel_timespec hour = {.tv_sec = 3600};
	struct asyncring *ring = &rings[0];
	size_t before, grown;

	if (!allocated())
		skip();
	assert_int_equal(asyncring_queue_init(SQ_ENTRIES, ring, 0), 0);
	before = allocated();
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct asyncring_sqe *sqe = asyncring_get_sqe(ring);

		if (!sqe) {
			assert_int_equal(asyncring_submit(ring), SQ_ENTRIES);
			sqe = asyncring_get_sqe(ring);
		}
		if (fd < 0)
			asyncring_prep_timeout(sqe, &hour, 0, 0);
		else
			asyncring_prep_poll_add(sqe, fd, POLLIN);
		asyncring_sqe_set_data64(sqe, i);
	}
	assert_true(asyncring_submit(ring) > 0);
	assert_int_equal(asyncring_cq_ready(ring), 0);
	grown = allocated() - before;
	assert_in_range(grown / REQUESTS, 64, 256);
	asyncring_queue_exit(ring);
}

static void polls_take_little_memory(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	hold(fd);
	close(fd);
}

static void timeouts_take_little_memory(void **state)
{
	(void)state;
	hold(-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thousand_rings),
		cmocka_unit_test(polls_take_little_memory),
		cmocka_unit_test(timeouts_take_little_memory),
	};

	support_bound(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
