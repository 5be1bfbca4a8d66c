/* SPDX-License-Identifier: MIT */
/*
 * arhttpd: from a request to the head of its answer. The file is opened below the root, whatever
 * the path says: RESOLVE_BENEATH has the kernel refuse ".." that climb out, absolute symbolic links
 * and those that lead out; so the parser's own care is not what this depends on. What is there is
 * asked of the open file, so nobody can exchange it in between.
 *
 * Files have ordinary descriptors, unlike connections. A direct one can be asked for nothing, in
 * io_uring neither, and the library would have to move each to its place and to look for record
 * locks before it closes it: five more system calls for a file that is mostly read once. And what
 * an open file is, is asked by fstat(2) rather than by a request: the answer is in memory, so there
 * is nothing to wait for, while statx as a request always takes a worker.
 */
#include "arhttpd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- heads ---- */

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 206:
		return "Partial Content";
	case 301:
		return "Moved Permanently";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 416:
		return "Range Not Satisfiable";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	default:
		return "HTTP Version Not Supported";
	}
}

/* Appends to the head; RESPONSE_HEAD_MAX is such that there is room. */
__attribute__((format(printf, 2, 3))) static void say(struct connection *connection,
						      const char *format, ...)
{
	size_t room = RESPONSE_HEAD_MAX - connection->head_length;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(connection->head + connection->head_length, room, format, arguments);
	va_end(arguments);
	if (length > 0 && (size_t)length < room)
		connection->head_length += (unsigned)length;
}

/* The time of day in the form that heads have it in, made once a second. */
static const char *date_now(void)
{
	static char date[HTTP_DATE_SIZE];
	static time_t made;
	time_t now = time(NULL);

	if (now != made)
		http_date(date, now);
	made = now;
	return date;
}

static void begin_head(struct connection *connection, int status)
{
	const struct request *request = &connection->request;

	connection->status = status;
	connection->head_length = connection->head_sent = 0;
	connection->left = connection->length = 0;
	say(connection, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, reason(status), date_now());
	if (!request->persistent || stopping)
		say(connection, "Connection: close\r\n");
	else if (request->old)
		say(connection, "Connection: keep-alive\r\n");
}

/* Ends a head with a page of its own that says what the matter is. */
static void end_head_with_page(struct connection *connection)
{
	const int status = connection->status;
	char page[256];
	int length = snprintf(page, sizeof(page),
			      "<!doctype html>\n<title>%d %s</title>\n<h1>%d %s</h1>\n", status,
			      reason(status), status, reason(status));

	say(connection, "Content-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
	    length);
	connection->length = connection->request.head ? 0 : length;
	if (!connection->request.head)
		say(connection, "%s", page);
}

void response_refuse(struct connection *connection, int status, bool persistent)
{
	if (!persistent)
		connection->request.persistent = false;
	body_close_file(connection);
	begin_head(connection, status);
	if (status == 405)
		say(connection, "Allow: GET, HEAD\r\n");
	if (status == 503)
		say(connection, "Retry-After: 1\r\n");
	end_head_with_page(connection);
	body_send_head(connection);
}

/* ---- what is asked for is a directory, and the slash is missing ---- */

static bool stays_as_it_is(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._~!$&'()*+,;=:@/", c);
}

static void redirect(struct connection *connection)
{
	char location[LOCATION_MAX];
	size_t length = 0;

	for (const char *c = connection->request.path; *c; c++) {
		if (length + 4 > sizeof(location)) {
			response_refuse(connection, 414, true);
			return;
		}
		if (stays_as_it_is(*c))
			location[length++] = *c;
		else
			length += (size_t)snprintf(location + length, 4, "%%%02X",
						   (unsigned)(unsigned char)*c);
	}
	location[length] = 0;
	body_close_file(connection);
	begin_head(connection, 301);
	say(connection, "Location: /%s/%s\r\n", location, connection->request.query);
	end_head_with_page(connection);
	body_send_head(connection);
}

/* ---- files ---- */

/* Does the client have this very file already? */
static bool unchanged(const struct request *request, const char *etag, time_t modified)
{
	if (*request->if_none_match)
		return http_etag_listed(request->if_none_match, etag);
	return request->if_modified_since >= 0 && request->if_modified_since >= modified;
}

static void answer_with_file(struct connection *connection)
{
	struct request *request = &connection->request;
	const struct stat *file = &connection->file_status;
	const int64_t size = (int64_t)file->st_size;
	enum range_kind range = RANGE_WHOLE;
	char etag[64], modified[HTTP_DATE_SIZE];
	int64_t first = 0, length = size;
	int status = 200;

	snprintf(etag, sizeof(etag), "\"%llx-%x-%llx\"", (unsigned long long)file->st_mtim.tv_sec,
		 (unsigned)file->st_mtim.tv_nsec, (unsigned long long)size);
	http_date(modified, file->st_mtim.tv_sec);
	if (unchanged(request, etag, file->st_mtim.tv_sec))
		status = 304;
	else if (!request->head && http_range_valid(request->if_range, etag, file->st_mtim.tv_sec))
		range = http_range_resolve(&request->range, size, &first, &length);
	if (range == RANGE_PART)
		status = 206;
	else if (range == RANGE_UNSATISFIABLE)
		status = 416;

	begin_head(connection, status);
	if (status == 416) {
		say(connection, "Content-Range: bytes */%lld\r\n", (long long)size);
		end_head_with_page(connection);
		body_close_file(connection);
		body_send_head(connection);
		return;
	}
	say(connection, "ETag: %s\r\nLast-Modified: %s\r\nAccept-Ranges: bytes\r\n", etag,
	    modified);
	if (status == 304) {
		say(connection, "\r\n");
		body_close_file(connection);
		body_send_head(connection);
		return;
	}
	if (status == 206)
		say(connection, "Content-Range: bytes %lld-%lld/%lld\r\n", (long long)first,
		    (long long)(first + length - 1), (long long)size);
	say(connection, "Content-Type: %s\r\nContent-Length: %lld\r\n\r\n",
	    content_type(request->path), (long long)length);
	if (request->head || !length) {
		body_close_file(connection);
		body_send_head(connection);
		return;
	}
	connection->offset = first;
	connection->left = connection->length = length;
	body_send(connection);
}

static void look(struct connection *connection)
{
	struct stat *file = &connection->file_status;

	if (fstat(connection->fd, file) < 0)
		response_refuse(connection, 500, true);
	else if (S_ISREG(file->st_mode))
		answer_with_file(connection);
	else if (S_ISDIR(file->st_mode) && !connection->request.directory)
		redirect(connection);
	else
		response_refuse(connection, 403, true);
}

/*
 * The status for a file that cannot be opened. Links that lead out are not told from what is not
 * allowed otherwise.
 */
static int status_of_error(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
		return 404;
	case -EACCES:
	case -EPERM:
	case -EXDEV:
	case -ELOOP:
	case -ENXIO:
	case -ENODEV:
		return 403;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -EAGAIN:
		return 503;
	default:
		return 500;
	}
}

/*
 * Connections that have found no descriptor left for their file, in order, and how many files are
 * open: as long as there is one, its end makes room for the next, and nobody has to be refused.
 */
static struct connection *waiting_for_file;
static struct connection **waiting_tail = &waiting_for_file;
static unsigned files_open;

static void open_file(struct connection *connection);

void response_file_closed(void)
{
	struct connection *next = waiting_for_file;

	files_open--;
	if (!next)
		return;
	response_wait_no_more(next);
	open_file(next);
}

void response_wait_no_more(struct connection *connection)
{
	struct connection **at = &waiting_for_file;

	while (*at && *at != connection)
		at = &(*at)->next_waiting;
	if (!*at)
		return;
	*at = connection->next_waiting;
	if (waiting_tail == &connection->next_waiting)
		waiting_tail = at;
	connection->waits_for_file = false;
}

static void wait_for_file(struct connection *connection)
{
	connection->waits_for_file = true;
	connection->next_waiting = NULL;
	*waiting_tail = connection;
	waiting_tail = &connection->next_waiting;
}

static void opened(struct pending *pending, int result)
{
	struct connection *connection = container_of(pending, struct connection, stepping);

	if (result >= 0) {
		connection->fd = result;
		files_open++;
	}
	if (!connection_step_ended(connection))
		return;
	if ((result == -EMFILE || result == -ENFILE) && files_open)
		wait_for_file(connection);
	else if (result < 0)
		response_refuse(connection, status_of_error(result), true);
	else
		look(connection);
}

/* O_NONBLOCK: whoever puts a FIFO there does not have us wait for a writer. */
static const struct open_how how_to_open = {
	.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
	.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
};

int response_possible(void)
{
	int fd = (int)syscall(SYS_openat2, root, ".", &how_to_open, sizeof(how_to_open));

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void open_file(struct connection *connection)
{
	struct asyncring_sqe *sqe = loop_request();

	asyncring_prep_openat2(sqe, root, connection->request.path, &how_to_open);
	loop_expect(sqe, &connection->stepping, opened);
	connection->inflight++;
}

void response_begin(struct connection *connection)
{
	struct request *request = &connection->request;

	_Static_assert(sizeof("/index.html") <= REQUEST_PATH_ROOM, "the name of an index fits");
	if (request->directory)
		strcat(request->path, *request->path ? "/index.html" : "index.html");
	open_file(connection);
}
