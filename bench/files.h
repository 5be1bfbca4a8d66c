/* SPDX-License-Identifier: MIT */
/*
 * The files the workloads work on. They are made when first needed, have no name, and vanish with
 * the process, however it ends; further descriptions of one are opened through /proc/self/fd.
 *
 * bench_files_make belongs to the parent; the others are called in the children it forks, which
 * inherit the descriptors.
 */
#ifndef BENCH_FILES_H
#define BENCH_FILES_H

#include <stdint.h>

#include "workload.h"

struct file {
	int fd; /* -1 where it has not been made */
	uint64_t size;
};

struct files {
	const char *directory;	     /* on the file system to be measured */
	const char *tmpfs_directory; /* on a tmpfs */
	uint64_t large_size;	     /* of FILE_LARGE; a power of two */
	struct file files[FILE_COUNT];
};

/* A buffer for a sentence about what went wrong. */
struct message {
	char text[192];
};

/* Makes the file unless it is there. 0, or a negative errno and a message. */
int bench_files_make(struct files *files, enum file_id id, struct message *message);

/* Brings a file into the state a round begins with, and makes sure of it. Same result. */
int bench_file_prepare(const struct file *file, enum file_state state, struct message *message);

/* A new open file description of it: a descriptor or a negative errno. */
int bench_file_reopen(const struct file *file, int flags);

#endif
