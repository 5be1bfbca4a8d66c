/* SPDX-License-Identifier: MIT */
/*
 * Between the file table and the application's own descriptors: FILES_UPDATE puts descriptors into
 * slots, FIXED_FD_INSTALL makes a descriptor of a slot's file.
 */
#include "../core/core.h"
#include "families.h"

struct files_update {
	uint64_t fds;
	uint32_t offset;
	uint32_t count;
};

int asyncring__files_update_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct files_update *update = request_data(request, struct files_update);

	if (request->flags & (ASYNCRING_SQE_FIXED_FILE | ASYNCRING_SQE_BUFFER_SELECT))
		return -EINVAL;
	if (sqe->rw_flags || sqe->splice_fd_in || !sqe->len)
		return -EINVAL;
	update->offset = (uint32_t)sqe->off;
	update->count = sqe->len;
	update->fds = sqe->addr;
	return 0;
}

enum issue_result asyncring__files_update_issue(struct request *request, unsigned flags)
{
	const struct files_update *update = request_data(request, struct files_update);
	struct ring *ring = request->ring;
	int result;

	issue_lock(ring, flags);
	if (update->offset == ASYNCRING_FILE_INDEX_ALLOC)
		result = asyncring__file_table_update_alloc(ring, update->fds, update->count);
	else
		result = asyncring__file_table_update(ring, update->offset, update->fds, 0,
						      update->count);
	issue_unlock(ring, flags);
	request_set_result(request, result);
	return ISSUE_DONE;
}

struct fd_install {
	bool close_on_exec;
};

int asyncring__fd_install_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct fd_install *install = request_data(request, struct fd_install);

	if (sqe->off || sqe->addr || sqe->len || sqe->buf_index || sqe->splice_fd_in || sqe->addr3)
		return -EINVAL;
	if (!(request->flags & ASYNCRING_SQE_FIXED_FILE))
		return -EBADF;
	if (sqe->install_fd_flags & ~ASYNCRING_FIXED_FD_NO_CLOEXEC)
		return -EINVAL;
	/* A descriptor comes to the process under its own credentials, not borrowed ones. */
	if (sqe->personality)
		return -EPERM;
	install->close_on_exec = !(sqe->install_fd_flags & ASYNCRING_FIXED_FD_NO_CLOEXEC);
	return 0;
}

enum issue_result asyncring__fd_install_issue(struct request *request, unsigned flags)
{
	const struct fd_install *install = request_data(request, struct fd_install);

	(void)flags;
	request_set_result(request,
			   sys_fcntl(request_fd(request),
				     install->close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, 0));
	return ISSUE_DONE;
}
