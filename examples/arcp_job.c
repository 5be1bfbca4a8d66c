/* SPDX-License-Identifier: MIT */
/*
 * arcp_job: one directory entry from its first request to its last. Each function here either
 * prepares the request of a step or is called with its result and chooses the next step:
 *
 *	regular file   open source -> (arcp_target.c) -> (arcp_data.c) -> close both
 *	anything else  examine source -> (arcp_target.c)
 *
 * What changes neither data nor names (fstat, chown, chmod, utimens) is a plain system call, since
 * there is nothing in it to wait for.
 */
#include "arcp.h"

#include "progress.h"
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static unsigned active;		    /* jobs begun and neither over nor at rest */
static unsigned ceiling = UINT_MAX; /* as many can be active before descriptors run out */
static struct job *put_off;	    /* jobs that begin anew, the latest last */
static struct job **put_off_end = &put_off;

struct job *job_new(struct directory *directory, char *source, char *target, unsigned char type)
{
	struct job *job = allocate(sizeof(*job));

	*job = (struct job){
		.directory = directory,
		.source = source,
		.target = target,
		.type = type,
		.source_fd = -1,
		.target_fd = -1,
	};
	directory->references++;
	return job;
}

static void job_free(struct job *job)
{
	directory_put(job->directory);
	free(job->source);
	free(job->target);
	free(job->symlink);
	free(job);
}

static struct job *job_of(struct pending *pending)
{
	return container_of(pending, struct job, pending);
}

/* The last step of every job, also of those that failed. */
static void job_over(struct job *job)
{
	active--;
	links_settle(job);
	if (!job->failed) {
		totals.done++;
		if (options.verbose) {
			char *source = quote(job->source), *target = quote(job->target);

			progress_clear();
			printf("%s -> %s\n", source, target);
			free(source);
			free(target);
		}
	}
	if (!S_ISDIR(job->attributes.st_mode))
		progress_file();
	job_free(job);
}

static void target_removed(struct pending *pending, int result)
{
	struct job *job = job_of(pending);

	if (result < 0)
		complain(result, "cannot remove incomplete %s", job->target, NULL);
	else
		totals.removed++;
	job_over(job);
}

static void closed(struct job *job)
{
	if (--job->closing > 0)
		return;
	if (job->failed && job->target_fd >= 0) {
		struct asyncring_sqe *sqe;

		if (!job->overwrites) {
			sqe = loop_request();
			asyncring_prep_unlinkat(sqe, AT_FDCWD, job->target, 0);
			loop_expect(sqe, &job->pending, target_removed);
			return;
		}
		report(0, "%s is incomplete", job->target, NULL);
	}
	job_over(job);
}

static void target_closed(struct pending *pending, int result)
{
	struct job *job = job_of(pending);

	if (result < 0 && !job->failed) {
		complain(result, "failed to close %s", job->target, NULL);
		job->failed = true;
	}
	closed(job);
}

static void source_closed(struct pending *pending, int result)
{
	(void)result; /* nothing was written to it, so nothing can be lost */
	closed(container_of(pending, struct job, source_closing));
}

void job_finish(struct job *job)
{
	struct asyncring_sqe *sqe;

	job->closing = 1;
	if (job->source_fd >= 0) {
		job->closing++;
		sqe = loop_request();
		asyncring_prep_close(sqe, job->source_fd);
		loop_expect(sqe, &job->source_closing, source_closed);
	}
	if (job->target_fd >= 0) {
		job->closing++;
		sqe = loop_request();
		asyncring_prep_close(sqe, job->target_fd);
		loop_expect(sqe, &job->pending, target_closed);
	}
	closed(job);
}

void job_fail(struct job *job, int error, const char *format, const char *first, const char *second)
{
	complain(error, format, first, second);
	job->failed = true;
	job_finish(job);
}

void job_again(struct job *job)
{
	job->next = NULL;
	*put_off_end = job;
	put_off_end = &job->next;
}

/* The job holds nothing while it waits, and will begin anew. */
static void rest(struct job *job)
{
	if (job->source_fd >= 0)
		close(job->source_fd);
	job->source_fd = -1;
	active--;
}

bool job_wait_for_descriptors(struct job *job, int result)
{
	if ((result != -EMFILE && result != -ENFILE) || active == 1)
		return false;
	rest(job);
	ceiling = active;
	job_again(job);
	return true;
}

void job_data_done(struct job *job)
{
	struct stat now, *then = &job->attributes;

	if (!job->failed) {
		attributes_apply(then, (struct place){job->source_fd, job->source},
				 (struct place){job->target_fd, job->target},
				 job->directory->default_acl || job->overwrites);
		if (fstat(job->source_fd, &now) == 0 &&
		    (now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
		     now.st_mtim.tv_nsec != then->st_mtim.tv_nsec))
			complain(0, "%s changed while it was copied", job->source, NULL);
	}
	job_finish(job);
}

/* The source is known, and open if it is a regular file. */
static void source_known(struct job *job)
{
	const struct stat *source = &job->attributes;

	if (interrupted) {
		job->failed = true;
		job_finish(job);
		return;
	}
	if (S_ISSOCK(source->st_mode)) {
		report(0, "%s is a socket, which cannot be copied", job->source, NULL);
		job->failed = true;
		job_finish(job);
		return;
	}
	if (!S_ISDIR(source->st_mode) && source->st_nlink > 1 && !links_claim(job))
		rest(job);
	else
		target_create(job);
}

static void source_opened(struct pending *pending, int result)
{
	struct job *job = job_of(pending);

	if (job_wait_for_descriptors(job, result))
		return;
	if (result < 0) {
		job_fail(job, result, "cannot open %s for reading", job->source, NULL);
		return;
	}
	job->source_fd = result;
	if (fstat(result, &job->attributes) < 0)
		job_fail(job, -errno, "cannot stat %s", job->source, NULL);
	else if (!S_ISREG(job->attributes.st_mode))
		job_fail(job, 0, "%s was replaced while it was copied", job->source, NULL);
	else
		source_known(job);
}

static void open_source(struct job *job)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_openat(sqe, AT_FDCWD, job->source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	loop_expect(sqe, &job->pending, source_opened);
}

static struct timespec timespec_of(struct statx_timestamp time)
{
	return (struct timespec){.tv_sec = time.tv_sec, .tv_nsec = time.tv_nsec};
}

static struct stat stat_of(const struct statx *found)
{
	return (struct stat){
		.st_dev = makedev(found->stx_dev_major, found->stx_dev_minor),
		.st_ino = found->stx_ino,
		.st_mode = found->stx_mode,
		.st_nlink = found->stx_nlink,
		.st_uid = found->stx_uid,
		.st_gid = found->stx_gid,
		.st_rdev = makedev(found->stx_rdev_major, found->stx_rdev_minor),
		.st_size = found->stx_size,
		.st_blocks = found->stx_blocks,
		.st_atim = timespec_of(found->stx_atime),
		.st_mtim = timespec_of(found->stx_mtime),
	};
}

static void source_examined(struct pending *pending, int result)
{
	struct job *job = job_of(pending);

	if (result < 0) {
		job_fail(job, result, "cannot stat %s", job->source, NULL);
		return;
	}
	job->attributes = stat_of(&job->statx);
	if (S_ISREG(job->attributes.st_mode))
		open_source(job);
	else
		source_known(job);
}

static void begin(struct job *job)
{
	struct asyncring_sqe *sqe;

	active++;
	if (job->type == DT_REG) {
		open_source(job);
		return;
	}
	sqe = loop_request();
	asyncring_prep_statx(sqe, AT_FDCWD, job->source, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
			     &job->statx);
	loop_expect(sqe, &job->pending, source_examined);
}

/* Takes the next of the jobs that are put off, else of the list, else of the walk. */
static struct job *next_job(struct job **list)
{
	struct job *job = put_off;

	if (job) {
		put_off = job->next;
		if (!put_off)
			put_off_end = &put_off;
	} else if (*list) {
		job = *list;
		*list = job->next;
	} else {
		job = walk_next();
	}
	return job;
}

bool job_start_next(struct job **list, unsigned limit)
{
	struct job *job = active < limit && active < ceiling ? next_job(list) : NULL;

	if (job)
		begin(job);
	return job;
}

void job_abandon_all(struct job **list)
{
	struct job *job;

	walk_abandon();
	while ((job = next_job(list)))
		job_free(job);
}
