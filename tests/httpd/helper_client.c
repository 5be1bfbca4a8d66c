/* SPDX-License-Identifier: MIT */
/*
 * helper_client PORT SCENARIO [ARGUMENT...]: clients that behave as no client should, or that stop
 * in the middle of something. Exit status 0 if the server does what it has to; each wait has an
 * end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static unsigned short port;
static int patience = 30; /* seconds, for whatever is waited for */

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static int connect_with_buffer(int receive_buffer)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = patience};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket: %s", strerror(errno));
	if (receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("connect: %s", strerror(errno));
	return fd;
}

static int connect_to_server(void)
{
	return connect_with_buffer(0);
}

/* Closes with a reset. */
static void reset(int fd)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

/* False if the server has closed. */
static bool say(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length) {
		ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			fail("the server does not read");
		if (sent <= 0)
			return false;
		at += sent;
		length -= (size_t)sent;
	}
	return true;
}

/* 0 at the end, or after a reset. */
static size_t hear(int fd, char *bytes, size_t room)
{
	ssize_t received = recv(fd, bytes, room, 0);

	if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		fail("the server does not answer");
	return received < 0 ? 0 : (size_t)received;
}

/* All that comes, as a string, until the server closes. */
static size_t hear_all(int fd, char *text, size_t room)
{
	size_t length = 0, more;

	while (length < room - 1 && (more = hear(fd, text + length, room - 1 - length)))
		length += more;
	text[length] = 0;
	return length;
}

static void expect_status(const char *answer, int status)
{
	char start[32];

	snprintf(start, sizeof(start), "HTTP/1.1 %d ", status);
	if (strncmp(answer, start, strlen(start)))
		fail("instead of %d: '%.60s'", status, answer);
}

/* Reads a head and returns what Content-Length says; *surplus: bytes of the body that came along.
 */
static long long hear_head(int fd, int status, size_t *surplus)
{
	char text[4096], *end, *field;
	size_t length = 0, more;

	do {
		more = hear(fd, text + length, sizeof(text) - 1 - length);
		if (!more)
			fail("closed in the head");
		length += more;
		text[length] = 0;
		end = memmem(text, length, "\r\n\r\n", 4);
	} while (!end && length < sizeof(text) - 1);
	if (!end)
		fail("no end of the head");
	*surplus = length - (size_t)(end + 4 - text);
	*end = 0;
	expect_status(text, status);
	field = strstr(text, "Content-Length: ");
	if (!field)
		fail("no length");
	return atoll(field + strlen("Content-Length: "));
}

/* ---- scenarios ---- */

/* A head that comes byte by byte and never ends. */
static void slow_head(void)
{
	int fd = connect_to_server();
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char answer[1024];

	say(fd, "GET / HTTP/1.1\r\nX: ", 19);
	for (int i = 0; i < patience * 10; i++) {
		if (poll(&poll_fd, 1, 100) > 0) {
			hear_all(fd, answer, sizeof(answer));
			expect_status(answer, 408);
			return;
		}
		say(fd, "a", 1);
	}
	fail("no end to its patience");
}

/* One that says nothing at all, and one that has said all it wanted to: closed without a word. */
static void idle(void)
{
	int silent = connect_to_server(), satisfied = connect_to_server();
	char answer[4096];
	size_t surplus;
	long long length;

	say(satisfied, GET("/index.html"), strlen(GET("/index.html")));
	length = hear_head(satisfied, 200, &surplus);
	while (surplus < (size_t)length)
		surplus += hear(satisfied, answer, sizeof(answer));
	if (hear(silent, answer, sizeof(answer)) || hear(satisfied, answer, sizeof(answer)))
		fail("there was something to say");
}

/* Gone at every stage. */
static void resets(const char *path)
{
	static char buffer[65536];
	char request[512];
	int length = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);

	for (int i = 0; i < 50; i++) {
		for (int at = 0; at <= length; at += 1 + length / 5) {
			int fd = connect_to_server();

			say(fd, request, (size_t)at);
			reset(fd);
		}
		for (int pieces = 0; pieces < 4; pieces++) {
			int fd = connect_with_buffer(4096);

			say(fd, request, (size_t)length);
			if (pieces)
				hear(fd, buffer, sizeof(buffer));
			for (int piece = 1; piece < pieces; piece++)
				recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
			/* Half of them with more on the way from us. */
			if (i % 2)
				say(fd, request, (size_t)length);
			if (i % 3)
				reset(fd);
			else
				close(fd);
		}
	}
}

/* Something without end, until the server has enough. */
static void endless(const char *start, const char *piece, int status)
{
	char answer[4096];
	int fd = connect_to_server();
	bool open = say(fd, start, strlen(start));

	for (int i = 0; open && i < 1000; i++)
		open = say(fd, piece, strlen(piece));
	hear_all(fd, answer, sizeof(answer));
	/* What we went on to send may have had the answer taken back. */
	if (*answer)
		expect_status(answer, status);
	close(fd);
}

static void garbage(void)
{
	unsigned state = 12345;

	for (int i = 0; i < 200; i++) {
		char bytes[512], answer[4096];
		int fd = connect_to_server();

		for (size_t j = 0; j < sizeof(bytes); j++) {
			state = state * 1103515245 + 12345;
			bytes[j] = (char)(state >> 16);
		}
		bytes[0] |= (char)0x80;
		say(fd, bytes, 1 + (size_t)i * 2);
		hear_all(fd, answer, sizeof(answer));
		if (*answer)
			expect_status(answer, 400);
		close(fd);
	}
}

/* COUNT requests as fast as they go out, and nothing read before that is not possible any more. */
static void ahead(int count)
{
	static const char request[] = GET("/index.html");
	const size_t length = strlen(request);
	static const char marker[] = "HTTP/1.1 200 OK\r\n";
	static char buffer[65536 + sizeof(marker)];
	const size_t total = (size_t)count * length;
	struct pollfd poll_fd = {.fd = connect_to_server()};
	size_t said = 0, kept = 0;
	bool blocked = false;
	int answers = 0;

	while (answers < count) {
		poll_fd.events = (short)((said < total ? POLLOUT : 0) |
					 (blocked || said == total ? POLLIN : 0));
		if (poll(&poll_fd, 1, blocked || said == total ? patience * 1000 : 500) == 0) {
			if (blocked || said == total)
				fail("%d answers, then none", answers);
			blocked = true;
			continue;
		}
		if (poll_fd.revents & POLLOUT) {
			ssize_t sent = send(poll_fd.fd, request + said % length,
					    length - said % length, MSG_DONTWAIT | MSG_NOSIGNAL);

			if (sent < 0 && errno != EAGAIN)
				fail("send: %s", strerror(errno));
			said += sent > 0 ? (size_t)sent : 0;
		}
		if (poll_fd.revents & POLLIN) {
			size_t all = kept + hear(poll_fd.fd, buffer + kept, 65536);
			char *at = buffer, *found;

			if (all == kept)
				fail("closed after %d answers", answers);
			while ((found = memmem(at, (size_t)(buffer + all - at), marker,
					       strlen(marker)))) {
				answers++;
				at = found + strlen(marker);
			}
			kept = (size_t)(buffer + all - at);
			if (kept > strlen(marker) - 1)
				kept = strlen(marker) - 1;
			memmove(buffer, buffer + all - kept, kept);
		}
	}
}

static void half_close(void)
{
	static char answer[1 << 21];
	int fd = connect_to_server();
	const char *request = GET("/1m.bin");
	size_t length;

	say(fd, request, strlen(request));
	shutdown(fd, SHUT_WR);
	length = hear_all(fd, answer, sizeof(answer));
	expect_status(answer, 200);
	if (length < 1 << 20)
		fail("%zu bytes", length);
}

/* FILE, which is what PATH names, becomes shorter while it is being sent. */
static void truncation(const char *path, const char *file)
{
	static char buffer[65536];
	char request[512];
	int fd = connect_with_buffer(65536);
	size_t more, surplus;
	long long length, received;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	say(fd, request, strlen(request));
	length = hear_head(fd, 200, &surplus);
	if (truncate(file, 1000) < 0)
		fail("truncate: %s", strerror(errno));
	received = (long long)surplus;
	while ((more = hear(fd, buffer, sizeof(buffer))))
		received += (long long)more;
	if (received >= length)
		fail("%lld of %lld bytes of a file that has 1000", received, length);
}

/*
 * Begins to read PATH, says so, goes on when it is told so on standard input, and expects all of
 * it. If that is closed instead, waits for the server to close.
 */
static void hold(const char *path)
{
	static char buffer[65536];
	char request[512];
	int fd = connect_with_buffer(65536);
	size_t more, surplus;
	long long length, received;
	bool go_on;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	say(fd, request, strlen(request));
	length = hear_head(fd, 200, &surplus);
	puts("holding");
	fflush(stdout);
	go_on = getchar() != EOF;
	received = (long long)surplus;
	while (received < length && (more = hear(fd, buffer, sizeof(buffer))))
		received += (long long)more;
	if (go_on && received != length)
		fail("%lld of %lld bytes", received, length);
	if (hear(fd, buffer, sizeof(buffer)))
		fail("more than there is");
}

/* With COUNT connections there, another one waits until one of them is gone. */
static void limit(int count)
{
	int *fds = calloc((size_t)count, sizeof(*fds));
	struct pollfd poll_fd = {.events = POLLIN};
	size_t surplus;

	if (!fds)
		fail("no memory");
	for (int i = 0; i < count; i++) {
		fds[i] = connect_to_server();
		say(fds[i], GET("/index.html"), strlen(GET("/index.html")));
		hear_head(fds[i], 200, &surplus);
	}
	poll_fd.fd = connect_to_server();
	say(poll_fd.fd, GET("/index.html"), strlen(GET("/index.html")));
	if (poll(&poll_fd, 1, 300) != 0)
		fail("one too many is served");
	close(fds[0]);
	hear_head(poll_fd.fd, 200, &surplus);
	free(fds);
}

int main(int argc, char **argv)
{
	const char *scenario = argc > 2 ? argv[2] : "";
	const char *multiplier = getenv("ASYNCRING_TEST_TIMEOUT_MULT");

	signal(SIGPIPE, SIG_IGN);
	port = (unsigned short)(argc > 1 ? atoi(argv[1]) : 0);
	if (multiplier && atoi(multiplier) > 0)
		patience *= atoi(multiplier);
	if (!strcmp(scenario, "slow-head"))
		slow_head();
	else if (!strcmp(scenario, "idle"))
		idle();
	else if (!strcmp(scenario, "resets") && argc == 4)
		resets(argv[3]);
	else if (!strcmp(scenario, "endless-head"))
		endless("GET / HTTP/1.1\r\nHost: x\r\n",
			"X-Something: or other, and more of it\r\n", 431);
	else if (!strcmp(scenario, "endless-field"))
		endless("GET / HTTP/1.1\r\nHost: x\r\nX:", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 431);
	else if (!strcmp(scenario, "endless-target"))
		endless("GET /", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 414);
	else if (!strcmp(scenario, "garbage"))
		garbage();
	else if (!strcmp(scenario, "ahead") && argc == 4)
		ahead(atoi(argv[3]));
	else if (!strcmp(scenario, "half-close"))
		half_close();
	else if (!strcmp(scenario, "truncation") && argc == 5)
		truncation(argv[3], argv[4]);
	else if (!strcmp(scenario, "hold") && argc == 4)
		hold(argv[3]);
	else if (!strcmp(scenario, "limit") && argc == 4)
		limit(atoi(argv[3]));
	else
		fail("usage: helper_client PORT SCENARIO [ARGUMENT...]");
	return 0;
}
