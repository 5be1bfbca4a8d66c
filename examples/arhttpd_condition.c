/* SPDX-License-Identifier: MIT */
/* arhttpd: dates, entity tags and ranges; arhttpd_request.h says what each function does. */
#include "arhttpd_request.h"

#include <stdio.h>
#include <string.h>

/* The C library's names of days and months are those of the locale, so these are our own. */
void http_date(char date[HTTP_DATE_SIZE], time_t time)
{
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm;

	/* There are four digits for the year, and nothing is from before 1970. */
	if (time < 0 || time > 253402300799 || !gmtime_r(&time, &tm)) {
		time = 0;
		gmtime_r(&time, &tm);
	}
	snprintf(date, HTTP_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT",
		 days[(unsigned)tm.tm_wday % 7], (unsigned)tm.tm_mday % 100,
		 months[(unsigned)tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000,
		 (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

time_t http_parse_date(const char *date)
{
	/* The program sets no locale, so names are the English ones. */
	static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT",
					    "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {0};
		const char *end = strptime(date, forms[i], &tm);

		if (end && !*end) {
			time_t time = timegm(&tm);

			return time < 0 ? -1 : time;
		}
	}
	return -1;
}

bool http_etag_listed(const char *list, const char *etag)
{
	size_t length = strlen(etag);

	if (!strcmp(list, "*"))
		return true;
	while (*list) {
		const char *end;

		list += strspn(list, " \t,");
		if (!strncmp(list, "W/", 2))
			list += 2;
		if (*list != '"')
			return false;
		end = strchr(list + 1, '"');
		if (!end)
			return false;
		end++;
		if ((size_t)(end - list) == length && !memcmp(list, etag, length))
			return true;
		list = end;
	}
	return false;
}

bool http_range_valid(const char *if_range, const char *etag, time_t modified)
{
	if (!*if_range)
		return true;
	if (*if_range == '"')
		return !strcmp(if_range, etag);
	return modified >= 0 && http_parse_date(if_range) == modified;
}

enum range_kind http_range_resolve(const struct request_range *range, int64_t size, int64_t *first,
				   int64_t *length)
{
	*first = 0;
	*length = size;
	if (!range->given)
		return RANGE_WHOLE;
	if (range->first < 0) {
		if (!range->last || !size)
			return RANGE_UNSATISFIABLE;
		*length = range->last < size ? range->last : size;
		*first = size - *length;
		return RANGE_PART;
	}
	if (range->first >= size)
		return RANGE_UNSATISFIABLE;
	*first = range->first;
	*length = size - *first;
	if (range->last >= 0 && range->last < size)
		*length = range->last - *first + 1;
	return RANGE_PART;
}
