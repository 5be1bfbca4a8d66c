/* SPDX-License-Identifier: MIT */
#include "isolate.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int bench_isolate(void (*function)(const void *argument, void *outcome), const void *argument,
		  void *outcome, size_t size, unsigned limit)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t child;

	if (shared == MAP_FAILED)
		return -errno;
	memcpy(shared, outcome, size);
	fflush(NULL); /* or the child would print it once more */
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(limit);
		function(argument, shared);
		_exit(0);
	}
	if (child < 0) {
		status = -errno;
	} else {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			continue;
		status = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		memcpy(outcome, shared, size);
	}
	munmap(shared, size);
	return status;
}
