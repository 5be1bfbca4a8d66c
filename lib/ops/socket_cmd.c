/* SPDX-License-Identifier: MIT */
/*
 * URING_CMD on sockets: SIOCINQ, SIOCOUTQ, GETSOCKOPT, SETSOCKOPT, GETSOCKNAME; TX_TIMESTAMP, which
 * waits, is in a file of its own. All others, and those of drivers and file systems, which have no
 * system call, are refused as by a file that knows no commands.
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "../core/core.h"
#include "families.h"
#include "socket.h"
#include "tx_timestamp.h"

enum { URING_CMD_FLAGS = ASYNCRING_URING_CMD_FIXED | ASYNCRING_URING_CMD_MULTISHOT };

struct command {
	uint32_t operation;
	union {
		int32_t option[2]; /* level and name */
		uint64_t address;  /* GETSOCKNAME: where the name goes */
	};
	int32_t length; /* GETSOCKNAME: 0 for one's own name, 1 for the peer's */
	void *value;	/* the application's; GETSOCKNAME: where the length is and goes */
	bool stray;	/* fields that GETSOCKNAME has no use for are set */
	bool begun;	/* TX_TIMESTAMP */
};

_Static_assert(sizeof(struct command) <= REQUEST_DATA_SIZE_LARGE, "its completions are large");

int asyncring__uring_cmd_prep(struct request *request, const struct asyncring_sqe *sqe)
{
	struct command *command = request_data(request, struct command);
	bool multishot = sqe->uring_cmd_flags & ASYNCRING_URING_CMD_MULTISHOT;
	bool select = request->flags & ASYNCRING_SQE_BUFFER_SELECT;

	if (sqe->__pad1 || sqe->uring_cmd_flags & ~(unsigned)URING_CMD_FLAGS)
		return -EINVAL;
	if (multishot != select)
		return -EINVAL;
	command->operation = sqe->cmd_op;
	command->address = sqe->addr;
	command->length = (int32_t)sqe->optlen;
	command->value = (void *)(uintptr_t)sqe->optval;
	command->stray = sqe->len || sqe->uring_cmd_flags;
	command->begun = false;
	return 0;
}

/* Only TCP, UDP and their like count their bytes this way. */
static int queue_size(int fd, unsigned question)
{
	int bytes = 0;
	int error;

	if (asyncring__socket_option(fd, SO_DOMAIN) == AF_UNIX)
		return -EOPNOTSUPP;
	error = (int)sys(SYS_ioctl, fd, question, &bytes);
	return error ? error : bytes;
}

static int get_option(int fd, const struct command *command)
{
	socklen_t length = (socklen_t)command->length;
	int error;

	if (command->option[0] != SOL_SOCKET)
		return -EOPNOTSUPP;
	error = (int)sys(SYS_getsockopt, fd, SOL_SOCKET, command->option[1], command->value,
			 &length);
	return error ? error : (int)length;
}

static int get_name(int fd, const struct command *command)
{
	if (command->stray || command->length < 0 || command->length > 1)
		return -EINVAL;
	return (int)sys(command->length ? SYS_getpeername : SYS_getsockname, fd, command->address,
			command->value);
}

static int carry_out(int fd, const struct command *command)
{
	switch (command->operation) {
	case ASYNCRING_SOCKET_OP_SIOCINQ:
		return queue_size(fd, SIOCINQ);
	case ASYNCRING_SOCKET_OP_SIOCOUTQ:
		return queue_size(fd, SIOCOUTQ);
	case ASYNCRING_SOCKET_OP_GETSOCKOPT:
		return get_option(fd, command);
	case ASYNCRING_SOCKET_OP_SETSOCKOPT:
		return (int)sys(SYS_setsockopt, fd, command->option[0], command->option[1],
				command->value, command->length);
	case ASYNCRING_SOCKET_OP_GETSOCKNAME:
		return get_name(fd, command);
	}
	return -EOPNOTSUPP;
}

enum issue_result asyncring__uring_cmd_issue(struct request *request, unsigned flags)
{
	struct command *command = request_data(request, struct command);
	int fd = request_fd(request);
	int type, result;

	if (command->begun)
		return asyncring__tx_timestamp_issue(request, flags);
	type = result = asyncring__socket_option(fd, SO_TYPE);
	if (type >= 0 && command->operation == ASYNCRING_SOCKET_OP_TX_TIMESTAMP) {
		result = asyncring__tx_timestamp_prep(request);
		if (!result) {
			command->begun = true;
			return asyncring__tx_timestamp_issue(request, flags);
		}
	} else if (type == -ENOTSOCK)
		result = -EOPNOTSUPP;
	else if (type >= 0)
		result = carry_out(fd, command);
	request_set_result(request, result);
	return ISSUE_DONE;
}
