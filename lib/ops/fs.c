/* SPDX-License-Identifier: MIT */
/*
 * Operations on paths: STATX, RENAMEAT, UNLINKAT, MKDIRAT, SYMLINKAT, LINKAT.
 *
 * They may have to read directories, so they run on workers only, and their paths are copied by
 * preparation already. Directory descriptors are looked up by the system call, as the kernel's own
 * io_uring does: they are not pinned.
 */
#include "../core/core.h"
#include "arguments.h"
#include "families.h"

struct path_operation {
	const char *path;
	const char *new_path;
	int32_t new_directory;
	uint32_t flags;
	union {
		uint32_t mode;
		uint32_t mask;
	};
	uint64_t buffer; /* where STATX answers: the application's memory */
};

/* Both paths of @sqe, the one that exists in addr and the new one in addr2. */
static int copy_two_paths(struct request *request, const struct asyncring_sqe *sqe,
			  bool may_be_empty)
{
	struct path_operation *operation = request_data(request, struct path_operation);
	struct arguments arguments = {.request = request};
	int path, new_path;

	path = asyncring__argument_path(&arguments, sqe->addr, may_be_empty);
	if (path < 0)
		return path;
	new_path = asyncring__argument_path(&arguments, sqe->addr2, false);
	if (new_path < 0)
		return new_path;
	operation->path = argument_at(&arguments, path);
	operation->new_path = argument_at(&arguments, new_path);
	return 0;
}

static enum issue_result done(struct request *request, long result)
{
	request_set_answer(request, (int32_t)result);
	return ISSUE_DONE;
}

/* ---- STATX ---- */

int asyncring__statx_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct path_operation *operation = request_data(request, struct path_operation);
	struct arguments arguments = {.request = request};
	int path;

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		return -EBADF;
	operation->mask = sqe->len;
	operation->buffer = sqe->addr2;
	operation->flags = sqe->statx_flags;
	path = asyncring__argument_path(&arguments, sqe->addr, operation->flags & AT_EMPTY_PATH);
	if (path < 0)
		return path;
	operation->path = argument_at(&arguments, path);
	return 0;
}

enum issue_result asyncring__statx_issue(struct request *request, unsigned flags)
{
	const struct path_operation *operation = request_data(request, struct path_operation);

	(void)flags;
	return done(request, sys(SYS_statx, request->fd, operation->path, operation->flags,
				 operation->mask, operation->buffer));
}

/* ---- RENAMEAT ---- */

int asyncring__renameat_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct path_operation *operation = request_data(request, struct path_operation);

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		return -EBADF;
	operation->new_directory = (int32_t)sqe->len;
	operation->flags = sqe->rename_flags;
	return copy_two_paths(request, sqe, false);
}

enum issue_result asyncring__renameat_issue(struct request *request, unsigned flags)
{
	const struct path_operation *operation = request_data(request, struct path_operation);

	(void)flags;
	return done(request, sys(SYS_renameat2, request->fd, operation->path,
				 operation->new_directory, operation->new_path, operation->flags));
}

/* ---- UNLINKAT ---- */

int asyncring__unlinkat_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct path_operation *operation = request_data(request, struct path_operation);

	if (sqe->off || sqe->len || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		return -EBADF;
	operation->flags = sqe->unlink_flags;
	if (operation->flags & ~(uint32_t)AT_REMOVEDIR)
		return -EINVAL;
	return asyncring__copy_path(request, sqe->addr, &operation->path);
}

enum issue_result asyncring__unlinkat_issue(struct request *request, unsigned flags)
{
	const struct path_operation *operation = request_data(request, struct path_operation);

	(void)flags;
	return done(request, sys(SYS_unlinkat, request->fd, operation->path, operation->flags));
}

/* ---- MKDIRAT ---- */

int asyncring__mkdirat_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct path_operation *operation = request_data(request, struct path_operation);

	if (sqe->off || sqe->rw_flags || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		return -EBADF;
	operation->mode = sqe->len;
	return asyncring__copy_path(request, sqe->addr, &operation->path);
}

enum issue_result asyncring__mkdirat_issue(struct request *request, unsigned flags)
{
	const struct path_operation *operation = request_data(request, struct path_operation);

	(void)flags;
	return done(request, sys(SYS_mkdirat, request->fd, operation->path, operation->mode));
}

/* ---- SYMLINKAT ---- */

int asyncring__symlinkat_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	if (sqe->len || sqe->rw_flags || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		return -EBADF;
	return copy_two_paths(request, sqe, false);
}

enum issue_result asyncring__symlinkat_issue(struct request *request, unsigned flags)
{
	const struct path_operation *operation = request_data(request, struct path_operation);

	(void)flags;
	return done(request, sys(SYS_symlinkat, operation->path, request->fd, operation->new_path));
}

/* ---- LINKAT ---- */

int asyncring__linkat_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct path_operation *operation = request_data(request, struct path_operation);

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		return -EBADF;
	operation->new_directory = (int32_t)sqe->len;
	operation->flags = sqe->hardlink_flags;
	return copy_two_paths(request, sqe, operation->flags & AT_EMPTY_PATH);
}

enum issue_result asyncring__linkat_issue(struct request *request, unsigned flags)
{
	const struct path_operation *operation = request_data(request, struct path_operation);

	(void)flags;
	return done(request, sys(SYS_linkat, request->fd, operation->path, operation->new_directory,
				 operation->new_path, operation->flags));
}
