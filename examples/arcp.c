/* SPDX-License-Identifier: MIT */
/*
 * arcp: copies files and directory trees, many files at a time, with one thread and one ring.
 *
 * Each entry of the tree is a job, a small state machine whose steps are requests to the ring; the
 * main loop begins jobs as long as fewer than the wanted number are in flight, submits what they
 * prepared in one go, and hands each completion to the job that waits for it. See arcp.h for the
 * parts.
 */
#include "arcp.h"

#include "progress.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define JOBS_DEFAULT 64
#define JOBS_MAX     1024

/* Descriptors that are not a job's: standard ones, the ring's, a listing, the library's own. */
#define DESCRIPTORS_RESERVED 24
/* A job has two files open, and the library may hold on to each while a request is under way. */
#define DESCRIPTORS_PER_JOB 4

struct options options = {.progress = true, .jobs = JOBS_DEFAULT};
struct totals totals;
volatile sig_atomic_t interrupted; /* the number of the signal that came, or 0 */

void complain(int error, const char *format, const char *first, const char *second)
{
	totals.problems++;
	report(error, format, first, second);
}

static void interrupt(int signal)
{
	interrupted = signal;
}

/* The first signal lets what is in flight end in good order; the second one kills as ever. */
static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND}, old;

	/* Nobody reading what -v says is no reason to stop in the middle of a file. */
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
}

/* Ends the program as the signal would have ended it, which is what a shell wants to see. */
static void die_of_signal(int signal)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(signal, &action, NULL);
	raise(signal);
}

/* As many jobs as wanted, but no more than there are descriptors for. */
static unsigned job_limit(void)
{
	struct rlimit limit;
	rlim_t possible;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return options.jobs;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < DESCRIPTORS_RESERVED + DESCRIPTORS_PER_JOB)
		return 1;
	possible = (limit.rlim_cur - DESCRIPTORS_RESERVED) / DESCRIPTORS_PER_JOB;
	return possible < options.jobs ? (unsigned)possible : options.jobs;
}

static void copy(struct job *jobs, unsigned limit)
{
	struct __kernel_timespec redraw = {.tv_nsec = 100 * 1000 * 1000};
	int error = 0;

	while (!error) {
		if (interrupted)
			job_abandon_all(&jobs);
		while (!interrupted && job_start_next(&jobs, limit))
			;
		if (loop_outstanding() == 0)
			break;
		error = loop_run(options.progress ? &redraw : NULL);
		progress_draw();
	}
	if (error) {
		complain(error, "the ring failed", NULL, NULL);
		exit(EXIT_FAILURE);
	}
}

static void usage(FILE *stream)
{
	fputs("Usage: arcp [OPTION]... SOURCE... DEST\n"
	      "Copies files and directory trees as cp -a does, many files at a time.\n\n"
	      "  -j, --jobs=N       keep up to N files in flight (default 64)\n"
	      "  -v, --verbose      name each file that has been copied\n"
	      "      --verify       read both sides again and compare them\n"
	      "      --no-progress  show no progress bar on a terminal\n"
	      "  -h, --help         show this text\n",
	      stream);
}

static bool parse_jobs(const char *text)
{
	char *end;
	unsigned long jobs;

	errno = 0;
	jobs = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || jobs < 1 || jobs > JOBS_MAX) {
		report(0, "invalid number of jobs: %s (1 to 1024)", text, NULL);
		return false;
	}
	options.jobs = (unsigned)jobs;
	return true;
}

static bool parse_options(int argc, char **argv)
{
	enum { VERIFY = 256, NO_PROGRESS };
	static const struct option known[] = {
		{"jobs", required_argument, NULL, 'j'},
		{"verbose", no_argument, NULL, 'v'},
		{"verify", no_argument, NULL, VERIFY},
		{"no-progress", no_argument, NULL, NO_PROGRESS},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "j:vh", known, NULL)) != -1) {
		switch (option) {
		case 'j':
			if (!parse_jobs(optarg))
				return false;
			break;
		case 'v':
			options.verbose = true;
			break;
		case VERIFY:
			options.verify = true;
			break;
		case NO_PROGRESS:
			options.progress = false;
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			return false;
		}
	}
	if (argc - optind < 2) {
		report(0,
		       optind == argc ? "missing file operand"
				      : "missing destination file operand after %s",
		       argv[optind], NULL);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	unsigned long long bytes;
	unsigned long files;
	struct job *jobs;
	unsigned limit;
	int error;

	setlocale(LC_CTYPE, "");
	report_open("arcp", progress_clear);
	if (!parse_options(argc, argv)) {
		fputs("Try 'arcp --help' for more information.\n", stderr);
		return EXIT_FAILURE;
	}
	options.progress = options.progress && isatty(STDERR_FILENO);
	options.user = geteuid();
	options.group = getegid();
	umask(0); /* modes are given by the sources */
	limit = job_limit();
	error = loop_open(512);
	if (!error)
		error = data_open(limit);
	if (error) {
		report(error, "cannot set up the ring", NULL, NULL);
		return EXIT_FAILURE;
	}
	catch_signals();
	jobs = arguments_resolve(argv + optind, argc - optind - 1, argv[argc - 1]);
	if (options.progress) {
		progress_open();
		survey(jobs, &files, &bytes);
		progress_totals(files, options.verify ? 2 * bytes : bytes);
	}
	copy(jobs, limit);
	progress_close();
	loop_close();
	data_close();
	if (interrupted) {
		fprintf(stderr, "arcp: interrupted: %lu done, %lu incomplete and removed\n",
			totals.done, totals.removed);
		fflush(stdout);
		die_of_signal(interrupted);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		report(-errno, "write error", NULL, NULL);
		return EXIT_FAILURE;
	}
	return totals.problems ? EXIT_FAILURE : EXIT_SUCCESS;
}
