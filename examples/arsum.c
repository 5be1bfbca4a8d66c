/* SPDX-License-Identifier: MIT */
/*
 * arsum: checksums of files and of all regular files in directory trees, sorted by path. With
 * "-a sha256" the output is what sha256sum(1) would write for the same paths.
 */
#include "arsum.h"

#include "listing.h"
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool failed;	  /* something could not be read */
static size_t mismatches; /* when checking */
static size_t unreadable;

struct sum *sums_add(struct sums *sums, char *path, enum algorithm algorithm)
{
	struct sum *sum;

	if (sums->count == sums->capacity) {
		size_t capacity = sums->capacity ? sums->capacity * 2 : 256;
		struct sum *moved = reallocarray(sums->list, capacity, sizeof(*moved));

		if (!moved) {
			report(-ENOMEM, "too many files", NULL, NULL);
			exit(EXIT_FAILURE);
		}
		sums->list = moved;
		sums->capacity = capacity;
	}
	sum = &sums->list[sums->count++];
	*sum = (struct sum){.path = path, .algorithm = algorithm};
	return sum;
}

static void sums_free(struct sums *sums)
{
	for (size_t i = 0; i < sums->count; i++)
		free(sums->list[i].path);
	free(sums->list);
	*sums = (struct sums){0};
}

static void complain(int error, const char *path)
{
	report(error, "%s", path, NULL);
	failed = true;
}

static unsigned char type_of(const char *path, unsigned char known)
{
	struct stat attributes;

	if (known != DT_UNKNOWN || lstat(path, &attributes) < 0)
		return known;
	return IFTODT(attributes.st_mode);
}

/*
 * Adds all regular files below the directory PATH, which is freed. What is yet to be visited is
 * kept in a list rather than on the stack: trees may be deep.
 */
static void add_tree(struct sums *sums, char *path, enum algorithm algorithm)
{
	struct sums left = {0};
	struct listing listing;
	int error;

	sums_add(&left, path, algorithm);
	while (left.count > 0) {
		path = left.list[--left.count].path;
		error = listing_read(&listing, path);
		if (error)
			complain(error, path);
		for (size_t i = 0; !error && i < listing.count; i++) {
			char *child = join_path(path, listing.entries[i].name);
			unsigned char type = type_of(child, listing.entries[i].type);

			if (type == DT_DIR)
				sums_add(&left, child, algorithm);
			else if (type == DT_REG)
				sums_add(sums, child, algorithm);
			else
				free(child);
		}
		listing_free(&listing);
		free(path);
	}
	free(left.list);
}

static int by_path(const void *left, const void *right)
{
	return strcmp(((const struct sum *)left)->path, ((const struct sum *)right)->path);
}

static void print_sum(const struct sum *sum)
{
	bool escaped;
	char *path;

	if (sum->error) {
		complain(sum->error, sum->path);
		return;
	}
	path = escape_path(sum->path, &escaped);
	printf("%s%s  %s\n", escaped ? "\\" : "", sum->text, path);
	free(path);
}

static void print_verdict(const struct sum *sum)
{
	bool escaped, equal = strcmp(sum->text, sum->expected) == 0;
	char *path = escape_path(sum->path, &escaped);

	if (sum->error) {
		complain(sum->error, sum->path);
		unreadable++;
	} else if (!equal) {
		mismatches++;
	}
	printf("%s%s: %s\n", escaped ? "\\" : "", path,
	       sum->error ? "FAILED open or read"
	       : equal	  ? "OK"
			  : "FAILED");
	free(path);
}

static void warn_of(size_t count, const char *one, const char *many)
{
	if (count)
		fprintf(stderr, "arsum: WARNING: %zu %s\n", count, count == 1 ? one : many);
}

/* Checks what was listed and says what came of it. */
static void check_all(struct sums *sums, size_t bad_lines)
{
	int error = sums_compute(sums, print_verdict);

	if (error) {
		report(error, "cannot set up the ring", NULL, NULL);
		failed = true;
		return;
	}
	warn_of(bad_lines, "line is improperly formatted", "lines are improperly formatted");
	warn_of(unreadable, "listed file could not be read", "listed files could not be read");
	warn_of(mismatches, "computed checksum did NOT match", "computed checksums did NOT match");
}

static int check(const char *path, enum algorithm algorithm)
{
	struct sums sums = {0};
	size_t bad_lines = 0;
	int error = sums_load(&sums, path, algorithm, &bad_lines);

	if (error)
		complain(error, path);
	else if (sums.count > 0)
		check_all(&sums, bad_lines);
	else
		report(0, "%s: no properly formatted checksum lines found", path, NULL);
	failed |= sums.count == 0 || mismatches > 0;
	sums_free(&sums);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int compute(char **paths, int count, enum algorithm algorithm)
{
	struct sums sums = {0};
	struct stat attributes;
	int error;

	for (int i = 0; i < count; i++) {
		/* A link on the command line is followed, links in a tree are not. */
		if (stat(paths[i], &attributes) < 0)
			complain(-errno, paths[i]);
		else if (S_ISDIR(attributes.st_mode))
			add_tree(&sums, copy_string(paths[i]), algorithm);
		else
			sums_add(&sums, copy_string(paths[i]), algorithm);
	}
	if (sums.count > 0) {
		qsort(sums.list, sums.count, sizeof(struct sum), by_path);
		error = sums_compute(&sums, print_sum);
		if (error) {
			report(error, "cannot set up the ring", NULL, NULL);
			failed = true;
		}
	}
	sums_free(&sums);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void usage(FILE *stream)
{
	fputs("Usage: arsum [-a xxh128|sha256] PATH...\n"
	      "       arsum [-a xxh128|sha256] -c FILE\n"
	      "Prints the checksums of files and of all regular files in directories, or checks\n"
	      "those that FILE (-: standard input) lists.\n\n"
	      "  -a, --algorithm=NAME  xxh128 (default) or sha256, as sha256sum prints it\n"
	      "  -c, --check=FILE      read checksums from FILE and check them\n"
	      "  -h, --help            show this text\n",
	      stream);
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"algorithm", required_argument, NULL, 'a'},
		{"check", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	enum algorithm algorithm = ALGORITHMS; /* none chosen */
	const char *list = NULL;
	int option, status;

	setlocale(LC_CTYPE, "");
	report_open("arsum", NULL);
	while ((option = getopt_long(argc, argv, "a:c:h", known, NULL)) != -1) {
		if (option == 'a') {
			algorithm = algorithm_named(optarg);
			if (algorithm == ALGORITHMS) {
				report(0, "unknown algorithm %s", optarg, NULL);
				return EXIT_FAILURE;
			}
		} else if (option == 'c') {
			list = optarg;
		} else {
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? EXIT_SUCCESS : EXIT_FAILURE;
		}
	}
	if ((list != NULL) == (optind < argc)) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	if (list)
		status = check(list, algorithm);
	else
		status = compute(argv + optind, argc - optind,
				 algorithm == ALGORITHMS ? XXH128 : algorithm);
	if (fflush(stdout) != 0) {
		report(-errno, "write error", NULL, NULL);
		return EXIT_FAILURE;
	}
	return status;
}
