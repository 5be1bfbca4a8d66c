/* SPDX-License-Identifier: MIT */
/*
 * arcp_arguments: where each command-line source goes, as cp decides it, and what is refused before
 * anything is touched: a directory into itself, over a directory that contains it, and two sources
 * to one target.
 */
#include "arcp.h"

#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The last component of PATH without slashes at its end; "" if that is no name of its own. */
static char *base_name(const char *path)
{
	size_t end = strlen(path), start;
	char *name;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	name = strndup(path + start, end - start);
	if (!name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		free(name);
		name = copy_string("");
	}
	return name;
}

/* The directory that PATH lies in. */
static char *directory_name(const char *path)
{
	size_t end = strlen(path);
	char *name;

	while (end > 0 && path[end - 1] == '/')
		end--;
	while (end > 0 && path[end - 1] != '/')
		end--;
	if (end == 0)
		return copy_string(".");
	name = copy_string(path);
	name[end] = '\0';
	return name;
}

static bool same(const struct stat *left, const struct stat *right)
{
	return left->st_dev == right->st_dev && left->st_ino == right->st_ino;
}

/* True if the directory PATH is the directory WANTED or lies in it, however deep. */
static bool lies_in(const char *path, const struct stat *wanted)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), parent;
	struct stat here, above;
	bool found = false, top = fd < 0 || fstat(fd, &here) < 0;

	while (!top && !(found = same(&here, wanted))) {
		parent = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		top = parent < 0 || fstat(parent, &above) < 0 || same(&above, &here);
		here = above;
		close(fd);
		fd = parent;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

/* Complains and returns false if SOURCE, a directory, must not be copied to TARGET. */
static bool directory_allowed(const char *source, const struct stat *attributes, const char *target)
{
	struct stat existing;
	char *place = directory_name(target);
	bool exists = lstat(target, &existing) == 0 && S_ISDIR(existing.st_mode);
	bool allowed = true;

	if (lies_in(exists ? target : place, attributes)) {
		complain(0, "cannot copy a directory, %s, into itself, %s", source, target);
		allowed = false;
	} else if (exists && lies_in(source, &existing)) {
		complain(0, "cannot copy %s over %s, which contains it", source, target);
		allowed = false;
	}
	free(place);
	return allowed;
}

static bool taken(const struct job *jobs, const char *target)
{
	for (; jobs; jobs = jobs->next)
		if (strcmp(jobs->target, target) == 0)
			return true;
	return false;
}

/* The job that copies SOURCE to TARGET, or NULL after a complaint. */
static struct job *resolve(const char *source, const char *target, const struct job *earlier)
{
	struct directory *place;
	struct stat attributes;
	struct job *job;
	char *name;

	if (lstat(source, &attributes) < 0) {
		complain(-errno, "cannot stat %s", source, NULL);
		return NULL;
	}
	if (taken(earlier, target)) {
		complain(0, "will not overwrite just-created %s with %s", target, source);
		return NULL;
	}
	if (S_ISDIR(attributes.st_mode) && !directory_allowed(source, &attributes, target))
		return NULL;
	name = directory_name(target);
	place = directory_new(NULL, NULL, name);
	place->default_acl = attributes_default_acl(name);
	free(name);
	job = job_new(place, copy_string(source), copy_string(target), DT_UNKNOWN);
	directory_put(place); /* the job has a reference of its own */
	return job;
}

struct job *arguments_resolve(char **sources, int count, const char *destination)
{
	struct job *jobs = NULL, **end = &jobs;
	struct stat attributes;
	int error = stat(destination, &attributes) < 0 ? -errno : 0;
	bool into = !error && S_ISDIR(attributes.st_mode);

	if (count > 1 && !into) {
		complain(error ? error : -ENOTDIR, "target %s", destination, NULL);
		return NULL;
	}
	for (int i = 0; i < count; i++) {
		char *name = base_name(sources[i]);
		char *target =
			into && *name ? join_path(destination, name) : copy_string(destination);

		*end = resolve(sources[i], target, jobs);
		if (*end)
			end = &(*end)->next;
		free(name);
		free(target);
	}
	return jobs;
}
