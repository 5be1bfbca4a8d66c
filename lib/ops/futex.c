/* SPDX-License-Identifier: MIT */
/*
 * FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAITV: what an SQE says, checked. Who sleeps for those that wait is
 * the business of engine/futex_waiter.c.
 *
 * Futexes are of 32 bits, as in all kernels so far, and private or shared.
 */
#include "../core/core.h"
#include "../engine/futex_waiter.h"
#include "families.h"

struct wake {
	uint64_t address;
	uint32_t count;
	uint32_t mask;
	bool private;
};

static bool flags_valid(uint32_t flags)
{
	return (flags & ~(uint32_t)FUTEX_IS_PRIVATE) == FUTEX_SIZE_32;
}

/* What FUTEX_WAIT and FUTEX_WAKE have in common. */
static int check(const struct asyncring_sqe *sqe)
{
	if (sqe->len || sqe->futex_flags || sqe->buf_index || sqe->file_index)
		return -EINVAL;
	if (!flags_valid((uint32_t)sqe->fd) || sqe->addr2 > UINT32_MAX || sqe->addr3 > UINT32_MAX)
		return -EINVAL;
	return 0;
}

static struct futex_waiter *new_waiter(struct request *request, enum futex_wait_kind kind,
				       unsigned count)
{
	size_t size = sizeof(struct futex_waiter) + count * sizeof(struct futex_waitv);
	struct futex_waiter *waiter = asyncring__alloc(size);

	if (!waiter)
		return NULL;
	waiter->request = request;
	waiter->kind = kind;
	waiter->mask = FUTEX_BITSET_MATCH_ANY;
	waiter->count = count;
	request->async_data = waiter;
	return waiter;
}

int asyncring__futex_wait_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct futex_waiter *waiter;
	int error = check(sqe);

	if (error)
		return error;
	waiter = new_waiter(request, FUTEX_WAIT_ONE, 1);
	if (!waiter)
		return -ENOMEM;
	waiter->mask = (uint32_t)sqe->addr3;
	waiter->words[0] = (struct futex_waitv){
		.val = sqe->addr2,
		.uaddr = sqe->addr,
		.flags = (uint32_t)sqe->fd,
	};
	return 0;
}

int asyncring__futex_waitv_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct futex_waiter *waiter;
	int error;

	if (sqe->fd || sqe->buf_index || sqe->file_index || sqe->addr2 || sqe->addr3 ||
	    sqe->futex_flags)
		return -EINVAL;
	if (!sqe->len || sqe->len > FUTEX_WAITV_MAX)
		return -EINVAL;
	waiter = new_waiter(request, FUTEX_WAIT_VECTOR, sqe->len);
	if (!waiter)
		return -ENOMEM;
	error = asyncring__copy_in(waiter->words, sqe->addr, sqe->len * sizeof(waiter->words[0]));
	for (unsigned i = 0; i < waiter->count && !error; i++)
		if (!flags_valid(waiter->words[i].flags) || waiter->words[i].__reserved ||
		    waiter->words[i].val > UINT32_MAX)
			error = -EINVAL;
	return error;
}

enum issue_result asyncring__futex_wait_issue(struct request *request, unsigned flags)
{
	struct futex_waiter *waiter = request->async_data;
	int result = asyncring__futex_probe(waiter);

	if (result == -ETIMEDOUT) {
		if (asyncring__futex_wait(waiter, flags))
			return ISSUE_PENDING;
		result = -EAGAIN;
	}
	request_set_result(request, result);
	return ISSUE_DONE;
}

int asyncring__futex_wake_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct wake *wake = request_data(request, struct wake);
	int error = check(sqe);

	if (error)
		return error;
	wake->address = sqe->addr;
	wake->count = (uint32_t)sqe->addr2;
	wake->mask = (uint32_t)sqe->addr3;
	wake->private = (uint32_t)sqe->fd & FUTEX_IS_PRIVATE;
	return 0;
}

enum issue_result asyncring__futex_wake_issue(struct request *request, unsigned flags)
{
	const struct wake *wake = request_data(request, struct wake);
	int result = -EINVAL;

	(void)flags;
	if (wake->mask)
		result = asyncring__futex_wake(wake->address, wake->private, wake->count,
					       wake->mask);
	request_set_result(request, result);
	return ISSUE_DONE;
}
