/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes: FSETXATTR and FGETXATTR by descriptor, SETXATTR and GETXATTR by path.
 *
 * On workers only. Name, path and the value to set are copied by preparation; the value that is
 * read goes straight from the kernel to the application.
 */
#include <linux/limits.h>
#include <sys/xattr.h>

#include "../core/core.h"
#include "arguments.h"
#include "families.h"

struct xattr {
	const char *path; /* NULL: the descriptor's file */
	const char *name;
	void *value;
	uint32_t size;
	uint32_t flags;
};

/* Where things are in the copy, while it is being made. */
struct xattr_copy {
	struct arguments arguments;
	int name, value, path;
};

static int copy_name(struct xattr_copy *copy, uint64_t from)
{
	int name = asyncring__argument_string(&copy->arguments, from, XATTR_NAME_MAX + 1);

	if (name == -ENAMETOOLONG)
		return -ERANGE;
	if (name >= 0 && *(const char *)argument_at(&copy->arguments, name) == '\0')
		return -ERANGE;
	copy->name = name;
	return name < 0 ? name : 0;
}

static int copy_path(struct xattr_copy *copy, uint64_t from)
{
	copy->path = asyncring__argument_path(&copy->arguments, from, false);
	return copy->path < 0 ? copy->path : 0;
}

static int copy_value(struct xattr_copy *copy, uint64_t from, uint32_t size)
{
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	copy->value = asyncring__argument_bytes(&copy->arguments, from, size);
	return copy->value < 0 ? copy->value : 0;
}

/* ---- setting ---- */

static int prepare_set(struct request *request, const struct asyncring_sqe *sqe, bool by_path)
{
	struct xattr *xattr = request_data(request, struct xattr);
	struct xattr_copy copy = {.arguments.request = request};
	int error;

	xattr->size = sqe->len;
	xattr->flags = sqe->xattr_flags;
	if (xattr->flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	error = copy_name(&copy, sqe->addr);
	if (!error)
		error = copy_value(&copy, sqe->addr2, xattr->size);
	if (!error && by_path)
		error = copy_path(&copy, sqe->addr3);
	if (error)
		return error;
	xattr->name = argument_at(&copy.arguments, copy.name);
	xattr->value = argument_at(&copy.arguments, copy.value);
	xattr->path = by_path ? argument_at(&copy.arguments, copy.path) : NULL;
	return 0;
}

int asyncring__fsetxattr_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	return prepare_set(request, sqe, false);
}

int asyncring__setxattr_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		return -EBADF;
	return prepare_set(request, sqe, true);
}

enum issue_result asyncring__fsetxattr_issue(struct request *request, unsigned flags)
{
	const struct xattr *xattr = request_data(request, struct xattr);

	(void)flags;
	request_set_answer(request, (int32_t)sys(SYS_fsetxattr, request_fd(request), xattr->name,
						 xattr->value, xattr->size, xattr->flags));
	return ISSUE_DONE;
}

enum issue_result asyncring__setxattr_issue(struct request *request, unsigned flags)
{
	const struct xattr *xattr = request_data(request, struct xattr);

	(void)flags;
	request_set_answer(request, (int32_t)sys(SYS_setxattr, xattr->path, xattr->name,
						 xattr->value, xattr->size, xattr->flags));
	return ISSUE_DONE;
}

/* ---- getting ---- */

static int prepare_get(struct request *request, const struct asyncring_sqe *sqe, bool by_path)
{
	struct xattr *xattr = request_data(request, struct xattr);
	struct xattr_copy copy = {.arguments.request = request};
	int error;

	xattr->value = (void *)(uintptr_t)sqe->addr2;
	xattr->size = sqe->len;
	if (sqe->xattr_flags)
		return -EINVAL;
	error = copy_name(&copy, sqe->addr);
	if (!error && by_path)
		error = copy_path(&copy, sqe->addr3);
	if (error)
		return error;
	xattr->name = argument_at(&copy.arguments, copy.name);
	xattr->path = by_path ? argument_at(&copy.arguments, copy.path) : NULL;
	return 0;
}

int asyncring__fgetxattr_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	return prepare_get(request, sqe, false);
}

int asyncring__getxattr_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		return -EBADF;
	return prepare_get(request, sqe, true);
}

enum issue_result asyncring__fgetxattr_issue(struct request *request, unsigned flags)
{
	const struct xattr *xattr = request_data(request, struct xattr);

	(void)flags;
	request_set_answer(request, (int32_t)sys(SYS_fgetxattr, request_fd(request), xattr->name,
						 xattr->value, xattr->size));
	return ISSUE_DONE;
}

enum issue_result asyncring__getxattr_issue(struct request *request, unsigned flags)
{
	const struct xattr *xattr = request_data(request, struct xattr);

	(void)flags;
	request_set_answer(request, (int32_t)sys(SYS_getxattr, xattr->path, xattr->name,
						 xattr->value, xattr->size));
	return ISSUE_DONE;
}
