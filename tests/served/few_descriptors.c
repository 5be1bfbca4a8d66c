/* SPDX-License-Identifier: MIT */
/*
 * Description: a ring's descriptor may have any number. Programs with a low limit of descriptors
 * have low ones, and programs with many rings, or with all high numbers taken, have others than
 * most.
 */
#include "raw.h"

#include <sys/resource.h>

static void set_limit(rlim_t limit)
{
	struct rlimit old;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(limit <= old.rlim_max);
	old.rlim_cur = limit;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void low_limits(void **state)
{
	struct raw_ring ring;

	(void)state;
	for (rlim_t limit = 8; limit <= 1024; limit *= 2) {
		set_limit(limit);
		raw_open(&ring, 0);
		raw_check(&ring);
		raw_close_ring(&ring);
	}
}

/* More rings than there are numbers that they would have first. */
static void many_rings(void **state)
{
	enum { RINGS = 200 };
	static struct raw_ring rings[RINGS];

	(void)state;
	set_limit(1024);
	for (int i = 0; i < RINGS; i++)
		raw_open(&rings[i], 0);
	for (int i = 0; i < RINGS; i++)
		raw_check(&rings[i]);
	for (int i = 0; i < RINGS; i++)
		raw_close_ring(&rings[i]);
}

/* Files are mapped as they are, by whatever flags and at whatever offset of a ring's. */
static void files_are_no_rings(void **state)
{
	static const uint64_t offsets[] = {ASYNCRING_OFF_SQ_RING, ASYNCRING_OFF_CQ_RING,
					   ASYNCRING_OFF_SQES};
	const size_t size = 4096;
	int fd = memfd_create("file", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)ASYNCRING_OFF_SQES + (off_t)size), 0);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		char byte = (char)('a' + i), *page = raw_map(fd, size, offsets[i]);
		char found;

		assert_non_null(page);
		page[1] = byte;
		assert_int_equal(pread(fd, &found, 1, (off_t)offsets[i] + 1), 1);
		assert_int_equal(found, byte);
		raw_unmap(page, size);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(low_limits),
		cmocka_unit_test(many_rings),
		cmocka_unit_test(files_are_no_rings),
	};

	raw_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
