/* SPDX-License-Identifier: MIT */
/*
 * arecho: sends back what it receives, over TCP and UNIX sockets, to any number of peers in one
 * thread.
 *
 * SIGINT or SIGTERM end it: it does not listen any more, sends back what has come in by then, and
 * ends with the last connection, at the latest when the time of grace is over or a second signal
 * comes.
 */
#include "arecho.h"
#include "listener.h"
#include "loop.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#define BUFFERS_MOST	 32768U
#define BUFFER_SIZE_MOST (1U << 24)

/* Descriptors that are not connections'. */
#define OTHER_DESCRIPTORS 64U

/* By default; an unlimited process does not want a table of all the descriptors it may have. */
#define CONNECTIONS_DEFAULT 100000U

struct options options = {
	.buffers = 1024,
	.buffer_size = 4096,
	.connections = CONNECTIONS_DEFAULT,
	.grace = 5,
};

static bool stopping;
static int stop_fd;
static struct signalfd_siginfo stop_signal;
static struct pending stop, grace;

/* ---- the end ---- */

static void grace_over(struct pending *pending, int result)
{
	(void)pending;
	(void)result;
	connections_abort();
}

static void await_stop(void);

static void told_to_stop(struct pending *pending, int result)
{
	static struct __kernel_timespec duration;
	const struct statistics *statistics = connections_statistics();
	struct asyncring_sqe *sqe;

	(void)pending;
	if (result < 0) {
		report(result, "cannot wait for signals", NULL, NULL);
		exit(EXIT_FAILURE);
	}
	if (stopping) {
		connections_abort();
		return;
	}
	stopping = true;
	if (!options.quiet)
		printf("stopping: %u connections open, %u at most, %" PRIu64 " served, %" PRIu64
		       " bytes in %" PRIu64 " pieces, threads: %d\n",
		       connections_count(), statistics->most, statistics->connections,
		       statistics->bytes, statistics->messages, count_threads());
	doors_close();
	connections_finish();
	duration.tv_sec = options.grace;
	sqe = loop_request();
	asyncring_prep_timeout(sqe, &duration, 0, 0);
	loop_expect(sqe, &grace, grace_over);
	await_stop();
}

static void await_stop(void)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_read(sqe, stop_fd, &stop_signal, sizeof(stop_signal), 0);
	loop_expect(sqe, &stop, told_to_stop);
}

/* ---- serving ---- */

static int serve(void)
{
	bool done, may_wait;
	int error;

	do {
		may_wait = connections_advance();
		/* What that has closed last is not waited for, but submitted. */
		done = stopping && connections_count() == 0 && doors_count() == 0;
		fflush(stdout);
		error = loop_wait(may_wait && !done ? 1 : 0, NULL);
	} while (!error && !done);
	return error;
}

/* As many connections as this process has descriptors for. */
static void limit_connections(void)
{
	unsigned long limit = raise_descriptor_limit();
	unsigned long most = limit > OTHER_DESCRIPTORS ? limit - OTHER_DESCRIPTORS : 1;

	if (options.connections > most)
		options.connections = (unsigned)most;
}

static int set_up(void)
{
	int error = loop_open(RING_ENTRIES);

	if (error) {
		report(error, "cannot set up the ring", NULL, NULL);
		return error;
	}
	limit_connections();
	stop_fd = stop_signals_open();
	error = stop_fd < 0 ? stop_fd : connections_open(options.connections);
	if (!error)
		error = buffers_open(options.buffers, options.buffer_size);
	if (error)
		report(error, "cannot start", NULL, NULL);
	return error;
}

static int run(char **specs, int count)
{
	bool served = false;
	int error;

	if (set_up())
		return EXIT_FAILURE;
	await_stop();
	if (options.connections < (unsigned)count) {
		report(0, "there cannot be fewer connections than doors", NULL, NULL);
	} else if (doors_open(specs, count)) {
		error = serve();
		if (error)
			report(error, "cannot go on", NULL, NULL);
		served = !error;
	}
	doors_free();
	buffers_close();
	loop_close();
	connections_close();
	return served ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the command line ---- */

static void usage(FILE *stream)
{
	fprintf(stream,
		"Usage: arecho [OPTION]... LISTEN...\n"
		"Sends back what it receives. LISTEN is HOST:PORT or unix:PATH; without HOST it\n"
		"listens at all addresses, with PORT 0 at one that the system chooses.\n\n"
		"  -b, --buffers=COUNT     receive into so many buffers, a power of two (%u)\n"
		"  -s, --size=BYTES        of so many bytes (%u)\n"
		"  -c, --connections=MAX   serve so many at once (%u, or what the limit of\n"
		"                          descriptors allows)\n"
		"  -g, --grace=SECONDS     cut connections off so long after SIGTERM (%u)\n"
		"  -q, --quiet             say nothing but errors\n"
		"  -h, --help              show this text\n",
		options.buffers, options.buffer_size, options.connections, options.grace);
}

/* A number in this range, or the end. */
static unsigned number(const char *text, unsigned least, unsigned most)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || value < least || value > most) {
		report(0, "invalid number: %s", text, NULL);
		exit(EXIT_FAILURE);
	}
	return (unsigned)value;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"buffers", required_argument, NULL, 'b'},
		{"size", required_argument, NULL, 's'},
		{"connections", required_argument, NULL, 'c'},
		{"grace", required_argument, NULL, 'g'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	report_open("arecho", NULL);
	while ((option = getopt_long(argc, argv, "b:s:c:g:qh", known, NULL)) != -1) {
		switch (option) {
		case 'b':
			options.buffers = number(optarg, 1, BUFFERS_MOST);
			if (options.buffers & (options.buffers - 1)) {
				report(0, "%s is no power of two", optarg, NULL);
				return EXIT_FAILURE;
			}
			break;
		case 's':
			options.buffer_size = number(optarg, 1, BUFFER_SIZE_MOST);
			break;
		case 'c':
			options.connections = number(optarg, 1, 1U << 20);
			break;
		case 'g':
			options.grace = number(optarg, 0, 86400);
			break;
		case 'q':
			options.quiet = true;
			break;
		default:
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? EXIT_SUCCESS : EXIT_FAILURE;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	return run(argv + optind, argc - optind);
}
