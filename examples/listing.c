/* SPDX-License-Identifier: MIT */
/*
 * listing: reads a directory. The names are collected in one growing piece of memory; while it
 * grows, entries know their names by offset, and they get their pointers when it no longer moves.
 */
#include "listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Makes room for one more element at the end of an array; 0 or a negative errno. */
static int grow(void **array, size_t *capacity, size_t needed, size_t size)
{
	size_t wanted = *capacity ? *capacity : 64;
	void *moved;

	if (needed <= *capacity)
		return 0;
	while (wanted < needed)
		wanted *= 2;
	moved = realloc(*array, wanted * size);
	if (!moved)
		return -ENOMEM;
	*array = moved;
	*capacity = wanted;
	return 0;
}

static int by_inode(const void *left, const void *right)
{
	ino_t a = ((const struct entry *)left)->inode, b = ((const struct entry *)right)->inode;

	return (a > b) - (a < b);
}

static int read_all(struct listing *listing, DIR *stream)
{
	size_t entries_capacity = 0, names_capacity = 0, names_length = 0;
	struct dirent *found;
	int error;

	while (errno = 0, (found = readdir(stream))) {
		size_t length = strlen(found->d_name) + 1;

		if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
			continue;
		error = grow((void **)&listing->names, &names_capacity, names_length + length, 1);
		if (!error)
			error = grow((void **)&listing->entries, &entries_capacity,
				     listing->count + 1, sizeof(struct entry));
		if (error)
			return error;
		memcpy(listing->names + names_length, found->d_name, length);
		listing->entries[listing->count++] = (struct entry){
			.name = (const char *)(uintptr_t)names_length,
			.inode = found->d_ino,
			.type = found->d_type,
		};
		names_length += length;
	}
	return -errno;
}

int listing_read(struct listing *listing, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	int error;

	*listing = (struct listing){0};
	if (!stream) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	error = read_all(listing, stream);
	closedir(stream);
	if (error) {
		listing_free(listing);
		return error;
	}
	for (size_t i = 0; i < listing->count; i++)
		listing->entries[i].name = listing->names + (uintptr_t)listing->entries[i].name;
	if (listing->count > 1)
		qsort(listing->entries, listing->count, sizeof(struct entry), by_inode);
	return 0;
}

void listing_free(struct listing *listing)
{
	free(listing->entries);
	free(listing->names);
	*listing = (struct listing){0};
}
