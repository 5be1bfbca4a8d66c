/* SPDX-License-Identifier: MIT */
/*
 * Copies of the strings and small structures that an SQE points to: one behind the other in one
 * allocation, request->async_data, which the core frees when the request ends.
 *
 * For prep() and copy_args(), that is, for the submitter only. The allocation may move while it
 * grows: arguments are named by their offset until all of them are there.
 */
#ifndef ASYNCRING__ARGUMENTS_H
#define ASYNCRING__ARGUMENTS_H

#include <stdint.h>

#include "../core/request.h"

struct arguments {
	struct request *request;
	size_t used, capacity;
};

static inline void *argument_at(const struct arguments *arguments, int offset)
{
	return (char *)arguments->request->async_data + offset;
}

/* Each of these answers with the offset of the copy, or with -EFAULT, -ENOMEM or as it says. */

/* A string of at most @limit bytes with its end, else -ENAMETOOLONG. */
int asyncring__argument_string(struct arguments *arguments, uint64_t from, size_t limit);

/* A path, which may be empty only if the call says so: else -ENOENT; or -ENAMETOOLONG. */
int asyncring__argument_path(struct arguments *arguments, uint64_t from, bool may_be_empty);

/* @length bytes as they are. */
int asyncring__argument_bytes(struct arguments *arguments, uint64_t from, size_t length);

/* For an operation whose only argument is a path, not empty: its copy in *path. 0 or an errno. */
int asyncring__copy_path(struct request *request, uint64_t from, const char **path);

#endif
