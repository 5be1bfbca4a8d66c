/* SPDX-License-Identifier: MIT */
/*
 * aruv: counts the lines and bytes of files, like wc -lc. It is about something else: how a ring
 * lives in an event loop of others, here libuv's. Files are read through the ring, many at once;
 * timers and whatever else a program may have are the loop's. Everything here happens in the loop's
 * thread: those of the library, where a file needs one, call nothing.
 *
 * Three rules make a ring a good citizen of any loop that can poll a descriptor:
 *
 * 1. The loop polls ring_fd for readability (ring_is_readable). It is readable while completions
 *    wait.
 * 2. Whoever is called for it takes completions until there are none. The look that finds the queue
 *    empty is what ends the readability; who stops before it is called again, and a loop that only
 *    tells of changes (edge-triggered) would not call again.
 * 3. What callbacks have prepared is submitted before the loop sleeps (submit_before_sleep). It may
 *    be complete at once: then the descriptor is readable, and the loop does not sleep.
 *
 * A ring with ASYNCRING_SETUP_DEFER_TASKRUN completes nothing until it is asked: each look of rule
 * 2 begins with asyncring_get_events(). And with the kernel's io_uring who polls such a ring is not
 * told in time; its eventfd is (asyncring_register_eventfd), which a loop can poll just as well.
 */
#include "report.h"

#include <asyncring.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* Files at once: each has a descriptor and a buffer. */
#define FILES_MOST 64

#define PROGRESS_MILLISECONDS 100

struct file {
	const char *name;
	int fd;
	int error;
	uint64_t lines, bytes;
	char *data;
	void (*done)(struct file *file, int result);
};

#define DATA_SIZE 65536

static struct asyncring ring;
static uv_loop_t loop;
static uv_poll_t ring_poll;
static uv_prepare_t before_sleep;
static uv_timer_t progress;

static struct file *files;
static unsigned file_count, started, finished;
static uint64_t bytes_read;

/* ---- the ring in the loop ---- */

static struct asyncring_sqe *request(struct file *file, void (*done)(struct file *, int))
{
	struct asyncring_sqe *sqe;

	while (!(sqe = asyncring_get_sqe(&ring)))
		asyncring_submit(&ring);
	asyncring_sqe_set_data(sqe, file);
	file->done = done;
	return sqe;
}

static void submit_before_sleep(uv_prepare_t *handle)
{
	int result = asyncring_submit(&ring);

	(void)handle;
	/* What could not be submitted for want of memory is tried again. */
	if (result < 0 && result != -EAGAIN && result != -EBUSY && result != -EINTR) {
		report(result, "cannot submit requests", NULL, NULL);
		exit(EXIT_FAILURE);
	}
}

static void ring_is_readable(uv_poll_t *handle, int status, int events)
{
	struct asyncring_cqe *cqe;

	(void)handle;
	(void)events;
	if (status < 0) {
		report(status, "cannot wait for completions", NULL, NULL);
		exit(EXIT_FAILURE);
	}
	while (asyncring_peek_cqe(&ring, &cqe) == 0) {
		struct file *file = asyncring_cqe_get_data(cqe);
		int result = cqe->res;

		asyncring_cqe_seen(&ring, cqe);
		file->done(file, result);
	}
}

/* What is closed leaves the loop, and the loop ends when there is nothing in it. */
static void leave_loop(void)
{
	uv_close((uv_handle_t *)&ring_poll, NULL);
	uv_close((uv_handle_t *)&before_sleep, NULL);
	uv_close((uv_handle_t *)&progress, NULL);
}

static int join_loop(void)
{
	int error = uv_loop_init(&loop);

	if (error)
		return error;
	uv_prepare_init(&loop, &before_sleep);
	uv_prepare_start(&before_sleep, submit_before_sleep);
	uv_timer_init(&loop, &progress);
	error = uv_poll_init(&loop, &ring_poll, ring.ring_fd);
	return error ? error : uv_poll_start(&ring_poll, UV_READABLE, ring_is_readable);
}

/* ---- files ---- */

static void start_next(void);

static void closed(struct file *file, int result)
{
	if (result < 0 && !file->error)
		file->error = result;
	free(file->data);
	finished++;
	start_next();
	if (finished == file_count)
		leave_loop();
}

static void got_data(struct file *file, int result)
{
	if (result <= 0) {
		file->error = result;
		asyncring_prep_close(request(file, closed), file->fd);
		return;
	}
	file->bytes += (unsigned)result;
	bytes_read += (unsigned)result;
	for (const char *at = file->data, *end = at + result;
	     (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
		file->lines++;
	/* From where the file stands: pipes have no offsets. */
	asyncring_prep_read(request(file, got_data), file->fd, file->data, DATA_SIZE, -1);
}

static void opened(struct file *file, int result)
{
	if (result < 0) {
		closed(file, result);
		return;
	}
	file->fd = result;
	asyncring_prep_read(request(file, got_data), file->fd, file->data, DATA_SIZE, -1);
}

static void start_next(void)
{
	struct file *file = &files[started];

	if (started == file_count)
		return;
	started++;
	file->data = allocate(DATA_SIZE);
	asyncring_prep_openat(request(file, opened), AT_FDCWD, file->name, O_RDONLY | O_CLOEXEC, 0);
}

/* ---- everything else ---- */

static void show_progress(uv_timer_t *timer)
{
	(void)timer;
	fprintf(stderr, "aruv: %u of %u files, %" PRIu64 " bytes\n", finished, file_count,
		bytes_read);
}

static bool print_counts(void)
{
	uint64_t lines = 0, bytes = 0;
	bool failed = false;

	for (unsigned i = 0; i < file_count; i++) {
		const struct file *file = &files[i];

		if (file->error) {
			report(file->error, "%s", file->name, NULL);
			failed = true;
		} else {
			printf("%" PRIu64 " %" PRIu64 " %s\n", file->lines, file->bytes,
			       file->name);
		}
		lines += file->lines;
		bytes += file->bytes;
	}
	if (file_count > 1)
		printf("%" PRIu64 " %" PRIu64 " total\n", lines, bytes);
	if (fflush(stdout) != 0) {
		report(-errno, "write error", NULL, NULL);
		failed = true;
	}
	return !failed;
}

static int count(char **names, unsigned many, bool shows_progress)
{
	bool complete;
	int error = asyncring_queue_init(FILES_MOST, &ring, ASYNCRING_SETUP_SINGLE_ISSUER);

	if (!error)
		error = join_loop();
	if (error) {
		report(error, "cannot set up the ring and its loop", NULL, NULL);
		return EXIT_FAILURE;
	}
	if (shows_progress)
		uv_timer_start(&progress, show_progress, PROGRESS_MILLISECONDS,
			       PROGRESS_MILLISECONDS);
	files = calloc(many, sizeof(*files));
	if (!files) {
		report(-ENOMEM, "too many files", NULL, NULL);
		return EXIT_FAILURE;
	}
	file_count = many;
	for (unsigned i = 0; i < many; i++)
		files[i].name = names[i];
	for (unsigned i = 0; i < FILES_MOST; i++)
		start_next();

	uv_run(&loop, UV_RUN_DEFAULT);

	complete = print_counts();
	uv_loop_close(&loop);
	/* After it has left the loop, which must not poll what is not there any more. */
	asyncring_queue_exit(&ring);
	free(files);
	return complete ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void usage(FILE *stream)
{
	fputs("Usage: aruv [-p] FILE...\n"
	      "Counts the lines and bytes of files; -p says ten times a second how far it is.\n",
	      stream);
}

int main(int argc, char **argv)
{
	bool shows_progress = argc > 1 && strcmp(argv[1], "-p") == 0;
	int first = shows_progress ? 2 : 1;

	report_open("aruv", NULL);
	if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	if (first >= argc || argv[first][0] == '-') {
		usage(stderr);
		return EXIT_FAILURE;
	}
	return count(argv + first, (unsigned)(argc - first), shows_progress);
}
