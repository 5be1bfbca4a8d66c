/* SPDX-License-Identifier: MIT */
/*
 * arcp: what its parts know of each other. There is one thread, so nothing here is guarded.
 *
 *	arcp.c             the command line, the main loop, interruption, the exit status
 *	arcp_arguments.c   where each command-line source goes, and what is refused from the start
 *	arcp_walk.c        the directories under way, and which entry is copied next
 *	arcp_job.c         one entry from its first request to its last
 *	arcp_target.c      what is made at the target, and what may be in the way
 *	arcp_data.c        the bytes of a regular file: chunks, holes, comparison
 *	arcp_links.c       names of one file (hard links)
 *	arcp_attributes.c  owner, mode, times, extended attributes
 *	arcp_survey.c      how much there is to copy, for the progress bar
 */
#ifndef EXAMPLES_ARCP_H
#define EXAMPLES_ARCP_H

#include "loop.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#ifndef STATX_BASIC_STATS /* a C library from before statx(2) */
#include <linux/stat.h>
#endif

struct link;

struct options {
	bool verbose;
	bool verify;
	bool progress;
	unsigned jobs; /* how many entries may be in flight */
	uid_t user;    /* whose files those are that we make */
	gid_t group;
};

/* A directory that is being copied. It lives until everything in it is done. */
struct directory {
	struct directory *parent; /* NULL for where the command-line sources go */
	char *source;		  /* NULL there, too: such a directory is not ours to finish */
	char *target;
	struct stat attributes; /* of the source, applied when the last reference goes */
	unsigned references;	/* one for its listing, one for each child under way */
	bool inherited_acl;	/* its target may have an ACL that is not the source's */
	bool default_acl;	/* and so may what is created in it */
	struct directory *next; /* in the list of directories yet to be listed */
};

/* How the bytes of a regular file are under way: 0 <= cursor <= end. */
struct transfer {
	off_t cursor;	 /* chunks have been handed out up to here */
	off_t data_end;	 /* where the data around the cursor end and a hole begins */
	off_t end;	 /* where the file ends; OFF_MAX as long as nobody knows */
	unsigned chunks; /* in flight */
	bool sparse;	 /* there may be holes, so ask */
	bool verifying;	 /* the second round: both sides are read and compared */
};

/* One directory entry on its way from source to target. */
struct job {
	struct pending pending;
	struct pending source_closing; /* the two files are closed at the same time */
	struct job *next;	       /* in the one queue that it waits in, if any */
	struct directory *directory;   /* holds a reference to it */
	char *source;
	char *target;
	char *symlink;		/* what a symbolic link says */
	struct link *link;	/* the other names of this file, NULL if it has but one */
	const char *original;	/* the copy of another name, of which the target becomes a link */
	struct stat attributes; /* of the source */
	struct statx statx;	/* while a request fills it in */
	struct transfer transfer;
	int source_fd; /* or -1 */
	int target_fd;
	unsigned closing;   /* descriptors on their way out */
	unsigned char type; /* DT_REG ... as the directory said; DT_UNKNOWN at first */
	bool overwrites;    /* the target was there before and stays if the copy fails */
	bool failed;
};

#define OFF_MAX ((off_t)INT64_MAX)

extern struct options options;
extern volatile sig_atomic_t interrupted;

/* What main tells at the end. */
extern struct totals {
	unsigned long done;	/* entries copied */
	unsigned long removed;	/* unfinished copies taken away again */
	unsigned long problems; /* messages that make the exit status 1 */
} totals;

/* Reports and remembers that the exit status will be 1. Arguments as report(). */
void complain(int error, const char *format, const char *first, const char *second);

/*
 * arcp_arguments.c: makes a job of each of the COUNT sources, or complains about it. The jobs come
 * back as a list.
 */
struct job *arguments_resolve(char **sources, int count, const char *destination);

/* arcp_walk.c */
struct directory *directory_new(struct directory *parent, const char *source, const char *target);
void directory_put(struct directory *directory);
/* Hands over the caller's reference: the directory's target is there, its entries come next. */
void walk_add(struct directory *directory);
/* The next entry to copy, or NULL if there is none at the moment. */
struct job *walk_next(void);
/* Forgets what has not begun. */
void walk_abandon(void);

/* arcp_job.c */
struct job *job_new(struct directory *directory, char *source, char *target, unsigned char type);
/*
 * Begins the next job, if there is one and fewer than LIMIT are active: first those that were put
 * off, then *LIST, then what the walk finds. False if there was nothing to begin.
 */
bool job_start_next(struct job **list, unsigned limit);
/* Takes back all that job_start_next() would begin. */
void job_abandon_all(struct job **list);
/* Puts a job off: it begins anew when its turn comes. */
void job_again(struct job *job);
/*
 * True if the job's request failed with RESULT for want of a descriptor while others have some that
 * they will give back: then it has been put off until its turn comes again.
 */
bool job_wait_for_descriptors(struct job *job, int result);
/* arcp_data.c is through with the file; job->failed says how it went. */
void job_data_done(struct job *job);
/* Ends the job, the latter with a complaint. */
void job_finish(struct job *job);
void job_fail(struct job *job, int error, const char *format, const char *first,
	      const char *second);

/* arcp_target.c: makes the target and goes on with the job. */
void target_create(struct job *job);

/* arcp_data.c */
/* Gets the buffers for so many jobs at a time; 0 or a negative errno. */
int data_open(unsigned jobs);
void data_start(struct job *job);
void data_close(void);

/* arcp_links.c */
/*
 * For a file of several names, says whether to go on with this one: true with job->original set if
 * it has been copied under another name and only a link is due, true without if this is the one to
 * copy, false if another is being copied right now: then the job begins anew once that is over.
 */
bool links_claim(struct job *job);
/* The job is over: those that wait for it go on. */
void links_settle(struct job *job);

/* arcp_attributes.c: a file by its descriptor, or by its path where FD is -1. */
struct place {
	int fd;
	const char *path;
};
/*
 * Gives the target the source's owner, extended attributes, mode and times. INHERITED says that the
 * target may have an ACL from elsewhere, to be removed. False if something was missed and
 * complained about.
 */
bool attributes_apply(const struct stat *attributes, struct place source, struct place target,
		      bool inherited);
bool attributes_default_acl(const char *directory);

/* arcp_survey.c: adds up what the jobs have before them. */
void survey(const struct job *jobs, unsigned long *files, unsigned long long *bytes);

#endif
