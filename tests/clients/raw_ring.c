/* SPDX-License-Identifier: MIT */
/*
 * raw_ring: one NOP through a ring, with system calls of the program's own, to be denied. Says
 * "ok", or ends with 1 and the name of what setup was refused with.
 */
#include "../served/raw.h"

int main(void)
{
	struct asyncring_params params = {0};
	struct raw_ring ring;
	int fd = raw_setup(1, &params);

	if (fd < 0) {
		puts(fd == -EPERM ? "EPERM" : fd == -ENOSYS ? "ENOSYS" : "another error");
		return 1;
	}
	raw_close(fd);
	raw_open(&ring, 0);
	raw_check(&ring);
	raw_close_ring(&ring);
	puts("ok");
	return 0;
}
