/* SPDX-License-Identifier: MIT */
/*
 * The world a random program lives in: per group four names in a directory, two files that are
 * open and registered, two more slots (the first holds a file already), a descriptor that requests
 * may close and open anew, and a piece of memory whose halves are registered buffers. A request
 * never leaves its group, so groups can run at the same time without having a say in each other's
 * results.
 *
 * One world at a time belongs to one thread.
 */
#ifndef DIFFERENTIAL_WORLD_H
#define DIFFERENTIAL_WORLD_H

#include "program.h"

#include <liburing.h>
#include <limits.h>

#define SLOTS_PER_GROUP 4

struct world {
	char path[PATH_MAX];
	int directory;
	int files[GROUPS][2];
	int variable[GROUPS]; /* -1: not open */
	unsigned char *memory;
};

/* Make the directory and the files of this program. 0 or a negative errno. */
int world_create(struct world *world, const struct program *program);

/* Register files and buffers with the ring. */
int world_register(struct world *world, struct io_uring *ring);

void world_destroy(struct world *world);

/* Fill all memory with what nobody has read from anywhere. */
void world_fill_memory(struct world *world, uint64_t pattern);

/* Print what a batch may have changed in a group: memory, files, file positions. */
void world_print_group(FILE *out, const struct world *world, unsigned group);

unsigned char *world_group_memory(const struct world *world, unsigned group);

/* The name of a group's file, relative to the directory; a static string. */
const char *world_name(unsigned group, enum name name);

/* The number of a slot of the group; slot counts A, B, DIRECT_0, DIRECT_1. */
unsigned world_slot(unsigned group, unsigned slot);

#endif /* DIFFERENTIAL_WORLD_H */
