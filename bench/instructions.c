/* SPDX-License-Identifier: MIT */
/*
 * asyncring-instructions nop|read DEPTH ROUNDS [FILE]: that many times DEPTH requests submitted and
 * awaited together, by one thread in one process, for bench/instructions to count what it takes.
 * READs are of 4 KiB, at scattered places of FILE, which is in the page cache. What is to be
 * counted is all in measured(), the application's own part included; everything has been done
 * before once.
 */
#include <asyncring.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 256, DEPTH_MAX = 1024 };

struct work {
	struct asyncring ring;
	unsigned depth;
	bool reads;
	int fd;
	unsigned place; /* the next block to read */
	char *buffers;
};

static int turn(struct work *work)
{
	struct asyncring_cqe *cqe;
	int expected = work->reads ? BLOCK : 0;
	unsigned head, count = 0;
	int result;

	for (unsigned i = 0; i < work->depth; i++) {
		struct asyncring_sqe *sqe = asyncring_get_sqe(&work->ring);

		if (work->reads) {
			work->place = (work->place * 5 + 3) % BLOCKS;
			asyncring_prep_read(sqe, work->fd, work->buffers + (size_t)i * BLOCK, BLOCK,
					    (__u64)work->place * BLOCK);
		} else
			asyncring_prep_nop(sqe);
		asyncring_sqe_set_data64(sqe, i);
	}
	result = asyncring_submit_and_wait(&work->ring, work->depth);
	if (result < 0)
		return result;
	asyncring_for_each_cqe (&work->ring, head, cqe) {
		if (cqe->user_data != count || cqe->res != expected)
			return cqe->res < 0 ? cqe->res : -EIO;
		count++;
	}
	asyncring_cq_advance(&work->ring, count);
	return count == work->depth ? 0 : -EIO;
}

static int turns(struct work *work, unsigned long rounds)
{
	int error = 0;

	while (!error && rounds--)
		error = turn(work);
	return error;
}

/* callgrind counts from the call to the return (--toggle-collect). */
__attribute__((noinline)) static int measured(struct work *work, unsigned long rounds)
{
	int error = turns(work, rounds);

	/* Not at the end: nothing of this function is another's. */
	__asm__ volatile("" ::: "memory");
	return error;
}

static int make_file(const char *path)
{
	static char block[BLOCK];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < BLOCKS; i++)
		if (write(fd, block, BLOCK) != BLOCK)
			return -EIO;
	return unlink(path) ? -errno : fd;
}

static int set_up(struct work *work, const char *path)
{
	size_t size = (size_t)work->depth * BLOCK;

	if (work->reads) {
		work->fd = make_file(path);
		if (work->fd < 0)
			return work->fd;
		work->buffers = aligned_alloc(BLOCK, size);
		if (!work->buffers)
			return -ENOMEM;
		memset(work->buffers, 1, size);
	}
	return asyncring_queue_init(work->depth, &work->ring, ASYNCRING_SETUP_SINGLE_ISSUER);
}

int main(int argc, char **argv)
{
	struct work work = {.fd = -1};
	unsigned long rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	int error;

	work.depth = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	work.reads = argc == 5 && !strcmp(argv[1], "read");
	if (!rounds || !work.depth || work.depth > DEPTH_MAX ||
	    (!work.reads && (argc != 4 || strcmp(argv[1], "nop")))) {
		fprintf(stderr, "usage: %s nop|read DEPTH ROUNDS [FILE]\n", argv[0]);
		return 2;
	}
	error = set_up(&work, argv[argc - 1]);
	if (!error)
		error = turns(&work, 3);
	if (!error)
		error = measured(&work, rounds);
	if (error)
		fprintf(stderr, "%s: %s\n", argv[0], strerror(-error));
	asyncring_queue_exit(&work.ring);
	free(work.buffers);
	return error ? 1 : 0;
}
