/* SPDX-License-Identifier: MIT */
/* arcat: writes files to standard output like cat; "-" or no name at all is standard input. */
#include <asyncring.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Submits the prepared request, waits until it is complete and returns its result or -errno. */
static int finish(struct asyncring *ring)
{
	struct asyncring_cqe *completion;
	int result = asyncring_submit(ring);

	if (result < 0 || (result = asyncring_wait_cqe(ring, &completion)) < 0)
		return result;
	result = completion->res;
	asyncring_cqe_seen(ring, completion);
	return result;
}

/* Copies the rest of an open file to standard output; offset -1 (where it stands) suits pipes. */
static int cat(struct asyncring *ring, int fd)
{
	static char data[128 * 1024];
	int got, written = 0;

	do {
		asyncring_prep_read(asyncring_get_sqe(ring), fd, data, sizeof(data), -1);
		got = finish(ring);
		for (int at = 0; at < got && written >= 0; at += written) {
			asyncring_prep_write(asyncring_get_sqe(ring), 1, data + at, got - at, -1);
			written = finish(ring);
		}
	} while (got > 0 && written >= 0);
	return got < 0 ? got : written; /* the result that ended it; negative is an error */
}

int main(int argc, char **argv)
{
	struct asyncring ring;
	int status;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return puts("Usage: arcat [FILE]...\n"
			    "Writes files to standard output; - or none is standard input.") < 0;
	status = asyncring_queue_init(1, &ring, 0);
	if (status < 0)
		errx(1, "cannot set up a ring: %s", strerror(-status));
	for (int i = 1; i < argc || i == 1; i++) {
		const char *name = i < argc ? argv[i] : "-";
		int fd = strcmp(name, "-") == 0 ? dup(0) : open(name, O_RDONLY);
		int result = fd < 0 ? -errno : cat(&ring, fd);

		if (result < 0)
			warnx("%s: %s", name, strerror(-result));
		status |= result < 0;
		close(fd);
	}
	asyncring_queue_exit(&ring);
	return status;
}
