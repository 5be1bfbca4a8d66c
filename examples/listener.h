/* SPDX-License-Identifier: MIT */
/*
 * listener: what a server sets up before its first request: listening sockets, the signals that end
 * it, descriptors enough. Plain system calls, for all of this happens once. Errors are negative
 * errnos, nothing is printed. One thread.
 */
#ifndef EXAMPLES_LISTENER_H
#define EXAMPLES_LISTENER_H

struct listener {
	int fd;	    /* listening; blocking, close-on-exec */
	char *name; /* where it can be reached, in the form of a spec; with the port it was given */
	char *path; /* of a UNIX socket: removed by listener_close(); else NULL */
};

/*
 * Listens at SPEC:
 *
 *	HOST:PORT  127.0.0.1:80, localhost:http, [::1]:80; without a HOST at all addresses of this
 *		   machine; with PORT 0 at one that the system chooses
 *	unix:PATH  a socket in the file system; one that is there already is replaced if nobody
 *		   listens there any more
 *
 * Of the addresses of a HOST the first that can be had is taken. 0 or a negative errno (-EINVAL:
 * SPEC is neither of these, -ENOENT also: no such host or service), *listener then has an fd of -1.
 */
int listener_open(struct listener *listener, const char *spec);

/* Closes the socket unless FD is -1, removes the path, frees the rest. */
void listener_close(struct listener *listener);

/*
 * Blocks SIGINT and SIGTERM, ignores SIGPIPE, and returns a descriptor to read signalfd_siginfo
 * from when one of the former came. To be called before there are other threads.
 */
int stop_signals_open(void);

/* Lets this process have as many descriptors as it may; returns how many that is. */
unsigned long raise_descriptor_limit(void);

/* How many threads this process has, or a negative errno. */
int count_threads(void);

#endif
