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
	"  -h, --help     this text\n"
	"      --version\n";

static _Noreturn void misused(const char *complaint)
{
	if (complaint)
		fprintf(stderr, "asyncring-run: %s\n", complaint);
	fputs("Try 'asyncring-run --help'.\n", stderr);
	exit(EXIT_OURS);
}

static void parse(int count, char **arguments, struct options *options)
{
	enum { CHECK = 256, VERSION };
	static const struct option known[] = {
		{"force", no_argument, NULL, 'f'},	 {"stats", no_argument, NULL, 's'},
		{"trap-only", no_argument, NULL, 't'},	 {"verbose", no_argument, NULL, 'v'},
		{"check", no_argument, NULL, CHECK},	 {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, VERSION}, {NULL, 0, NULL, 0},
	};
	int option;

	/* + : the program's own options are not ours. */
	while ((option = getopt_long(count, arguments, "+fhstv", known, NULL)) >= 0) {
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
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		case VERSION:
			puts("asyncring-run " ASYNCRING_RUN_VERSION);
			exit(0);
		default:
			misused(NULL); /* getopt has complained */
		}
	}
	options->program = arguments + optind;
	if (options->check && *options->program)
		misused("--check runs no program");
	if (!options->check && !*options->program)
		misused("no program given");
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
	/* By a shell if it says nothing of what it is, as execvp(3) has it for all programs. */
	execvp(path, arguments);
	fprintf(stderr, "asyncring-run: %s: %s\n", path, strerror(errno));
	return errno == ENOENT ? 127 : EXIT_CANNOT_RUN;
}

/* The dynamic linker would take what follows a blank or a colon for another library. */
static bool can_be_preloaded(const char *library)
{
	if (!strpbrk(library, ": \t\n$"))
		return true;
	fprintf(stderr,
		"asyncring-run: %s: LD_PRELOAD cannot name a path with blanks, colons or '$': it "
		"has to be installed elsewhere\n",
		library);
	return false;
}

/* The kernel, or another asyncring-run that has started this one. */
static void say_who_serves(const struct options *options)
{
	if (options->verbose)
		fputs(getenv(SETTINGS_VARIABLE)
			      ? "asyncring-run: already served in user space, by another asyncring-run\n"
			      : "asyncring-run: io_uring works here: the kernel serves\n",
		      stderr);
	if (options->stats && !getenv(SETTINGS_VARIABLE))
		fputs("asyncring-run: the kernel serves, so there is nothing to count (--force "
		      "serves here)\n",
		      stderr);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	char library[PATH_MAX], program[PATH_MAX];
	int kernel, error;
	bool uncaught;

	parse(argc, argv, &options);
	if (!find_library(library)) {
		fprintf(stderr,
			"asyncring-run: %s is neither beside asyncring-run nor in ../%s: the "
			"command cannot be moved alone\n",
			PRELOAD_LIBRARY, ASYNCRING_RUN_LIBDIR);
		return EXIT_OURS;
	}
	if (options.check)
		return can_be_preloaded(library) ? check_print(library) : EXIT_OURS;
	kernel = options.force ? -EPERM : check_kernel();
	if (!kernel) {
		say_who_serves(&options);
		execvp(*options.program, options.program);
		fprintf(stderr, "asyncring-run: %s: %s\n", *options.program, strerror(errno));
		return errno == ENOENT ? 127 : EXIT_CANNOT_RUN;
	}
	if (options.verbose && !options.force)
		fprintf(stderr, "asyncring-run: io_uring does not work here: %s\n",
			kernel > 0 ? "a filter kills for it" : strerror(-kernel));
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
		fputs("asyncring-run: served in user space\n", stderr);
	return execute(program, options.program);
}
