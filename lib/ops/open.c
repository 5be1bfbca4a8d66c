/* SPDX-License-Identifier: MIT */
/*
 * OPENAT and OPENAT2, also into a slot of the file table (direct descriptors).
 *
 * The submitter tries what the kernel's own io_uring tries: openat2(2) with RESOLVE_CACHED, which
 * looks at nothing but cached directory entries, and O_NONBLOCK, so that a fifo, a terminal or a
 * lease does not hold it up; the flag is taken off again afterwards. What creates or truncates is
 * not even tried, nor is anything where openat2 is missing (before Linux 5.12, or forbidden by a
 * sandbox). The rest runs on a worker as the application wrote it.
 */
#include <stdatomic.h>

#include "../core/core.h"
#include "arguments.h"
#include "families.h"
#include "slot.h"

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* struct open_how of <linux/openat2.h>, which older header packages lack. */
struct open_how_v0 {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};

/* RESOLVE_CACHED, and all six RESOLVE_* there are. */
enum { LOOKUP_CACHED = 0x20, LOOKUP_KNOWN = 0x3f };

/* The kernel's value: the C libraries define O_LARGEFILE as 0 where all files may be large. */
#ifdef __aarch64__
#define KERNEL_O_LARGEFILE 0400000
#else
#define KERNEL_O_LARGEFILE 0100000
#endif

/* O_TMPFILE without the O_DIRECTORY in it. */
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

#define FLAGS_KNOWN                                                                                \
	((uint64_t)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |    \
		    O_SYNC | O_ASYNC | O_DIRECT | KERNEL_O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW |  \
		    O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE))
#define FLAGS_OF_PATH  ((uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
#define FLAGS_CREATING ((uint64_t)(O_CREAT | TMPFILE_BIT))
#define FLAGS_SLOW     (FLAGS_CREATING | (uint64_t)O_TRUNC)

struct open {
	struct open_how_v0 how;
	const char *path;    /* the application's, or a copy in request->async_data */
	uint32_t file_index; /* 0: an ordinary descriptor; see slot.h */
	bool strict;	     /* OPENAT2, which refuses flags that OPENAT ignores */
};

/* ---- preparation ---- */

int asyncring__open_copy_args(struct request *request)
{
	struct open *open = request_data(request, struct open);

	if (request->async_data)
		return 0;
	return asyncring__copy_path(request, (uintptr_t)open->path, &open->path);
}

static bool tried_inline(const struct request *request, const struct open *open)
{
	return !(open->how.flags & FLAGS_SLOW) && !(request->flags & ASYNCRING_SQE_ASYNC) &&
	       !request->credentials;
}

static int prepare(struct request *request, const struct asyncring_sqe *sqe)
{
	struct open *open = request_data(request, struct open);
	bool refused;

	if (sqe->buf_index)
		return -EINVAL;
	if (request->flags & ASYNCRING_SQE_FIXED_FILE)
		return -EBADF;
	open->path = (const char *)(uintptr_t)sqe->addr;
	open->file_index = sqe->file_index;
	/* There is no exec to close a slot at; but a path that cannot be read is worse. */
	refused = open->file_index && open->how.flags & O_CLOEXEC;
	if (refused || !tried_inline(request, open)) {
		int error = asyncring__open_copy_args(request);

		if (error)
			return error;
	}
	return refused ? -EINVAL : 0;
}

int asyncring__openat_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct open *open = request_data(request, struct open);

	open->how = (struct open_how_v0){.flags = sqe->open_flags, .mode = sqe->len};
	open->strict = false;
	return prepare(request, sqe);
}

/* What a longer structure of a newer kernel has more than ours must be zero. */
static int check_tail(uint64_t from, uint32_t length)
{
	unsigned char part[256];

	while (length) {
		uint32_t step = length < sizeof(part) ? length : sizeof(part);
		int error = asyncring__copy_in(part, from, step);

		if (error)
			return error;
		for (uint32_t i = 0; i < step; i++)
			if (part[i])
				return -E2BIG;
		from += step;
		length -= step;
	}
	return 0;
}

int asyncring__openat2_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct open *open = request_data(request, struct open);
	int error;

	if (sqe->len < sizeof(open->how))
		return -EINVAL;
	error = check_tail(sqe->addr2 + sizeof(open->how), sqe->len - (uint32_t)sizeof(open->how));
	if (!error)
		error = asyncring__copy_in(&open->how, sqe->addr2, sizeof(open->how));
	if (error)
		return error;
	open->strict = true;
	return prepare(request, sqe);
}

/* ---- what the machine has ---- */

enum openat2_support { UNKNOWN, ABSENT, WITHOUT_CACHED, WITH_CACHED };

/*
 * Asked once for the process; the first ones to come may all ask, and get the same answer. EPERM
 * of a real call would not tell a sandbox from a file that may not be opened, so a harmless one
 * is made.
 */
static enum openat2_support openat2_support(void)
{
	/* Relaxed: nothing but the value itself is handed over. */
	static _Atomic int known = UNKNOWN;
	int support = atomic_load_explicit(&known, memory_order_relaxed);
	struct open_how_v0 how = {.flags = O_PATH | O_CLOEXEC, .resolve = LOOKUP_CACHED};
	int fd;

	if (support != UNKNOWN)
		return support;
	fd = (int)sys(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));
	if (fd == -ENOSYS || fd == -EPERM || fd == -EACCES)
		support = ABSENT;
	else
		support = fd == -EINVAL ? WITHOUT_CACHED : WITH_CACHED;
	if (fd >= 0)
		sys_close(fd);
	atomic_store_explicit(&known, support, memory_order_relaxed);
	return support;
}

/* ---- opening ---- */

/* A descriptor on its way into a slot must not slip through an exec. */
static uint64_t add_cloexec(const struct open *open, uint64_t flags)
{
	return open->file_index ? flags | O_CLOEXEC : flags;
}

/* OPENAT ignores what openat(2) does, where openat2(2) would refuse. */
static uint64_t forgive(uint64_t flags)
{
	flags &= FLAGS_KNOWN;
	return flags & O_PATH ? flags & FLAGS_OF_PATH : flags;
}

/* The submitter's attempt; -EAGAIN if it would have to wait. */
static int open_cached(const struct request *request, const struct open *open)
{
	struct open_how_v0 how = open->how;
	bool nonblock_added;
	int fd;

	if (!open->strict) {
		how.flags = forgive(how.flags);
		how.mode = 0;
	}
	nonblock_added = !(how.flags & (O_NONBLOCK | O_PATH));
	if (nonblock_added)
		how.flags |= O_NONBLOCK;
	how.flags = add_cloexec(open, how.flags);
	how.resolve |= LOOKUP_CACHED;
	fd = (int)sys(SYS_openat2, request->fd, open->path, &how, sizeof(how));
	if (fd >= 0 && nonblock_added &&
	    sys_fcntl(fd, F_SETFL, (long)(how.flags & ~(uint64_t)O_NONBLOCK)) < 0) {
		sys_close(fd);
		return -EAGAIN;
	}
	return fd;
}

static int openat_plain(const struct request *request, const struct open *open)
{
	uint64_t flags = add_cloexec(open, open->how.flags);

	return (int)sys(SYS_openat, request->fd, open->path, flags, open->how.mode);
}

/*
 * OPENAT2 where the call is missing: openat(2) does the same if the path is to be resolved in the
 * ordinary way and the arguments are ones that openat2(2) would have taken.
 */
static int openat2_by_openat(const struct request *request, const struct open *open)
{
	const struct open_how_v0 *how = &open->how;

	if (how->flags & ~FLAGS_KNOWN || how->resolve & ~(uint64_t)LOOKUP_KNOWN)
		return -EINVAL;
	if (how->mode & ~(uint64_t)(how->flags & FLAGS_CREATING ? 07777 : 0))
		return -EINVAL;
	if (how->flags & O_PATH && how->flags & ~FLAGS_OF_PATH)
		return -EINVAL;
	/* Always a true answer: the caller has to be ready for a path that is not in the cache. */
	if (how->resolve == LOOKUP_CACHED)
		return -EAGAIN;
	if (how->resolve)
		return -ENOSYS;
	return openat_plain(request, open);
}

static int open_blocking(const struct request *request, const struct open *open)
{
	struct open_how_v0 how = open->how;

	if (!open->strict)
		return openat_plain(request, open);
	if (openat2_support() == ABSENT)
		return openat2_by_openat(request, open);
	how.flags = add_cloexec(open, how.flags);
	return (int)sys(SYS_openat2, request->fd, open->path, &how, sizeof(how));
}

/* Move the descriptor into the slot the application wants it in. What the request answers. */
static int install(struct request *request, const struct open *open, int fd, unsigned flags)
{
	unsigned slot = slot_of_index(open->file_index);
	int installed;

	issue_lock(request->ring, flags);
	installed = asyncring__file_table_install(request->ring, fd, slot);
	issue_unlock(request->ring, flags);
	return slot_result(open->file_index, installed);
}

enum issue_result asyncring__open_issue(struct request *request, unsigned flags)
{
	struct open *open = request_data(request, struct open);
	int result;

	if (!(flags & ISSUE_NONBLOCK)) {
		result = open_blocking(request, open);
	} else {
		if (open->how.flags & FLAGS_SLOW || openat2_support() != WITH_CACHED)
			return ISSUE_NEED_WORKER;
		result = open_cached(request, open);
		/* Whoever mounts something makes every such lookup of that moment fail. */
		if (result == -EAGAIN)
			result = open_cached(request, open);
		if (result == -EAGAIN && !(open->how.resolve & LOOKUP_CACHED))
			return ISSUE_NEED_WORKER;
	}
	if (result >= 0 && open->file_index)
		result = install(request, open, result, flags);
	else if (result >= 0)
		asyncring__hint_forget(result);
	request_set_result(request, result);
	return ISSUE_DONE;
}
