/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "stats.h"

static const char help[] =
	"Usage: asyncring-bench [OPTION]...\n"
	"\n"
	"Runs the same I/O workloads over libasyncring and over the interfaces it can be compared\n"
	"with, all in one run, in turn, several rounds, and prints tables of ratios: time and CPU\n"
	"per operation, the best of the others being 1.00. Lower is better. The best of the others is\n"
	"the one to which asyncring's ratio, of what was measured in the same round, is the largest.\n"
	"\n"
	"  -e, --engine=GLOBS    only these engines, as in 'asyncring,lib*' (default: all)\n"
	"  -w, --workload=GLOBS  only these workloads and curves, as in 'nop-*,*-d1' (default: all)\n"
	"  -r, --rounds=N        rounds of each cell, whose median counts (default: 13)\n"
	"  -s, --seconds=S       seconds per cell and round (default: 0.08)\n"
	"      --latency-rounds=N  rounds of each cell after these in which each operation's latency\n"
	"                        is taken; 0 for none (default: 4)\n"
	"      --curve-rounds=N  rounds of each point of the curves, throughput against operations in\n"
	"                        flight or connections; 0 for none (default: 3)\n"
	"  -d, --dir=DIR         where to make the test files: on the file system to be measured,\n"
	"                        with 2 GiB free (default: the current directory)\n"
	"      --tmpfs=DIR       a directory on a tmpfs (default: /dev/shm)\n"
	"  -j, --json=FILE       write every round, and the machine it ran on, to FILE as JSON\n"
	"  -q, --quick           5 rounds of 0.02 s, one of latencies, curves and a smaller file: for\n"
	"                        a first look, under 2 minutes\n"
	"  -l, --list            list engines and workloads\n"
	"  -h, --help            this text\n"
	"\n"
	"Connections are served by the engine; the other end is a process of its own, one thread of\n"
	"plain epoll, whose time is in no figure but takes a processor. Each connection needs a\n"
	"descriptor in both: the limit (ulimit -n) is raised as far as is permitted, and with less\n"
	"than two for each to spare, rings register them.\n"
	"Timers are 200,000 in rounds of 0.08 seconds or more, and fewer in shorter ones.\n"
	"\n"
	"Every engine's data is verified before it is timed; one that fails, or gives a short\n"
	"result, loses that cell of the table. Exit status: 0 when all cells that apply have\n"
	"figures, 1 when some have not or none applies, 2 for a command line that cannot be carried\n"
	"out.\n";

bool bench_options_choose(const char *globs, const char *name)
{
	char glob[64];

	while (*globs) {
		size_t length = strcspn(globs, ",");

		if (length < sizeof(glob)) {
			memcpy(glob, globs, length);
			glob[length] = '\0';
			if (fnmatch(glob, name, 0) == 0)
				return true;
		}
		globs += length;
		globs += *globs == ',';
	}
	return false;
}

static bool parse_count(unsigned *count, unsigned least, unsigned most, const char *option,
			const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*count = (unsigned)value;
	if (*text && !*end && value >= least && value <= most)
		return true;
	fprintf(stderr, "asyncring-bench: --%s takes a number from %u to %u, not '%s'\n", option,
		least, most, text);
	return false;
}

static bool parse_seconds(struct options *options, const char *text)
{
	char *end;

	options->seconds = strtod(text, &end);
	if (*text && !*end && options->seconds >= 0.001 && options->seconds <= 60)
		return true;
	fprintf(stderr, "asyncring-bench: --seconds takes a number from 0.001 to 60, not '%s'\n",
		text);
	return false;
}

static void make_quick(struct options *options)
{
	options->rounds = 5;
	options->seconds = 0.02;
	options->latency_rounds = 1;
	options->curve_rounds = 1;
	options->large_size = UINT64_C(256) << 20;
}

enum { OPTION_TMPFS = 256, OPTION_LATENCY_ROUNDS, OPTION_CURVE_ROUNDS };

static const struct option long_options[] = {
	{"engine", required_argument, NULL, 'e'},
	{"workload", required_argument, NULL, 'w'},
	{"rounds", required_argument, NULL, 'r'},
	{"seconds", required_argument, NULL, 's'},
	{"dir", required_argument, NULL, 'd'},
	{"latency-rounds", required_argument, NULL, OPTION_LATENCY_ROUNDS},
	{"curve-rounds", required_argument, NULL, OPTION_CURVE_ROUNDS},
	{"tmpfs", required_argument, NULL, OPTION_TMPFS},
	{"json", required_argument, NULL, 'j'},
	{"quick", no_argument, NULL, 'q'},
	{"list", no_argument, NULL, 'l'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* Returns false when it has said what is wrong. */
static bool apply(struct options *options, int option, const char *argument)
{
	switch (option) {
	case 'e':
		options->engines = argument;
		return true;
	case 'w':
		options->workloads = argument;
		return true;
	case 'r':
		return parse_count(&options->rounds, 1, ROUNDS_MAX, "rounds", argument);
	case 's':
		return parse_seconds(options, argument);
	case 'd':
		options->directory = argument;
		return true;
	case OPTION_LATENCY_ROUNDS:
		return parse_count(&options->latency_rounds, 0, ROUNDS_MAX, "latency-rounds",
				   argument);
	case OPTION_CURVE_ROUNDS:
		return parse_count(&options->curve_rounds, 0, VALUE_ROUNDS_MAX, "curve-rounds",
				   argument);
	case OPTION_TMPFS:
		options->tmpfs_directory = argument;
		return true;
	case 'j':
		options->json = argument;
		return true;
	case 'q':
		make_quick(options);
		return true;
	case 'l':
		options->list = true;
		return true;
	default: /* getopt_long has said it */
		return false;
	}
}

enum options_outcome bench_options_parse(struct options *options, int argc, char **argv)
{
	const char *letters = "e:w:r:s:d:j:qlh";
	bool good = true;
	int option;

	*options = (struct options){
		.engines = "*",
		.workloads = "*",
		.directory = ".",
		.tmpfs_directory = "/dev/shm",
		.rounds = 13,
		.seconds = 0.08,
		.latency_rounds = 4,
		.curve_rounds = 3,
		.large_size = UINT64_C(1) << 30,
	};
	while (good && (option = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return OPTIONS_HELP;
		}
		good = apply(options, option, optarg);
	}
	if (good && optind < argc) {
		fprintf(stderr, "asyncring-bench: what is '%s'?\n", argv[optind]);
		good = false;
	}
	if (good)
		return OPTIONS_RUN;
	fputs("Try 'asyncring-bench --help'.\n", stderr);
	return OPTIONS_WRONG;
}
