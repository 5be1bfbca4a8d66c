/* SPDX-License-Identifier: MIT */
/* The version of liburing whose application side <liburing.h> of libasyncring offers. */
#ifndef LIBURING_VERSION_H
#define LIBURING_VERSION_H

#define IO_URING_VERSION_MAJOR 2
#define IO_URING_VERSION_MINOR 15

/* True if that is older than major.minor. */
#define IO_URING_CHECK_VERSION(major, minor)                                                       \
	((major) > IO_URING_VERSION_MAJOR ||                                                       \
	 ((major) == IO_URING_VERSION_MAJOR && (minor) > IO_URING_VERSION_MINOR))

#endif
