/* SPDX-License-Identifier: MIT */
/*
 * arhttpd's parser: what it makes of good requests, which status bad ones get, and what must hold
 * for whatever comes, tried with thousands of requests with something changed in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arhttpd_request.h"

/* The rest of a request whose first line is what the test is about. */
#define HOST_END "\r\nHost: here\r\n\r\n"

static struct request request;

/* Parses a copy that ends where the text does, so that a sanitizer sees who reads on. */
static int parse(const char *text, size_t length)
{
	char *copy = malloc(length ? length : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, text, length);
	result = request_parse(&request, copy, length);
	free(copy);
	return result;
}

static int parse_string(const char *text)
{
	return parse(text, strlen(text));
}

static void parses(const char *text)
{
	int result = parse_string(text);

	if (result != (int)strlen(text))
		fail_msg("%d for %s", result, text);
}

static void a_request_is_understood(void **state)
{
	(void)state;
	parses("GET /a/b.html?x=1&y=/../ HTTP/1.1" HOST_END);
	assert_string_equal(request.path, "a/b.html");
	assert_string_equal(request.query, "?x=1&y=/../");
	assert_false(request.head);
	assert_false(request.directory);
	assert_true(request.persistent);
	assert_false(request.range.given);
	assert_int_equal(request.if_modified_since, -1);

	parses("HEAD / HTTP/1.0\r\n\r\n");
	assert_true(request.head);
	assert_true(request.directory);
	assert_true(request.old);
	assert_false(request.persistent);
	assert_string_equal(request.path, "");
	assert_string_equal(request.query, "");

	parses("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
	assert_true(request.persistent);
	parses("GET / HTTP/1.1\r\nhOST: x\r\nCONNECTION: foo , close,bar\r\n\r\n");
	assert_false(request.persistent);
	parses("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n");
	assert_false(request.persistent);
	parses("\r\nGET / HTTP/1.1" HOST_END);
	parses("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	parses("GET / HTTP/1.1\r\nHost:\r\nX:\xff\x80 \t \r\n\r\n");

	parses("GET http://somewhere:80/a?b HTTP/1.1" HOST_END);
	assert_string_equal(request.path, "a");
	assert_string_equal(request.query, "?b");
	parses("GET HTTPS://somewhere HTTP/1.1" HOST_END);
	assert_string_equal(request.path, "");
	assert_true(request.directory);
	parses("GET http://somewhere?x HTTP/1.1" HOST_END);
	assert_string_equal(request.path, "");
}

static void one_request_is_taken_of_several(void **state)
{
	static const char two[] = "GET /1 HTTP/1.1" HOST_END "GET /2 HTTP/1.1" HOST_END;
	int first = parse_string(two);

	(void)state;
	assert_int_equal(first, (int)strlen(two) / 2);
	assert_string_equal(request.path, "1");
	assert_int_equal(parse_string(two + first), first);
	assert_string_equal(request.path, "2");
}

static void paths_are_resolved(void **state)
{
	static const struct {
		const char *target, *path;
		bool directory;
	} rows[] = {
		{"/", "", true},
		{"//", "", true},
		{"/.", "", true},
		{"/./", "", true},
		{"/a", "a", false},
		{"/a/", "a", true},
		{"//a//b//", "a/b", true},
		{"/a/./b", "a/b", false},
		{"/a/.", "a", true},
		{"/a/..", "", true},
		{"/a/../b", "b", false},
		{"/a/b/..", "a", true},
		{"/a/b/../../c/d/..", "c", true},
		{"/a/%2e%2E/b", "b", false},
		{"/a/.%2e/", "", true},
		{"/...", "...", false},
		{"/..a/.b", "..a/.b", false},
		{"/a%20b%25", "a b%", false},
		{"/%C3%A4", "\xc3\xa4", false},
		{"/%5c..%5C", "\\..\\", false},
		{"/a%3fb%23", "a?b#", false},
		{"/a//..//b", "b", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), "GET %s HTTP/1.1" HOST_END, rows[i].target);
		parses(text);
		assert_string_equal(request.path, rows[i].path);
		assert_int_equal(request.directory, rows[i].directory);
	}
}

static void bad_requests_get_their_status(void **state)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {
		/* The request line. */
		{400, "\r\n\r\n\r\n"},
		{400, " GET / HTTP/1.1" HOST_END},
		{400, "GET  / HTTP/1.1" HOST_END},
		{400, "GET / HTTP/1.1 " HOST_END},
		{400, "GET /  HTTP/1.1" HOST_END},
		{400, "GET\t/ HTTP/1.1" HOST_END},
		{400, "GET /\r\n\r\n"},
		{400, "GET\r\n\r\n"},
		{400, "GET / HTTP/1.1\nHost: x\n\n"},
		{400, "GET / HTTP/1.1\r\nHost: x\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n"},
		{400, "GET / http/1.1" HOST_END},
		{400, "GET / HTTP/1" HOST_END},
		{400, "GET / HTTP/1.10" HOST_END},
		{400, "GET / HTTP/x.1" HOST_END},
		{400, "GET / ICY/1.1" HOST_END},
		{505, "GET / HTTP/2.0" HOST_END},
		{505, "GET / HTTP/0.9" HOST_END},
		{505, "PRI * HTTP/2.0\r\n\r\n"},
		{400, "G(T / HTTP/1.1" HOST_END},
		{501, "get / HTTP/1.1" HOST_END},
		{501, "BREW / HTTP/1.1" HOST_END},
		{405, "POST / HTTP/1.1" HOST_END},
		{405, "OPTIONS * HTTP/1.1" HOST_END},
		{405, "CONNECT a:1 HTTP/1.1" HOST_END},
		{405, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"},
		/* Targets. */
		{400, "GET * HTTP/1.1" HOST_END},
		{400, "GET a HTTP/1.1" HOST_END},
		{400, "GET ../a HTTP/1.1" HOST_END},
		{400, "GET ftp://x/a HTTP/1.1" HOST_END},
		{400, "GET http:///a HTTP/1.1" HOST_END},
		{400, "GET /a#b HTTP/1.1" HOST_END},
		{400, "GET /a\\b HTTP/1.1" HOST_END},
		{400, "GET /\xc3\xa4 HTTP/1.1" HOST_END},
		{400, "GET /% HTTP/1.1" HOST_END},
		{400, "GET /%a HTTP/1.1" HOST_END},
		{400, "GET /%4 HTTP/1.1" HOST_END},
		{400, "GET /%/4 HTTP/1.1" HOST_END},
		{400, "GET /%gg HTTP/1.1" HOST_END},
		{400, "GET /%-1 HTTP/1.1" HOST_END},
		{400, "GET /%00 HTTP/1.1" HOST_END},
		{400, "GET /a%00.html HTTP/1.1" HOST_END},
		{400, "GET /.. HTTP/1.1" HOST_END},
		{400, "GET /../a HTTP/1.1" HOST_END},
		{400, "GET /a/../../b HTTP/1.1" HOST_END},
		{400, "GET /%2e%2e/a HTTP/1.1" HOST_END},
		{400, "GET /.%2E/a HTTP/1.1" HOST_END},
		{400, "GET //..//a HTTP/1.1" HOST_END},
		{404, "GET /..%2fa HTTP/1.1" HOST_END},
		{404, "GET /a%2Fb HTTP/1.1" HOST_END},
		/* Fields. */
		{400, "GET / HTTP/1.1\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nx(y): b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nx: \x01\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nx: \x7f\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n"
		      "\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
		      "Content-Length: 0\r\n\r\n"},
		{413, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"},
		{501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		/* What is known to be no request at all before it has come whole. */
		{400, "\x16\x03\x01\x02"},
		{400, "GET / HT\x01"},
		{400, "{"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int result = parse_string(rows[i].text);

		if (result != -rows[i].status)
			fail_msg("%d instead of %d for %s", result, -rows[i].status, rows[i].text);
	}
	assert_int_equal(parse("GET /\0 HTTP/1.1" HOST_END, 31), -400);
}

static void what_is_not_whole_waits(void **state)
{
	static const char text[] =
		"\r\nGET /a%20b?c HTTP/1.1\r\nHost: x\r\nRange: bytes=1-\r\n\r\n";

	(void)state;
	for (size_t length = 0; length < strlen(text); length++)
		assert_int_equal(parse(text, length), 0);
	parses(text);
}

static void everything_has_a_limit(void **state)
{
	static char text[4 * REQUEST_HEAD_MAX];
	int length;

	(void)state;
	/* Targets: too long whether or not the line has come whole. */
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	assert_int_equal(parse(text, sizeof(text)), -414);
	assert_int_equal(parse(text, REQUEST_TARGET_MAX + 100), -414);
	memcpy(text + 5 + REQUEST_TARGET_MAX, " HTTP/1.1" HOST_END, 26);
	assert_int_equal(parse(text, 5 + REQUEST_TARGET_MAX + 25), -414);
	/* Paths. */
	for (length = 1; length < 1100; length++) {
		int result = snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1" HOST_END, length, 0);
		int parsed = parse(text, (size_t)result);

		assert_int_equal(parsed, length <= REQUEST_PATH_MAX - 2 ? result : -414);
	}
	/* A method that does not end. */
	memset(text, 'G', sizeof(text));
	assert_int_equal(parse(text, sizeof(text)), -414);
	/* Fields: one that is too long, and too many. */
	length = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nx: ");
	memset(text + length, 'a', sizeof(text) - (size_t)length);
	assert_int_equal(parse(text, sizeof(text)), -431);
	assert_int_equal(parse(text, REQUEST_HEAD_MAX), -431);
	assert_int_equal(parse(text, REQUEST_HEAD_MAX - 1), 0);
	memcpy(text + REQUEST_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(parse(text, sizeof(text)), REQUEST_HEAD_MAX);
	memcpy(text + REQUEST_HEAD_MAX - 4, "a\r\n\r\n", 5);
	assert_int_equal(parse(text, sizeof(text)), -431);
	length = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 1; i < REQUEST_FIELDS_MAX; i++)
		length += snprintf(text + length, 16, "x: y\r\n");
	memcpy(text + length, "\r\n", 3);
	parses(text);
	memcpy(text + length, "x: y\r\n\r\n", 9);
	assert_int_equal(parse_string(text), -431);
}

static void ranges_are_resolved(void **state)
{
	enum { SIZE = 1000 };
	static const struct {
		const char *range;
		enum range_kind kind;
		int first, length;
	} rows[] = {
		{"bytes=0-0", RANGE_PART, 0, 1},
		{"bytes=10-19", RANGE_PART, 10, 10},
		{"bytes=990-", RANGE_PART, 990, 10},
		{"bytes=0-", RANGE_PART, 0, SIZE},
		{"BYTES=999-5000", RANGE_PART, 999, 1},
		{"bytes=-1", RANGE_PART, 999, 1},
		{"bytes=-1000", RANGE_PART, 0, SIZE},
		{"bytes=-2000", RANGE_PART, 0, SIZE},
		{"bytes=5-9223372036854775807", RANGE_PART, 5, SIZE - 5},
		{"bytes=1000-", RANGE_UNSATISFIABLE},
		{"bytes=1000-1000", RANGE_UNSATISFIABLE},
		{"bytes=-0", RANGE_UNSATISFIABLE},
		{"bytes=-", RANGE_WHOLE},
		{"bytes=", RANGE_WHOLE},
		{"bytes", RANGE_WHOLE},
		{"bytes=5", RANGE_WHOLE},
		{"bytes=5-4", RANGE_WHOLE},
		{"bytes=a-b", RANGE_WHOLE},
		{"bytes=1-2,4-5", RANGE_WHOLE},
		{"bytes=--1", RANGE_WHOLE},
		{"bytes=1-2-3", RANGE_WHOLE},
		{"bytes=+1-2", RANGE_WHOLE},
		{"bytes= 1-2", RANGE_WHOLE},
		{"lines=1-2", RANGE_WHOLE},
		{"bytes=9223372036854775808-", RANGE_WHOLE},
		{"bytes=1-2\r\nRange: bytes=1-2", RANGE_WHOLE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t first, length;
		char text[256];

		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\nRange: %s\r\n\r\n",
			 rows[i].range);
		parses(text);
		if (http_range_resolve(&request.range, SIZE, &first, &length) != rows[i].kind)
			fail_msg("%s", rows[i].range);
		if (rows[i].kind == RANGE_PART) {
			assert_int_equal(first, rows[i].first);
			assert_int_equal(length, rows[i].length);
		}
		if (rows[i].kind != RANGE_WHOLE)
			assert_int_equal(http_range_resolve(&request.range, 0, &first, &length),
					 RANGE_UNSATISFIABLE);
	}
}

static void dates_are_read_and_written(void **state)
{
	enum { THEN = 784111777 };
	char date[HTTP_DATE_SIZE];

	(void)state;
	http_date(date, THEN);
	assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_int_equal(http_parse_date(date), THEN);
	assert_int_equal(http_parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), THEN);
	assert_int_equal(http_parse_date("Sun Nov  6 08:49:37 1994"), THEN);
	assert_int_equal(http_parse_date(""), -1);
	assert_int_equal(http_parse_date("Sun, 06 Nov 1994 08:49:37"), -1);
	assert_int_equal(http_parse_date("Sun, 06 Nov 1994 08:49:37 GMT+1"), -1);
	assert_int_equal(http_parse_date("Sun, 06 Foo 1994 08:49:37 GMT"), -1);
	assert_int_equal(http_parse_date("Sun, 06 Nov 1904 08:49:37 GMT"), -1);
	for (time_t time = 0; time < 4102444800; time += 86399 * 13) {
		http_date(date, time);
		assert_int_equal(http_parse_date(date), time);
	}
	http_date(date, -5);
	assert_string_equal(date, "Thu, 01 Jan 1970 00:00:00 GMT");
	http_date(date, INT64_MAX);
	assert_string_equal(date, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void conditions_are_evaluated(void **state)
{
	(void)state;
	assert_true(http_etag_listed("*", "\"a\""));
	assert_true(http_etag_listed("\"a\"", "\"a\""));
	assert_true(http_etag_listed("W/\"a\"", "\"a\""));
	assert_true(http_etag_listed("\"b\", W/\"x,y\" ,\"a\"", "\"a\""));
	assert_true(http_etag_listed("\"x,y\"", "\"x,y\""));
	assert_false(http_etag_listed("\"ab\"", "\"a\""));
	assert_false(http_etag_listed("a", "\"a\""));
	assert_false(http_etag_listed("\"a", "\"a\""));
	assert_false(http_etag_listed("", "\"a\""));
	assert_true(http_range_valid("", "\"a\"", 5));
	assert_true(http_range_valid("\"a\"", "\"a\"", 5));
	assert_false(http_range_valid("W/\"a\"", "\"a\"", 5));
	assert_false(http_range_valid("\"b\"", "\"a\"", 5));
	assert_true(http_range_valid("Thu, 01 Jan 1970 00:00:05 GMT", "\"a\"", 5));
	assert_false(http_range_valid("Thu, 01 Jan 1970 00:00:06 GMT", "\"a\"", 5));
	assert_false(http_range_valid("nonsense", "\"a\"", -1));

	parses("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"q\"\r\n"
	       "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
	assert_string_equal(request.if_none_match, "\"q\"");
	assert_int_equal(request.if_modified_since, -1);
	parses("GET / HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: "
	       "Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
	assert_int_equal(request.if_modified_since, 784111777);
	/* What is not understood, or given twice, is no condition, and grants no range. */
	parses("GET / HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: soon\r\n\r\n");
	assert_int_equal(request.if_modified_since, -1);
	parses("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n\r\n");
	assert_string_equal(request.if_none_match, "");
	parses("GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\nIf-Range: \"a\"\r\n"
	       "If-Range: \"a\"\r\n\r\n");
	assert_false(request.range.given);
}

/* ---- whatever comes ---- */

static uint64_t random_state = 88172645463325252;

static unsigned random_below(unsigned limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 11) % limit;
}

/* Paths are safe to open below the root even without the kernel's help. */
static void check_path(const char *path)
{
	size_t length = strlen(path);

	assert_true(length < REQUEST_PATH_MAX);
	if (!length)
		return;
	assert_true(path[0] != '/' && path[length - 1] != '/');
	for (const char *segment = path;; segment++) {
		size_t size = strcspn(segment, "/");

		assert_true(size > 0);
		assert_false(size == 1 && segment[0] == '.');
		assert_false(size == 2 && segment[0] == '.' && segment[1] == '.');
		segment += size;
		if (!*segment)
			break;
	}
}

static void check(const char *text, size_t length)
{
	int whole = parse(text, length);
	int part;

	assert_true(whole > -600 && whole <= (int)length);
	if (whole > 0)
		check_path(request.path);
	/* More bytes never make another request of those that were one, or good what was bad. */
	part = parse(text, random_below((unsigned)length + 1));
	if (part)
		assert_int_equal(part, whole < 0 && part < 0 ? part : whole);
	if (whole > 0) {
		assert_int_equal(parse(text, (size_t)whole), whole);
		assert_int_equal(parse(text, (size_t)whole - 1), 0);
	}
}

/* Changes one thing in LENGTH bytes; the new length. */
static size_t mutate(char *text, size_t length, size_t room)
{
	static const char *const pieces[] = {
		"..",
		"/",
		"/../",
		"%2e%2e",
		"%00",
		"%",
		"\r\n",
		"\r\n\r\n",
		"\n",
		"\r",
		" ",
		"\t",
		":",
		"?",
		"#",
		"\\",
		"HTTP/1.1",
		"GET ",
		"Host: a\r\n",
		"Range: bytes=",
		"-",
		"9999999999999999999",
		"\xff",
		"//",
		"Content-Length: ",
		",",
		"\"",
		"=",
	};
	size_t at = random_below((unsigned)length + 1);
	size_t count = random_below(8);
	const char *piece;

	switch (random_below(5)) {
	case 0: /* another byte */
		if (at < length)
			text[at] = (char)random_below(256);
		return length;
	case 1: /* some gone */
		if (count > length - at)
			count = length - at;
		memmove(text + at, text + at + count, length - at - count);
		return length - count;
	case 2: /* some twice */
		if (count > length - at)
			count = length - at;
		if (length + count > room)
			return length;
		memmove(text + at + count, text + at, length - at);
		return length + count;
	case 3: /* a bit flipped */
		if (at < length)
			text[at] ^= (char)(1 << random_below(8));
		return length;
	default: /* something that means something */
		piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];
		count = strlen(piece);
		if (length + count > room)
			return length;
		memmove(text + at + count, text + at, length - at);
		memcpy(text + at, piece, count);
		return length + count;
	}
}

static void whatever_comes_is_safe(void **state)
{
	enum { ROUNDS = 200000, ROOM = 1024 };
	static const char *const seeds[] = {
		"GET /a/../b/./c%20d//e?f=g HTTP/1.1\r\nHost: x\r\nRange: bytes=1-5\r\n\r\n",
		"HEAD http://x:1/%2e%2e/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"a\", W/\"b\"\r\n"
		 "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n"),
		"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
	};
	char text[ROOM];

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		const char *seed = seeds[round % (sizeof(seeds) / sizeof(seeds[0]))];
		size_t length = strlen(seed);

		memcpy(text, seed, length);
		for (unsigned changes = 1 + random_below(6); changes; changes--)
			length = mutate(text, length, ROOM);
		check(text, length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_understood),
		cmocka_unit_test(one_request_is_taken_of_several),
		cmocka_unit_test(paths_are_resolved),
		cmocka_unit_test(bad_requests_get_their_status),
		cmocka_unit_test(what_is_not_whole_waits),
		cmocka_unit_test(everything_has_a_limit),
		cmocka_unit_test(ranges_are_resolved),
		cmocka_unit_test(dates_are_read_and_written),
		cmocka_unit_test(conditions_are_evaluated),
		cmocka_unit_test(whatever_comes_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
