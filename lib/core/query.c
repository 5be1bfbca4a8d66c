/* SPDX-License-Identifier: MIT */
/*
 * REGISTER_QUERY: what there is, told without a ring. A chain of questions, each with an answer of
 * its own; a question that is not known gets -EOPNOTSUPP and the chain goes on.
 */
#include <asyncring.h>

#include "core.h"
#include "resources.h"
#include "setup.h"

enum { CHAIN_MAX = 1000 };

static void tell_opcodes(struct asyncring_query_opcode *answer)
{
	*answer = (struct asyncring_query_opcode){
		.nr_request_opcodes = asyncring__op_count(),
		.nr_register_opcodes = ASYNCRING_REGISTER_LAST,
		.feature_flags = asyncring__setup_features(),
		.ring_setup_flags = asyncring__setup_flags(),
		.enter_flags = asyncring__enter_flags(),
		.sqe_flags = asyncring__sqe_flags(),
		.nr_query_opcodes = 1,
	};
}

/* Room for more than there is to tell is cleared, and less gets the beginning. */
static int write_answer(uint64_t to, uint64_t room, const struct asyncring_query_opcode *answer)
{
	static const unsigned char zeros[256];
	uint64_t done = room < sizeof(*answer) ? room : sizeof(*answer);
	int error = asyncring__copy_out(to, answer, done);

	while (!error && done < room) {
		uint64_t step = room - done < sizeof(zeros) ? room - done : sizeof(zeros);

		error = asyncring__copy_out(to + done, zeros, step);
		done += step;
	}
	return error;
}

static int answer_one(uint64_t address, struct asyncring_query_hdr *header)
{
	struct asyncring_query_opcode answer;
	uint32_t room = header->size;
	int result = 0;

	header->size = 0;
	if (header->__resv[0] || header->__resv[1] || header->__resv[2] || header->result || !room)
		result = -EINVAL;
	else if (header->query_op != ASYNCRING_QUERY_OPCODES)
		result = -EOPNOTSUPP;
	if (!result) {
		tell_opcodes(&answer);
		if (write_answer(header->query_data, room, &answer))
			return -EFAULT;
		header->size = room < sizeof(answer) ? room : (uint32_t)sizeof(answer);
	}
	header->result = result;
	return asyncring__copy_out(address, header, sizeof(*header));
}

int asyncring__query(struct ring *ring, uint64_t arg, unsigned count)
{
	struct asyncring_query_hdr header;
	unsigned asked = 0;

	(void)ring;
	if (count)
		return -EINVAL;
	for (uint64_t address = arg; address; address = header.next_entry) {
		if (asyncring__copy_in(&header, address, sizeof(header)) ||
		    answer_one(address, &header))
			return -EFAULT;
		if (++asked >= CHAIN_MAX)
			return -ERANGE;
	}
	return 0;
}
