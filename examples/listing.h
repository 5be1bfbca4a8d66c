/* SPDX-License-Identifier: MIT */
/*
 * listing: the entries of one directory, read into memory at once and sorted. io_uring has no
 * request that reads a directory, so this is plain readdir(3).
 */
#ifndef EXAMPLES_LISTING_H
#define EXAMPLES_LISTING_H

#include <stddef.h>
#include <sys/types.h>

struct entry {
	const char *name;
	ino_t inode;
	unsigned char type; /* DT_REG, DT_DIR ...; DT_UNKNOWN where the file system does not say */
};

struct listing {
	struct entry *entries;
	size_t count;
	char *names; /* the memory that the entries' names lie in */
};

/*
 * Reads the directory PATH, without "." and "..", in the order of inode numbers, which on most file
 * systems is close to the order on the disk. Returns 0 or a negative errno.
 */
int listing_read(struct listing *listing, const char *path);

void listing_free(struct listing *listing);

#endif
