/* SPDX-License-Identifier: MIT */
/*
 * report: messages on standard error, names quoted so that no byte of a file name can garble the
 * terminal, and the few string helpers that every example needs.
 */
#include "report.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

static const char *program_name = "?";
static void (*before_message)(void);

void report_open(const char *program, void (*before)(void))
{
	program_name = program;
	before_message = before;
}

void report(int error, const char *format, const char *first, const char *second)
{
	char *one = first ? quote(first) : NULL;
	char *two = second ? quote(second) : NULL;

	if (before_message)
		before_message();
	fprintf(stderr, "%s: ", program_name);
	fprintf(stderr, format, one, two);
	if (error)
		fprintf(stderr, ": %s", strerror(-error));
	fputc('\n', stderr);
	free(one);
	free(two);
}

/* How many bytes the printable character at the start of TEXT has; 0 if it is not printable. */
static size_t printable(const char *text, size_t length)
{
	mbstate_t state = {0};
	wchar_t character;
	size_t size = mbrtowc(&character, text, length, &state);

	return size <= length && size > 0 && iswprint(character) ? size : 0;
}

/* Writes an unprintable byte in the way of the C language. */
static char *escape(char *to, unsigned char byte)
{
	if (byte >= '\a' && byte <= '\r')
		return to + sprintf(to, "\\%c", "abtnvfr"[byte - '\a']);
	return to + sprintf(to, "\\%03o", byte);
}

char *quote(const char *name)
{
	size_t length = strlen(name), size;
	bool escaping = false;
	/* The worst byte turns into '$'\ooo'', nine characters; the outer quotes come on top. */
	char *quoted = allocate(length * 9 + 3), *to = quoted;

	*to++ = '\'';
	for (; length; name += size, length -= size) {
		size = printable(name, length);
		if (!size != escaping) {
			to = stpcpy(to, size ? "''" : "'$'");
			escaping = !size;
		}
		if (!size) {
			to = escape(to, (unsigned char)*name);
			size = 1;
		} else if (*name == '\'') {
			to = stpcpy(to, "'\\''");
		} else {
			to = mempcpy(to, name, size);
		}
	}
	strcpy(to, "'");
	return quoted;
}

void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (!memory) {
		fprintf(stderr, "%s: memory exhausted\n", program_name);
		exit(EXIT_FAILURE);
	}
	return memory;
}

char *copy_string(const char *string)
{
	return strcpy(allocate(strlen(string) + 1), string);
}

char *join_path(const char *directory, const char *name)
{
	size_t length = strlen(directory);
	char *path = allocate(length + strlen(name) + 2);
	char *to = mempcpy(path, directory, length);

	if (length == 0 || directory[length - 1] != '/')
		*to++ = '/';
	strcpy(to, name);
	return path;
}
