/* SPDX-License-Identifier: MIT */
/*
 * How an SQE names a slot of the file table: sqe->file_index is the slot plus one, or
 * ASYNCRING_FILE_INDEX_ALLOC for any free one, and the answers differ accordingly.
 */
#ifndef ASYNCRING__SLOT_H
#define ASYNCRING__SLOT_H

#include <asyncring/abi.h>

#include "../core/file_table.h"

static inline unsigned slot_of_index(uint32_t file_index)
{
	if (file_index == ASYNCRING_FILE_INDEX_ALLOC)
		return FILE_SLOT_ALLOC;
	/* 0 is no slot: a number that no table has. */
	return file_index ? file_index - 1 : FILE_SLOT_ALLOC - 1;
}

/* What the request answers when the file table did @installed. */
static inline int slot_result(uint32_t file_index, int installed)
{
	return installed < 0 || file_index == ASYNCRING_FILE_INDEX_ALLOC ? installed : 0;
}

#endif
