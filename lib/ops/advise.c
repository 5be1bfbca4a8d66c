/* SPDX-License-Identifier: MIT */
/*
 * FADVISE and MADVISE. Advice that only sets a file's read-ahead is given inline; all other may
 * read, write back or free pages, and goes to a worker.
 */
#include "../core/core.h"
#include "families.h"

struct advice {
	uint64_t start; /* offset or address */
	uint64_t length;
	uint32_t advice;
};

/* The length grew from 32 to 64 bits and moved; a zero in the new place means the old one. */
static void set_length(struct advice *advice, uint64_t length, uint32_t old_length)
{
	advice->length = length ? length : old_length;
}

int asyncring__fadvise_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct advice *advice = request_data(request, struct advice);

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	advice->start = sqe->off;
	set_length(advice, sqe->addr, sqe->len);
	advice->advice = sqe->fadvise_advice;
	return 0;
}

static bool sets_read_ahead_only(uint32_t advice)
{
	return advice == POSIX_FADV_NORMAL || advice == POSIX_FADV_RANDOM ||
	       advice == POSIX_FADV_SEQUENTIAL;
}

enum issue_result asyncring__fadvise_issue(struct request *request, unsigned flags)
{
	const struct advice *advice = request_data(request, struct advice);

	if (flags & ISSUE_NONBLOCK && !sets_read_ahead_only(advice->advice))
		return ISSUE_NEED_WORKER;
	request_set_result(request, (int32_t)sys(SYS_fadvise64, request_fd(request), advice->start,
						 advice->length, advice->advice));
	return ISSUE_DONE;
}

int asyncring__madvise_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct advice *advice = request_data(request, struct advice);

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	advice->start = sqe->addr;
	set_length(advice, sqe->off, sqe->len);
	advice->advice = sqe->fadvise_advice;
	return 0;
}

enum issue_result asyncring__madvise_issue(struct request *request, unsigned flags)
{
	const struct advice *advice = request_data(request, struct advice);

	(void)flags;
	request_set_answer(
		request, (int32_t)sys(SYS_madvise, advice->start, advice->length, advice->advice));
	return ISSUE_DONE;
}
