/* SPDX-License-Identifier: MIT */
/*
 * arcp_survey: how many files and bytes there are to copy, for a progress bar that knows how much
 * is left. All entries of a directory are asked about at once, up to as many as there are slots.
 * What cannot be examined is left out: the copy will complain about it.
 */
#include "arcp.h"

#include "listing.h"
#include "progress.h"
#include "report.h"

#include <dirent.h>
#include <stdlib.h>

#define SLOTS 64

/* One question in flight. */
struct question {
	struct pending pending;
	struct statx statx;
	char *path;
	struct question *next; /* free ones */
};

/* A directory that has not been read yet. */
struct place_to_visit {
	char *path;
	struct place_to_visit *next;
};

static struct place_to_visit *unvisited;
static struct question *free_questions;
static unsigned long files;
static unsigned long long bytes;

static void visit_later(char *path)
{
	struct place_to_visit *place = allocate(sizeof(*place));

	*place = (struct place_to_visit){.path = path, .next = unvisited};
	unvisited = place;
}

static void answered(struct pending *pending, int result)
{
	struct question *question = container_of(pending, struct question, pending);
	const struct statx *found = &question->statx;
	unsigned long long stored = found->stx_blocks * 512ULL;

	if (result == 0 && S_ISDIR(found->stx_mode)) {
		visit_later(question->path);
	} else {
		if (result == 0)
			files++;
		if (result == 0 && S_ISREG(found->stx_mode)) /* holes are not copied */
			bytes += stored < found->stx_size ? stored : found->stx_size;
		free(question->path);
	}
	question->next = free_questions;
	free_questions = question;
}

/* Asks what PATH, which is now ours, is. */
static void ask(char *path)
{
	struct question *question;
	struct asyncring_sqe *sqe;

	while (!free_questions)
		if (loop_run(NULL) < 0)
			exit(EXIT_FAILURE);
	question = free_questions;
	free_questions = question->next;
	question->path = path;
	sqe = loop_request();
	asyncring_prep_statx(sqe, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
			     &question->statx);
	loop_expect(sqe, &question->pending, answered);
}

static void visit(const char *path)
{
	struct listing listing;

	if (listing_read(&listing, path) < 0)
		return;
	for (size_t i = 0; i < listing.count && !interrupted; i++) {
		const struct entry *entry = &listing.entries[i];
		char *child = join_path(path, entry->name);

		if (entry->type == DT_DIR)
			visit_later(child);
		else
			ask(child);
	}
	listing_free(&listing);
	progress_counting(files);
}

void survey(const struct job *jobs, unsigned long *files_found, unsigned long long *bytes_found)
{
	static struct question questions[SLOTS];

	for (size_t i = 0; i < SLOTS; i++) {
		questions[i].next = free_questions;
		free_questions = &questions[i];
	}
	for (; jobs; jobs = jobs->next)
		ask(copy_string(jobs->source));
	while (!interrupted && (unvisited || loop_outstanding() > 0)) {
		struct place_to_visit *place = unvisited;

		if (!place) {
			if (loop_run(NULL) < 0)
				exit(EXIT_FAILURE);
			continue;
		}
		unvisited = place->next;
		visit(place->path);
		free(place->path);
		free(place);
	}
	while (loop_outstanding() > 0)
		if (loop_run(NULL) < 0)
			exit(EXIT_FAILURE);
	*files_found = files;
	*bytes_found = bytes;
}
