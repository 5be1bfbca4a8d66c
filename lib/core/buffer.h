/* SPDX-License-Identifier: MIT */
/*
 * A registered buffer: memory of the application's that requests name by a number. User space has
 * no need to pin pages, so it is an address range, checked at registration, and a count of users.
 */
#ifndef ASYNCRING__BUFFER_H
#define ASYNCRING__BUFFER_H

#include <stdatomic.h>
#include <stdint.h>

struct ring;

struct buffer {
	/* Constant. */
	uint64_t address, length;
	struct ring *ring; /* whose table, for the tag */
	uint64_t tag;	   /* posted when the last user is gone; 0: none */
	/* The table's and the requests'; the last put (acquire-release) posts the tag. */
	_Atomic uint32_t references;
};

#endif
