/* SPDX-License-Identifier: MIT */
/*
 * EPOLL_CTL and EPOLL_WAIT: the application's own epoll sets. A set can be waited for like any
 * other file that becomes readable.
 */
#include "../core/core.h"
#include "families.h"

struct control {
	struct epoll_event event; /* without one for EPOLL_CTL_DEL */
	int command;
	int fd;
};

int asyncring__epoll_ctl_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct control *control = request_data(request, struct control);

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	control->command = (int)sqe->len;
	control->fd = (int)sqe->off;
	if (control->command == EPOLL_CTL_DEL)
		return 0;
	return asyncring__copy_in(&control->event, sqe->addr, sizeof(control->event));
}

enum issue_result asyncring__epoll_ctl_issue(struct request *request, unsigned flags)
{
	struct control *control = request_data(request, struct control);

	(void)flags;
	/* The set is not the request's file: it is named, not held, while the request waits. */
	request_set_result(request, (int)sys(SYS_epoll_ctl, request->fd, control->command,
					     control->fd, &control->event));
	return ISSUE_DONE;
}

struct harvest {
	uint64_t events; /* the application's array */
	int room;
};

int asyncring__epoll_wait_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct harvest *harvest = request_data(request, struct harvest);

	if (sqe->off || sqe->rw_flags || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	harvest->events = sqe->addr;
	harvest->room = (int)sqe->len;
	return 0;
}

enum issue_result asyncring__epoll_wait_issue(struct request *request, unsigned flags)
{
	const struct harvest *harvest = request_data(request, struct harvest);
	int count = (int)sys(SYS_epoll_pwait, request_fd(request), harvest->events, harvest->room,
			     0, NULL, 0);

	(void)flags;
	if (!count)
		return ISSUE_NEED_POLL;
	request_set_result(request, count);
	return ISSUE_DONE;
}
