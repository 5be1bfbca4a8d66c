/* SPDX-License-Identifier: MIT */
/*
 * arcp_target: makes what the source is at the target: opens a file, makes a directory, a symbolic
 * link, a FIFO, a device, or another name of a file copied before. Whatever is in the way makes a
 * detour: examine it -> remove it (or truncate the file, or keep the directory) -> go on.
 */
#include "arcp.h"

#include "report.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void target_created(struct pending *pending, int result);

static struct job *job_of(struct pending *pending)
{
	return container_of(pending, struct job, pending);
}

static void adopt_directory(struct job *job)
{
	struct directory *made = directory_new(job->directory, job->source, job->target);

	made->attributes = job->attributes;
	made->inherited_acl = job->directory->default_acl || job->overwrites;
	made->default_acl = attributes_default_acl(job->target);
	walk_add(made);
}

/* The target is there: fill it, or give it what else belongs to it. */
static void target_ready(struct job *job)
{
	if (job->original) {
		job_finish(job);
	} else if (S_ISREG(job->attributes.st_mode)) {
		data_start(job);
	} else if (S_ISDIR(job->attributes.st_mode)) {
		adopt_directory(job);
		job_finish(job);
	} else {
		attributes_apply(&job->attributes, (struct place){-1, job->source},
				 (struct place){-1, job->target}, job->directory->default_acl);
		job_finish(job);
	}
}

static void open_target(struct job *job, int flags)
{
	const struct stat *source = &job->attributes;
	struct asyncring_sqe *sqe = loop_request();
	/* Others get no access before the file has the owner that it is to have. */
	bool ours = source->st_uid == options.user && source->st_gid == options.group;

	asyncring_prep_openat(sqe, AT_FDCWD, job->target,
			      (options.verify ? O_RDWR : O_WRONLY) | O_NOFOLLOW | O_CLOEXEC | flags,
			      source->st_mode & (ours ? 0777 : 0700));
	loop_expect(sqe, &job->pending, target_created);
}

static void target_removed_for_new(struct pending *pending, int result)
{
	struct job *job = job_of(pending);

	if (result < 0 && result != -ENOENT)
		job_fail(job, result, "cannot remove %s", job->target, NULL);
	else
		target_create(job);
}

/* Something with the target's name is there, job->statx says what. */
static void target_examined(struct pending *pending, int result)
{
	struct job *job = job_of(pending);
	const struct statx *target = &job->statx;
	mode_t from = job->attributes.st_mode & S_IFMT, to = target->stx_mode & S_IFMT;
	struct asyncring_sqe *sqe;

	if (result < 0) {
		job_fail(job, result, "cannot stat %s", job->target, NULL);
	} else if (makedev(target->stx_dev_major, target->stx_dev_minor) ==
			   job->attributes.st_dev &&
		   target->stx_ino == job->attributes.st_ino) {
		job_fail(job, 0, "%s and %s are the same file", job->source, job->target);
	} else if (from == S_IFDIR && to == S_IFDIR) {
		job->overwrites = true;
		target_ready(job);
	} else if (from == S_IFDIR) {
		job_fail(job, 0, "cannot overwrite non-directory %s with directory %s", job->target,
			 job->source);
	} else if (to == S_IFDIR) {
		job_fail(job, 0, "cannot overwrite directory %s with non-directory %s", job->target,
			 job->source);
	} else if (from == S_IFREG && to != S_IFREG && to != S_IFLNK) {
		job_fail(job, 0, "cannot overwrite special file %s with regular file %s",
			 job->target, job->source);
	} else if (from == S_IFREG && to == S_IFREG && target->stx_nlink == 1 && !job->original) {
		job->overwrites = true;
		open_target(job, O_TRUNC);
	} else {
		/* A link is replaced rather than written through: its other names stay as they are.
		 */
		sqe = loop_request();
		asyncring_prep_unlinkat(sqe, AT_FDCWD, job->target, 0);
		loop_expect(sqe, &job->pending, target_removed_for_new);
	}
}

static void examine_target(struct job *job)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_statx(sqe, AT_FDCWD, job->target, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
			     &job->statx);
	loop_expect(sqe, &job->pending, target_examined);
}

static const char *cannot_create(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "cannot create regular file %s";
	case S_IFDIR:
		return "cannot create directory %s";
	case S_IFLNK:
		return "cannot create symbolic link %s";
	case S_IFIFO:
		return "cannot create fifo %s";
	default:
		return "cannot create special file %s";
	}
}

static void target_created(struct pending *pending, int result)
{
	struct job *job = job_of(pending);

	if (result == -EEXIST) {
		examine_target(job);
	} else if (job_wait_for_descriptors(job, result)) {
		return;
	} else if (result < 0 && job->original) {
		job_fail(job, result, "cannot create hard link %s to %s", job->target,
			 job->original);
	} else if (result < 0) {
		job_fail(job, result, cannot_create(job->attributes.st_mode), job->target, NULL);
	} else {
		if (S_ISREG(job->attributes.st_mode) && !job->original)
			job->target_fd = result;
		target_ready(job);
	}
}

static void create_symlink(struct job *job)
{
	struct asyncring_sqe *sqe;
	char text[PATH_MAX];
	ssize_t length = readlink(job->source, text, sizeof(text) - 1);

	if (length < 0) {
		job_fail(job, -errno, "cannot read symbolic link %s", job->source, NULL);
		return;
	}
	text[length] = '\0';
	free(job->symlink); /* there is one already if a target was in the way */
	job->symlink = copy_string(text);
	sqe = loop_request();
	asyncring_prep_symlinkat(sqe, job->symlink, AT_FDCWD, job->target);
	loop_expect(sqe, &job->pending, target_created);
}

void target_create(struct job *job)
{
	const struct stat *source = &job->attributes;
	struct asyncring_sqe *sqe;
	mode_t kind = source->st_mode & S_IFMT;

	if (job->original) {
		sqe = loop_request();
		asyncring_prep_linkat(sqe, AT_FDCWD, job->original, AT_FDCWD, job->target, 0);
		loop_expect(sqe, &job->pending, target_created);
	} else if (kind == S_IFREG) {
		open_target(job, O_CREAT | O_EXCL);
	} else if (kind == S_IFDIR) {
		sqe = loop_request();
		asyncring_prep_mkdirat(sqe, AT_FDCWD, job->target, 0700);
		loop_expect(sqe, &job->pending, target_created);
	} else if (kind == S_IFLNK) {
		create_symlink(job);
	} else {
		/* There is no request that makes a FIFO or a device. */
		int result = mknod(job->target, kind | (source->st_mode & 0700), source->st_rdev);

		target_created(&job->pending, result < 0 ? -errno : 0);
	}
}
