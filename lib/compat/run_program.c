/* SPDX-License-Identifier: MIT */
/*
 * Can a program be served? The dynamic linker must load our library into it, which is not so for
 * one that has none, is for another machine or another C library, or gains privileges.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "run.h"

enum { NOT_FOUND = 127, CANNOT_RUN = 126, SCRIPTS_MAX = 4 };

/* The first bytes of a file: an ELF header and its program headers, or a script's first line. */
struct head {
	char bytes[4096];
	size_t length;
};

static int refuse(const char *path, const char *reason)
{
	fprintf(stderr, "asyncring-run: %s: %s\n", path, reason);
	return CANNOT_RUN;
}

static int read_head(const char *path, struct head *head)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return refuse(path, strerror(errno));
	length = pread(fd, head->bytes, sizeof(head->bytes) - 1, 0);
	close(fd);
	if (length < 0)
		return refuse(path, strerror(errno));
	head->bytes[length] = '\0';
	head->length = (size_t)length;
	return 0;
}

/* What the file's program header of type @type says; NULL: it has none. */
static const ElfW(Phdr) * find_header(const struct head *head, uint32_t type)
{
	const ElfW(Ehdr) *elf = (const void *)head->bytes;

	for (unsigned i = 0; i < elf->e_phnum; i++) {
		size_t at = elf->e_phoff + i * sizeof(ElfW(Phdr));
		const ElfW(Phdr) *header = (const void *)(head->bytes + at);

		/* The file says where they are, which need not be true. */
		if (elf->e_phoff > head->length || at + sizeof(*header) > head->length)
			return NULL;
		if (header->p_type == type)
			return header;
	}
	return NULL;
}

/* The dynamic linker a file asks for, or "" if it asks for none. */
static void read_interpreter(const char *path, const struct head *head, char name[PATH_MAX])
{
	const ElfW(Phdr) *header = find_header(head, PT_INTERP);
	size_t size = header ? header->p_filesz : 0;
	int fd;

	name[0] = '\0';
	if (!size || size > PATH_MAX)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (pread(fd, name, size, (off_t)header->p_offset) != (ssize_t)size)
		name[0] = '\0';
	name[size - 1] = '\0';
	close(fd);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* With which the dynamic linker believes nothing that the environment says. */
static bool gains_privileges(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return false;
	if (status.st_mode & S_ISUID && status.st_uid != getuid())
		return true;
	if (status.st_mode & S_ISGID && status.st_mode & S_IXGRP && status.st_gid != getgid())
		return true;
	return getuid() && getxattr(path, "security.capability", NULL, 0) > 0;
}

static int check_elf(const char *path, const struct head *head)
{
	const ElfW(Ehdr) *elf = (const void *)head->bytes;
	char theirs[PATH_MAX], ours[PATH_MAX];
	struct head own;
	const ElfW(Ehdr) *our_elf = (const void *)own.bytes;

	if (read_head("/proc/self/exe", &own))
		return CANNOT_RUN;
	if (head->length < sizeof(*elf) || elf->e_ident[EI_CLASS] != our_elf->e_ident[EI_CLASS] ||
	    elf->e_machine != our_elf->e_machine)
		return refuse(path, "a program for another machine cannot be served");
	read_interpreter(path, head, theirs);
	if (!theirs[0])
		return refuse(path, "a statically linked program cannot be served: nothing can be "
				    "loaded into it");
	read_interpreter("/proc/self/exe", &own, ours);
	if (strcmp(base_name(theirs), base_name(ours)) != 0)
		return refuse(path, "a program with another C library than asyncring-run's cannot "
				    "be served");
	if (gains_privileges(path))
		return refuse(path, "a program that gains privileges cannot be served: nothing is "
				    "loaded into it");
	return 0;
}

/* The interpreter named on a script's first line. */
static bool read_script(const struct head *head, char name[PATH_MAX])
{
	const char *start = head->bytes + 2;
	size_t length;

	if (head->length < 3 || memcmp(head->bytes, "#!", 2) != 0)
		return false;
	start += strspn(start, " \t");
	length = strcspn(start, " \t\n");
	if (!length || length >= PATH_MAX)
		return false;
	memcpy(name, start, length);
	name[length] = '\0';
	return true;
}

/* What is going to run for @path: it, or the interpreter of the script that it is. */
static int check(const char *path)
{
	char current[PATH_MAX], next[PATH_MAX];
	struct head head;

	snprintf(current, sizeof(current), "%s", path);
	for (int scripts = 0; scripts <= SCRIPTS_MAX; scripts++) {
		int error = read_head(current, &head);

		if (error)
			return error;
		if (head.length >= SELFMAG && !memcmp(head.bytes, ELFMAG, SELFMAG))
			return check_elf(current, &head);
		/* What says nothing of itself is a shell's to run. */
		if (!read_script(&head, next))
			memcpy(next, "/bin/sh", sizeof("/bin/sh"));
		if (access(next, F_OK)) {
			fprintf(stderr, "asyncring-run: %s: its interpreter %s: %s\n", current,
				next, strerror(errno));
			return NOT_FOUND;
		}
		memcpy(current, next, strlen(next) + 1);
	}
	return refuse(path, "too many scripts that run one another");
}

static bool is_executable(const char *path)
{
	struct stat status;

	return !stat(path, &status) && S_ISREG(status.st_mode) && !access(path, X_OK);
}

/* @name in the directories of PATH. */
static bool search(const char *name, char path[PATH_MAX])
{
	const char *directories = getenv("PATH");

	if (!directories)
		directories = "/bin:/usr/bin";
	while (*directories) {
		size_t length = strcspn(directories, ":");

		snprintf(path, PATH_MAX, "%.*s%s%s", (int)length, directories, length ? "/" : "",
			 name);
		if (is_executable(path))
			return true;
		directories += length + (directories[length] == ':');
	}
	return false;
}

int program_find(const char *name, char path[PATH_MAX])
{
	struct stat status;

	if (strchr(name, '/'))
		snprintf(path, PATH_MAX, "%s", name);
	else if (!search(name, path)) {
		fprintf(stderr, "asyncring-run: %s: not found\n", name);
		return NOT_FOUND;
	}
	if (stat(path, &status)) {
		fprintf(stderr, "asyncring-run: %s: %s\n", path, strerror(errno));
		return NOT_FOUND;
	}
	if (S_ISDIR(status.st_mode))
		return refuse(path, strerror(EISDIR));
	if (access(path, X_OK))
		return refuse(path, strerror(errno));
	return check(path);
}
