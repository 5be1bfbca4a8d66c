/* SPDX-License-Identifier: MIT */
/*
 * arhttpd: what its parts know of each other. There is one thread, so nothing here is guarded.
 *
 *	arhttpd.c             the command line, signals, the main loop, the end
 *	arhttpd_ring.c        the ring, and what is registered with it
 *	arhttpd_accept.c      listeners, and how many connections there may be
 *	arhttpd_connection.c  one connection from accept to close: what it receives, when it ends
 *	arhttpd_deadline.c    what takes too long
 *	arhttpd_request.c     the head of a request (arhttpd_request.h; a parser and nothing else)
 *	arhttpd_condition.c   dates, entity tags and ranges (likewise)
 *	arhttpd_response.c    from the request to the head of its answer: open, look, decide
 *	arhttpd_body.c        the bytes of a file on their way out
 *	arhttpd_type.c        what a file is, by its name
 */
#ifndef EXAMPLES_ARHTTPD_H
#define EXAMPLES_ARHTTPD_H

#include "arhttpd_request.h"
#include "loop.h"

#include <sys/stat.h>

/* ---- arhttpd_ring.c ---- */

/* Sets the ring up, with room for FILES direct descriptors. 0 or a negative errno. */
int ring_open(unsigned files);
/* COUNT requests may now be prepared that will be submitted together, as links have to be. */
void ring_make_room(unsigned count);
/* Has the request take a provided buffer. */
void ring_select_buffer(struct asyncring_sqe *sqe);
/* The provided buffer that a completion with FLAGS is about, until it is given back. */
const char *ring_buffer(unsigned flags);
void ring_give_back(unsigned flags);
/*
 * Submits what was prepared and handles all completions that are there; waits if there are none.
 * 0 or a negative errno, after which the ring is of no more use.
 */
int ring_turn(void);
void ring_close(void);

/* A registered buffer for a piece of a response: the head goes in front of the body. */
enum { CHUNK_HEAD = 4096, CHUNK_BODY = 64 * 1024 };
struct chunk {
	struct chunk *next;
	char *body; /* CHUNK_BODY bytes, with CHUNK_HEAD more in front of it */
};
/* NULL if all are in use: somebody will put one back. */
struct chunk *chunk_take(void);
void chunk_put(struct chunk *chunk);
/* Reads from a file into a chunk's body. */
void chunk_prepare_read(struct asyncring_sqe *sqe, const struct chunk *chunk, int fd,
			unsigned length, int64_t offset);

/* ---- what was said on the command line, and what has been served ---- */

extern struct options {
	bool verbose; /* a line for each request */
	unsigned connections;
	unsigned header_seconds; /* for a request to come whole */
	unsigned idle_seconds;	 /* between requests */
	unsigned stall_seconds;	 /* with not a byte taken by the client */
	unsigned grace_seconds;	 /* for what is under way when the server ends */
} options;

extern int root;      /* the directory that is served, open with O_PATH */
extern bool stopping; /* no more requests after those that are under way */

extern struct totals {
	unsigned long connections, requests;
} totals;

/* ---- connections ---- */

enum deadline_kind { DEADLINE_HEADER, DEADLINE_IDLE, DEADLINE_STALL, DEADLINE_LINGER, DEADLINES };

struct link {
	struct link *previous, *next; /* itself, if it is in no list */
};

enum stage {
	STAGE_REQUEST,	/* waits for a request, or the rest of it */
	STAGE_RESPONSE, /* has one, and answers it; what comes meanwhile is kept */
	STAGE_LINGER,	/* has said all; what comes is thrown away until the client closes */
	STAGE_CLOSING,	/* as soon as nothing is in flight any more */
};

/* The longest is a redirection: a location, a query and a page besides what all have. */
enum { RESPONSE_HEAD_MAX = 1536, LOCATION_MAX = 512 };

struct connection {
	struct pending receiving; /* one request that stays, as long as it is wanted */
	struct pending stepping;  /* the one step that the response is at */
	struct pending reading;	  /* the read that the step is linked to */
	struct link all;	  /* in the list of connections */
	struct link timed;	  /* in the list of those with the same kind of deadline */
	uint64_t timed_since;	  /* in milliseconds */
	enum stage stage;
	unsigned slot;	   /* its direct descriptor */
	unsigned inflight; /* requests that will complete */
	bool armed;	   /* receiving is in flight */
	bool paused;	   /* and is to stop, for too much has come */
	bool ended;	   /* the client sends no more */
	bool served;	   /* has had an answer before */

	/* What has come and was not looked at yet: input[input_at..input_end). */
	char *input;
	size_t input_at, input_end, input_size;

	struct request request;

	/* The response. */
	int status;
	int fd; /* the file, or -1 */
	struct stat file_status;
	char head[RESPONSE_HEAD_MAX];
	unsigned head_length, head_sent;
	int64_t offset, left;		/* of the body, in the file */
	int64_t length;			/* and all of it, for the log */
	struct chunk *chunk;		/* while a piece is under way */
	unsigned piece;			/* bytes that the step sends */
	struct connection *next_hungry; /* waits for a chunk */
	bool waits_for_file;		/* found no descriptor left */
	struct connection *next_waiting;
};

/* arhttpd_accept.c */
enum { LISTENERS_MAX = 16 };
/* Listens at SPEC (see listener.h) from now on. 0 or a negative errno. */
int accept_add(const char *spec);
/* Where: for the user. NULL behind the last one. */
const char *accept_name(unsigned index);
/* Accepts as many as there may be; to be called when there are fewer, and now and then. */
void accept_more(void);
/* Accepts no more, and lets nobody wait for it. */
void accept_stop(void);
void accept_close(void);

/* arhttpd_connection.c */
unsigned connection_count(void);
/* The connection in SLOT is served from now on. */
void connection_open(unsigned slot);
/* Called by those who complete a step: true if the connection goes on. */
bool connection_step_ended(struct connection *connection);
/* The response is out: now the next request, or the end. */
void connection_answered(struct connection *connection);
/* Ends it, in the middle of whatever it is doing: nothing may be done with it after this. */
void connection_close(struct connection *connection);
/* It has passed its deadline. */
void connection_expired(struct connection *connection, enum deadline_kind kind);
/* Ends those between two requests; or all of them. */
void connection_end_idle(void);
void connection_end_all(void);

/* arhttpd_deadline.c */
void deadline_open(void);
void deadline_set(struct connection *connection, enum deadline_kind kind);
void deadline_clear(struct connection *connection);
/* Calls connection_expired() for all that have passed theirs. */
void deadline_look(void);
uint64_t now_milliseconds(void);

/* arhttpd_response.c */
/* 0, or why nothing can be opened below the root: Linux before 5.6, and some sandboxes, cannot. */
int response_possible(void);
/* Answers connection->request. */
void response_begin(struct connection *connection);
/* One of the files that were opened here is on its way to be closed: another may be opened. */
void response_file_closed(void);
/* It does not wait for a descriptor any more. */
void response_wait_no_more(struct connection *connection);
/* Answers that it cannot be, with an HTTP status; PERSISTENT: and goes on with the next one. */
void response_refuse(struct connection *connection, int status, bool persistent);

/* arhttpd_body.c */
/* Sends the head, and behind it what connection->offset and left say of its file. */
void body_send(struct connection *connection);
/* Sends the head alone. */
void body_send_head(struct connection *connection);
/* Lets go of the file. */
void body_close_file(struct connection *connection);

/* arhttpd_type.c */
const char *content_type(const char *path);

/* ---- lists ---- */
static inline void link_clear(struct link *link)
{
	link->previous = link->next = link;
}

static inline void link_remove(struct link *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	link_clear(link);
}

static inline void link_append(struct link *list, struct link *link)
{
	link->previous = list->previous;
	link->next = list;
	list->previous->next = link;
	list->previous = link;
}

#endif
