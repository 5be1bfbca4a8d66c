/* SPDX-License-Identifier: MIT */
/*
 * What HTTP/1.1 (RFC 9110, RFC 9112) has to say to a server of files: the head of a request, dates,
 * entity tags and ranges. Functions of their arguments alone: no I/O, no state, no allocation, and
 * they read nothing beyond the length they are given.
 */
#ifndef EXAMPLES_ARHTTPD_REQUEST_H
#define EXAMPLES_ARHTTPD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
	REQUEST_HEAD_MAX = 8192,   /* bytes of request line and fields */
	REQUEST_TARGET_MAX = 2048, /* of what the client wants, as it writes it */
	REQUEST_PATH_MAX = 1024,   /* and decoded, with the 0 at the end */
	REQUEST_PATH_ROOM = 16,	   /* behind it, for the name of an index */
	REQUEST_FIELDS_MAX = 100,
	REQUEST_QUERY_MAX = 256,     /* longer ones are not kept */
	REQUEST_VALIDATOR_MAX = 256, /* nor are longer lists of entity tags */
	HTTP_DATE_SIZE = 30,
};

/* One range of bytes, as it was asked for. */
struct request_range {
	bool given;
	int64_t first; /* -1: the LAST bytes of the file */
	int64_t last;  /* -1: up to the end */
};

struct request {
	bool head; /* HEAD rather than GET */
	bool persistent;
	bool old; /* HTTP/1.0, whose clients must be told that a connection persists */

	/*
	 * Below the root: without a slash in front or at the end, without empty segments, "." and
	 * "..", without NUL; "" is the root itself. DIRECTORY: there was a slash at the end.
	 */
	char path[REQUEST_PATH_MAX + REQUEST_PATH_ROOM];
	bool directory;
	char query[REQUEST_QUERY_MAX]; /* with the question mark; "" if there is none */

	struct request_range range;
	time_t if_modified_since;		   /* -1: not given */
	char if_none_match[REQUEST_VALIDATOR_MAX]; /* "": not given */
	char if_range[REQUEST_VALIDATOR_MAX];
};

/*
 * Parses the head of a request from LENGTH bytes at TEXT. How many bytes it takes; 0 if its end is
 * still to come; or, negative, the status of the answer to a request that is not served. After that
 * nothing is known of where the next one begins.
 */
int request_parse(struct request *request, const char *text, size_t length);

/* TIME as in "Sun, 06 Nov 1994 08:49:37 GMT". */
void http_date(char date[HTTP_DATE_SIZE], time_t time);
/* The time that any of the three forms of a date stands for, -1 for anything else. */
time_t http_parse_date(const char *date);

/* Is ETAG in LIST ("*" is any)? Weak comparison: W/ in front makes no difference. */
bool http_etag_listed(const char *list, const char *etag);
/* May a range be served to who holds what IF_RANGE names: the very same file? */
bool http_range_valid(const char *if_range, const char *etag, time_t modified);

enum range_kind { RANGE_WHOLE, RANGE_PART, RANGE_UNSATISFIABLE };
/* What RANGE means for a file of SIZE bytes; *first and *length are set unless unsatisfiable. */
enum range_kind http_range_resolve(const struct request_range *range, int64_t size, int64_t *first,
				   int64_t *length);

#endif
