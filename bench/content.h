/* SPDX-License-Identifier: MIT */
/*
 * What stands in the benchmark's files: each 8-byte word is a function of its place in the file,
 * so that a block read from the wrong place, or not read at all, shows. Offsets and lengths are
 * multiples of 8. Pure functions.
 */
#ifndef BENCH_CONTENT_H
#define BENCH_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void bench_content_fill(void *buffer, size_t length, uint64_t offset);

bool bench_content_matches(const void *buffer, size_t length, uint64_t offset);

#endif
