/* SPDX-License-Identifier: MIT */
/*
 * Filling in submission queue entries. Included by asyncring.h; do not include it alone.
 *
 * What every function here has in common
 * --------------------------------------
 * A prep function turns an entry from asyncring_get_sqe() into one request. It writes opcode, fd,
 * off, addr, len and the fields of its own operation; all others keep the zeros of get_sqe. It
 * leaves user_data alone, and sqe->flags too unless its line says otherwise: set both before or
 * after. It never blocks, checks nothing and cannot fail: whatever is wrong with the arguments is
 * the answer in the completion (cqe->res, a negative errno). It touches nothing but the entry, so
 * it is as thread-safe as the entry's owner makes it. cqe->res of a request that succeeded is the
 * result of the system call it is named after, unless stated otherwise.
 *
 * How long memory must stay
 * -------------------------
 * Two lifetimes exist, and each function below names the one of every pointer it is given:
 *
 * - "until submitted": the library copies what the pointer refers to while it submits the entry
 *   (ASYNCRING_FEAT_SUBMIT_STABLE). It may be gone as soon as the asyncring_submit() that took the
 *   entry has returned. With ASYNCRING_SETUP_SQPOLL the taking is asynchronous, and the memory
 *   must stay until the completion has been seen.
 * - "until completed": the memory belongs to the request until its last completion (the one
 *   without ASYNCRING_CQE_F_MORE) is in the completion queue, for zero-copy sends until that of
 *   the notification. That is so for all data buffers and for whatever a result is written to:
 *   backing memory is its creator's to keep for the whole of the asynchronous operation. Giving a
 *   timeout or asking for a cancellation does not shorten it; only the completion does.
 *
 * Descriptors are looked up while the entry is submitted, or when its turn in a link chain comes;
 * after that the application may close them. With ASYNCRING_SQE_FIXED_FILE in sqe->flags, fd is a
 * slot of the registered file table.
 *
 * Links
 * -----
 * ASYNCRING_SQE_IO_LINK in sqe->flags ties an entry to the one that follows it: that one starts
 * when this one has succeeded. If it fails, or transfers less than it was asked to, the rest of the
 * chain is not started and completes with -ECANCELED. With ASYNCRING_SQE_IO_HARDLINK the next one
 * starts in any case. Each flag decides for its own entry only, so both may be used in one chain. A
 * chain ends with the first entry that has neither flag, or with the last of what one call submits:
 * it does not go on into the next. Chains run side by side, the members of one never do. An entry
 * that is refused for what is in it takes its whole chain with it: the members before it are not
 * carried out either.
 *
 * Slots
 * -----
 * A file_index argument is a slot of the registered file table that the new file shall go to
 * instead of becoming a descriptor. ASYNCRING_FILE_INDEX_ALLOC lets the library choose a slot,
 * and then cqe->res is its number; else cqe->res is 0.
 */
#ifndef ASYNCRING_PREP_H
#define ASYNCRING_PREP_H

#ifndef ASYNCRING_H
#error "include <asyncring.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct epoll_event;
struct futex_waitv;
struct statx;

/* A pointer as the 64-bit number in which it travels. */
static inline __u64 asyncring__pointer(const void *pointer)
{
	return (__u64)(uintptr_t)pointer;
}

/* Slots are written plus one, as 0 says "no slot"; ALLOC (all ones) is written as it is. */
static inline void asyncring__set_target_fixed_file(struct asyncring_sqe *sqe,
						    unsigned int file_index)
{
	sqe->file_index = file_index == ASYNCRING_FILE_INDEX_ALLOC ? file_index : file_index + 1;
}

/*
 * Resets the fields that prep functions do not write each time. asyncring_get_sqe() does this; only
 * code that keeps its own entries needs to.
 */
static inline void asyncring_initialize_sqe(struct asyncring_sqe *sqe)
{
	sqe->flags = 0;
	sqe->ioprio = 0;
	sqe->rw_flags = 0;
	sqe->buf_index = 0;
	sqe->personality = 0;
	sqe->file_index = 0;
	sqe->addr3 = 0;
	sqe->__pad2[0] = 0;
}

/*
 * The common part, for operations that have no function of their own yet. addr must stay as the
 * operation op demands.
 */
static inline void asyncring_prep_rw(int op, struct asyncring_sqe *sqe, int fd, const void *addr,
				     unsigned len, __u64 offset)
{
	sqe->opcode = (__u8)op;
	sqe->fd = fd;
	sqe->off = offset;
	sqe->addr = asyncring__pointer(addr);
	sqe->len = len;
}

/* --------------------------------------------------------------------------------------------
 * Nothing at all: io_uring_prep_nop(3)
 *
 * Completes with 0, or with what ASYNCRING_NOP_* flags in sqe->nop_flags ask for. No pointers.
 */

static inline void asyncring_prep_nop(struct asyncring_sqe *sqe)
{
	asyncring_prep_rw(ASYNCRING_OP_NOP, sqe, -1, NULL, 0, 0);
}

/* The same in a 128-byte entry of a ring with ASYNCRING_SETUP_SQE_MIXED. */
static inline void asyncring_prep_nop128(struct asyncring_sqe *sqe)
{
	asyncring_prep_rw(ASYNCRING_OP_NOP128, sqe, -1, NULL, 0, 0);
}

/* --------------------------------------------------------------------------------------------
 * Reading and writing: io_uring_prep_read(3), preadv2(2), pwritev2(2)
 *
 * offset is in bytes; (__u64)-1 uses and moves the file position, and files without one (pipes,
 * sockets) want 0 or -1. flags are RWF_* of preadv2(2). cqe->res is the number of bytes
 * transferred: less than asked for at the end of a regular file, and from pipes and sockets.
 * iovec arrays: until submitted. The data buffers (buf, and every iov_base): until completed.
 */

/* pread(2) of nbytes bytes to buf. */
static inline void asyncring_prep_read(struct asyncring_sqe *sqe, int fd, void *buf,
				       unsigned nbytes, __u64 offset)
{
	asyncring_prep_rw(ASYNCRING_OP_READ, sqe, fd, buf, nbytes, offset);
}

/* pwrite(2) of nbytes bytes from buf. */
static inline void asyncring_prep_write(struct asyncring_sqe *sqe, int fd, const void *buf,
					unsigned nbytes, __u64 offset)
{
	asyncring_prep_rw(ASYNCRING_OP_WRITE, sqe, fd, buf, nbytes, offset);
}

/* preadv(2). */
static inline void asyncring_prep_readv(struct asyncring_sqe *sqe, int fd,
					const struct iovec *iovecs, unsigned nr_vecs, __u64 offset)
{
	asyncring_prep_rw(ASYNCRING_OP_READV, sqe, fd, iovecs, nr_vecs, offset);
}

/* preadv2(2). */
static inline void asyncring_prep_readv2(struct asyncring_sqe *sqe, int fd,
					 const struct iovec *iovecs, unsigned nr_vecs, __u64 offset,
					 int flags)
{
	asyncring_prep_readv(sqe, fd, iovecs, nr_vecs, offset);
	sqe->rw_flags = (__u32)flags;
}

/* pwritev(2). */
static inline void asyncring_prep_writev(struct asyncring_sqe *sqe, int fd,
					 const struct iovec *iovecs, unsigned nr_vecs, __u64 offset)
{
	asyncring_prep_rw(ASYNCRING_OP_WRITEV, sqe, fd, iovecs, nr_vecs, offset);
}

/* pwritev2(2). */
static inline void asyncring_prep_writev2(struct asyncring_sqe *sqe, int fd,
					  const struct iovec *iovecs, unsigned nr_vecs,
					  __u64 offset, int flags)
{
	asyncring_prep_writev(sqe, fd, iovecs, nr_vecs, offset);
	sqe->rw_flags = (__u32)flags;
}

/* Read to buf, which lies within registered buffer buf_index (-EFAULT if it does not). */
static inline void asyncring_prep_read_fixed(struct asyncring_sqe *sqe, int fd, void *buf,
					     unsigned nbytes, __u64 offset, int buf_index)
{
	asyncring_prep_rw(ASYNCRING_OP_READ_FIXED, sqe, fd, buf, nbytes, offset);
	sqe->buf_index = (__u16)buf_index;
}

/* Write from buf, which lies within registered buffer buf_index. */
static inline void asyncring_prep_write_fixed(struct asyncring_sqe *sqe, int fd, const void *buf,
					      unsigned nbytes, __u64 offset, int buf_index)
{
	asyncring_prep_rw(ASYNCRING_OP_WRITE_FIXED, sqe, fd, buf, nbytes, offset);
	sqe->buf_index = (__u16)buf_index;
}

/* Like readv2, with every iovec within registered buffer buf_index. */
static inline void asyncring_prep_readv_fixed(struct asyncring_sqe *sqe, int fd,
					      const struct iovec *iovecs, unsigned nr_vecs,
					      __u64 offset, int flags, int buf_index)
{
	asyncring_prep_readv2(sqe, fd, iovecs, nr_vecs, offset, flags);
	sqe->opcode = ASYNCRING_OP_READV_FIXED;
	sqe->buf_index = (__u16)buf_index;
}

/* Like writev2, with every iovec within registered buffer buf_index. */
static inline void asyncring_prep_writev_fixed(struct asyncring_sqe *sqe, int fd,
					       const struct iovec *iovecs, unsigned nr_vecs,
					       __u64 offset, int flags, int buf_index)
{
	asyncring_prep_writev2(sqe, fd, iovecs, nr_vecs, offset, flags);
	sqe->opcode = ASYNCRING_OP_WRITEV_FIXED;
	sqe->buf_index = (__u16)buf_index;
}

/*
 * Reads again and again as data comes, each time to a provided buffer of group buf_group, with one
 * completion each (ASYNCRING_CQE_F_MORE while it goes on). For pollable files; -EBADFD for regular
 * ones. Sets sqe->flags to ASYNCRING_SQE_BUFFER_SELECT.
 */
static inline void asyncring_prep_read_multishot(struct asyncring_sqe *sqe, int fd, unsigned nbytes,
						 __u64 offset, int buf_group)
{
	asyncring_prep_rw(ASYNCRING_OP_READ_MULTISHOT, sqe, fd, NULL, nbytes, offset);
	sqe->buf_group = (__u16)buf_group;
	sqe->flags = ASYNCRING_SQE_BUFFER_SELECT;
}

/* --------------------------------------------------------------------------------------------
 * File contents without a transfer: fsync(2), sync_file_range(2), fallocate(2), ftruncate(2),
 * posix_fadvise(2), madvise(2)
 *
 * Offsets and lengths are in bytes; cqe->res is 0 on success. No pointers, but the range given to
 * madvise must stay mapped until completed.
 */

/* fsync(2), or fdatasync(2) with ASYNCRING_FSYNC_DATASYNC. */
static inline void asyncring_prep_fsync(struct asyncring_sqe *sqe, int fd, unsigned fsync_flags)
{
	asyncring_prep_rw(ASYNCRING_OP_FSYNC, sqe, fd, NULL, 0, 0);
	sqe->fsync_flags = fsync_flags;
}

/* sync_file_range(2); a len of 0 means to the end. */
static inline void asyncring_prep_sync_file_range(struct asyncring_sqe *sqe, int fd, unsigned len,
						  __u64 offset, int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_SYNC_FILE_RANGE, sqe, fd, NULL, len, offset);
	sqe->sync_range_flags = (__u32)flags;
}

/* fallocate(2). */
static inline void asyncring_prep_fallocate(struct asyncring_sqe *sqe, int fd, int mode,
					    __u64 offset, __u64 len)
{
	asyncring_prep_rw(ASYNCRING_OP_FALLOCATE, sqe, fd, NULL, (unsigned)mode, offset);
	sqe->addr = len;
}

/* ftruncate(2). */
static inline void asyncring_prep_ftruncate(struct asyncring_sqe *sqe, int fd, int64_t len)
{
	asyncring_prep_rw(ASYNCRING_OP_FTRUNCATE, sqe, fd, NULL, 0, (__u64)len);
}

/* posix_fadvise(2) with a length of up to 32 bits. */
static inline void asyncring_prep_fadvise(struct asyncring_sqe *sqe, int fd, __u64 offset,
					  __u32 len, int advice)
{
	asyncring_prep_rw(ASYNCRING_OP_FADVISE, sqe, fd, NULL, len, offset);
	sqe->fadvise_advice = (__u32)advice;
}

/* posix_fadvise(2). */
static inline void asyncring_prep_fadvise64(struct asyncring_sqe *sqe, int fd, __u64 offset,
					    off_t len, int advice)
{
	asyncring_prep_rw(ASYNCRING_OP_FADVISE, sqe, fd, NULL, 0, offset);
	sqe->addr = (__u64)len;
	sqe->fadvise_advice = (__u32)advice;
}

/* madvise(2) with a length of up to 32 bits. */
static inline void asyncring_prep_madvise(struct asyncring_sqe *sqe, void *addr, __u32 length,
					  int advice)
{
	asyncring_prep_rw(ASYNCRING_OP_MADVISE, sqe, -1, addr, length, 0);
	sqe->fadvise_advice = (__u32)advice;
}

/* madvise(2). */
static inline void asyncring_prep_madvise64(struct asyncring_sqe *sqe, void *addr, off_t length,
					    int advice)
{
	asyncring_prep_rw(ASYNCRING_OP_MADVISE, sqe, -1, addr, 0, (__u64)length);
	sqe->fadvise_advice = (__u32)advice;
}

/* --------------------------------------------------------------------------------------------
 * Opening and closing: openat(2), openat2(2), close(2)
 *
 * cqe->res is the new descriptor, or what file_index says above. Paths and how: until submitted.
 */

/* openat(2). */
static inline void asyncring_prep_openat(struct asyncring_sqe *sqe, int dfd, const char *path,
					 int flags, mode_t mode)
{
	asyncring_prep_rw(ASYNCRING_OP_OPENAT, sqe, dfd, path, mode, 0);
	sqe->open_flags = (__u32)flags;
}

/* openat(2) into the file table; O_CLOEXEC is -EINVAL. */
static inline void asyncring_prep_openat_direct(struct asyncring_sqe *sqe, int dfd,
						const char *path, int flags, mode_t mode,
						unsigned file_index)
{
	asyncring_prep_openat(sqe, dfd, path, flags, mode);
	asyncring__set_target_fixed_file(sqe, file_index);
}

/* open(2). */
static inline void asyncring_prep_open(struct asyncring_sqe *sqe, const char *path, int flags,
				       mode_t mode)
{
	asyncring_prep_openat(sqe, AT_FDCWD, path, flags, mode);
}

/* open(2) into the file table. */
static inline void asyncring_prep_open_direct(struct asyncring_sqe *sqe, const char *path,
					      int flags, mode_t mode, unsigned file_index)
{
	asyncring_prep_openat_direct(sqe, AT_FDCWD, path, flags, mode, file_index);
}

/* openat2(2). */
static inline void asyncring_prep_openat2(struct asyncring_sqe *sqe, int dfd, const char *path,
					  const struct open_how *how)
{
	asyncring_prep_rw(ASYNCRING_OP_OPENAT2, sqe, dfd, path, sizeof(*how),
			  asyncring__pointer(how));
}

/* openat2(2) into the file table. */
static inline void asyncring_prep_openat2_direct(struct asyncring_sqe *sqe, int dfd,
						 const char *path, const struct open_how *how,
						 unsigned file_index)
{
	asyncring_prep_openat2(sqe, dfd, path, how);
	asyncring__set_target_fixed_file(sqe, file_index);
}

/* close(2). A ring's own descriptor is refused with -EBADF. */
static inline void asyncring_prep_close(struct asyncring_sqe *sqe, int fd)
{
	asyncring_prep_rw(ASYNCRING_OP_CLOSE, sqe, fd, NULL, 0, 0);
}

/* Empties slot file_index of the file table. */
static inline void asyncring_prep_close_direct(struct asyncring_sqe *sqe, unsigned file_index)
{
	asyncring_prep_close(sqe, 0);
	asyncring__set_target_fixed_file(sqe, file_index);
}

/* --------------------------------------------------------------------------------------------
 * Names in the file system: renameat2(2), unlinkat(2), mkdirat(2), symlinkat(2), linkat(2),
 * statx(2)
 *
 * cqe->res is 0 on success. Paths: until submitted. statxbuf: until completed.
 */

/* statx(2). */
static inline void asyncring_prep_statx(struct asyncring_sqe *sqe, int dfd, const char *path,
					int flags, unsigned mask, struct statx *statxbuf)
{
	asyncring_prep_rw(ASYNCRING_OP_STATX, sqe, dfd, path, mask, asyncring__pointer(statxbuf));
	sqe->statx_flags = (__u32)flags;
}

/* unlinkat(2); AT_REMOVEDIR removes a directory. */
static inline void asyncring_prep_unlinkat(struct asyncring_sqe *sqe, int dfd, const char *path,
					   int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_UNLINKAT, sqe, dfd, path, 0, 0);
	sqe->unlink_flags = (__u32)flags;
}

/* unlinkat(2) from the working directory. */
static inline void asyncring_prep_unlink(struct asyncring_sqe *sqe, const char *path, int flags)
{
	asyncring_prep_unlinkat(sqe, AT_FDCWD, path, flags);
}

/* renameat2(2). */
static inline void asyncring_prep_renameat(struct asyncring_sqe *sqe, int olddfd,
					   const char *oldpath, int newdfd, const char *newpath,
					   unsigned int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_RENAMEAT, sqe, olddfd, oldpath, (__u32)newdfd,
			  asyncring__pointer(newpath));
	sqe->rename_flags = flags;
}

/* rename(2). */
static inline void asyncring_prep_rename(struct asyncring_sqe *sqe, const char *oldpath,
					 const char *newpath)
{
	asyncring_prep_renameat(sqe, AT_FDCWD, oldpath, AT_FDCWD, newpath, 0);
}

/* mkdirat(2). */
static inline void asyncring_prep_mkdirat(struct asyncring_sqe *sqe, int dfd, const char *path,
					  mode_t mode)
{
	asyncring_prep_rw(ASYNCRING_OP_MKDIRAT, sqe, dfd, path, mode, 0);
}

/* mkdir(2). */
static inline void asyncring_prep_mkdir(struct asyncring_sqe *sqe, const char *path, mode_t mode)
{
	asyncring_prep_mkdirat(sqe, AT_FDCWD, path, mode);
}

/* symlinkat(2). */
static inline void asyncring_prep_symlinkat(struct asyncring_sqe *sqe, const char *target,
					    int newdirfd, const char *linkpath)
{
	asyncring_prep_rw(ASYNCRING_OP_SYMLINKAT, sqe, newdirfd, target, 0,
			  asyncring__pointer(linkpath));
}

/* symlink(2). */
static inline void asyncring_prep_symlink(struct asyncring_sqe *sqe, const char *target,
					  const char *linkpath)
{
	asyncring_prep_symlinkat(sqe, target, AT_FDCWD, linkpath);
}

/* linkat(2). */
static inline void asyncring_prep_linkat(struct asyncring_sqe *sqe, int olddfd, const char *oldpath,
					 int newdfd, const char *newpath, int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_LINKAT, sqe, olddfd, oldpath, (__u32)newdfd,
			  asyncring__pointer(newpath));
	sqe->hardlink_flags = (__u32)flags;
}

/* linkat(2) within the working directory. */
static inline void asyncring_prep_link(struct asyncring_sqe *sqe, const char *oldpath,
				       const char *newpath, int flags)
{
	asyncring_prep_linkat(sqe, AT_FDCWD, oldpath, AT_FDCWD, newpath, flags);
}

/* --------------------------------------------------------------------------------------------
 * Extended attributes: getxattr(2), setxattr(2)
 *
 * len is the size of value in bytes. name and path: until submitted. value: until completed.
 */

/* getxattr(2); cqe->res is the size of the attribute. */
static inline void asyncring_prep_getxattr(struct asyncring_sqe *sqe, const char *name, char *value,
					   const char *path, unsigned int len)
{
	asyncring_prep_rw(ASYNCRING_OP_GETXATTR, sqe, 0, name, len, asyncring__pointer(value));
	sqe->addr3 = asyncring__pointer(path);
	sqe->xattr_flags = 0;
}

/* setxattr(2). */
static inline void asyncring_prep_setxattr(struct asyncring_sqe *sqe, const char *name,
					   const char *value, const char *path, int flags,
					   unsigned int len)
{
	asyncring_prep_rw(ASYNCRING_OP_SETXATTR, sqe, 0, name, len, asyncring__pointer(value));
	sqe->addr3 = asyncring__pointer(path);
	sqe->xattr_flags = (__u32)flags;
}

/* fgetxattr(2). */
static inline void asyncring_prep_fgetxattr(struct asyncring_sqe *sqe, int fd, const char *name,
					    char *value, unsigned int len)
{
	asyncring_prep_rw(ASYNCRING_OP_FGETXATTR, sqe, fd, name, len, asyncring__pointer(value));
	sqe->xattr_flags = 0;
}

/* fsetxattr(2). */
static inline void asyncring_prep_fsetxattr(struct asyncring_sqe *sqe, int fd, const char *name,
					    const char *value, int flags, unsigned int len)
{
	asyncring_prep_rw(ASYNCRING_OP_FSETXATTR, sqe, fd, name, len, asyncring__pointer(value));
	sqe->xattr_flags = (__u32)flags;
}

/* --------------------------------------------------------------------------------------------
 * Pipes: splice(2), tee(2), pipe2(2)
 *
 * cqe->res is the number of bytes moved, or 0 for pipe. fds: until completed.
 */

/*
 * splice(2): one of the two files must be a pipe. The offset of a pipe must be -1; -1 for another
 * file uses and moves its position. With ASYNCRING_SPLICE_F_FD_IN_FIXED in splice_flags, fd_in is
 * a slot of the file table; ASYNCRING_SQE_FIXED_FILE speaks of fd_out.
 */
static inline void asyncring_prep_splice(struct asyncring_sqe *sqe, int fd_in, int64_t off_in,
					 int fd_out, int64_t off_out, unsigned int nbytes,
					 unsigned int splice_flags)
{
	asyncring_prep_rw(ASYNCRING_OP_SPLICE, sqe, fd_out, NULL, nbytes, (__u64)off_out);
	sqe->splice_off_in = (__u64)off_in;
	sqe->splice_fd_in = fd_in;
	sqe->splice_flags = splice_flags;
}

/* tee(2): both files must be pipes. */
static inline void asyncring_prep_tee(struct asyncring_sqe *sqe, int fd_in, int fd_out,
				      unsigned int nbytes, unsigned int splice_flags)
{
	asyncring_prep_rw(ASYNCRING_OP_TEE, sqe, fd_out, NULL, nbytes, 0);
	sqe->splice_off_in = 0;
	sqe->splice_fd_in = fd_in;
	sqe->splice_flags = splice_flags;
}

/* pipe2(2): the two descriptors are written to fds. */
static inline void asyncring_prep_pipe(struct asyncring_sqe *sqe, int *fds, int pipe_flags)
{
	asyncring_prep_rw(ASYNCRING_OP_PIPE, sqe, 0, fds, 0, 0);
	sqe->pipe_flags = (__u32)pipe_flags;
}

/* pipe2(2) into slots file_index and file_index + 1, or into any two, written to fds. */
static inline void asyncring_prep_pipe_direct(struct asyncring_sqe *sqe, int *fds, int pipe_flags,
					      unsigned int file_index)
{
	asyncring_prep_pipe(sqe, fds, pipe_flags);
	asyncring__set_target_fixed_file(sqe, file_index);
}

/* --------------------------------------------------------------------------------------------
 * Registered files and other rings: io_uring_prep_files_update(3), io_uring_prep_msg_ring(3)
 *
 * fds: until completed (chosen slots are written to it). No other pointers.
 */

/*
 * Replaces nr_fds slots of the file table from offset on: -1 empties one, -2
 * (ASYNCRING_REGISTER_FILES_SKIP) leaves one. With ASYNCRING_FILE_INDEX_ALLOC as offset free slots
 * are chosen and written back to fds. cqe->res is the number of slots done.
 */
static inline void asyncring_prep_files_update(struct asyncring_sqe *sqe, int *fds, unsigned nr_fds,
					       int offset)
{
	asyncring_prep_rw(ASYNCRING_OP_FILES_UPDATE, sqe, -1, fds, nr_fds, (__u64)offset);
}

/*
 * Makes an ordinary descriptor, in cqe->res, of slot fd of the file table; close-on-exec unless
 * flags has ASYNCRING_FIXED_FD_NO_CLOEXEC. Sets sqe->flags to ASYNCRING_SQE_FIXED_FILE.
 */
static inline void asyncring_prep_fixed_fd_install(struct asyncring_sqe *sqe, int fd,
						   unsigned int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_FIXED_FD_INSTALL, sqe, fd, NULL, 0, 0);
	sqe->flags = ASYNCRING_SQE_FIXED_FILE;
	sqe->install_fd_flags = flags;
}

/* Posts a completion on the ring of descriptor fd: len becomes its res, data its user_data. */
static inline void asyncring_prep_msg_ring(struct asyncring_sqe *sqe, int fd, unsigned int len,
					   __u64 data, unsigned int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_MSG_RING, sqe, fd, NULL, len, data);
	sqe->msg_ring_flags = flags;
}

/* The same, with cqe_flags as the completion's flags. */
static inline void asyncring_prep_msg_ring_cqe_flags(struct asyncring_sqe *sqe, int fd,
						     unsigned int len, __u64 data,
						     unsigned int flags, unsigned int cqe_flags)
{
	asyncring_prep_msg_ring(sqe, fd, len, data, ASYNCRING_MSG_RING_FLAGS_PASS | flags);
	sqe->file_index = cqe_flags;
}

/*
 * Puts the file of slot source_fd of this ring into slot target_fd of the ring of descriptor fd,
 * which gets a completion with data as user_data unless flags has ASYNCRING_MSG_RING_CQE_SKIP.
 */
static inline void asyncring_prep_msg_ring_fd(struct asyncring_sqe *sqe, int fd, int source_fd,
					      int target_fd, __u64 data, unsigned int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_MSG_RING, sqe, fd, NULL, 0, data);
	sqe->addr = ASYNCRING_MSG_SEND_FD;
	sqe->addr3 = (__u64)source_fd;
	asyncring__set_target_fixed_file(sqe, (unsigned int)target_fd);
	sqe->msg_ring_flags = flags;
}

/* The same, into a free slot of the other ring; its number is the res of both completions. */
static inline void asyncring_prep_msg_ring_fd_alloc(struct asyncring_sqe *sqe, int fd,
						    int source_fd, __u64 data, unsigned int flags)
{
	asyncring_prep_msg_ring_fd(sqe, fd, source_fd, (int)ASYNCRING_FILE_INDEX_ALLOC, data,
				   flags);
}

/* --------------------------------------------------------------------------------------------
 * Cancelling: io_uring_prep_cancel(3)
 *
 * flags are ASYNCRING_ASYNC_CANCEL_*. cqe->res of the cancel request:
 *   0          the one request that matched is cancelled;
 *   n          with ASYNC_CANCEL_ALL or _ANY: that many matched and are cancelled;
 *   -ENOENT    nothing matched (perhaps it has just completed);
 *   -EALREADY  it is running and could not be stopped; it completes as usual;
 *   -EINVAL    unknown flags or an impossible combination of them.
 * A cancelled request completes as every request does; until then its memory is in use. One that
 * only waits, for a pipe to be readable or for a timer, always gives -ECANCELED, and its completion
 * comes after that of the cancel request. One that a worker was carrying out gives what the
 * interrupted system call answers: -EINTR, or a short count. user_data is compared, never followed.
 */

/* Cancels requests by their 64-bit user_data. */
static inline void asyncring_prep_cancel64(struct asyncring_sqe *sqe, __u64 user_data, int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_ASYNC_CANCEL, sqe, -1, NULL, 0, 0);
	sqe->addr = user_data;
	sqe->cancel_flags = (__u32)flags;
}

/* Cancels requests by the pointer that is their user_data. */
static inline void asyncring_prep_cancel(struct asyncring_sqe *sqe, const void *user_data,
					 int flags)
{
	asyncring_prep_cancel64(sqe, asyncring__pointer(user_data), flags);
}

/* Cancels requests by the descriptor they were submitted on. */
static inline void asyncring_prep_cancel_fd(struct asyncring_sqe *sqe, int fd, unsigned int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_ASYNC_CANCEL, sqe, fd, NULL, 0, 0);
	sqe->cancel_flags = flags | ASYNCRING_ASYNC_CANCEL_FD;
}

/* --------------------------------------------------------------------------------------------
 * Timeouts: io_uring_prep_timeout(3), io_uring_prep_link_timeout(3)
 *
 * flags are ASYNCRING_TIMEOUT_*. The clock is CLOCK_MONOTONIC unless they say otherwise. ts: until
 * submitted. With ASYNCRING_TIMEOUT_IMMEDIATE_ARG the address field (sqe->addr, that of an update
 * sqe->addr2) has the time itself, in nanoseconds, to be set after the prep function. cqe->res:
 * -ETIME when the time ran out, 0 when count completions came first, -ECANCELED when it was
 * removed.
 */

/* A timer, ended early by count further completions on the ring unless count is 0. */
static inline void asyncring_prep_timeout(struct asyncring_sqe *sqe,
					  const struct __kernel_timespec *ts, unsigned count,
					  unsigned flags)
{
	asyncring_prep_rw(ASYNCRING_OP_TIMEOUT, sqe, -1, ts, 1, count);
	sqe->timeout_flags = flags;
}

/* Removes a timer by its user_data: 0, -ENOENT, -EBUSY or -EALREADY if it has just fired. */
static inline void asyncring_prep_timeout_remove(struct asyncring_sqe *sqe, __u64 user_data,
						 unsigned flags)
{
	asyncring_prep_rw(ASYNCRING_OP_TIMEOUT_REMOVE, sqe, -1, NULL, 0, 0);
	sqe->addr = user_data;
	sqe->timeout_flags = flags;
}

/* Gives a timer a new time. With ASYNCRING_LINK_TIMEOUT_UPDATE it is a linked timeout. */
static inline void asyncring_prep_timeout_update(struct asyncring_sqe *sqe,
						 const struct __kernel_timespec *ts,
						 __u64 user_data, unsigned flags)
{
	asyncring_prep_rw(ASYNCRING_OP_TIMEOUT_REMOVE, sqe, -1, NULL, 0, asyncring__pointer(ts));
	sqe->addr = user_data;
	sqe->timeout_flags = flags | ASYNCRING_TIMEOUT_UPDATE;
}

/* Limits the time of the request before it, which must have ASYNCRING_SQE_IO_LINK. */
static inline void asyncring_prep_link_timeout(struct asyncring_sqe *sqe,
					       const struct __kernel_timespec *ts, unsigned flags)
{
	asyncring_prep_rw(ASYNCRING_OP_LINK_TIMEOUT, sqe, -1, ts, 1, 0);
	sqe->timeout_flags = flags;
}

/* --------------------------------------------------------------------------------------------
 * Readiness: io_uring_prep_poll_add(3), epoll_ctl(2), epoll_wait(2)
 *
 * poll_mask is that of poll(2). ev: until submitted. events: until completed.
 */

/* The 32-bit mask travels with its half-words swapped on big-endian machines. */
static inline __u32 asyncring__prep_poll_mask(__u32 poll_mask)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	poll_mask = poll_mask << 16 | poll_mask >> 16;
#endif
	return poll_mask;
}

/* Completes once when fd is ready; cqe->res is the mask of what it is ready for. */
static inline void asyncring_prep_poll_add(struct asyncring_sqe *sqe, int fd, unsigned poll_mask)
{
	asyncring_prep_rw(ASYNCRING_OP_POLL_ADD, sqe, fd, NULL, 0, 0);
	sqe->poll32_events = asyncring__prep_poll_mask(poll_mask);
}

/* Completes each time; a completion without ASYNCRING_CQE_F_MORE is the last. */
static inline void asyncring_prep_poll_multishot(struct asyncring_sqe *sqe, int fd,
						 unsigned poll_mask)
{
	asyncring_prep_poll_add(sqe, fd, poll_mask);
	sqe->len = ASYNCRING_POLL_ADD_MULTI;
}

/* Removes the poll request with this user_data: 0, -ENOENT, -EALREADY. */
static inline void asyncring_prep_poll_remove(struct asyncring_sqe *sqe, __u64 user_data)
{
	asyncring_prep_rw(ASYNCRING_OP_POLL_REMOVE, sqe, -1, NULL, 0, 0);
	sqe->addr = user_data;
}

/* Changes mask and/or user_data of a poll request as the ASYNCRING_POLL_UPDATE_* flags say. */
static inline void asyncring_prep_poll_update(struct asyncring_sqe *sqe, __u64 old_user_data,
					      __u64 new_user_data, unsigned poll_mask,
					      unsigned flags)
{
	asyncring_prep_rw(ASYNCRING_OP_POLL_REMOVE, sqe, -1, NULL, flags, new_user_data);
	sqe->addr = old_user_data;
	sqe->poll32_events = asyncring__prep_poll_mask(poll_mask);
}

/* epoll_ctl(2). */
static inline void asyncring_prep_epoll_ctl(struct asyncring_sqe *sqe, int epfd, int fd, int op,
					    const struct epoll_event *ev)
{
	asyncring_prep_rw(ASYNCRING_OP_EPOLL_CTL, sqe, epfd, ev, (__u32)op, (__u32)fd);
}

/* epoll_wait(2); flags must be 0. */
static inline void asyncring_prep_epoll_wait(struct asyncring_sqe *sqe, int fd,
					     struct epoll_event *events, int maxevents,
					     unsigned flags)
{
	asyncring_prep_rw(ASYNCRING_OP_EPOLL_WAIT, sqe, fd, events, (__u32)maxevents, 0);
	sqe->rw_flags = flags;
}

/* --------------------------------------------------------------------------------------------
 * Making and connecting sockets: socket(2), bind(2), listen(2), connect(2), accept4(2),
 * shutdown(2)
 *
 * An address that is read (bind, connect): until submitted. One that is written (accept: addr and
 * addrlen): until completed.
 */

/* socket(2); flags must be 0. */
static inline void asyncring_prep_socket(struct asyncring_sqe *sqe, int domain, int type,
					 int protocol, unsigned int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_SOCKET, sqe, domain, NULL, (__u32)protocol, (__u64)type);
	sqe->rw_flags = flags;
}

/* socket(2) into the file table. */
static inline void asyncring_prep_socket_direct(struct asyncring_sqe *sqe, int domain, int type,
						int protocol, unsigned file_index,
						unsigned int flags)
{
	asyncring_prep_socket(sqe, domain, type, protocol, flags);
	asyncring__set_target_fixed_file(sqe, file_index);
}

/* socket(2) into a free slot of the file table. */
static inline void asyncring_prep_socket_direct_alloc(struct asyncring_sqe *sqe, int domain,
						      int type, int protocol, unsigned int flags)
{
	asyncring_prep_socket_direct(sqe, domain, type, protocol, ASYNCRING_FILE_INDEX_ALLOC,
				     flags);
}

/* bind(2). */
static inline void asyncring_prep_bind(struct asyncring_sqe *sqe, int fd,
				       const struct sockaddr *addr, socklen_t addrlen)
{
	asyncring_prep_rw(ASYNCRING_OP_BIND, sqe, fd, addr, 0, addrlen);
}

/* listen(2). */
static inline void asyncring_prep_listen(struct asyncring_sqe *sqe, int fd, int backlog)
{
	asyncring_prep_rw(ASYNCRING_OP_LISTEN, sqe, fd, NULL, (__u32)backlog, 0);
}

/* connect(2). */
static inline void asyncring_prep_connect(struct asyncring_sqe *sqe, int fd,
					  const struct sockaddr *addr, socklen_t addrlen)
{
	asyncring_prep_rw(ASYNCRING_OP_CONNECT, sqe, fd, addr, 0, addrlen);
}

/* accept4(2); addr and addrlen may be NULL. */
static inline void asyncring_prep_accept(struct asyncring_sqe *sqe, int fd, struct sockaddr *addr,
					 socklen_t *addrlen, int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_ACCEPT, sqe, fd, addr, 0, asyncring__pointer(addrlen));
	sqe->accept_flags = (__u32)flags;
}

/* accept4(2) into the file table. */
static inline void asyncring_prep_accept_direct(struct asyncring_sqe *sqe, int fd,
						struct sockaddr *addr, socklen_t *addrlen,
						int flags, unsigned int file_index)
{
	asyncring_prep_accept(sqe, fd, addr, addrlen, flags);
	asyncring__set_target_fixed_file(sqe, file_index);
}

/* One completion per connection, while ASYNCRING_CQE_F_MORE is set. */
static inline void asyncring_prep_multishot_accept(struct asyncring_sqe *sqe, int fd,
						   struct sockaddr *addr, socklen_t *addrlen,
						   int flags)
{
	asyncring_prep_accept(sqe, fd, addr, addrlen, flags);
	sqe->ioprio |= ASYNCRING_ACCEPT_MULTISHOT;
}

/* The same, into free slots of the file table. */
static inline void asyncring_prep_multishot_accept_direct(struct asyncring_sqe *sqe, int fd,
							  struct sockaddr *addr, socklen_t *addrlen,
							  int flags)
{
	asyncring_prep_multishot_accept(sqe, fd, addr, addrlen, flags);
	asyncring__set_target_fixed_file(sqe, ASYNCRING_FILE_INDEX_ALLOC);
}

/* shutdown(2). */
static inline void asyncring_prep_shutdown(struct asyncring_sqe *sqe, int fd, int how)
{
	asyncring_prep_rw(ASYNCRING_OP_SHUTDOWN, sqe, fd, NULL, (__u32)how, 0);
}

/* --------------------------------------------------------------------------------------------
 * Sending: send(2), sendto(2), sendmsg(2)
 *
 * flags are MSG_*; ASYNCRING_RECVSEND_* and ASYNCRING_SEND_* go to sqe->ioprio. cqe->res is the
 * number of bytes sent. The msghdr, its iovec array and its address: until submitted. The data,
 * and the control data of a msghdr: until completed. The zero-copy forms post a second completion
 * with ASYNCRING_CQE_F_NOTIF, and the data must stay until that one.
 */

/* send(2). */
static inline void asyncring_prep_send(struct asyncring_sqe *sqe, int sockfd, const void *buf,
				       size_t len, int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_SEND, sqe, sockfd, buf, (__u32)len, 0);
	sqe->msg_flags = (__u32)flags;
}

/* Adds an address to a prepared send. It must stay until submitted. */
static inline void asyncring_prep_send_set_addr(struct asyncring_sqe *sqe,
						const struct sockaddr *dest_addr, __u16 addr_len)
{
	sqe->addr2 = asyncring__pointer(dest_addr);
	sqe->addr_len = addr_len;
}

/* sendto(2). */
static inline void asyncring_prep_sendto(struct asyncring_sqe *sqe, int sockfd, const void *buf,
					 size_t len, int flags, const struct sockaddr *addr,
					 socklen_t addrlen)
{
	asyncring_prep_send(sqe, sockfd, buf, len, flags);
	asyncring_prep_send_set_addr(sqe, addr, (__u16)addrlen);
}

/* Sends provided buffers, as many as there are up to len bytes (0: all); set the group too. */
static inline void asyncring_prep_send_bundle(struct asyncring_sqe *sqe, int sockfd, size_t len,
					      int flags)
{
	asyncring_prep_send(sqe, sockfd, NULL, len, flags);
	sqe->ioprio |= ASYNCRING_RECVSEND_BUNDLE;
}

/* send(2) without a copy where that is possible; zc_flags go to sqe->ioprio. */
static inline void asyncring_prep_send_zc(struct asyncring_sqe *sqe, int sockfd, const void *buf,
					  size_t len, int flags, unsigned zc_flags)
{
	asyncring_prep_rw(ASYNCRING_OP_SEND_ZC, sqe, sockfd, buf, (__u32)len, 0);
	sqe->msg_flags = (__u32)flags;
	sqe->ioprio = (__u16)zc_flags;
}

/* The same from registered buffer buf_index. */
static inline void asyncring_prep_send_zc_fixed(struct asyncring_sqe *sqe, int sockfd,
						const void *buf, size_t len, int flags,
						unsigned zc_flags, unsigned buf_index)
{
	asyncring_prep_send_zc(sqe, sockfd, buf, len, flags, zc_flags);
	sqe->ioprio |= ASYNCRING_RECVSEND_FIXED_BUF;
	sqe->buf_index = (__u16)buf_index;
}

/* sendmsg(2). */
static inline void asyncring_prep_sendmsg(struct asyncring_sqe *sqe, int fd,
					  const struct msghdr *msg, unsigned flags)
{
	asyncring_prep_rw(ASYNCRING_OP_SENDMSG, sqe, fd, msg, 1, 0);
	sqe->msg_flags = flags;
}

/* sendmsg(2) without a copy where that is possible. */
static inline void asyncring_prep_sendmsg_zc(struct asyncring_sqe *sqe, int fd,
					     const struct msghdr *msg, unsigned flags)
{
	asyncring_prep_sendmsg(sqe, fd, msg, flags);
	sqe->opcode = ASYNCRING_OP_SENDMSG_ZC;
}

/* The same from registered buffer buf_index. */
static inline void asyncring_prep_sendmsg_zc_fixed(struct asyncring_sqe *sqe, int fd,
						   const struct msghdr *msg, unsigned flags,
						   unsigned buf_index)
{
	asyncring_prep_sendmsg_zc(sqe, fd, msg, flags);
	sqe->ioprio |= ASYNCRING_RECVSEND_FIXED_BUF;
	sqe->buf_index = (__u16)buf_index;
}

/* --------------------------------------------------------------------------------------------
 * Receiving: recv(2), recvmsg(2)
 *
 * flags are MSG_*. cqe->res is the number of bytes received. Everything that is written, which is
 * the data, and of a msghdr the structure itself, its address and its control data: until
 * completed. The iovec array: until submitted. The multishot forms need a group of provided
 * buffers (buf_group and ASYNCRING_SQE_BUFFER_SELECT) and complete once per message while
 * ASYNCRING_CQE_F_MORE is set.
 */

/* recv(2). */
static inline void asyncring_prep_recv(struct asyncring_sqe *sqe, int sockfd, void *buf, size_t len,
				       int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_RECV, sqe, sockfd, buf, (__u32)len, 0);
	sqe->msg_flags = (__u32)flags;
}

/* recv(2) again and again; buf must be NULL and len 0. */
static inline void asyncring_prep_recv_multishot(struct asyncring_sqe *sqe, int sockfd, void *buf,
						 size_t len, int flags)
{
	asyncring_prep_recv(sqe, sockfd, buf, len, flags);
	sqe->ioprio |= ASYNCRING_RECV_MULTISHOT;
}

/* recvmsg(2). */
static inline void asyncring_prep_recvmsg(struct asyncring_sqe *sqe, int fd, struct msghdr *msg,
					  unsigned flags)
{
	asyncring_prep_rw(ASYNCRING_OP_RECVMSG, sqe, fd, msg, 1, 0);
	sqe->msg_flags = flags;
}

/*
 * recvmsg(2) again and again. Of msg only msg_namelen and msg_controllen count: they say how much
 * room to leave in each buffer, which begins with a struct asyncring_recvmsg_out.
 */
static inline void asyncring_prep_recvmsg_multishot(struct asyncring_sqe *sqe, int fd,
						    struct msghdr *msg, unsigned flags)
{
	asyncring_prep_recvmsg(sqe, fd, msg, flags);
	sqe->ioprio |= ASYNCRING_RECV_MULTISHOT;
}

/* --------------------------------------------------------------------------------------------
 * Taking the buffer of a multishot recvmsg apart: io_uring_recvmsg_out(3)
 *
 * buf is the provided buffer, buf_len is cqe->res, msgh is what was given to the prep function (or
 * a copy of it). Pure arithmetic on the application's memory.
 */

/* The head of the buffer, or NULL if it is too short to hold what msgh asked for. */
static inline struct asyncring_recvmsg_out *asyncring_recvmsg_validate(void *buf, int buf_len,
								       struct msghdr *msgh)
{
	const size_t head = sizeof(struct asyncring_recvmsg_out);
	size_t room = (size_t)buf_len;

	/* One by one: a sum could overflow. */
	if (buf_len < 0 || room < head || msgh->msg_namelen > room - head ||
	    (size_t)msgh->msg_controllen > room - head - msgh->msg_namelen)
		return NULL;
	return (struct asyncring_recvmsg_out *)buf;
}

/* The sender's address: min(out->namelen, msg_namelen) bytes. */
static inline void *asyncring_recvmsg_name(struct asyncring_recvmsg_out *o)
{
	return (void *)&o[1];
}

/* The first control message, or NULL if there is none. */
static inline struct cmsghdr *asyncring_recvmsg_cmsg_firsthdr(struct asyncring_recvmsg_out *o,
							      struct msghdr *msgh)
{
	if (o->controllen < sizeof(struct cmsghdr))
		return NULL;
	return (struct cmsghdr *)((unsigned char *)asyncring_recvmsg_name(o) + msgh->msg_namelen);
}

/* The control message after cmsg, or NULL. */
static inline struct cmsghdr *asyncring_recvmsg_cmsg_nexthdr(struct asyncring_recvmsg_out *o,
							     struct msghdr *msgh,
							     struct cmsghdr *cmsg)
{
	const size_t align = sizeof(size_t) - 1;
	size_t start = (size_t)((unsigned char *)cmsg - (unsigned char *)asyncring_recvmsg_name(o) -
				msgh->msg_namelen);
	size_t step = ((size_t)cmsg->cmsg_len + align) & ~align;
	struct cmsghdr *next = (struct cmsghdr *)((unsigned char *)cmsg + step);

	/* Lengths come from the buffer; compare them before a sum could leave it. */
	if (cmsg->cmsg_len < sizeof(struct cmsghdr) || start > o->controllen ||
	    step > o->controllen - start || o->controllen - start - step < sizeof(struct cmsghdr))
		return NULL;
	if (next->cmsg_len > o->controllen - start - step)
		return NULL;
	return next;
}

/* The received data. */
static inline void *asyncring_recvmsg_payload(struct asyncring_recvmsg_out *o, struct msghdr *msgh)
{
	return (void *)((unsigned char *)asyncring_recvmsg_name(o) + msgh->msg_namelen +
			(size_t)msgh->msg_controllen);
}

/*
 * How many bytes of it are in the buffer, 0 if it is too short for any; out->payloadlen is the
 * message's true length.
 */
static inline unsigned int asyncring_recvmsg_payload_length(struct asyncring_recvmsg_out *o,
							    int buf_len, struct msghdr *msgh)
{
	size_t room = (size_t)buf_len - sizeof(*o);

	if (!asyncring_recvmsg_validate(o, buf_len, msgh))
		return 0;
	return (unsigned int)(room - msgh->msg_namelen - (size_t)msgh->msg_controllen);
}

/* --------------------------------------------------------------------------------------------
 * Provided buffers, the older way: io_uring_prep_provide_buffers(3)
 *
 * For new code see asyncring_setup_buf_ring(). The memory belongs to the group from the
 * submission on, until a completion with its id or a removal hands it back. Unlike with a ring, a
 * read that waits has taken its buffer already, and one that fails says which it had.
 */

/*
 * Gives nr buffers of len bytes each, one after the other from addr, ids from bid, to bgid. A group
 * holds up to 65535; cqe->res is 0 if there was room for one at least, else -EOVERFLOW.
 */
static inline void asyncring_prep_provide_buffers(struct asyncring_sqe *sqe, void *addr, int len,
						  int nr, int bgid, int bid)
{
	asyncring_prep_rw(ASYNCRING_OP_PROVIDE_BUFFERS, sqe, nr, addr, (__u32)len, (__u64)bid);
	sqe->buf_group = (__u16)bgid;
}

/* Takes up to nr buffers of group bgid back; cqe->res tells how many, -ENOENT: no such group. */
static inline void asyncring_prep_remove_buffers(struct asyncring_sqe *sqe, int nr, int bgid)
{
	asyncring_prep_rw(ASYNCRING_OP_REMOVE_BUFFERS, sqe, nr, NULL, 0, 0);
	sqe->buf_group = (__u16)bgid;
}

/* --------------------------------------------------------------------------------------------
 * Waiting for processes and futexes: waitid(2), futex(2), futex_waitv(2)
 *
 * infop and futex words: until completed. The array given to futex_waitv: until submitted.
 */

/* waitid(2). */
static inline void asyncring_prep_waitid(struct asyncring_sqe *sqe, idtype_t idtype, id_t id,
					 siginfo_t *infop, int options, unsigned int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_WAITID, sqe, (int)id, NULL, (unsigned)idtype, 0);
	sqe->waitid_flags = flags;
	sqe->file_index = (__u32)options;
	sqe->addr2 = asyncring__pointer(infop);
}

/* Wakes up to val waiters of the futex whose bit set meets mask; cqe->res is their number. */
static inline void asyncring_prep_futex_wake(struct asyncring_sqe *sqe, const uint32_t *futex,
					     uint64_t val, uint64_t mask, uint32_t futex_flags,
					     unsigned int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_FUTEX_WAKE, sqe, (int)futex_flags, futex, 0, val);
	sqe->futex_flags = flags;
	sqe->addr3 = mask;
}

/* Waits for a wake-up while the futex has the value val; -EAGAIN if it has another. */
static inline void asyncring_prep_futex_wait(struct asyncring_sqe *sqe, const uint32_t *futex,
					     uint64_t val, uint64_t mask, uint32_t futex_flags,
					     unsigned int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_FUTEX_WAIT, sqe, (int)futex_flags, futex, 0, val);
	sqe->futex_flags = flags;
	sqe->addr3 = mask;
}

/* Waits for any of nr_futex futexes; cqe->res is the index of the one that was woken. */
static inline void asyncring_prep_futex_waitv(struct asyncring_sqe *sqe,
					      const struct futex_waitv *futex, uint32_t nr_futex,
					      unsigned int flags)
{
	asyncring_prep_rw(ASYNCRING_OP_FUTEX_WAITV, sqe, 0, futex, nr_futex, 0);
	sqe->futex_flags = flags;
}

/* --------------------------------------------------------------------------------------------
 * Commands of a file's own kind: io_uring_prep_cmd(3)
 *
 * optval: until completed. Command data in the entry itself (sqe->cmd) needs nothing.
 */

/* Command cmd_op of the file fd; the caller fills in sqe->cmd. */
static inline void asyncring_prep_uring_cmd(struct asyncring_sqe *sqe, int cmd_op, int fd)
{
	asyncring_prep_rw(ASYNCRING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = (__u32)cmd_op;
	sqe->__pad1 = 0;
}

/* The same in a 128-byte entry of a ring with ASYNCRING_SETUP_SQE_MIXED. */
static inline void asyncring_prep_uring_cmd128(struct asyncring_sqe *sqe, int cmd_op, int fd)
{
	asyncring_prep_uring_cmd(sqe, cmd_op, fd);
	sqe->opcode = ASYNCRING_OP_URING_CMD128;
}

/* getsockopt(2), setsockopt(2), SIOCINQ, SIOCOUTQ: cmd_op is enum asyncring_socket_op. */
static inline void asyncring_prep_cmd_sock(struct asyncring_sqe *sqe, int cmd_op, int fd, int level,
					   int optname, void *optval, int optlen)
{
	asyncring_prep_uring_cmd(sqe, cmd_op, fd);
	sqe->level = (__u32)level;
	sqe->optname = (__u32)optname;
	sqe->optlen = (__u32)optlen;
	sqe->optval = asyncring__pointer(optval);
}

/* getsockname(2), or with @peer getpeername(2); a command of Linux 6.19. */
static inline void asyncring_prep_cmd_getsockname(struct asyncring_sqe *sqe, int fd,
						  struct sockaddr *address, socklen_t *length,
						  int peer)
{
	asyncring_prep_uring_cmd(sqe, ASYNCRING_SOCKET_OP_GETSOCKNAME, fd);
	sqe->addr = asyncring__pointer(address);
	sqe->addr3 = asyncring__pointer(length);
	sqe->optlen = (__u32)peer;
}

/* BLKDISCARD of nbytes bytes from offset on, on a block device. */
static inline void asyncring_prep_cmd_discard(struct asyncring_sqe *sqe, int fd, __u64 offset,
					      __u64 nbytes)
{
	/* BLOCK_URING_CMD_DISCARD of <linux/blkdev.h>: _IO(0x12, 0) */
	asyncring_prep_uring_cmd(sqe, 0x12 << 8, fd);
	sqe->addr = offset;
	sqe->addr3 = nbytes;
}

#ifdef __cplusplus
}
#endif

#endif
