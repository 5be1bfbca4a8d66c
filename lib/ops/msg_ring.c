/* SPDX-License-Identifier: MIT */
/*
 * MSG_RING: a completion, or a registered file, for another ring of the process.
 *
 * Two rings' submit_locks are never held together. Data needs only the lock of the target's
 * completion queue. A file is taken out of the source's table under the source's lock, and put into
 * the target's under the target's; the submitter, who holds the former all the time, takes the file
 * and leaves the rest to a worker.
 *
 * The target is held while its memory is in use, but not in between: a request waiting for a worker
 * must not hold up the closing of another ring. The ring's cookie tells whether the descriptor
 * still stands for the ring it stood for when the request began.
 */
#include "../core/core.h"
#include "families.h"
#include "slot.h"

struct message {
	uint64_t user_data;
	uint64_t target;   /* cookie of the target; 0: not looked up yet */
	struct file *file; /* SEND_FD: the file on its way, a reference */
	uint32_t command;
	int32_t result; /* what the target's CQE says, without a file */
	uint32_t source_slot;
	uint32_t target_index; /* SEND_FD: as slot.h says; FLAGS_PASS: the CQE's flags */
	uint32_t flags;
};

static int read_message(struct message *message, const struct asyncring_sqe *sqe)
{
	if (sqe->buf_index || sqe->personality)
		return -EINVAL;
	message->user_data = sqe->off;
	message->target = 0;
	message->file = NULL;
	message->command = (uint32_t)sqe->addr;
	message->result = (int32_t)sqe->len;
	message->source_slot = (uint32_t)sqe->addr3;
	message->target_index = sqe->file_index;
	message->flags = sqe->msg_ring_flags;
	if (message->flags & ~(ASYNCRING_MSG_RING_CQE_SKIP | ASYNCRING_MSG_RING_FLAGS_PASS))
		return -EINVAL;
	return 0;
}

int asyncring__msg_ring_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	return read_message(request_data(request, struct message), sqe);
}

/* A registered file is never a ring; but an empty slot is not even a file. */
static int judge_slot(struct request *request, unsigned flags)
{
	struct file *file;

	issue_lock(request->ring, flags);
	file = asyncring__file_table_get(request->ring, (unsigned)request->fd);
	issue_unlock(request->ring, flags);
	return file ? -EBADFD : -EBADF;
}

/* The target with a reference, or NULL with the reason in *error. */
static struct ring *get_target(struct request *request, struct message *message, unsigned flags,
			       int *error)
{
	struct ring *target;

	if (request->flags & ASYNCRING_SQE_FIXED_FILE) {
		*error = judge_slot(request, flags);
		return NULL;
	}
	target = asyncring__ring_get((unsigned)request->fd, error);
	if (!target) {
		if (*error != -EBADF)
			*error = -EBADFD;
		return NULL;
	}
	if (message->target && message->target != target->cookie) {
		asyncring__ring_put(target);
		*error = -EBADF;
		return NULL;
	}
	message->target = target->cookie;
	if (target != request->ring)
		atomic_store_explicit(&target->messaged, true, memory_order_relaxed);
	return target;
}

static bool disabled(struct ring *target)
{
	/* Acquire, pairs with the release that enables the ring: it is all there then. */
	return atomic_load_explicit(&target->disabled, memory_order_acquire);
}

static int post(struct ring *target, const struct message *message, int32_t res, uint32_t cqe_flags,
		unsigned flags)
{
	const struct completion completion = {
		.user_data = message->user_data,
		.res = res,
		.flags = cqe_flags,
	};
	/* Where completions are deferred, so are messages, even those of the ring to itself. */
	bool async = !(flags & ISSUE_LOCKED) || ring_defers(target);

	return asyncring__cq_post_extra(target, &completion, async) ? -EOVERFLOW : 0;
}

static int send_data(struct ring *target, const struct message *message, unsigned flags)
{
	bool pass = message->flags & ASYNCRING_MSG_RING_FLAGS_PASS;

	if (message->source_slot || message->flags & ~ASYNCRING_MSG_RING_FLAGS_PASS)
		return -EINVAL;
	if (!pass && message->target_index)
		return -EINVAL;
	if (disabled(target))
		return -EBADFD;
	return post(target, message, message->result, pass ? message->target_index : 0, flags);
}

/*
 * Take the file out of the source's slot. It is duplicated once more: what is registered carries
 * the tag of its own table, whose completion must not wait for another ring.
 */
static int take_file(struct request *request, struct message *message, unsigned flags)
{
	struct file *file;
	int error = -EBADF;

	issue_lock(request->ring, flags);
	file = asyncring__file_table_get(request->ring, message->source_slot);
	if (file)
		message->file = asyncring__file_register(file->fd, &error);
	issue_unlock(request->ring, flags);
	if (!message->file)
		return error;
	request->flags |= REQ_CLEANUP;
	return 0;
}

static int install(struct ring *target, struct message *message, unsigned flags)
{
	struct file *file = message->file;
	int installed, error;

	message->file = NULL;
	ring_lock(target);
	installed = asyncring__file_table_install_file(target, file,
						       slot_of_index(message->target_index));
	ring_unlock(target);
	installed = slot_result(message->target_index, installed);
	if (installed < 0 || message->flags & ASYNCRING_MSG_RING_CQE_SKIP)
		return installed;
	error = post(target, message, installed, 0, flags);
	return error ? error : installed;
}

static enum issue_result send_file(struct request *request, struct ring *target,
				   struct message *message, unsigned flags, int *result)
{
	if (message->result || target == request->ring)
		*result = -EINVAL;
	else if (disabled(target))
		*result = -EBADFD;
	else
		*result = message->file ? 0 : take_file(request, message, flags);
	if (*result < 0)
		return ISSUE_DONE;
	if (flags & ISSUE_NONBLOCK)
		return ISSUE_NEED_WORKER;
	/* With neither a worker nor leave to take the target's lock there is no way. */
	*result = flags & ISSUE_LOCKED ? -EAGAIN : install(target, message, flags);
	return ISSUE_DONE;
}

enum issue_result asyncring__msg_ring_issue(struct request *request, unsigned flags)
{
	struct message *message = request_data(request, struct message);
	enum issue_result issued = ISSUE_DONE;
	int result = 0;
	struct ring *target = get_target(request, message, flags, &result);

	if (target) {
		if (message->command == ASYNCRING_MSG_DATA)
			result = send_data(target, message, flags);
		else if (message->command == ASYNCRING_MSG_SEND_FD)
			issued = send_file(request, target, message, flags, &result);
		else
			result = -EINVAL;
		asyncring__ring_put(target);
	}
	if (issued == ISSUE_DONE)
		request_set_result(request, result);
	return issued;
}

void asyncring__msg_ring_cleanup(struct request *request)
{
	struct message *message = request_data(request, struct message);

	if (message->file)
		asyncring__file_put(message->file);
	message->file = NULL;
}

int asyncring__msg_ring_send(const struct asyncring_sqe *sqe)
{
	struct message message;
	struct ring *target;
	int result;

	if (sqe->flags || sqe->opcode != ASYNCRING_OP_MSG_RING)
		return -EINVAL;
	result = read_message(&message, sqe);
	if (!result && message.command != ASYNCRING_MSG_DATA)
		result = -EINVAL;
	if (result)
		return result;
	target = asyncring__ring_get((unsigned)sqe->fd, &result);
	if (!target)
		return result == -EBADF ? result : -EBADFD;
	atomic_store_explicit(&target->messaged, true, memory_order_relaxed);
	result = send_data(target, &message, 0);
	asyncring__ring_put(target);
	return result;
}
