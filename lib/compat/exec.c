/* SPDX-License-Identifier: MIT */
/*
 * Children inherit: what is executed gets LD_PRELOAD and our settings also when the program gives
 * it an environment without them. It has inherited the filter, too, and would not survive an
 * io_uring call with nobody there to serve it.
 *
 * These functions are called between fork or vfork and exec, so they use the stack alone.
 */
#include <limits.h>
#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../sys.h"
#include "preload.h"
#include "settings.h"

/* What each child must find, as NAME=VALUE; constant after exec_init(). */
static struct {
	const char *library;	     /* the value of LD_PRELOAD that is ours alone */
	char preload[PATH_MAX + 16]; /* LD_PRELOAD=library */
	char settings[64];	     /* ASYNCRING_RUN=... */
} children;

void exec_init(void)
{
	static const char name[] = "LD_PRELOAD=";
	const char *settings = getenv(SETTINGS_VARIABLE);

	if (preload_path(children.preload + strlen(name), PATH_MAX)) {
		memcpy(children.preload, name, strlen(name));
		children.library = children.preload + strlen(name);
	}
	snprintf(children.settings, sizeof(children.settings), SETTINGS_VARIABLE "=%s",
		 settings ? settings : "");
}

static const char *find(char *const *environment, const char *name)
{
	size_t length = strlen(name);

	for (; environment && *environment; environment++)
		if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
			return *environment + length + 1;
	return NULL;
}

static size_t count(char *const *list)
{
	size_t number = 0;

	while (list && list[number])
		number++;
	return number;
}

static bool complete(char *const *environment)
{
	const char *preload = find(environment, "LD_PRELOAD");

	return !children.library || (preload && strstr(preload, children.library) &&
				     find(environment, SETTINGS_VARIABLE));
}

/* Room for the list that with_ours() fills: two more and the end. */
#define ROOM(environment) ((count(environment) + 3) * sizeof(char *))
/* Room for LD_PRELOAD if the program has one of its own. */
static size_t preload_room(char *const *environment)
{
	const char *others = find(environment, "LD_PRELOAD");

	return sizeof(children.preload) + (others ? strlen(others) : 0) + 2;
}

static char **with_ours(char *const *environment, char **list, char *preload, size_t size)
{
	const char *others = find(environment, "LD_PRELOAD");
	size_t used = 0;

	snprintf(preload, size, "%s%s%s", children.preload, others && *others ? ":" : "",
		 others ? others : "");
	list[used++] = preload;
	list[used++] = children.settings;
	for (; environment && *environment; environment++)
		if (strncmp(*environment, "LD_PRELOAD=", 11) != 0 &&
		    strncmp(*environment, SETTINGS_VARIABLE "=", sizeof(SETTINGS_VARIABLE)) != 0)
			list[used++] = *environment;
	list[used] = NULL;
	return list;
}

/* @environment as a child has to get it. What is made lives in the caller's frame. */
#define COMPLETED(environment)                                                                     \
	(complete(environment) ? (char **)(environment)                                            \
			       : with_ours(environment, __builtin_alloca(ROOM(environment)),       \
					   __builtin_alloca(preload_room(environment)),            \
					   preload_room(environment)))

INTERPOSED int execve(const char *path, char *const arguments[], char *const environment[])
{
	return NEXT(execve)(path, arguments, COMPLETED(environment));
}

INTERPOSED int execv(const char *path, char *const arguments[])
{
	return execve(path, arguments, environ);
}

INTERPOSED int execvpe(const char *file, char *const arguments[], char *const environment[])
{
	return NEXT(execvpe)(file, arguments, COMPLETED(environment));
}

INTERPOSED int execvp(const char *file, char *const arguments[])
{
	return execvpe(file, arguments, environ);
}

INTERPOSED int fexecve(int fd, char *const arguments[], char *const environment[])
{
	return NEXT(fexecve)(fd, arguments, COMPLETED(environment));
}

long exec_call(long number, const long a[6])
{
	if (number == SYS_execve)
		return sys(number, a[0], a[1], COMPLETED((char *const *)a[2]));
	return sys(number, a[0], a[1], a[2], COMPLETED((char *const *)a[3]), a[4]);
}

#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 34)

INTERPOSED int execveat(int directory, const char *path, char *const arguments[],
			char *const environment[], int flags)
{
	const long a[6] = {directory, (long)path, (long)arguments, (long)environment, flags};

	errno = (int)-exec_call(SYS_execveat, a);
	return -1;
}

#endif
#endif

INTERPOSED int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attributes, char *const arguments[],
			   char *const environment[])
{
	return NEXT(posix_spawn)(pid, path, actions, attributes, arguments, COMPLETED(environment));
}

INTERPOSED int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			    const posix_spawnattr_t *attributes, char *const arguments[],
			    char *const environment[])
{
	return NEXT(posix_spawnp)(pid, file, actions, attributes, arguments,
				  COMPLETED(environment));
}

/* ---- the same with the arguments one by one ---- */

/* How many there are from @first on, the NULL that ends them not counted. */
static size_t count_listed(const char *first, va_list list)
{
	size_t number = 0;

	for (const char *argument = first; argument; argument = va_arg(list, const char *))
		number++;
	return number;
}

static void collect(char **arguments, const char *first, va_list list)
{
	size_t used = 0;

	for (const char *argument = first; argument; argument = va_arg(list, const char *))
		arguments[used++] = (char *)argument;
	arguments[used] = NULL;
}

#define COLLECT(arguments, first)                                                                  \
	do {                                                                                       \
		va_list list_;                                                                     \
		va_start(list_, first);                                                            \
		(arguments) = __builtin_alloca((count_listed(first, list_) + 1) * sizeof(char *)); \
		va_end(list_);                                                                     \
		va_start(list_, first);                                                            \
		collect(arguments, first, list_);                                                  \
		va_end(list_);                                                                     \
	} while (0)

INTERPOSED int execl(const char *path, const char *first, ...)
{
	char **arguments;

	COLLECT(arguments, first);
	return execve(path, arguments, environ);
}

INTERPOSED int execlp(const char *file, const char *first, ...)
{
	char **arguments;

	COLLECT(arguments, first);
	return execvpe(file, arguments, environ);
}

/* The environment follows the NULL that ends the arguments. */
INTERPOSED int execle(const char *path, const char *first, ...)
{
	char **arguments, **environment;
	va_list list;

	COLLECT(arguments, first);
	va_start(list, first);
	count_listed(first, list);
	environment = va_arg(list, char **);
	va_end(list);
	return execve(path, arguments, environment);
}
