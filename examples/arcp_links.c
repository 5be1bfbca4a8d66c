/* SPDX-License-Identifier: MIT */
/*
 * arcp_links: files that have several names are copied once; the other names become hard links of
 * the copy. The first name met is the owner and gets copied. Names met meanwhile wait, for if the
 * copy fails (it may be that just this name vanished), the next of them is tried.
 */
#include "arcp.h"

#include "report.h"

#include <search.h>
#include <stdlib.h>

struct link {
	dev_t device;
	ino_t inode;
	char *copy;	     /* the target that was copied, once it is complete */
	struct job *owner;   /* who is copying it */
	struct job *waiting; /* who waits for the owner */
};

static void *links; /* a tsearch(3) tree */

static int compare(const void *left, const void *right)
{
	const struct link *a = left, *b = right;

	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return (a->inode > b->inode) - (a->inode < b->inode);
}

/* The entry of the job's file, made if there is none yet. */
static struct link *find(const struct job *job)
{
	struct link wanted = {
		.device = job->attributes.st_dev,
		.inode = job->attributes.st_ino,
	};
	struct link **found = tfind(&wanted, &links, compare);
	struct link *made;

	if (found)
		return *found;
	made = allocate(sizeof(*made));
	*made = wanted;
	if (!tsearch(made, &links, compare))
		abort();
	return made;
}

bool links_claim(struct job *job)
{
	struct link *link = find(job);

	job->link = link;
	if (link->copy) {
		job->original = link->copy;
	} else if (link->owner && link->owner != job) {
		job->next = link->waiting;
		link->waiting = job;
		return false;
	} else {
		link->owner = job;
	}
	return true;
}

void links_settle(struct job *job)
{
	struct link *link = job->link;
	struct job *waiting;

	if (!link || link->owner != job)
		return;
	link->owner = NULL;
	if (!job->failed)
		link->copy = copy_string(job->target);
	while ((waiting = link->waiting)) {
		link->waiting = waiting->next;
		job_again(waiting);
	}
}
