/* SPDX-License-Identifier: MIT */
/* listener: listening sockets from what stands on a command line, signals, limits. */
#include "listener.h"

#include "report.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Whoever comes while the server is busy waits here; the system may allow less. */
#define BACKLOG 4096

#define UNIX_PREFIX "unix:"

/* A listening socket at ADDRESS, or a negative errno. */
static int listen_at(const struct sockaddr *address, socklen_t length)
{
	const int on = 1;
	int error, fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* Connections of an earlier run that linger on must not keep a new one from starting. */
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address, length) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* ---- UNIX sockets ---- */

/* Is there a socket that nobody listens at: what a server leaves that could not clean up? */
static bool abandoned(const struct sockaddr_un *address)
{
	struct stat attributes;
	bool refused;
	int fd;

	if (lstat(address->sun_path, &attributes) < 0 || !S_ISSOCK(attributes.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static int open_unix(struct listener *listener, const char *spec)
{
	const char *path = spec + strlen(UNIX_PREFIX);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	listener->fd = listen_at((struct sockaddr *)&address, sizeof(address));
	if (listener->fd == -EADDRINUSE && abandoned(&address)) {
		if (unlink(path) < 0)
			return -errno;
		listener->fd = listen_at((struct sockaddr *)&address, sizeof(address));
	}
	if (listener->fd < 0)
		return listener->fd;
	listener->path = copy_string(path);
	listener->name = copy_string(spec);
	return 0;
}

/* ---- TCP ---- */

/* What getaddrinfo() has to complain about, as an errno. */
static int resolver_error(int code)
{
	switch (code) {
	case EAI_SYSTEM:
		return -errno;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
		return -EAGAIN;
	default:
		return -ENOENT;
	}
}

/* The address that the socket has got, as HOST:PORT. */
static int name_tcp(struct listener *listener)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	size_t size;

	if (getsockname(listener->fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	if (getnameinfo((struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return -EADDRNOTAVAIL;
	size = strlen(host) + strlen(port) + sizeof("[]:");
	listener->name = allocate(size);
	snprintf(listener->name, size, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
		 port);
	return 0;
}

/* At the first of @addresses, of @family, that can be had. */
static int listen_at_first(const struct addrinfo *addresses, int family, int *fd)
{
	int error = -ENOENT;

	for (const struct addrinfo *each = addresses; each && error; each = each->ai_next) {
		if (family != AF_UNSPEC && each->ai_family != family)
			continue;
		*fd = listen_at(each->ai_addr, each->ai_addrlen);
		error = *fd < 0 ? *fd : 0;
	}
	return error;
}

static int open_tcp(struct listener *listener, char *host, const char *port)
{
	const struct addrinfo wanted = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	size_t length = strlen(host);
	struct addrinfo *found;
	int code, error = -ENOENT;

	if (host[0] == '[' && length > 2 && host[length - 1] == ']') {
		host[length - 1] = '\0';
		host++;
	}
	/* getaddrinfo() would take such a number modulo 65536. */
	if (!port[strspn(port, "0123456789")] && (strlen(port) > 5 || atoi(port) > 65535))
		return -ERANGE;
	code = getaddrinfo(*host ? host : NULL, port, &wanted, &found);
	if (code)
		return resolver_error(code);
	/* All addresses: a socket for IPv6, if there is IPv6, serves IPv4 too. */
	if (!*host)
		error = listen_at_first(found, AF_INET6, &listener->fd);
	if (error)
		error = listen_at_first(found, AF_UNSPEC, &listener->fd);
	freeaddrinfo(found);
	return error ? error : name_tcp(listener);
}

int listener_open(struct listener *listener, const char *spec)
{
	int error = -EINVAL;

	*listener = (struct listener){.fd = -1};
	if (strncmp(spec, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
		error = open_unix(listener, spec);
	} else {
		/* The last one: an IPv6 address has many. */
		char *host = copy_string(spec), *colon = strrchr(host, ':');

		if (colon && colon[1]) {
			*colon = '\0';
			error = open_tcp(listener, host, colon + 1);
		}
		free(host);
	}
	if (error)
		listener_close(listener);
	return error;
}

void listener_close(struct listener *listener)
{
	if (listener->fd >= 0)
		close(listener->fd);
	if (listener->path)
		unlink(listener->path);
	free(listener->path);
	free(listener->name);
	*listener = (struct listener){.fd = -1};
}

/* ---- the process ---- */

int stop_signals_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

unsigned long raise_descriptor_limit(void)
{
	struct rlimit limit, raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	raised = limit;
	raised.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &raised) < 0 ? limit.rlim_cur : raised.rlim_cur;
}

int count_threads(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	int count = -ENODATA;

	if (!status)
		return -errno;
	while (count < 0 && fgets(line, sizeof(line), status))
		if (strncmp(line, "Threads:", 8) == 0)
			count = atoi(line + 8);
	fclose(status);
	return count;
}
