/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#define CLEAR_LINE "\r\033[K"

void bench_progress_begin(struct progress *progress, unsigned steps)
{
	*progress = (struct progress){.terminal = isatty(STDERR_FILENO), .steps = steps};
	clock_gettime(CLOCK_MONOTONIC, &progress->began);
}

void bench_progress_workload(struct progress *progress, const char *workload)
{
	if (!progress->terminal)
		fprintf(stderr, "[%3u%%] %s\n", progress->done * 100 / progress->steps, workload);
}

static double elapsed(const struct progress *progress)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - progress->began.tv_sec) +
	       (double)(now.tv_nsec - progress->began.tv_nsec) / 1e9;
}

void bench_progress_step(struct progress *progress, const char *workload, const char *engine,
			 const char *what)
{
	if (progress->terminal) {
		unsigned done = progress->done;
		unsigned left = 0;

		if (done)
			left = (unsigned)(elapsed(progress) / done * (progress->steps - done));
		fprintf(stderr, CLEAR_LINE "[%3u%%] %s, %s, %s", done * 100 / progress->steps,
			workload, engine, what);
		if (done)
			fprintf(stderr, " (about %u:%02u left)", left / 60, left % 60);
		fflush(stderr);
	}
	progress->done++;
}

void bench_progress_skip(struct progress *progress, unsigned steps)
{
	progress->done += steps;
}

void bench_progress_end(struct progress *progress)
{
	if (progress->terminal)
		fputs(CLEAR_LINE, stderr);
}
