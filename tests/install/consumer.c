/* SPDX-License-Identifier: MIT */
/*
 * A stranger's program: it knows the installed header and library and nothing else. It is valid C
 * and valid C++, and reads a file of its own through the ring, so that it fails when what was
 * built and linked is not the library at work.
 *
 * Prints "ok"; the exit status is the number of the step that failed.
 */
#include <asyncring.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char text[] = "written with write(2), read through the ring";

static int temporary_file(void)
{
	char name[] = "/tmp/asyncring-consumer-XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0)
		return -1;
	unlink(name);
	if (write(fd, text, sizeof(text)) != (ssize_t)sizeof(text))
		return -1;
	return fd;
}

/* One request through the ring; its result. */
static int complete_one(struct asyncring *ring)
{
	struct asyncring_cqe *cqe;
	int result = asyncring_submit(ring);

	if (result < 0)
		return result;
	result = asyncring_wait_cqe(ring, &cqe);
	if (result < 0)
		return result;
	result = cqe->res;
	asyncring_cqe_seen(ring, cqe);
	return result;
}

int main(void)
{
	struct asyncring ring;
	char buffer[sizeof(text)];
	int fd = temporary_file();

	if (fd < 0)
		return 1;
	if (asyncring_queue_init(8, &ring, 0) < 0)
		return 2;

	asyncring_prep_nop(asyncring_get_sqe(&ring));
	if (complete_one(&ring) != 0)
		return 3;

	asyncring_prep_read(asyncring_get_sqe(&ring), fd, buffer, sizeof(buffer), 0);
	if (complete_one(&ring) != (int)sizeof(text) || memcmp(buffer, text, sizeof(text)) != 0)
		return 4;

	/* A worker carries this one out, so threads are there too. */
	{
		struct asyncring_sqe *sqe = asyncring_get_sqe(&ring);

		memset(buffer, 0, sizeof(buffer));
		asyncring_prep_read(sqe, fd, buffer, sizeof(buffer), 0);
		asyncring_sqe_set_flags(sqe, ASYNCRING_SQE_ASYNC);
	}
	if (complete_one(&ring) != (int)sizeof(text) || memcmp(buffer, text, sizeof(text)) != 0)
		return 5;

	asyncring_queue_exit(&ring);
	close(fd);
	puts("ok");
	return 0;
}
