/* SPDX-License-Identifier: MIT */
/*
 * Description: hazard H3 on Linux 5.9 and 5.10, where a NOWAIT read that should be -EAGAIN answers
 * 0, as at the end of the file. The library asks for the kernel's name once in a process, so the
 * program plays such a kernel from the start.
 */
#include "support.h"

#include <sys/utsname.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

enum { SIZE = 8192 };

static struct asyncring ring;
static unsigned char buffer[SIZE];

static bool play_5_10(long number, const long arguments[6], long *result)
{
	struct utsname *name = (struct utsname *)arguments[0];

	if (number == SYS_uname) {
		*result = uname(name);
		strcpy(name->release, "5.10.0-28-amd64");
		return true;
	}
	if (number != SYS_preadv2 || !(arguments[5] & RWF_NOWAIT))
		return false;
	*result = 0;
	return true;
}

static void hazard_h3_premature_zero_is_not_believed(void **state)
{
	int fd = support_file("/tmp", SIZE);

	(void)state;
	for (int i = 0; i < 3; i++) {
		memset(buffer, 0, SIZE);
		asyncring_prep_read(support_sqe(&ring), fd, buffer, SIZE, 0);
		assert_int_equal(support_run(&ring), SIZE);
		assert_true(support_content(buffer, SIZE, 0));
		asyncring_prep_read(support_sqe(&ring), fd, buffer, SIZE, SIZE);
		assert_int_equal(support_run(&ring), 0);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hazard_h3_premature_zero_is_not_believed),
	};
	int failed;

	support_bound(30);
	asyncring__sys_hook = play_5_10;
	if (asyncring_queue_init(4, &ring, 0))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	asyncring_queue_exit(&ring);
	return failed;
}
