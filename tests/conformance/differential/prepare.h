/* SPDX-License-Identifier: MIT */
/*
 * From a step of a random program to a submission queue entry.
 */
#ifndef DIFFERENTIAL_PREPARE_H
#define DIFFERENTIAL_PREPARE_H

#include "world.h"

#include <sys/stat.h>

/*
 * What the entry of a step points to, data aside. Of this, only files and status must stay as they
 * are until the completion: the rest is copied by the time submit returns.
 */
struct scratch {
	struct iovec vector[VECTOR_MAX];
	char name[8];
	char other_name[8];
	int files[1];
	struct statx status;
};

/* Fill in the entry, which must be zeroed but for nothing, from the step. */
void prepare_step(struct io_uring_sqe *sqe, const struct step *step, const struct world *world,
		  struct scratch *scratch);

/* Scribble over what the ring must have copied. */
void prepare_scribble(struct scratch *scratch);

#endif /* DIFFERENTIAL_PREPARE_H */
