/* SPDX-License-Identifier: MIT */
/*
 * arhttpd: serves the files below a directory by HTTP/1.1, with one thread and one ring.
 *
 * Whatever a connection waits for is a request to the ring, and each completion takes it one step
 * further. The thread that waits for completions is the library's event loop, so there is no other
 * thread as long as files are in the page cache; what has to be read from the disk, or looked up
 * there, is left to the library's workers. See arhttpd.h for the parts.
 *
 * SIGTERM and SIGINT end it in good order: no more connections, idle ones closed, responses that
 * are under way finished, for a limited time. The second signal ends it at once.
 */
#include "arhttpd.h"

#include "listener.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define LISTEN_DEFAULT "127.0.0.1:8080"

/* Descriptors that are not a connection's: standard ones, the ring's, listeners, the library's. */
#define DESCRIPTORS_RESERVED 64

struct options options = {
	.header_seconds = 10,
	.idle_seconds = 60,
	.stall_seconds = 30,
	.grace_seconds = 10,
};
struct totals totals;
int root;
bool stopping;

static bool failed; /* the ring is of no more use */
static int signals;
static unsigned signals_seen;
static uint64_t stopped_at;
static struct pending signal_event, tick_event;
static struct signalfd_siginfo signal_info;

/* ---- signals and the passing of time ---- */

static void stop(void)
{
	if (!stopping) {
		stopping = true;
		stopped_at = now_milliseconds();
		accept_stop();
		connection_end_idle();
	}
	if (++signals_seen > 1)
		connection_end_all();
}

static void wait_for_signal(void);

static void signalled(struct pending *pending, int result)
{
	(void)pending;
	if (result < 0) {
		report(result, "cannot wait for signals", NULL, NULL);
		failed = true;
		return;
	}
	stop();
	wait_for_signal();
}

static void wait_for_signal(void)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_read(sqe, signals, &signal_info, sizeof(signal_info), 0);
	loop_expect(sqe, &signal_event, signalled);
}

static bool grace_is_over(void)
{
	return stopping && now_milliseconds() - stopped_at >= options.grace_seconds * 1000ULL;
}

static void start_ticking(void);

static void tick(struct pending *pending, int result)
{
	(void)pending, (void)result;
	deadline_look();
	accept_more();
	if (grace_is_over())
		connection_end_all();
	fflush(stdout);
	if (!(loop_flags() & ASYNCRING_CQE_F_MORE))
		start_ticking();
}

static void start_ticking(void)
{
	static struct __kernel_timespec period = {.tv_nsec = 500 * 1000 * 1000};
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_timeout(sqe, &period, 0, ASYNCRING_TIMEOUT_MULTISHOT);
	loop_expect(sqe, &tick_event, tick);
}

/* ---- the command line ---- */

static void usage(FILE *stream)
{
	fputs("Usage: arhttpd [OPTION]... [DIRECTORY]\n"
	      "Serves the files below DIRECTORY (the current one) by HTTP.\n\n"
	      "  -l, --listen=SPEC        listen at HOST:PORT or unix:PATH (default " LISTEN_DEFAULT
	      "),\n"
	      "                           may be given several times; port 0: any that is free\n"
	      "  -c, --connections=N      have at most N connections (default: three quarters of\n"
	      "                           the descriptors there may be)\n"
	      "      --header-timeout=S   seconds for a request to come whole (default 10)\n"
	      "      --idle-timeout=S     seconds between requests (default 60)\n"
	      "      --stall-timeout=S    seconds a client may take nothing (default 30)\n"
	      "      --grace=S            seconds for what is under way at the end (default 10)\n"
	      "  -v, --verbose            print a line for each request: the connection, what was\n"
	      "                           asked for, the status and the bytes of the answer\n"
	      "  -h, --help               print this\n\n"
	      "SIGTERM and SIGINT end it in good order, the second one at once.\n",
	      stream);
}

static bool parse_number(const char *text, const char *what, unsigned *number)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || !value || value > 1000000) {
		report(0, what, text, NULL);
		return false;
	}
	*number = (unsigned)value;
	return true;
}

static const char *specs[LISTENERS_MAX];
static unsigned spec_count;

static bool parse_options(int argc, char **argv)
{
	enum { HEADER = 256, IDLE, STALL, GRACE };
	static const struct option long_options[] = {
		{"listen", required_argument, NULL, 'l'},
		{"connections", required_argument, NULL, 'c'},
		{"header-timeout", required_argument, NULL, HEADER},
		{"idle-timeout", required_argument, NULL, IDLE},
		{"stall-timeout", required_argument, NULL, STALL},
		{"grace", required_argument, NULL, GRACE},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	static const char seconds[] = "invalid number of seconds: %s";
	bool valid = true;
	int option;

	while (valid && (option = getopt_long(argc, argv, "l:c:vh", long_options, NULL)) != -1) {
		switch (option) {
		case 'l':
			valid = spec_count < LISTENERS_MAX;
			if (valid)
				specs[spec_count++] = optarg;
			else
				report(0, "too many listeners", NULL, NULL);
			break;
		case 'c':
			valid = parse_number(optarg, "invalid number of connections: %s",
					     &options.connections);
			break;
		case HEADER:
			valid = parse_number(optarg, seconds, &options.header_seconds);
			break;
		case IDLE:
			valid = parse_number(optarg, seconds, &options.idle_seconds);
			break;
		case STALL:
			valid = parse_number(optarg, seconds, &options.stall_seconds);
			break;
		case GRACE:
			valid = parse_number(optarg, seconds, &options.grace_seconds);
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			return false;
		}
	}
	if (valid && argc - optind > 1) {
		report(0, "extra operand %s", argv[optind + 1], NULL);
		return false;
	}
	if (!spec_count)
		specs[spec_count++] = LISTEN_DEFAULT;
	return valid;
}

/* ---- putting it together ---- */

/* A connection has one descriptor, and one more while a file is on its way to it. */
static void limit_connections(void)
{
	unsigned long descriptors = raise_descriptor_limit();
	unsigned long possible = 1;

	if (descriptors > DESCRIPTORS_RESERVED + 4)
		possible = (descriptors - DESCRIPTORS_RESERVED) / 4 * 3;
	/* Where there is no limit, slots alone would fill the memory. */
	if (possible > 100000)
		possible = 100000;
	if (!options.connections || options.connections > possible)
		options.connections = (unsigned)possible;
}

static bool open_server(const char *directory)
{
	int error;

	root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	error = root < 0 ? -errno : response_possible();
	if (error) {
		report(error, "cannot serve %s", directory, NULL);
		return false;
	}
	signals = stop_signals_open();
	error = signals < 0 ? signals : ring_open(options.connections + LISTENERS_MAX);
	if (error) {
		report(error, "cannot set up the ring", NULL, NULL);
		return false;
	}
	for (unsigned i = 0; i < spec_count; i++) {
		error = accept_add(specs[i]);
		if (error) {
			report(error, "cannot listen at %s", specs[i], NULL);
			return false;
		}
	}
	return true;
}

static void serve(void)
{
	int error = 0;

	deadline_open();
	wait_for_signal();
	start_ticking();
	accept_more();
	while (!error && !failed && !(stopping && !connection_count()))
		error = ring_turn();
	if (error) {
		report(error, "the ring failed", NULL, NULL);
		failed = true;
	}
}

int main(int argc, char **argv)
{
	const char *directory;

	report_open("arhttpd", NULL);
	if (!parse_options(argc, argv)) {
		fputs("Try 'arhttpd --help' for more information.\n", stderr);
		return EXIT_FAILURE;
	}
	directory = optind < argc ? argv[optind] : ".";
	limit_connections();
	if (!open_server(directory)) {
		accept_close();
		return EXIT_FAILURE;
	}
	for (unsigned i = 0; accept_name(i); i++)
		printf("serving %s at %s%s\n", directory, accept_name(i)[0] == 'u' ? "" : "http://",
		       accept_name(i));
	fflush(stdout);
	serve();
	if (options.verbose)
		printf("%lu connections, %lu requests, %d threads\n", totals.connections,
		       totals.requests, count_threads());
	accept_close();
	ring_close();
	close(root);
	close(signals);
	return failed || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
