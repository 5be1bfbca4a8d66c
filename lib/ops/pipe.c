/* SPDX-License-Identifier: MIT */
/*
 * PIPE: pipe2(2), also into two slots of the file table. It never blocks.
 */
#include "../core/core.h"
#include "families.h"
#include "slot.h"

/* O_NOTIFICATION_PIPE goes under this name in older headers. */
#define FLAGS_KNOWN (O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_EXCL)

struct new_pipe {
	uint64_t fds; /* where the application wants the two numbers */
	int flags;
	uint32_t file_index; /* 0: ordinary descriptors; see slot.h */
};

int asyncring__pipe_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct new_pipe *pipe = request_data(request, struct new_pipe);

	if (sqe->fd || sqe->off || sqe->addr3)
		return -EINVAL;
	pipe->fds = sqe->addr;
	pipe->flags = (int)sqe->pipe_flags;
	pipe->file_index = sqe->file_index;
	return pipe->flags & ~FLAGS_KNOWN ? -EINVAL : 0;
}

/* Both ends change hands or are closed. What the application is told goes to @fds. */
static int install(struct ring *ring, uint32_t file_index, int fds[2])
{
	unsigned slot = slot_of_index(file_index);
	int first, second;

	first = asyncring__file_table_install(ring, fds[0], slot);
	if (first < 0) {
		sys_close(fds[1]);
		return first;
	}
	second = asyncring__file_table_install(ring, fds[1],
					       slot == FILE_SLOT_ALLOC ? slot : slot + 1);
	if (second < 0) {
		asyncring__file_table_remove(ring, (unsigned)first);
		return second;
	}
	fds[0] = first;
	fds[1] = second;
	return 0;
}

static int make_in_slots(struct request *request, const struct new_pipe *pipe, unsigned flags)
{
	struct ring *ring = request->ring;
	int fds[2], error;

	/* There is no exec to close a slot at; the descriptors on their way into one are another
	 * matter. */
	if (pipe->flags & O_CLOEXEC)
		return -EINVAL;
	error = (int)sys(SYS_pipe2, fds, pipe->flags | O_CLOEXEC);
	if (error)
		return error;
	issue_lock(ring, flags);
	error = install(ring, pipe->file_index, fds);
	if (!error && asyncring__copy_out(pipe->fds, fds, sizeof(fds))) {
		asyncring__file_table_remove(ring, (unsigned)fds[0]);
		asyncring__file_table_remove(ring, (unsigned)fds[1]);
		error = -EFAULT;
	}
	issue_unlock(ring, flags);
	return error;
}

static int make(const struct new_pipe *pipe)
{
	int fds[2];
	int error = (int)sys(SYS_pipe2, fds, pipe->flags);

	if (error)
		return error;
	asyncring__hint_forget(fds[0]);
	asyncring__hint_forget(fds[1]);
	if (!asyncring__copy_out(pipe->fds, fds, sizeof(fds)))
		return 0;
	sys_close(fds[0]);
	sys_close(fds[1]);
	return -EFAULT;
}

enum issue_result asyncring__pipe_issue(struct request *request, unsigned flags)
{
	const struct new_pipe *pipe = request_data(request, struct new_pipe);

	request_set_result(request,
			   pipe->file_index ? make_in_slots(request, pipe, flags) : make(pipe));
	return ISSUE_DONE;
}
