/* SPDX-License-Identifier: MIT */
#include "content.h"

static uint64_t word_at(uint64_t offset)
{
	uint64_t word = (offset + 1) * UINT64_C(0x9e3779b97f4a7c15);

	return word ^ (word >> 29);
}

void bench_content_fill(void *buffer, size_t length, uint64_t offset)
{
	uint64_t *words = buffer;

	for (size_t i = 0; i < length / sizeof(*words); i++)
		words[i] = word_at(offset + i * sizeof(*words));
}

bool bench_content_matches(const void *buffer, size_t length, uint64_t offset)
{
	const uint64_t *words = buffer;

	for (size_t i = 0; i < length / sizeof(*words); i++) {
		if (words[i] != word_at(offset + i * sizeof(*words)))
			return false;
	}
	return true;
}
