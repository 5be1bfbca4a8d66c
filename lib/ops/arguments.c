/* SPDX-License-Identifier: MIT */
/* Copies of what an SQE points to; see arguments.h. Takes no locks, keeps no state. */
#include "arguments.h"

#include <string.h>

#include "../core/core.h"

enum {
	/* No smaller page exists: a copy within one cannot fail for what lies behind the string. */
	PAGE = 4096,
	/* Long enough for most paths, so that they cost one call. */
	STRING_STEP = 256,
	CAPACITY_MIN = 2 * STRING_STEP,
};

/* Room for @size bytes behind those in use, or NULL. */
static char *reserve(struct arguments *arguments, size_t size)
{
	struct request *request = arguments->request;
	size_t capacity = arguments->capacity ? arguments->capacity : CAPACITY_MIN;
	char *memory;

	while (capacity - arguments->used < size)
		capacity *= 2;
	if (capacity > arguments->capacity) {
		memory = asyncring__alloc(capacity);
		if (!memory)
			return NULL;
		/* All of it: a string that is being copied lies behind what is in use. */
		if (arguments->capacity)
			memcpy(memory, request->async_data, arguments->capacity);
		asyncring__free(request->async_data);
		request->async_data = memory;
		arguments->capacity = capacity;
	}
	return (char *)request->async_data + arguments->used;
}

static int take(struct arguments *arguments, size_t size)
{
	int offset = (int)arguments->used;

	arguments->used += size;
	return offset;
}

int asyncring__argument_string(struct arguments *arguments, uint64_t from, size_t limit)
{
	size_t length = 0;

	while (length < limit) {
		uint64_t address = from + length;
		size_t part = PAGE - address % PAGE;
		const char *end;
		char *copy;

		if (part > STRING_STEP)
			part = STRING_STEP;
		copy = reserve(arguments, length + part);
		if (!copy)
			return -ENOMEM;
		if (asyncring__copy_in_unseen(copy + length, address, part))
			return -EFAULT;
		end = memchr(copy + length, '\0', part);
		if (end) {
			size_t size = (size_t)(end - copy) + 1;

			return size <= limit ? take(arguments, size) : -ENAMETOOLONG;
		}
		length += part;
	}
	return -ENAMETOOLONG;
}

int asyncring__argument_path(struct arguments *arguments, uint64_t from, bool may_be_empty)
{
	int offset = asyncring__argument_string(arguments, from, PATH_MAX);

	if (offset >= 0 && !may_be_empty && *(const char *)argument_at(arguments, offset) == '\0')
		return -ENOENT;
	return offset;
}

int asyncring__argument_bytes(struct arguments *arguments, uint64_t from, size_t length)
{
	char *copy = reserve(arguments, length);

	if (!copy)
		return -ENOMEM;
	if (asyncring__copy_in(copy, from, length))
		return -EFAULT;
	return take(arguments, length);
}

int asyncring__copy_path(struct request *request, uint64_t from, const char **path)
{
	struct arguments arguments = {.request = request};
	int offset = asyncring__argument_path(&arguments, from, false);

	if (offset < 0)
		return offset;
	*path = argument_at(&arguments, offset);
	return 0;
}
