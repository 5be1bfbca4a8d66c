/* SPDX-License-Identifier: MIT */
/* Shared by test_merged_*.c; merged.h says what each function is for. */
#include "merged.h"

void merged_fill(unsigned char data[FILE_BYTES])
{
	for (size_t i = 0; i < FILE_BYTES; i++)
		data[i] = support_byte(i);
}

int merged_setup(struct asyncring *ring,
		 bool (*hook)(long number, const long arguments[6], long *result))
{
	support_bound(120);
	signal(SIGXFSZ, SIG_IGN);
	asyncring__sys_hook = hook;
	return asyncring_queue_init(ENTRIES, ring, 0);
}

void merged_run(struct asyncring *ring, unsigned count, int results[])
{
	memset(results, 0x77, count * sizeof(results[0]));
	assert_int_equal(asyncring_submit(ring), count);
	for (unsigned i = 0; i < count; i++) {
		uint64_t name;
		int result = support_result(ring, &name);

		assert_in_range(name, 0, count - 1);
		assert_int_equal(results[name], 0x77777777);
		results[name] = result;
	}
}

const unsigned merged_parts[PARTS] = {BLOCK, 100, 1, BLOCK + 1, 700};

void merged_at_each_boundary(void (*at)(size_t place, unsigned boundary))
{
	size_t place = 0;

	for (unsigned i = 0; i <= PARTS; place += merged_parts[i % PARTS], i++) {
		if (place)
			at(place - 1, i);
		at(place, i);
		at(place + 1, i);
		at(place + 50, i);
	}
}

void merged_check_stopped(const int results[PARTS], size_t limit, int error)
{
	size_t offset = 0;

	for (unsigned i = 0; i < PARTS; offset += merged_parts[i++]) {
		size_t room = limit > offset ? limit - offset : 0;

		if (room >= merged_parts[i])
			assert_int_equal(results[i], merged_parts[i]);
		else
			assert_int_equal(results[i], room ? (int)room : -error);
	}
}

void merged_check_same(uint64_t seed, const char *what, const int merged[STEPS],
		       const int unmerged[STEPS])
{
	for (unsigned step = 0; step < STEPS; step++)
		if (merged[step] != unmerged[step])
			fail_msg("seed %llu: %s %u is %d merged and %d alone",
				 (unsigned long long)seed, what, step, merged[step],
				 unmerged[step]);
}
