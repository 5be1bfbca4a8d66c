/* SPDX-License-Identifier: MIT */
/*
 * WAITID. Children are everybody's in the process, so any thread may wait for them. One child that
 * is to exit is waited for by a descriptor of it (pidfd), which becomes readable then; a group, any
 * child, and stops have nothing of the kind, and each such request takes a worker.
 */
#include <sys/wait.h>

#include "../core/core.h"
#include "../engine/pool.h"
#include "families.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum {
	WHICH_PIDFD = 3,	/* P_PIDFD */
	NO_THREAD = 0x20000000, /* __WNOTHREAD: only children of the calling thread */
	EVENTS = WEXITED | WSTOPPED | WCONTINUED,
};

struct wait_child {
	uint64_t info; /* where the application wants the answer, or 0 */
	uint32_t which;
	int32_t id;
	int32_t options;
};

int asyncring__waitid_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct wait_child *wait = request_data(request, struct wait_child);

	if (sqe->addr || sqe->buf_index || sqe->addr3 || sqe->waitid_flags)
		return -EINVAL;
	wait->info = sqe->addr2;
	wait->which = sqe->len;
	wait->id = sqe->fd;
	wait->options = (int32_t)sqe->file_index;
	request->poll_events = EPOLLIN;
	return 0;
}

static int call(const struct request *request, siginfo_t *info, int options)
{
	const struct wait_child *wait = request_data(request, const struct wait_child);
	int32_t id = wait->id;

	/* The application may have closed its own descriptor meanwhile. */
	if (wait->which == WHICH_PIDFD && request->file)
		id = request->file->fd;
	return (int)sys(SYS_waitid, wait->which, id, info, options, NULL);
}

static int answer(const struct wait_child *wait, const siginfo_t *info)
{
	/* Up to the last field that waitid(2) sets. */
	size_t length = offsetof(siginfo_t, si_status) + sizeof(info->si_status);

	return wait->info ? asyncring__copy_out(wait->info, info, length) : 0;
}

static bool may_wait(const struct wait_child *wait)
{
	if (wait->options & WNOHANG)
		return false;
	return wait->which != WHICH_PIDFD || !(sys_fcntl(wait->id, F_GETFL, 0) & O_NONBLOCK);
}

/* Take what there is. -EAGAIN: nothing yet, and that is no answer. */
static int take(const struct request *request)
{
	const struct wait_child *wait = request_data(request, const struct wait_child);
	siginfo_t info = {0};
	int error = call(request, &info, wait->options | WNOHANG);

	if (!error && !info.si_signo && (request->file || may_wait(wait)))
		return -EAGAIN;
	return error ? error : answer(wait, &info);
}

/*
 * A descriptor that becomes readable when there is something to take. False: there is none, or the
 * kernel (before 5.3) knows of none.
 */
static bool get_pidfd(struct request *request, const struct wait_child *wait)
{
	int fd, error;

	if (request->file)
		return true;
	if ((wait->options & EVENTS) != WEXITED)
		return false;
	if (wait->which == WHICH_PIDFD) {
		request->file = asyncring__file_pin(wait->id, false, &error);
		return request->file;
	}
	if (wait->which != P_PID)
		return false;
	fd = (int)sys(SYS_pidfd_open, wait->id, 0);
	if (fd >= 0)
		request->file = asyncring__file_adopt(fd, &error);
	return request->file;
}

/* In a worker, until there is something; it is left where it is. */
static long sleep_in_call(struct request *request)
{
	const struct wait_child *wait = request_data(request, struct wait_child);

	return call(request, NULL, wait->options | WNOWAIT);
}

enum issue_result asyncring__waitid_issue(struct request *request, unsigned flags)
{
	struct wait_child *wait = request_data(request, struct wait_child);
	int result = 0;

	if (!(request->flags & REQ_SLEEP_FIRST)) {
		result = take(request);
		/* Another thread than the one whose children are meant may do the rest. */
		wait->options &= ~NO_THREAD;
		if (result == -EAGAIN && get_pidfd(request, wait))
			return ISSUE_NEED_POLL;
		if (result == -EAGAIN && flags & ISSUE_NONBLOCK) {
			request->flags |= REQ_SLEEP_FIRST;
			return ISSUE_NEED_WORKER;
		}
	}
	while (result == -EAGAIN || request->flags & REQ_SLEEP_FIRST) {
		request->flags &= ~(uint32_t)REQ_SLEEP_FIRST;
		result = (int)asyncring__pool_wait(request, sleep_in_call);
		if (!result)
			result = take(request);
	}
	request_set_result(request, result);
	return ISSUE_DONE;
}
