/* SPDX-License-Identifier: MIT */
/*
 * NOP: completes at once; its flags make it a test instrument for what surrounds an operation
 * (results on demand, looking up files and buffers, deferred and 32-byte completions).
 */
#include "../core/core.h"
#include "families.h"

#define NOP_FLAGS                                                                                  \
	(ASYNCRING_NOP_INJECT_RESULT | ASYNCRING_NOP_FILE | ASYNCRING_NOP_FIXED_FILE |             \
	 ASYNCRING_NOP_FIXED_BUFFER | ASYNCRING_NOP_TW | ASYNCRING_NOP_CQE32)

struct nop {
	uint32_t flags;
	int32_t result;
};

bool asyncring__nop_at_once(struct ring *ring, const struct asyncring_sqe *sqe, struct file *file,
			    struct attempt *attempt)
{
	(void)ring;
	(void)file;
	attempt->result = 0;
	return !sqe->nop_flags;
}

int asyncring__nop_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct nop *nop = request_data(request, struct nop);

	nop->flags = sqe->nop_flags;
	if (nop->flags & ~NOP_FLAGS)
		return -EINVAL;
	nop->result = nop->flags & ASYNCRING_NOP_INJECT_RESULT ? (int32_t)sqe->len : 0;
	if (nop->flags & ASYNCRING_NOP_CQE32) {
		if (!(request->ring->flags & (ASYNCRING_SETUP_CQE32 | ASYNCRING_SETUP_CQE_MIXED)))
			return -EINVAL;
		request_extra(request)[0] = sqe->off;
		request_extra(request)[1] = sqe->addr;
	}
	return 0;
}

static int find_file(struct request *request, uint32_t nop_flags, unsigned flags)
{
	struct file *file;

	if (!(nop_flags & ASYNCRING_NOP_FIXED_FILE))
		return sys_fcntl(request->fd, F_GETFD, 0) < 0 ? -EBADF : 0;
	issue_lock(request->ring, flags);
	file = asyncring__file_table_get(request->ring, (unsigned)request->fd);
	issue_unlock(request->ring, flags);
	return file ? 0 : -EBADF;
}

static int find_buffer(struct request *request, unsigned flags)
{
	struct buffer *buffer;

	issue_lock(request->ring, flags);
	buffer = asyncring__buffer_get(request->ring, request->buf_index);
	if (buffer)
		asyncring__buffer_put(buffer);
	issue_unlock(request->ring, flags);
	return buffer ? 0 : -EFAULT;
}

enum issue_result asyncring__nop_issue(struct request *request, unsigned flags)
{
	const struct nop *nop = request_data(request, struct nop);
	int result = nop->result;
	int error = 0;

	if (nop->flags & ASYNCRING_NOP_TW)
		request->flags |= REQ_DEFERRED;
	if (nop->flags & ASYNCRING_NOP_FILE)
		error = find_file(request, nop->flags, flags);
	if (!error && nop->flags & ASYNCRING_NOP_FIXED_BUFFER)
		error = find_buffer(request, flags);
	if (nop->flags & ASYNCRING_NOP_CQE32) {
		request->completion.large = true;
		request->completion.extended = request->ring->flags & ASYNCRING_SETUP_CQE_MIXED;
	}
	request_set_result(request, error ? error : result);
	return ISSUE_DONE;
}

bool asyncring__nop_brief(const struct request *request)
{
	return !request_data(request, const struct nop)->flags;
}
