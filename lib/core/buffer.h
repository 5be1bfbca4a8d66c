/* SPDX-License-Identifier: MIT */
/*
 * A registered buffer: memory of the application's that requests name by a number. User space has
 * no need to pin pages, so it is an address range, checked at registration, and a count of users.
 */
#ifndef ASYNCRING__BUFFER_H
#define ASYNCRING__BUFFER_H

#include <stdatomic.h>
#include <stdint.h>

struct completion;
struct ring;

struct buffer {
	/* Constant once the buffer is in its table. */
	uint64_t address, length;
	struct ring *ring;	/* whose table */
	struct completion *tag; /* posted there when the last user is gone; NULL: none */
	/* The table's and the requests'; the last put (acquire-release) posts the tag. */
	_Atomic uint32_t references;
};

#endif
