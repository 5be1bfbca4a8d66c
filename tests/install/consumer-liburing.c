/* SPDX-License-Identifier: MIT */
/* A program written for liburing; only its feature bit tells that asyncring serves it. */
#include <liburing.h>

#include <stdio.h>

int main(void)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;

	if (io_uring_queue_init(8, &ring, 0) < 0)
		return 1;
	if (!(ring.features & (1U << 31)))
		return 2;
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	if (io_uring_submit_and_wait(&ring, 1) != 1)
		return 3;
	if (io_uring_wait_cqe(&ring, &cqe) < 0 || cqe->res != 0)
		return 4;
	io_uring_cqe_seen(&ring, cqe);
	io_uring_queue_exit(&ring);
	puts("ok");
	return 0;
}
