/* SPDX-License-Identifier: MIT */
/*
 * Every system call the library makes, in one place.
 *
 * The calls are made directly and not through libc's wrappers, for three reasons: the result is a
 * negative errno and the application's errno stays untouched; none of them is a cancellation point
 * (library code runs in the application's threads, and a thread cancelled in the middle would take
 * the library's locks with it); and a test build can answer any of them itself.
 *
 * In a build with ASYNCRING_TESTING, asyncring__sys_hook sees each call first and may answer it.
 * The hook must not itself call into the library.
 */
#ifndef ASYNCRING__SYS_H
#define ASYNCRING__SYS_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RAW(x) ((long)(x))

#if defined(__x86_64__) && defined(__LP64__)

static inline long sys_raw6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long sys_raw6(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#else

static inline long sys_raw6(long number, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long result = syscall(number, a, b, c, d, e, f);

	if (result == -1)
		result = -errno;
	errno = saved;
	return result;
}

#endif

#ifdef ASYNCRING_TESTING
/* Answers a call in *result and returns true, or returns false to let the kernel answer. */
extern bool (*asyncring__sys_hook)(long number, const long arguments[6], long *result);
#endif

static inline long sys6(long number, long a, long b, long c, long d, long e, long f)
{
#ifdef ASYNCRING_TESTING
	if (asyncring__sys_hook) {
		const long arguments[6] = {a, b, c, d, e, f};
		long result;

		if (asyncring__sys_hook(number, arguments, &result))
			return result;
	}
#endif
	return sys_raw6(number, a, b, c, d, e, f);
}

#ifdef __clang_analyzer__
/* The analyser does not see that the kernel writes through a pointer that was made an integer. */
#define sys(...) syscall(__VA_ARGS__)
#else
#define SYS_ARGS(_0, a, b, c, d, e, f, ...) _0, RAW(a), RAW(b), RAW(c), RAW(d), RAW(e), RAW(f)
/* sys(SYS_read, fd, buffer, length): up to six arguments of any integer or pointer type. */
#define sys(...)			    sys6(SYS_ARGS(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0))
#endif

/* ---- descriptors ---- */

static inline int sys_close(int fd)
{
	return (int)sys(SYS_close, fd);
}

static inline int sys_fcntl(int fd, int command, long argument)
{
	return (int)sys(SYS_fcntl, fd, command, argument);
}

static inline int sys_fstat(int fd, struct stat *status)
{
#ifdef SYS_newfstatat
	return (int)sys(SYS_newfstatat, fd, "", status, AT_EMPTY_PATH);
#else
	return (int)sys(SYS_fstat, fd, status);
#endif
}

static inline int sys_fstatfs(int fd, struct statfs *status)
{
	return (int)sys(SYS_fstatfs, fd, status);
}

static inline int sys_ppoll(struct pollfd *fds, unsigned count, const struct timespec *timeout,
			    const sigset_t *mask)
{
	struct timespec left, *remaining = NULL;

	if (timeout) {
		left = *timeout;
		remaining = &left;
	}
	return (int)sys(SYS_ppoll, fds, count, remaining, mask, _NSIG / 8);
}

static inline long sys_write(int fd, const void *data, size_t length)
{
	return sys(SYS_write, fd, data, length);
}

static inline long sys_read(int fd, void *data, size_t length)
{
	return sys(SYS_read, fd, data, length);
}

static inline long sys_pread(int fd, void *data, size_t length, int64_t offset)
{
	return sys(SYS_pread64, fd, data, length, offset);
}

static inline long sys_pwrite(int fd, const void *data, size_t length, int64_t offset)
{
	return sys(SYS_pwrite64, fd, data, length, offset);
}

/* The kernel takes the offset in two halves; on 64-bit machines the low one holds all of it. */
static inline long sys_preadv2(int fd, const struct iovec *iov, unsigned count, int64_t offset,
			       int flags)
{
	long result = sys(SYS_preadv2, fd, iov, count, offset, 0, flags);

	/* Without flags the older calls say the same, where a sandbox or emulator lacks this one.
	 */
	if (result == -ENOSYS && !flags)
		return offset == -1 ? sys(SYS_readv, fd, iov, count)
				    : sys(SYS_preadv, fd, iov, count, offset, 0);
	return result;
}

static inline long sys_pwritev2(int fd, const struct iovec *iov, unsigned count, int64_t offset,
				int flags)
{
	long result = sys(SYS_pwritev2, fd, iov, count, offset, 0, flags);

	if (result == -ENOSYS && !flags)
		return offset == -1 ? sys(SYS_writev, fd, iov, count)
				    : sys(SYS_pwritev, fd, iov, count, offset, 0);
	return result;
}

/* ---- memory ---- */

/*
 * ThreadSanitizer has to see memory come and go, or it takes the next owner of an address for a
 * thread that races with the last. So under it, and only there, these two go through libc.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SYS_MEMORY_THROUGH_LIBC
#endif
#elif defined(__SANITIZE_THREAD__)
#define SYS_MEMORY_THROUGH_LIBC
#endif

#ifdef SYS_MEMORY_THROUGH_LIBC

static inline void *sys_mmap_anonymous(size_t length, int flags)
{
	int saved = errno;
	void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	errno = saved;
	return address == MAP_FAILED ? NULL : address;
}

static inline int sys_munmap(void *address, size_t length)
{
	int saved = errno;
	int error = munmap(address, length) ? -errno : 0;

	errno = saved;
	return error;
}

/* It would not see that two addresses are one memory, and who orders whom there. */
static inline void *sys_map_again(void *address, size_t length)
{
	(void)address;
	(void)length;
	return NULL;
}

#else

static inline void *sys_mmap_anonymous(size_t length, int flags)
{
	long address =
		sys(SYS_mmap, NULL, length, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	return address < 0 && address > -4096 ? NULL : (void *)address;
}

static inline int sys_munmap(void *address, size_t length)
{
	return (int)sys(SYS_munmap, address, length);
}

/* An old size of 0 maps shared memory once more; NULL: that cannot be, as with other memory. */
static inline void *sys_map_again(void *address, size_t length)
{
	long again = sys(SYS_mremap, address, 0, length, MREMAP_MAYMOVE);

	return again < 0 && again >= -4095 ? NULL : (void *)again;
}

#endif

/* ---- waiting ---- */

/*
 * Sleep while *word is @expected, until @timeout (relative) if there is one. Not private: the word
 * may lie in memory shared with another process.
 */
static inline int sys_futex_wait(_Atomic uint32_t *word, uint32_t expected,
				 const struct timespec *timeout)
{
	return (int)sys(SYS_futex, word, FUTEX_WAIT, expected, timeout, NULL, 0);
}

/*
 * As sys_futex_wait, but every signal with a handler ends it with -EINTR. Without any timeout the
 * kernel would go on with the call after a handler with SA_RESTART.
 */
static inline int sys_futex_wait_interruptible(_Atomic uint32_t *word, uint32_t expected,
					       const struct timespec *timeout)
{
	static const struct timespec ages = {.tv_sec = 1 << 30};

	return sys_futex_wait(word, expected, timeout ? timeout : &ages);
}

static inline int sys_futex_wake(_Atomic uint32_t *word, int count)
{
	return (int)sys(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

#endif
