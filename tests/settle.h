/* SPDX-License-Identifier: MIT */
/*
 * Description: waits until the library's threads are up and those that carry requests out sleep.
 *
 * A fork copies every lock as it is at that moment. A thread that is just starting holds some that
 * are not ours and that nobody makes good in the child: those of a sanitizer's allocator.
 */
#ifndef ASYNCRING_TESTS_SETTLE_H
#define ASYNCRING_TESTS_SETTLE_H

#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

/* ThreadSanitizer has one thread of its own, from the first pthread_create() on. */
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
enum { SETTLE_STRANGERS = 1 };
#else
enum { SETTLE_STRANGERS = 0 };
#endif

/* Is thread up, and asleep if it is a worker? A library thread gives itself its name first of all.
 */
static inline bool settle_thread(const char *thread, int *strangers)
{
	char path[300], name[32] = "", state = 0;
	FILE *file;
	int fields;

	snprintf(path, sizeof(path), "/proc/self/task/%s/stat", thread);
	file = fopen(path, "re");
	if (!file)
		return true; /* gone */
	fields = fscanf(file, "%*d (%31[^)]) %c", name, &state);
	fclose(file);
	if (fields != 2)
		return false;
	if (strncmp(name, "iou-", 4))
		return ++*strangers <= SETTLE_STRANGERS;
	return strncmp(name, "iou-wrk", 7) || state == 'S';
}

static inline bool settle_look(void)
{
	DIR *threads = opendir("/proc/self/task");
	int strangers = 0;
	struct dirent *thread;
	bool settled = true;

	while (threads && (thread = readdir(threads)))
		if (thread->d_name[0] != '.' && atoi(thread->d_name) != getpid())
			settled = settle_thread(thread->d_name, &strangers) && settled;
	if (threads)
		closedir(threads);
	return settled && threads;
}

/* True once they have settled, false if they have not within ten seconds. */
static inline bool settle_threads(void)
{
	for (int i = 0; i < 10000; i++) {
		if (settle_look())
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

#endif
