/* SPDX-License-Identifier: MIT */
/*
 * arcp_walk: the directories under way. One directory at a time is listed and its entries become
 * jobs, one whenever there is room for another; subdirectories wait in a list until they have been
 * made at the target. A directory is finished, that is given its mode and times, when all that
 * is in it is done: before that each new entry would change its time, and its mode might forbid
 * to make one.
 */
#include "arcp.h"

#include "listing.h"
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

static struct directory *unlisted; /* the latest first, which bounds how many there are */
static struct {
	struct directory *directory; /* NULL if none is open */
	struct listing listing;
	size_t next;
} current;

struct directory *directory_new(struct directory *parent, const char *source, const char *target)
{
	struct directory *directory = allocate(sizeof(*directory));

	*directory = (struct directory){
		.parent = parent,
		.source = source ? copy_string(source) : NULL,
		.target = copy_string(target),
		.references = 1,
	};
	if (parent)
		parent->references++;
	return directory;
}

/* Climbs as far as the reference was the last one; a loop, since trees may be deep. */
void directory_put(struct directory *directory)
{
	while (directory && --directory->references == 0) {
		struct directory *parent = directory->parent;

		if (directory->source)
			attributes_apply(
				&directory->attributes, (struct place){-1, directory->source},
				(struct place){-1, directory->target}, directory->inherited_acl);
		free(directory->source);
		free(directory->target);
		free(directory);
		directory = parent;
	}
}

void walk_add(struct directory *directory)
{
	directory->next = unlisted;
	unlisted = directory;
}

/* Lists the next directory. False if there is none or no descriptor to read it with just now. */
static bool list_next(void)
{
	struct directory *directory;
	int error;

	while ((directory = unlisted)) {
		error = listing_read(&current.listing, directory->source);
		if ((error == -EMFILE || error == -ENFILE) && loop_outstanding() > 0)
			return false;
		unlisted = directory->next;
		if (!error) {
			current.directory = directory;
			current.next = 0;
			return true;
		}
		complain(error, "cannot access %s", directory->source, NULL);
		directory_put(directory);
	}
	return false;
}

static void close_current(void)
{
	struct directory *directory = current.directory;

	listing_free(&current.listing);
	current.directory = NULL;
	directory_put(directory);
}

struct job *walk_next(void)
{
	const struct entry *entry;

	while (current.directory && current.next == current.listing.count)
		close_current();
	while (!current.directory) {
		if (!list_next())
			return NULL;
		if (current.listing.count == 0)
			close_current();
	}
	entry = &current.listing.entries[current.next++];
	return job_new(current.directory, join_path(current.directory->source, entry->name),
		       join_path(current.directory->target, entry->name), entry->type);
}

void walk_abandon(void)
{
	struct directory *directory;

	if (current.directory)
		close_current();
	while ((directory = unlisted)) {
		unlisted = directory->next;
		directory_put(directory);
	}
}
