/* SPDX-License-Identifier: MIT */
/*
 * asyncring-run: run a program that uses io_uring where io_uring cannot be had. Where the kernel
 * serves it the program is simply executed; otherwise, or with --force, with libasyncring-run.so
 * loaded into it. docs/asyncring-run.1 is its manual.
 */
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings.h"

enum { EXIT_OURS = 125, EXIT_CANNOT_RUN = 126 };

struct options {
	bool force, stats, trap_only, verbose, check;
	char **program; /* and its arguments */
};

static const char usage_text[] =
	"usage: asyncring-run [-fstv] [--] PROGRAM [ARGUMENT...]\n"
	"       asyncring-run --check\n"
	"\n"
	"Runs a program that uses io_uring also where io_uring is forbidden or missing.\n"
	"\n"
	"  -f, --force    serve it in user space even if the kernel would\n"
	"  -s, --stats    say at the end of each process what was served\n"
	"  -t, --trap-only\n"
	"                 change no instruction of the program, slow as that may be\n"
	"  -v, --verbose  say whether the kernel or this program serves\n"
	"      --check    say what blocks io_uring here, and what would be served\n"
	"      --help     this text\n"
	"      --version\n";

static void parse(int count, char **arguments, struct options *options)
{
	enum { CHECK = 256, HELP, VERSION };
	static const struct option known[] = {
		{"force", no_argument, NULL, 'f'},	 {"stats", no_argument, NULL, 's'},
		{"trap-only", no_argument, NULL, 't'},	 {"verbose", no_argument, NULL, 'v'},
		{"check", no_argument, NULL, CHECK},	 {"help", no_argument, NULL, HELP},
		{"version", no_argument, NULL, VERSION}, {NULL, 0, NULL, 0},
	};
	int option;

	/* + : the program's own options are not ours. */
	while ((option = getopt_long(count, arguments, "+fstv", known, NULL)) >= 0) {
		switch (option) {
		case 'f':
			options->force = true;
			break;
		case 's':
			options->stats = true;
			break;
		case 't':
			options->trap_only = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case CHECK:
			options->check = true;
			break;
		case HELP:
			fputs(usage_text, stdout);
			exit(0);
		case VERSION:
			puts("asyncring-run " ASYNCRING_RUN_VERSION);
			exit(0);
		default:
			fputs(usage_text, stderr);
			exit(EXIT_OURS);
		}
	}
	options->program = arguments + optind;
	if (!options->check && !*options->program) {
		fputs(usage_text, stderr);
		exit(EXIT_OURS);
	}
}

/* The library lies beside this program, where it was built, or where it was installed. */
static bool find_library(char path[PATH_MAX])
{
	static const char *const places[] = {"", "../" ASYNCRING_RUN_LIBDIR "/"};
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length <= 0)
		return false;
	self[length] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return false;
	slash[1] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char candidate[2 * PATH_MAX];

		snprintf(candidate, sizeof(candidate), "%s%s%s", self, places[i], PRELOAD_LIBRARY);
		if (realpath(candidate, path) && !access(path, R_OK))
			return true;
	}
	return false;
}

/* False: out of memory. */
static bool set_environment(const struct options *options, const char *library, bool uncaught)
{
	const char *others = getenv("LD_PRELOAD");
	char *preload, settings[64];
	bool set;

	snprintf(settings, sizeof(settings), "%s,%s,%s", options->stats ? SETTING_STATS : "",
		 options->trap_only ? SETTING_TRAP_ONLY : "", uncaught ? SETTING_UNCAUGHT : "");

	if (asprintf(&preload, "%s%s%s", library, others && *others ? ":" : "",
		     others ? others : "") < 0)
		return false;
	set = !setenv("LD_PRELOAD", preload, 1) && !setenv(SETTINGS_VARIABLE, settings, 1);
	free(preload);
	return set;
}

static int execute(const char *path, char **arguments)
{
	execv(path, arguments);
	fprintf(stderr, "asyncring-run: %s: %s\n", path, strerror(errno));
	return errno == ENOENT ? 127 : EXIT_CANNOT_RUN;
}

/* The dynamic linker would take what follows a blank or a colon for another library. */
static bool can_be_preloaded(const char *library)
{
	if (!strpbrk(library, ": \t\n$"))
		return true;
	fprintf(stderr, "asyncring-run: %s: LD_PRELOAD cannot name such a path\n", library);
	return false;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	char library[PATH_MAX], program[PATH_MAX];
	int kernel, error;
	bool uncaught;

	parse(argc, argv, &options);
	if (!find_library(library)) {
		fprintf(stderr, "asyncring-run: %s is neither here nor installed\n",
			PRELOAD_LIBRARY);
		return EXIT_OURS;
	}
	if (options.check)
		return check_print(library);
	kernel = options.force ? -EPERM : check_kernel();
	if (!kernel) {
		if (options.verbose)
			fputs("asyncring-run: io_uring works here: the kernel serves\n", stderr);
		execvp(*options.program, options.program);
		fprintf(stderr, "asyncring-run: %s: %s\n", *options.program, strerror(errno));
		return errno == ENOENT ? 127 : EXIT_CANNOT_RUN;
	}
	error = program_find(*options.program, program);
	if (error)
		return error;
	if (!can_be_preloaded(library))
		return EXIT_OURS;
	uncaught = !check_catch();
	if (uncaught)
		fputs("asyncring-run: io_uring calls that programs make with instructions of their "
		      "own cannot be\ncaught here, only those through liburing's functions or "
		      "syscall()\n",
		      stderr);
	if (!set_environment(&options, library, uncaught)) {
		fputs("asyncring-run: out of memory\n", stderr);
		return EXIT_OURS;
	}
	if (options.verbose)
		fprintf(stderr, "asyncring-run: served in user space (%s)\n",
			options.force ? "as asked for" : strerror(-kernel));
	return execute(program, options.program);
}
