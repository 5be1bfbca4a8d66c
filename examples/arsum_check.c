/* SPDX-License-Identifier: MIT */
/*
 * arsum_check: lists of checksums in the form of sha256sum(1): the digits, a blank, a blank or an
 * asterisk, the path. A backslash before the digits says that the path is escaped.
 */
#include "arsum.h"

#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *escape_path(const char *path, bool *escaped)
{
	char *text = allocate(strlen(path) * 2 + 1), *to = text;

	*escaped = strpbrk(path, "\\\n\r") != NULL;
	for (; *path; path++) {
		switch (*path) {
		case '\\':
			to = stpcpy(to, "\\\\");
			break;
		case '\n':
			to = stpcpy(to, "\\n");
			break;
		case '\r':
			to = stpcpy(to, "\\r");
			break;
		default:
			*to++ = *path;
		}
	}
	*to = '\0';
	return text;
}

/* Undoes escape_path() in place; false if it cannot have been escaped so. */
static bool unescape(char *path)
{
	char *to = path;

	for (; *path; path++) {
		if (*path != '\\') {
			*to++ = *path;
			continue;
		}
		switch (*++path) {
		case '\\':
			*to++ = '\\';
			break;
		case 'n':
			*to++ = '\n';
			break;
		case 'r':
			*to++ = '\r';
			break;
		default:
			return false;
		}
	}
	*to = '\0';
	return true;
}

static bool load_line(struct sums *sums, char *line, enum algorithm wanted)
{
	bool escaped = line[0] == '\\';
	enum algorithm algorithm;
	struct sum *sum;
	char *path;
	size_t digits;

	line += escaped;
	digits = strspn(line, "0123456789abcdefABCDEF");
	algorithm = algorithm_of_length(digits);
	if (algorithm == ALGORITHMS || (wanted != ALGORITHMS && wanted != algorithm))
		return false;
	path = line + digits;
	if (path[0] != ' ' || (path[1] != ' ' && path[1] != '*') || !path[2])
		return false;
	path += 2;
	if (escaped && !unescape(path))
		return false;
	sum = sums_add(sums, copy_string(path), algorithm);
	for (size_t i = 0; i < digits; i++)
		sum->expected[i] = (char)tolower((unsigned char)line[i]);
	return true;
}

int sums_load(struct sums *sums, const char *path, enum algorithm wanted, size_t *bad_lines)
{
	bool standard_input = strcmp(path, "-") == 0;
	FILE *stream = standard_input ? stdin : fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int error;

	if (!stream)
		return -errno;
	while ((length = getline(&line, &size, stream)) >= 0) {
		if (length > 0 && line[length - 1] == '\n')
			line[length - 1] = '\0';
		if (!load_line(sums, line, wanted))
			(*bad_lines)++;
	}
	error = ferror(stream) ? -errno : 0;
	free(line);
	if (!standard_input)
		fclose(stream);
	return error;
}
