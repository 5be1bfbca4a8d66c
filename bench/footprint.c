/* SPDX-License-Identifier: MIT */
#include "footprint.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The most that anything here takes: 10,000 files or connections, two for each, and some others. */
#define DESCRIPTORS 32768

/* The number behind @key in the file at @path, -1: none. */
static long number_in(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	size_t length = strlen(key);
	char line[256];
	long number = -1;

	while (file && number < 0 && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, length) == 0)
			number = strtol(line + length, NULL, 10);
	}
	if (file)
		fclose(file);
	return number;
}

double bench_memory(void)
{
	const char *status = "/proc/self/status";

	return 1024.0 * (double)(number_in(status, "RssAnon:") + number_in(status, "RssShmem:"));
}

double bench_kernel_memory(void)
{
	return 1024.0 * (double)number_in("/proc/meminfo", "Slab:");
}

int bench_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	/* Without ".", ".." and the directory itself. */
	return count - 3;
}

long bench_switches(void)
{
	DIR *directory = opendir("/proc/self/task");
	struct dirent *entry;
	long switches = 0;

	while (directory && (entry = readdir(directory))) {
		char path[64];

		if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d/status", atoi(entry->d_name));
		switches += number_in(path, "voluntary_ctxt_switches:");
		switches += number_in(path, "nonvoluntary_ctxt_switches:");
	}
	if (directory)
		closedir(directory);
	return switches;
}

void bench_descriptors_raise(void)
{
	long most = number_in("/proc/sys/fs/nr_open", "");
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (limit.rlim_max < DESCRIPTORS && most >= DESCRIPTORS) {
		const struct rlimit enough = {DESCRIPTORS, DESCRIPTORS};

		if (!setrlimit(RLIMIT_NOFILE, &enough))
			return;
	}
	setrlimit(RLIMIT_NOFILE, &limit);
}

unsigned long bench_descriptors_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) ? 0 : limit.rlim_cur;
}

int bench_descriptors_check(unsigned count)
{
	return bench_descriptors_limit() < count ? -EMFILE : 0;
}
