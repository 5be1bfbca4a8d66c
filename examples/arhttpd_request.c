/* SPDX-License-Identifier: MIT */
/*
 * arhttpd's parser of request heads. It is strict where tolerance has cost others dearly: lines end
 * with CRLF and nothing else, no folded fields, no space before a colon, one Host, no body of any
 * kind (so that no two parties can disagree about where a request ends), and a path that climbs out
 * of the root is an error rather than the root.
 *
 * A head that has not come whole is parsed again from its beginning when there is more of it; it is
 * short enough for that.
 */
#include "arhttpd_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Part of the text: not terminated. */
struct span {
	const char *at, *end;
};

static size_t span_length(struct span span)
{
	return (size_t)(span.end - span.at);
}

static bool span_is(struct span span, const char *word)
{
	return span_length(span) == strlen(word) && !memcmp(span.at, word, strlen(word));
}

static bool span_is_nocase(struct span span, const char *word)
{
	return span_length(span) == strlen(word) && !strncasecmp(span.at, word, strlen(word));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_token_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct span span)
{
	for (const char *c = span.at; c < span.end; c++)
		if (!is_token_char(*c))
			return false;
	return span.at < span.end;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct span trim(struct span span)
{
	while (span.at < span.end && (*span.at == ' ' || *span.at == '\t'))
		span.at++;
	while (span.at < span.end && (span.end[-1] == ' ' || span.end[-1] == '\t'))
		span.end--;
	return span;
}

/* Cuts SPAN at the first SEPARATOR: what is before it is returned, what is behind it stays. */
static struct span cut(struct span *span, char separator)
{
	const char *found = memchr(span->at, separator, span_length(*span));
	struct span before = {span->at, found ? found : span->end};

	span->at = found ? found + 1 : span->end;
	return before;
}

/* Keeps SPAN as a string, or "" if there is no room. */
static void keep(char *to, size_t size, struct span span)
{
	size_t length = span_length(span) < size ? span_length(span) : 0;

	memcpy(to, span.at, length);
	to[length] = 0;
}

/* ---- lines ---- */

enum line { LINE_WHOLE, LINE_INCOMPLETE, LINE_BAD };

/*
 * Takes the next line from TEXT. What can be in no line at all is noticed at once, however much is
 * still to come.
 */
static enum line next_line(struct span *text, struct span *line)
{
	const char *feed = memchr(text->at, '\n', span_length(*text));
	const char *end = feed ? feed : text->end;

	*line = (struct span){text->at, end};
	if (end > text->at && end[-1] == '\r')
		line->end--;
	else if (feed)
		return LINE_BAD;
	for (const char *c = line->at; c < line->end; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return LINE_BAD;
	if (!feed)
		return LINE_INCOMPLETE;
	text->at = feed + 1;
	return LINE_WHOLE;
}

/* ---- the request line ---- */

/* Drops the last segment of a path of LENGTH bytes that ends in a slash; -1 if there is none. */
static int climb(const char *path, int length)
{
	if (!length)
		return -1;
	do
		length--;
	while (length && path[length - 1] != '/');
	return length;
}

/* Decodes one segment to the end of *length bytes of path; 0 or a negative status. */
static int take_segment(struct request *request, struct span segment, int *length)
{
	while (segment.at < segment.end) {
		char c = *segment.at++;

		if (c == '%') {
			int high = -1, low = -1;

			if (span_length(segment) >= 2) {
				high = hex_digit(segment.at[0]);
				low = hex_digit(segment.at[1]);
			}
			if (high < 0 || low < 0)
				return -400;
			segment.at += 2;
			c = (char)(high << 4 | low);
			if (!c)
				return -400;
			/* It would be part of a name, which no file has. */
			if (c == '/')
				return -404;
		}
		/* A slash and the end have to go behind it. */
		if (*length + 3 > REQUEST_PATH_MAX)
			return -414;
		request->path[(*length)++] = c;
	}
	return 0;
}

static int take_path(struct request *request, struct span path)
{
	char *const to = request->path;
	int length = 0;

	while (path.at < path.end) {
		struct span segment;
		int start = length, status;
		bool slash;

		path.at++; /* a slash */
		segment = cut(&path, '/');
		slash = segment.end < path.end;
		path.at = segment.end;
		status = take_segment(request, segment, &length);
		if (status)
			return status;
		if (length == start || (length == start + 1 && to[start] == '.')) {
			length = start;
		} else if (length == start + 2 && to[start] == '.' && to[start + 1] == '.') {
			length = climb(to, start);
			if (length < 0)
				return -400;
		} else if (slash) {
			to[length++] = '/';
		}
	}
	request->directory = !length || to[length - 1] == '/';
	if (length && request->directory)
		length--;
	to[length] = 0;
	return 0;
}

static bool target_char(char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"#<>\\^`{|}", c);
}

static int take_target(struct request *request, struct span target)
{
	static const char *const schemes[] = {"http://", "https://"};
	struct span path;

	if (span_length(target) > REQUEST_TARGET_MAX)
		return -414;
	for (const char *c = target.at; c < target.end; c++)
		if (!target_char(*c))
			return -400;
	/* As to a proxy: whoever that names, here is who was asked. */
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t length = strlen(schemes[i]);

		if (span_length(target) > length && !strncasecmp(target.at, schemes[i], length)) {
			target.at += length;
			if (*target.at == '/' || *target.at == '?')
				return -400;
			while (target.at < target.end && *target.at != '/' && *target.at != '?')
				target.at++;
			if (target.at == target.end || *target.at == '?') {
				request->directory = true;
				return 0;
			}
			break;
		}
	}
	if (target.at == target.end || *target.at != '/')
		return -400;
	path = cut(&target, '?');
	if (path.end < target.end || *path.end == '?')
		keep(request->query, sizeof(request->query), (struct span){path.end, target.end});
	return take_path(request, path);
}

/* 0, or a negative status: that of a request that is understood, and not served. */
static int check_method(struct request *request, struct span method)
{
	static const char *const others[] = {"POST",	"PUT",	 "DELETE", "OPTIONS",
					     "CONNECT", "TRACE", "PATCH"};

	if (span_is(method, "GET"))
		return 0;
	request->head = span_is(method, "HEAD");
	if (request->head)
		return 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (span_is(method, others[i]))
			return -405;
	return -501;
}

static int check_version(struct request *request, struct span version)
{
	const char *v = version.at;

	if (span_length(version) != 8 || memcmp(v, "HTTP/", 5) || !is_digit(v[5]) || v[6] != '.' ||
	    !is_digit(v[7]))
		return -400;
	if (v[5] != '1')
		return -505;
	request->old = v[7] == '0';
	request->persistent = !request->old;
	return 0;
}

static int take_request_line(struct request *request, struct span line)
{
	struct span method = cut(&line, ' '), target = cut(&line, ' ');
	int status;

	if (!is_token(method) || target.at == target.end)
		return -400;
	status = check_version(request, line);
	if (!status)
		status = check_method(request, method);
	return status ? status : take_target(request, target);
}

/* ---- fields ---- */

/* What may be said once only, and what has been. */
struct fields {
	unsigned count;
	bool host, length, encoding, range, if_range, if_none_match, if_modified_since;
};

/* One or more digits that are no more than an int64_t holds; else -1. */
static int64_t number(struct span digits)
{
	int64_t value = 0;

	for (const char *c = digits.at; c < digits.end; c++)
		if (!is_digit(*c) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *c - '0', &value))
			return -1;
	return digits.at < digits.end ? value : -1;
}

/* What is not understood, other units and several ranges among it, counts as not said. */
static void take_range(struct request_range *range, struct span value)
{
	struct span unit = cut(&value, '='), first = cut(&value, '-');

	if (!span_is_nocase(unit, "bytes") || first.end == value.end || *first.end != '-')
		return;
	range->first = first.at < first.end ? number(first) : -1;
	range->last = value.at < value.end ? number(value) : -1;
	if ((first.at < first.end && range->first < 0) || (value.at < value.end && range->last < 0))
		return;
	if (range->first < 0 ? range->last < 0 : range->last >= 0 && range->last < range->first)
		return;
	range->given = true;
}

static void take_connection(struct request *request, struct span value, bool *close)
{
	while (value.at < value.end) {
		struct span option = trim(cut(&value, ','));

		if (span_is_nocase(option, "close"))
			*close = true;
		else if (request->old && span_is_nocase(option, "keep-alive"))
			request->persistent = true;
	}
}

/* False if it has been SAID before. */
static bool once(bool *said)
{
	bool first = !*said;

	*said = true;
	return first;
}

static int take_host(struct fields *fields, struct span value)
{
	for (const char *c = value.at; c < value.end; c++)
		if (!target_char(*c) || *c == '/' || *c == '?' || *c == '@')
			return -400;
	return once(&fields->host) ? 0 : -400;
}

static void take_date(time_t *time, bool *said, struct span value)
{
	char date[64];

	keep(date, sizeof(date), value);
	*time = once(said) ? http_parse_date(date) : -1;
}

/* A list in several fields is no list of ours any more: as if there were none. */
static void take_validator(char *to, bool *said, struct span value)
{
	if (once(said))
		keep(to, REQUEST_VALIDATOR_MAX, value);
	else
		to[0] = 0;
}

static int take_field(struct request *request, struct fields *fields, bool *close, struct span line)
{
	struct span name = cut(&line, ':'), value = trim(line);

	if (!is_token(name) || *name.end != ':')
		return -400;
	if (++fields->count > REQUEST_FIELDS_MAX)
		return -431;
	if (span_is_nocase(name, "Host"))
		return take_host(fields, value);
	if (span_is_nocase(name, "Content-Length")) {
		int64_t length = number(value);

		if (length < 0 || !once(&fields->length) || fields->encoding)
			return -400;
		return length ? -413 : 0;
	}
	if (span_is_nocase(name, "Transfer-Encoding")) {
		fields->encoding = true;
		return fields->length ? -400 : -501;
	}
	if (span_is_nocase(name, "Connection"))
		take_connection(request, value, close);
	else if (span_is_nocase(name, "If-Modified-Since"))
		take_date(&request->if_modified_since, &fields->if_modified_since, value);
	else if (span_is_nocase(name, "If-None-Match"))
		take_validator(request->if_none_match, &fields->if_none_match, value);
	else if (span_is_nocase(name, "If-Range"))
		take_validator(request->if_range, &fields->if_range, value);
	else if (span_is_nocase(name, "Range") && once(&fields->range))
		take_range(&request->range, value);
	else if (span_is_nocase(name, "Range"))
		request->range.given = false;
	return 0;
}

/* A condition that was given and could not be kept does not hold: there will be the whole file. */
static void settle_conditions(struct request *request, const struct fields *fields)
{
	if (fields->if_range && !request->if_range[0])
		request->range.given = false;
	/* The tags, where there are any, decide alone. */
	if (fields->if_none_match)
		request->if_modified_since = -1;
}

/* ---- all of it ---- */

static void skip_empty_lines(struct span *text)
{
	/* Some clients send one behind a body that had none. */
	for (int i = 0; i < 2 && span_length(*text) >= 2 && !memcmp(text->at, "\r\n", 2); i++)
		text->at += 2;
}

/* Too much of something has come, with its end or without. */
static int too_large(bool in_request_line)
{
	return in_request_line ? -414 : -431;
}

int request_parse(struct request *request, const char *text, size_t length)
{
	/* Beyond the limit nothing is looked at. */
	bool full = length >= REQUEST_HEAD_MAX;
	struct span rest = {text, text + (full ? REQUEST_HEAD_MAX : length)};
	struct fields fields = {0};
	bool close = false;
	struct span line;
	enum line kind;
	int verdict, status;

	request->head = request->persistent = request->old = request->directory = false;
	request->path[0] = request->query[0] = 0;
	request->if_none_match[0] = request->if_range[0] = 0;
	request->range = (struct request_range){0};
	request->if_modified_since = -1;

	skip_empty_lines(&rest);
	kind = next_line(&rest, &line);
	if (kind == LINE_BAD || (line.at < line.end && !is_token_char(*line.at)))
		return -400;
	if (kind == LINE_INCOMPLETE) {
		if (full || span_length(line) > REQUEST_TARGET_MAX + 64)
			return too_large(true);
		return 0;
	}
	/* What is merely not served is said when all has come, so that nothing is left unread. */
	verdict = take_request_line(request, line);
	if (verdict == -400)
		return verdict;
	for (;;) {
		kind = next_line(&rest, &line);
		if (kind == LINE_BAD)
			return -400;
		if (kind == LINE_INCOMPLETE)
			return full ? too_large(false) : 0;
		if (line.at == line.end)
			break;
		status = take_field(request, &fields, &close, line);
		if (status == -400 || status == -431)
			return status;
		if (!verdict)
			verdict = status;
	}
	if (!request->old && !fields.host && verdict != -505)
		return -400;
	if (close)
		request->persistent = false;
	settle_conditions(request, &fields);
	return verdict ? verdict : (int)(rest.at - text);
}
